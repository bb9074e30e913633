package elasticache

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/elasticache"
	"github.com/aws/aws-sdk-go-v2/service/elasticache/types"

	"rekindle/models"
)

// The test stands in for attached clusters; real ones are attached in cmd/rekindle.

const gib = 1 << 30

// foundPair is a primary with a replica.
func foundPair(topology string, maxMemory int64) models.Found {
	return models.Found{Topology: topology, Engine: models.Engine{Name: "redis", Version: "7.2.4"}, Shards: []models.FoundShard{{Nodes: []models.FoundNode{
		{Address: "db1.example:6380", Role: models.RolePrimary, State: "available", Answers: true, UsedMemory: 2 * gib, MaxMemory: maxMemory},
		{Address: "10.0.0.7:6381", Role: models.RoleReplica, State: "available", Answers: true, UsedMemory: 2*gib + 1, MaxMemory: maxMemory},
	}}}}
}

// foundSharded is a cluster in cluster mode; the first shard has no replica.
func foundSharded() models.Found {
	f := models.Found{Topology: "cluster", Engine: models.Engine{Name: "valkey", Version: "8.1.1"}}
	for i, slots := range []string{"0-5460,16000", "5461-10922", "10923-15999,16001-16383"} {
		shard := models.FoundShard{Slots: slots, Nodes: []models.FoundNode{{Address: fmt.Sprintf("10.0.1.%d:7000", i+1), Ident: fmt.Sprintf("p%d", i), Role: models.RolePrimary, State: "available", Answers: true, UsedMemory: int64(i) << 20}}}
		if i > 0 {
			shard.Nodes = append(shard.Nodes, models.FoundNode{Address: fmt.Sprintf("10.0.2.%d:7000", i+1), Ident: fmt.Sprintf("r%d", i), Role: models.RoleReplica, State: "available", Answers: true})
		}
		f.Shards = append(f.Shards, shard)
	}
	return f
}

func (b *bench) attach(name string, found models.Found, change ...func(*models.AttachSpec)) {
	b.t.Helper()
	spec := models.AttachSpec{Name: name, Description: "was there", Access: models.Access{Addresses: models.Lines{"db1"}}, RequestedBy: "test"}
	for _, f := range change {
		f(&spec)
	}
	must(b.db.Attachments.Attach(b.t.Context(), spec, found))(b.t)
}

func at4(e *types.Endpoint) string {
	if e == nil {
		return "none"
	}
	return fmt.Sprintf("%s:%d", aws.ToString(e.Address), aws.ToInt32(e.Port))
}

func (b *bench) groupNamed(id string) types.ReplicationGroup {
	b.t.Helper()
	return must(b.admin().DescribeReplicationGroups(b.t.Context(), &sdk.DescribeReplicationGroupsInput{ReplicationGroupId: aws.String(id)}))(b.t).ReplicationGroups[0]
}

