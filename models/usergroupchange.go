package models

import (
	"fmt"
	"time"

	"rekindle/internal/secret"
)

// This file has the rules for changing a cluster's user group.

// DefaultUser returns the user with the id default. It may do everything, and cannot be changed.
func DefaultUser() AccessUser {
	return AccessUser{UserID: DefaultAccessUser, Name: DefaultAccessUser, Engine: EngineRedis, AccessString: "on ~* +@all", NoPassword: true}
}

// UserGroupNeedsTLS says why a cluster without encryption in transit cannot have a user group. ElastiCache has the same rule.
const UserGroupNeedsTLS = "A cluster needs encryption in transit to have a user group. Without it, users would send their passwords in the clear."

// NodesGone reports whether the cluster's nodes are gone, or soon will be.
func (c Cluster) NodesGone() bool {
	return c.Status == ClusterCreateFailed || c.Status == ClusterRestoreFailed || c.Status == ClusterDeleting
}

// changesUserGroup reports whether a modification changes the user group.
func (spec ModifySpec) changesUserGroup(cluster Cluster) bool {
	return spec.UserGroup != nil && *spec.UserGroup != cluster.UserGroup
}

// refusePassword refuses a password for a cluster that has a user group, or is getting one. A request may replace one with the other: delete
// the password along with adding a group, or set a password along with removing the group.
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

// userGroupColumns checks a change of the user group and adds the columns to set.
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
		faults.Add(CodeClusterState, "", fmt.Sprintf("Not all nodes of %s have the password or the users from its last change yet. They get them as soon as they answer; try again then.", cluster.Name))
	}
	columns["user_group"], columns["users_wanted"] = group, cluster.UsersWanted+1
	if (group == "") == (cluster.UserGroup == "") {
		return faults
	}
	var password secret.Text
	switch {
	case group != "":
		password = GeneratePassword() // a new one: people who know the current one must not get the console's rights
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
