package elasticache

import (
	"log/slog"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/elasticache"
	"github.com/aws/aws-sdk-go-v2/service/elasticache/types"

	"rekindle/internal/secret"
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

	// Asking for what is already so changes nothing; anything else is a change, and is refused.
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

func TestATokenIsSetRotatedAndDeleted(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	ctx, c := t.Context(), b.admin()
	const first, second, third = "the-first-of-the-tokens", "the-second-of-the-tokens", "the-third-of-the-tokens"
	b.launch(models.ClusterSpec{Name: "orders", Auth: models.AuthGiven, Password: first})
	describe := func() types.ReplicationGroup {
		return must(c.DescribeReplicationGroups(ctx, &sdk.DescribeReplicationGroupsInput{ReplicationGroupId: aws.String("orders")}))(t).ReplicationGroups[0]
	}
	created := aws.ToTime(describe().AuthTokenLastModifiedDate)
	for _, one := range []struct {
		token, strategy string
		want, old       secret.Text
		changes         bool
	}{
		{second, "ROTATE", second, first, true},
		{second, "ROTATE", second, first, false},
		{third, "", third, second, true},
		{third, "SET", third, "", true},
		{third, "SET", third, "", false},
		{first, "SET", first, "", true},
		{"", "DELETE", "", "", true},
		{"", "DELETE", "", "", false},
		{second, "ROTATE", second, "", true},
		{first, "rotate", first, second, true},
		{second, "SET", second, "", true},
	} {
		b.clock.Advance(time.Minute)
		before := must(b.db.Clusters.Get(ctx, "orders"))(t)
		input := &sdk.ModifyReplicationGroupInput{ReplicationGroupId: aws.String("orders"), AuthTokenUpdateStrategy: types.AuthTokenUpdateStrategyType(one.strategy)}
		if one.token != "" {
			input.AuthToken = aws.String(one.token)
		}
		answer := must(c.ModifyReplicationGroup(ctx, input))(t).ReplicationGroup
		if got := aws.ToString(answer.Status) == "modifying"; got != one.changes {
			t.Errorf("%s of %q is answered with %s", one.strategy, one.token, aws.ToString(answer.Status))
		}
		now := must(b.db.Clusters.Get(ctx, "orders"))(t)
		if now.Password != one.want || now.OldPassword != one.old || now.PasswordPending != one.changes || one.changes && now.FormerPassword != before.Password {
			t.Errorf("%s of %q: %q, %q, pending %v", one.strategy, one.token, now.Password.Reveal(), now.OldPassword.Reveal(), now.PasswordPending)
		}
		b.settle()
		b.check(b.db.Clusters.PasswordReached(ctx, now))
		g := describe()
		if aws.ToBool(g.AuthTokenEnabled) != (one.want != "") || one.want != "" && one.changes && !aws.ToTime(g.AuthTokenLastModifiedDate).After(created) {
			t.Errorf("%s of %q: enabled %v, last modified %v", one.strategy, one.token, aws.ToBool(g.AuthTokenEnabled), g.AuthTokenLastModifiedDate)
		}
	}
}

func TestEncryptionAtRestIsTakenWhereTheHostsStorageIsDeclaredEncrypted(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	server := httptest.NewServer(New(Config{DB: b.db, Jobs: b.jobs, Clock: b.wall, Logger: slog.New(slog.NewTextHandler(b.log, nil)), DataEncrypted: true}))
	t.Cleanup(server.Close)
	b.url = server.URL
	ctx, c := t.Context(), b.admin()
	for _, on := range []bool{true, false} {
		id := aws.String(map[bool]string{true: "orders", false: "plain"}[on])
		must(c.CreateReplicationGroup(ctx, &sdk.CreateReplicationGroupInput{ReplicationGroupId: id, ReplicationGroupDescription: aws.String("d"),
			CacheNodeType: aws.String("cache.t4g.small"), AtRestEncryptionEnabled: aws.Bool(on)}))(t)
		b.settle()
		g := must(c.DescribeReplicationGroups(ctx, &sdk.DescribeReplicationGroupsInput{ReplicationGroupId: id}))(t).ReplicationGroups[0]
		m := must(c.DescribeCacheClusters(ctx, &sdk.DescribeCacheClustersInput{CacheClusterId: aws.String(*id + "-001")}))(t).CacheClusters[0]
		if aws.ToBool(g.AtRestEncryptionEnabled) != on || aws.ToBool(m.AtRestEncryptionEnabled) != on {
			t.Errorf("asked for %v, it says %v and its member %v", on, aws.ToBool(g.AtRestEncryptionEnabled), aws.ToBool(m.AtRestEncryptionEnabled))
		}
	}
}
