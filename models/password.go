package models

import (
	"fmt"
	"strings"
	"time"

	"rekindle/internal/secret"
)

// The ways to change a password, in ElastiCache's words.
const (
	PasswordSet    = "SET"    // only the new one is accepted from now on
	PasswordRotate = "ROTATE" // the current one stays valid, too
	PasswordDelete = "DELETE" // no password is needed any more
)

// PasswordChange changes the password of a cluster.
type PasswordChange struct {
	Strategy string
	Password secret.Text // not with [PasswordDelete]
}

// of returns the passwords that the cluster will have after the change, and whether that changes anything.
func (p PasswordChange) of(c Cluster) (password, old secret.Text, changes bool) {
	switch {
	case p.Strategy == PasswordDelete:
	case p.Strategy == PasswordRotate && p.Password == c.Password:
		return c.Password, c.OldPassword, false
	case p.Strategy == PasswordRotate:
		password, old = p.Password, c.Password // of three, the oldest goes
	default:
		password = p.Password
	}
	return password, old, password != c.Password || old != c.OldPassword
}

// KnowsPassword reports whether a node with this password can be one of the cluster's.
func (c Cluster) KnowsPassword(password secret.Text) bool {
	return password == c.Password || c.PasswordPending && password == c.FormerPassword
}

// AuthEnabled reports whether clients sign in with the cluster's password, rather than as users of a group or without any password.
func (c Cluster) AuthEnabled() bool { return c.Password != "" && c.UserGroup == "" }

// NoPassword says why the cluster's password cannot be shown, or "". That of an attached cluster is only for the console itself.
func (c Cluster) NoPassword() string {
	switch {
	case c.Attached():
		return fmt.Sprintf("The cluster %s is attached: the console keeps its password for itself, and shows it to nobody.", c.Name)
	case !c.AuthEnabled():
		return fmt.Sprintf("The cluster %s has no password that could be shown.", c.Name)
	}
	return ""
}

// SignInNeeded reports whether clients have to sign in. If so, a cluster restored from its snapshots should require it, too.
func (c Cluster) SignInNeeded() bool { return c.Password != "" }

// SignsInAs returns the user that the cluster's password belongs to; "": the default user.
func (c Cluster) SignsInAs() string {
	if c.UserGroup == "" {
		return ""
	}
	return OwnUser
}

// UsersPending reports whether some nodes may not have the current users of the cluster's group yet.
func (c Cluster) UsersPending() bool { return c.UserGroup != "" && c.UsersApplied != c.UsersWanted }

// PasswordSince returns when the cluster got its current password.
func (c Cluster) PasswordSince() time.Time {
	if c.PasswordChangedAt != nil {
		return *c.PasswordChangedAt
	}
	return c.CreatedAt
}

// changesPassword reports whether a modification changes the password.
func (spec ModifySpec) changesPassword(cluster Cluster) bool {
	if spec.Password == nil || cluster.UserGroup != "" || spec.UserGroup != nil && *spec.UserGroup != "" {
		return false // see userGroupColumns
	}
	_, _, changes := spec.Password.of(cluster)
	return changes
}

// passwordColumns checks a change of the password and adds the columns to set.
func (spec ModifySpec) passwordColumns(cluster Cluster, columns map[string]any, now time.Time) Faults {
	if !spec.changesPassword(cluster) {
		return nil
	}
	var faults Faults
	if cluster.Cached() {
		faults.Add(CodeCombination, "password", "Clusters of memcached have no password.")
	}
	password, old, _ := spec.Password.of(cluster)
	if problem := CheckAuthPassword(password.Reveal()); password != "" && problem != "" {
		faults.Add(CodeInvalid, "password", problem)
	}
	if cluster.PasswordPending {
		faults.Add(CodeClusterState, "", fmt.Sprintf("Not all nodes of %s have the password from its last change yet. They get it as soon as they answer; change it again then.", cluster.Name))
	}
	columns["password"], columns["old_password"], columns["former_password"] = password, old, cluster.Password
	columns["password_pending"], columns["password_changed_at"], columns["former_user"] = true, now, ""
	return faults
}

// KnowsChannels reports whether the engine's ACL has channels (since Redis 6.2).
func (c Cluster) KnowsChannels() bool { return !strings.HasPrefix(c.EngineVersion, "6.0") }
