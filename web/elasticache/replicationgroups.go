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
		TransitEncryptionMode      string `xml:",omitempty"`
		AtRestEncryptionEnabled    bool
		ARN                        string
		ReplicationGroupCreateTime *stamp
		DataTiering                string
		AutoMinorVersionUpgrade    bool
		NetworkType                string
		IpDiscovery                string
		ClusterMode                string
		Engine                     string
		UserGroupIds               members
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

// nodeID is the id of a member's only node.
const nodeID = "0001"

// groupStatus returns the status of a replication group in ElastiCache's words. To ElastiCache, a group whose primary does not answer is
// available. Its node group says unreachable, which is Rekindle's own word.
func groupStatus(c models.Cluster) string {
	if c.Migrating() && c.Status == models.ClusterModifying { // a run is beginning or ending the migration
		return string(models.ClusterMigrating)
	}
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

// zone returns the availability zone that was asked for, or else the first of the region.
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
		CacheNodeType: m.ShownNodeType(), AuthTokenEnabled: m.AuthEnabled(), ARN: c.arn(m.Resource()), ReplicationGroupCreateTime: at(m.CreatedAt),
		DataTiering: onOff(false), AutoMinorVersionUpgrade: !attributes.NoMinorUpgrades, NetworkType: attributes.NetworkType, IpDiscovery: attributes.IPDiscovery,
		ClusterEnabled: m.Sharded(), ClusterMode: onOff(m.Sharded()), TransitEncryptionEnabled: m.Encrypted(), TransitEncryptionMode: transitMode(m), AtRestEncryptionEnabled: attributes.AtRest, Engine: m.Engine, SnapshotWindow: m.SnapshotWindow.String(),
	}
	if m.Attached() {
		g.AutomaticFailover = onOff(m.FailsOver())
	}
	if primaries := m.Primaries(); m.Sharded() && len(primaries) > 0 && m.Status != models.ClusterCreating {
		g.ConfigurationEndpoint = endpointOf(primaries[0])
	}
	if m.UserGroup != "" {
		g.UserGroupIds.Members = []string{m.UserGroup}
	}
	if m.AuthEnabled() {
		g.AuthTokenLastModifiedDate = at(m.PasswordSince())
	}
	if m.RetentionLimit > 0 {
		g.SnapshottingClusterId = m.SnapshottingNode()
	}
	for _, n := range m.Nodes {
		g.MemberClusters.ClusterId = append(g.MemberClusters.ClusterId, n.Name)
	}
	if m.Status != models.ClusterCreating { // while it is being created, a port may still change
		for _, shard := range shardsOf(m) {
			g.NodeGroups.NodeGroup = append(g.NodeGroups.NodeGroup, presentShard(c, m, shard))
		}
	}
	return g
}

// endpointOf is where applications connect to a node.
func endpointOf(n models.Node) *endpoint {
	return &endpoint{n.Endpoint().Host, n.Port}
}

// shardsOf returns the shards of a cluster, or an empty one if it has no nodes.
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
			ReadEndpoint: endpointOf(n)}
		if n.Role == models.RolePrimary {
			group.PrimaryEndpoint = member.ReadEndpoint
		}
		if group.ReaderEndpoint == nil || n.Role == models.RoleReplica && n.State == "available" && group.ReaderEndpoint == group.PrimaryEndpoint {
			group.ReaderEndpoint = member.ReadEndpoint
		}
		group.NodeGroupMembers.NodeGroupMember = append(group.NodeGroupMembers.NodeGroupMember, member)
	}
	if m.Sharded() { // clients start at the configuration endpoint, and ask there for the other nodes
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

// groupActions are the actions on replication groups.
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

// show answers an action on a group. A group whose deletion has already finished is shown as deleting.
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
	spec, restored, err := a.changes.createSpec(ctx, c)
	if err != nil {
		return err
	}
	spec.Name, spec.Description = c.requiredID("ReplicationGroupId"), c.required("ReplicationGroupDescription")
	c.readShape(&spec, restored)
	c.replicasLike(&spec, restored)
	spec.Attributes.AutomaticFailover, _ = c.flag("AutomaticFailoverEnabled")
	spec.Attributes.MultiAZ, _ = c.flag("MultiAZEnabled")
	if zones := c.list("PreferredCacheClusterAZs"); len(zones) > 0 {
		spec.Attributes.Zones = zones
	}
	if n := len(spec.Attributes.Zones); n > 0 && n != spec.Nodes() {
		c.mistake(models.CodeCombination, "There are %d zones for %d nodes. Name one for each node.", n, spec.Nodes())
	}
	if spec.Engine.Name == models.EngineMemcached {
		c.mistake(models.CodeInvalid, "A replication group runs redis or valkey; memcached nodes do not replicate.")
	}
	for _, name := range []string{"GlobalReplicationGroupId", "PrimaryClusterId", "ServerlessCacheSnapshotName"} {
		c.notOffered(name)
	}
	return a.changes.create(ctx, c, spec)
}

