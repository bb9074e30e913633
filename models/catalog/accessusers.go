package catalog

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"gorm.io/gorm"

	"rekindle/models"
)

// AccessUsers has the queries for users of engines; see [models.AccessUser].
type AccessUsers struct{ db *DB }

// Create checks and stores a new user. Refusals are [models.Faults].
func (q AccessUsers) Create(ctx context.Context, spec models.AccessSpec) (models.AccessUser, error) {
	user, faults := models.NewAccessUser(spec, q.db.Now())
	if len(faults) > 0 {
		return user, faults
	}
	err := q.db.transaction(ctx, func(tx *DB) error {
		if _, err := tx.AccessUsers.Get(ctx, user.UserID); err == nil {
			return models.Refuse(models.CodeAccessUserExists, "", fmt.Sprintf("There is already a user %s. Choose another id.", user.UserID))
		} else if !models.HasCode(err, models.CodeAccessUserNotFound) {
			return err
		}
		if err := tx.with(ctx).Create(&user).Error; err != nil {
			return fmt.Errorf("write user %s: %w", user.UserID, err)
		}
		return tx.Tags.add(ctx, models.ResourceAccessUser+":"+user.UserID, spec.Tags)
	})
	return user, err
}

// Get returns the user with this id.
func (q AccessUsers) Get(ctx context.Context, id string) (models.AccessUser, error) {
	if id == models.DefaultAccessUser {
		return models.DefaultUser(), nil
	}
	user, found, err := find[models.AccessUser](q.db.with(ctx).Where("user_id = ?", id))
	if err != nil {
		return user, fmt.Errorf("find user %s: %w", id, err)
	} else if !found {
		return user, models.Refuse(models.CodeAccessUserNotFound, "", fmt.Sprintf("There is no user %.60s.", id))
	}
	return user, nil
}

// All returns all users, the default one first.
func (q AccessUsers) All(ctx context.Context) ([]models.AccessUser, error) {
	users := []models.AccessUser{models.DefaultUser()}
	var rest []models.AccessUser
	if err := q.db.with(ctx).Order("user_id").Find(&rest).Error; err != nil {
		return nil, fmt.Errorf("list users: %w", err)
	}
	return append(users, rest...), nil
}

// Modify changes a user. Clusters that have the user in their group are marked, so that their nodes get the change.
func (q AccessUsers) Modify(ctx context.Context, id string, spec models.AccessSpec) error {
	return q.db.transaction(ctx, func(tx *DB) error {
		user, err := tx.AccessUsers.changeable(ctx, id)
		if err != nil {
			return err
		}
		changed, faults := user.Changed(spec)
		if len(faults) > 0 {
			return faults
		}
		columns := map[string]any{"access_string": changed.AccessString, "no_password": changed.NoPassword, "hashes": changed.Hashes}
		if err := tx.with(ctx).Model(&models.AccessUser{ID: user.ID}).UpdateColumns(columns).Error; err != nil {
			return fmt.Errorf("write user %s: %w", id, err)
		}
		groups, err := tx.UserGroups.With(ctx, id)
		if err != nil {
			return err
		}
		return tx.UserGroups.changed(ctx, groups...)
	})
}

// changeable returns a user, and refuses the one with the id default, which can be neither changed nor deleted.
func (q AccessUsers) changeable(ctx context.Context, id string) (models.AccessUser, error) {
	if id == models.DefaultAccessUser {
		return models.AccessUser{}, models.Refuse(models.CodeAccessUserState, "", "The user with the id default cannot be changed or deleted. Create another user named default, and put that one in the group instead.")
	}
	return q.Get(ctx, id)
}

// Delete removes a user and, like ElastiCache, takes it out of its groups. One named default cannot be removed while it is in a group.
func (q AccessUsers) Delete(ctx context.Context, id string) error {
	return q.db.transaction(ctx, func(tx *DB) error {
		user, err := tx.AccessUsers.changeable(ctx, id)
		if err != nil {
			return err
		}
		groups, err := tx.UserGroups.With(ctx, id)
		if err != nil {
			return err
		}
		for _, group := range groups {
			if user.Name == models.DefaultAccessUser {
				return models.Refuse(models.CodeDefaultUserGroupUsed, "", fmt.Sprintf("The user %s is the default user of the user group %s. Replace it there first.", id, group.GroupID))
			}
			left := slices.DeleteFunc(group.UserIDs(), func(member string) bool { return member == id })
			if err := tx.UserGroups.setUsers(ctx, group, left); err != nil {
				return err
			}
		}
		if err := tx.with(ctx).Delete(&models.AccessUser{}, user.ID).Error; err != nil {
			return fmt.Errorf("remove user %s: %w", id, err)
		}
		return tx.Tags.drop(ctx, models.ResourceAccessUser+":"+id)
	})
}

