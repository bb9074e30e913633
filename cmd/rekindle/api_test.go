package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/elasticache"
	"github.com/aws/aws-sdk-go-v2/service/elasticache/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/redis/go-redis/v9"

	"rekindle/internal/testkit"
)

// The ElastiCache API of a real console with real nodes, through Amazon's SDK for Go. Other clients are in api_clients_test.go.

const (
	apiKeyID  = "AKIAOFTHETESTS"
	apiSecret = "the-secret-of-the-tests"
	apiRegion = "eu-central-1"
)

// apiConsole is a console with an access key in its environment.
type apiConsole struct {
	*process
	sdk *elasticache.Client
}

func newAPIConsole(t *testing.T, flags ...string) *apiConsole {
	t.Helper()
	return serveAPI(newProcess(t), flags...)
}

// serveAPI starts a console with an access key.
func serveAPI(p *process, flags ...string) *apiConsole {
	a := &apiConsole{process: p}
	a.env = []string{accessKeyVariable + "=" + apiKeyID, secretKeyVariable + "=" + apiSecret,
		"AWS_ACCESS_KEY_ID=" + testkit.S3AccessKey, "AWS_SECRET_ACCESS_KEY=" + testkit.S3SecretKey}
	a.start(flags...)
	a.connect()
	return a
}

// connect makes the client of the API.
func (a *apiConsole) connect() {
	a.sdk = elasticache.New(elasticache.Options{Region: apiRegion, BaseEndpoint: &a.url, Credentials: credentials.NewStaticCredentialsProvider(apiKeyID, apiSecret, "")})
}

// must returns value, or ends the test.
func must[T any](value T, err error) func(testing.TB) T {
	return func(t testing.TB) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return value
	}
}

// group waits until a replication group is available and returns it.
func (a *apiConsole) group(id string) types.ReplicationGroup {
	a.t.Helper()
	waiter := elasticache.NewReplicationGroupAvailableWaiter(a.sdk, func(o *elasticache.ReplicationGroupAvailableWaiterOptions) {
		o.MinDelay, o.MaxDelay = 50*time.Millisecond, 200*time.Millisecond
	})
	found, err := waiter.WaitForOutput(a.t.Context(), &elasticache.DescribeReplicationGroupsInput{ReplicationGroupId: &id}, 5*time.Minute)
	if err != nil {
		a.t.Fatalf("wait for %s: %v", id, err)
	}
	return found.ReplicationGroups[0]
}

// snapshot waits until a snapshot is available.
func (a *apiConsole) snapshot(name string) types.Snapshot {
	a.t.Helper()
	var s types.Snapshot
	testkit.WaitFor(a.t, "the snapshot "+name, func() bool {
		found, err := a.sdk.DescribeSnapshots(a.t.Context(), &elasticache.DescribeSnapshotsInput{SnapshotName: &name})
		if err == nil {
			s = found.Snapshots[0]
		}
		if status := aws.ToString(s.SnapshotStatus); status == "failed" {
			a.t.Fatalf("the snapshot %s has failed", name)
		}
		return aws.ToString(s.SnapshotStatus) == "available"
	})
	return s
}

// saysFailover checks that what happened to a group is told in the words, and of the sources, that whoever waits for a failover looks for.
func (a *apiConsole) saysFailover(before, after types.ReplicationGroup) {
	a.t.Helper()
	primary := func(g types.ReplicationGroup) string {
		i := slices.IndexFunc(g.NodeGroups[0].NodeGroupMembers, func(m types.NodeGroupMember) bool { return aws.ToString(m.CurrentRole) == "primary" })
		return aws.ToString(g.NodeGroups[0].NodeGroupMembers[i].CacheClusterId)
	}
	group, from := aws.ToString(before.ReplicationGroupId), primary(before)
	done := fmt.Sprintf("Failover from primary node %s to replica node %s completed", from, primary(after))
	for _, want := range []struct {
		source, message string
		kind            types.SourceType
	}{
		{group, "Test Failover API called for node group 0001", types.SourceTypeReplicationGroup},
		{from, done, types.SourceTypeCacheCluster},
		{group, done, types.SourceTypeReplicationGroup},
	} {
		events := must(a.sdk.DescribeEvents(a.t.Context(), &elasticache.DescribeEventsInput{SourceIdentifier: &want.source, SourceType: want.kind}))(a.t).Events
		if !slices.ContainsFunc(events, func(e types.Event) bool {
			return aws.ToString(e.Message) == want.message && aws.ToString(e.SourceIdentifier) == want.source && e.SourceType == want.kind
		}) {
			a.t.Errorf("no event of %s says %q", want.source, want.message)
		}
	}
}

