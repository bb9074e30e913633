package web

import (
	"cmp"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"rekindle/internal/secret"
	"rekindle/models"
)

// examinedAt is a primary with a replica at these addresses, as the engine finds it.
func examinedAt(primary, replica string) models.Examination {
	nodes := []models.FoundNode{{Address: primary, Role: models.RolePrimary, State: "available", UsedMemory: 100 << 20, MaxMemory: 1 << 30, Keys: 1234, Answers: true},
		{Address: replica, Role: models.RoleReplica, State: "available", UsedMemory: 100 << 20, MaxMemory: 1 << 30, Keys: 1234, LagBytes: 77, Answers: true}}
	engine := models.Engine{Name: "redis", Version: "7.2.5"}
	e := models.Examination{Found: models.Found{Topology: "replicated", Engine: engine, Shards: []models.FoundShard{{Nodes: nodes}}}}
	for i, n := range nodes {
		e.Nodes = append(e.Nodes, models.Examined{FoundNode: n, Shard: 1, Version: engine, Persistence: "RDB", Source: i == 1, ForkMemory: n.UsedMemory})
	}
	return e
}

func (j *fakeJobs) Examine(_ context.Context, spec models.AttachSpec) (models.Examination, error) {
	if faults := models.CheckAccess(&spec.Access); len(faults) > 0 {
		return models.Examination{}, faults
	}
	if examine := j.now().examine; examine != nil {
		return examine(spec)
	}
	return examinedAt("10.0.0.1:6379", "10.0.0.2:6379"), nil
}

func (j *fakeJobs) Attach(ctx context.Context, spec models.AttachSpec) (models.Cluster, error) {
	if err := j.db.Attachments.Check(ctx, &spec); err != nil {
		return models.Cluster{}, err
	}
	found, err := j.Examine(ctx, spec)
	if err != nil {
		return models.Cluster{}, err
	}
	return j.db.Attachments.Attach(ctx, spec, found.Found)
}

func (j *fakeJobs) ChangeAccess(ctx context.Context, name string, access models.Access, password secret.Text, requestedBy string) error {
	found, err := j.Examine(ctx, models.AttachSpec{Access: access, Password: password})
	if err != nil {
		return err
	}
	return j.db.Attachments.Change(ctx, name, access, password, requestedBy, found.Found)
}

// reaching makes the engine note what it is told to connect with.
func (c *console) reaching() *[]models.AttachSpec {
	var seen []models.AttachSpec
	c.jobs.change(func(a *answers) {
		a.examine = func(spec models.AttachSpec) (models.Examination, error) {
			seen = append(seen, spec)
			return examinedAt("10.0.0.1:6379", "10.0.0.2:6379"), nil
		}
	})
	return &seen
}

// attachable is a form that attaches a cluster.
var attachable = fields("id", "Shop", "description", "Sessions & carts", "addresses", "10.0.0.1\n10.0.0.2:6379", "username", "rekindle", "password", "top-secret-1",
	"backups", "on", "retention", "7", "window_preference", "given", "window_start", "03:00", "window_length", "60", "action", "attach")

func (c *console) attach(pairs ...string) models.Cluster {
	c.t.Helper()
	form := with(attachable, pairs...)
	name := strings.ToLower(form.Get("id"))
	c.postForm("/clusters/-/attach", form).redirects("/clusters/" + name)
	return c.find(name)
}

