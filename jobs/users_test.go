package jobs_test

import (
	"fmt"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/jonboulle/clockwork"
	"github.com/redis/go-redis/v9"

	"rekindle/internal/launch"
	"rekindle/internal/secret"
	"rekindle/internal/testkit"
	"rekindle/models"
)

const (
	readerPassword = "the-password-of-the-reader"
	writerPassword = "the-password-of-the-writer"
)

// user creates a user of clusters.
func (c *console) user(id, name, access string, passwords ...secret.Text) {
	c.t.Helper()
	_, err := c.db.AccessUsers.Create(c.t.Context(), models.AccessSpec{UserID: id, Name: name, Engine: models.EngineRedis, AccessString: &access, Passwords: passwords, NoPassword: len(passwords) == 0})
	must(c.t, err)
}

// staff creates a user group with a reader and a writer. Its default user is off.
func (c *console) staff() {
	c.t.Helper()
	c.user("nobody", models.DefaultAccessUser, "off -@all")
	c.user("reader", "reader", "on ~app:* +@read +ping", readerPassword)
	c.user("writer", "writer", "on ~app:* &news +@all -@dangerous", writerPassword)
	must(c.t, c.db.UserGroups.Create(c.t.Context(), models.UserGroup{GroupID: "staff", Engine: models.EngineRedis}, []string{"nobody", "reader", "writer"}, nil))
}

// as connects to a node as this user.
func (c *console) as(cluster models.Cluster, node models.Node, user string, password secret.Text) *redis.Client {
	client := redis.NewClient(&redis.Options{Addr: node.Address(), Username: user, Password: password.Reveal(), TLSConfig: c.trust(cluster), MaxRetries: -1})
	c.t.Cleanup(func() { client.Close() })
	return client
}

// wantUsers fails the test unless each node has exactly these users, and the replica is in step.
func (c *console) wantUsers(name string, want ...string) models.Cluster {
	c.t.Helper()
	c.waitFor("the users of "+name+" to be at its nodes", func() bool {
		cluster, err := c.db.Clusters.Get(c.t.Context(), name)
		return err == nil && cluster.Status == models.ClusterAvailable && !cluster.PasswordPending && !cluster.UsersPending()
	}, c.events)
	cluster := c.awaitNodes(name)
	for _, node := range cluster.Nodes {
		got, err := c.client(cluster, node).Do(c.t.Context(), "ACL", "USERS").StringSlice()
		if err != nil || strings.Join(got, " ") != strings.Join(want, " ") {
			c.t.Errorf("%s has the users %v, not %v: %v", node.Name, got, want, err)
		}
	}
	return cluster
}

// wantRights fails the test unless reader and writer may do on each node what their access strings say, and nobody else may do anything.
func (c *console) wantRights(cluster models.Cluster, readers secret.Text) {
	c.t.Helper()
	ctx := c.t.Context()
	for _, node := range cluster.Nodes {
		reader, writer := c.as(cluster, node, "reader", readers), c.as(cluster, node, "writer", writerPassword)
		for what, one := range map[string]struct {
			err  error
			good bool
		}{
			"nobody asks":          {c.as(cluster, node, "", "").Ping(ctx).Err(), false},
			"default asks":         {c.as(cluster, node, "default", cluster.Password).Ping(ctx).Err(), false},
			"a reader reads":       {notNil(reader.Get(ctx, "app:1").Err()), true},
			"a reader reads more":  {notNil(reader.Get(ctx, "other").Err()), false},
			"a reader writes":      {reader.Set(ctx, "app:1", "x", 0).Err(), false},
			"a writer reads":       {notNil(writer.Get(ctx, "app:1").Err()), true},
			"a writer flushes":     {writer.FlushAll(ctx).Err(), false},
			"a writer configures":  {writer.ConfigGet(ctx, "requirepass").Err(), false},
			"a writer says hello":  {writer.Publish(ctx, "news", "hello").Err(), true},
			"a writer says others": {writer.Publish(ctx, "gossip", "hello").Err(), false},
			"a reader elsewhere":   {c.as(cluster, node, "reader", writerPassword).Ping(ctx).Err(), false},
		} {
			if (one.err == nil) != one.good {
				c.t.Errorf("%s: %s and is answered with %v", node.Name, what, one.err)
			}
		}
		if node.Role == models.RolePrimary {
			must(c.t, writer.Set(ctx, "app:1", "one", 0).Err())
		}
	}
}

