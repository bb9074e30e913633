package elasticache

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/elasticache"
	"github.com/aws/aws-sdk-go-v2/service/elasticache/types"
	"github.com/aws/smithy-go"

	"rekindle/models"
)

func errorCode(err error) string {
	if failure, ok := errors.AsType[smithy.APIError](err); ok {
		return failure.ErrorCode()
	}
	return ""
}

func TestAReplicationGroupFromItsCreationToItsEnd(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	ctx, c := t.Context(), b.admin()
	made := must(c.CreateReplicationGroup(ctx, &sdk.CreateReplicationGroupInput{
		ReplicationGroupId: aws.String("Shop"), ReplicationGroupDescription: aws.String("the <shop> & more"), Engine: aws.String("redis"), EngineVersion: aws.String("7.0"),
		CacheNodeType: aws.String("cache.t4g.small"), NumCacheClusters: aws.Int32(3), AutomaticFailoverEnabled: aws.Bool(true), MultiAZEnabled: aws.Bool(true),
		Port: aws.Int32(7001), SnapshotRetentionLimit: aws.Int32(5), SnapshotWindow: aws.String("23:30-01:00"), PreferredMaintenanceWindow: aws.String("Mon:02:00-mon:03:30"),
		SecurityGroupIds: []string{"sg-1", "sg-2"}, NotificationTopicArn: aws.String("arn:aws:sns:x:1:t"), AutoMinorVersionUpgrade: aws.Bool(false),
		PreferredCacheClusterAZs: []string{"eu-central-1a", "eu-central-1b", "eu-central-1c"}, AuthToken: aws.String("a-token-of-the-tests"),
		Tags: []types.Tag{{Key: aws.String("team"), Value: aws.String("shop")}},
	}))(t).ReplicationGroup
	if aws.ToString(made.Status) != "creating" || aws.ToString(made.ReplicationGroupId) != "shop" || len(made.NodeGroups) != 0 {
		t.Errorf("created: %+v", made)
	}
	if b.jobs.woken.Load() == 0 {
		t.Error("nobody was told that there is work")
	}
	b.settle()
	g := must(c.DescribeReplicationGroups(ctx, &sdk.DescribeReplicationGroupsInput{ReplicationGroupId: aws.String("SHOP")}))(t).ReplicationGroups[0]
	if aws.ToString(g.Status) != "available" || aws.ToString(g.Description) != "the <shop> & more" || g.AutomaticFailover != "enabled" || g.MultiAZ != "enabled" ||
		!aws.ToBool(g.AuthTokenEnabled) || aws.ToBool(g.AutoMinorVersionUpgrade) || aws.ToInt32(g.SnapshotRetentionLimit) != 5 || aws.ToString(g.SnapshotWindow) != "23:30-01:00" ||
		aws.ToString(g.ARN) != "arn:aws:elasticache:eu-central-1:123456789012:replicationgroup:shop" || !slices.Equal(g.MemberClusters, []string{"shop-001", "shop-002", "shop-003"}) ||
		g.ReplicationGroupCreateTime == nil || g.ReplicationGroupCreateTime.Sub(b.clock.Now()).Abs() > time.Second || g.ClusterMode != "disabled" || g.NetworkType != "ipv4" {
		t.Errorf("%+v", g)
	}
	if len(g.NodeGroups) != 1 || len(g.NodeGroups[0].NodeGroupMembers) != 3 {
		t.Fatalf("node groups: %+v", g.NodeGroups)
	}
	shard, member := g.NodeGroups[0], g.NodeGroups[0].NodeGroupMembers[1]
	if aws.ToString(shard.NodeGroupId) != "0001" || aws.ToInt32(shard.PrimaryEndpoint.Port) != 7001 || shard.ReaderEndpoint == nil ||
		aws.ToString(member.CacheClusterId) != "shop-002" || aws.ToString(member.CurrentRole) != "replica" || aws.ToString(member.PreferredAvailabilityZone) != "eu-central-1b" {
		t.Errorf("%+v", shard)
	}
	m := must(c.DescribeCacheClusters(ctx, &sdk.DescribeCacheClustersInput{CacheClusterId: aws.String("shop-002"), ShowCacheNodeInfo: aws.Bool(true)}))(t).CacheClusters[0]
	if aws.ToString(m.ReplicationGroupId) != "shop" || aws.ToString(m.PreferredMaintenanceWindow) != "mon:02:00-mon:03:30" || len(m.SecurityGroups) != 2 ||
		aws.ToString(m.SecurityGroups[1].SecurityGroupId) != "sg-2" || aws.ToString(m.NotificationConfiguration.TopicStatus) != "active" || len(m.CacheNodes) != 1 ||
		m.CacheNodes[0].Endpoint == nil || aws.ToString(m.CacheParameterGroup.CacheParameterGroupName) != "default.redis7" || aws.ToString(m.EngineVersion) != "7.0.15" {
		t.Errorf("%+v", m)
	}
	if m := must(c.DescribeCacheClusters(ctx, &sdk.DescribeCacheClustersInput{CacheClusterId: aws.String("shop-002")}))(t).CacheClusters[0]; len(m.CacheNodes) != 0 {
		t.Error("nodes are shown only when they are asked for")
	}

	// What is not named stays as it was, and what is named is echoed.
	must(c.ModifyReplicationGroup(ctx, &sdk.ModifyReplicationGroupInput{ReplicationGroupId: aws.String("shop"), ReplicationGroupDescription: aws.String("other"),
		SnapshotRetentionLimit: aws.Int32(0), SnapshottingClusterId: aws.String("shop-003"), NotificationTopicStatus: aws.String("inactive"), MultiAZEnabled: aws.Bool(false)}))(t)
	after := must(c.ModifyReplicationGroup(ctx, &sdk.ModifyReplicationGroupInput{ReplicationGroupId: aws.String("shop"), CacheNodeType: aws.String("cache.t4g.medium"),
		SnapshotRetentionLimit: aws.Int32(9), SnapshotWindow: aws.String("04:00-05:00"), EngineVersion: aws.String("7.0")}))(t).ReplicationGroup
	if aws.ToString(after.Status) != "modifying" || aws.ToString(after.Description) != "other" || aws.ToString(after.SnapshottingClusterId) != "shop-003" ||
		aws.ToString(after.SnapshotWindow) != "04:00-05:00" || after.MultiAZ != "disabled" || after.AutomaticFailover != "enabled" {
		t.Errorf("%+v", after)
	}
	b.settle()
	must(c.IncreaseReplicaCount(ctx, &sdk.IncreaseReplicaCountInput{ReplicationGroupId: aws.String("shop"), NewReplicaCount: aws.Int32(3), ApplyImmediately: aws.Bool(true)}))(t)
	b.settle()
	must(c.DecreaseReplicaCount(ctx, &sdk.DecreaseReplicaCountInput{ReplicationGroupId: aws.String("shop"), ReplicasToRemove: []string{"shop-002"}, ApplyImmediately: aws.Bool(true)}))(t)
	b.settle()
	gone := must(c.DeleteCacheCluster(ctx, &sdk.DeleteCacheClusterInput{CacheClusterId: aws.String("shop-004")}))(t).CacheCluster
	if aws.ToString(gone.CacheClusterStatus) != "deleting" {
		t.Errorf("%+v", gone)
	}
	b.settle()
	if g := must(c.DescribeReplicationGroups(ctx, &sdk.DescribeReplicationGroupsInput{}))(t).ReplicationGroups[0]; !slices.Equal(g.MemberClusters, []string{"shop-001", "shop-003"}) {
		t.Errorf("members: %v", g.MemberClusters)
	}

	deleted := must(c.DeleteReplicationGroup(ctx, &sdk.DeleteReplicationGroupInput{ReplicationGroupId: aws.String("shop"), FinalSnapshotIdentifier: aws.String("last")}))(t)
	if aws.ToString(deleted.ReplicationGroup.Status) != "deleting" {
		t.Errorf("while the final snapshot is to be taken: %+v", deleted.ReplicationGroup)
	}
	b.settle()
	_, err := c.DescribeReplicationGroups(ctx, &sdk.DescribeReplicationGroupsInput{ReplicationGroupId: aws.String("shop")})
	if _, typed := errors.AsType[*types.ReplicationGroupNotFoundFault](err); !typed {
		t.Errorf("afterwards: %v", err)
	}
	last := must(c.DescribeSnapshots(ctx, &sdk.DescribeSnapshotsInput{SnapshotName: aws.String("last")}))(t).Snapshots[0]
	if aws.ToString(last.ReplicationGroupId) != "shop" || aws.ToString(last.SnapshotStatus) != "available" || last.AutomaticFailover != "enabled" {
		t.Errorf("%+v", last)
	}
	if tags := must(b.db.Tags.On(ctx, "replicationgroup:shop"))(t); len(tags) != 0 {
		t.Errorf("its tags are still there: %v", tags)
	}
}

