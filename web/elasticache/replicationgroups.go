package elasticache

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"rekindle/internal/words"
	"rekindle/models"
	"rekindle/models/catalog"
)

type (
	endpoint struct {
		Address string
		Port    int
	}
	replicationGroup struct {
		ReplicationGroupId         string // the wire's names
		Description                string
		Status                     string
		PendingModifiedValues      struct{}
		MemberClusters             clusterIDs
		NodeGroups                 nodeGroups
		SnapshottingClusterId      string `xml:",omitempty"`
		AutomaticFailover          string
		MultiAZ                    string
		SnapshotRetentionLimit     int
		SnapshotWindow             string `xml:",omitempty"`
		ClusterEnabled             bool
		ConfigurationEndpoint      *endpoint
		CacheNodeType              string
		AuthTokenEnabled           bool
		AuthTokenLastModifiedDate  *stamp
		TransitEncryptionEnabled   bool
		AtRestEncryptionEnabled    bool
		ARN                        string
		ReplicationGroupCreateTime *stamp
		DataTiering                string
		AutoMinorVersionUpgrade    bool
		NetworkType                string
		IpDiscovery                string
		ClusterMode                string
		Engine                     string
	}
	clusterIDs struct{ ClusterId []string }
	nodeGroups struct{ NodeGroup []nodeGroup }
	nodeGroup  struct {
		NodeGroupId      string
		Status           string
		PrimaryEndpoint  *endpoint
		ReaderEndpoint   *endpoint
		Slots            string `xml:",omitempty"`
		NodeGroupMembers nodeGroupMembers
	}
	nodeGroupMembers struct{ NodeGroupMember []nodeGroupMember }
	nodeGroupMember  struct {
		CacheClusterId            string
		CacheNodeId               string
		ReadEndpoint              *endpoint
		PreferredAvailabilityZone string
		CurrentRole               string
	}
)

// nodeID is the one node of a member.
const nodeID = "0001"

// groupStatus is the status of a replication group in ElastiCache's words. One whose primary does not answer is available to ElastiCache; its
// node group says unreachable, which is Rekindle's own word.
func groupStatus(c models.Cluster) string {
	switch c.Status {
	case models.ClusterRestoreFailed:
		return string(models.ClusterCreateFailed)
	case models.ClusterRebooting:
		return string(models.ClusterModifying)
	case models.ClusterUnreachable:
		return string(models.ClusterAvailable)
	}
	return string(c.Status)
}

func onOff(on bool) string {
	if on {
		return "enabled"
	}
	return "disabled"
}

// zone is an availability zone: the one that was asked for, else the first of the region.
func (c *call) zone(asked string) string {
	if asked != "" {
		return asked
	}
	return c.region + "a"
}

func presentGroup(c *call, m models.Cluster) replicationGroup {
	attributes := m.Described()
	g := replicationGroup{
		ReplicationGroupId: m.Name, Description: m.Description, Status: groupStatus(m), SnapshotRetentionLimit: m.RetentionLimit,
		AutomaticFailover: onOff(attributes.AutomaticFailover), MultiAZ: onOff(attributes.MultiAZ),
		CacheNodeType: m.ShownNodeType(), AuthTokenEnabled: m.Password != "", ARN: c.arn(m.Resource()), ReplicationGroupCreateTime: at(m.CreatedAt),
		DataTiering: onOff(false), AutoMinorVersionUpgrade: !attributes.NoMinorUpgrades, NetworkType: attributes.NetworkType, IpDiscovery: attributes.IPDiscovery,
		ClusterEnabled: m.Sharded(), ClusterMode: onOff(m.Sharded()), TransitEncryptionEnabled: m.Encrypted(), Engine: m.Engine, SnapshotWindow: m.SnapshotWindow.String(),
	}
	if m.Attached() {
		g.AutomaticFailover = onOff(m.FailsOver())
	}
	if primaries := m.Primaries(); m.Sharded() && len(primaries) > 0 {
		g.ConfigurationEndpoint = &endpoint{primaries[0].Host, primaries[0].Port}
	}
	if m.Password != "" {
		g.AuthTokenLastModifiedDate = at(m.CreatedAt)
	}
	if m.RetentionLimit > 0 {
		g.SnapshottingClusterId = m.SnapshottingNode()
	}
	for _, n := range m.Nodes {
		g.MemberClusters.ClusterId = append(g.MemberClusters.ClusterId, n.Name)
	}
	if m.Status != models.ClusterCreating { // until then a port may still change
		for _, shard := range shardsOf(m) {
			g.NodeGroups.NodeGroup = append(g.NodeGroups.NodeGroup, presentShard(c, m, shard))
		}
	}
	return g
}

