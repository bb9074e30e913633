package jobs_test

import (
	"strings"
	"testing"

	"github.com/jonboulle/clockwork"
	"github.com/redis/go-redis/v9"

	"rekindle/internal/secret"
	"rekindle/models"
)

const (
	readerPassword = "the-password-of-the-reader"
	writerPassword = "the-password-of-the-writer"
)

// user makes a user of clusters.
func (c *console) user(id, name, access string, passwords ...secret.Text) {
	c.t.Helper()
	_, err := c.db.AccessUsers.Create(c.t.Context(), models.AccessSpec{UserID: id, Name: name, Engine: models.EngineRedis, AccessString: &access, Passwords: passwords, NoPassword: len(passwords) == 0})
	must(c.t, err)
}

// staff makes a user group of a reader and a writer, with the default user off.
func (c *console) staff() {
	c.t.Helper()
	c.user("nobody", models.DefaultAccessUser, "off -@all")
	c.user("reader", "reader", "on ~app:* +@read +ping", readerPassword)
	c.user("writer", "writer", "on ~app:* &news +@all -@dangerous", writerPassword)
	must(c.t, c.db.UserGroups.Create(c.t.Context(), models.UserGroup{GroupID: "staff", Engine: models.EngineRedis}, []string{"nobody", "reader", "writer"}, nil))
}

// as connects to a node as somebody.
func (c *console) as(cluster models.Cluster, node models.Node, user string, password secret.Text) *redis.Client {
	client := redis.NewClient(&redis.Options{Addr: node.Address(), Username: user, Password: password.Reveal(), TLSConfig: c.trust(cluster), MaxRetries: -1})
	c.t.Cleanup(func() { client.Close() })
	return client
}

// wantUsers fails unless each node has exactly these users, and its replica is in step.
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

// wantRights fails unless reader and writer may do what their access strings say on each node, and nobody else anything.
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

// notNil is an error but for an absent key.
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
	if s := c.snapshot("orders", "evening"); s.Status != models.SnapshotAvailable || s.Keys != 2 || s.AuthEnabled {
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

	// A change of a user is at all nodes of all clusters without a restart.
	const other = "another-password-of-theirs"
	must(t, c.db.AccessUsers.Modify(ctx, "reader", models.AccessSpec{Passwords: []secret.Text{other}}))
	for _, name := range []string{"orders", "again"} {
		c.wantRights(c.wantUsers(name, "default", "reader", "rekindle", "writer"), other)
	}
	must(t, c.db.UserGroups.Modify(ctx, "staff", nil, []string{"reader"}))
	c.wantUsers("again", "default", "rekindle", "writer")
	must(t, c.db.UserGroups.Modify(ctx, "staff", []string{"reader"}, nil))
	cluster = c.wantUsers("orders", "default", "reader", "rekindle", "writer")
	if now := processOf(t, c.primary(cluster)); now != process {
		t.Error("the primary was started again")
	}

	// They are there again when nodes and console are started again, and after a failover.
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