func TestCacheClustersOfRedisAndMemcached(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	ctx, c := t.Context(), b.admin()
	must(c.CreateCacheCluster(ctx, &sdk.CreateCacheClusterInput{CacheClusterId: aws.String("one"), Engine: aws.String("redis"), CacheNodeType: aws.String("cache.t4g.micro"),
		NumCacheNodes: aws.Int32(1), SnapshotRetentionLimit: aws.Int32(3)}))(t)
	must(c.CreateCacheCluster(ctx, &sdk.CreateCacheClusterInput{CacheClusterId: aws.String("mem"), Engine: aws.String("memcached"), CacheNodeType: aws.String("cache.t4g.micro"),
		NumCacheNodes: aws.Int32(3), AZMode: types.AZModeCrossAz, PreferredAvailabilityZones: []string{"z1", "z2", "z1"}}))(t)
	b.launch(models.ClusterSpec{Name: "group", Replicas: 1})
	b.settle()
	one := must(c.DescribeCacheClusters(ctx, &sdk.DescribeCacheClustersInput{CacheClusterId: aws.String("one"), ShowCacheNodeInfo: aws.Bool(true)}))(t).CacheClusters[0]
	if aws.ToString(one.ReplicationGroupId) != "" || aws.ToInt32(one.NumCacheNodes) != 1 || aws.ToInt32(one.CacheNodes[0].Endpoint.Port) != 6379 || aws.ToInt32(one.SnapshotRetentionLimit) != 3 {
		t.Errorf("%+v", one)
	}
	mem := must(c.DescribeCacheClusters(ctx, &sdk.DescribeCacheClustersInput{CacheClusterId: aws.String("mem"), ShowCacheNodeInfo: aws.Bool(true)}))(t).CacheClusters[0]
	if aws.ToInt32(mem.NumCacheNodes) != 3 || aws.ToString(mem.PreferredAvailabilityZone) != "Multiple" || mem.ConfigurationEndpoint == nil ||
		aws.ToString(mem.CacheNodes[2].CacheNodeId) != "0003" || aws.ToString(mem.CacheNodes[1].CustomerAvailabilityZone) != "z2" ||
		aws.ToString(mem.CacheParameterGroup.CacheParameterGroupName) != "default.memcached1.6" {
		t.Errorf("%+v", mem)
	}
	all := must(c.DescribeCacheClusters(ctx, &sdk.DescribeCacheClustersInput{}))(t).CacheClusters
	alone := must(c.DescribeCacheClusters(ctx, &sdk.DescribeCacheClustersInput{ShowCacheClustersNotInReplicationGroups: aws.Bool(true)}))(t).CacheClusters
	name := func(m types.CacheCluster) *string { return m.CacheClusterId }
	if got := ids(all, name) + ids(alone, name); got != "[group-001 group-002 mem one][mem one]" {
		t.Error(got)
	}
	must(c.CreateSnapshot(ctx, &sdk.CreateSnapshotInput{SnapshotName: aws.String("s"), CacheClusterId: aws.String("one")}))(t)
	b.settle()
	if s := must(c.DescribeSnapshots(ctx, &sdk.DescribeSnapshotsInput{CacheClusterId: aws.String("one")}))(t).Snapshots; len(s) != 1 || aws.ToString(s[0].CacheClusterId) != "one" || s[0].ReplicationGroupId != nil {
		t.Errorf("%+v", s)
	}
	if status := aws.ToString(must(c.RebootCacheCluster(ctx, &sdk.RebootCacheClusterInput{CacheClusterId: aws.String("mem"), CacheNodeIdsToReboot: []string{"0001", "0003"}}))(t).CacheCluster.CacheClusterStatus); status != "rebooting cluster nodes" {
		t.Error(status)
	}
	run := must(b.db.Runs.Active(ctx))(t)[0]
	if args := must(models.Args[models.RebootArgs](run))(t); !slices.Equal(args.Nodes, []string{"mem-001", "mem-003"}) {
		t.Errorf("%+v", args)
	}
	owner := must(b.db.Owners.Enroll(ctx, (&host{}).Home(), time.Minute))(t)
	run, _, err := b.db.Runs.Claim(ctx, owner.ID, func(models.Run) bool { return true })
	b.check(err)
	b.check(b.db.Settle.Fail(ctx, run, models.RunFailed, "It broke."))
	events := must(c.DescribeEvents(ctx, &sdk.DescribeEventsInput{SourceType: types.SourceTypeCacheCluster, SourceIdentifier: aws.String("mem")}))(t).Events
	if !slices.ContainsFunc(events, func(e types.Event) bool {
		return aws.ToString(e.Message) == "Nodes of the cluster mem could not be restarted. It broke."
	}) {
		t.Errorf("the failed restart is not said: %+v", events)
	}
}