func TestAClusterIsAttachedWithItsSchedule(t *testing.T) {
	t.Parallel()
	c := signedIn(t)
	for _, page := range []string{"/", "/clusters"} {
		c.get(page).says(`href="/clusters/-/attach"`, "Attach cluster")
	}
	page := c.get("/clusters/-/attach").is(http.StatusOK).says("Attach a cluster", "Addresses", "Name of the primary", "never starts, stops or deletes a node", `name="tuned" value="on" checked`).doesNotSay("<details class=\"panel section\" open", "No preference\" checked")
	if page.header.Get("Cache-Control") != "no-store" {
		t.Error("the page may be stored")
	}
	seen := c.reaching()
	cluster := c.attach()
	if cluster.Kind != models.KindAttached || cluster.Attachment == nil || cluster.Attachment.Addresses.String() != "10.0.0.1:6379\n10.0.0.2:6379" || cluster.Attachment.Username != "rekindle" ||
		cluster.Password.Reveal() != "top-secret-1" || cluster.RetentionLimit != 7 || cluster.SnapshotWindow.String() != "03:00-04:00" || len(cluster.Nodes) != 2 {
		t.Errorf("%+v %+v", cluster, cluster.Attachment)
	}
	if len(*seen) != 1 {
		t.Errorf("it was looked for %d times", len(*seen))
	}
	if cluster.Attachment.Tuned {
		t.Error("it is tuned although the box was not ticked")
	}
	c.get("/clusters/shop").says("The cluster shop is attached.", "A primary with 1 replica", "10.0.0.1:6379", "rekindle, with a password", "No: data crosses the network in the clear", "03:00", "Off: nothing is ever configured").
		doesNotSay("top-secret-1", "Reboot", "Test failover", "Node type", "/clusters/shop/reboot")
	c.get("/clusters/-/attach?id=shop&backups=on&retention=3&window_preference=given&window_start=05:00&window_length=90").is(http.StatusOK).says("tomorrow at 05:", `value="3"`)
}

func TestWrongInputAttachesNothingAndKeepsWhatWasTyped(t *testing.T) {
	t.Parallel()
	c := signedIn(t)
	c.attach("id", "taken", "addresses", "10.0.9.9")
	c.jobs.change(func(a *answers) {
		a.examine = func(models.AttachSpec) (models.Examination, error) {
			return examinedAt("10.1.0.1:6379", "10.1.0.2:6379"), nil
		}
	})
	for _, one := range []struct{ field, value, at, says string }{
		{"id", "", "", "Enter a cluster id."},
		{"id", "taken", "", "There is already a cluster taken."},
		{"addresses", "", "", "Enter the address of at least one node"},
		{"addresses", "a b:x", "", "is not the address of a node"},
		{"addresses", `"><script>alert(1)</script>`, "", "is not the address of a node"},
		{"mapped", "10.0.0.1:6379", "", "does not map an address"},
		{"psync", "A B", "", "no spaces"},
		{"sentinel_username", "watcher", "sentinel_password", "needs a password"},
		{"retention", "99", "", "between 1 and 35 days"},
		{"window_start", "3", "", "must look like 03:00"},
	} {
		answer := c.postForm("/clusters/-/attach", with(attachable, one.field, one.value)).is(http.StatusUnprocessableEntity).
			says(one.says, "field needs another look", "Sessions & carts", "Type it again").doesNotSay("top-secret-1")
		answer.hasErrorAt(cmp.Or(one.at, one.field))
		if strings.Contains(answer.raw, "<script>alert") {
			t.Errorf("%s %q: not escaped", one.field, one.value)
		}
		if folded := []string{"mapped", "psync", "sentinel_username"}; slices.Contains(folded, one.field) != strings.Contains(answer.raw, `<details class="panel section" open`) {
			t.Errorf("%s: a section is open or closed wrongly", one.field)
		}
	}
	const key = "-----BEGIN PRIVATE KEY-----\nnobodys\n-----END PRIVATE KEY-----"
	c.postForm("/clusters/-/attach", with(attachable, "tls", "on", "ca", "no certificate", "private_key", key, "retention", "x")).is(http.StatusUnprocessableEntity).
		says("3 fields need another look", "no certificate").doesNotSay("nobodys")
	c.countsClusters(1)

	// What the cluster itself says is shown at its field as well.
	for field, text := range map[string]string{"password": "The nodes do not accept this user and password.", "server_name": "The nodes' certificate is for another name: db1.", "primary_name": "The Sentinels watch several."} {
		c.jobs.change(func(a *answers) {
			a.examine = func(models.AttachSpec) (models.Examination, error) {
				return models.Examination{}, models.Refuse(models.CodeInvalid, field, text)
			}
		})
		for _, action := range []string{"attach", "test"} {
			c.postForm("/clusters/-/attach", with(attachable, "action", action)).is(http.StatusUnprocessableEntity).says(text).hasErrorAt(field)
		}
	}
	c.jobs.change(func(a *answers) {
		a.examine = func(models.AttachSpec) (models.Examination, error) { return models.Examination{}, errOnPurpose }
	})
	c.postForm("/clusters/-/attach", attachable).is(http.StatusInternalServerError)
	c.countsClusters(1)
}