// shardsOf are the shards of a cluster; one without any node is shown with an empty one.
func shardsOf(m models.Cluster) []models.Shard {
	if shards := m.Shards(); len(shards) > 0 {
		return shards
	}
	return []models.Shard{{Number: 1}}
}

func presentShard(c *call, m models.Cluster, shard models.Shard) nodeGroup {
	group := nodeGroup{NodeGroupId: shard.ID(), Status: groupStatus(m), Slots: shard.Slots}
	if m.Status == models.ClusterUnreachable {
		group.Status = string(m.Status)
	}
	for _, n := range shard.Nodes {
		member := nodeGroupMember{CacheClusterId: n.Name, CacheNodeId: nodeID, PreferredAvailabilityZone: c.zone(n.Zone), CurrentRole: string(n.Role),
			ReadEndpoint: &endpoint{n.Host, n.Port}}
		if n.Role == models.RolePrimary {
			group.PrimaryEndpoint = member.ReadEndpoint
		}
		if group.ReaderEndpoint == nil || n.Role == models.RoleReplica && n.State == "available" && group.ReaderEndpoint == group.PrimaryEndpoint {
			group.ReaderEndpoint = member.ReadEndpoint
		}
		group.NodeGroupMembers.NodeGroupMember = append(group.NodeGroupMembers.NodeGroupMember, member)
	}
	if m.Sharded() { // clients begin at the configuration endpoint, and ask there for the others
		group.PrimaryEndpoint, group.ReaderEndpoint = nil, nil
	}
	return group
}

type (
	describeGroups struct {
		Marker            string `xml:",omitempty"`
		ReplicationGroups struct{ ReplicationGroup []replicationGroup }
	}
	oneGroup struct{ ReplicationGroup replicationGroup }
)

// groupActions are about replication groups.
type groupActions struct {
	db      *catalog.DB
	changes clusterChanges
}

func (a groupActions) describe(ctx context.Context, c *call) (any, error) {
	var found []models.Cluster
	if id := c.id("ReplicationGroupId"); id != "" {
		group, err := a.db.Clusters.Group(ctx, id)
		if err != nil {
			return nil, err
		}
		found = []models.Cluster{group}
	} else {
		all, err := a.db.Clusters.All(ctx)
		if err != nil {
			return nil, err
		}
		found = slices.DeleteFunc(all, func(m models.Cluster) bool { return !m.Grouped })
	}
	found, next, err := page(c, found, func(m models.Cluster) string { return m.Name })
	if err != nil {
		return nil, err
	}
	result := describeGroups{Marker: next}
	for _, m := range found {
		result.ReplicationGroups.ReplicationGroup = append(result.ReplicationGroups.ReplicationGroup, presentGroup(c, m))
	}
	return result, nil
}

// show answers to what was done to a group. One that is gone by now is being deleted still, as far as the client is told.
func (a groupActions) show(ctx context.Context, c *call) (any, error) {
	id := c.id("ReplicationGroupId")
	group, err := a.db.Clusters.Group(ctx, id)
	if models.HasCode(err, models.CodeClusterNotFound) && c.action == "DeleteReplicationGroup" {
		group = models.Cluster{Name: id, Configuration: models.Configuration{Grouped: true}, Status: models.ClusterDeleting}
	} else if err != nil {
		return nil, err
	}
	return oneGroup{presentGroup(c, group)}, nil
}