func TestRefusalsHaveTheWiresCodes(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.launch(models.ClusterSpec{Name: "orders", Replicas: 1})
	b.launch(models.ClusterSpec{Name: "alone"})
	b.launch(models.ClusterSpec{Name: "one", CacheCluster: true})
	b.launch(models.ClusterSpec{Name: "mem", CacheCluster: true, CacheNodes: 2, Engine: models.Engine{Name: "memcached", Version: "1.6.18"}})
	b.launch(models.ClusterSpec{Name: "micro", NodeType: "cache.t1.micro"})
	must(b.db.Snapshots.Request(t.Context(), "orders", "done", false, "test"))(t)
	b.settle()
	must(b.db.Snapshots.Request(t.Context(), "alone", "busy", false, "test"))(t)
	must(b.db.Parameters.Create(t.Context(), "old", "redis6.x", "d", nil))(t)
	group := func(more ...string) []string {
		return append([]string{"ReplicationGroupId", "new", "ReplicationGroupDescription", "d", "CacheNodeType", "cache.t4g.micro"}, more...)
	}
	cluster := func(more ...string) []string {
		return append([]string{"CacheClusterId", "new", "CacheNodeType", "cache.t4g.micro", "Engine", "redis"}, more...)
	}
	for _, one := range []struct {
		action string
		with   []string
		status int
		code   string
		says   string
	}{
		{"DescribeReplicationGroups", []string{"ReplicationGroupId", "nope"}, 404, "ReplicationGroupNotFoundFault", "There is no cluster nope."},
		{"DescribeReplicationGroups", []string{"ReplicationGroupId", "one"}, 404, "ReplicationGroupNotFoundFault", "cache cluster of that name"},
		{"DescribeCacheClusters", []string{"CacheClusterId", "orders"}, 404, "CacheClusterNotFound", ""},
		{"DescribeSnapshots", []string{"SnapshotName", "nope"}, 404, "SnapshotNotFoundFault", ""},
		{"DescribeSnapshots", []string{"ReplicationGroupId", "nope"}, 404, "ReplicationGroupNotFoundFault", ""},
		{"DescribeSnapshots", []string{"CacheClusterId", "nope"}, 404, "CacheClusterNotFound", ""},
		{"DescribeSnapshots", []string{"ReplicationGroupId", "orders", "CacheClusterId", "nope"}, 404, "CacheClusterNotFound", ""},
		{"DescribeSnapshots", []string{"SnapshotSource", "both"}, 400, "InvalidParameterValue", ""},
		{"DescribeSnapshots", []string{"MaxRecords", "5"}, 400, "InvalidParameterValue", "between 20 and 100"},
		{"DescribeSnapshots", []string{"MaxRecords", "many"}, 400, "InvalidParameterValue", "whole number"},
		{"DescribeSnapshots", []string{"Marker", "!"}, 400, "InvalidParameterValue", ""},
		{"DescribeSnapshots", []string{"ShowNodeGroupConfig", "perhaps"}, 400, "InvalidParameterValue", "true or false"},
		{"CreateSnapshot", []string{"SnapshotName", "done", "ReplicationGroupId", "orders"}, 400, "SnapshotAlreadyExistsFault", ""},
		{"CreateSnapshot", []string{"SnapshotName", "x"}, 400, "InvalidParameterCombination", ""},
		{"CreateSnapshot", []string{"SnapshotName", "x", "ReplicationGroupId", "orders", "CacheClusterId", "alone-001"}, 400, "InvalidParameterCombination", "not a member of the replication group orders"},
		{"CreateSnapshot", []string{"SnapshotName", "x", "ReplicationGroupId", "orders", "CacheClusterId", "one"}, 400, "InvalidParameterCombination", "not a member"},
		{"CreateSnapshot", []string{"SnapshotName", "x", "ReplicationGroupId", "orders", "CacheClusterId", "nope"}, 404, "CacheClusterNotFound", ""},
		{"CreateSnapshot", []string{"SnapshotName", "x", "ReplicationGroupId", "nope", "CacheClusterId", "orders-001"}, 404, "ReplicationGroupNotFoundFault", ""},
		{"CreateSnapshot", []string{"SnapshotName", "x", "ReplicationGroupId", "alone", "CacheClusterId", "alone-001"}, 400, "InvalidReplicationGroupState", "already being taken"},
		{"CreateSnapshot", []string{"ReplicationGroupId", "orders"}, 400, "MissingParameter", "SnapshotName"},
		{"CreateSnapshot", []string{"SnapshotName", "9x", "ReplicationGroupId", "orders"}, 400, "InvalidParameterValue", "begin with a letter"},
		{"CreateSnapshot", []string{"SnapshotName", "x", "ReplicationGroupId", "nope"}, 404, "ReplicationGroupNotFoundFault", ""},
		{"CreateSnapshot", []string{"SnapshotName", "x", "CacheClusterId", "nope"}, 404, "CacheClusterNotFound", ""},
		{"CreateSnapshot", []string{"SnapshotName", "x", "ReplicationGroupId", "alone"}, 400, "InvalidReplicationGroupState", "already being taken"},
		{"CreateSnapshot", []string{"SnapshotName", "x", "CacheClusterId", "alone-001"}, 400, "InvalidCacheClusterState", ""},
		{"CreateSnapshot", []string{"SnapshotName", "x", "ReplicationGroupId", "micro"}, 400, "SnapshotFeatureNotSupportedFault", "cache.t1.micro"},
		{"CreateSnapshot", []string{"SnapshotName", "x", "CacheClusterId", "mem"}, 400, "SnapshotFeatureNotSupportedFault", "memcached"},
		{"CopySnapshot", []string{"SourceSnapshotName", "nope", "TargetSnapshotName", "x"}, 404, "SnapshotNotFoundFault", ""},
		{"CopySnapshot", []string{"SourceSnapshotName", "done", "TargetSnapshotName", "done"}, 400, "SnapshotAlreadyExistsFault", ""},
		{"CopySnapshot", []string{"SourceSnapshotName", "busy", "TargetSnapshotName", "x"}, 400, "InvalidSnapshotState", ""},
		{"CopySnapshot", []string{"SourceSnapshotName", "done", "TargetSnapshotName", "x", "TargetBucket", "a/b"}, 400, "InvalidParameterValue", ""},
		{"DeleteSnapshot", []string{"SnapshotName", "nope"}, 404, "SnapshotNotFoundFault", ""},
		{"DeleteSnapshot", []string{"SnapshotName", "busy"}, 400, "InvalidSnapshotState", ""},
		{"CreateReplicationGroup", []string{"ReplicationGroupId", "new", "ReplicationGroupDescription", "", "CacheNodeType", "cache.t4g.micro"}, 400, "MissingParameter", "ReplicationGroupDescription"},
		{"CreateReplicationGroup", group("ReplicationGroupId", "orders"), 400, "ReplicationGroupAlreadyExists", ""},
		{"CreateReplicationGroup", group("CacheNodeType", "cache.none"), 400, "InvalidParameterValue", "node type"},
		{"CreateReplicationGroup", group("NumCacheClusters", "7"), 400, "InvalidParameterValue", ""},
		{"CreateReplicationGroup", group("NumCacheClusters", "0"), 400, "InvalidParameterValue", ""},
		{"CreateReplicationGroup", group("AutomaticFailoverEnabled", "true"), 400, "InvalidParameterCombination", "at least one replica"},
		{"CreateReplicationGroup", group("MultiAZEnabled", "true", "NumCacheClusters", "2"), 400, "InvalidParameterCombination", ""},
		{"CreateReplicationGroup", group("Engine", "memcached"), 400, "InvalidParameterValue", ""},
		{"CreateReplicationGroup", group("EngineVersion", "5.0.6"), 400, "InvalidParameterValue", "These are: 7.0.15, 6.0.16"},
		{"CreateReplicationGroup", group("SnapshotRetentionLimit", "36"), 400, "InvalidParameterValue", "between 1 and 35"},
		{"CreateReplicationGroup", group("SnapshotWindow", "03:00-03:30"), 400, "InvalidParameterValue", "at least 60"},
		{"CreateReplicationGroup", group("PreferredMaintenanceWindow", "sunday"), 400, "InvalidParameterValue", "sun:05:00"},
		{"CreateReplicationGroup", group("CacheNodeType", ""), 400, "InvalidParameterValue", "The parameter CacheNodeType must be provided and must not be null."},
		{"CreateCacheCluster", cluster("CacheNodeType", ""), 400, "InvalidParameterValue", "The parameter CacheNodeType must be provided and must not be null."},
		{"CreateReplicationGroup", group("SnapshotWindow", "03:00-04:00", "PreferredMaintenanceWindow", "sun:03:30-sun:04:30"), 400, "InvalidParameterValue", "The snapshot window and maintenance window must not overlap."},
		{"CreateCacheCluster", cluster("SnapshotWindow", "23:30-00:30", "PreferredMaintenanceWindow", "Mon:00:00-Mon:01:00"), 400, "InvalidParameterValue", "The snapshot window and maintenance window must not overlap."},
		{"ModifyReplicationGroup", []string{"ReplicationGroupId", "orders", "SnapshotWindow", "03:00-04:00", "PreferredMaintenanceWindow", "sun:03:30-sun:04:30"}, 400, "InvalidParameterValue", "The snapshot window and maintenance window must not overlap."},
		{"ModifyCacheCluster", []string{"CacheClusterId", "one", "SnapshotWindow", "03:00-04:00", "PreferredMaintenanceWindow", "sun:03:30-sun:04:30"}, 400, "InvalidParameterValue", "must not overlap"},
		{"CreateReplicationGroup", group("TransitEncryptionEnabled", "true", "TransitEncryptionMode", "preferred"), 400, "InvalidParameterCombination", "Use required"},
		{"CreateReplicationGroup", group("TransitEncryptionEnabled", "true", "TransitEncryptionMode", "sometimes"), 400, "InvalidParameterValue", "sometimes"},
		{"CreateReplicationGroup", group("TransitEncryptionMode", "required"), 400, "InvalidParameterCombination", "TransitEncryptionEnabled"},
		{"CreateCacheCluster", cluster("Engine", "memcached", "TransitEncryptionEnabled", "true"), 400, "InvalidParameterCombination", "memcached"},
		{"ModifyReplicationGroup", []string{"ReplicationGroupId", "orders", "TransitEncryptionEnabled", "true"}, 400, "InvalidParameterCombination", "--transit-encryption-enabled"},
		{"ModifyReplicationGroup", []string{"ReplicationGroupId", "orders", "TransitEncryptionMode", "required"}, 400, "InvalidParameterCombination", "TransitEncryptionEnabled"},
		{"CreateReplicationGroup", group("AtRestEncryptionEnabled", "true"), 400, "InvalidParameterCombination", "--data-encrypted"},
		{"ModifyReplicationGroup", []string{"ReplicationGroupId", "orders", "AtRestEncryptionEnabled", "true"}, 400, "InvalidParameterCombination", "when a cluster is created"},
		{"CreateReplicationGroup", group("ClusterMode", "compatible"), 400, "InvalidParameterCombination", "enabled or disabled"},
		{"CreateReplicationGroup", group("ClusterMode", "disabled", "NumNodeGroups", "2"), 400, "InvalidParameterCombination", "ClusterMode is disabled"},
		{"CreateReplicationGroup", group("NumNodeGroups", "91"), 400, "InvalidParameterValue", "1 to 90 shards"},
		{"CreateReplicationGroup", group("NumNodeGroups", "2", "NumCacheClusters", "3"), 400, "InvalidParameterCombination", "Leave it out in cluster mode"},
		{"CreateReplicationGroup", group("NumNodeGroups", "2", "NodeGroupConfiguration.NodeGroupConfiguration.1.ReplicaCount", "1"), 400, "InvalidParameterCombination", "has 1 node groups"},
		{"CreateReplicationGroup", group("NodeGroupConfiguration.NodeGroupConfiguration.1.ReplicaCount", "1", "NodeGroupConfiguration.NodeGroupConfiguration.2.ReplicaCount", "2"), 400, "InvalidParameterCombination", "same number of replicas"},
		{"CreateReplicationGroup", group("NodeGroupConfiguration.NodeGroupConfiguration.1.Slots", "0-8191", "NodeGroupConfiguration.NodeGroupConfiguration.2.Slots", "8193-16383"), 400, "InvalidParameterValue", "in several: 8192"},
		{"ModifyReplicationGroupShardConfiguration", []string{"ReplicationGroupId", "orders", "NodeGroupCount", "3", "ApplyImmediately", "true"}, 400, "InvalidParameterCombination", "not in cluster mode"},
		{"CreateReplicationGroup", group("AuthToken", "short"), 400, "InvalidParameterValue", "16 to 128"},
		{"CreateReplicationGroup", group("Port", "7777"), 400, "InvalidParameterValue", "in use"},
		{"CreateReplicationGroup", group("SnapshotName", "nope"), 404, "SnapshotNotFoundFault", ""},
		{"CreateReplicationGroup", group("SnapshotName", "done", "EngineVersion", "6.x"), 400, "InvalidParameterCombination", "or a newer version"},
		{"CreateReplicationGroup", group("SnapshotArns.SnapshotArn.1", "s3://bucket/x.rdb"), 400, "InvalidParameterValue", "arn:aws:s3:::"},
		{"CreateReplicationGroup", group("SnapshotArns.SnapshotArn.1", "arn:aws:s3:::bucket/x,y.rdb"), 400, "InvalidParameterValue", "arn:aws:s3:::"},
		{"CreateReplicationGroup", group("SnapshotArns.SnapshotArn.1", "arn:aws:s3:::bucket/x.rdb", "SnapshotArns.SnapshotArn.2", "arn:aws:s3:::bucket/y.rdb"), 400,
			"InvalidParameterValue", "single-element list"},
		{"CreateReplicationGroup", group("CacheSubnetGroupName", "nope"), 400, "CacheSubnetGroupNotFoundFault", ""},
		{"CreateReplicationGroup", group("CacheParameterGroupName", "nope"), 404, "CacheParameterGroupNotFound", ""},
		{"CreateReplicationGroup", group("CacheParameterGroupName", "old"), 400, "InvalidParameterCombination", "redis6.x"},
		{"CreateReplicationGroup", group("CacheParameterGroupName", "default.redis7.cluster.on", "ClusterMode", "disabled"), 400, "InvalidParameterCombination", "ClusterMode is disabled"},
		{"CreateReplicationGroup", group("Tags.Tag.1.Key", "aws:x", "Tags.Tag.1.Value", "y"), 400, "InvalidParameterValue", "aws:"},
		{"CreateReplicationGroup", group("PrimaryClusterId", "one"), 400, "InvalidParameterCombination", "not offered"},
		{"CreateReplicationGroup", group("UserGroupIds.member.1", "g"), 400, "InvalidParameterCombination", "no user group g"},
		{"CreateCacheCluster", cluster("CacheClusterId", "one"), 400, "CacheClusterAlreadyExists", ""},
		{"CreateCacheCluster", cluster("CacheClusterId", "orders-001"), 400, "CacheClusterAlreadyExists", "of another cluster"},
		{"CreateCacheCluster", cluster("NumCacheNodes", "2"), 400, "InvalidParameterCombination", ""},
		{"CreateCacheCluster", cluster("Engine", "memcached", "NumCacheNodes", "41"), 400, "InvalidParameterValue", "1 to 40"},
		{"CreateCacheCluster", cluster("Engine", "memcached", "SnapshotRetentionLimit", "1"), 400, "SnapshotFeatureNotSupportedFault", ""},
		{"CreateCacheCluster", cluster("Engine", "memcached", "SnapshotName", "done"), 400, "SnapshotFeatureNotSupportedFault", ""},
		{"CreateCacheCluster", cluster("ReplicationGroupId", "nope"), 404, "ReplicationGroupNotFoundFault", ""},
		{"CreateCacheCluster", cluster("ReplicationGroupId", "orders", "CacheClusterId", "one"), 400, "CacheClusterAlreadyExists", ""},
		{"CreateCacheCluster", cluster("ReplicationGroupId", "orders", "NumCacheNodes", "2"), 400, "InvalidParameterCombination", "one node"},
		{"CreateCacheCluster", cluster("CacheClusterId", strings.Repeat("x", 51)), 400, "InvalidParameterValue", "at most 50"},
		{"CreateReplicationGroup", group("ReplicationGroupId", strings.Repeat("x", 41)), 400, "InvalidParameterValue", "at most 40"},
		{"CreateReplicationGroup", group("EngineVersion", "8.0"), 400, "InvalidParameterValue", "These are: 7.0.15, 6.0.16"},
		{"CreateReplicationGroup", group("Tags.Tag.1.Key", "a\x00b", "Tags.Tag.1.Value", "y"), 400, "InvalidParameterValue", "control characters"},
		{"CreateReplicationGroup", group("SnapshotArns.SnapshotArn.1", "arn:aws:s3:::B/x.rdb"), 400, "InvalidParameterValue", "arn:aws:s3:::"},
		{"CopySnapshot", []string{"SourceSnapshotName", "done", "TargetSnapshotName", "x", "TargetBucket", "B"}, 400, "InvalidParameterValue", "name of a bucket"},
		{"ModifyCacheCluster", []string{"CacheClusterId", "mem", "AZMode", "bogus"}, 400, "InvalidParameterValue", ""},
		{"ModifyReplicationGroup", []string{"ReplicationGroupId", "orders", "AuthToken", "short"}, 400, "InvalidParameterValue", "16 to 128"},
		{"ModifyReplicationGroup", []string{"ReplicationGroupId", "orders", "AuthToken", "another-token-of-it", "AuthTokenUpdateStrategy", "DELETE"}, 400, "InvalidParameterCombination", "DELETE"},
		{"ModifyReplicationGroup", []string{"ReplicationGroupId", "orders", "AuthToken", "another-token-of-it", "AuthTokenUpdateStrategy", "KEEP"}, 400, "InvalidParameterValue", "SET, ROTATE or DELETE"},
		{"ModifyCacheCluster", []string{"CacheClusterId", "mem", "AuthToken", "another-token-of-it"}, 400, "InvalidParameterCombination", "memcached"},
		{"DescribeSnapshots", []string{"Marker", "eHg"}, 400, "InvalidParameterValue", "Marker"},
		{"DescribeReplicationGroups", []string{"Marker", "eHg"}, 400, "InvalidParameterValue", "Marker"},
		{"ModifyReplicationGroup", []string{"ReplicationGroupId", "nope"}, 404, "ReplicationGroupNotFoundFault", ""},
		{"ModifyReplicationGroup", []string{"ReplicationGroupId", "orders", "SnapshottingClusterId", "alone-001"}, 400, "InvalidParameterValue", "no node"},
		{"ModifyReplicationGroup", []string{"ReplicationGroupId", "orders", "SnapshotRetentionLimit", "-1"}, 400, "InvalidParameterValue", ""},
		{"ModifyReplicationGroup", []string{"ReplicationGroupId", "orders", "EngineVersion", "8.0"}, 400, "InvalidParameterCombination", "7.0.15 of a cluster cannot be changed"},
		{"ModifyReplicationGroup", []string{"ReplicationGroupId", "alone", "CacheNodeType", "cache.t4g.medium"}, 400, "InvalidReplicationGroupState", ""},
		{"ModifyCacheCluster", []string{"CacheClusterId", "nope"}, 404, "CacheClusterNotFound", ""},
		{"ModifyCacheCluster", []string{"CacheClusterId", "mem", "NumCacheNodes", "5"}, 400, "InvalidParameterCombination", ""},
		{"ModifyCacheCluster", []string{"CacheClusterId", "mem", "SnapshotRetentionLimit", "2"}, 400, "SnapshotFeatureNotSupportedFault", ""},
		{"DeleteReplicationGroup", []string{"ReplicationGroupId", "orders", "RetainPrimaryCluster", "true"}, 400, "InvalidParameterCombination", ""},
		{"DeleteReplicationGroup", []string{"ReplicationGroupId", "orders", "FinalSnapshotIdentifier", "done"}, 400, "SnapshotAlreadyExistsFault", ""},
		{"DeleteReplicationGroup", []string{"ReplicationGroupId", "alone"}, 400, "InvalidReplicationGroupState", ""},
		{"DeleteCacheCluster", []string{"CacheClusterId", "orders-001"}, 400, "InvalidParameterCombination", "primary"},
		{"DeleteCacheCluster", []string{"CacheClusterId", "mem", "FinalSnapshotIdentifier", "f"}, 400, "SnapshotFeatureNotSupportedFault", ""},
		{"IncreaseReplicaCount", []string{"ReplicationGroupId", "orders", "NewReplicaCount", "1", "ApplyImmediately", "true"}, 400, "NoOperationFault", ""},
		{"IncreaseReplicaCount", []string{"ReplicationGroupId", "orders", "NewReplicaCount", "6", "ApplyImmediately", "true"}, 400, "InvalidParameterValue", ""},
		{"DecreaseReplicaCount", []string{"ReplicationGroupId", "orders", "NewReplicaCount", "1", "ApplyImmediately", "true"}, 400, "NoOperationFault", ""},
		{"TestFailover", []string{"ReplicationGroupId", "micro", "NodeGroupId", "0001"}, 400, "TestFailoverNotAvailableFault", ""},
		{"TestFailover", []string{"ReplicationGroupId", "orders", "NodeGroupId", "0002"}, 404, "NodeGroupNotFoundFault", ""},
		{"RebootCacheCluster", []string{"CacheClusterId", "mem", "CacheNodeIdsToReboot.CacheNodeId.1", "0003"}, 400, "InvalidParameterValue", ""},
		{"RebootCacheCluster", []string{"CacheClusterId", "nope", "CacheNodeIdsToReboot.CacheNodeId.1", "0001"}, 404, "CacheClusterNotFound", ""},
		{"ListTagsForResource", []string{"ResourceName", "orders"}, 400, "InvalidARN", ""},
		{"ListTagsForResource", []string{"ResourceName", "arn:aws:elasticache:x:999999999999:replicationgroup:orders"}, 400, "InvalidARN", ""},
		{"ListTagsForResource", []string{"ResourceName", "arn:aws:elasticache:x:123456789012:replicationgroup:nope"}, 404, "ReplicationGroupNotFoundFault", ""},
		{"ListTagsForResource", []string{"ResourceName", "arn:aws:elasticache:x:123456789012:cluster:nope"}, 404, "CacheClusterNotFound", ""},
		{"RemoveTagsFromResource", []string{"ResourceName", "arn:aws:elasticache:x:123456789012:snapshot:done", "TagKeys.member.1", "k"}, 404, "TagNotFound", ""},
		{"DescribeEvents", []string{"SourceIdentifier", "orders"}, 400, "InvalidParameterCombination", ""},
		{"DescribeEvents", []string{"StartTime", "yesterday"}, 400, "InvalidParameterValue", ""},
		{"DescribeEvents", []string{"Duration", "999999"}, 400, "InvalidParameterValue", ""},
		{"ListAllowedNodeTypeModifications", nil, 400, "InvalidParameterCombination", ""},
		{"DescribeServiceUpdates", []string{"ServiceUpdateName", "x"}, 404, "ServiceUpdateNotFoundFault", ""},
		{"DescribeCacheSecurityGroups", []string{"CacheSecurityGroupName", "x"}, 404, "CacheSecurityGroupNotFound", "cache security group x"},
		{"DescribeGlobalReplicationGroups", []string{"GlobalReplicationGroupId", "x"}, 404, "GlobalReplicationGroupNotFoundFault", ""},
		{"DescribeReservedCacheNodes", []string{"ReservedCacheNodeId", "x"}, 404, "ReservedCacheNodeNotFound", ""},
		{"DescribeReservedCacheNodesOfferings", []string{"ReservedCacheNodesOfferingId", "x"}, 404, "ReservedCacheNodesOfferingNotFound", ""},
		{"DescribeServerlessCacheSnapshots", []string{"ServerlessCacheSnapshotName", "x"}, 404, "ServerlessCacheSnapshotNotFoundFault", ""},
		{"DescribeReservedCacheNodes", []string{"MaxRecords", "1"}, 400, "InvalidParameterValue", "between 20 and 100"},
		{"CreateCacheSubnetGroup", []string{"CacheSubnetGroupName", "default", "CacheSubnetGroupDescription", "d", "SubnetIds.SubnetIdentifier.1", "subnet-1"}, 400, "CacheSubnetGroupAlreadyExists", ""},
		{"DeleteCacheSubnetGroup", []string{"CacheSubnetGroupName", "default"}, 400, "CacheSubnetGroupInUse", ""},
		{"DeleteCacheSubnetGroup", []string{"CacheSubnetGroupName", "nope"}, 400, "CacheSubnetGroupNotFoundFault", ""},
		{"CreateCacheParameterGroup", []string{"CacheParameterGroupName", "x", "CacheParameterGroupFamily", "redis99", "Description", "d"}, 400, "InvalidParameterValue", ""},
		{"ModifyCacheParameterGroup", []string{"CacheParameterGroupName", "old", "ParameterNameValues.ParameterNameValue.1.ParameterName", "dir", "ParameterNameValues.ParameterNameValue.1.ParameterValue", "/etc"}, 400, "InvalidParameterValue", "no parameter"},
		{"ModifyCacheParameterGroup", []string{"CacheParameterGroupName", "default.redis7", "ParameterNameValues.ParameterNameValue.1.ParameterName", "timeout", "ParameterNameValues.ParameterNameValue.1.ParameterValue", "5"}, 400, "InvalidCacheParameterGroupState", ""},
		{"DeleteCacheParameterGroup", []string{"CacheParameterGroupName", "nope"}, 404, "CacheParameterGroupNotFound", ""},
	} {
		status, body := b.send(form(one.action, one.with...))
		if status != one.status || code(body) != one.code || !strings.Contains(body, one.says) {
			t.Errorf("%s %v: %d %s", one.action, one.with, status, body)
		}
	}
	if clusters := must(b.db.Clusters.All(t.Context()))(t); len(clusters) != 5 {
		t.Errorf("refusals left something behind: %d clusters", len(clusters))
	}
	if b.log.Len() > 0 {
		t.Errorf("refusals are not Rekindle's failures:\n%s", b.log)
	}
}