func TestATestShowsWhatIsFoundAndSavesNothing(t *testing.T) {
	t.Parallel()
	c := signedIn(t)
	found := examinedAt("10.0.0.1:6379", "10.0.0.2:6379")
	found.Nodes[1].Announced, found.Nodes[1].HostMemory = "172.17.0.2:6379", 8<<30
	found.Nodes = append(found.Nodes, models.Examined{FoundNode: models.FoundNode{Address: "10.0.0.3:6379", Role: models.RoleReplica, State: "unreachable"}, Shard: 1, Problem: "Nothing listens at 10.0.0.3:6379."})
	c.jobs.change(func(a *answers) {
		a.examine = func(models.AttachSpec) (models.Examination, error) { return found, nil }
	})
	test := with(attachable, "action", "test", "id", "", "retention", "x") // the name and the schedule do not matter for it
	whole := c.postForm("/clusters/-/attach", test).is(http.StatusOK).says("<!doctype html>", "Found, and nothing stands in the way of a snapshot.", "A primary with 2 replicas", "Redis 7.2.5",
		"10.0.0.2:6379", "announced as", "172.17.0.2:6379", "serves it", "forks up to", "on a host with", "Nothing listens at 10.0.0.3:6379.", "1,234", "12:00:00", "Sessions & carts", "Type it again")
	whole.doesNotSay("top-secret-1", "needs another look", "ACL SETUSER")
	if n := strings.Count(whole.body, "serves it"); n != 1 {
		t.Errorf("%d nodes serve the snapshot", n)
	}

	found.Hindrances, found.Notes, found.Modules, found.Rights = []string{"The user is not allowed to read."}, []string{"The host is small."}, []string{"search"}, "ACL SETUSER rekindle +psync"
	found.Topology, found.PrimaryName = "sentinel", "mymaster"
	part := c.htmx(http.MethodPost, "/clusters/-/attach", test).is(http.StatusOK).says("one thing stands in the way", "The user is not allowed to read.", "The host is small.", "search", "ACL SETUSER rekindle +psync",
		`data-copy="ACL SETUSER rekindle +psync"`, "watched by Sentinels as mymaster")
	part.doesNotSay("<!doctype html>", "top-secret-1", "<form")

	// A script accepts no answer that is an error: it is told in the same place, with a 200.
	c.htmx(http.MethodPost, "/clusters/-/attach", with(test, "addresses", "")).is(http.StatusOK).says("Enter the address of at least one node", `href="#f-addresses"`).doesNotSay("<form", "What was found")
	c.countsClusters(0)
}

// stored is a cluster that is reached with TLS, by Sentinels, with all the secrets there can be.
func (c *console) stored() (models.Cluster, url.Values) {
	c.t.Helper()
	certificate, key := pair(c.t)
	cluster := c.attach("id", "shop", "primary_name", "mymaster", "sentinel_username", "watcher", "sentinel_password", "top-secret-2", "tls", "on",
		"certificate", certificate, "private_key", key, "server_name", "redis.example")
	return cluster, fields("addresses", "10.0.0.1:6379\r\n10.0.0.2", "username", "rekindle", "primary_name", "mymaster", "sentinel_username", "watcher", "tls", "on",
		"certificate", strings.ReplaceAll(certificate, "\n", "\r\n"), "server_name", "redis.example", "keep_password", "on", "keep_sentinel_password", "on", "keep_private_key", "on", "action", "attach")
}

