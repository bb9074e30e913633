package elasticache

import (
	"cmp"
	"context"
	"fmt"
	"regexp"
	"strings"

	"rekindle/internal/secret"
	"rekindle/models"
	"rekindle/models/catalog"
)

// defaultPorts has ElastiCache's default ports of engines other than Redis and Valkey.
var defaultPorts = map[string]int{models.EngineMemcached: 11211}

const redisPort = 6379

// notOffered refuses a parameter whose promise Rekindle could not keep.
func (c *call) notOffered(name string) {
	if c.text(name) != "" || len(c.list(name)) > 0 || len(c.structs(name)) > 0 {
		c.mistake(models.CodeCombination, "The parameter %s is not offered here. docs/api.md says what is.", name)
	}
}

// notOfferedWhenTrue refuses a flag that is set to true. Absent or false, it promises nothing and is accepted.
func (c *call) notOfferedWhenTrue(name, why string) {
	if on, _ := c.flag(name); on {
		c.mistake(models.CodeCombination, "%s cannot be true here: %s", name, why)
	}
}

// noRest says why encryption at rest cannot be promised.
const noRest = "nobody has declared that the nodes' files are on encrypted storage. Put the console's data folder on such storage and start it with --data-encrypted " +
	"(REKINDLE_DATA_ENCRYPTED=true). Snapshots are encrypted by the store's settings."

// notOurs refuses a request that would change the nodes of an attached cluster.
func (c *call) notOurs(is models.Cluster) {
	c.mistake(models.CodeClusterState, "%s", is.NoChangeOfNodes())
}

// asItIs accepts a flag of an attached cluster that has the current value, and refuses a change.
func (c *call) asItIs(is models.Cluster, name string, on bool) {
	if wants, given := c.flag(name); given && wants != on {
		c.notOurs(is)
	}
}

// refuseUnkeepable refuses parameters that would be accepted in vain. For a new cluster, is has its zero value.
func (c *call) refuseUnkeepable(is models.Cluster) {
	c.notOfferedWhenTrue("DataTieringEnabled", "the nodes hold all data in memory.")
	for _, name := range []string{"KmsKeyId", "LogDeliveryConfigurations",
		"OutpostMode", "PreferredOutpostArn", "PreferredOutpostArns", "ScaleConfig"} {
		c.notOffered(name)
	}
	if mode := c.text("ClusterMode"); is.Attached() && mode != "" && mode != onOff(is.Sharded()) {
		c.notOurs(is)
	} else if is.ID != 0 && !is.Attached() && mode != "" && mode != onOff(is.Sharded()) {
		c.mistake(models.CodeCombination, "Cluster mode cannot be turned on or off later. Restore a snapshot of %s into a new cluster: that can be either.", is.Name)
	}
}

// clusterChanges has what replication groups and cache clusters share when they are created and modified.
type clusterChanges struct {
	db            *catalog.DB
	jobs          Jobs
	dataEncrypted bool
}