func (a *apiConsole) redis(e *types.Endpoint, password string) *redis.Client {
	c := redis.NewClient(&redis.Options{Addr: fmt.Sprintf("%s:%d", aws.ToString(e.Address), aws.ToInt32(e.Port)), Password: password})
	a.t.Cleanup(func() { _ = c.Close() })
	return c
}

func primaryOf(g types.ReplicationGroup) *types.Endpoint { return g.NodeGroups[0].PrimaryEndpoint }

func TestTheSDKBacksUpAndRestores(t *testing.T) {
	t.Parallel()
	a := newAPIConsole(t)
	ctx, c := t.Context(), a.sdk
	const token = "the-token-of-the-orders"
	must(c.CreateReplicationGroup(ctx, &elasticache.CreateReplicationGroupInput{ReplicationGroupId: aws.String("orders"), ReplicationGroupDescription: aws.String("orders"),
		CacheNodeType: aws.String("cache.t4g.micro"), NumCacheClusters: aws.Int32(3), AuthToken: aws.String(token), AutomaticFailoverEnabled: aws.Bool(true)}))(t)
	orders := a.group("orders")
	source := a.redis(primaryOf(orders), token)
	testkit.Fill(t, source, 500)
	want := testkit.Fingerprint(t, source)
	must(c.CreateSnapshot(ctx, &elasticache.CreateSnapshotInput{SnapshotName: aws.String("first"), ReplicationGroupId: aws.String("orders")}))(t)
	if s := a.snapshot("first"); aws.ToString(s.CacheClusterId) == "orders-001" {
		t.Errorf("it names the primary as what was snapshotted: %+v", s)
	}

	// Into two groups side by side, one of them without replicas and without a password.
	for _, id := range []string{"copy-a", "copy-b"} {
		input := &elasticache.CreateReplicationGroupInput{ReplicationGroupId: &id, ReplicationGroupDescription: &id, SnapshotName: aws.String("first")}
		if id == "copy-a" {
			input.AuthToken, input.NumCacheClusters = aws.String(token), aws.Int32(2)
		}
		must(c.CreateReplicationGroup(ctx, input))(t)
	}
	for id, password := range map[string]string{"copy-a": token, "copy-b": ""} {
		restored := a.group(id)
		for _, m := range restored.NodeGroups[0].NodeGroupMembers {
			if got := testkit.Fingerprint(t, a.redis(m.ReadEndpoint, password)); got != want {
				t.Errorf("%s holds other data", aws.ToString(m.CacheClusterId))
			}
		}
	}

	// A failover loses nothing, and neither does a restart of the old primary.
	must(c.TestFailover(ctx, &elasticache.TestFailoverInput{ReplicationGroupId: aws.String("orders"), NodeGroupId: aws.String("0001")}))(t)
	after := a.group("orders")
	roles := map[string]string{}
	for _, m := range after.NodeGroups[0].NodeGroupMembers {
		roles[aws.ToString(m.CacheClusterId)] = aws.ToString(m.CurrentRole)
	}
	if roles["orders-001"] != "replica" || aws.ToInt32(primaryOf(after).Port) != 6379 || aws.ToString(primaryOf(after).Address) == aws.ToString(primaryOf(orders).Address) {
		t.Errorf("after the failover: %v", roles)
	}
	a.saysFailover(orders, after)
	must(c.RebootCacheCluster(ctx, &elasticache.RebootCacheClusterInput{CacheClusterId: aws.String("orders-001"), CacheNodeIdsToReboot: []string{"0001"}}))(t)
	a.group("orders")
	for id, role := range roles {
		if role == "primary" {
			must(c.RebootCacheCluster(ctx, &elasticache.RebootCacheClusterInput{CacheClusterId: &id, CacheNodeIdsToReboot: []string{"0001"}}))(t)
		}
	}
	again := a.group("orders")
	for _, m := range again.NodeGroups[0].NodeGroupMembers {
		node := a.redis(m.ReadEndpoint, token)
		testkit.WaitFor(t, aws.ToString(m.CacheClusterId)+" to hold the data", func() bool { return node.DBSize(ctx).Val() > 0 && node.Info(ctx, "replication").Val() != "" })
		if got := testkit.Fingerprint(t, node); got != want {
			t.Errorf("after the restarts %s holds other data", aws.ToString(m.CacheClusterId))
		}
	}

	// It is deleting from the first moment to the last, also while its final snapshot is taken.
	must(c.DeleteReplicationGroup(ctx, &elasticache.DeleteReplicationGroupInput{ReplicationGroupId: aws.String("orders"), FinalSnapshotIdentifier: aws.String("last")}))(t)
	testkit.WaitFor(t, "orders to be gone", func() bool {
		found, err := c.DescribeReplicationGroups(ctx, &elasticache.DescribeReplicationGroupsInput{ReplicationGroupId: aws.String("orders")})
		if _, gone := errors.AsType[*types.ReplicationGroupNotFoundFault](err); gone {
			return true
		}
		if err != nil || aws.ToString(found.ReplicationGroups[0].Status) != "deleting" {
			t.Fatalf("%+v, %v", found, err)
		}
		return false
	})
	must(c.CreateReplicationGroup(ctx, &elasticache.CreateReplicationGroupInput{ReplicationGroupId: aws.String("orders"), ReplicationGroupDescription: aws.String("again"), SnapshotName: aws.String("last")}))(t)
	if got := testkit.Fingerprint(t, a.redis(primaryOf(a.group("orders")), "")); got != want {
		t.Error("what comes back from the final snapshot is other data")
	}
}