// UserGroups has the queries for user groups.
type UserGroups struct{ db *DB }

// Create checks and stores a new user group. Refusals are [models.Faults].
func (q UserGroups) Create(ctx context.Context, group models.UserGroup, users []string, tags map[string]string) error {
	group.CreatedAt, group.Users = q.db.Now(), strings.Join(users, ",")
	return q.db.transaction(ctx, func(tx *DB) error {
		if _, exists, err := find[models.UserGroup](tx.with(ctx).Where("group_id = ?", group.GroupID)); err != nil {
			return fmt.Errorf("find user group %s: %w", group.GroupID, err)
		} else if exists {
			return models.Refuse(models.CodeUserGroupExists, "", fmt.Sprintf("There is already a user group %s. Choose another id.", group.GroupID))
		}
		if err := tx.UserGroups.checkUsers(ctx, group, users); err != nil {
			return err
		}
		if err := tx.with(ctx).Create(&group).Error; err != nil {
			return fmt.Errorf("write user group %s: %w", group.GroupID, err)
		}
		return tx.Tags.add(ctx, models.ResourceUserGroup+":"+group.GroupID, tags)
	})
}

// checkUsers checks whether the group can have these users.
func (q UserGroups) checkUsers(ctx context.Context, group models.UserGroup, ids []string) error {
	users, err := q.users(ctx, ids)
	if err != nil {
		return err
	}
	return group.CheckGroup(users).OrNil()
}

func (q UserGroups) users(ctx context.Context, ids []string) ([]models.AccessUser, error) {
	var users []models.AccessUser
	for _, id := range ids {
		user, err := q.db.AccessUsers.Get(ctx, id)
		if err != nil {
			return nil, err
		}
		users = append(users, user)
	}
	return users, nil
}

// Get returns the user group with this id.
func (q UserGroups) Get(ctx context.Context, id string) (models.UserGroup, error) {
	group, found, err := find[models.UserGroup](q.db.with(ctx).Where("group_id = ?", id))
	if err != nil {
		return group, fmt.Errorf("find user group %s: %w", id, err)
	} else if !found {
		return group, models.Refuse(models.CodeUserGroupNotFound, "user_group", fmt.Sprintf("There is no user group %.60s.", id))
	}
	return group, nil
}

// All returns all user groups.
func (q UserGroups) All(ctx context.Context) ([]models.UserGroup, error) {
	var groups []models.UserGroup
	if err := q.db.with(ctx).Order("group_id").Find(&groups).Error; err != nil {
		return nil, fmt.Errorf("list user groups: %w", err)
	}
	return groups, nil
}

// With returns the groups that a user is in.
func (q UserGroups) With(ctx context.Context, user string) ([]models.UserGroup, error) {
	groups, err := q.All(ctx)
	return slices.DeleteFunc(groups, func(g models.UserGroup) bool { return !slices.Contains(g.UserIDs(), user) }), err
}

// Users returns the users of a group. One that is deleted meanwhile is left out.
func (q UserGroups) Users(ctx context.Context, id string) ([]models.AccessUser, error) {
	group, err := q.Get(ctx, id)
	if err != nil {
		return nil, err
	}
	return q.present(ctx, group.UserIDs())
}

// present returns the users with these ids that exist, in the order of the ids.
func (q UserGroups) present(ctx context.Context, ids []string) ([]models.AccessUser, error) {
	var found []models.AccessUser
	if err := q.db.with(ctx).Where("user_id IN ?", ids).Find(&found).Error; err != nil {
		return nil, fmt.Errorf("find users: %w", err)
	}
	byID := map[string]models.AccessUser{models.DefaultAccessUser: models.DefaultUser()}
	for _, user := range found {
		byID[user.UserID] = user
	}
	var users []models.AccessUser
	for _, id := range ids {
		if user, there := byID[id]; there {
			users = append(users, user)
		}
	}
	return users, nil
}

// check adds to faults the reasons why a cluster of this engine cannot have the group.
func (q UserGroups) check(ctx context.Context, id string, engine models.Engine, faults *models.Faults) error {
	group, err := q.Get(ctx, id)
	if more, refused := models.AsFaults(err); refused {
		*faults = append(*faults, more...)
		return nil
	} else if err != nil {
		return err
	}
	if why := group.CheckFor(engine); why != "" {
		faults.Add(models.CodeCombination, "user_group", why)
	}
	return nil
}

