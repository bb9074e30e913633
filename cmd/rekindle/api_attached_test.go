package main

import (
	"bytes"
	"database/sql"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/elasticache"
	"github.com/aws/aws-sdk-go-v2/service/elasticache/types"

	"rekindle/internal/testkit"
	"rekindle/models"
)

// attach attaches a cluster by the command, while the console runs.
func (a *apiConsole) attach(name string, args ...string) {
	a.t.Helper()
	var out, said bytes.Buffer
	if code := run(a.t.Context(), append([]string{"attach", name, "--data", a.data}, args...), func(string) string { return "" }, &out, &said); code != exitOK {
		a.t.Fatalf("attach %s: %d %s%s", name, code, out.String(), said.String())
	}
}

func TestTheSDKBacksUpWhatIsAttached(t *testing.T) {
	t.Parallel()
	a := newAPIConsole(t)
	ctx, c := t.Context(), a.sdk
	primary := testkit.Redis(t)
	replica := testkit.Redis(t, "--replicaof", primary.Host+" "+strconv.Itoa(primary.Port))
	testkit.WaitFor(t, "the replica is in step", func() bool {
		return strings.Contains(replica.Client().Info(ctx, "replication").Val(), "master_link_status:up")
	})
	testkit.Fill(t, primary.Client(), 500)
	want := testkit.Fingerprint(t, primary.Client())
	a.attach("pair", "--address", primary.Addr, "--retention", "3")

	pair := a.group("pair")
	if e := pair.NodeGroups[0]; aws.ToInt32(e.PrimaryEndpoint.Port) != int32(primary.Port) || aws.ToInt32(e.ReaderEndpoint.Port) != int32(replica.Port) || aws.ToString(e.PrimaryEndpoint.Address) != primary.Host {
		t.Errorf("%+v", e)
	}
	must(c.CreateSnapshot(ctx, &elasticache.CreateSnapshotInput{SnapshotName: aws.String("first"), ReplicationGroupId: aws.String("pair")}))(t)
	a.snapshot("first")
	must(c.CreateReplicationGroup(ctx, &elasticache.CreateReplicationGroupInput{ReplicationGroupId: aws.String("again"), ReplicationGroupDescription: aws.String("d"), SnapshotName: aws.String("first")}))(t)
	again := a.group("again")
	if got := testkit.Fingerprint(t, a.redis(primaryOf(again), "")); got != want || aws.ToString(again.CacheNodeType) != "cache.t4g.micro" {
		t.Errorf("restored on %s: %s\nwant %s", aws.ToString(again.CacheNodeType), got, want)
	}

	nodes := testkit.InClusterMode(t, 3, 3)
	a.attach("many", "--address", nodes[5].Addr)
	many := a.group("many")
	if !aws.ToBool(many.ClusterEnabled) || many.ClusterMode != types.ClusterModeEnabled || aws.ToInt32(many.ConfigurationEndpoint.Port) != int32(nodes[0].Port) || len(many.NodeGroups) != 3 || len(many.MemberClusters) != 6 {
		t.Errorf("%+v", many)
	}
	must(c.CreateSnapshot(ctx, &elasticache.CreateSnapshotInput{SnapshotName: aws.String("whole"), ReplicationGroupId: aws.String("many")}))(t)
	a.snapshot("whole")
	s := must(c.DescribeSnapshots(ctx, &elasticache.DescribeSnapshotsInput{SnapshotName: aws.String("whole"), ShowNodeGroupConfig: aws.Bool(true)}))(t).Snapshots[0]
	var got []string
	for _, n := range s.NodeSnapshots {
		got = append(got, fmt.Sprint(aws.ToString(n.NodeGroupId), " ", aws.ToString(n.CacheClusterId), " ", aws.ToString(n.NodeGroupConfiguration.Slots)))
	}
	if want := []string{"0001 many-0001-002 0-5460", "0002 many-0002-002 5461-10921", "0003 many-0003-002 10922-16383"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	if _, err := c.TestFailover(ctx, &elasticache.TestFailoverInput{ReplicationGroupId: aws.String("many"), NodeGroupId: aws.String("0002")}); err == nil || !strings.Contains(err.Error(), "is attached") {
		t.Errorf("a failover: %v", err)
	}

	// It is only let go of: all snapshots stay, and the nodes run on.
	must(c.CreateSnapshot(ctx, &elasticache.CreateSnapshotInput{SnapshotName: aws.String("nightly"), ReplicationGroupId: aws.String("pair")}))(t)
	a.snapshot("nightly")
	db := must(sql.Open("sqlite3", filepath.Join(a.data, catalogFile)+"?_busy_timeout=5000"))(t)
	defer db.Close()
	must(db.ExecContext(ctx, "UPDATE snapshots SET source = 'automatic' WHERE name = 'nightly'"))(t)
	must(c.DeleteReplicationGroup(ctx, &elasticache.DeleteReplicationGroupInput{ReplicationGroupId: aws.String("pair")}))(t)
	testkit.WaitFor(t, "the cluster is detached", func() bool {
		_, err := a.catalog().Clusters.Get(ctx, "pair")
		return models.HasCode(err, models.CodeClusterNotFound)
	})
	if left := must(c.DescribeSnapshots(ctx, &elasticache.DescribeSnapshotsInput{ReplicationGroupId: aws.String("pair")}))(t).Snapshots; len(left) != 2 {
		t.Errorf("left are %+v", left)
	}
	for _, node := range []*testkit.Server{primary, replica} {
		if testkit.Fingerprint(t, node.Client()) != want {
			t.Errorf("%s holds other data", node.Addr)
		}
	}
}
