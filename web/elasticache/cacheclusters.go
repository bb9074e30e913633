package elasticache

import (
	"context"
	"fmt"
	"slices"
	"strconv"

	"rekindle/internal/words"
	"rekindle/models"
	"rekindle/models/catalog"
)

type (
	cacheCluster struct {
		CacheClusterId                     string // the wire's names
		ConfigurationEndpoint              *endpoint
		ClientDownloadLandingPage          string
		CacheNodeType                      string
		Engine                             string
		EngineVersion                      string
		CacheClusterStatus                 string
		NumCacheNodes                      int
		PreferredAvailabilityZone          string
		CacheClusterCreateTime             *stamp
		PreferredMaintenanceWindow         string
		PendingModifiedValues              struct{}
		NotificationConfiguration          *notification
		CacheSecurityGroups                struct{}
		CacheParameterGroup                parameterGroupStatus
		CacheSubnetGroupName               string
		CacheNodes                         *cacheNodes
		AutoMinorVersionUpgrade            bool
		SecurityGroups                     securityGroups
		ReplicationGroupId                 string `xml:",omitempty"`
		SnapshotRetentionLimit             int
		SnapshotWindow                     string `xml:",omitempty"`
		AuthTokenEnabled                   bool
		AuthTokenLastModifiedDate          *stamp
		TransitEncryptionEnabled           bool
		TransitEncryptionMode              string `xml:",omitempty"`
		AtRestEncryptionEnabled            bool
		ARN                                string
		ReplicationGroupLogDeliveryEnabled bool
		NetworkType                        string
		IpDiscovery                        string
	}
	notification         struct{ TopicArn, TopicStatus string }
	parameterGroupStatus struct {
		CacheParameterGroupName string
		ParameterApplyStatus    string
		CacheNodeIdsToReboot    struct{ CacheNodeId []string }
	}
	securityGroups struct {
		Members []securityGroup `xml:"member"`
	}
	securityGroup struct{ SecurityGroupId, Status string }
	cacheNodes    struct{ CacheNode []cacheNode }
	cacheNode     struct {
		CacheNodeId              string
		CacheNodeStatus          string
		CacheNodeCreateTime      *stamp
		Endpoint                 *endpoint
		ParameterGroupStatus     string
		CustomerAvailabilityZone string
	}
)

// clientPage is the address that ElastiCache's own answers name for clients of its engines.
const clientPage = "https://console.aws.amazon.com/elasticache/home#client-download:"

// clusterStatus returns the status of a cache cluster in ElastiCache's words; "create-failed" is Rekindle's own.
func clusterStatus(c models.Cluster) string {
	switch c.Status {
	case models.ClusterUnreachable:
		return string(models.ClusterAvailable)
	case models.ClusterMigrating: // which ElastiCache has for replication groups only
		return string(models.ClusterModifying)
	}
	return string(c.Status)
}

// nodeStatus returns the status of one node: one that is added or removed while the others stay has its own.
func nodeStatus(c models.Cluster, n models.Node) string {
	switch {
	case c.Status == models.ClusterModifying && n.State == models.NodeDeleting:
		return string(models.ClusterDeleting)
	case c.Status == models.ClusterModifying && n.SeenAt == nil:
		return string(models.ClusterCreating)
	}
	return clusterStatus(c)
}

func numbered(n int) string { return fmt.Sprintf("%04d", n) }

// parameterStatus says whether the nodes have the parameters of their group.
func parameterStatus(m models.Cluster) string {
	switch {
	case m.ParametersApplied >= m.ParametersWanted:
		return "in-sync"
	case m.Cached():
		return "pending-reboot"
	}
	return "applying"
}

// parameterGroupOf returns the cluster's parameter group; an attached cluster has none, so the default one is shown.
func parameterGroupOf(m models.Cluster) string {
	if m.ParameterGroup == "" {
		return models.DefaultParameterGroup(m.ShownEngine(), m.ClusterMode && !m.Attached())
	}
	return m.ParameterGroup
}