// A stored secret is never sent to where it has not been sent before: whoever may use the page could have it sent to a server of their own.
func TestAStoredSecretIsKeptOnlyOnTheWayThatItHasAlwaysGone(t *testing.T) {
	t.Parallel()
	c := signedIn(t)
	before, keeping := c.stored()
	other, otherKey := pair(t)
	seen := c.reaching()
	page := c.get("/clusters/shop/access").is(http.StatusOK).says("Keep the stored password", "Keep the Sentinels' stored password", "Keep the stored private key", "10.0.0.1:6379", "mymaster", "redis.example", "BEGIN CERTIFICATE")
	page.doesNotSay("top-secret", "PRIVATE KEY-----\nM", before.Attachment.PrivateKey.Reveal(), `name="id"`, `name="backups"`)
	if n := strings.Count(page.body, `type="checkbox" id="f-keep_`); n != 3 {
		t.Errorf("%d secrets can be kept", n)
	}

	for _, change := range [][2]string{
		{"addresses", "10.0.0.1:6379\n10.6.6.6:6379"}, {"addresses", "10.6.6.6"}, {"addresses", "10.0.0.1:6380\n10.0.0.2"}, {"mapped", "10.0.0.1=10.6.6.6"}, {"tls", ""}, {"unverified", "on"},
		{"server_name", "evil.example"}, {"server_name", ""}, {"ca", other}, {"certificate", other}, {"primary_name", "another"},
	} {
		for _, action := range []string{"attach", "test"} {
			answer := c.postForm("/clusters/shop/access", with(keeping, change[0], change[1], "action", action)).is(http.StatusUnprocessableEntity).says("a stored secret is never sent to a new place").doesNotSay("top-secret")
			answer.hasErrorAt("password")
			answer.hasErrorAt("sentinel_password")
			if change[0] != "tls" { // without it there is no key
				answer.hasErrorAt("private_key")
			}
			c.htmx(http.MethodPost, "/clusters/shop/access", with(keeping, change[0], change[1], "action", action)).says("a stored secret is never sent to a new place")
		}
	}
	if len(*seen) != 0 {
		t.Fatalf("a stored secret was sent to %v", (*seen)[0].Addresses)
	}
	// One that is typed again and one that is not: the latter does not come along.
	c.postForm("/clusters/shop/access", with(keeping, "addresses", "10.6.6.6", "password", "typed", "private_key", otherKey, "certificate", other)).is(http.StatusUnprocessableEntity).hasErrorAt("sentinel_password")
	if len(*seen) != 0 {
		t.Fatalf("a stored secret was sent to %v", (*seen)[0].Addresses)
	}
	if now := c.find("shop"); now.Attachment.Addresses.String() != before.Attachment.Addresses.String() || now.Password != before.Password {
		t.Errorf("%+v", now.Attachment)
	}

	// On the same way they are kept, even when other things change.
	for _, action := range []string{"test", "attach"} {
		c.postForm("/clusters/shop/access", with(keeping, "username", "somebody", "psync", "X", "by_key", "on", "action", action))
		last := (*seen)[len(*seen)-1]
		if last.Password.Reveal() != "top-secret-1" || last.SentinelPassword.Reveal() != "top-secret-2" || last.PrivateKey != before.Attachment.PrivateKey || last.Username != "somebody" {
			t.Errorf("%s: it was reached with %q %q %q", action, last.Password.Reveal(), last.SentinelPassword.Reveal(), last.PrivateKey.Reveal())
		}
	}
	if now := c.find("shop"); now.Attachment.Username != "somebody" || now.Attachment.PSYNC != "X" || !now.Attachment.ByKey || now.Password.Reveal() != "top-secret-1" || now.Attachment.SentinelPassword.Reveal() != "top-secret-2" {
		t.Errorf("%+v", now.Attachment)
	}

	c.get("/clusters/shop").says("read key by key, not point in time")
	c.get("/clusters/shop/access").says(`name="by_key" value="on" checked`)
	c.get("/clusters/shop/snapshot").says("not be of one point in time").doesNotSay("forks to write")

	// What is not to be kept goes, and a typed secret counts before the stored one.
	c.postForm("/clusters/shop/access", with(keeping, "addresses", "10.0.0.2", "tls", "", "username", "", "primary_name", "", "sentinel_username", "", "keep_password", "", "keep_sentinel_password", "", "keep_private_key", "")).redirects("/clusters/shop")
	if now := c.find("shop"); now.Password != "" || now.Attachment.SentinelPassword != "" || now.Attachment.PrivateKey != "" || now.Attachment.TLS {
		t.Errorf("%+v", now)
	}
	c.get("/clusters/shop").says("will be reached this way from now on", "The default user, without a password")
	c.postForm("/clusters/shop/access", with(keeping, "addresses", "10.0.0.2", "tls", "", "certificate", "", "primary_name", "", "password", "typed", "sentinel_password", "typed-too")).redirects("/clusters/shop")
	if now := c.find("shop"); now.Password.Reveal() != "typed" || now.Attachment.SentinelPassword.Reveal() != "typed-too" {
		t.Errorf("%+v", now)
	}
}

