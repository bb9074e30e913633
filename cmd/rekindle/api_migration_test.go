package main

import (
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/elasticache"
	"github.com/aws/aws-sdk-go-v2/service/elasticache/types"

	"rekindle/internal/testkit"
)

func TestTheSDKMovesARunningServerIntoAGroup(t *testing.T) {
	t.Parallel()
	a := newAPIConsole(t)
	ctx, c := t.Context(), a.sdk
	source := testkit.Redis(t, "--protected-mode", "no")
	testkit.Fill(t, source.Client(), 100)
	must(c.CreateReplicationGroup(ctx, &elasticache.CreateReplicationGroupInput{ReplicationGroupId: aws.String("orders"), ReplicationGroupDescription: aws.String("orders"),
		CacheNodeType: aws.String("cache.t4g.micro"), NumCacheClusters: aws.Int32(2)}))(t)
	a.group("orders")
	from := func(port int) []types.CustomerNodeEndpoint {
		return []types.CustomerNodeEndpoint{{Address: aws.String(source.Host), Port: aws.Int32(int32(port))}}
	}
	nobody := &elasticache.TestMigrationInput{ReplicationGroupId: aws.String("orders"), CustomerNodeEndpointList: from(1)}
	if _, err := c.TestMigration(ctx, nobody); err == nil || !strings.Contains(err.Error(), "Nothing listens at 127.0.0.1:1.") {
		t.Errorf("a test of a server that is not there: %v", err)
	}
	must(c.TestMigration(ctx, &elasticache.TestMigrationInput{ReplicationGroupId: aws.String("orders"), CustomerNodeEndpointList: from(source.Port)}))(t)
	must(c.StartMigration(ctx, &elasticache.StartMigrationInput{ReplicationGroupId: aws.String("orders"), CustomerNodeEndpointList: from(source.Port)}))(t)
	said := func(what string) func() bool {
		return func() bool {
			events := must(c.DescribeEvents(ctx, &elasticache.DescribeEventsInput{SourceIdentifier: aws.String("orders"), SourceType: types.SourceTypeReplicationGroup}))(t).Events
			for _, e := range events {
				if strings.Contains(aws.ToString(e.Message), what) {
					return true
				}
			}
			return false
		}
	}
	testkit.WaitFor(t, "the data to be there", said("has all of the data of "+source.Addr))
	described := must(c.DescribeReplicationGroups(ctx, &elasticache.DescribeReplicationGroupsInput{ReplicationGroupId: aws.String("orders")}))(t).ReplicationGroups[0]
	if status := aws.ToString(described.Status); status != "migrating" {
		t.Errorf("the group is %s", status)
	}
	source.Client().Set(ctx, "last", "one", 0)
	want := testkit.Fingerprint(t, source.Client())
	must(c.CompleteMigration(ctx, &elasticache.CompleteMigrationInput{ReplicationGroupId: aws.String("orders")}))(t)
	group := a.group("orders")
	primary := a.redis(primaryOf(group), "")
	if testkit.Fingerprint(t, primary) != want {
		t.Error("the group has other data")
	}
	if err := primary.Set(ctx, "mine", 1, 0).Err(); err != nil {
		t.Error(err)
	}
	if !said("is complete: the cluster accepts writes now")() {
		t.Error("no event says that it is complete")
	}
}
