package elasticache

import (
	"context"
	"fmt"
	"time"

	"rekindle/models"
	"rekindle/models/catalog"
)

type (
	snapshot struct {
		SnapshotName                string
		ReplicationGroupId          string `xml:",omitempty"` // the wire's names
		ReplicationGroupDescription string `xml:",omitempty"`
		CacheClusterId              string `xml:",omitempty"`
		SnapshotStatus              string
		SnapshotSource              string
		CacheNodeType               string `xml:",omitempty"`
		Engine                      string `xml:",omitempty"`
		EngineVersion               string `xml:",omitempty"`
		NumCacheNodes               int    `xml:",omitempty"`
		PreferredAvailabilityZone   string
		PreferredMaintenanceWindow  string `xml:",omitempty"`
		TopicArn                    string `xml:",omitempty"`
		Port                        int    `xml:",omitempty"`
		CacheParameterGroupName     string `xml:",omitempty"`
		CacheSubnetGroupName        string `xml:",omitempty"`
		VpcId                       string
		AutoMinorVersionUpgrade     bool
		CacheClusterCreateTime      *stamp
		SnapshotRetentionLimit      int
		SnapshotWindow              string `xml:",omitempty"`
		NumNodeGroups               int    `xml:",omitempty"`
		AutomaticFailover           string `xml:",omitempty"`
		NodeSnapshots               nodeSnapshots
		ARN                         string
		DataTiering                 string
	}
	nodeSnapshots struct{ NodeSnapshot []nodeSnapshot }
	nodeSnapshot  struct {
		CacheClusterId         string `xml:",omitempty"`
		NodeGroupId            string `xml:",omitempty"`
		CacheNodeId            string
		NodeGroupConfiguration *nodeGroupConfiguration
		CacheSize              string
		CacheNodeCreateTime    *stamp
		SnapshotCreateTime     *stamp
	}
	nodeGroupConfiguration struct {
		NodeGroupId             string
		Slots                   string `xml:",omitempty"`
		ReplicaCount            int
		PrimaryAvailabilityZone string
	}
	describedSnapshots struct {
		Marker    string `xml:",omitempty"`
		Snapshots struct{ Snapshot []snapshot }
	}
	oneSnapshot struct{ Snapshot snapshot }
)

// ElastiCache's names for the sources of snapshots, in its answers and in the filter.
var (
	sourceNames   = map[string]string{models.SourceAutomatic: "automated", models.SourceManual: "manual"}
	sourceFilters = map[string]string{"system": models.SourceAutomatic, "automated": models.SourceAutomatic, "automatic": models.SourceAutomatic,
		"user": models.SourceManual, "manual": models.SourceManual}
)

func presentSnapshot(c *call, s models.Snapshot, configured bool) snapshot {
	v := snapshot{
		SnapshotName: s.Name, CacheClusterId: s.Node, SnapshotStatus: string(s.Status), SnapshotSource: sourceNames[s.Source], CacheNodeType: s.ShownNodeType(),
		Engine: s.Engine, EngineVersion: s.ShownVersion(), NumCacheNodes: 1, PreferredAvailabilityZone: c.zone(firstZone(s.Attributes)),
		PreferredMaintenanceWindow: s.Attributes.MaintenanceWindow, TopicArn: s.Attributes.Topic, Port: s.Port, CacheParameterGroupName: s.ParameterGroup,
		CacheSubnetGroupName: s.Attributes.SubnetGroup, VpcId: network, AutoMinorVersionUpgrade: !s.Attributes.NoMinorUpgrades, SnapshotRetentionLimit: s.RetentionLimit,
		SnapshotWindow: s.SnapshotWindow.String(), NumNodeGroups: s.ShardCount, ARN: c.arn(models.ResourceSnapshot + ":" + s.Name), DataTiering: onOff(false),
	}
	if s.Grouped {
		v.ReplicationGroupId, v.ReplicationGroupDescription, v.AutomaticFailover = s.ClusterName, s.Description, onOff(s.Attributes.AutomaticFailover)
	} else {
		v.CacheClusterId = s.ClusterName
	}
	if len(s.Parts) == 0 { // it is still being taken
		s.Parts = make([]models.Part, max(s.ShardCount, 1))
	}
	if s.NodeCreatedAt != nil {
		v.CacheClusterCreateTime = at(*s.NodeCreatedAt)
	}
	for i, part := range s.Parts {
		number := part.Number
		if number == 0 {
			number = i + 1
		}
		node := nodeSnapshot{CacheClusterId: v.CacheClusterId, NodeGroupId: numbered(number), CacheNodeId: nodeID, CacheSize: cacheSize(part.Bytes), CacheNodeCreateTime: v.CacheClusterCreateTime,
			SnapshotCreateTime: at(completed(s))}
		if len(s.Parts) > 1 {
			node.CacheClusterId = part.ServedBy // each node group has its own
		}
		if configured {
			slots := part.Slots
			if slots == "" && len(s.Parts) == 1 {
				slots = "0-16383"
			}
			node.NodeGroupConfiguration = &nodeGroupConfiguration{numbered(number), slots, s.Replicas, c.zone(firstZone(s.Attributes))}
		}
		v.NodeSnapshots.NodeSnapshot = append(v.NodeSnapshots.NodeSnapshot, node)
	}
	return v
}

