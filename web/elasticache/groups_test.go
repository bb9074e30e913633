package elasticache

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/elasticache"
	"github.com/aws/aws-sdk-go-v2/service/elasticache/types"

	"rekindle/models"
)

func TestParameterGroups(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	ctx, c := t.Context(), b.admin()
	defaults := must(c.DescribeCacheParameterGroups(ctx, &sdk.DescribeCacheParameterGroupsInput{}))(t).CacheParameterGroups
	if len(defaults) != len(models.DefaultGroups()) {
		t.Errorf("%d groups", len(defaults))
	}
	made := must(c.CreateCacheParameterGroup(ctx, &sdk.CreateCacheParameterGroupInput{CacheParameterGroupName: aws.String("Mine"), CacheParameterGroupFamily: aws.String("redis7"), Description: aws.String("d"),
		Tags: []types.Tag{{Key: aws.String("k"), Value: aws.String("v")}}}))(t).CacheParameterGroup
	if aws.ToString(made.CacheParameterGroupName) != "mine" || aws.ToString(made.ARN) != "arn:aws:elasticache:eu-central-1:123456789012:parametergroup:mine" {
		t.Errorf("%+v", made)
	}
	b.launch(models.ClusterSpec{Name: "orders", ParameterGroup: "mine"})
	set := func(name, value string) error {
		_, err := c.ModifyCacheParameterGroup(ctx, &sdk.ModifyCacheParameterGroupInput{CacheParameterGroupName: aws.String("mine"),
			ParameterNameValues: []types.ParameterNameValue{{ParameterName: aws.String(name), ParameterValue: aws.String(value)}}})
		return err
	}
	user := func() map[string]string {
		values := map[string]string{}
		for _, p := range must(c.DescribeCacheParameters(ctx, &sdk.DescribeCacheParametersInput{CacheParameterGroupName: aws.String("mine"), Source: aws.String("user")}))(t).Parameters {
			values[aws.ToString(p.ParameterName)] = aws.ToString(p.ParameterValue)
		}
		return values
	}
	for name, value := range map[string]string{"maxmemory-policy": "allkeys-lru", "timeout": "300", "notify-keyspace-events": "KEA", "cluster-enabled": "no", "lazyfree-lazy-expire": "yes"} {
		if err := set(name, value); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, value := range map[string]string{"maxmemory-policy": "sometimes", "timeout": "-1", "notify-keyspace-events": "q", "cluster-enabled": "yes", "lazyfree-lazy-expire": "1", "maxmemory": "1", "timeout ": "1e3"} {
		if err := set(name, value); errorCode(err) != "InvalidParameterValue" {
			t.Errorf("%s %s: %v", name, value, err)
		}
	}
	if got := user(); len(got) != 4 || got["timeout"] != "300" {
		t.Errorf("%v", got)
	}
	status := func() string {
		m := must(c.DescribeCacheClusters(ctx, &sdk.DescribeCacheClustersInput{CacheClusterId: aws.String("orders-001")}))(t).CacheClusters[0]
		return aws.ToString(m.CacheParameterGroup.CacheParameterGroupName) + " " + aws.ToString(m.CacheParameterGroup.ParameterApplyStatus)
	}
	if got := status(); got != "mine applying" {
		t.Error(got)
	}
	cluster := must(b.db.Clusters.Get(ctx, "orders"))(t)
	b.check(b.db.Parameters.Applied(ctx, cluster.ID, cluster.ParametersWanted))
	if got := status(); got != "mine in-sync" {
		t.Error(got)
	}
	if _, err := c.DeleteCacheParameterGroup(ctx, &sdk.DeleteCacheParameterGroupInput{CacheParameterGroupName: aws.String("mine")}); errorCode(err) != "InvalidCacheParameterGroupState" {
		t.Errorf("deleted while it is used: %v", err)
	}
	must(c.ResetCacheParameterGroup(ctx, &sdk.ResetCacheParameterGroupInput{CacheParameterGroupName: aws.String("mine"), ParameterNameValues: []types.ParameterNameValue{{ParameterName: aws.String("timeout")}}}))(t)
	if got := user(); len(got) != 3 {
		t.Errorf("%v", got)
	}
	must(c.ResetCacheParameterGroup(ctx, &sdk.ResetCacheParameterGroupInput{CacheParameterGroupName: aws.String("mine"), ResetAllParameters: aws.Bool(true)}))(t)
	if got := user(); len(got) != 0 {
		t.Errorf("%v", got)
	}
	must(c.ModifyReplicationGroup(ctx, &sdk.ModifyReplicationGroupInput{ReplicationGroupId: aws.String("orders"), CacheParameterGroupName: aws.String("default.redis7")}))(t)
	must(c.DeleteCacheParameterGroup(ctx, &sdk.DeleteCacheParameterGroupInput{CacheParameterGroupName: aws.String("mine")}))(t)
	pages := sdk.NewDescribeEngineDefaultParametersPaginator(c, &sdk.DescribeEngineDefaultParametersInput{CacheParameterGroupFamily: aws.String("redis7"), MaxRecords: aws.Int32(20)})
	count := 0
	for pages.HasMorePages() {
		count += len(must(pages.NextPage(ctx))(t).EngineDefaults.Parameters)
	}
	if count != len(models.Parameters("redis7")) {
		t.Errorf("%d default parameters", count)
	}
}

func TestSubnetGroups(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	ctx, c := t.Context(), b.admin()
	made := must(c.CreateCacheSubnetGroup(ctx, &sdk.CreateCacheSubnetGroupInput{CacheSubnetGroupName: aws.String("net"), CacheSubnetGroupDescription: aws.String("d"), SubnetIds: []string{"subnet-1", "subnet-2"}}))(t).CacheSubnetGroup
	if len(made.Subnets) != 2 || aws.ToString(made.Subnets[1].SubnetIdentifier) != "subnet-2" || aws.ToString(made.Subnets[0].SubnetAvailabilityZone.Name) != "eu-central-1a" {
		t.Errorf("%+v", made)
	}
	changed := must(c.ModifyCacheSubnetGroup(ctx, &sdk.ModifyCacheSubnetGroupInput{CacheSubnetGroupName: aws.String("net"), SubnetIds: []string{"subnet-3"}}))(t).CacheSubnetGroup
	if len(changed.Subnets) != 1 || aws.ToString(changed.CacheSubnetGroupDescription) != "d" {
		t.Errorf("%+v", changed)
	}
	must(c.CreateReplicationGroup(ctx, &sdk.CreateReplicationGroupInput{ReplicationGroupId: aws.String("g"), ReplicationGroupDescription: aws.String("d"), CacheNodeType: aws.String("cache.t4g.micro"), CacheSubnetGroupName: aws.String("NET")}))(t)
	b.settle()
	if m := must(c.DescribeCacheClusters(ctx, &sdk.DescribeCacheClustersInput{}))(t).CacheClusters[0]; aws.ToString(m.CacheSubnetGroupName) != "net" {
		t.Errorf("%+v", m)
	}
	if _, err := c.DeleteCacheSubnetGroup(ctx, &sdk.DeleteCacheSubnetGroupInput{CacheSubnetGroupName: aws.String("net")}); errorCode(err) != "CacheSubnetGroupInUse" {
		t.Errorf("deleted while it is used: %v", err)
	}
	must(c.DeleteReplicationGroup(ctx, &sdk.DeleteReplicationGroupInput{ReplicationGroupId: aws.String("g")}))(t)
	b.settle()
	must(c.DeleteCacheSubnetGroup(ctx, &sdk.DeleteCacheSubnetGroupInput{CacheSubnetGroupName: aws.String("net")}))(t)
	name := func(g types.CacheSubnetGroup) *string { return g.CacheSubnetGroupName }
	if got := ids(must(c.DescribeCacheSubnetGroups(ctx, &sdk.DescribeCacheSubnetGroupsInput{}))(t).CacheSubnetGroups, name); got != "[default]" {
		t.Error(got)
	}
}

func TestTagsOfEveryKindOfResource(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	ctx, c := t.Context(), b.admin()
	b.launch(models.ClusterSpec{Name: "orders", Replicas: 1})
	b.launch(models.ClusterSpec{Name: "one", CacheCluster: true})
	must(b.db.Snapshots.Request(ctx, "orders", "s", false, "test"))(t)
	b.settle()
	for _, resource := range []string{"replicationgroup:orders", "cluster:orders-001", "cluster:one", "snapshot:s", "subnetgroup:default", "parametergroup:default.redis7"} {
		arn := aws.String("arn:aws:elasticache:eu-central-1:123456789012:" + resource)
		must(c.AddTagsToResource(ctx, &sdk.AddTagsToResourceInput{ResourceName: arn, Tags: []types.Tag{{Key: aws.String("a"), Value: aws.String("1")}, {Key: aws.String("b"), Value: aws.String(" 2 ")}}}))(t)
		after := must(c.AddTagsToResource(ctx, &sdk.AddTagsToResourceInput{ResourceName: arn, Tags: []types.Tag{{Key: aws.String("a"), Value: aws.String("")}}}))(t).TagList
		if len(after) != 2 || aws.ToString(after[0].Value) != "" || aws.ToString(after[1].Value) != " 2 " {
			t.Errorf("%s: %+v", resource, after)
		}
		left := must(c.RemoveTagsFromResource(ctx, &sdk.RemoveTagsFromResourceInput{ResourceName: arn, TagKeys: []string{"a"}}))(t).TagList
		if len(left) != 1 || aws.ToString(left[0].Key) != "b" {
			t.Errorf("%s: %+v", resource, left)
		}
	}
	many := make([]types.Tag, models.MaxTags)
	for i := range many {
		many[i] = types.Tag{Key: aws.String(strings.Repeat("k", i+1)), Value: aws.String("v")}
	}
	if _, err := c.AddTagsToResource(ctx, &sdk.AddTagsToResourceInput{ResourceName: aws.String("arn:aws:elasticache:eu-central-1:123456789012:snapshot:s"), Tags: many}); errorCode(err) != "TagQuotaPerResourceExceeded" {
		t.Errorf("51 tags: %v", err)
	}
}

func TestWhatEnginesAndNodeTypesThereAre(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	ctx, c := t.Context(), b.admin()
	b.launch(models.ClusterSpec{Name: "orders", NodeType: "cache.t4g.small"})
	name := func(e types.CacheEngineVersion) *string {
		return aws.String(aws.ToString(e.Engine) + aws.ToString(e.EngineVersion) + "/" + aws.ToString(e.CacheParameterGroupFamily))
	}
	for want, input := range map[string]*sdk.DescribeCacheEngineVersionsInput{
		"[memcached1.6.18/memcached1.6 redis6.0.16/redis6.x redis7.0.15/redis7 valkey8.1.1/valkey8]": {},
		"[redis7.0.15/redis7]":   {Engine: aws.String("redis"), DefaultOnly: aws.Bool(true)},
		"[redis6.0.16/redis6.x]": {EngineVersion: aws.String("6.x")},
		"[valkey8.1.1/valkey8]":  {CacheParameterGroupFamily: aws.String("valkey8")},
	} {
		if got := ids(must(c.DescribeCacheEngineVersions(ctx, input))(t).CacheEngineVersions, name); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
	types := must(c.ListAllowedNodeTypeModifications(ctx, &sdk.ListAllowedNodeTypeModificationsInput{ReplicationGroupId: aws.String("orders")}))(t)
	if !slices.Contains(types.ScaleUpModifications, "cache.r7g.large") || !slices.Contains(types.ScaleDownModifications, "cache.t4g.micro") || slices.Contains(types.ScaleUpModifications, "cache.t4g.small") {
		t.Errorf("%+v", types)
	}
}

// Clients look for these on the way to something else.
func TestWhatRekindleNeverHasIsAnEmptyList(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	c, ctx := b.admin(), t.Context()
	for name, n := range map[string]int{
		"security groups":      len(must(c.DescribeCacheSecurityGroups(ctx, &sdk.DescribeCacheSecurityGroupsInput{}))(t).CacheSecurityGroups),
		"global groups":        len(must(c.DescribeGlobalReplicationGroups(ctx, &sdk.DescribeGlobalReplicationGroupsInput{}))(t).GlobalReplicationGroups),
		"reserved nodes":       len(must(c.DescribeReservedCacheNodes(ctx, &sdk.DescribeReservedCacheNodesInput{}))(t).ReservedCacheNodes),
		"offerings":            len(must(c.DescribeReservedCacheNodesOfferings(ctx, &sdk.DescribeReservedCacheNodesOfferingsInput{}))(t).ReservedCacheNodesOfferings),
		"serverless caches":    len(must(c.DescribeServerlessCaches(ctx, &sdk.DescribeServerlessCachesInput{}))(t).ServerlessCaches),
		"serverless snapshots": len(must(c.DescribeServerlessCacheSnapshots(ctx, &sdk.DescribeServerlessCacheSnapshotsInput{}))(t).ServerlessCacheSnapshots),
		"service updates":      len(must(c.DescribeServiceUpdates(ctx, &sdk.DescribeServiceUpdatesInput{}))(t).ServiceUpdates),
		"update actions":       len(must(c.DescribeUpdateActions(ctx, &sdk.DescribeUpdateActionsInput{ReplicationGroupIds: []string{"orders"}}))(t).UpdateActions),
	} {
		if n != 0 {
			t.Errorf("%d %s", n, name)
		}
	}
	_, err := c.DescribeServerlessCaches(ctx, &sdk.DescribeServerlessCachesInput{ServerlessCacheName: aws.String("x")})
	if fault := new(types.ServerlessCacheNotFoundFault); !errors.As(err, &fault) {
		t.Errorf("a serverless cache by its name: %v", err)
	}
}