func TestChangesAtOnceAllCount(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	ctx, c := t.Context(), b.admin()
	b.launch(models.ClusterSpec{Name: "orders", Replicas: 1})
	for round := range 5 {
		changes := []*sdk.ModifyReplicationGroupInput{
			{NotificationTopicArn: aws.String(fmt.Sprintf("arn:aws:sns:x:1:t%d", round))},
			{PreferredMaintenanceWindow: aws.String(fmt.Sprintf("mon:0%d:00-mon:0%d:00", round, round+1))},
			{SecurityGroupIds: []string{fmt.Sprintf("sg-%d", round)}},
		}
		failures := make(chan error, len(changes))
		for _, change := range changes {
			change.ReplicationGroupId = aws.String("orders")
			go func() {
				_, err := c.ModifyReplicationGroup(ctx, change)
				failures <- err
			}()
		}
		for range changes {
			b.check(<-failures)
		}
		m := must(c.DescribeCacheClusters(ctx, &sdk.DescribeCacheClustersInput{CacheClusterId: aws.String("orders-001")}))(t).CacheClusters[0]
		if aws.ToString(m.NotificationConfiguration.TopicArn) != *changes[0].NotificationTopicArn || aws.ToString(m.PreferredMaintenanceWindow) != *changes[1].PreferredMaintenanceWindow ||
			aws.ToString(m.SecurityGroups[0].SecurityGroupId) != changes[2].SecurityGroupIds[0] {
			t.Fatalf("round %d: a change is missing: %+v", round, m)
		}
	}
}

