package nodes

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"rekindle/internal/launch"
	"rekindle/internal/resp"
	"rekindle/jobs/reason"
	"rekindle/models"
)

// This file brings the users of a cluster's group to its nodes. The console and replicas sign in as a user of their own there; that one comes first and
// goes last, so that whoever has come how far, neither is ever cut off. Each step may be repeated.

// tryUser is by whom it is tried whether an engine takes the rules of a user.
const tryUser = models.OwnUser + "-try"

// loginSteps lead nodes to the user and password by which they are to be reached, from those by which they were.
func loginSteps(cluster models.Cluster) []commands {
	named := func(user string) []string { return []string{"CONFIG", "SET", "masteruser", user} }
	auth := []string{"CONFIG", "SET", "masterauth", cluster.Password.Reveal()}
	protected := func(yes string) []string { return []string{"CONFIG", "SET", "protected-mode", yes} }
	set := func(user string, rules ...string) []string {
		return append([]string{"ACL", "SETUSER", user, "reset", "on"}, rules...)
	}
	all := []string{"~*", "+@all"}
	if cluster.KnowsChannels() {
		all = append(all, "&*")
	}
	password := ">" + cluster.Password.Reveal()
	switch {
	case cluster.UserGroup != "":
		// A replica that is signed in as the default user would lose its rights with it: it signs in anew before.
		return []commands{{set(models.OwnUser, append(all, password)...)}, {named(models.OwnUser), auth, protected("no")}, {{"CLIENT", "KILL", "TYPE", "replica"}}}
	case cluster.FormerUser == "":
		return passwordSteps(cluster.FormerPassword, cluster.Password, cluster.OldPassword)
	case cluster.Password == "":
		return []commands{{set(models.DefaultAccessUser, append(all, "nopass")...), protected("no")}, {named(models.DefaultAccessUser), auth}}
	}
	return []commands{{set(models.DefaultAccessUser, append(all, password)...), protected("yes")}, {named(models.DefaultAccessUser), auth}}
}

// mayChangeLogin tells whether connections of replicas may be cut off now: a snapshot is taken over one.
func mayChangeLogin(cluster models.Cluster) bool {
	return cluster.Status != models.ClusterSnapshotting || cluster.FormerUser == cluster.SignsInAs()
}

// users are those of the cluster's group, as nodes are to have them: nobody before the cluster is filled.
func (o *Operator) users(ctx context.Context, cluster models.Cluster) ([]launch.User, error) {
	if cluster.UserGroup == "" || Filling(cluster) {
		return nil, nil
	}
	members, err := o.DB.UserGroups.Users(ctx, cluster.UserGroup)
	if err != nil {
		return nil, fmt.Errorf("look up the users of %s: %w", cluster.Name, err)
	}
	var users []launch.User
	for _, member := range members {
		users = append(users, launch.User{Name: member.Name, Rules: member.Rules(cluster.KnowsChannels())})
	}
	return users, nil
}

// BringUsers brings the users of a cluster's group to its nodes, and nobody else. Nodes that do not run get them when they start. The caller has the
// cluster's lock, and read the cluster before anything that was changed since.
func (o *Operator) BringUsers(ctx context.Context, cluster models.Cluster) error {
	if cluster.UserGroup == "" {
		return nil
	}
	filled := cluster
	filled.Status = models.ClusterAvailable // as it is by now, whatever is written down
	users, err := o.users(ctx, filled)
	if err != nil {
		return err
	}
	running, err := o.running(ctx, cluster)
	if err != nil {
		return err
	}
	for _, node := range running {
		if err := bringUsers(ctx, cluster, node, users); err != nil {
			return reason.Because(err, "The node %s did not take the users of the group %s.", node.Name, cluster.UserGroup)
		}
	}
	return o.DB.UserGroups.Applied(ctx, cluster)
}