// presentCluster shows a cache cluster, or one node of a replication group as its member.
func presentCluster(c *call, m models.Cluster, member *models.Node) cacheCluster {
	attributes := m.Described()
	v := cacheCluster{
		CacheClusterId: m.Name, ClientDownloadLandingPage: clientPage, CacheNodeType: m.ShownNodeType(), Engine: m.Engine, EngineVersion: m.ShownVersion(),
		CacheClusterStatus: clusterStatus(m), NumCacheNodes: len(m.Nodes), CacheClusterCreateTime: at(m.CreatedAt),
		PreferredMaintenanceWindow: attributes.MaintenanceWindow, CacheParameterGroup: parameterGroupStatus{CacheParameterGroupName: parameterGroupOf(m), ParameterApplyStatus: parameterStatus(m)},
		CacheSubnetGroupName: attributes.SubnetGroup, AutoMinorVersionUpgrade: !attributes.NoMinorUpgrades,
		SnapshotRetentionLimit: m.RetentionLimit, SnapshotWindow: m.SnapshotWindow.String(), AuthTokenEnabled: m.AuthEnabled(), TransitEncryptionEnabled: m.Encrypted(), TransitEncryptionMode: transitMode(m), AtRestEncryptionEnabled: attributes.AtRest,
		ARN: c.arn(models.ResourceCluster + ":" + m.Name), NetworkType: attributes.NetworkType, IpDiscovery: attributes.IPDiscovery,
	}
	nodes := m.Nodes
	switch {
	case member != nil:
		i := slices.IndexFunc(m.Nodes, func(n models.Node) bool { return n.Name == member.Name })
		nodes = m.Nodes[i : i+1]
		v.CacheClusterId, v.ReplicationGroupId, v.NumCacheNodes = member.Name, m.Name, 1
		v.ARN, v.PreferredAvailabilityZone, v.CacheClusterCreateTime = c.arn(models.ResourceCluster+":"+member.Name), c.zone(member.Zone), at(member.CreatedAt)
		v.CacheClusterStatus = nodeStatus(m, *member)
		if member.Name != m.SnapshottingNode() {
			v.SnapshotRetentionLimit = 0 // ElastiCache shows it only for the member that serves the snapshots
		}
	case len(m.Nodes) > 1 && attributes.CrossZone:
		v.PreferredAvailabilityZone = "Multiple"
	default:
		v.PreferredAvailabilityZone = c.zone("")
		if len(m.Nodes) > 0 {
			v.PreferredAvailabilityZone = c.zone(m.Nodes[0].Zone)
		}
	}
	if m.AuthEnabled() {
		v.AuthTokenLastModifiedDate = at(m.PasswordSince())
	}
	if attributes.Topic != "" {
		status := "active"
		if attributes.TopicOff {
			status = "inactive"
		}
		v.NotificationConfiguration = &notification{attributes.Topic, status}
	}
	for _, id := range attributes.SecurityGroups {
		v.SecurityGroups.Members = append(v.SecurityGroups.Members, securityGroup{id, "active"})
	}
	if m.Cached() && m.Status != models.ClusterCreating && len(m.Nodes) > 0 {
		v.ConfigurationEndpoint = endpointOf(m.Nodes[0])
	}
	if parameterStatus(m) == "pending-reboot" {
		for i := range nodes {
			v.CacheParameterGroup.CacheNodeIdsToReboot.CacheNodeId = append(v.CacheParameterGroup.CacheNodeIdsToReboot.CacheNodeId, numbered(i+1))
		}
	}
	if show, _ := c.flag("ShowCacheNodeInfo"); show {
		v.CacheNodes = presentNodes(c, m, nodes)
	}
	return v
}

func presentNodes(c *call, m models.Cluster, nodes []models.Node) *cacheNodes {
	shown := &cacheNodes{}
	for i, n := range nodes {
		node := cacheNode{CacheNodeId: numbered(i + 1), CacheNodeStatus: nodeStatus(m, n), CacheNodeCreateTime: at(n.CreatedAt), ParameterGroupStatus: parameterStatus(m),
			CustomerAvailabilityZone: c.zone(n.Zone)}
		if m.Status != models.ClusterCreating {
			node.Endpoint = endpointOf(n)
		}
		shown.CacheNode = append(shown.CacheNode, node)
	}
	return shown
}

type (
	describeClusters struct {
		Marker        string `xml:",omitempty"`
		CacheClusters struct{ CacheCluster []cacheCluster }
	}
	oneCluster struct{ CacheCluster cacheCluster }
)

