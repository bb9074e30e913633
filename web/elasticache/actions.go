package elasticache

import (
	"context"

	"rekindle/models"
)

// actions is everything that can be asked for, with the role that it takes: looking, changing, and what destroys.
var actions map[string]action

func init() { // not in the declaration: the answers look their own action up
	actions = map[string]action{
		"DescribeReplicationGroups": look((*api).describeReplicationGroups),
		"DescribeCacheClusters":     look((*api).describeCacheClusters),
		"DescribeSnapshots":         look((*api).describeSnapshots),

		"CreateSnapshot": change((*api).createSnapshot, (*api).showSnapshot),
		"CopySnapshot":   change((*api).copySnapshot, (*api).showCopy),
		"DeleteSnapshot": destroy((*api).deleteSnapshot, (*api).showDeletedSnapshot),

		"CreateReplicationGroup": change((*api).createReplicationGroup, (*api).showReplicationGroup),
		"ModifyReplicationGroup": change((*api).modifyReplicationGroup, (*api).showReplicationGroup),
		"DeleteReplicationGroup": destroy((*api).deleteReplicationGroup, (*api).showReplicationGroup),
		"IncreaseReplicaCount":   change((*api).increaseReplicaCount, (*api).showReplicationGroup),
		"DecreaseReplicaCount":   change((*api).decreaseReplicaCount, (*api).showReplicationGroup),
		"TestFailover":           change((*api).testFailover, (*api).showReplicationGroup),

		"CreateCacheCluster": change((*api).createCacheCluster, (*api).showCacheCluster),
		"ModifyCacheCluster": change((*api).modifyCacheCluster, (*api).showCacheCluster),
		"DeleteCacheCluster": destroy((*api).deleteCacheCluster, (*api).showCacheCluster),
		"RebootCacheCluster": change((*api).rebootCacheCluster, (*api).showCacheCluster),

		"ListTagsForResource":    look((*api).showTags),
		"AddTagsToResource":      change((*api).addTags, (*api).showTags),
		"RemoveTagsFromResource": change((*api).removeTags, (*api).showTags),

		"DescribeEvents":                   look((*api).describeEvents),
		"DescribeCacheEngineVersions":      look((*api).describeCacheEngineVersions),
		"DescribeServiceUpdates":           look((*api).describeServiceUpdates),
		"DescribeUpdateActions":            look((*api).describeUpdateActions),
		"ListAllowedNodeTypeModifications": look((*api).listAllowedNodeTypeModifications),

		"DescribeCacheSubnetGroups": look((*api).describeCacheSubnetGroups),
		"CreateCacheSubnetGroup":    change((*api).createCacheSubnetGroup, (*api).showSubnetGroup),
		"ModifyCacheSubnetGroup":    change((*api).modifyCacheSubnetGroup, (*api).showSubnetGroup),
		"DeleteCacheSubnetGroup":    destroy((*api).deleteCacheSubnetGroup, (*api).done),

		"DescribeCacheParameterGroups":    look((*api).describeCacheParameterGroups),
		"DescribeCacheParameters":         look((*api).describeCacheParameters),
		"DescribeEngineDefaultParameters": look((*api).describeEngineDefaultParameters),
		"CreateCacheParameterGroup":       change((*api).createCacheParameterGroup, (*api).showParameterGroup),
		"ModifyCacheParameterGroup":       change((*api).modifyCacheParameterGroup, (*api).showParameterGroupName),
		"ResetCacheParameterGroup":        change((*api).resetCacheParameterGroup, (*api).showParameterGroupName),
		"DeleteCacheParameterGroup":       destroy((*api).deleteCacheParameterGroup, (*api).done),

		"GetCallerIdentity": {role: models.RoleRead, service: serviceSTS, show: (*api).getCallerIdentity},
	}
}

type (
	actor = func(a *api, ctx context.Context, c *call) error
	shown = func(a *api, ctx context.Context, c *call) (any, error)
)

func look(show shown) action {
	return action{role: models.RoleRead, service: serviceCache, show: show}
}

func change(act actor, show shown) action {
	return action{role: models.RoleOperate, service: serviceCache, act: act, show: show}
}

func destroy(act actor, show shown) action {
	return action{role: models.RoleAdminister, service: serviceCache, act: act, show: show}
}

// done answers to what has nothing to show.
func (a *api) done(context.Context, *call) (any, error) { return nothing{}, nil }
