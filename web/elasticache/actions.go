package elasticache

import (
	"context"

	"rekindle/models"
)

// actionsOf returns all supported actions. look, change and destroy give each the role that it takes.
func actionsOf(c Config) map[string]action {
	changes := clusterChanges{c.DB, c.Jobs, c.DataEncrypted}
	groups, caches, snapshots := groupActions{c.DB, changes}, cacheActions{c.DB, changes}, snapshotActions{c.DB, c.Jobs}
	migrations := migrationActions{c.DB, c.Jobs}
	tags, events, engines := tagActions{c.DB}, eventActions{c.DB}, engineActions{c.DB}
	subnets, parameters := subnetActions{c.DB}, parameterActions{c.DB}
	keys, runs := keyActions{c.DB}, runActions{c.DB}
	users, userGroups := userActions{c.DB, c.Jobs}, userGroupActions{c.DB, c.Jobs}
	actions := map[string]action{
		"DescribeReplicationGroups": look(groups.describe),
		"CreateReplicationGroup":    change(groups.create, groups.show),
		"ModifyReplicationGroup":    change(groups.modify, groups.show),
		"DeleteReplicationGroup":    destroy(groups.delete, groups.show),
		"IncreaseReplicaCount":      change(groups.increaseReplicaCount, groups.show),
		"DecreaseReplicaCount":      change(groups.decreaseReplicaCount, groups.show),
		"TestFailover":              change(groups.testFailover, groups.show),

		"TestMigration":     change(migrations.test, groups.show), // changes nothing, but makes the console connect to an address
		"StartMigration":    change(migrations.start, groups.show),
		"CompleteMigration": change(migrations.complete, groups.show),

		"ModifyReplicationGroupShardConfiguration": change(groups.reshard, groups.show),

		"DescribeCacheClusters": look(caches.describe),
		"CreateCacheCluster":    change(caches.create, caches.show),
		"ModifyCacheCluster":    change(caches.modify, caches.show),
		"DeleteCacheCluster":    destroy(caches.delete, caches.show),
		"RebootCacheCluster":    change(caches.reboot, caches.show),

		"DescribeSnapshots": look(snapshots.describe),
		"CreateSnapshot":    change(snapshots.create, snapshots.show),
		"CopySnapshot":      change(snapshots.copy, snapshots.showCopy),
		"DeleteSnapshot":    destroy(snapshots.delete, snapshots.showDeleted),

		"ListTagsForResource":    look(tags.show),
		"AddTagsToResource":      change(tags.add, tags.show),
		"RemoveTagsFromResource": change(tags.remove, tags.show),

		"DescribeEvents":                   look(events.describe),
		"DescribeCacheEngineVersions":      look(engines.describeVersions),
		"ListAllowedNodeTypeModifications": look(engines.listNodeTypes),

		"DescribeCacheSubnetGroups": look(subnets.describe),
		"CreateCacheSubnetGroup":    change(subnets.create, subnets.show),
		"ModifyCacheSubnetGroup":    change(subnets.modify, subnets.show),
		"DeleteCacheSubnetGroup":    destroy(subnets.delete, done),

		"DescribeCacheParameterGroups":    look(parameters.describe),
		"DescribeCacheParameters":         look(parameters.describeParameters),
		"DescribeEngineDefaultParameters": look(parameters.describeDefaults),
		"CreateCacheParameterGroup":       change(parameters.create, parameters.show),
		"ModifyCacheParameterGroup":       change(parameters.modify, parameters.showName),
		"ResetCacheParameterGroup":        change(parameters.reset, parameters.showName),
		"DeleteCacheParameterGroup":       destroy(parameters.delete, done),

		"DescribeUsers": look(users.describe),
		"CreateUser":    change(users.create, users.show),
		"ModifyUser":    change(users.modify, users.show),
		"DeleteUser":    destroy(users.delete, users.show),

		"DescribeUserGroups": look(userGroups.describe),
		"CreateUserGroup":    change(userGroups.create, userGroups.show),
		"ModifyUserGroup":    change(userGroups.modify, userGroups.show),
		"DeleteUserGroup":    destroy(userGroups.delete, userGroups.show),

		"RekindleFindKeys":        change(keys.find, keys.showFind),
		"RekindleDescribeFind":    look(keys.describeFind),
		"RekindleDescribeChanges": look(keys.describeChanges),
		"RekindleBringKeysBack":   change(keys.bring, keys.showBring),
		"RekindleDescribeRun":     look(runs.describe),
		"RekindleCancelRun":       change(runs.cancel, runs.describe),

		"GetCallerIdentity": {role: models.RoleRead, service: serviceSTS, show: getCallerIdentity},
	}
	for name, absent := range absences {
		actions[name] = look(absent.describe)
	}
	return actions
}

type (
	actor = func(context.Context, *call) error
	shown = func(context.Context, *call) (any, error)
)

// action is something that a request can ask for. act, which may be nil, checks the parameters, and acts only if all are right. show
// returns the answer.
type action struct {
	role    models.KeyRole
	service string
	act     actor
	show    shown
}

func look(show shown) action {
	return action{role: models.RoleRead, service: serviceCache, show: show}
}

func change(act actor, show shown) action {
	return action{role: models.RoleOperate, service: serviceCache, act: act, show: show}
}

func destroy(act actor, show shown) action {
	return action{role: models.RoleAdminister, service: serviceCache, act: act, show: show}
}

func (do action) version() string {
	if do.service == serviceSTS {
		return stsVersion
	}
	return version
}

// done is the empty answer.
func done(context.Context, *call) (any, error) { return nothing{}, nil }