// found is a cache cluster, or a node that is a member of a replication group.
type found struct {
	cluster models.Cluster
	member  *models.Node
}

func (f found) name() string {
	if f.member != nil {
		return f.member.Name
	}
	return f.cluster.Name
}

// cacheActions handles the actions on cache clusters: standalone ones, and the nodes of replication groups.
type cacheActions struct {
	db      *catalog.DB
	changes clusterChanges
}

func (a cacheActions) describe(ctx context.Context, c *call) (any, error) {
	var all []found
	if id := c.id("CacheClusterId"); id != "" {
		cluster, member, err := a.db.Clusters.Cache(ctx, id)
		if err != nil {
			return nil, aboutCluster(err)
		}
		all = []found{{cluster, member}}
	} else {
		clusters, err := a.db.Clusters.All(ctx)
		if err != nil {
			return nil, err
		}
		alone, _ := c.flag("ShowCacheClustersNotInReplicationGroups")
		for _, m := range clusters {
			if !m.Grouped {
				all = append(all, found{m, nil})
				continue
			}
			for i := range m.Nodes {
				if !alone {
					all = append(all, found{m, &m.Nodes[i]})
				}
			}
		}
	}
	shown, next, err := page(c, all, found.name)
	if err != nil {
		return nil, err
	}
	result := describeClusters{Marker: next}
	for _, f := range shown {
		result.CacheClusters.CacheCluster = append(result.CacheClusters.CacheCluster, presentCluster(c, f.cluster, f.member))
	}
	return result, nil
}

// show answers an action on a cache cluster. Clients are told that one that is already gone is still being deleted.
func (a cacheActions) show(ctx context.Context, c *call) (any, error) {
	id := c.id("CacheClusterId")
	cluster, member, err := a.db.Clusters.Cache(ctx, id)
	deleted := c.action == "DeleteCacheCluster"
	if models.HasCode(err, models.CodeClusterNotFound) && deleted {
		cluster, member = models.Cluster{Name: id, Status: models.ClusterDeleting}, nil
	} else if err != nil {
		return nil, aboutCluster(err)
	}
	shown := presentCluster(c, cluster, member)
	if deleted {
		shown.CacheClusterStatus = string(models.ClusterDeleting) // also a replica that is removed while its group stays
	}
	return oneCluster{shown}, nil
}

func (a cacheActions) create(ctx context.Context, c *call) error {
	if group := c.id("ReplicationGroupId"); group != "" {
		return a.addMember(ctx, c, group)
	}
	spec, _, err := a.changes.createSpec(ctx, c)
	if err != nil {
		return err
	}
	spec.Name, spec.CacheCluster = c.requiredID("CacheClusterId"), true
	if n, given := c.number("NumCacheNodes"); given {
		if spec.CacheNodes = n; n < 1 {
			c.mistake(models.CodeInvalid, "NumCacheNodes must be at least 1, not %d.", n)
		}
	}
	if zones := c.list("PreferredAvailabilityZones"); len(zones) > 0 {
		if spec.Attributes.Zones = zones; len(zones) != max(spec.CacheNodes, 1) {
			c.mistake(models.CodeCombination, "PreferredAvailabilityZones names %d zones for %d nodes. Name one for each node.", len(zones), max(spec.CacheNodes, 1))
		}
	}
	spec.Attributes.CrossZone = c.crossZone()
	return aboutCluster(a.changes.create(ctx, c, spec))
}

// crossZone reads AZMode and reports whether it is cross-az.
func (c *call) crossZone() bool {
	mode := c.text("AZMode")
	if mode != "" && mode != "single-az" && mode != "cross-az" {
		c.mistake(models.CodeInvalid, "AZMode must be single-az or cross-az, not %.40q.", mode)
	}
	return mode == "cross-az"
}