func TestAttachedClustersAreReplicationGroups(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	ctx, c := t.Context(), b.admin()
	b.attach("pair", foundPair("replicated", 0), func(s *models.AttachSpec) { s.Password, s.TLS, s.Retention = "the-password", true, 3 })
	b.attach("watched", foundMoved(foundPair("sentinel", 3*gib)))
	b.attach("many", foundSharded())

	g := b.groupNamed("pair")
	shard := g.NodeGroups[0]
	if aws.ToString(g.Status) != "available" || aws.ToBool(g.ClusterEnabled) || g.ClusterMode != "disabled" || g.ConfigurationEndpoint != nil || !aws.ToBool(g.TransitEncryptionEnabled) ||
		!aws.ToBool(g.AuthTokenEnabled) || g.AutomaticFailover != "disabled" || aws.ToString(g.CacheNodeType) != "cache.t4g.medium" || aws.ToInt32(g.SnapshotRetentionLimit) != 3 ||
		aws.ToString(g.Description) != "was there" || !slices.Equal(g.MemberClusters, []string{"pair-001", "pair-002"}) || aws.ToString(g.SnapshottingClusterId) != "pair-002" {
		t.Errorf("%+v", g)
	}
	if at4(shard.PrimaryEndpoint) != "db1.example:6380" || at4(shard.ReaderEndpoint) != "10.0.0.7:6381" || aws.ToString(shard.NodeGroupMembers[1].CurrentRole) != "replica" {
		t.Errorf("%+v", shard)
	}
	if g := b.groupNamed("watched"); aws.ToBool(g.TransitEncryptionEnabled) || aws.ToBool(g.AuthTokenEnabled) || g.AutomaticFailover != "enabled" || aws.ToString(g.CacheNodeType) != "cache.t4g.medium" {
		t.Errorf("%+v", g)
	}

	all := must(c.DescribeReplicationGroups(ctx, &sdk.DescribeReplicationGroupsInput{}))(t).ReplicationGroups
	g = all[0]
	if !aws.ToBool(g.ClusterEnabled) || g.ClusterMode != "enabled" || at4(g.ConfigurationEndpoint) != "10.0.1.1:7000" || aws.ToString(g.CacheNodeType) != "cache.t4g.micro" || g.AutomaticFailover != "enabled" {
		t.Errorf("%+v", g)
	}
	var got []string
	for _, s := range g.NodeGroups {
		text := aws.ToString(s.NodeGroupId) + " " + aws.ToString(s.Slots) + " " + at4(s.PrimaryEndpoint) + " " + at4(s.ReaderEndpoint)
		for _, m := range s.NodeGroupMembers {
			text += " " + aws.ToString(m.CacheClusterId) + " " + aws.ToString(m.CurrentRole) + " " + at4(m.ReadEndpoint)
		}
		got = append(got, text)
	}
	if want := []string{
		"0001 0-5460,16000 none none many-0001-001 primary 10.0.1.1:7000",
		"0002 5461-10922 none none many-0002-001 primary 10.0.1.2:7000 many-0002-002 replica 10.0.2.2:7000",
		"0003 10923-15999,16001-16383 none none many-0003-001 primary 10.0.1.3:7000 many-0003-002 replica 10.0.2.3:7000",
	}; !slices.Equal(got, want) {
		t.Errorf("node groups %q", got)
	}

	members := must(c.DescribeCacheClusters(ctx, &sdk.DescribeCacheClustersInput{ShowCacheNodeInfo: aws.Bool(true)}))(t).CacheClusters
	if len(members) != 9 {
		t.Fatalf("%d members", len(members))
	}
	m := must(c.DescribeCacheClusters(ctx, &sdk.DescribeCacheClustersInput{CacheClusterId: aws.String("pair-002"), ShowCacheNodeInfo: aws.Bool(true)}))(t).CacheClusters[0]
	if at4(m.CacheNodes[0].Endpoint) != "10.0.0.7:6381" || aws.ToString(m.ReplicationGroupId) != "pair" || !aws.ToBool(m.TransitEncryptionEnabled) || !aws.ToBool(m.AuthTokenEnabled) ||
		aws.ToString(m.CacheNodeType) != "cache.t4g.medium" || aws.ToString(m.EngineVersion) != "7.2.4" || aws.ToString(m.CacheParameterGroup.CacheParameterGroupName) != "default.redis7" {
		t.Errorf("%+v", m)
	}
	if types := must(c.ListAllowedNodeTypeModifications(ctx, &sdk.ListAllowedNodeTypeModificationsInput{ReplicationGroupId: aws.String("pair")}))(t); len(types.ScaleUpModifications)+len(types.ScaleDownModifications) > 0 {
		t.Errorf("%+v", types)
	}

	// One that does not answer is available to ElastiCache, too.
	b.check(b.db.Attachments.Unreached(ctx, must(b.db.Clusters.Get(ctx, "pair"))(t), "It is away.", nil))
	if g := b.groupNamed("pair"); aws.ToString(g.Status) != "available" || aws.ToString(g.NodeGroups[0].Status) != "unreachable" {
		t.Errorf("%+v", g)
	}
}

// foundMoved is the same cluster at other ports.
func foundMoved(f models.Found) models.Found {
	for i := range f.Shards[0].Nodes {
		f.Shards[0].Nodes[i].Address += "1"
	}
	return f
}