func (a groupActions) modify(ctx context.Context, c *call) error {
	group, err := a.db.Clusters.Group(ctx, c.requiredID("ReplicationGroupId"))
	if wrong := c.wrong(); wrong != nil {
		return wrong
	} else if err != nil {
		return err
	}
	spec, err := a.changes.modifySpec(ctx, c, group)
	if err != nil {
		return err
	}
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

// chooseReplica handles the old way to fail over: ModifyReplicationGroup with another primary.
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
		c.mistake(models.CodeCombination, "A primary cannot be chosen here. TestFailover hands the role to the most up-to-date replica.")
	}
	return c.wrong()
}

func (a groupActions) delete(ctx context.Context, c *call) error {
	id, final := c.requiredID("ReplicationGroupId"), c.text("FinalSnapshotIdentifier")
	if retain, _ := c.flag("RetainPrimaryCluster"); retain {
		c.mistake(models.CodeCombination, "RetainPrimaryCluster is not offered. Remove the replicas with DecreaseReplicaCount to keep only the primary.")
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
			return fmt.Sprintf("The replication group already has %s; NewReplicaCount must be larger.", words.Plural(has, "replica"))
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
			if given && n != wants {
				c.mistake(models.CodeCombination, "All node groups have the same number of replicas here, not %d and %d.", wants, n)
			}
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
	c.allShards(group, shards)
	if err := c.wrong(); err != nil {
		return err
	}
	spec := models.ModifySpec{Remove: remove, RequestedBy: c.key.KeyID}
	if present := len(group.Nodes); len(zones) > present { // there is one for each node, and the existing nodes come first
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

// allShards refuses a change of only some node groups.
func (c *call) allShards(group models.Cluster, named []string) {
	var known []string
	for _, s := range shardsOf(group) {
		known = append(known, s.ID())
	}
	for _, shard := range named {
		if !slices.Contains(known, shard) {
			c.mistake(models.CodeInvalid, "The replication group %s has no node group %.40q. It has %s.", group.Name, shard, strings.Join(known, ", "))
		}
	}
	if len(named) > 0 && len(named) < len(known) {
		c.mistake(models.CodeCombination, "All node groups of %s have the same number of replicas: name each of %s, or none.", group.Name, strings.Join(known, ", "))
	}
}

// reshard refuses to change the number of node groups, and says what to do instead.
func (a groupActions) reshard(ctx context.Context, c *call) error {
	id := c.requiredID("ReplicationGroupId")
	shards, _ := c.number("NodeGroupCount")
	if err := c.wrong(); err != nil {
		return err
	}
	group, err := a.db.Clusters.Group(ctx, id)
	switch {
	case err != nil:
		return err
	case group.Attached():
		c.notOurs(group)
		return c.wrong()
	case !group.ClusterMode:
		return models.Refuse(models.CodeCombination, "", fmt.Sprintf("The replication group %s is not in cluster mode. Restore a snapshot of it into a new one that is.", id))
	case shards == group.ShardCount:
		return models.Faults{{Code: models.CodeNoChange, Message: fmt.Sprintf("The replication group %s already has %s.", id, words.Plural(int64(shards), "node group"))}}
	}
	return models.Refuse(models.CodeCombination, "", fmt.Sprintf("The number of node groups of an existing cluster cannot be changed here. Restore its snapshot into another number of node groups: "+
		"aws elasticache create-replication-group --replication-group-id NEW --replication-group-description ... --snapshot-name SNAPSHOT --num-node-groups %d", max(1, shards)))
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
	return fault{404, "NodeGroupNotFoundFault", fmt.Sprintf("The replication group %s has no node group %.40q. It has %s.", id, shard, strings.Join(known, ", "))}
}