// addMember adds a replica to a replication group: in the API, a cache cluster that is created as its member.
func (a cacheActions) addMember(ctx context.Context, c *call, id string) error {
	spec := models.ModifySpec{Add: c.requiredID("CacheClusterId"), RequestedBy: c.key.KeyID}
	if zone := c.text("PreferredAvailabilityZone"); zone != "" {
		spec.Zones = []string{zone}
	}
	if n, given := c.number("NumCacheNodes"); given && n != 1 {
		c.mistake(models.CodeCombination, "A member of a replication group has one node, not %d.", n)
	}
	if err := c.wrong(); err != nil {
		return err
	}
	if _, err := a.db.Clusters.Group(ctx, id); err != nil {
		return err
	}
	_, err := a.db.Changes.Modify(ctx, id, spec)
	if models.HasCode(err, models.CodeClusterExists) {
		return aboutCluster(err)
	}
	return err
}

func (a cacheActions) modify(ctx context.Context, c *call) error {
	cluster, member, err := a.db.Clusters.Cache(ctx, c.requiredID("CacheClusterId"))
	if wrong := c.wrong(); wrong != nil {
		return wrong
	} else if err != nil {
		return aboutCluster(err)
	}
	spec, err := a.changes.modifySpec(ctx, c, cluster)
	if err != nil {
		return err
	}
	nodes := len(cluster.Nodes)
	if member != nil {
		nodes = 1
		if spec.NodeType != nil {
			c.mistake(models.CodeCombination, "%s is a member of the replication group %s: change the node type there, for all its nodes.", member.Name, cluster.Name)
		}
		if spec.Retention != nil && *spec.Retention > 0 {
			// As in ElastiCache, where a member's retention makes it the one that serves.
			c.changeAttributes(&spec, func(is *models.Attributes) { is.SnapshottingNode = member.Name })
		}
	}
	if n, given := c.number("NumCacheNodes"); given && n != nodes {
		c.mistake(models.CodeCombination, "The number of nodes of a cache cluster cannot be changed. %s has %s.", cluster.Name, words.Plural(nodes, "node"))
	}
	if mode := c.text("AZMode"); mode != "" {
		cross := c.crossZone()
		c.changeAttributes(&spec, func(is *models.Attributes) { is.CrossZone = cross })
	}
	c.notOffered("CacheNodeIdsToRemove")
	c.notOffered("NewAvailabilityZones")
	return aboutCluster(a.changes.modify(ctx, c, cluster, spec))
}

func (a cacheActions) delete(ctx context.Context, c *call) error {
	id, final := c.requiredID("CacheClusterId"), c.text("FinalSnapshotIdentifier")
	if err := c.wrong(); err != nil {
		return err
	}
	cluster, member, err := a.db.Clusters.Cache(ctx, id)
	if err != nil {
		return aboutCluster(err)
	}
	if member == nil {
		return aboutCluster(a.db.Clusters.Delete(ctx, cluster.Name, models.DeleteSpec{FinalSnapshot: final, RequestedBy: c.key.KeyID}))
	}
	if final != "" {
		return models.Faults{{Code: models.CodeCombination, Message: fmt.Sprintf(
			"%s is a member of the replication group %s. A final snapshot is taken when the group is deleted.", member.Name, cluster.Name)}}
	}
	_, err = a.db.Changes.Modify(ctx, cluster.Name, models.ModifySpec{Remove: []string{member.Name}, RequestedBy: c.key.KeyID})
	return aboutCluster(err)
}

func (a cacheActions) reboot(ctx context.Context, c *call) error {
	id, ids := c.requiredID("CacheClusterId"), c.list("CacheNodeIdsToReboot")
	if len(ids) == 0 {
		c.mistake(codeMissing, "The request must contain the parameter CacheNodeIdsToReboot.")
	}
	if err := c.wrong(); err != nil {
		return err
	}
	cluster, member, err := a.db.Clusters.Cache(ctx, id)
	if err != nil {
		return aboutCluster(err)
	}
	nodes := cluster.Nodes
	if member != nil {
		nodes = []models.Node{*member}
	}
	var names []string
	for _, id := range ids {
		n, err := strconv.Atoi(id)
		if err != nil || n < 1 || n > len(nodes) || id != numbered(n) {
			c.mistake(models.CodeInvalid, "The cache cluster has no node %.40q; its nodes are numbered from 0001 to %s.", id, numbered(len(nodes)))
			continue
		}
		names = append(names, nodes[n-1].Name)
	}
	if err := c.wrong(); err != nil {
		return err
	}
	return aboutCluster(a.db.Changes.Reboot(ctx, cluster.Name, names, c.key.KeyID))
}
