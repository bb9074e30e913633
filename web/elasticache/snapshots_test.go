package elasticache

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/elasticache"
	"github.com/aws/aws-sdk-go-v2/service/elasticache/types"

	"rekindle/models"
)

func TestSnapshotsAreFilteredAndCopied(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	ctx, c := t.Context(), b.admin()
	b.launch(models.ClusterSpec{Name: "orders", Replicas: 1, Retention: 3})
	b.launch(models.ClusterSpec{Name: "other", Replicas: 1})
	must(c.CreateSnapshot(ctx, &sdk.CreateSnapshotInput{SnapshotName: aws.String("One"), ReplicationGroupId: aws.String("orders"), Tags: []types.Tag{{Key: aws.String("a"), Value: aws.String("")}}}))(t)
	b.settle()
	must(c.CreateSnapshot(ctx, &sdk.CreateSnapshotInput{SnapshotName: aws.String("two"), CacheClusterId: aws.String("orders-001")}))(t)
	b.settle()
	must(c.CreateSnapshot(ctx, &sdk.CreateSnapshotInput{SnapshotName: aws.String("three"), ReplicationGroupId: aws.String("other")}))(t)
	b.settle()
	b.clock.Advance(25 * time.Hour)
	if n := must(b.db.Schedule.QueueDue(ctx))(t); n > 1 {
		t.Fatal("queued", n)
	}
	for range 24 * 60 { // until its window has come
		b.clock.Advance(time.Minute)
		if must(b.db.Schedule.QueueDue(ctx))(t) > 0 {
			break
		}
	}
	b.settle()
	for want, input := range map[string]*sdk.DescribeSnapshotsInput{
		"one three two": {SnapshotSource: aws.String("user")},
		"automatic.":    {SnapshotSource: aws.String("system")},
		"one two":       {ReplicationGroupId: aws.String("orders"), SnapshotSource: aws.String("user")},
		"two":           {CacheClusterId: aws.String("orders-001")},
		"one":           {CacheClusterId: aws.String("orders-002"), SnapshotSource: aws.String("user")},
		"three":         {SnapshotName: aws.String("THREE")},
	} {
		var names []string
		for _, s := range must(c.DescribeSnapshots(ctx, input))(t).Snapshots {
			names = append(names, aws.ToString(s.SnapshotName))
		}
		if got := strings.Join(names, " "); got != want && (want != "automatic." || !strings.HasPrefix(got, want)) {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	s := must(c.DescribeSnapshots(ctx, &sdk.DescribeSnapshotsInput{SnapshotName: aws.String("one"), ShowNodeGroupConfig: aws.Bool(true)}))(t).Snapshots[0]
	if aws.ToString(s.SnapshotSource) != "manual" || len(s.NodeSnapshots) != 1 || aws.ToString(s.NodeSnapshots[0].CacheSize) != "3 MB" || s.NodeSnapshots[0].SnapshotCreateTime == nil ||
		aws.ToString(s.NodeSnapshots[0].NodeGroupConfiguration.Slots) != "0-16383" || aws.ToString(s.ARN) != "arn:aws:elasticache:eu-central-1:123456789012:snapshot:one" {
		t.Errorf("%+v", s)
	}
	copied := must(c.CopySnapshot(ctx, &sdk.CopySnapshotInput{SourceSnapshotName: aws.String("one"), TargetSnapshotName: aws.String("one-copy"), Tags: []types.Tag{{Key: aws.String("k"), Value: aws.String("v")}}}))(t)
	if aws.ToString(copied.Snapshot.SnapshotName) != "one-copy" || aws.ToString(copied.Snapshot.SnapshotStatus) != "creating" {
		t.Errorf("%+v", copied.Snapshot)
	}
	tags := must(c.ListTagsForResource(ctx, &sdk.ListTagsForResourceInput{ResourceName: copied.Snapshot.ARN}))(t).TagList
	if len(tags) != 1 || aws.ToString(tags[0].Value) != "v" {
		t.Errorf("tags of the copy: %+v", tags)
	}
	b.settle()
	node := must(c.DescribeCacheClusters(ctx, &sdk.DescribeCacheClustersInput{CacheClusterId: aws.String("orders-002")}))(t).CacheClusters[0]
	if s.CacheClusterCreateTime == nil || !s.CacheClusterCreateTime.Equal(*node.CacheClusterCreateTime) || s.NodeSnapshots[0].CacheNodeCreateTime == nil ||
		!s.NodeSnapshots[0].CacheNodeCreateTime.Equal(*node.CacheClusterCreateTime) {
		t.Errorf("created %v and %v, not %v", s.CacheClusterCreateTime, s.NodeSnapshots[0].CacheNodeCreateTime, node.CacheClusterCreateTime)
	}
	exported := must(c.CopySnapshot(ctx, &sdk.CopySnapshotInput{SourceSnapshotName: aws.String("one"), TargetSnapshotName: aws.String("out"), TargetBucket: aws.String("my-bucket")}))(t)
	if aws.ToString(exported.Snapshot.SnapshotStatus) != "exporting" || aws.ToString(exported.Snapshot.SnapshotName) != "out" {
		t.Errorf("%+v", exported.Snapshot)
	}
	run := must(b.db.Runs.Active(ctx))(t)[0]
	if args := must(run.Carries())(t); run.Kind != models.RunExport || args.Store != "s3://my-bucket?region=eu-central-1" || args.Target != "out" {
		t.Errorf("%+v %+v", run, args)
	}
}

// Ansible's elasticache_snapshot sends both names, always.
func TestASnapshotIsTakenOfAGroupAndItsMember(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	ctx, c := t.Context(), b.admin()
	b.launch(models.ClusterSpec{Name: "orders", Replicas: 1})
	both := &sdk.CreateSnapshotInput{SnapshotName: aws.String("both"), ReplicationGroupId: aws.String("orders"), CacheClusterId: aws.String("orders-001")}
	if s := must(c.CreateSnapshot(ctx, both))(t).Snapshot; aws.ToString(s.ReplicationGroupId) != "orders" || aws.ToString(s.CacheClusterId) != "orders-001" {
		t.Errorf("%+v", s)
	}
	b.settle()
	if _, err := c.CreateSnapshot(ctx, both); errorCode(err) != "SnapshotAlreadyExistsFault" {
		t.Errorf("again: %v", err)
	}
	for member, want := range map[string]int{"orders-001": 1, "orders-002": 0} {
		found := must(c.DescribeSnapshots(ctx, &sdk.DescribeSnapshotsInput{ReplicationGroupId: aws.String("orders"), CacheClusterId: aws.String(member)}))(t)
		if len(found.Snapshots) != want {
			t.Errorf("%s: %+v", member, found.Snapshots)
		}
	}
	created := must(c.DescribeSnapshots(ctx, &sdk.DescribeSnapshotsInput{SnapshotName: aws.String("both")}))(t).Snapshots[0].CacheClusterCreateTime
	must(c.DeleteReplicationGroup(ctx, &sdk.DeleteReplicationGroupInput{ReplicationGroupId: aws.String("orders")}))(t)
	b.settle()
	if _, err := c.DescribeReplicationGroups(ctx, &sdk.DescribeReplicationGroupsInput{ReplicationGroupId: aws.String("orders")}); errorCode(err) != "ReplicationGroupNotFoundFault" {
		t.Fatalf("the group is still there: %v", err)
	}
	for _, left := range []*sdk.DescribeSnapshotsInput{{ReplicationGroupId: aws.String("orders")}, {CacheClusterId: aws.String("orders-001")}} {
		found := must(c.DescribeSnapshots(ctx, left))(t).Snapshots
		if len(found) != 1 || created == nil || found[0].CacheClusterCreateTime == nil || !found[0].CacheClusterCreateTime.Equal(*created) {
			t.Errorf("what a deleted group has left: %+v", found)
		}
	}
	automatic := must(c.DescribeSnapshots(ctx, &sdk.DescribeSnapshotsInput{ReplicationGroupId: aws.String("orders"), SnapshotSource: aws.String("system")}))(t)
	if len(automatic.Snapshots) != 0 {
		t.Errorf("%+v", automatic.Snapshots)
	}
}

func TestClustersAreFilledFromSnapshotsAndFiles(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	ctx, c := t.Context(), b.admin()
	b.launch(models.ClusterSpec{Name: "orders", NodeType: "cache.t4g.medium"})
	must(b.db.Snapshots.Request(ctx, "orders", "s", false, "test"))(t)
	b.settle()
	// Engine and node type default to the snapshot's.
	g := must(c.CreateReplicationGroup(ctx, &sdk.CreateReplicationGroupInput{ReplicationGroupId: aws.String("again"), ReplicationGroupDescription: aws.String("d"), SnapshotName: aws.String("S")}))(t).ReplicationGroup
	if aws.ToString(g.CacheNodeType) != "cache.t4g.medium" || aws.ToString(g.Engine) != "redis" {
		t.Errorf("%+v", g)
	}
	if s := must(c.DescribeSnapshots(ctx, &sdk.DescribeSnapshotsInput{SnapshotName: aws.String("s")}))(t).Snapshots[0]; aws.ToString(s.SnapshotStatus) != "restoring" {
		t.Errorf("%+v", s)
	}
	must(c.CreateCacheCluster(ctx, &sdk.CreateCacheClusterInput{CacheClusterId: aws.String("files"), Engine: aws.String("redis"), CacheNodeType: aws.String("cache.t4g.small"),
		SnapshotArns: []string{"arn:aws:s3:::bucket/a b/100%/ä+b%41?#.rdb"}}))(t)
	runs := must(b.db.Runs.Active(ctx))(t)
	imported, restored := runs[1], runs[2]
	args := must(models.Args[models.ImportArgs](imported))(t)
	if restored.Kind != models.RunRestore || restored.SnapshotName != imported.SnapshotName ||
		!slices.Equal(args.Sources, []string{"s3://bucket/a b/100%/ä+b%41?#.rdb?region=eu-central-1"}) {
		t.Errorf("%+v %+v %+v", imported, args, restored)
	}
}