// Modify adds users to a group and removes others. Clusters that have the group are marked, so that their nodes get the change.
func (q UserGroups) Modify(ctx context.Context, id string, add, remove []string) error {
	return q.db.transaction(ctx, func(tx *DB) error {
		group, err := tx.UserGroups.Get(ctx, id)
		if err != nil {
			return err
		}
		users, err := tx.UserGroups.changedUsers(group, add, remove)
		if err != nil {
			return err
		}
		if err := tx.UserGroups.checkUsers(ctx, group, users); err != nil {
			return err
		}
		return tx.UserGroups.setUsers(ctx, group, users)
	})
}

// changedUsers returns the ids of the group's users after a change.
func (UserGroups) changedUsers(group models.UserGroup, add, remove []string) ([]string, error) {
	users := group.UserIDs()
	for _, id := range remove {
		i := slices.Index(users, id)
		if i < 0 {
			return nil, models.Refuse(models.CodeInvalid, "users", fmt.Sprintf("The user %.60s is not in the user group %s.", id, group.GroupID))
		}
		users = slices.Delete(users, i, i+1)
	}
	for _, id := range add {
		if slices.Contains(users, id) {
			return nil, models.Refuse(models.CodeInvalid, "users", fmt.Sprintf("The user %.60s is already in the user group %s.", id, group.GroupID))
		}
		users = append(users, id)
	}
	return users, nil
}

func (q UserGroups) setUsers(ctx context.Context, group models.UserGroup, users []string) error {
	if err := q.db.with(ctx).Model(&models.UserGroup{ID: group.ID}).UpdateColumn("users", strings.Join(users, ",")).Error; err != nil {
		return fmt.Errorf("write user group %s: %w", group.GroupID, err)
	}
	return q.changed(ctx, group)
}

// changed marks the clusters that have one of these groups, so that their nodes get its current users.
func (q UserGroups) changed(ctx context.Context, groups ...models.UserGroup) error {
	ids := make([]string, len(groups))
	for i, group := range groups {
		ids[i] = group.GroupID
	}
	err := q.db.with(ctx).Model(&models.Cluster{}).Where("user_group <> '' AND user_group IN ?", ids).UpdateColumn("users_wanted", gorm.Expr("users_wanted + 1")).Error
	if err != nil {
		return fmt.Errorf("mark the clusters whose users have changed: %w", err)
	}
	return nil
}

// Clusters returns the clusters that have one of these groups, with their nodes.
func (q UserGroups) Clusters(ctx context.Context, ids ...string) ([]models.Cluster, error) {
	var clusters []models.Cluster
	err := q.db.with(ctx).Preload("Nodes", inOrder).Where("user_group <> '' AND user_group IN ?", ids).Order("name").Find(&clusters).Error
	if err != nil {
		return nil, fmt.Errorf("list the clusters of user groups: %w", err)
	}
	return clusters, nil
}

// Delete removes a user group that no cluster has.
func (q UserGroups) Delete(ctx context.Context, id string) error {
	return q.db.transaction(ctx, func(tx *DB) error {
		group, err := tx.UserGroups.Get(ctx, id)
		if err != nil {
			return err
		}
		if used, err := tx.UserGroups.Clusters(ctx, id); err != nil {
			return err
		} else if len(used) > 0 {
			return models.Refuse(models.CodeUserGroupState, "", fmt.Sprintf("The cluster %s has the user group %s. Remove it from the cluster first.", used[0].Name, id))
		}
		if err := tx.with(ctx).Delete(&models.UserGroup{}, group.ID).Error; err != nil {
			return fmt.Errorf("remove user group %s: %w", id, err)
		}
		return tx.Tags.drop(ctx, models.ResourceUserGroup+":"+id)
	})
}

// Applied records that the nodes of a cluster have the users of this cluster's UsersWanted.
func (q UserGroups) Applied(ctx context.Context, cluster models.Cluster) error {
	done := q.db.with(ctx).Model(&models.Cluster{}).Where("id = ? AND users_applied < ?", cluster.ID, cluster.UsersWanted).UpdateColumn("users_applied", cluster.UsersWanted)
	if done.Error != nil {
		return fmt.Errorf("write down that the nodes of %s have its users: %w", cluster.Name, done.Error)
	}
	return nil
}