// createSpec reads the request for a new cluster, and the snapshot to restore into it, if there is one, or what stands for one.
func (a clusterChanges) createSpec(ctx context.Context, c *call) (models.ClusterSpec, models.Snapshot, error) {
	var snapshot models.Snapshot
	spec := models.ClusterSpec{NodeType: c.text("CacheNodeType"), ParameterGroup: c.id("CacheParameterGroupName"), Tags: c.tags(),
		Snapshot: c.text("SnapshotName"), Sources: a.sources(c), RequestedBy: c.key.KeyID, Auth: models.AuthNone}
	c.refuseUnkeepable(models.Cluster{})
	engine, version := c.id("Engine"), c.text("EngineVersion")
	if spec.Snapshot != "" {
		spec.Snapshot = strings.ToLower(spec.Snapshot)
		var err error
		snapshot, err = a.db.Snapshots.Get(ctx, spec.Snapshot)
		if faults, refused := models.AsFaults(err); refused {
			c.faults = append(c.faults, faults...)
		} else if err != nil {
			return spec, snapshot, err
		}
		if engine == "" {
			engine = snapshot.Engine
		}
		if spec.NodeType == "" {
			spec.NodeType = snapshot.ShownNodeType()
		}
	}
	if source, is, err := a.straight(ctx, c, &spec); err != nil {
		return spec, snapshot, err
	} else if is {
		snapshot = asSeed(source)
		if spec.NodeType == "" {
			spec.NodeType = snapshot.NodeType
		}
		if engine == "" {
			engine = snapshot.Engine
			if _, err := a.db.Engines.Find(ctx, engine, snapshot.EngineVersion); err == nil && version == "" {
				version = snapshot.EngineVersion // otherwise the newest one
			}
		}
	}
	if engine == "" {
		engine = "redis"
	}
	var err error
	spec.Engine, spec.Attributes.EngineVersion, err = a.db.Engines.Match(ctx, engine, version)
	if faults, refused := models.AsFaults(err); refused {
		c.faults = append(c.faults, faults...)
		spec.Engine.Name = engine
	} else if err != nil {
		return spec, snapshot, err
	}
	if spec.NodeType == "" {
		c.mistake(models.CodeInvalid, "The parameter CacheNodeType must be provided and must not be null.")
	}
	spec.Port, _ = c.number("Port")
	if spec.Port == 0 {
		if spec.Port = defaultPorts[engine]; spec.Port == 0 {
			spec.Port = redisPort
		}
	}
	if token := c.values.Get("AuthToken"); token != "" {
		spec.Auth, spec.Password = models.AuthGiven, secret.Text(token)
	}
	spec.UserGroup = c.userGroupOf()
	spec.Attributes.AtRest = c.atRest(a.dataEncrypted)
	spec.Encrypted = c.encrypted(snapshot.TransitEncryption && spec.Engine.Name != models.EngineMemcached)
	spec.Retention, _ = c.number("SnapshotRetentionLimit")
	spec.Window = c.window()
	spec.Attributes.SubnetGroup = c.id("CacheSubnetGroupName")
	c.readAttributes()(&spec.Attributes)
	if zone := c.text("PreferredAvailabilityZone"); zone != "" {
		spec.Attributes.Zones = []string{zone}
	}
	spec.Attributes.NetworkType, spec.Attributes.IPDiscovery = c.text("NetworkType"), c.text("IpDiscovery")
	return spec, snapshot, nil
}

// create creates the cluster, unless reading the request found mistakes.
func (a clusterChanges) create(ctx context.Context, c *call, spec models.ClusterSpec) error {
	if len(spec.Sources) > 1 && !spec.ClusterMode {
		c.mistake(models.CodeInvalid, "SnapshotArns must be a single-element list containing an Amazon Resource Name (ARN) that uniquely identifies "+
			"an RDB snapshot file stored in Amazon S3: the new cluster has one node group. In cluster mode it may be filled from several files.")
	}
	if err := c.wrong(); err != nil {
		return err
	}
	_, err := a.db.Clusters.Create(ctx, spec)
	if faults, refused := models.AsFaults(err); refused && c.text("Port") == "" {
		return noDefaultPort(faults, spec.Port)
	}
	return err
}

// noDefaultPort says why a cluster without a port was refused. It does not get another port instead: Terraform would see a port other than
// ElastiCache's, and destroy and recreate the cluster at every run.
func noDefaultPort(faults models.Faults, port int) models.Faults {
	for i, f := range faults {
		if f.Field == "port" {
			faults[i].Message = fmt.Sprintf("A cluster without Port gets %d, which is in use at every address that nodes of this host can have (--node-address). Give it another Port.", port)
		}
	}
	return faults
}