func TestAttachedClustersAreBackedUpAndDetached(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	ctx, c := t.Context(), b.admin()
	b.attach("pair", foundPair("replicated", 0))
	b.attach("many", foundSharded())

	after := must(c.ModifyReplicationGroup(ctx, &sdk.ModifyReplicationGroupInput{ReplicationGroupId: aws.String("many"), ReplicationGroupDescription: aws.String("other"), SnapshotRetentionLimit: aws.Int32(9),
		SnapshotWindow: aws.String("04:00-05:00"), SnapshottingClusterId: aws.String("many-0003-001"), PreferredMaintenanceWindow: aws.String("mon:06:00-mon:07:00")}))(t).ReplicationGroup
	if aws.ToString(after.Status) != "available" || aws.ToString(after.Description) != "other" || aws.ToInt32(after.SnapshotRetentionLimit) != 9 || aws.ToString(after.SnapshotWindow) != "04:00-05:00" ||
		aws.ToString(after.SnapshottingClusterId) != "many-0003-001" {
		t.Errorf("%+v", after)
	}
	// Asking for what is already so changes nothing.
	must(c.ModifyReplicationGroup(ctx, &sdk.ModifyReplicationGroupInput{ReplicationGroupId: aws.String("many"), CacheNodeType: after.CacheNodeType, EngineVersion: aws.String("8.1"), Engine: aws.String("valkey"),
		CacheParameterGroupName: aws.String("default.valkey8"), ClusterMode: types.ClusterModeEnabled, TransitEncryptionEnabled: aws.Bool(false), AutomaticFailoverEnabled: aws.Bool(true), MultiAZEnabled: aws.Bool(false)}))(t)
	must(c.ModifyCacheCluster(ctx, &sdk.ModifyCacheClusterInput{CacheClusterId: aws.String("pair-002"), SnapshotRetentionLimit: aws.Int32(2)}))(t)
	if g := b.groupNamed("pair"); aws.ToInt32(g.SnapshotRetentionLimit) != 2 || aws.ToString(g.SnapshottingClusterId) != "pair-002" {
		t.Errorf("%+v", g)
	}

	parts := func() []models.Part {
		var parts []models.Part
		for i, s := range must(b.db.Clusters.Get(ctx, "many"))(t).Shards() {
			parts = append(parts, models.Part{Number: s.Number, Object: fmt.Sprintf("part-%d", i), Slots: s.Slots, Bytes: 2 << 20, Keys: 5, ServedBy: s.Nodes[len(s.Nodes)-1].Name})
		}
		return parts
	}()
	making := must(c.CreateSnapshot(ctx, &sdk.CreateSnapshotInput{SnapshotName: aws.String("whole"), ReplicationGroupId: aws.String("many")}))(t).Snapshot
	if len(making.NodeSnapshots) != 3 || aws.ToInt32(making.NumNodeGroups) != 3 || making.CacheNodeType != nil {
		t.Errorf("%+v", making)
	}
	owner := must(b.db.Owners.Enroll(ctx, (&host{}).Home(), 1<<40))(t)
	run, _, err := b.db.Runs.Claim(ctx, owner.ID, func(models.Run) bool { return true })
	b.check(err)
	measured := b.measured("whole")
	measured.Parts = parts
	b.check(b.db.Settle.Snapshot(ctx, run, measured))
	s := must(c.DescribeSnapshots(ctx, &sdk.DescribeSnapshotsInput{ReplicationGroupId: aws.String("many"), ShowNodeGroupConfig: aws.Bool(true)}))(t).Snapshots[0]
	var got []string
	for _, n := range s.NodeSnapshots {
		got = append(got, strings.Join([]string{aws.ToString(n.NodeGroupId), aws.ToString(n.CacheClusterId), aws.ToString(n.CacheSize), aws.ToString(n.NodeGroupConfiguration.Slots)}, " "))
	}
	if want := []string{"0001 many-0001-001 2 MB 0-5460,16000", "0002 many-0002-002 2 MB 5461-10922", "0003 many-0003-002 2 MB 10923-15999,16001-16383"}; !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
	if aws.ToString(s.ReplicationGroupId) != "many" || aws.ToString(s.CacheNodeType) != "cache.t4g.micro" || aws.ToString(s.Engine) != "valkey" {
		t.Errorf("%+v", s)
	}
	// All of them fit into one.
	joined := must(c.CreateReplicationGroup(ctx, &sdk.CreateReplicationGroupInput{ReplicationGroupId: aws.String("joined"), ReplicationGroupDescription: aws.String("d"), SnapshotName: aws.String("whole"), EngineVersion: aws.String("8.1")}))(t)
	if status := aws.ToString(joined.ReplicationGroup.Status); status != "creating" {
		t.Errorf("a restore of three shards is %s", status)
	}
	b.settle()

	// One shard comes back on the smallest node type that holds it.
	must(c.CreateSnapshot(ctx, &sdk.CreateSnapshotInput{SnapshotName: aws.String("one"), CacheClusterId: aws.String("pair-002")}))(t)
	b.settle()
	made := must(c.CreateReplicationGroup(ctx, &sdk.CreateReplicationGroupInput{ReplicationGroupId: aws.String("again"), ReplicationGroupDescription: aws.String("d"), SnapshotName: aws.String("one"), EngineVersion: aws.String("7.0")}))(t)
	if aws.ToString(made.ReplicationGroup.CacheNodeType) != "cache.t4g.micro" {
		t.Errorf("%+v", made.ReplicationGroup)
	}
	b.settle()

	deleted := must(c.DeleteReplicationGroup(ctx, &sdk.DeleteReplicationGroupInput{ReplicationGroupId: aws.String("pair"), FinalSnapshotIdentifier: aws.String("last")}))(t)
	if aws.ToString(deleted.ReplicationGroup.Status) != "deleting" {
		t.Errorf("%+v", deleted.ReplicationGroup)
	}
	b.settle()
	if names := ids(must(c.DescribeSnapshots(ctx, &sdk.DescribeSnapshotsInput{ReplicationGroupId: aws.String("pair")}))(t).Snapshots, func(s types.Snapshot) *string { return s.SnapshotName }); names != "[last one]" {
		t.Error(names)
	}
	events := must(c.DescribeEvents(ctx, &sdk.DescribeEventsInput{SourceType: types.SourceTypeReplicationGroup, SourceIdentifier: aws.String("pair")}))(t).Events
	if !slices.ContainsFunc(events, func(e types.Event) bool {
		return strings.Contains(aws.ToString(e.Message), "was detached; its nodes run on")
	}) {
		t.Errorf("%+v", events)
	}
}