// notNil returns err, unless it says that a key does not exist.
func notNil(err error) error {
	if err == redis.Nil {
		return nil
	}
	return err
}

func TestUsersOfAGroupDoAtANodeWhatTheirAccessStringsSay(t *testing.T) {
	t.Parallel()
	c := newConsole(t, clockwork.NewRealClock())
	ctx := t.Context()
	c.staff()
	spec := encrypted(c.spec("orders", 1))
	spec.Auth, spec.UserGroup = models.AuthNone, "staff"
	c.create(spec)
	cluster := c.wantUsers("orders", "default", "reader", "rekindle", "writer")
	process := processOf(t, c.primary(cluster))
	c.wantRights(cluster, readerPassword)
	must(t, c.primary(cluster).Set(ctx, "other", "one", 0).Err())
	if s := c.snapshot("orders", "evening"); s.Status != models.SnapshotAvailable || s.Keys != 2 || !s.AuthEnabled {
		t.Fatalf("the snapshot is %s (%s) with %d keys", s.Status, s.StatusReason, s.Keys)
	}
	again := encrypted(c.spec("again", 1))
	again.Auth, again.UserGroup = models.AuthNone, "staff"
	c.restoreInto(again, "evening")
	restored := c.wantUsers("again", "default", "reader", "rekindle", "writer")
	if n := c.primary(restored).DBSize(ctx).Val(); n != 2 {
		t.Errorf("restored, it has %d keys", n)
	}
	c.wantRights(restored, readerPassword)

	// A changed user reaches all nodes of all clusters without a restart.
	const other = "another-password-of-theirs"
	must(t, c.db.AccessUsers.Modify(ctx, "reader", models.AccessSpec{Passwords: []secret.Text{other}}))
	for _, name := range []string{"orders", "again"} {
		now := c.wantUsers(name, "default", "reader", "rekindle", "writer")
		c.wantRights(now, other)
		for _, node := range now.Nodes {
			if c.as(now, node, "reader", readerPassword).Ping(ctx).Err() == nil {
				t.Errorf("%s takes the password of before", node.Name)
			}
		}
	}
	must(t, c.db.UserGroups.Modify(ctx, "staff", nil, []string{"reader"}))
	c.wantUsers("again", "default", "rekindle", "writer")
	must(t, c.db.UserGroups.Modify(ctx, "staff", []string{"reader"}, nil))
	cluster = c.wantUsers("orders", "default", "reader", "rekindle", "writer")

	// A user who is turned off is disconnected, and can come back later.
	connected := c.as(cluster, cluster.Nodes[0], "reader", other)
	must(t, connected.Ping(ctx).Err())
	access := func(text string) {
		t.Helper()
		must(t, c.db.AccessUsers.Modify(ctx, "reader", models.AccessSpec{AccessString: &text}))
	}
	access("off ~app:* +@read +ping")
	c.wantUsers("orders", "default", "reader", "rekindle", "writer")
	if connected.Ping(ctx).Err() == nil {
		t.Error("who is turned off goes on working")
	}
	access("on ~app:* +@read +ping")
	cluster = c.wantUsers("orders", "default", "reader", "rekindle", "writer")
	if now := processOf(t, c.primary(cluster)); now != process {
		t.Error("the primary was started again")
	}

	// They are still there after a restart of nodes and console, and after a failover.
	c.kill(cluster, nil, cluster.Nodes...)
	c.wantRights(c.wantUsers("orders", "default", "reader", "rekindle", "writer"), other)
	c.wantRights(c.handOver("orders", 1, 1, 1), other)
}