func TestAccessIsChangedOfAttachedClustersOnly(t *testing.T) {
	t.Parallel()
	c := signedIn(t)
	c.launch("orders")
	c.get("/clusters/orders/access").is(http.StatusConflict).says("were launched here")
	c.post("/clusters/orders/access", "addresses", "10.0.0.1").is(http.StatusConflict)
	c.get("/clusters/nobody/access").is(http.StatusNotFound)
	c.attach()
	for _, address := range []string{"/clusters/shop/reboot", "/clusters/shop/failover"} {
		c.get(address).says("Rekindle does not run them").doesNotSay("aws elasticache reboot", "aws elasticache test-failover")
	}
	if got := c.get("/clusters/shop/access").command(); !strings.Contains(got, "describe-replication-groups") {
		t.Error(got)
	}
	c.check(c.db.Clusters.Delete(t.Context(), "shop", models.DeleteSpec{RequestedBy: "admin"}))
	c.get("/clusters/shop/access").is(http.StatusConflict).says("is being detached")
}

func TestThePagesOfAnAttachedClusterSayWhatIsTrueOfIt(t *testing.T) {
	t.Parallel()
	c := signedIn(t)
	cluster := c.attach()
	c.get("/clusters").says("Attached", "none", "Detach").doesNotSay(`href="/clusters/shop/delete"> Delete`)
	c.post("/clusters/shop/password").is(http.StatusConflict).says("keeps its password for itself")
	c.get("/clusters/shop?tab=connect").says("10.0.0.1:6379", "10.0.0.2:6379", "Clients connect as they always have").doesNotSay("top-secret-1", "kept, not shown", ">Show<")
	c.get("/clusters/shop/modify").says("Its nodes are not touched", "retention").doesNotSay(`name="node_type"`, `name="replicas"`, "free here", "$0.00 ")
	c.post("/clusters/shop/modify", "description", "Carts", "backups", "on", "retention", "3", "window_preference", "given", "window_start", "03:00", "window_length", "60",
		"node_type", "cache.t4g.micro", "replicas", "5").redirects("/clusters/shop")
	if now := c.find("shop"); now.Description != "Carts" || now.RetentionLimit != 3 || now.NodeType != "" || now.Status != models.ClusterAvailable {
		t.Errorf("%+v", now)
	}
	c.post("/clusters/shop/modify", "backups", "on", "retention", "99", "window_preference", "given", "window_start", "x").is(http.StatusUnprocessableEntity).says("3 fields need another look").doesNotSay("node type")

	c.jobs.change(func(a *answers) {
		a.source = func(c models.Cluster) (models.SnapshotSource, error) {
			return models.SnapshotSource{Node: c.Nodes[0], UsedMemory: 100 << 20, Available: -1, Fits: true}, nil
		}
	})
	c.get("/clusters/shop/snapshot").says("How much its host has free cannot be seen from here", "not known").doesNotSay("enough memory free", "-1 bytes")
	c.jobs.change(func(a *answers) {
		a.source = func(c models.Cluster) (models.SnapshotSource, error) {
			return models.SnapshotSource{Node: c.Nodes[0], UsedMemory: 100 << 20, Available: 8 << 30, Fits: true}, nil
		}
	})
	c.get("/clusters/shop/snapshot").says("How much its host has free cannot be seen from here", "Free on its host, at most", "8.6 GB").doesNotSay("enough memory free")

	c.check(c.db.Attachments.Unreached(t.Context(), cluster, "10.0.0.1:6379 does not answer.", nil))
	away := c.find("shop")
	for _, n := range away.Nodes {
		n.State = "unreachable"
		c.check(c.db.Nodes.Seen(t.Context(), n))
	}
	c.clock.Advance(11 * time.Minute)
	page := c.get("/clusters/shop").says("10.0.0.1:6379 does not answer.", "It has been unreachable since", "11 minutes ago", "is retried until the window closes")
	if n := strings.Count(page.body, "10.0.0.1:6379 does not answer."); n != 1 {
		t.Errorf("why it is out of reach is said %d times\n%s", n, excerpt(page.body))
	}
}

