package elasticache

import (
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/elasticache"
	"github.com/aws/aws-sdk-go-v2/service/elasticache/types"

	"rekindle/models"
)

func TestDataIsMovedIntoAGroup(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.launch(models.ClusterSpec{Name: "orders", Replicas: 1})
	c, ctx := b.admin(), t.Context()
	from := []types.CustomerNodeEndpoint{{Address: aws.String("db1.example"), Port: aws.Int32(7000)}}

	tested := must(c.TestMigration(ctx, &sdk.TestMigrationInput{ReplicationGroupId: aws.String("Orders"), CustomerNodeEndpointList: from}))(t)
	if b.jobs.tried != "orders from db1.example:7000" || *tested.ReplicationGroup.Status != "available" {
		t.Errorf("tried was %q, the group is %s", b.jobs.tried, *tested.ReplicationGroup.Status)
	}
	b.jobs.wrong = models.Refuse(models.CodeInvalid, "source", "It has modules.")
	_, err := c.StartMigration(ctx, &sdk.StartMigrationInput{ReplicationGroupId: aws.String("orders"), CustomerNodeEndpointList: from})
	if err == nil || !strings.Contains(err.Error(), "InvalidParameterValue") || !strings.Contains(err.Error(), "It has modules.") {
		t.Errorf("a source that will not do: %v", err)
	}
	b.jobs.wrong = nil
	must(c.StartMigration(ctx, &sdk.StartMigrationInput{ReplicationGroupId: aws.String("orders"), CustomerNodeEndpointList: from}))(t)
	b.settle()
	if g := b.groupNamed("orders"); *g.Status != "migrating" || *g.NodeGroups[0].Status != "migrating" {
		t.Errorf("the group is %s, its node group %s", *g.Status, *g.NodeGroups[0].Status)
	}
	member := must(c.DescribeCacheClusters(ctx, &sdk.DescribeCacheClustersInput{CacheClusterId: aws.String("orders-001")}))(t).CacheClusters[0]
	if *member.CacheClusterStatus != "modifying" {
		t.Errorf("a member is %s", *member.CacheClusterStatus)
	}
	ended := must(c.CompleteMigration(ctx, &sdk.CompleteMigrationInput{ReplicationGroupId: aws.String("orders"), Force: aws.Bool(true)}))(t)
	if *ended.ReplicationGroup.Status != "migrating" {
		t.Errorf("the group is %s", *ended.ReplicationGroup.Status)
	}
	run, found, err := b.db.Runs.Last(ctx, "orders", models.RunCompleteMigration, b.clock.Now().AddDate(0, 0, -1))
	if err != nil || !found {
		t.Fatal(found, err)
	}
	if args := must(models.Args[models.CompleteArgs](run))(t); !args.Force || run.RequestedBy != testKey {
		t.Errorf("the run is %+v", run)
	}
	b.settle()
	if g := b.groupNamed("orders"); *g.Status != "available" {
		t.Errorf("the group is %s", *g.Status)
	}
}

func TestWhatIsWrongWithAMigrationIsSaid(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.launch(models.ClusterSpec{Name: "orders"})
	b.launch(models.ClusterSpec{Name: "alone", CacheCluster: true})
	b.launch(models.ClusterSpec{Name: "moving"})
	b.check(b.db.Migrations.Start(t.Context(), "moving", "db1", "test"))
	b.settle()
	const list = "CustomerNodeEndpointList.member."
	at := []string{list + "1.Address", "db1", list + "1.Port", "6379"}
	for _, test := range []struct {
		action string
		params []string
		status int
		code   string
		says   string
	}{
		{"StartMigration", []string{"ReplicationGroupId", "orders"}, 400, "MissingParameter", "CustomerNodeEndpointList"},
		{"StartMigration", at, 400, "MissingParameter", "ReplicationGroupId"},
		{"StartMigration", append([]string{"ReplicationGroupId", "nope"}, at...), 404, "ReplicationGroupNotFoundFault", ""},
		{"StartMigration", append([]string{"ReplicationGroupId", "alone"}, at...), 404, "ReplicationGroupNotFoundFault", "cache cluster of that name"},
		{"StartMigration", append([]string{"ReplicationGroupId", "orders"}, at[:2]...), 400, "MissingParameter", "Address and a Port"},
		{"StartMigration", []string{"ReplicationGroupId", "orders", list + "1.Address", "db1", list + "1.Port", "many"}, 400, "InvalidParameterValue", "whole number"},
		{"StartMigration", []string{"ReplicationGroupId", "orders", list + "1.Address", "db1\nx", list + "1.Port", "1"}, 400, "InvalidParameterValue", "not the address of a server"},
		{"StartMigration", append([]string{"ReplicationGroupId", "orders", list + "2.Address", "db2", list + "2.Port", "1"}, at...), 400, "InvalidParameterValue", "one element"},
		{"TestMigration", append([]string{"ReplicationGroupId", "nope"}, at...), 404, "ReplicationGroupNotFoundFault", ""},
		{"StartMigration", append([]string{"ReplicationGroupId", "moving"}, at...), 400, "ReplicationGroupAlreadyUnderMigrationFault", "is already being moved into moving, from db1:6379"},
		{"CompleteMigration", []string{"ReplicationGroupId", "orders"}, 400, "ReplicationGroupNotUnderMigrationFault", ""},
		{"CompleteMigration", []string{"ReplicationGroupId", "nope"}, 404, "ReplicationGroupNotFoundFault", ""},
		{"CompleteMigration", []string{"ReplicationGroupId", "moving", "Force", "perhaps"}, 400, "InvalidParameterValue", "true or false"},
		{"CreateSnapshot", []string{"ReplicationGroupId", "moving", "SnapshotName", "s"}, 400, "InvalidReplicationGroupState", "attach the cluster there"},
		{"ModifyReplicationGroup", []string{"ReplicationGroupId", "moving", "AuthToken", "another-token-of-it"}, 400, "InvalidReplicationGroupState", "is migrating"},
		{"IncreaseReplicaCount", []string{"ReplicationGroupId", "moving", "NewReplicaCount", "1", "ApplyImmediately", "true"}, 400, "InvalidReplicationGroupState", "is migrating"},
	} {
		status, body := b.send(form(test.action, test.params...))
		if status != test.status || code(body) != test.code || !strings.Contains(body, test.says) {
			t.Errorf("%s %q: %d %s, want %d %s with %q", test.action, test.params, status, body, test.status, test.code, test.says)
		}
	}
}