func TestAUserGroupTakesThePlaceOfThePasswordAndGivesItBack(t *testing.T) {
	t.Parallel()
	c := newConsole(t, clockwork.NewRealClock())
	ctx := t.Context()
	c.staff()
	const first, second = "the-first-of-them", "the-second-of-them"
	spec := encrypted(c.spec("orders", 1))
	spec.Auth, spec.Password = models.AuthGiven, first
	cluster := c.create(spec)[0]
	process := processOf(t, c.primary(cluster))
	group := func(id string, password *models.PasswordChange) models.Cluster {
		t.Helper()
		_, err := c.db.Changes.Modify(ctx, "orders", models.ModifySpec{UserGroup: &id, Password: password, RequestedBy: "test"})
		must(t, err)
		c.manager.Wake()
		return c.await("orders", models.ClusterAvailable)
	}
	for _, back := range []secret.Text{second, "", first} {
		before := c.as(cluster, cluster.Nodes[0], "", cluster.Password)
		must(t, before.Ping(ctx).Err())
		if group("staff", nil); strings.Contains(c.events(), "could not") {
			t.Fatal(c.events())
		}
		cluster = c.wantUsers("orders", "default", "reader", "rekindle", "writer")
		c.wantRights(cluster, readerPassword)
		if err := before.Set(ctx, "app:2", "x", 0).Err(); err == nil {
			t.Error("who was signed in before may write still")
		}
		c.t.Log(c.events())
		group("", &models.PasswordChange{Strategy: models.PasswordSet, Password: back})
		if cluster = c.wantUsers("orders", "default"); cluster.Password != back || cluster.FormerUser != "" {
			t.Fatalf("afterwards the password is %q", cluster.Password.Reveal())
		}
		c.wantPasswords("orders", map[secret.Text]bool{back: true, "": back == ""})
	}
	if now := processOf(t, c.primary(cluster)); now != process {
		t.Error("the primary was started again")
	}
}

func TestAChangeOfTheUserGroupThatWasCutOffIsBroughtToItsEnd(t *testing.T) {
	t.Parallel()
	c := newConsole(t, clockwork.NewRealClock())
	ctx := t.Context()
	c.staff()
	cluster := c.create(encrypted(c.spec("orders", 1)))[0]
	replica := cluster.Shards()[0].Replicas()[0]
	hanging := processOf(t, c.client(cluster, replica))
	must(t, syscall.Kill(hanging, syscall.SIGSTOP))
	resume := sync.OnceFunc(func() { _ = syscall.Kill(hanging, syscall.SIGCONT) })
	defer resume()
	change := func(group string) error {
		_, err := c.db.Changes.Modify(ctx, "orders", models.ModifySpec{UserGroup: &group, RequestedBy: "test"})
		c.manager.Wake()
		return err
	}
	must(t, change("staff"))
	if cluster = c.await("orders", models.ClusterAvailable); !cluster.PasswordPending || !cluster.UsersPending() {
		t.Fatalf("while a node hangs the change is pending: %v, %v\n%s", cluster.PasswordPending, cluster.UsersPending(), c.events())
	}
	if err := change(""); !models.HasCode(err, models.CodeClusterState) {
		t.Errorf("another change meanwhile: %v", err)
	}
	resume()
	c.wantRights(c.wantUsers("orders", "default", "reader", "rekindle", "writer"), readerPassword)

	// A replica that does not run gets the users when it starts, even if the console is killed before the run begins.
	c.stop()
	must(t, c.nodes.Stop(ctx, "orders", replica.Name, launch.Kill))
	must(t, c.db.AccessUsers.Modify(ctx, "reader", models.AccessSpec{Passwords: []secret.Text{"another-password-of-theirs"}}))
	c.start()
	c.wantRights(c.wantUsers("orders", "default", "reader", "rekindle", "writer"), "another-password-of-theirs")
	c.stop()
	must(t, change(""))
	c.start()
	c.await("orders", models.ClusterAvailable)
	cluster = c.wantUsers("orders", "default")
	c.wantPasswords("orders", map[secret.Text]bool{"": true})

	// The users are lost with the catalog. The default user then gets a password that the console knows.
	must(t, change("staff"))
	c.wantUsers("orders", "default", "reader", "rekindle", "writer")
	c.stop()
	c.loseCatalog()
	c.start()
	if run := c.rebuild(); run.Status != models.RunSucceeded || !strings.Contains(c.events(), "were in the catalog that was lost") {
		t.Fatalf("the rebuild %s: %s\n%s", run.Status, run.Error, c.events())
	}
	cluster = c.wantUsers("orders", "default")
	c.wantPasswords("orders", map[secret.Text]bool{cluster.Password: true, "": false})
}

