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

// This file sets up the users of a cluster's group on its nodes. The console and the replicas sign in as a user of their own. It is created
// first and removed last, so that neither is ever locked out, however far each node has got. Each step can be repeated.

// tryUser is the user with which a user's rules are tried out on an engine.
const tryUser = models.OwnUser + "-try"

// loginSteps returns the steps from the user and password with which the nodes were reached to the new ones.
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
	// A replica gets user and password one after the other, so for a moment only one of them is new. Therefore both users accept the new
	// password. A user without a password accepts any password as long as the user is named.
	also := func(user string) []string { return []string{"ACL", "SETUSER", user, password} }
	// A replica that is signed in as the default user would lose its rights along with it, so it signs in again first.
	anew := commands{{"CLIENT", "KILL", "TYPE", "replica"}}
	switch {
	case cluster.UserGroup != "" && cluster.FormerPassword == "":
		return []commands{{set(models.OwnUser, append(all, password)...)}, {named(models.OwnUser), auth, protected("no")}, anew}
	case cluster.UserGroup != "":
		return []commands{{set(models.OwnUser, append(all, password)...), also(models.DefaultAccessUser)}, {auth, named(models.OwnUser), protected("no")}, anew}
	case cluster.FormerUser == "":
		return passwordSteps(cluster.FormerPassword, cluster.Password, cluster.OldPassword)
	case cluster.Password == "":
		return []commands{{set(models.DefaultAccessUser, append(all, "nopass")...), protected("no")}, {named(models.DefaultAccessUser), auth}}
	}
	return []commands{{set(models.DefaultAccessUser, append(all, password)...), also(models.OwnUser), protected("yes")}, {auth, named(models.DefaultAccessUser)}}
}

// mayChangeLogin reports whether replica connections may be cut now. A snapshot is taken over one.
func mayChangeLogin(cluster models.Cluster) bool {
	return cluster.Status != models.ClusterSnapshotting || cluster.FormerUser == cluster.SignsInAs()
}

// users returns the users of the cluster's group as the nodes should have them: none before the cluster is filled.
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

// BringUsers gives the running nodes of a cluster exactly the users of its group. The others get them when they start. The caller holds the
// cluster's lock. The cluster was read before this reads the users, so a change in between is brought in another round.
func (o *Operator) BringUsers(ctx context.Context, cluster models.Cluster) error {
	if cluster.UserGroup == "" {
		return nil
	}
	filled := cluster
	filled.Status = models.ClusterAvailable // it is filled by now, even if the catalog does not say so yet
	users, err := o.users(ctx, filled)
	if err != nil {
		return err
	}
	running, err := o.running(ctx, cluster)
	if err != nil {
		return err
	}
	var failures []error // a node that hangs must not delay changes on the others
	for _, node := range running {
		if err := bringUsers(ctx, cluster, node, users); err != nil {
			failures = append(failures, reason.Because(err, "The node %s did not accept the users of the group %s.%s", node.Name, cluster.UserGroup, answer(err)))
		}
	}
	if err := errors.Join(failures...); err != nil {
		return err
	}
	return o.DB.UserGroups.Applied(ctx, cluster)
}

// answer returns a sentence, with a leading space, that quotes a node's refusal.
func answer(err error) string {
	reply, answered := errors.AsType[resp.Error](err)
	if !answered {
		return ""
	}
	return fmt.Sprintf(" It says: %s.", strings.TrimSuffix(engineWords(reply), "."))
}

// engineWords returns an error reply without its code.
func engineWords(reply resp.Error) string {
	_, words, _ := strings.Cut(string(reply), " ")
	return words
}

// bringUsers gives one node exactly these users. Removals come first, so that they happen even if the engine refuses another user's rules.
func bringUsers(ctx context.Context, cluster models.Cluster, node models.Node, users []launch.User) error {
	if !slices.ContainsFunc(users, func(u launch.User) bool { return u.Name == models.DefaultAccessUser }) {
		users = append(users, launch.User{Name: models.DefaultAccessUser, Rules: []string{"off"}})
	}
	keep := []string{models.OwnUser}
	for _, user := range users {
		keep = append(keep, user.Name)
	}
	return atNode(ctx, cluster, node, func(ctx context.Context, conn *resp.Conn) error {
		if err := removeUsers(ctx, conn, keep...); err != nil {
			return err
		}
		var failures []error
		for _, user := range users {
			err := setUser(ctx, conn, user)
			if err == nil {
				continue
			}
			failures = append(failures, fmt.Errorf("set the user %s: %w", user.Name, err))
			if _, answered := errors.AsType[resp.Error](err); !answered {
				break
			}
		}
		return errors.Join(failures...)
	})
}

