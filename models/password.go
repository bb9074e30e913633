package models

import (
	"fmt"
	"strings"
	"time"

	"rekindle/internal/secret"
)

// How a password is changed, in ElastiCache's words.
const (
	PasswordSet    = "SET"    // the new one alone is taken from now on
	PasswordRotate = "ROTATE" // the present one is taken as well
	PasswordDelete = "DELETE" // none is asked for any more
)

// PasswordChange changes the password of a cluster.
type PasswordChange struct {
	Strategy string
	Password secret.Text // but with [PasswordDelete]
}

// Passwords are those that the cluster is to have once the change is carried out, and whether that is a change.
func (p PasswordChange) of(c Cluster) (password, old secret.Text, changes bool) {
	switch {
	case p.Strategy == PasswordDelete:
	case p.Strategy == PasswordRotate && p.Password == c.Password:
		return c.Password, c.OldPassword, false
	case p.Strategy == PasswordRotate:
		password, old = p.Password, c.Password // of three the oldest goes
	default:
		password = p.Password
	}
	return password, old, password != c.Password || old != c.OldPassword
}

// KnowsPassword tells whether a node that has this password may be one of the cluster's.
func (c Cluster) KnowsPassword(password secret.Text) bool {
	return password == c.Password || c.PasswordPending && password == c.FormerPassword
}

// AuthEnabled tells whether clients sign in by the cluster's password, rather than by one of their own or by none.
func (c Cluster) AuthEnabled() bool { return c.Password != "" && c.UserGroup == "" }

// SignInNeeded tells whether clients sign in at all. So should those of a cluster that is restored from its snapshots.
func (c Cluster) SignInNeeded() bool { return c.Password != "" }

// SignsInAs is the user whose password the cluster's is; "": the default one.
func (c Cluster) SignsInAs() string {
	if c.UserGroup == "" {
		return ""
	}
	return OwnUser
}

// UsersPending tells whether not every node is known to have the users of the cluster's group.
func (c Cluster) UsersPending() bool { return c.UserGroup != "" && c.UsersApplied != c.UsersWanted }

// PasswordSince is when the password was given to the cluster.
func (c Cluster) PasswordSince() time.Time {
	if c.PasswordChangedAt != nil {
		return *c.PasswordChangedAt
	}
	return c.CreatedAt
}

// changesPassword tells whether a modification changes the password.
func (spec ModifySpec) changesPassword(cluster Cluster) bool {
	if spec.Password == nil || cluster.UserGroup != "" || spec.UserGroup != nil && *spec.UserGroup != "" {
		return false // see userGroupColumns
	}
	_, _, changes := spec.Password.of(cluster)
	return changes
}

// passwordColumns checks a change of the password, and adds the columns to set.
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
		faults.Add(CodeClusterState, "", fmt.Sprintf("Not all nodes of %s have the password of its last change yet. Change it again when they do: the console sees to that as soon as they answer.", cluster.Name))
	}
	columns["password"], columns["old_password"], columns["former_password"] = password, old, cluster.Password
	columns["password_pending"], columns["password_changed_at"], columns["former_user"] = true, now, ""
	return faults
}

// KnowsChannels tells whether the engine's users have channels.
func (c Cluster) KnowsChannels() bool { return !strings.HasPrefix(c.EngineVersion, "6.0") }
