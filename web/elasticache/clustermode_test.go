package elasticache

import (
	"fmt"
	"slices"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/elasticache"
	"github.com/aws/aws-sdk-go-v2/service/elasticache/types"

	"rekindle/models"
)

func TestAGroupIsCreatedInClusterMode(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		in       sdk.CreateReplicationGroupInput
		slots    []string
		replicas int
		group    string
		mode     bool
	}{
		"by the number of node groups": {sdk.CreateReplicationGroupInput{NumNodeGroups: aws.Int32(3), ReplicasPerNodeGroup: aws.Int32(1), AutomaticFailoverEnabled: aws.Bool(true)},
			[]string{"0-5460", "5461-10922", "10923-16383"}, 1, "default.redis7.cluster.on", true},
		"by its parameter group": {sdk.CreateReplicationGroupInput{CacheParameterGroupName: aws.String("default.redis7.cluster.on")},
			[]string{"0-16383"}, 0, "default.redis7.cluster.on", true},
		"by ClusterMode": {sdk.CreateReplicationGroupInput{ClusterMode: types.ClusterModeEnabled, NumNodeGroups: aws.Int32(1)},
			[]string{"0-16383"}, 0, "default.redis7.cluster.on", true},
		"with slots of its own": {sdk.CreateReplicationGroupInput{NodeGroupConfiguration: []types.NodeGroupConfiguration{
			{Slots: aws.String("0-99,200-16383"), ReplicaCount: aws.Int32(1), PrimaryAvailabilityZone: aws.String("eu-central-1a"), ReplicaAvailabilityZones: []string{"eu-central-1b"}},
			{Slots: aws.String("100-199"), ReplicaCount: aws.Int32(1), PrimaryAvailabilityZone: aws.String("eu-central-1b"), ReplicaAvailabilityZones: []string{"eu-central-1a"}}}},
			[]string{"0-99,200-16383", "100-199"}, 1, "default.redis7.cluster.on", true},
		"not at all": {sdk.CreateReplicationGroupInput{NumNodeGroups: aws.Int32(1), ReplicasPerNodeGroup: aws.Int32(1)}, []string{""}, 1, "default.redis7", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			in := test.in
			in.ReplicationGroupId, in.ReplicationGroupDescription, in.CacheNodeType = aws.String("new"), aws.String("d"), aws.String("cache.t4g.micro")
			shown := must(b.admin().CreateReplicationGroup(t.Context(), &in))(t).ReplicationGroup
			if aws.ToBool(shown.ClusterEnabled) != test.mode || (shown.ClusterMode == types.ClusterModeEnabled) != test.mode {
				t.Errorf("cluster enabled %v, mode %v", aws.ToBool(shown.ClusterEnabled), shown.ClusterMode)
			}
			made, err := b.db.Clusters.Get(t.Context(), "new")
			if err != nil {
				t.Fatal(err)
			}
			var slots []string
			for _, shard := range made.Shards() {
				slots = append(slots, shard.Slots)
				if len(shard.Replicas()) != test.replicas {
					t.Errorf("the shard %s has %d replicas", shard.ID(), len(shard.Replicas()))
				}
			}
			if !slices.Equal(slots, test.slots) || made.ClusterMode != test.mode || made.ParameterGroup != test.group {
				t.Errorf("slots %v, cluster mode %v, parameter group %s", slots, made.ClusterMode, made.ParameterGroup)
			}
			if name == "with slots of its own" && (made.Nodes[1].Zone != "eu-central-1b" || made.Nodes[3].Zone != "eu-central-1a") {
				t.Errorf("the zones are those of %+v", made.Nodes)
			}
		})
	}
}

func TestARestoreIsInClusterModeAsTheSnapshotWasUnlessToldOtherwise(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		in     sdk.CreateReplicationGroupInput
		shards int
		mode   bool
	}{
		"nothing said":         {sdk.CreateReplicationGroupInput{}, 3, true},
		"another number":       {sdk.CreateReplicationGroupInput{NumNodeGroups: aws.Int32(5)}, 5, true},
		"one node group":       {sdk.CreateReplicationGroupInput{NumNodeGroups: aws.Int32(1)}, 1, false},
		"outside of it":        {sdk.CreateReplicationGroupInput{ClusterMode: types.ClusterModeDisabled}, 1, false},
		"by the number of all": {sdk.CreateReplicationGroupInput{NumCacheClusters: aws.Int32(2)}, 1, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			b.attach("many", foundSharded())
			b.takeWhole("many", "whole")
			in := test.in
			in.ReplicationGroupId, in.ReplicationGroupDescription, in.SnapshotName, in.CacheNodeType = aws.String("new"), aws.String("d"), aws.String("whole"), aws.String("cache.t4g.micro")
			in.EngineVersion = aws.String("8.1")
			must(b.admin().CreateReplicationGroup(t.Context(), &in))(t)
			made, err := b.db.Clusters.Get(t.Context(), "new")
			if err != nil || made.ClusterMode != test.mode || len(made.Primaries()) != test.shards || made.ShardCount != test.shards {
				t.Errorf("cluster mode %v with %d shards, %v", made.ClusterMode, len(made.Primaries()), err)
			}
		})
	}
}

// takeWhole makes an available snapshot of a cluster without taking one.
func (b *bench) takeWhole(cluster, name string) {
	b.t.Helper()
	ctx := b.t.Context()
	_, err := b.db.Snapshots.Request(ctx, cluster, name, false, "test")
	b.check(err)
	owner := must(b.db.Owners.Enroll(ctx, (&host{}).Home(), 1<<40))(b.t)
	run, _, err := b.db.Runs.Claim(ctx, owner.ID, func(models.Run) bool { return true })
	b.check(err)
	measured := b.measured(name)
	measured.Parts = nil
	for i, s := range must(b.db.Clusters.Get(ctx, cluster))(b.t).Shards() {
		measured.Parts = append(measured.Parts, models.Part{Number: s.Number, Object: fmt.Sprintf("part-%d", i), Slots: s.Slots, Bytes: 2 << 20, Keys: 5, ServedBy: s.Nodes[0].Name})
	}
	b.check(b.db.Settle.Snapshot(ctx, run, measured))
}