func TestParameterGroupsReachTheNodes(t *testing.T) {
	t.Parallel()
	a := newAPIConsole(t)
	ctx, c := t.Context(), a.sdk
	engines := must(c.DescribeCacheEngineVersions(ctx, &elasticache.DescribeCacheEngineVersionsInput{Engine: aws.String("redis"), DefaultOnly: aws.Bool(true)}))(t).CacheEngineVersions
	family := engines[0].CacheParameterGroupFamily
	must(c.CreateCacheParameterGroup(ctx, &elasticache.CreateCacheParameterGroupInput{CacheParameterGroupName: aws.String("mine"), CacheParameterGroupFamily: family, Description: aws.String("d")}))(t)
	set := func(name, value string) {
		t.Helper()
		must(c.ModifyCacheParameterGroup(ctx, &elasticache.ModifyCacheParameterGroupInput{CacheParameterGroupName: aws.String("mine"),
			ParameterNameValues: []types.ParameterNameValue{{ParameterName: &name, ParameterValue: &value}}}))(t)
	}
	set("maxmemory-policy", "allkeys-lfu")
	set("notify-keyspace-events", "AKE")
	must(c.CreateReplicationGroup(ctx, &elasticache.CreateReplicationGroupInput{ReplicationGroupId: aws.String("g"), ReplicationGroupDescription: aws.String("d"),
		CacheNodeType: aws.String("cache.t4g.micro"), NumCacheClusters: aws.Int32(2), CacheParameterGroupName: aws.String("mine")}))(t)
	g := a.group("g")
	nodes := g.NodeGroups[0].NodeGroupMembers
	expect := func(what, name, value string) {
		t.Helper()
		for _, m := range nodes {
			node := a.redis(m.ReadEndpoint, "")
			testkit.WaitFor(t, fmt.Sprintf("%s: %s of %s to be %q", what, name, aws.ToString(m.CacheClusterId), value), func() bool {
				return node.ConfigGet(ctx, name).Val()[name] == value
			})
		}
	}
	expect("from the start", "maxmemory-policy", "allkeys-lfu")
	expect("from the start", "notify-keyspace-events", "AKE")
	set("timeout", "300")
	set("maxmemory-policy", "noeviction")
	expect("while it runs", "timeout", "300")
	expect("while it runs", "maxmemory-policy", "noeviction")
	must(c.ResetCacheParameterGroup(ctx, &elasticache.ResetCacheParameterGroupInput{CacheParameterGroupName: aws.String("mine"), ParameterNameValues: []types.ParameterNameValue{{ParameterName: aws.String("timeout")}}}))(t)
	expect("reset", "timeout", "0")
	must(c.ModifyReplicationGroup(ctx, &elasticache.ModifyReplicationGroupInput{ReplicationGroupId: aws.String("g"), CacheParameterGroupName: aws.String("default." + aws.ToString(family))}))(t)
	expect("another group", "maxmemory-policy", "volatile-lru")
	testkit.WaitFor(t, "the group to be in sync", func() bool {
		m, err := c.DescribeCacheClusters(ctx, &elasticache.DescribeCacheClustersInput{CacheClusterId: aws.String("g-001")})
		return err == nil && aws.ToString(m.CacheClusters[0].CacheParameterGroup.ParameterApplyStatus) == "in-sync"
	})
}