// window reads SnapshotWindow. If it is absent, the window is zero: no preference.
func (c *call) window() models.Window {
	text := c.text("SnapshotWindow")
	if text == "" {
		return models.Window{}
	}
	window, err := models.ParseWindow(text)
	faults, _ := models.AsFaults(err)
	c.faults = append(c.faults, faults...)
	return window
}

// changeAttributes adds a change of the attributes to those that the spec already has.
func (c *call) changeAttributes(spec *models.ModifySpec, change func(*models.Attributes)) {
	before := spec.Attributes
	spec.Attributes = func(is *models.Attributes) {
		if before != nil {
			before(is)
		}
		change(is)
	}
}

// readAttributes reads the parameters that are only stored and returned, and returns how they change the cluster's attributes.
func (c *call) readAttributes() func(is *models.Attributes) {
	window, groups, topic, discovery := c.id("PreferredMaintenanceWindow"), c.list("SecurityGroupIds"), c.text("NotificationTopicArn"), c.text("IpDiscovery")
	status := c.id("NotificationTopicStatus")
	if status != "" && status != "active" && status != "inactive" {
		c.mistake(models.CodeInvalid, "NotificationTopicStatus must be active or inactive, not %.40q.", status)
	}
	upgrades, given := c.flag("AutoMinorVersionUpgrade")
	return func(is *models.Attributes) {
		if window != "" {
			is.MaintenanceWindow = window
		}
		if len(groups) > 0 {
			is.SecurityGroups = groups
		}
		if topic != "" {
			is.Topic = topic
		}
		if status != "" {
			is.TopicOff = status == "inactive"
		}
		if given {
			is.NoMinorUpgrades = !upgrades
		}
		if discovery != "" {
			is.IPDiscovery = discovery
		}
	}
}

// bucketPattern matches the names of S3 buckets.
//
// Source: Amazon S3 user guide, "Bucket naming rules".
var bucketPattern = regexp.MustCompile(`^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$`)

// sources reads SnapshotArns and returns the URLs of the objects, which are reached in the same way as the snapshot store.
func (a clusterChanges) sources(c *call) []string {
	var sources []string
	for _, arn := range c.list("SnapshotArns") {
		path, ok := "", false
		for _, partition := range []string{"aws", "aws-cn", "aws-us-gov"} {
			if rest, found := strings.CutPrefix(arn, "arn:"+partition+":s3:::"); found {
				path, ok = rest, true
			}
		}
		bucket, key, named := strings.Cut(path, "/")
		if !ok || !named || !bucketPattern.MatchString(bucket) || key == "" || strings.Contains(arn, ",") {
			c.mistake(models.CodeInvalid, "A snapshot's ARN must look like arn:aws:s3:::bucket/folder/dump.rdb, not %.200q.", arn)
			continue
		}
		sources = append(sources, inBucket(a.jobs.BucketURL(bucket, c.region), key))
	}
	return sources
}

// inBucket returns the URL of an object in a bucket. The key is taken literally, as in an ARN.
func inBucket(bucket, key string) string {
	address, _ := models.ParseS3Address(bucket)
	address.Key = key
	return address.String()
}