func TestMembersComeAndGoByTheirNames(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	ctx, c := t.Context(), b.admin()
	must(c.CreateReplicationGroup(ctx, &sdk.CreateReplicationGroupInput{ReplicationGroupId: aws.String("orders"), ReplicationGroupDescription: aws.String("d"), CacheNodeType: aws.String("cache.t4g.micro"),
		NodeGroupConfiguration: []types.NodeGroupConfiguration{{ReplicaCount: aws.Int32(2), PrimaryAvailabilityZone: aws.String("z1"), ReplicaAvailabilityZones: []string{"z2", "z3"}}}}))(t)
	b.settle()
	b.see("orders")
	status := func(id string) string {
		found, err := c.DescribeCacheClusters(ctx, &sdk.DescribeCacheClustersInput{CacheClusterId: &id})
		if err != nil {
			return errorCode(err)
		}
		return aws.ToString(found.CacheClusters[0].CacheClusterStatus) + " in " + aws.ToString(found.CacheClusters[0].PreferredAvailabilityZone)
	}
	// A replica that is being removed is shown as deleting until it is gone, as waiters expect, and the others keep their zones.
	must(c.DeleteCacheCluster(ctx, &sdk.DeleteCacheClusterInput{CacheClusterId: aws.String("orders-002")}))(t)
	if got := []string{status("orders-001"), status("orders-002"), status("orders-003")}; !slices.Equal(got, []string{"modifying in z1", "deleting in z2", "modifying in z3"}) {
		t.Error(got)
	}
	b.settle()
	if got := []string{status("orders-002"), status("orders-003")}; !slices.Equal(got, []string{"CacheClusterNotFound", "available in z3"}) {
		t.Error(got)
	}
	made := must(c.CreateCacheCluster(ctx, &sdk.CreateCacheClusterInput{CacheClusterId: aws.String("Extra"), ReplicationGroupId: aws.String("orders"), PreferredAvailabilityZone: aws.String("z9")}))(t).CacheCluster
	if aws.ToString(made.CacheClusterStatus) != "creating" || aws.ToString(made.ReplicationGroupId) != "orders" || aws.ToString(made.CacheClusterId) != "extra" {
		t.Errorf("%+v", made)
	}
	b.settle()
	b.see("orders")
	if got := status("extra"); got != "available in z9" {
		t.Error(got)
	}
	events := must(c.DescribeEvents(ctx, &sdk.DescribeEventsInput{SourceType: types.SourceTypeCacheCluster, SourceIdentifier: aws.String("extra")}))(t).Events
	if len(events) == 0 || aws.ToString(events[0].SourceIdentifier) != "orders" {
		t.Errorf("%+v", events)
	}
}

