package elasticache

import (
	"context"
	"strings"

	"rekindle/models"
	"rekindle/models/catalog"
)

type (
	userGroup struct {
		UserGroupId          string // the wire's names
		Status               string
		Engine               string
		UserIds              members
		MinimumEngineVersion string
		PendingChanges       *pendingUsers
		ReplicationGroups    members
		ServerlessCaches     members
		ARN                  string
	}
	pendingUsers        struct{ UserIdsToRemove, UserIdsToAdd members }
	describedUserGroups struct {
		Marker     string `xml:",omitempty"`
		UserGroups struct {
			Members []userGroup `xml:"member"`
		}
	}
)

// userGroupActions are the actions on user groups.
type userGroupActions struct {
	db   *catalog.DB
	jobs Jobs
}

func (a userGroupActions) present(ctx context.Context, c *call, g models.UserGroup) (userGroup, error) {
	v := userGroup{UserGroupId: g.GroupID, Status: "active", Engine: g.Engine, UserIds: members{g.UserIDs()}, MinimumEngineVersion: minimumVersion[g.Engine],
		ARN: c.arn(models.ResourceUserGroup + ":" + g.GroupID)}
	clusters, err := a.db.UserGroups.Clusters(ctx, g.GroupID)
	for _, cluster := range clusters {
		v.ReplicationGroups.Members = append(v.ReplicationGroups.Members, cluster.Name)
	}
	return v, err
}

func (a userGroupActions) describe(ctx context.Context, c *call) (any, error) {
	var groups []models.UserGroup
	var err error
	if id := c.id("UserGroupId"); id != "" {
		var group models.UserGroup
		group, err = a.db.UserGroups.Get(ctx, id)
		groups = []models.UserGroup{group}
	} else {
		groups, err = a.db.UserGroups.All(ctx)
	}
	if err != nil {
		return nil, err
	}
	groups, next, err := page(c, groups, func(g models.UserGroup) string { return g.GroupID })
	if err != nil {
		return nil, err
	}
	result := describedUserGroups{Marker: next}
	for _, g := range groups {
		shown, err := a.present(ctx, c, g)
		if err != nil {
			return nil, err
		}
		result.UserGroups.Members = append(result.UserGroups.Members, shown)
	}
	return result, nil
}

// ids returns the ids in a list, in lower case.
func (c *call) ids(name string) []string {
	ids := c.list(name)
	for i, id := range ids {
		ids[i] = strings.ToLower(id)
	}
	return ids
}

func (a userGroupActions) create(ctx context.Context, c *call) error {
	group := models.UserGroup{GroupID: c.requiredID("UserGroupId"), Engine: strings.ToLower(c.required("Engine"))}
	users, tags := c.ids("UserIds"), c.tags()
	if err := c.wrong(); err != nil {
		return err
	}
	return a.db.UserGroups.Create(ctx, group, users, tags)
}

func (a userGroupActions) modify(ctx context.Context, c *call) error {
	id, add, remove := c.requiredID("UserGroupId"), c.ids("UserIdsToAdd"), c.ids("UserIdsToRemove")
	if len(add) == 0 && len(remove) == 0 {
		c.mistake(models.CodeCombination, "Name users in UserIdsToAdd or UserIdsToRemove.")
	}
	if err := c.wrong(); err != nil {
		return err
	}
	group, err := a.db.UserGroups.Get(ctx, id)
	if err != nil {
		return err
	}
	if err := c.engineStays(group.Engine); err != nil {
		return err
	}
	clusters, err := a.db.UserGroups.Clusters(ctx, id)
	if err != nil {
		return err
	}
	for _, one := range add {
		user, err := a.db.AccessUsers.Get(ctx, one)
		if err != nil {
			return err
		}
		if err := tryAll(ctx, a.jobs, clusters, user); err != nil {
			return err
		}
	}
	return a.db.UserGroups.Modify(ctx, id, add, remove)
}

// show answers with one group. A group that was just deleted is shown as deleting.
func (a userGroupActions) show(ctx context.Context, c *call) (any, error) {
	group, err := a.db.UserGroups.Get(ctx, c.id("UserGroupId"))
	if models.HasCode(err, models.CodeUserGroupNotFound) && c.action == "DeleteUserGroup" {
		return userGroup{UserGroupId: c.id("UserGroupId"), Status: "deleting", ARN: c.arn(models.ResourceUserGroup + ":" + c.id("UserGroupId"))}, nil
	} else if err != nil {
		return nil, err
	}
	return a.present(ctx, c, group)
}

func (a userGroupActions) delete(ctx context.Context, c *call) error {
	id := c.requiredID("UserGroupId")
	if err := c.wrong(); err != nil {
		return err
	}
	return a.db.UserGroups.Delete(ctx, id)
}

// userGroupOf reads the user group of a new cluster; "": none.
func (c *call) userGroupOf() string {
	ids := c.ids("UserGroupIds")
	if len(ids) > 1 {
		c.mistake(models.CodeInvalid, "A replication group has at most one user group, not %d.", len(ids))
	}
	if len(ids) == 0 {
		return ""
	}
	return ids[0]
}

// userGroupChange reads the user group that a cluster gets in place of its own; "": none, nil: no change.
func (c *call) userGroupChange(is models.Cluster) *string {
	add, remove := c.ids("UserGroupIdsToAdd"), c.ids("UserGroupIdsToRemove")
	all, _ := c.flag("RemoveUserGroups")
	group := is.UserGroup
	for _, id := range remove {
		if id != is.UserGroup {
			c.mistake(models.CodeInvalid, "The replication group %s does not have the user group %.60s.", is.Name, id)
		}
		group = ""
	}
	if all {
		if len(add)+len(remove) > 0 {
			c.mistake(models.CodeCombination, "RemoveUserGroups removes all user groups, so it cannot be combined with UserGroupIdsToAdd or UserGroupIdsToRemove.")
		}
		group = ""
	}
	for _, id := range add {
		if group != "" && group != id {
			c.mistake(models.CodeInvalid, "A replication group has at most one user group. %s has %s: name it in UserGroupIdsToRemove.", is.Name, group)
		}
		group = id
	}
	if len(add)+len(remove) == 0 && !all {
		return nil
	}
	return &group
}

// tryGroup checks whether a cluster's engine accepts the access strings of a group's users, before the cluster gets the group.
func (a clusterChanges) tryGroup(ctx context.Context, is models.Cluster, group *string) error {
	if group == nil || *group == "" || *group == is.UserGroup || !is.Encrypted() {
		return nil // nothing to try; a cluster without TLS is refused later
	}
	users, err := a.db.UserGroups.Users(ctx, *group)
	if err != nil {
		return err
	}
	return tryAll(ctx, a.jobs, []models.Cluster{is}, users...)
}