// completed returns when the snapshot was completed; the zero time for one that is still being taken.
func completed(s models.Snapshot) time.Time {
	if s.CompletedAt != nil {
		return *s.CompletedAt
	}
	return time.Time{}
}

func firstZone(a models.Attributes) string {
	if len(a.Zones) > 0 {
		return a.Zones[0]
	}
	return ""
}

// cacheSize writes a size as ElastiCache does: "12 MB", rounded up.
func cacheSize(n int64) string {
	const mb = 1 << 20
	return fmt.Sprintf("%d MB", (n+mb-1)/mb)
}

// snapshotsShown is how many snapshots a page has by default.
const snapshotsShown = 50

// snapshotActions handles the actions on snapshots.
type snapshotActions struct {
	db   *catalog.DB
	jobs Jobs
}

func (a snapshotActions) describe(ctx context.Context, c *call) (any, error) {
	filter := models.SnapshotFilter{Name: c.id("SnapshotName"), Group: c.id("ReplicationGroupId"), Node: c.id("CacheClusterId")}
	if source := c.id("SnapshotSource"); source != "" {
		known := false
		if filter.Source, known = sourceFilters[source]; !known {
			c.mistake(models.CodeInvalid, "SnapshotSource must be system or user, not %.40q.", source)
		}
	}
	configured, _ := c.flag("ShowNodeGroupConfig")
	limit, after := c.limit(snapshotsShown), c.after()
	if err := c.wrong(); err != nil {
		return nil, err
	}
	rows, err := a.db.Snapshots.Page(ctx, filter, after, limit+1)
	if err != nil {
		return nil, err
	}
	if len(rows) == 0 && after == "" {
		if err := a.nothingBecause(ctx, filter); err != nil {
			return nil, err
		}
	}
	var result describedSnapshots
	if len(rows) > limit {
		rows = rows[:limit]
		result.Marker = marker(rows[limit-1].Name)
	}
	for _, row := range rows {
		result.Snapshots.Snapshot = append(result.Snapshots.Snapshot, presentSnapshot(c, row, configured))
	}
	return result, nil
}

// nothingBecause returns a refusal when a filter found no snapshots because what it names never existed. A cluster that is gone but has left
// snapshots is no such mistake.
func (a snapshotActions) nothingBecause(ctx context.Context, f models.SnapshotFilter) error {
	if f.Name != "" {
		return models.Faults{{Code: models.CodeSnapshotNotFound, Message: fmt.Sprintf("There is no snapshot %s.", f.Name)}}
	}
	if f.Group != "" {
		if _, err := a.db.Clusters.Group(ctx, f.Group); err != nil {
			return a.unlessLeft(ctx, models.SnapshotFilter{Group: f.Group}, err)
		}
	}
	if f.Node != "" {
		if _, _, err := a.db.Clusters.Cache(ctx, f.Node); err != nil {
			return a.unlessLeft(ctx, models.SnapshotFilter{Node: f.Node}, aboutCluster(err))
		}
	}
	return nil
}

// unlessLeft returns err, which says that there is no such cluster, unless one has left snapshots.
func (a snapshotActions) unlessLeft(ctx context.Context, f models.SnapshotFilter, err error) error {
	left, failure := a.db.Snapshots.Page(ctx, f, "", 1)
	if failure != nil {
		return failure
	} else if len(left) > 0 {
		return nil
	}
	return err
}