func TestAPasswordThatIsTheSameIsNoChange(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	ctx, c := t.Context(), b.admin()
	b.launch(models.ClusterSpec{Name: "orders", Auth: models.AuthGiven, Password: "the-token-of-the-orders"})
	for _, input := range []*sdk.ModifyReplicationGroupInput{
		{AuthToken: aws.String("the-token-of-the-orders"), AuthTokenUpdateStrategy: types.AuthTokenUpdateStrategyTypeRotate},
		{AuthTokenUpdateStrategy: types.AuthTokenUpdateStrategyTypeRotate}, // as Terraform sends it for what it has imported
	} {
		input.ReplicationGroupId = aws.String("orders")
		must(c.ModifyReplicationGroup(ctx, input))(t)
	}
}

func TestGroupWithoutAPortHasTheDefaultOneWhoeverAsks(t *testing.T) {
	t.Parallel()
	clients := []string{"APN/1.0 HashiCorp/1.0 Terraform/1.11.4 (+https://www.terraform.io) terraform-provider-aws/5.100.0", "aws-cli/2.9.19", "crossplane", ""}
	for _, single := range []bool{false, true} {
		b := newBenchOn(t, &host{single: single})
		for i, agent := range clients {
			id := fmt.Sprintf("group-%d", i)
			b.wall.Advance(time.Second) // another signature
			status, body := b.send(form("CreateReplicationGroup", "ReplicationGroupId", id, "ReplicationGroupDescription", "d", "CacheNodeType", "cache.t4g.micro"),
				func(r *http.Request) { r.Header.Set("User-Agent", agent) })
			if single && i > 0 {
				if status != 400 || !strings.Contains(body, "A cluster without Port gets 6379, which is in use at every address") {
					t.Errorf("%s: %d %s", agent, status, body)
				}
				continue
			}
			if cluster, err := b.db.Clusters.Get(t.Context(), id); status != 200 || err != nil || cluster.Port != 6379 || cluster.Nodes[0].Host != fmt.Sprintf("127.0.0.%d", i+1) {
				t.Errorf("%s: %d %s, the group is %+v (%v)", agent, status, body, cluster.Nodes, err)
			}
		}
	}
}