// atNode calls do with one connection to a node.
func atNode(ctx context.Context, cluster models.Cluster, node models.Node, do func(ctx context.Context, conn *resp.Conn) error) error {
	ctx, cancel := context.WithTimeout(ctx, 2*ProbeTimeout)
	defer cancel()
	conn, err := Dial(ctx, cluster, node)
	if err == nil {
		defer conn.Close()
		err = do(ctx, conn)
	}
	if err != nil {
		return fmt.Errorf("change the users of %s: %w", node.Name, err)
	}
	return nil
}

// setUser creates or replaces a user on a node. If the user is turned off, its connections are closed, because engines leave them open.
func setUser(ctx context.Context, conn *resp.Conn, user launch.User) error {
	_, err := conn.Do(ctx, append([]string{"ACL", "SETUSER", user.Name, "reset"}, user.Rules...)...)
	if err == nil && !mayEnter(user.Rules) {
		_, err = conn.Do(ctx, "CLIENT", "KILL", "USER", user.Name)
	}
	return err
}

// mayEnter reports whether a user with these rules can sign in.
func mayEnter(rules []string) bool {
	enters := false
	for _, rule := range rules {
		switch strings.ToLower(rule) {
		case "on":
			enters = true
		case "off":
			enters = false
		}
	}
	return enters
}

// removeUsers removes all users of a node except these. The console's own goes last, because replicas are signed in as that user.
func removeUsers(ctx context.Context, conn *resp.Conn, keep ...string) error {
	names, err := conn.Do(ctx, "ACL", "USERS")
	if err != nil {
		return err
	}
	gone := slices.DeleteFunc(names.Strings(), func(name string) bool { return slices.Contains(keep, name) })
	slices.SortFunc(gone, func(a, b string) int { return order(a) - order(b) })
	for _, name := range gone {
		if _, err := conn.Do(ctx, "ACL", "DELUSER", name); err != nil {
			return fmt.Errorf("remove the user %s: %w", name, err)
		}
	}
	return nil
}

// keepUsers is [removeUsers] over a connection of its own.
func keepUsers(ctx context.Context, cluster models.Cluster, node models.Node, keep ...string) error {
	return atNode(ctx, cluster, node, func(ctx context.Context, conn *resp.Conn) error {
		return removeUsers(ctx, conn, keep...)
	})
}

// order sorts the console's own user after the others.
func order(user string) int {
	if user == models.OwnUser {
		return 1
	}
	return 0
}

// goOnWithUsers brings changed users to the nodes of a cluster. The caller holds the cluster's lock.
func (s *Supervisor) goOnWithUsers(ctx context.Context, cluster models.Cluster) {
	what := cluster.Name + " users"
	err := s.BringUsers(ctx, cluster)
	if ctx.Err() != nil {
		return
	}
	if err != nil {
		s.Logger.Error("bring changed users to the nodes", "cluster", cluster.Name, "error", err)
		if text := s.Sentence(err); s.memory.complain(what, text) {
			s.tell(ctx, cluster, models.SeverityError, "Not all nodes of %s have the changed users of the group %s yet. %s", cluster.Name, cluster.UserGroup, text)
		}
		return
	}
	s.memory.complain(what, "")
	s.tell(ctx, cluster, models.SeverityInfo, "All nodes of %s have the changed users of the group %s now.", cluster.Name, cluster.UserGroup)
}

// tell writes an event about a cluster.
func (s *Supervisor) tell(ctx context.Context, cluster models.Cluster, severity models.Severity, format string, args ...any) {
	event := models.Event{Severity: severity, ClusterName: cluster.Name, Message: fmt.Sprintf(format, args...)}
	if err := s.DB.Events.Add(ctx, event); err != nil {
		s.Logger.Error("write event", "message", event.Message, "error", err)
	}
}

// TryUser checks with a primary of a cluster whether its engine accepts a user's rules. If not, it returns [models.Faults] that quote the
// engine.
func TryUser(ctx context.Context, cluster models.Cluster, user models.AccessUser) error {
	primaries := cluster.Primaries()
	if len(primaries) == 0 {
		return nil // the cluster is lost: its engine will be asked when it is launched again
	}
	rules := models.AccessUser{AccessString: user.AccessString}.Rules(cluster.KnowsChannels())
	args := append(append([]string{"ACL", "SETUSER", tryUser, "reset"}, rules...), "off")
	err := Tell(ctx, cluster, primaries[0], args...)
	if err == nil {
		err = Tell(ctx, cluster, primaries[0], "ACL", "DELUSER", tryUser)
	}
	if reply, answered := errors.AsType[resp.Error](err); answered && !reply.PasswordRefused() {
		return models.Refuse(models.CodeInvalid, "access_string", fmt.Sprintf("The engine of the cluster %s does not accept the access string of %s: %s.", cluster.Name, user.UserID, strings.TrimSuffix(engineWords(reply), ".")))
	} else if err != nil {
		return models.Refuse(models.CodeAccessUserState, "", fmt.Sprintf("The cluster %s does not answer now, so it is not known whether its engine accepts the access string of %s. Try again when it answers.", cluster.Name, user.UserID))
	}
	return nil
}
