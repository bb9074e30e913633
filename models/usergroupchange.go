package models

import (
	"fmt"
	"time"

	"rekindle/internal/secret"
)

// This file says what becomes of a cluster whose user group is changed.

// DefaultUser is the user of the id default. It may do everything, and cannot be changed.
func DefaultUser() AccessUser {
	return AccessUser{UserID: DefaultAccessUser, Name: DefaultAccessUser, Engine: EngineRedis, AccessString: "on ~* +@all", NoPassword: true}
}

// UserGroupNeedsTLS is why a cluster cannot have a user group, as in ElastiCache.
const UserGroupNeedsTLS = "User groups are for clusters that encrypt in transit: users would send their passwords in the clear."

// NodesGone tells whether the cluster has no nodes any more, or soon none.
func (c Cluster) NodesGone() bool {
	return c.Status == ClusterCreateFailed || c.Status == ClusterRestoreFailed || c.Status == ClusterDeleting
}

// changesUserGroup tells whether a modification changes who may sign in.
func (spec ModifySpec) changesUserGroup(cluster Cluster) bool {
	return spec.UserGroup != nil && *spec.UserGroup != cluster.UserGroup
}

// refusePassword refuses to give a password to a cluster that has users, and the other way round. To take it away, or to give one while the group is
// taken away, is how to go from one to the other.
func (spec ModifySpec) refusePassword(cluster Cluster) (faults Faults) {
	group := cluster.UserGroup
	if spec.UserGroup != nil {
		group = *spec.UserGroup
	}
	if spec.Password != nil && spec.Password.Strategy != PasswordDelete && group != "" {
		faults.Add(CodeCombination, "password", "A cluster has either a password (AuthToken) or a user group, whose users have their own.")
	}
	return faults
}

// userGroupColumns checks a change of the user group, and adds the columns to set.
func (spec ModifySpec) userGroupColumns(cluster Cluster, columns map[string]any, now time.Time) Faults {
	faults := spec.refusePassword(cluster)
	if !spec.changesUserGroup(cluster) {
		return faults
	}
	group := *spec.UserGroup
	if group != "" && !cluster.Encrypted() {
		faults.Add(CodeCombination, "user_group", UserGroupNeedsTLS)
	}
	if cluster.PasswordPending || cluster.UsersPending() {
		faults.Add(CodeClusterState, "", fmt.Sprintf("Not all nodes of %s have the password or the users of its last change yet. Change it again when they do: the console sees to that as soon as they answer.", cluster.Name))
	}
	columns["user_group"], columns["users_wanted"] = group, cluster.UsersWanted+1
	if (group == "") == (cluster.UserGroup == "") {
		return faults
	}
	var password secret.Text
	switch {
	case group != "":
		password = GeneratePassword() // who knew the present one is not to have the console's rights
	case spec.Password != nil:
		password = spec.Password.Password
		if problem := CheckAuthPassword(password.Reveal()); password != "" && problem != "" {
			faults.Add(CodeInvalid, "password", problem)
		}
	}
	columns["password"], columns["old_password"], columns["former_password"] = password, secret.Text(""), cluster.Password
	columns["former_user"], columns["password_pending"], columns["password_changed_at"] = cluster.SignsInAs(), true, now
	return faults
}