func TestListsComeInPages(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	ctx, c := t.Context(), b.admin()
	b.check(b.db.Settings.Save(ctx, models.Settings{ManualQuota: 1000, Price: 1, Currency: "$"}))
	b.launch(models.ClusterSpec{Name: "orders", Replicas: 1})
	for i := range 45 {
		must(b.db.Snapshots.Request(ctx, "orders", fmt.Sprintf("s%03d", i), false, "test"))(t)
		b.settle()
		b.launch(models.ClusterSpec{Name: fmt.Sprintf("c%02d", i)})
	}
	pages := sdk.NewDescribeSnapshotsPaginator(c, &sdk.DescribeSnapshotsInput{ReplicationGroupId: aws.String("orders"), MaxRecords: aws.Int32(20)})
	var seen []string
	for n := 0; pages.HasMorePages(); n++ {
		for _, s := range must(pages.NextPage(ctx))(t).Snapshots {
			seen = append(seen, aws.ToString(s.SnapshotName))
		}
		if n == 0 { // a deletion in between hides nothing
			b.check(b.db.Snapshots.Delete(ctx, []string{"s003"}, "test"))
			b.settle()
		}
	}
	if len(seen) != 45 || !slices.IsSorted(seen) || len(slices.Compact(slices.Clone(seen))) != 45 {
		t.Errorf("%d snapshots: %v", len(seen), seen)
	}
	groups := sdk.NewDescribeReplicationGroupsPaginator(c, &sdk.DescribeReplicationGroupsInput{MaxRecords: aws.Int32(20)})
	count := 0
	for groups.HasMorePages() {
		count += len(must(groups.NextPage(ctx))(t).ReplicationGroups)
	}
	events := sdk.NewDescribeEventsPaginator(c, &sdk.DescribeEventsInput{SourceType: types.SourceTypeReplicationGroup, MaxRecords: aws.Int32(20)})
	told := 0
	for events.HasMorePages() {
		for _, e := range must(events.NextPage(ctx))(t).Events {
			if e.Date == nil || aws.ToString(e.SourceIdentifier) == "" || aws.ToString(e.Message) == "" {
				t.Errorf("%+v", e)
			}
			told++
		}
	}
	if count != 46 || told != 46+45+1 {
		t.Errorf("%d groups, %d events", count, told)
	}
	if one := must(c.DescribeEvents(ctx, &sdk.DescribeEventsInput{SourceType: types.SourceTypeReplicationGroup, SourceIdentifier: aws.String("c07")}))(t); len(one.Events) != 1 {
		t.Errorf("%+v", one.Events)
	}
	b.clock.Advance(2 * time.Hour)
	if old := must(c.DescribeEvents(ctx, &sdk.DescribeEventsInput{}))(t); len(old.Events) != 0 {
		t.Errorf("of the last hour: %d", len(old.Events))
	}
	if old := must(c.DescribeEvents(ctx, &sdk.DescribeEventsInput{Duration: aws.Int32(180)}))(t); len(old.Events) != 92 {
		t.Errorf("of the last three hours: %d", len(old.Events))
	}
}