func TestDetachingAsksWhatBecomesOfAutomaticSnapshots(t *testing.T) {
	t.Parallel()
	c := signedIn(t)
	detach := func(pairs ...string) models.DeleteArgs {
		t.Helper()
		c.post("/clusters/shop/delete", append([]string{"confirm", "shop"}, pairs...)...).redirects("/clusters")
		said := "The cluster shop is being detached"
		if slices.Contains(pairs, "final") {
			said = "The cluster shop will be detached once the final snapshot"
		}
		c.get("/clusters").says(said)
		run := c.claim()
		args, err := models.Args[models.DeleteArgs](run)
		c.check(err)
		c.check(c.db.Settle.ClusterDeletion(t.Context(), run))
		return args
	}
	c.attach()
	c.get("/clusters/shop/delete").says("Detach shop", "Its nodes run on untouched", "2 nodes with all data (1,234 keys): Rekindle does not touch them", "Take a final snapshot first; detach only", "Detach this cluster").
		doesNotSay("keep_automatic", "on their disk", "can be brought back")
	c.post("/clusters/shop/delete", "confirm", "x").is(http.StatusUnprocessableEntity).says("to confirm that it is to be detached").hasErrorAt("confirm")
	if args := detach(); !args.KeepAutomatic {
		t.Error("what was not asked about is removed")
	}

	c.attach()
	c.automatic("shop")
	c.signIn() // that took a day
	c.get("/clusters/shop/delete").says("1 automatic snapshot", "keep_automatic", "Keep it, until somebody deletes it", "delete-replication-group")
	c.get("/clusters/shop/delete?confirm=&keep_automatic=off").doesNotSay("aws elasticache delete-replication-group") // which would keep it
	if args := detach("keep_automatic", "on"); !args.KeepAutomatic {
		t.Error("it is not kept")
	}
	c.attach()
	if args := detach("keep_automatic", "off", "final", "on", "final_name", "last"); args.KeepAutomatic || args.FinalSnapshot != "last" {
		t.Errorf("%+v", args)
	}

	// Among others it is only detached, and keeps them.
	c.attach()
	c.launch("orders")
	c.get("/clusters/-/delete?all=on").says("is detached: its 2 nodes and automatic snapshots stay", "2 nodes of 1 attached cluster, untouched", "Together 2 nodes")
	c.post("/clusters/-/delete", "name", "shop", "name", "orders", "confirm", "delete 2 clusters").redirects("/clusters")
	for range 2 {
		run := c.claim()
		if args, err := models.Args[models.DeleteArgs](run); err != nil || args.KeepAutomatic != (run.ClusterName == "shop") {
			t.Errorf("%s: %+v %v", run.ClusterName, args, err)
		}
	}
}

// automatic has the schedule take a snapshot.
func (c *console) automatic(cluster string) {
	c.t.Helper()
	for range 48 {
		c.clock.Advance(30 * time.Minute)
		queued, err := c.db.Schedule.QueueDue(c.t.Context())
		c.check(err)
		if queued == 0 {
			continue
		}
		run := c.claim()
		started := c.clock.Now().UTC()
		c.check(c.db.Settle.Snapshot(c.t.Context(), run, models.Snapshot{Name: run.SnapshotName, RDBVersion: 10, Bytes: 1 << 20, Stored: 1 << 19, Keys: 1234, UsedMemory: 100 << 20, StartedAt: &started,
			Parts: []models.Part{{Number: 1, Object: cluster + "/part-0001.rdb.zst", Bytes: 1 << 20, Stored: 1 << 19, Keys: 1234, StartedAt: started, CompletedAt: started.Add(time.Second)}}}))
		return
	}
	c.t.Fatal("the schedule takes no snapshot")
}

// pair is a certificate with its key.
func pair(t testing.TB) (certificate, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(time.Now().UnixNano()), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	encoded, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})), string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: encoded}))
}