func (a groupActions) create(ctx context.Context, c *call) error {
	spec, err := a.changes.createSpec(ctx, c)
	if err != nil {
		return err
	}
	spec.Name, spec.Description = c.requiredID("ReplicationGroupId"), c.required("ReplicationGroupDescription")
	replicas := c.replicas()
	spec.Replicas = replicas
	spec.Attributes.AutomaticFailover, _ = c.flag("AutomaticFailoverEnabled")
	spec.Attributes.MultiAZ, _ = c.flag("MultiAZEnabled")
	if spec.Attributes.Zones = c.list("PreferredCacheClusterAZs"); len(spec.Attributes.Zones) == 0 {
		spec.Attributes.Zones = c.shardZones()
	}
	if n := len(spec.Attributes.Zones); n > 0 && n != replicas+1 {
		c.mistake(models.CodeCombination, "PreferredCacheClusterAZs names %d zones for %d nodes. Name one for each node.", n, replicas+1)
	}
	if spec.Engine.Name == models.EngineMemcached {
		c.mistake(models.CodeInvalid, "A replication group is of redis or valkey; memcached nodes do not replicate.")
	}
	for _, name := range []string{"GlobalReplicationGroupId", "PrimaryClusterId", "ServerlessCacheSnapshotName"} {
		c.notOffered(name)
	}
	return a.changes.create(ctx, c, spec)
}

// shardZones reads the zones of the one shard's configuration: the primary's, then the replicas'.
func (c *call) shardZones() []string {
	configured := c.structs("NodeGroupConfiguration")
	if len(configured) != 1 {
		return nil
	}
	primary, replicas := configured[0].text("PrimaryAvailabilityZone"), configured[0].list("ReplicaAvailabilityZones")
	if primary == "" {
		return nil
	}
	return append([]string{primary}, replicas...)
}

// replicas reads in which of its ways a request says how many replicas there are to be.
func (c *call) replicas() int {
	nodes, givenNodes := c.number("NumCacheClusters")
	shards, givenShards := c.number("NumNodeGroups")
	perShard, givenPerShard := c.number("ReplicasPerNodeGroup")
	configured := c.structs("NodeGroupConfiguration")
	if givenShards && shards != 1 || len(configured) > 1 {
		c.mistake(models.CodeCombination, "Cluster mode is not offered: a replication group has one node group here, NumNodeGroups can only be 1.")
	}
	if len(configured) == 1 {
		if count, given := configured[0].number("ReplicaCount"); given {
			perShard, givenPerShard = count, true
		}
		c.faults = append(c.faults, configured[0].faults...)
	}
	switch {
	case givenNodes && givenPerShard && nodes != perShard+1:
		c.mistake(models.CodeCombination, "NumCacheClusters %d and ReplicasPerNodeGroup %d contradict each other.", nodes, perShard)
	case givenPerShard:
		return perShard
	case givenNodes:
		if nodes < 1 || nodes > models.MaxReplicas+1 {
			c.mistake(models.CodeInvalid, "NumCacheClusters must be between 1 and %d, not %d.", models.MaxReplicas+1, nodes)
		}
		return nodes - 1
	}
	return 0
}

func (a groupActions) modify(ctx context.Context, c *call) error {
	group, err := a.db.Clusters.Group(ctx, c.requiredID("ReplicationGroupId"))
	if wrong := c.wrong(); wrong != nil {
		return wrong
	} else if err != nil {
		return err
	}
	spec := a.changes.modifySpec(c, group)
	if group.Attached() {
		c.asItIs(group, "AutomaticFailoverEnabled", group.FailsOver())
		c.asItIs(group, "MultiAZEnabled", false)
	}
	if text := c.text("ReplicationGroupDescription"); text != "" {
		spec.Description = &text
	}
	node := c.id("SnapshottingClusterId")
	failover, givenFailover := c.flag("AutomaticFailoverEnabled")
	zones, givenZones := c.flag("MultiAZEnabled")
	c.changeAttributes(&spec, func(is *models.Attributes) {
		if node != "" {
			is.SnapshottingNode = node
		}
		if givenFailover && !group.Attached() {
			is.AutomaticFailover = failover
		}
		if givenZones && !group.Attached() {
			is.MultiAZ = zones
		}
	})
	if c.id("PrimaryClusterId") != "" {
		return a.chooseReplica(ctx, c, group, spec)
	}
	return a.changes.modify(ctx, c, group, spec)
}

// chooseReplica is the old way of a failover: ModifyReplicationGroup with another primary.
func (a groupActions) chooseReplica(ctx context.Context, c *call, group models.Cluster, spec models.ModifySpec) error {
	id := c.id("PrimaryClusterId")
	i := slices.IndexFunc(group.Nodes, func(n models.Node) bool { return n.Name == id })
	switch {
	case i < 0:
		c.mistake(models.CodeNodeNotFound, "The replication group %s has no member %.80s.", group.Name, id)
	case group.Nodes[i].Role == models.RolePrimary:
		return a.changes.modify(ctx, c, group, spec) // as it is
	case group.Attached():
		c.notOurs(group)
	default:
		c.mistake(models.CodeCombination, "A primary cannot be chosen here. TestFailover hands the role to the replica that is furthest.")
	}
	return c.wrong()
}