func TestNothingChangesTheNodesOfAnAttachedCluster(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.attach("pair", foundPair("replicated", 0), func(s *models.AttachSpec) { s.Password = "the-password" })
	b.attach("many", foundSharded())
	must(b.db.Parameters.Create(t.Context(), "mine", "redis7", "d", nil))(t)
	content := func() string { return string(must(json.Marshal(must(b.db.Clusters.All(t.Context()))(t)))(t)) }
	before := content()
	const group, cluster, failover = "InvalidReplicationGroupState", "InvalidCacheClusterState", "TestFailoverNotAvailableFault"
	for _, one := range []struct {
		action string
		with   []string
		code   string
	}{
		{"ModifyReplicationGroup", []string{"ReplicationGroupId", "pair", "CacheNodeType", "cache.r7g.large"}, group},
		{"ModifyReplicationGroup", []string{"ReplicationGroupId", "pair", "EngineVersion", "8.0"}, group},
		{"ModifyReplicationGroup", []string{"ReplicationGroupId", "pair", "Engine", "valkey"}, group},
		{"ModifyReplicationGroup", []string{"ReplicationGroupId", "pair", "CacheParameterGroupName", "mine"}, group},
		{"ModifyReplicationGroup", []string{"ReplicationGroupId", "many", "CacheParameterGroupName", "nope"}, group},
		{"ModifyReplicationGroup", []string{"ReplicationGroupId", "pair", "AuthToken", "another-token-of-it"}, group},
		{"ModifyReplicationGroup", []string{"ReplicationGroupId", "pair", "AuthTokenUpdateStrategy", "DELETE"}, group},
		{"ModifyReplicationGroup", []string{"ReplicationGroupId", "pair", "PrimaryClusterId", "pair-002"}, group},
		{"ModifyReplicationGroup", []string{"ReplicationGroupId", "pair", "AutomaticFailoverEnabled", "true"}, group},
		{"ModifyReplicationGroup", []string{"ReplicationGroupId", "many", "AutomaticFailoverEnabled", "false"}, group},
		{"ModifyReplicationGroup", []string{"ReplicationGroupId", "pair", "MultiAZEnabled", "true"}, group},
		{"ModifyReplicationGroup", []string{"ReplicationGroupId", "pair", "TransitEncryptionEnabled", "true"}, group},
		{"ModifyReplicationGroup", []string{"ReplicationGroupId", "many", "ClusterMode", "disabled"}, group},
		{"IncreaseReplicaCount", []string{"ReplicationGroupId", "pair", "NewReplicaCount", "3", "ApplyImmediately", "true"}, group},
		{"IncreaseReplicaCount", []string{"ReplicationGroupId", "many", "ReplicaConfiguration.ConfigureShard.1.NodeGroupId", "0002", "ReplicaConfiguration.ConfigureShard.1.NewReplicaCount", "2", "ApplyImmediately", "true"}, group},
		{"DecreaseReplicaCount", []string{"ReplicationGroupId", "many", "NewReplicaCount", "0", "ApplyImmediately", "true"}, group},
		{"DecreaseReplicaCount", []string{"ReplicationGroupId", "pair", "ReplicasToRemove.member.1", "pair-001", "ApplyImmediately", "true"}, group},
		{"TestFailover", []string{"ReplicationGroupId", "pair", "NodeGroupId", "0001"}, failover},
		{"TestFailover", []string{"ReplicationGroupId", "many", "NodeGroupId", "0001"}, failover},
		{"TestFailover", []string{"ReplicationGroupId", "many", "NodeGroupId", "0003"}, failover},
		{"CreateCacheCluster", []string{"ReplicationGroupId", "pair", "CacheClusterId", "pair-003"}, group},
		{"DeleteCacheCluster", []string{"CacheClusterId", "pair-001"}, cluster},
		{"DeleteCacheCluster", []string{"CacheClusterId", "many-0002-002"}, cluster},
		{"ModifyCacheCluster", []string{"CacheClusterId", "pair-001", "EngineVersion", "8.0"}, cluster},
		{"ModifyCacheCluster", []string{"CacheClusterId", "many-0002-001", "CacheParameterGroupName", "mine"}, cluster},
		{"RebootCacheCluster", []string{"CacheClusterId", "many-0002-001", "CacheNodeIdsToReboot.CacheNodeId.1", "0001"}, cluster},
	} {
		status, body := b.send(form(one.action, one.with...))
		if status != 400 || code(body) != one.code || !strings.Contains(body, "is attached: its nodes were there before") {
			t.Errorf("%s %v: %d %s", one.action, one.with, status, body)
		}
	}
	if status, body := b.send(form("TestFailover", "ReplicationGroupId", "many", "NodeGroupId", "0004")); status != 404 || code(body) != "NodeGroupNotFoundFault" || !strings.Contains(body, "0001, 0002, 0003") {
		t.Errorf("%d %s", status, body)
	}
	if after := content(); after != before {
		t.Errorf("a refusal has changed something:\n%s\n%s", before, after)
	}
	if runs := must(b.db.Runs.Active(t.Context()))(t); len(runs) > 0 || b.log.Len() > 0 {
		t.Errorf("runs %+v, log %s", runs, b.log)
	}
}