func TestMemcachedClusters(t *testing.T) {
	t.Parallel()
	a := newAPIConsole(t)
	ctx, c := t.Context(), a.sdk
	must(c.CreateCacheCluster(ctx, &elasticache.CreateCacheClusterInput{CacheClusterId: aws.String("mem"), Engine: aws.String("memcached"), CacheNodeType: aws.String("cache.t4g.micro"), NumCacheNodes: aws.Int32(2)}))(t)
	waiter := elasticache.NewCacheClusterAvailableWaiter(c, func(o *elasticache.CacheClusterAvailableWaiterOptions) {
		o.MinDelay, o.MaxDelay = 50*time.Millisecond, 200*time.Millisecond
	})
	describe := &elasticache.DescribeCacheClustersInput{CacheClusterId: aws.String("mem"), ShowCacheNodeInfo: aws.Bool(true)}
	nodes := must(waiter.WaitForOutput(ctx, describe, 5*time.Minute))(t).CacheClusters[0].CacheNodes
	for _, n := range nodes {
		if got := memcached(t, n.Endpoint, "set k 0 0 5\r\nhello\r\n"); got != "STORED" {
			t.Errorf("set: %s", got)
		}
	}
	must(c.RebootCacheCluster(ctx, &elasticache.RebootCacheClusterInput{CacheClusterId: aws.String("mem"), CacheNodeIdsToReboot: []string{"0002"}}))(t)
	must(waiter.WaitForOutput(ctx, describe, 5*time.Minute))(t)
	if kept, lost := memcached(t, nodes[0].Endpoint, "get k\r\n"), memcached(t, nodes[1].Endpoint, "get k\r\n"); kept != "VALUE k 0 5" || lost != "END" {
		t.Errorf("after a restart of the second node: %s, %s", kept, lost)
	}
	_, err := c.CreateSnapshot(ctx, &elasticache.CreateSnapshotInput{SnapshotName: aws.String("s"), CacheClusterId: aws.String("mem")})
	if _, refused := errors.AsType[*types.SnapshotFeatureNotSupportedFault](err); !refused {
		t.Errorf("a snapshot of memcached: %v", err)
	}
	// Nodes outlive the console, and one that has died is brought back.
	a.kill()
	if got := memcached(t, nodes[0].Endpoint, "get k\r\n"); got != "VALUE k 0 5" {
		t.Errorf("without a console: %s", got)
	}
	killNodes(t, a.data)
	a.start()
	a.sdk = elasticache.New(c.Options(), func(o *elasticache.Options) { o.BaseEndpoint = &a.url })
	testkit.WaitFor(t, "the nodes to come back", func() bool {
		conn, err := net.DialTimeout("tcp", fmt.Sprintf("%s:%d", aws.ToString(nodes[1].Endpoint.Address), aws.ToInt32(nodes[1].Endpoint.Port)), time.Second)
		if err == nil {
			_ = conn.Close()
		}
		return err == nil
	})
	must(a.sdk.DeleteCacheCluster(ctx, &elasticache.DeleteCacheClusterInput{CacheClusterId: aws.String("mem")}))(t)
	gone := elasticache.NewCacheClusterDeletedWaiter(a.sdk, func(o *elasticache.CacheClusterDeletedWaiterOptions) {
		o.MinDelay, o.MaxDelay = 50*time.Millisecond, 200*time.Millisecond
	})
	if err := gone.Wait(ctx, describe, 5*time.Minute); err != nil {
		t.Error(err)
	}
}

// memcached sends a command and returns the first line of the answer.
func memcached(t *testing.T, e *types.Endpoint, command string) string {
	t.Helper()
	conn := must((&net.Dialer{Timeout: 5 * time.Second}).DialContext(t.Context(), "tcp", fmt.Sprintf("%s:%d", aws.ToString(e.Address), aws.ToInt32(e.Port))))(t)
	defer conn.Close()
	must(conn.Write([]byte(command)))(t)
	return strings.TrimSpace(must(bufio.NewReader(conn).ReadString('\n'))(t))
}