// bringUsers makes the users of one node these, the default one last.
func bringUsers(ctx context.Context, cluster models.Cluster, node models.Node, users []launch.User) error {
	keep := []string{models.OwnUser, models.DefaultAccessUser}
	last := []string{"off"}
	for _, user := range users {
		if user.Name == models.DefaultAccessUser {
			last = user.Rules
			continue
		}
		keep = append(keep, user.Name)
		if err := Tell(ctx, cluster, node, append([]string{"ACL", "SETUSER", user.Name, "reset"}, user.Rules...)...); err != nil {
			return err
		}
	}
	if err := removeUsers(ctx, cluster, node, keep...); err != nil {
		return err
	}
	return Tell(ctx, cluster, node, append([]string{"ACL", "SETUSER", models.DefaultAccessUser, "reset"}, last...)...)
}

// removeUsers removes all users of a node but these. The console's own goes last, as whom it may be signed in.
func removeUsers(ctx context.Context, cluster models.Cluster, node models.Node, keep ...string) error {
	conn, err := Dial(ctx, cluster, node)
	if err != nil {
		return fmt.Errorf("look for the users of %s: %w", node.Name, err)
	}
	defer conn.Close()
	names, err := conn.Do(ctx, "ACL", "USERS")
	if err != nil {
		return fmt.Errorf("look for the users of %s: %w", node.Name, err)
	}
	gone := slices.DeleteFunc(names.Strings(), func(name string) bool { return slices.Contains(keep, name) })
	slices.SortFunc(gone, func(a, b string) int { return order(a) - order(b) })
	for _, name := range gone {
		if err := Tell(ctx, cluster, node, "ACL", "DELUSER", name); err != nil {
			return err
		}
	}
	return nil
}

// order puts the console's own user behind the others.
func order(user string) int {
	if user == models.OwnUser {
		return 1
	}
	return 0
}

// goOnWithUsers brings changed users to the nodes of a cluster. The caller has its lock.
func (s *Supervisor) goOnWithUsers(ctx context.Context, cluster models.Cluster) {
	if err := s.BringUsers(ctx, cluster); err != nil {
		if ctx.Err() == nil {
			s.Logger.Error("bring changed users to the nodes", "cluster", cluster.Name, "error", err)
		}
		return
	}
	event := models.Event{Severity: models.SeverityInfo, ClusterName: cluster.Name, Message: fmt.Sprintf("All nodes of %s have the changed users of the group %s now.", cluster.Name, cluster.UserGroup)}
	if err := s.DB.Events.Add(ctx, event); err != nil {
		s.Logger.Error("write event", "message", event.Message, "error", err)
	}
}

// TryUser asks a primary of a cluster whether its engine takes the rules of a user. A refusal says in the engine's words why not.
func TryUser(ctx context.Context, cluster models.Cluster, user models.AccessUser) error {
	primaries := cluster.Primaries()
	if len(primaries) == 0 {
		return nil // it is lost, and will be asked when it is launched again
	}
	rules := models.AccessUser{AccessString: user.AccessString}.Rules(cluster.KnowsChannels())
	args := append(append([]string{"ACL", "SETUSER", tryUser, "reset"}, rules...), "off")
	err := Tell(ctx, cluster, primaries[0], args...)
	if err == nil {
		err = Tell(ctx, cluster, primaries[0], "ACL", "DELUSER", tryUser)
	}
	if reply, answered := errors.AsType[resp.Error](err); answered && !reply.PasswordRefused() {
		_, words, _ := strings.Cut(string(reply), " ")
		return models.Refuse(models.CodeInvalid, "access_string", fmt.Sprintf("The engine of the cluster %s does not take the access string of %s: %s.", cluster.Name, user.UserID, strings.TrimSuffix(words, ".")))
	} else if err != nil {
		return models.Refuse(models.CodeAccessUserState, "", fmt.Sprintf("The cluster %s does not answer now, so nobody can say whether its engine takes the access string of %s. Try again when it does.", cluster.Name, user.UserID))
	}
	return nil
}