// The first request has taken the port; a client understands that the name is taken, not that the port is.
func TestTheSameAgainOnAHostWithOneAddressExistsAlready(t *testing.T) {
	t.Parallel()
	b := newBenchOn(t, &host{single: true})
	ctx, c := t.Context(), b.admin()
	for name, port := range map[string]*int32{"default": nil, "chosen": aws.Int32(7000)} {
		create := &sdk.CreateReplicationGroupInput{ReplicationGroupId: aws.String(name), ReplicationGroupDescription: aws.String("d"), CacheNodeType: aws.String("cache.t4g.micro"), Port: port}
		must(c.CreateReplicationGroup(ctx, create))(t)
		if _, err := c.CreateReplicationGroup(ctx, create); errorCode(err) != "ReplicationGroupAlreadyExists" {
			t.Errorf("the group %s again: %v", name, err)
		}
	}
	create := &sdk.CreateCacheClusterInput{CacheClusterId: aws.String("alone"), Engine: aws.String("redis"), CacheNodeType: aws.String("cache.t4g.micro"), NumCacheNodes: aws.Int32(1), Port: aws.Int32(7001)}
	must(c.CreateCacheCluster(ctx, create))(t)
	if _, err := c.CreateCacheCluster(ctx, create); errorCode(err) != "CacheClusterAlreadyExists" {
		t.Errorf("the cache cluster again: %v", err)
	}
}

// Terraform compares the first two numbers of a member's version with engine_version, and asks for a change when they differ.
func TestAVersionThatIsNotInstalledIsShownAsItWasAskedFor(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	ctx, c := t.Context(), b.admin()
	for _, test := range []struct{ id, engine, asked, shown, gets, group string }{
		{"seven", "redis", "7.1", "7.1.0", "7.0.15", "default.redis7"},
		{"patch", "redis", "7.0.7", "7.0.7", "7.0.15", "default.redis7"},
		{"there", "redis", "7.0", "7.0.15", "7.0.15", "default.redis7"},
		{"valkey", "valkey", "7.2", "7.2.0", "8.1.1", "default.valkey7"},
	} {
		must(c.CreateReplicationGroup(ctx, &sdk.CreateReplicationGroupInput{ReplicationGroupId: aws.String(test.id), ReplicationGroupDescription: aws.String("d"), Port: aws.Int32(7001),
			Engine: aws.String(test.engine), EngineVersion: aws.String(test.asked), CacheNodeType: aws.String("cache.t4g.micro"), CacheParameterGroupName: aws.String(test.group)}))(t)
		b.settle()
		shown := func() string {
			m := must(c.DescribeCacheClusters(ctx, &sdk.DescribeCacheClustersInput{CacheClusterId: aws.String(test.id + "-001")}))(t).CacheClusters[0]
			return aws.ToString(m.EngineVersion) + " " + aws.ToString(m.CacheParameterGroup.CacheParameterGroupName)
		}
		if want := test.shown + " " + test.group; shown() != want {
			t.Errorf("%s is shown as %s, want %s", test.asked, shown(), want)
		}
		if cluster := must(b.db.Clusters.Get(ctx, test.id))(t); cluster.EngineVersion != test.gets {
			t.Errorf("%s gets %s, want %s", test.asked, cluster.EngineVersion, test.gets)
		}
		// Asking for the same again changes nothing.
		must(c.ModifyReplicationGroup(ctx, &sdk.ModifyReplicationGroupInput{ReplicationGroupId: aws.String(test.id), EngineVersion: aws.String(test.asked)}))(t)
		if want := test.shown + " " + test.group; shown() != want {
			t.Errorf("afterwards %s is shown as %s, want %s", test.asked, shown(), want)
		}
	}

	// A version that the same engine stands in for is a change in name only.
	modify := func(id, version string) error {
		_, err := c.ModifyReplicationGroup(ctx, &sdk.ModifyReplicationGroupInput{ReplicationGroupId: aws.String(id), EngineVersion: aws.String(version)})
		return err
	}
	for _, version := range []string{"7.0", "7.1"} {
		if err := modify("seven", version); err != nil {
			t.Errorf("to %s: %v", version, err)
		}
	}
	for id, version := range map[string]string{"seven": "6.2", "there": "8.0", "valkey": "8.1"} { // the last is of another family
		if err := modify(id, version); errorCode(err) != "InvalidParameterCombination" {
			t.Errorf("%s to %s: %v", id, version, err)
		}
	}
	must(c.CreateSnapshot(ctx, &sdk.CreateSnapshotInput{ReplicationGroupId: aws.String("seven"), SnapshotName: aws.String("of-seven")}))(t)
	b.settle()
	if s := must(c.DescribeSnapshots(ctx, &sdk.DescribeSnapshotsInput{SnapshotName: aws.String("of-seven")}))(t).Snapshots[0]; aws.ToString(s.EngineVersion) != "7.1.0" {
		t.Errorf("its snapshot is shown as %s", aws.ToString(s.EngineVersion))
	}
	events := must(c.DescribeEvents(ctx, &sdk.DescribeEventsInput{SourceIdentifier: aws.String("seven"), SourceType: types.SourceTypeReplicationGroup}))(t).Events
	told := "The cluster seven was requested with redis 7.1.0, which is not installed on this host. It gets redis 7.0.15."
	if !slices.ContainsFunc(events, func(e types.Event) bool { return aws.ToString(e.Message) == told }) {
		t.Errorf("not said: %s", told)
	}
}