func TestPlainFilesGoOutAndComeInThroughBuckets(t *testing.T) {
	t.Parallel()
	server := testkit.S3(t)
	for _, bucket := range []string{"snapshots", "exports"} {
		server.Bucket(bucket)
	}
	a := newAPIConsole(t, "--store", "s3://snapshots/console?path_style=true&region="+testkit.S3Region+"&endpoint="+server.Endpoint)
	ctx, c := t.Context(), a.sdk
	must(c.CreateCacheCluster(ctx, &elasticache.CreateCacheClusterInput{CacheClusterId: aws.String("one"), Engine: aws.String("redis"), CacheNodeType: aws.String("cache.t4g.micro")}))(t)
	one := a.cluster("one")
	source := a.redis(one.CacheNodes[0].Endpoint, "")
	testkit.Fill(t, source, 300)
	must(c.CreateSnapshot(ctx, &elasticache.CreateSnapshotInput{SnapshotName: aws.String("s"), CacheClusterId: aws.String("one")}))(t)
	a.snapshot("s")
	must(c.CopySnapshot(ctx, &elasticache.CopySnapshotInput{SourceSnapshotName: aws.String("s"), TargetSnapshotName: aws.String("out"), TargetBucket: aws.String("exports")}))(t)
	testkit.WaitFor(t, "the export", func() bool { return slices.Contains(server.Objects("exports", ""), "out-0001.rdb") })
	a.snapshot("s")
	must(c.CreateReplicationGroup(ctx, &elasticache.CreateReplicationGroupInput{ReplicationGroupId: aws.String("seeded"), ReplicationGroupDescription: aws.String("d"),
		CacheNodeType: aws.String("cache.t4g.micro"), NumCacheClusters: aws.Int32(2), SnapshotArns: []string{"arn:aws:s3:::exports/out-0001.rdb"}}))(t)
	for _, m := range a.group("seeded").NodeGroups[0].NodeGroupMembers {
		if testkit.Fingerprint(t, a.redis(m.ReadEndpoint, "")) != testkit.Fingerprint(t, source) {
			t.Errorf("%s holds other data", aws.ToString(m.CacheClusterId))
		}
	}
	// In cluster mode several files, whatever the number of shards.
	other := testkit.Redis(t)
	arns := make([]string, 3)
	for i := range arns {
		must(other.Client().FlushAll(ctx).Result())(t)
		for k := range 50 {
			must(other.Client().Set(ctx, fmt.Sprintf("%d:%d", i, k), k, 0).Result())(t)
		}
		must(other.Client().Save(ctx).Result())(t)
		folder := must(other.Client().ConfigGet(ctx, "dir").Result())(t)["dir"]
		file := must(os.Open(filepath.Join(folder, "dump.rdb")))(t)
		key := fmt.Sprintf("file-%d.rdb", i)
		must(server.Client().PutObject(ctx, &s3.PutObjectInput{Bucket: aws.String("exports"), Key: &key, Body: file}))(t)
		fine(t, file.Close())
		arns[i] = "arn:aws:s3:::exports/" + key
	}
	must(c.CreateReplicationGroup(ctx, &elasticache.CreateReplicationGroupInput{ReplicationGroupId: aws.String("spread"), ReplicationGroupDescription: aws.String("d"),
		CacheNodeType: aws.String("cache.t4g.micro"), NumNodeGroups: aws.Int32(2), ReplicasPerNodeGroup: aws.Int32(0), SnapshotArns: arns}))(t)
	keys := int64(0)
	for _, member := range a.group("spread").MemberClusters {
		keys += must(a.redis(a.cluster(member).CacheNodes[0].Endpoint, "").DBSize(ctx).Result())(t)
	}
	if keys != 150 {
		t.Errorf("%d keys of three files with 50 each", keys)
	}
	// A file that is not there, and one that is none: the cluster says why, and can be deleted.
	must(c.CreateReplicationGroup(ctx, &elasticache.CreateReplicationGroupInput{ReplicationGroupId: aws.String("lost"), ReplicationGroupDescription: aws.String("d"),
		CacheNodeType: aws.String("cache.t4g.micro"), SnapshotArns: []string{"arn:aws:s3:::exports/nothing.rdb"}}))(t)
	testkit.WaitFor(t, "the group to have failed", func() bool {
		g, err := c.DescribeReplicationGroups(ctx, &elasticache.DescribeReplicationGroupsInput{ReplicationGroupId: aws.String("lost")})
		return err == nil && aws.ToString(g.ReplicationGroups[0].Status) == "create-failed"
	})
	must(c.DeleteReplicationGroup(ctx, &elasticache.DeleteReplicationGroupInput{ReplicationGroupId: aws.String("lost")}))(t)
}

// cluster waits until a cache cluster is available and returns it with its nodes.
func (a *apiConsole) cluster(id string) types.CacheCluster {
	a.t.Helper()
	waiter := elasticache.NewCacheClusterAvailableWaiter(a.sdk, func(o *elasticache.CacheClusterAvailableWaiterOptions) {
		o.MinDelay, o.MaxDelay = 50*time.Millisecond, 200*time.Millisecond
	})
	found, err := waiter.WaitForOutput(context.WithoutCancel(a.t.Context()), &elasticache.DescribeCacheClustersInput{CacheClusterId: &id, ShowCacheNodeInfo: aws.Bool(true)}, time.Minute)
	if err != nil {
		a.t.Fatalf("wait for %s: %v", id, err)
	}
	return found.CacheClusters[0]
}