func (a groupActions) delete(ctx context.Context, c *call) error {
	id, final := c.requiredID("ReplicationGroupId"), c.text("FinalSnapshotIdentifier")
	if retain, _ := c.flag("RetainPrimaryCluster"); retain {
		c.mistake(models.CodeCombination, "RetainPrimaryCluster is not offered. Remove the replicas with DecreaseReplicaCount to keep the primary alone.")
	}
	if err := c.wrong(); err != nil {
		return err
	}
	group, err := a.db.Clusters.Group(ctx, id)
	if err != nil {
		return err
	}
	return a.db.Clusters.Delete(ctx, id, models.DeleteSpec{FinalSnapshot: final, KeepAutomatic: group.Attached(), RequestedBy: c.key.KeyID})
}

func (a groupActions) increaseReplicaCount(ctx context.Context, c *call) error {
	return a.setReplicaCount(ctx, c, func(has, wants int) string {
		if wants <= has {
			return fmt.Sprintf("The replication group has %s already; NewReplicaCount must be larger.", words.Plural(has, "replica"))
		}
		return ""
	})
}

func (a groupActions) decreaseReplicaCount(ctx context.Context, c *call) error {
	return a.setReplicaCount(ctx, c, func(has, wants int) string {
		if wants >= has {
			return fmt.Sprintf("The replication group has %s; NewReplicaCount must be smaller.", words.Plural(has, "replica"))
		}
		return ""
	})
}

func (a groupActions) setReplicaCount(ctx context.Context, c *call, refusal func(has, wants int) string) error {
	id := c.requiredID("ReplicationGroupId")
	c.flag("ApplyImmediately")
	wants, given := c.number("NewReplicaCount")
	remove := c.list("ReplicasToRemove")
	var zones, shards []string
	for _, shard := range c.structs("ReplicaConfiguration") {
		zones = append(zones, shard.list("PreferredAvailabilityZones")...)
		if n, ok := shard.number("NewReplicaCount"); ok {
			wants, given = n, true
		}
		shards = append(shards, shard.text("NodeGroupId"))
	}
	if !given && len(remove) == 0 {
		c.mistake(codeMissing, "The request must contain the parameter NewReplicaCount.")
	}
	if err := c.wrong(); err != nil {
		return err
	}
	group, err := a.db.Clusters.Group(ctx, id)
	if err != nil {
		return err
	}
	if group.Attached() {
		c.notOurs(group)
		return c.wrong()
	}
	for _, shard := range shards {
		if only := shardsOf(group)[0].ID(); shard != only {
			c.mistake(models.CodeInvalid, "There is no node group %.40q; the only one is %s.", shard, only)
		}
	}
	if err := c.wrong(); err != nil {
		return err
	}
	spec := models.ModifySpec{Remove: remove, RequestedBy: c.key.KeyID}
	if present := len(group.Nodes); len(zones) > present { // they are named for all nodes, those that are there first
		spec.Zones = zones[present:]
	}
	if given {
		if text := refusal(group.Replicas, wants); text != "" {
			return models.Faults{{Code: models.CodeNoChange, Message: text}}
		}
		spec.Replicas = &wants
	}
	_, err = a.db.Changes.Modify(ctx, id, spec)
	return err
}

func (a groupActions) testFailover(ctx context.Context, c *call) error {
	id, shard := c.requiredID("ReplicationGroupId"), c.required("NodeGroupId")
	if err := c.wrong(); err != nil {
		return err
	}
	cluster, err := a.db.Clusters.Group(ctx, id)
	if err != nil {
		return err
	}
	var known []string
	for _, s := range shardsOf(cluster) {
		if s.ID() == shard {
			return a.db.Changes.FailOver(ctx, id, s.Number, c.key.KeyID)
		}
		known = append(known, s.ID())
	}
	return fault{404, "NodeGroupNotFoundFault", fmt.Sprintf("The replication group %s has no node group %.40q, but %s.", id, shard, strings.Join(known, ", "))}
}