func TestOneUserWhomTheEngineRefusesKeepsNobodyElse(t *testing.T) {
	t.Parallel()
	c := newConsole(t, clockwork.NewRealClock())
	ctx := t.Context()
	c.staff()
	spec := encrypted(c.spec("orders", 1))
	spec.Auth, spec.UserGroup = models.AuthNone, "staff"
	c.create(spec)
	cluster := c.wantUsers("orders", "default", "reader", "rekindle", "writer")
	access := func(text string) {
		t.Helper()
		must(t, c.db.AccessUsers.Modify(ctx, "nobody", models.AccessSpec{AccessString: &text}))
	}
	access("off -@all +nonsense") // not tried out, as if another console looked after the cluster
	const other = "another-password-of-theirs"
	must(t, c.db.UserGroups.Modify(ctx, "staff", nil, []string{"writer"}))
	must(t, c.db.AccessUsers.Modify(ctx, "reader", models.AccessSpec{Passwords: []secret.Text{other}}))
	c.waitFor("the others to be changed", func() bool {
		for _, node := range cluster.Nodes {
			if c.as(cluster, node, "reader", other).Ping(ctx).Err() != nil || c.as(cluster, node, "writer", writerPassword).Ping(ctx).Err() == nil {
				return false
			}
		}
		return strings.Contains(c.events(), "+nonsense")
	}, c.events)
	access("off -@all")
	c.wantUsers("orders", "default", "reader", "rekindle")
	if complaints := strings.Count(c.events(), "yet. The node orders-001 did not accept the users"); complaints == 0 || complaints > 2 { // one for each change that the engine refuses
		t.Errorf("it complains %d times:\n%s", complaints, c.events())
	}
}

// The catalog has the users; the node's files say how to sign in to it. That works even if the catalog is lost during a change.
func TestTheCatalogIsLostWhileAClusterGoesOverToUsersOrBack(t *testing.T) {
	t.Parallel()
	const before = "the-password-of-before"
	for what, one := range map[string]struct {
		had, gets string // user group
		password  secret.Text
		change    *models.PasswordChange
	}{
		"to users":           {"", "staff", before, nil},
		"from none to users": {"", "staff", "", nil},
		"to a password":      {"staff", "", before, &models.PasswordChange{Strategy: models.PasswordSet, Password: before}},
		"to none":            {"staff", "", "", nil},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			c := newConsole(t, clockwork.NewRealClock())
			c.staff()
			spec := encrypted(c.spec("orders", 1))
			if spec.Auth, spec.UserGroup = models.AuthNone, one.had; one.had == "" && one.password != "" {
				spec.Auth, spec.Password = models.AuthGiven, one.password
			}
			cluster := c.create(spec)[0]
			if one.had != "" {
				cluster = c.wantUsers("orders", "default", "reader", "rekindle", "writer")
			}
			hanging := processOf(t, c.client(cluster, cluster.Shards()[0].Replicas()[0]))
			must(t, syscall.Kill(hanging, syscall.SIGSTOP))
			resume := sync.OnceFunc(func() { _ = syscall.Kill(hanging, syscall.SIGCONT) })
			defer resume()
			_, err := c.db.Changes.Modify(t.Context(), "orders", models.ModifySpec{UserGroup: &one.gets, Password: one.change, RequestedBy: "test"})
			must(t, err)
			c.manager.Wake()
			if cluster = c.await("orders", models.ClusterAvailable); !cluster.PasswordPending {
				t.Fatalf("while a node hangs the change is done\n%s", c.events())
			}
			c.stop()
			c.loseCatalog()
			resume()
			c.start()
			if run := c.rebuild(); run.Status != models.RunSucceeded {
				t.Fatalf("the rebuild %s: %s\n%s", run.Status, run.Error, c.events())
			}
			if cluster = c.wantUsers("orders", "default"); cluster.Password != one.password {
				t.Errorf("it has the password %q, not %q", cluster.Password.Reveal(), one.password.Reveal())
			}
			c.wantPasswords("orders", map[secret.Text]bool{one.password: true, "": one.password == ""})
		})
	}
}

