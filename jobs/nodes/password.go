package nodes

import (
	"context"
	"fmt"

	"rekindle/internal/launch"
	"rekindle/internal/secret"
	"rekindle/jobs/reason"
	"rekindle/models"
)

// This file changes the passwords of running nodes. At every moment each replica knows a password that its primary accepts, however far
// each node has got. Each step can be repeated, and an interrupted change starts over from the first.

// commands are sent to one node, in order.
type commands [][]string

// passwordSteps returns the steps from a former password to a new one, with or without an old one that stays valid. All nodes take a step
// before any takes the next. Replicas sign in as the default user by name: a primary without a password accepts any password then, but
// refuses one that comes without a name.
func passwordSteps(former, password, old secret.Text) []commands {
	adds := []string{"ACL", "SETUSER", "default", ">" + password.Reveal()}
	exactly := []string{"ACL", "SETUSER", "default", "resetpass", ">" + password.Reveal()}
	if old != "" {
		exactly = append(exactly, ">"+old.Reveal())
	}
	named := []string{"CONFIG", "SET", "masteruser", "default"}
	signsIn := func(with secret.Text) []string { return []string{"CONFIG", "SET", "masterauth", with.Reveal()} }
	protected := func(yes string) []string { return []string{"CONFIG", "SET", "protected-mode", yes} }
	switch {
	case password == "":
		return []commands{{named, protected("no")}, {{"ACL", "SETUSER", "default", "nopass"}}, {signsIn("")}}
	case former == "":
		return []commands{{named, signsIn(password)}, {exactly, protected("yes")}}
	}
	return []commands{{adds}, {named, signsIn(password)}, {exactly}}
}

// ChangePassword brings the catalog's passwords to all running nodes of a cluster. The others get them when they start. The caller holds
// the cluster's lock.
func (o *Operator) ChangePassword(ctx context.Context, cluster models.Cluster) error {
	keep := func(former ...secret.Text) error {
		for _, node := range cluster.Nodes {
			passwords := launch.Passwords{Password: cluster.Password, OldPassword: cluster.OldPassword, Former: former, User: cluster.SignsInAs(), FormerUser: cluster.FormerUser}
			if err := o.Launcher.KeepPasswords(ctx, cluster.Name, node.Name, passwords); err != nil {
				return err
			}
		}
		return nil
	}
	if err := keep(cluster.FormerPassword); err != nil {
		return err
	}
	running, err := o.running(ctx, cluster)
	if err != nil {
		return err
	}
	for _, step := range loginSteps(cluster) {
		for _, node := range running {
			for _, command := range step {
				if err := Tell(ctx, cluster, node, command...); err != nil {
					return reason.Because(err, "The node %s did not accept the new password.", node.Name)
				}
			}
		}
	}
	if cluster.UserGroup == "" && cluster.FormerUser != "" {
		for _, node := range running {
			if err := keepUsers(ctx, cluster, node, models.DefaultAccessUser); err != nil {
				return err
			}
		}
	}
	cluster.FormerUser = ""
	if err := keep(); err != nil {
		return err
	}
	return o.DB.Clusters.PasswordReached(ctx, cluster)
}

// running returns the nodes of a cluster that run.
func (o *Operator) running(ctx context.Context, cluster models.Cluster) ([]models.Node, error) {
	var running []models.Node
	for _, node := range cluster.Nodes {
		runs, err := o.Launcher.Running(ctx, cluster.Name, node.Name)
		if err != nil {
			return nil, fmt.Errorf("look for %s: %w", node.Name, err)
		}
		if runs {
			running = append(running, node)
		}
	}
	return running, nil
}

// goOnWithPassword finishes a change of the password that was interrupted, or that a node has not taken. The caller holds the cluster's
// lock.
func (s *Supervisor) goOnWithPassword(ctx context.Context, cluster models.Cluster) models.Cluster {
	if err := s.ChangePassword(ctx, cluster); err != nil {
		if ctx.Err() == nil {
			s.Logger.Error("bring a changed password to the nodes", "cluster", cluster.Name, "error", err)
		}
		return cluster
	}
	cluster.PasswordPending, cluster.FormerPassword, cluster.FormerUser = false, "", ""
	if cluster.UserGroup == "" { // otherwise its users come next
		s.tell(ctx, cluster, models.SeverityInfo, "All nodes of %s have the changed password now.", cluster.Name)
	}
	return cluster
}