// modifySpec reads a request to change a cluster.
func (a clusterChanges) modifySpec(ctx context.Context, c *call, is models.Cluster) (models.ModifySpec, error) {
	spec := models.ModifySpec{RequestedBy: c.key.KeyID}
	c.changeAttributes(&spec, c.readAttributes())
	c.refuseUnkeepable(is)
	c.flag("ApplyImmediately") // checked only: all changes apply at once
	c.encryptionStays(is)
	if atRest, given := c.flag("AtRestEncryptionEnabled"); given && atRest != is.Attributes.AtRest { // ElastiCache's Modify requests do not have it
		c.mistake(models.CodeCombination, "Encryption at rest is chosen when a cluster is created, and cannot be changed.")
	}
	if text := c.text("CacheNodeType"); text != "" && (!is.Attached() || text != is.ShownNodeType()) {
		spec.NodeType = &text
	}
	if group := c.id("CacheParameterGroupName"); group != "" && (!is.Attached() || group != parameterGroupOf(is)) {
		spec.ParameterGroup = &group
	}
	if days, given := c.number("SnapshotRetentionLimit"); given {
		spec.Retention = &days
	}
	if window := c.window(); !window.IsZero() {
		spec.Window = &window
	}
	token, engine, version := c.values.Get("AuthToken"), c.id("Engine"), strings.TrimSuffix(c.text("EngineVersion"), ".x")
	change := c.passwordChange(token)
	otherToken := change != nil && (change.Strategy == models.PasswordDelete || change.Password != is.Password)
	otherEngine := engine != "" && engine != is.Engine
	otherVersion := version != "" && version != is.ShownVersion() && !strings.HasPrefix(is.ShownVersion(), version+".")
	if is.Attached() {
		if len(c.list("UserGroupIdsToAdd")) > 0 || len(c.list("UserGroupIdsToRemove")) > 0 {
			c.notOurs(is)
		}
		if otherToken || otherEngine || otherVersion {
			c.notOurs(is)
		}
		return spec, nil
	}
	spec.Password, spec.UserGroup = change, c.userGroupChange(is)
	if otherEngine {
		c.mistake(models.CodeCombination, "The engine of a cluster cannot be changed. Restore a snapshot into a new cluster of %.20s.", engine)
	}
	if otherVersion {
		return spec, a.otherVersion(ctx, c, is, version, &spec)
	}
	return spec, nil
}

// otherVersion reads another version for a cluster. If the cluster's engine would also be chosen for that version, only the shown version
// changes. Otherwise the change is refused.
func (a clusterChanges) otherVersion(ctx context.Context, c *call, is models.Cluster, version string, spec *models.ModifySpec) error {
	engine, asked, err := a.db.Engines.Match(ctx, is.Engine, version)
	if _, refused := models.AsFaults(err); err != nil && !refused {
		return err
	}
	family := models.Engine{Name: is.Engine, Version: cmp.Or(asked, engine.Version)}.Family()
	if err == nil && engine == is.EngineName() && family == is.ShownEngine().Family() {
		c.changeAttributes(spec, func(a *models.Attributes) { a.EngineVersion = asked })
		return nil
	}
	c.mistake(models.CodeCombination, "%s cannot be changed in place. Restore a snapshot into a new cluster of %s %.20s.",
		fmt.Sprintf("The engine version %s of a cluster", is.ShownVersion()), is.Engine, version)
	return nil
}

// passwordChange reads how to change the password; nil: not at all. Terraform sends a strategy without a token for clusters that it has
// imported, so that is no change.
func (c *call) passwordChange(token string) *models.PasswordChange {
	strategy := strings.ToUpper(c.text("AuthTokenUpdateStrategy"))
	switch strategy {
	case "":
		strategy = models.PasswordRotate
	case models.PasswordSet, models.PasswordRotate:
	case models.PasswordDelete:
		if token != "" {
			c.mistake(models.CodeCombination, "AuthTokenUpdateStrategy DELETE removes the password, so it cannot be combined with an AuthToken.")
		}
		return &models.PasswordChange{Strategy: strategy}
	default:
		c.mistake(models.CodeInvalid, "AuthTokenUpdateStrategy must be SET, ROTATE or DELETE, not %.40q.", strategy)
	}
	if token == "" {
		return nil
	}
	return &models.PasswordChange{Strategy: strategy, Password: secret.Text(token)}
}

// modify changes the cluster, unless reading the request found mistakes.
func (a clusterChanges) modify(ctx context.Context, c *call, is models.Cluster, spec models.ModifySpec) error {
	if err := c.wrong(); err != nil {
		return err
	}
	if err := a.tryGroup(ctx, is, spec.UserGroup); err != nil {
		return err
	}
	_, err := a.db.Changes.Modify(ctx, is.Name, spec)
	return err
}
