package jobs_test

import (
	"strings"
	"syscall"
	"testing"

	"github.com/jonboulle/clockwork"

	"rekindle/internal/launch"
	"rekindle/internal/secret"
	"rekindle/internal/testkit"
	"rekindle/models"
)

// changePassword changes the password of a cluster and waits until that is done, or has failed.
func (c *console) changePassword(name, strategy string, password secret.Text) models.Cluster {
	c.t.Helper()
	_, err := c.db.Changes.Modify(c.t.Context(), name, models.ModifySpec{Password: &models.PasswordChange{Strategy: strategy, Password: password}, RequestedBy: "test"})
	must(c.t, err)
	c.manager.Wake()
	return c.await(name, models.ClusterAvailable)
}

// wantPasswords fails unless exactly these passwords, of those given, are taken by every node, and its replicas are in step; "" is none at all.
func (c *console) wantPasswords(name string, taken map[secret.Text]bool) {
	c.t.Helper()
	cluster := c.awaitNodes(name)
	for _, node := range cluster.Nodes {
		for password, want := range taken {
			as := cluster
			as.Password = password
			client := c.client(as, node)
			if err := client.Ping(c.t.Context()).Err(); (err == nil) != want {
				c.t.Errorf("%s is asked with %q: %v", node.Name, password.Reveal(), err)
			}
			client.Close()
		}
		if found, err := c.nodes.Describe(c.t.Context(), name, node.Name); err != nil || found.Password != cluster.Password || found.OldPassword != cluster.OldPassword || len(found.Former) > 0 {
			c.t.Errorf("the launcher knows %s as %+v: %v", node.Name, found, err)
		}
	}
	// A replica that connects anew has to be taken.
	primary := c.primary(cluster)
	must(c.t, primary.ClientKillByFilter(c.t.Context(), "TYPE", "replica").Err())
	must(c.t, primary.Set(c.t.Context(), "since", name, 0).Err())
	replica := cluster.Shards()[0].Replicas()[0]
	testkit.WaitFor(c.t, "the replica to connect anew", func() bool {
		info := c.client(cluster, replica).Info(c.t.Context(), "replication").Val()
		return field(info, "master_link_status") == "up" && field(primary.Info(c.t.Context(), "replication").Val(), "connected_slaves") == "1"
	})
}

func TestThePasswordOfAClusterIsChangedWhileItsNodesRun(t *testing.T) {
	t.Parallel()
	c := newConsole(t, clockwork.NewRealClock())
	const first, second, third = "the-first-of-them", "the-second-of-them", "the-third-of-them"
	spec := encrypted(c.spec("orders", 1))
	spec.Auth, spec.Password = models.AuthGiven, first
	cluster := c.create(spec)[0]
	process := processOf(t, c.primary(cluster))
	for _, one := range []struct {
		strategy string
		password secret.Text
		taken    map[secret.Text]bool
	}{
		{models.PasswordRotate, second, map[secret.Text]bool{first: true, second: true, third: false, "": false}},
		{models.PasswordRotate, third, map[secret.Text]bool{first: false, second: true, third: true}},
		{models.PasswordSet, third, map[secret.Text]bool{second: false, third: true}},
		{models.PasswordSet, first, map[secret.Text]bool{third: false, first: true}},
		{models.PasswordDelete, "", map[secret.Text]bool{"": true}},
		{models.PasswordSet, second, map[secret.Text]bool{first: false, second: true, "": false}},
		{models.PasswordRotate, first, map[secret.Text]bool{first: true, second: true, "": false}},
	} {
		if cluster = c.changePassword("orders", one.strategy, one.password); cluster.Password != one.password || cluster.PasswordPending || cluster.PasswordChangedAt == nil {
			t.Fatalf("after %s of %q: pending %v\n%s", one.strategy, one.password.Reveal(), cluster.PasswordPending, c.events())
		}
		c.wantPasswords("orders", one.taken)
	}
	if now := processOf(t, c.primary(cluster)); now != process {
		t.Error("the primary was started again")
	}
	if strings.Contains(c.events(), "could not") {
		t.Error(c.events())
	}

	// Started again, they take both still, and so they do to a console that has lost its catalog.
	c.kill(cluster, nil, cluster.Nodes...)
	c.wantPasswords("orders", map[secret.Text]bool{first: true, second: true, third: false})
	c.stop()
	c.loseCatalog()
	c.start()
	if run := c.rebuild(); run.Status != models.RunSucceeded {
		t.Fatalf("the rebuild %s: %s", run.Status, run.Error)
	}
	c.wantPasswords("orders", map[secret.Text]bool{first: true, second: true, third: false})
}

func TestAChangeOfThePasswordThatWasCutOffIsBroughtToItsEnd(t *testing.T) {
	t.Parallel()
	c := newConsole(t, clockwork.NewRealClock())
	const first, second = "the-first-of-them", "the-second-of-them"
	spec := c.spec("orders", 1)
	spec.Auth, spec.Password = models.AuthGiven, first
	cluster := c.create(spec)[0]
	replica := cluster.Shards()[0].Replicas()[0]
	hanging := processOf(t, c.client(cluster, replica))
	must(t, syscall.Kill(hanging, syscall.SIGSTOP))
	resumed := false
	resume := func() {
		if !resumed {
			resumed = true
			_ = syscall.Kill(hanging, syscall.SIGCONT)
		}
	}
	defer resume()
	if cluster = c.changePassword("orders", models.PasswordSet, second); !cluster.PasswordPending || !strings.Contains(c.events(), "did not accept the new password") {
		t.Fatalf("while a node hangs the change is pending: %v\n%s", cluster.PasswordPending, c.events())
	}
	again := models.ModifySpec{Password: &models.PasswordChange{Strategy: models.PasswordSet, Password: "another-one-of-them"}, RequestedBy: "test"}
	if _, err := c.db.Changes.Modify(t.Context(), "orders", again); !models.HasCode(err, models.CodeClusterState) {
		t.Errorf("another change meanwhile: %v", err)
	}
	resume()
	c.waitFor("the change to be brought to its end", func() bool {
		now, err := c.db.Clusters.Get(t.Context(), "orders")
		return err == nil && !now.PasswordPending
	}, c.events)
	c.wantPasswords("orders", map[secret.Text]bool{first: false, second: true})

	// A replica that does not run gets it when it starts; the console is killed before its run has begun.
	c.stop()
	must(t, c.nodes.Stop(t.Context(), "orders", replica.Name, launch.Kill))
	_, err := c.db.Changes.Modify(t.Context(), "orders", models.ModifySpec{Password: &models.PasswordChange{Strategy: models.PasswordRotate, Password: first}, RequestedBy: "test"})
	must(t, err)
	c.start()
	c.await("orders", models.ClusterAvailable)
	c.wantPasswords("orders", map[secret.Text]bool{first: true, second: true})
}