func (a snapshotActions) create(ctx context.Context, c *call) error {
	spec := models.SnapshotSpec{Name: c.requiredID("SnapshotName"), Tags: c.tags(), RequestedBy: c.key.KeyID}
	group, node := c.id("ReplicationGroupId"), c.id("CacheClusterId")
	if group == "" && node == "" {
		c.mistake(models.CodeCombination, "Name what is to be snapshotted by ReplicationGroupId or CacheClusterId.")
	}
	moment, recovering := c.instant("RecoverTo") // Rekindle's own: not as it is, but as it was then
	c.notOffered("KmsKeyId")
	if err := c.wrong(); err != nil {
		return err
	}
	if group != "" {
		if _, err := a.db.Clusters.Group(ctx, group); err != nil {
			return err
		}
		spec.Cluster = group
	}
	if node != "" {
		cluster, member, err := a.db.Clusters.Cache(ctx, node)
		if err != nil {
			return aboutCluster(err)
		}
		if group != "" && cluster.Name != group { // some clients always send both
			return models.Faults{{Code: models.CodeCombination, Message: fmt.Sprintf("The cache cluster %s is not a member of the replication group %s.", node, group)}}
		}
		spec.Cluster = cluster.Name
		if member != nil {
			spec.Node = member.Name
		}
	}
	var err error
	if recovering {
		_, err = a.db.Recoveries.Request(ctx, models.RecoverSpec{Cluster: spec.Cluster, Name: spec.Name, Moment: moment, Tags: spec.Tags, RequestedBy: spec.RequestedBy})
	} else {
		_, err = a.db.Snapshots.Take(ctx, spec)
	}
	if group == "" {
		err = aboutCluster(err)
	}
	return err
}

func (a snapshotActions) show(ctx context.Context, c *call) (any, error) {
	row, err := a.db.Snapshots.Get(ctx, c.id("SnapshotName"))
	if err != nil {
		return nil, err
	}
	return oneSnapshot{presentSnapshot(c, row, false)}, nil
}

func (a snapshotActions) copy(ctx context.Context, c *call) error {
	source, target, bucket := c.requiredID("SourceSnapshotName"), c.requiredID("TargetSnapshotName"), c.text("TargetBucket")
	tags := c.tags()
	c.notOffered("KmsKeyId")
	if bucket != "" && !bucketPattern.MatchString(bucket) {
		c.mistake(models.CodeInvalid, "TargetBucket must be the name of a bucket, 3 to 63 lower-case letters, digits, dots and hyphens, not %.80q.", bucket)
	}
	if err := c.wrong(); err != nil {
		return err
	}
	if bucket != "" {
		_, err := a.db.Copies.Export(ctx, models.ExportSpec{Snapshot: source, Name: target, Store: a.jobs.BucketURL(bucket, c.region), RequestedBy: c.key.KeyID})
		return err
	}
	_, err := a.db.Copies.Copy(ctx, models.CopySpec{Snapshot: source, Name: target, Tags: tags, RequestedBy: c.key.KeyID})
	return err
}

// showCopy answers with the copy or, for an export of plain files to a bucket, with the snapshot that they are made from.
func (a snapshotActions) showCopy(ctx context.Context, c *call) (any, error) {
	if c.text("TargetBucket") == "" {
		row, err := a.db.Snapshots.Get(ctx, c.id("TargetSnapshotName"))
		if err != nil {
			return nil, err
		}
		return oneSnapshot{presentSnapshot(c, row, false)}, nil
	}
	row, err := a.db.Snapshots.Get(ctx, c.id("SourceSnapshotName"))
	if err != nil {
		return nil, err
	}
	shown := presentSnapshot(c, row, false)
	shown.SnapshotName, shown.SnapshotStatus = c.id("TargetSnapshotName"), "exporting"
	return oneSnapshot{shown}, nil
}

func (a snapshotActions) delete(ctx context.Context, c *call) error {
	name := c.requiredID("SnapshotName")
	if err := c.wrong(); err != nil {
		return err
	}
	return a.db.Snapshots.Delete(ctx, []string{name}, c.key.KeyID)
}

// showDeleted answers with a snapshot that is being deleted, even if it is already gone.
func (a snapshotActions) showDeleted(ctx context.Context, c *call) (any, error) {
	name := c.id("SnapshotName")
	row, err := a.db.Snapshots.Get(ctx, name)
	if models.HasCode(err, models.CodeSnapshotNotFound) {
		row, err = models.Snapshot{Name: name, Source: models.SourceManual}, nil
	}
	if err != nil {
		return nil, err
	}
	shown := presentSnapshot(c, row, false)
	shown.SnapshotStatus = string(models.SnapshotDeleting)
	return oneSnapshot{shown}, nil
}
