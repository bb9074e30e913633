package elasticache

import (
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/elasticache"
	"github.com/aws/aws-sdk-go-v2/service/elasticache/types"

	"rekindle/models"
)

func TestAGroupThatEncryptsSaysSoWhereverItIsShown(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	ctx, c := t.Context(), b.admin()
	input := &sdk.CreateReplicationGroupInput{ReplicationGroupId: aws.String("orders"), ReplicationGroupDescription: aws.String("d"), CacheNodeType: aws.String("cache.t4g.small"),
		NumCacheClusters: aws.Int32(2), TransitEncryptionEnabled: aws.Bool(true), TransitEncryptionMode: types.TransitEncryptionModeRequired}
	made := must(c.CreateReplicationGroup(ctx, input))(t).ReplicationGroup
	b.settle()
	described := must(c.DescribeReplicationGroups(ctx, &sdk.DescribeReplicationGroupsInput{ReplicationGroupId: aws.String("orders")}))(t).ReplicationGroups[0]
	for what, g := range map[string]types.ReplicationGroup{"created": *made, "described": described} {
		if !aws.ToBool(g.TransitEncryptionEnabled) || g.TransitEncryptionMode != types.TransitEncryptionModeRequired {
			t.Errorf("%s: encrypts %v, mode %q", what, aws.ToBool(g.TransitEncryptionEnabled), g.TransitEncryptionMode)
		}
	}
	m := must(c.DescribeCacheClusters(ctx, &sdk.DescribeCacheClustersInput{CacheClusterId: aws.String("orders-002")}))(t).CacheClusters[0]
	if !aws.ToBool(m.TransitEncryptionEnabled) || m.TransitEncryptionMode != types.TransitEncryptionModeRequired {
		t.Errorf("its member: %v, %q", aws.ToBool(m.TransitEncryptionEnabled), m.TransitEncryptionMode)
	}

	// What is so already is no change; anything else is one, and is refused.
	must(c.ModifyReplicationGroup(ctx, &sdk.ModifyReplicationGroupInput{ReplicationGroupId: aws.String("orders"), TransitEncryptionEnabled: aws.Bool(true),
		TransitEncryptionMode: types.TransitEncryptionModeRequired, ReplicationGroupDescription: aws.String("other")}))(t)
	for _, change := range []*sdk.ModifyReplicationGroupInput{{TransitEncryptionEnabled: aws.Bool(false)}, {TransitEncryptionMode: types.TransitEncryptionModePreferred}} {
		change.ReplicationGroupId = aws.String("orders")
		if _, err := c.ModifyReplicationGroup(ctx, change); errorCode(err) != "InvalidParameterCombination" {
			t.Errorf("a change is answered with %v", err)
		}
	}
	b.launch(models.ClusterSpec{Name: "plain"})
	plain := must(c.DescribeReplicationGroups(ctx, &sdk.DescribeReplicationGroupsInput{ReplicationGroupId: aws.String("plain")}))(t).ReplicationGroups[0]
	if aws.ToBool(plain.TransitEncryptionEnabled) || plain.TransitEncryptionMode != "" {
		t.Errorf("one that does not encrypt: %v, %q", aws.ToBool(plain.TransitEncryptionEnabled), plain.TransitEncryptionMode)
	}
}

func TestARestoreEncryptsAsItsSnapshotsClusterDidUnlessToldOtherwise(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	ctx, c := t.Context(), b.admin()
	b.launch(models.ClusterSpec{Name: "orders", Encrypted: true})
	b.launch(models.ClusterSpec{Name: "plain"})
	for _, name := range []string{"orders", "plain"} {
		must(c.CreateSnapshot(ctx, &sdk.CreateSnapshotInput{ReplicationGroupId: aws.String(name), SnapshotName: aws.String("of-" + name)}))(t)
	}
	b.settle()
	for id, one := range map[string]struct {
		snapshot string
		says     *bool
		want     bool
	}{
		"as-it-was":    {"of-orders", nil, true},
		"as-it-was-2":  {"of-plain", nil, false},
		"told-not-to":  {"of-orders", aws.Bool(false), false},
		"told-to":      {"of-plain", aws.Bool(true), true},
		"told-to-also": {"of-orders", aws.Bool(true), true},
	} {
		made := must(c.CreateReplicationGroup(ctx, &sdk.CreateReplicationGroupInput{ReplicationGroupId: aws.String(id), ReplicationGroupDescription: aws.String("d"),
			SnapshotName: aws.String(one.snapshot), TransitEncryptionEnabled: one.says}))(t).ReplicationGroup
		if aws.ToBool(made.TransitEncryptionEnabled) != one.want {
			t.Errorf("%s: encrypts %v", id, aws.ToBool(made.TransitEncryptionEnabled))
		}
		b.settle()
	}
}