func TestAnAccessStringThatTheEngineRefusesIsFoundOutBefore(t *testing.T) {
	t.Parallel()
	c := newConsole(t, clockwork.NewRealClock())
	cluster := c.create(c.spec("orders", 0))[0]
	for access, complaint := range map[string]string{"on ~* +get": "", "off": "", "on ~* +nonsense": "Unknown command", "on ~* +@nonsense": "Unknown command or category"} {
		err := c.manager.TryUser(t.Context(), cluster, models.AccessUser{UserID: "alice", Name: "alice", AccessString: access})
		if (err == nil) != (complaint == "") || err != nil && (!models.HasCode(err, models.CodeInvalid) || !strings.Contains(err.Error(), complaint) || !strings.Contains(err.Error(), "orders")) {
			t.Errorf("%s is answered with %v", access, err)
		}
	}
	if users := c.primary(cluster).Do(t.Context(), "ACL", "USERS").Val(); len(users.([]any)) != 1 {
		t.Errorf("it left %v", users)
	}
	nonsense := models.AccessUser{UserID: "alice", Name: "alice", AccessString: "+nonsense"}
	elsewhere, failed := cluster, cluster
	elsewhere.Home, failed.Status = "another-host", models.ClusterCreateFailed
	for _, one := range []models.Cluster{elsewhere, failed} {
		if err := c.manager.TryUser(t.Context(), one, nonsense); err != nil {
			t.Errorf("a cluster of %s that is %s is asked: %v", one.Home, one.Status, err)
		}
	}
	primary, _ := cluster.Shards()[0].Primary()
	c.stop()
	must(t, c.nodes.Stop(t.Context(), "orders", primary.Name, launch.Kill))
	if err := c.manager.TryUser(t.Context(), cluster, models.AccessUser{UserID: "alice", AccessString: "on"}); !models.HasCode(err, models.CodeAccessUserState) {
		t.Errorf("a cluster that does not answer: %v", err)
	}
	c.start()
}

func TestUsersOfAClusterInClusterMode(t *testing.T) {
	t.Parallel()
	c := newConsole(t, clockwork.NewRealClock())
	ctx := t.Context()
	c.staff()
	spec := encrypted(c.inClusterMode("orders", 2, 1))
	spec.Auth, spec.UserGroup = models.AuthNone, "staff"
	c.create(spec)
	orders := c.inStep("orders", 2, 1)
	app := func(cluster models.Cluster) *redis.ClusterClient {
		client := redis.NewClusterClient(&redis.ClusterOptions{Addrs: []string{cluster.Nodes[0].Address()}, Username: "writer", Password: writerPassword, TLSConfig: c.trust(cluster)})
		t.Cleanup(func() { client.Close() })
		return client
	}
	writer := app(orders)
	for i := range 100 {
		must(t, writer.Set(ctx, fmt.Sprintf("app:%d", i), i, 0).Err())
	}
	if err := writer.Set(ctx, "other", "x", 0).Err(); err == nil {
		t.Error("a writer writes elsewhere")
	}
	want := c.digests(orders)
	if s := c.snapshot("orders", "evening"); s.Status != models.SnapshotAvailable || s.Keys != 100 {
		t.Fatalf("the snapshot is %s (%s) with %d keys", s.Status, s.StatusReason, s.Keys)
	}
	again := encrypted(c.inClusterMode("again", 3, 0))
	again.Auth, again.UserGroup = models.AuthNone, "staff"
	restored := c.restoreInto(again, "evening")
	if diff := testkit.Diff(want, c.digests(restored)); diff != "" {
		t.Error(diff)
	}
	must(t, app(restored).Set(ctx, "app:1", "again", 0).Err())
	old := orders.Primaries()[1].Name
	if orders = c.handOver("orders", 2, 2, 1); orders.Primaries()[1].Name == old {
		t.Error("the second shard was not handed over")
	}
}