func TestWhatAClustersFileSaysIsNotChangedByTheAPI(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.attach("pair", foundPair("replicated", 0), func(s *models.AttachSpec) { s.Declared = "/etc/clusters.yaml" })
	content := func() string { return string(must(json.Marshal(must(b.db.Clusters.All(t.Context()))(t)))(t)) }
	before := content()
	for _, one := range []struct {
		action string
		with   []string
		code   string
	}{
		{"ModifyReplicationGroup", []string{"ReplicationGroupId", "pair", "SnapshotRetentionLimit", "9"}, "InvalidReplicationGroupState"},
		{"ModifyReplicationGroup", []string{"ReplicationGroupId", "pair", "SnapshotWindow", "05:00-06:00"}, "InvalidReplicationGroupState"},
		{"ModifyReplicationGroup", []string{"ReplicationGroupId", "pair", "ReplicationGroupDescription", "other"}, "InvalidReplicationGroupState"},
		{"ModifyCacheCluster", []string{"CacheClusterId", "pair-002", "SnapshotRetentionLimit", "2"}, "InvalidCacheClusterState"},
		{"DeleteReplicationGroup", []string{"ReplicationGroupId", "pair"}, "InvalidReplicationGroupState"},
		{"DeleteReplicationGroup", []string{"ReplicationGroupId", "pair", "FinalSnapshotIdentifier", "last"}, "InvalidReplicationGroupState"},
	} {
		status, body := b.send(form(one.action, one.with...))
		if status != 400 || code(body) != one.code || !strings.Contains(body, "The cluster pair comes from the clusters file /etc/clusters.yaml: change it there, and send the console SIGHUP.") {
			t.Errorf("%s %v: %d %s", one.action, one.with, status, body)
		}
	}
	if after := content(); after != before {
		t.Errorf("a refusal has changed something:\n%s\n%s", before, after)
	}
	if status, body := b.send(form("CreateSnapshot", "ReplicationGroupId", "pair", "SnapshotName", "by-hand")); status != 200 {
		t.Errorf("a snapshot: %d %s", status, body)
	}
}
