package web

import (
	"cmp"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"rekindle/models"
)

// good is a form that creates a cluster.
var good = fields("id", "orders", "description", "Orders & carts", "engine", "redis/7.0.15", "node_type", "cache.t4g.micro", "replicas", "1", "port", "",
	"auth", "none", "backups", "on", "retention", "7", "window_preference", "given", "window_start", "03:00", "window_length", "60", "snapshot", "")

// wrongFields are mistakes that every form with these fields has to report: the field, its content, what is said.
var wrongFields = []struct{ field, value, says string }{
	{"retention", "0", "The retention must be between 1 and 35 days, not 0."},
	{"retention", "36", "The retention must be between 1 and 35 days, not 36."},
	{"retention", "-1", "The retention must be between 1 and 35 days, not -1."},
	{"retention", "abc", `The number of days must be a whole number, 1 to 35, not "abc".`},
	{"retention", "7.5", `not "7.5".`},
	{"retention", "", "Enter the number of days, 1 to 35."},
	{"retention", "99999999999999999999", "must be a whole number"},
	{"window_start", "", "The time of day must look like 03:00"},
	{"window_start", "25:00", "The time of day must look like 03:00"},
	{"window_start", "3", "The time of day must look like 03:00"},
	{"window_start", "-1:00", "The time of day must look like 03:00"},
	{"window_length", "59", "The window must be at least 60 minutes long; this one has 59."},
	{"window_length", "0", "The window must be at least 60 minutes long; this one has 0."},
	{"window_length", "-60", "The window must be at least 60 minutes long"},
	{"window_length", "1440", "The window must be shorter than 24 hours."},
	{"window_length", "an hour", "must be a whole number"},
	{"window_length", "", "Enter the length of the window in minutes"},
	{"replicas", "6", "A cluster can have 0 to 5 replicas, not 6."},
	{"replicas", "-1", "A cluster can have 0 to 5 replicas, not -1."},
	{"replicas", "two", `The number of replicas must be a whole number, 0 to 5, not "two".`},
	{"replicas", "", "Enter the number of replicas, 0 to 5."},
	{"node_type", "cache.t9.huge", `There is no node type "cache.t9.huge".`},
	{"node_type", "cache.t1.micro", "cannot be backed up"},
	{"description", strings.Repeat("x", 256), "The description may have at most 255 characters."},
}

var wrongNewClusters = []struct{ field, value, says string }{
	{"id", "", "Enter a cluster id."},
	{"id", "1orders", "The cluster id must begin with a letter."},
	{"id", "or--ders", "The cluster id must not contain two hyphens in a row."},
	{"id", "orders-", "The cluster id must not end with a hyphen."},
	{"id", "or ders", "may contain only letters, digits and hyphens"},
	{"id", "größe", "may contain only letters, digits and hyphens"},
	{"id", `"><script>alert(1)</script>`, "The cluster id must begin with a letter."},
	{"id", strings.Repeat("a", 41), "The cluster id has 41 characters; at most 40 are allowed."},
	{"id", "new", "The console itself uses the id new"},
	{"engine", "redis/9.9", "The engine redis 9.9 is not installed on this host."},
	{"engine", "", "is not installed on this host."},
	{"port", "80", "The port must be between 1024 and 65535, not 80."},
	{"port", "0", "The port must be between 1024 and 65535."},
	{"port", "70000", "The port must be between 1024 and 65535, not 70000."},
	{"port", "http", `The port must be a whole number, 1024 to 65535 or empty, not "http".`},
	{"port", "6379", "The port 6379 is in use at each address of this host."},
	{"auth", "maybe", "Choose no password, a generated one or one of your own."},
}

// hasErrorAt checks that a mistake is reported at its field, and not at the top.
func (a answer) hasErrorAt(field string) {
	a.t.Helper()
	if !strings.Contains(a.body, `id="e-`+field+`"`) {
		a.t.Errorf("%s: no error at the field %s\n%s", a.what, field, excerpt(a.body))
	}
}

func (c *console) countsClusters(want int) {
	c.t.Helper()
	clusters, err := c.db.Clusters.All(c.t.Context())
	c.check(err)
	if len(clusters) != want {
		c.t.Errorf("there are %d clusters, want %d", len(clusters), want)
	}
}

func TestWrongInputCreatesNothingAndSaysWhy(t *testing.T) {
	t.Parallel()
	c := signedIn(t)
	for _, one := range slices.Concat(wrongFields, wrongNewClusters) {
		answer := c.postForm("/clusters/-/new", with(good, one.field, one.value)).is(http.StatusUnprocessableEntity).says(one.says, "field needs another look")
		if one.field != "description" {
			answer.says("Orders & carts") // the input is kept
		}
		switch one.value {
		case "cache.t1.micro":
			answer.hasErrorAt("backups")
		case "maybe":
			answer.hasErrorAt("auth")
		default:
			answer.hasErrorAt(one.field)
		}
		if strings.Contains(answer.raw, "<script>alert") {
			t.Errorf("%s %q: not escaped", one.field, one.value)
		}
	}
	c.postForm("/clusters/-/new", with(good, "id", "-", "replicas", "x", "retention", "x", "window_start", "x")).is(http.StatusUnprocessableEntity).
		says("4 fields need another look")
	c.post("/clusters/-/new").is(http.StatusUnprocessableEntity).says("Enter a cluster id.")
	c.postForm("/clusters/-/new", with(good, "snapshot", "none")).is(http.StatusUnprocessableEntity).says("There is no snapshot none.").hasErrorAt("snapshot")
	c.countsClusters(0)
	if n := c.jobs.woken.Load(); n != 0 {
		t.Errorf("the jobs were woken %d times for nothing", n)
	}
}

func TestAGivenPasswordIsNeverEchoed(t *testing.T) {
	t.Parallel()
	c := signedIn(t)
	for password, says := range map[string]string{
		"tooshort": "The password must have 16 to 128 characters", "sixteen characters with spaces": "only printable ASCII characters", "": "The password must have 16 to 128 characters; this one has 0.",
	} {
		answer := c.postForm("/clusters/-/new", with(good, "auth", "given", "password", password)).is(http.StatusUnprocessableEntity).says(says)
		answer.hasErrorAt("password")
		if password != "" {
			answer.doesNotSay(password)
		}
	}
	const password = "a-good-password-of-mine"
	c.postForm("/clusters/-/new", with(good, "auth", "given", "password", password, "retention", "x")).is(http.StatusUnprocessableEntity).doesNotSay(password)
	c.htmx(http.MethodPost, "/clusters/-/summary", with(good, "auth", "given", "password", password)).is(http.StatusOK).doesNotSay(password).says(`--auth-token "${AUTH_TOKEN:?}"`)
	c.postForm("/clusters/-/new", with(good, "auth", "given", "password", password)).redirects("/clusters/orders")
	if got := c.find("orders").Password.Reveal(); got != password {
		t.Errorf("the password is %q", got)
	}
	c.postForm("/clusters/-/new", with(good, "id", "other", "auth", "generated", "password", password)).redirects("/clusters/other")
	if got := c.find("other").Password.Reveal(); got == password || len(got) < 16 {
		t.Errorf("the generated password is %q", got)
	}
}

func TestAClusterIsCreatedWithItsSchedule(t *testing.T) {
	t.Parallel()
	c := signedIn(t)
	c.get("/clusters/-/new").is(http.StatusOK).says("Redis 7.0.15", "Valkey 8.1.1", "cache.t1.micro")
	c.postForm("/clusters/-/new", with(good, "id", " Orders ", "window_start", "23:30", "window_length", "90")).redirects("/clusters/orders")
	cluster := c.find("orders")
	if cluster.SnapshotWindow.String() != "23:30-01:00" || cluster.RetentionLimit != 7 || !cluster.WindowChosen || cluster.Status != models.ClusterCreating || cluster.Password != "" {
		t.Errorf("%+v", cluster)
	}
	c.get("/clusters/orders").says("Creating", "23:30", "Create orders").doesNotSay("is being created")
	if c.jobs.woken.Load() != 1 {
		t.Error("the jobs were not woken")
	}
	c.postForm("/clusters/-/new", with(good, "id", "free", "window_preference", "none", "window_start", "nonsense", "window_length", "5")).redirects("/clusters/free")
	if cluster := c.find("free"); cluster.WindowChosen || cluster.SnapshotWindow != models.PickWindow("free") {
		t.Errorf("without a preference: %+v", cluster)
	}
	off := with(good, "id", "off", "retention", "abc", "window_length", "abc")
	off.Del("backups")
	c.postForm("/clusters/-/new", off).redirects("/clusters/off")
	if cluster := c.find("off"); cluster.Backups() {
		t.Errorf("with backups off: %+v", cluster)
	}
}

func TestAClusterIsCreatedInClusterMode(t *testing.T) {
	t.Parallel()
	c := signedIn(t)
	inClusterMode := with(good, "cluster_mode", "on", "shards", "3", "replicas", "1")
	for shards, says := range map[string]string{"0": "1 to 90 shards, not 0", "91": "1 to 90 shards, not 91", "x": "number of shards"} {
		c.postForm("/clusters/-/new", with(inClusterMode, "shards", shards)).is(http.StatusUnprocessableEntity).says(says).hasErrorAt("shards")
	}
	c.postForm("/clusters/-/new", with(inClusterMode, "port", "60000")).is(http.StatusUnprocessableEntity).says("must not be above 55535").hasErrorAt("port")
	c.htmx(http.MethodPost, "/clusters/-/summary", inClusterMode).is(http.StatusOK).says("--num-node-groups 3", "--replicas-per-node-group 1")
	c.postForm("/clusters/-/new", inClusterMode).redirects("/clusters/orders")
	if made := c.find("orders"); !made.ClusterMode || len(made.Primaries()) != 3 || len(made.Nodes) != 6 {
		t.Errorf("cluster mode %v, %d shards, %d nodes", made.ClusterMode, len(made.Primaries()), len(made.Nodes))
	}
	c.get("/clusters/orders").is(http.StatusOK).says("3 shards", "in cluster mode", "5461-10922").doesNotSay("belong to no shard")
	c.get("/clusters/orders/modify").is(http.StatusOK).says("Replicas of each shard")
}

func TestAClustersPageSaysWhichSlotsNobodyServes(t *testing.T) {
	t.Parallel()
	const says = "The slots 10000-10922 of orders belong to no shard, or to several. A snapshot would be incomplete. Repair the cluster first"
	c := signedIn(t)
	cluster := c.launch("orders", func(s *models.ClusterSpec) { s.ClusterMode, s.Shards, s.Replicas = true, 3, 0 })
	c.get("/clusters/orders").is(http.StatusOK).doesNotSay("belong to no shard")
	second := cluster.Primaries()[1]
	c.check(c.db.Nodes.SetSlots(t.Context(), second, "5461-9999"))
	c.get("/clusters/orders").is(http.StatusOK).says(says)
	c.check(c.db.Nodes.SetSlots(t.Context(), second, "5461-10922"))
	c.get("/clusters/orders").is(http.StatusOK).doesNotSay("belong to no shard", "refuse commands")
	second.State = models.NodeRefusing
	c.check(c.db.Nodes.Seen(t.Context(), second))
	c.get("/clusters/orders").is(http.StatusOK).says("Primaries of orders refuse commands (orders-0002-001)", "Refuses commands", "bus ports")
}

func TestOfTwoWhoCreateTheSameIdExactlyOneWins(t *testing.T) {
	t.Parallel()
	c := signedIn(t)
	const people = 6
	answers := make(chan answer, people)
	var ready, done sync.WaitGroup
	ready.Add(1)
	for range people {
		done.Go(func() {
			ready.Wait()
			answers <- c.postForm("/clusters/-/new", good)
		})
	}
	ready.Done()
	done.Wait()
	close(answers)
	won := 0
	for answer := range answers {
		switch answer.status {
		case http.StatusSeeOther:
			won++
		default:
			answer.is(http.StatusUnprocessableEntity).says("There is already a cluster orders. Choose another id.").hasErrorAt("id")
		}
	}
	if won != 1 {
		t.Errorf("%d of %d won", won, people)
	}
	c.countsClusters(1)
}

func TestTheSummaryFollowsTheFields(t *testing.T) {
	t.Parallel()
	c := signedIn(t)
	answer := c.htmx(http.MethodPost, "/clusters/-/summary", with(good, "replicas", "2", "node_type", "cache.m7g.large")).is(http.StatusOK).
		says("3 nodes of 6.9 GB", "20.6 GB", "68.7 GB free here", "aws elasticache create-replication-group", "--snapshot-window 03:00-04:00", "at most $3.25")
	if strings.Contains(answer.body, "<html") || !strings.Contains(answer.body, `id="summary"`) {
		t.Error("the answer to htmx is not the summary alone")
	}
	for _, wrong := range []url.Values{{}, with(good, "retention", "abc", "replicas", "999999", "copies", "-5", "window_start", "x", "id", strings.Repeat("x", 300))} {
		c.htmx(http.MethodPost, "/clusters/-/summary", wrong).is(http.StatusOK).doesNotSay("another look")
	}
	c.postForm("/clusters/-/summary", good).is(http.StatusOK).says("<html", "Create a cluster")
	c.jobs.change(func(a *answers) { a.available = 1 << 30 })
	c.htmx(http.MethodPost, "/clusters/-/summary", with(good, "node_type", "cache.r7g.16xlarge")).says("When the nodes are full they need")
	c.htmx(http.MethodPost, "/clusters/-/summary", with(good, "node_type", "cache.t1.micro")).says("cannot be backed up")
}

// The summary promises nothing that the form would be refused for, and says the same as the refusal.
func TestTheSummaryDoesNotBelieveRefusedInput(t *testing.T) {
	t.Parallel()
	c := signedIn(t)
	before := c.launch("orders")
	c.backUp("orders", "first")
	const days, clock, taken = "The retention must be between 1 and 35 days, not 99.", "25:99", "There is already a cluster orders."
	fresh := with(good, "id", "new-one")
	for _, one := range []struct {
		address      string
		form         url.Values
		says, silent []string
	}{
		{"/clusters/-/summary", with(fresh, "retention", "99"), []string{days, "2 nodes of"}, []string{"Next snapshot", "99 snapshots", "create-replication-group"}},
		{"/clusters/-/summary", with(fresh, "window_start", clock), []string{clock, "2 nodes of"}, []string{"Next snapshot", "create-replication-group", "your time"}},
		{"/clusters/-/summary", with(fresh, "replicas", "9"), []string{"Next snapshot"}, []string{"nodes of", "create-replication-group"}},
		{"/clusters/-/summary", with(good, "id", "orders"), []string{taken, "2 nodes of", "Next snapshot"}, []string{"create-replication-group"}},
		{"/clusters/-/summary", with(good, "id", ""), []string{"2 nodes of", "Next snapshot", "create-replication-group"}, []string{"Nothing, as it is filled in now"}},
		{"/clusters/orders/summary", with(modifyForm(before), "retention", "99"), []string{days}, []string{"kept for 99", "modify-replication-group", "Nothing is changed yet"}},
		{"/clusters/orders/summary", with(modifyForm(before), "window_start", clock), []string{clock}, []string{"The snapshot window becomes", "modify-replication-group"}},
		{"/snapshots/first/summary", with(good, "id", "new-one", "copies", "99"), []string{"Nothing, as it is filled in now"}, []string{"99 clusters", "new-one-99", "create-replication-group"}},
	} {
		c.htmx(http.MethodPost, one.address, one.form).is(http.StatusOK).says(one.says...).doesNotSay(one.silent...)
	}
	plan := "/clusters/-/attach?id=shop&backups=on&window_preference=given&window_length=60"
	c.get(plan + "&retention=7&window_start=03:00").says("Next snapshot").doesNotSay("Nothing, as it is filled in now")
	c.get(plan + "&retention=99&window_start=03:00").says(days).doesNotSay("Next snapshot")
	c.get(plan + "&retention=7&window_start=25:99").says("Nothing, as it is filled in now").doesNotSay("Next snapshot")
}

// A host that would run out of memory is not filled without somebody's explicit wish.
func TestARestoreThatDoesNotFitTheHostWantsATick(t *testing.T) {
	t.Parallel()
	c := signedIn(t)
	c.launch("orders")
	c.backUp("orders", "first") // 400 MB in memory
	c.jobs.change(func(a *answers) { a.available = 700 << 20 })
	const short, box = "The data needs 839 MB on all nodes together, and this host has 734 MB free.", `name="override"`
	form := with(good, "id", "copy", "copies", "1", "replicas", "1")
	for address, id := range map[string]string{"/snapshots/first/restore": "copy", "/clusters/-/new": "seeded"} {
		form := with(form, "id", id, "snapshot", "first")
		summary := strings.NewReplacer("restore", "summary", "new", "summary").Replace(address)
		c.htmx(http.MethodPost, summary, form).is(http.StatusOK).says(short, box, "create-replication-group").doesNotSay("When the nodes are full")
		c.htmx(http.MethodPost, summary, with(form, "override", "on")).says(short, `name="override" value="on" checked`)
		c.htmx(http.MethodPost, summary, with(form, "replicas", "0")).doesNotSay("on all nodes together", box)
		c.postForm(address, form).is(http.StatusUnprocessableEntity).says(short, "tick the box to go on all the same").hasErrorAt("override")
		c.postForm(address, with(form, "override", "on")).redirects("/clusters/" + id)
	}
	c.jobs.change(func(a *answers) { a.available = 64 << 30 })
	c.get("/snapshots/first/restore").doesNotSay(box)
	page := c.get("/snapshots/first/restore").raw
	if summary, button := strings.Index(page, `aria-label="What will happen"`), strings.LastIndex(page, `<button type="submit" class="button primary">`); summary < 0 || button < summary {
		t.Error("the button stands before what will happen")
	}
}

func modifyForm(c models.Cluster) url.Values {
	return with(good, "description", c.Description, "replicas", fmt.Sprint(c.Replicas))
}

func TestModifyingAClusterChangesWhatTheFormChanges(t *testing.T) {
	t.Parallel()
	c := signedIn(t)
	before := c.launch("orders")
	c.get("/clusters/orders/modify").is(http.StatusOK).says("Nothing is changed yet.", `value="03:00"`)
	for _, one := range wrongFields {
		c.postForm("/clusters/orders/modify", with(modifyForm(before), one.field, one.value)).is(http.StatusUnprocessableEntity).says(one.says)
	}
	after := c.find("orders")
	if after.UpdatedAt != before.UpdatedAt || after.NodeType != before.NodeType {
		t.Errorf("wrong input changed the cluster: %+v", after)
	}
	c.postForm("/clusters/orders/modify", modifyForm(before)).redirects("/clusters/orders")
	c.get("/clusters/orders").says("Nothing was changed")

	c.htmx(http.MethodPost, "/clusters/orders/summary", with(modifyForm(before), "retention", "3", "window_start", "05:00")).is(http.StatusOK).
		says("kept for 3 days instead of 7; older ones are removed.", "The snapshot window becomes 05:00-06:00 UTC.", "aws elasticache modify-replication-group")
	c.postForm("/clusters/orders/modify", with(modifyForm(before), "retention", "3", "window_start", "05:00", "description", "new words")).redirects("/clusters/orders")
	after = c.find("orders")
	if after.RetentionLimit != 3 || after.SnapshotWindow.String() != "05:00-06:00" || after.Description != "new words" || after.Status != models.ClusterAvailable {
		t.Errorf("%+v", after)
	}
	off := modifyForm(after)
	off.Del("backups")
	c.postForm("/clusters/orders/modify", off).redirects("/clusters/orders")
	if after = c.find("orders"); after.Backups() || after.SnapshotWindow.String() != "05:00-06:00" {
		t.Errorf("turned off: %+v", after)
	}
	c.postForm("/clusters/orders/modify", with(off, "replicas", "3", "node_type", "cache.t4g.small")).redirects("/clusters/orders")
	if after = c.find("orders"); after.Status != models.ClusterModifying || len(after.Nodes) != 4 {
		t.Errorf("resized: %+v", after)
	}
	c.postForm("/clusters/orders/modify", with(off, "replicas", "1")).is(http.StatusUnprocessableEntity).says("its nodes can be changed when it is available")
}

func TestOnlyEnginesThatCanTakeASnapshotAreOffered(t *testing.T) {
	t.Parallel()
	const (
		redis   = `<option value="redis/7.0.15"`
		refused = `<option value="valkey/8.1.1" disabled>Valkey 8.1.1 cannot load this snapshot, for a reason.</option>`
		none    = "No engine that is installed on this host can take this snapshot. Install Redis 7.0.15 or a newer version of it first."
	)
	c := signedIn(t)
	c.launch("orders")
	c.backUp("orders", "new")
	c.backUp("orders", "old", func(s *models.Snapshot) { s.RDBVersion = 9 })
	c.backUp("orders", "hopeless", func(s *models.Snapshot) { s.RDBVersion = 1 })
	c.get("/snapshots/new/restore").is(http.StatusOK).says(redis+" selected>", `<option value="valkey/8.1.1">Valkey 8.1.1</option>`).doesNotSay("cannot load this snapshot", none)
	c.get("/snapshots/old/restore").is(http.StatusOK).says(redis+" selected>Redis 7.0.15</option>", refused).doesNotSay(none)
	c.get("/snapshots/hopeless/restore").is(http.StatusOK).says(redis+" disabled>Redis 7.0.15 cannot load this snapshot, for a reason.", refused, none).doesNotSay("selected>Redis")
	form := with(good, "id", "copy", "copies", "1", "engine", "valkey/8.1.1")
	c.postForm("/snapshots/old/restore", form).is(http.StatusUnprocessableEntity).says("which valkey 8.1.1 cannot load, for a reason. Choose redis 7.0.15").hasErrorAt("engine")
	c.get("/clusters/-/new?snapshot=old").is(http.StatusOK).says(`<option value="valkey/8.1.1">Valkey 8.1.1</option>`) // another seed may be chosen
}

func TestARestoreAsksWhatBecomesOfDeadlines(t *testing.T) {
	t.Parallel()
	c := signedIn(t)
	c.launch("orders")
	c.backUp("orders", "lasting")
	c.backUp("orders", "mortal", func(s *models.Snapshot) { s.Parts[0].Expires = 1234 })
	c.backUp("orders", "fields", func(s *models.Snapshot) { s.RDBVersion = 9 })
	c.get("/snapshots/lasting/restore").is(http.StatusOK).doesNotSay(`name="deadlines"`)
	c.get("/snapshots/mortal/restore").is(http.StatusOK).says("1,234 keys of the snapshot with a deadline", `name="deadlines" value="" checked`)
	for lifetimes, says := range map[string]string{
		"": "Those whose time has passed since the snapshot are gone.", "0-0": "The time of none of them", "7-7": "The time of 7 of them", "0-7": "The time of up to 7 of them",
		"7-900": "The time of 7 to 900 of them has passed since the snapshot: they are gone.", "1234-1234": "The time of all of them",
	} {
		name := "mortal-" + cmp.Or(lifetimes, "unknown")
		c.backUp("orders", name, func(s *models.Snapshot) { s.Parts[0].Expires, s.Parts[0].Lifetimes = 1234, lifetimes })
		c.get("/snapshots/" + name + "/restore").is(http.StatusOK).says("They expire when they would have anyway. " + says)
	}
	c.get("/snapshots/fields/restore").is(http.StatusOK).says("Fields of hashes with a deadline", `<option value="valkey/8.1.1">Valkey 8.1.1 (only without deadlines)</option>`)
	form := with(good, "id", "copy", "copies", "1", "engine", "valkey/8.1.1")
	c.postForm("/snapshots/fields/restore", form).is(http.StatusUnprocessableEntity).says("Without any deadlines it can: choose to drop them.").hasErrorAt("engine")
	c.postForm("/snapshots/fields/restore", with(form, "deadlines", "never")).is(http.StatusUnprocessableEntity).says("Choose when keys with a deadline expire.")
	c.postForm("/snapshots/fields/summary", with(form, "deadlines", "drop")).is(http.StatusOK).says("# This keeps the deadlines: the API has no choice of them.")
	c.postForm("/snapshots/fields/restore", with(form, "deadlines", "drop")).redirects("/clusters/copy")
	runs, err := c.db.Runs.Active(t.Context())
	i := slices.IndexFunc(runs, func(r models.Run) bool { return r.ClusterName == "copy" })
	if err != nil || i < 0 {
		t.Fatalf("%d runs: %v", len(runs), err)
	}
	if args, err := models.Args[models.RestoreArgs](runs[i]); err != nil || args.Deadlines != models.DeadlinesDropped {
		t.Errorf("the run is told %+v: %v", args, err)
	}
}

func TestAnOptionStaysShort(t *testing.T) {
	t.Parallel()
	why := func(models.Engine, models.Snapshot, models.Deadlines) string { return strings.Repeat("é", maxReason) }
	options, usable := engineOptions(installed[:1], models.Snapshot{Name: "s"}, why)
	if label := options[0].Label; usable || !options[0].Disabled || !strings.HasPrefix(label, "Redis 7.0.15 cannot load") || len(label) > maxReason+len("…") || !strings.HasSuffix(label, "é…") {
		t.Errorf("%v, %+v", usable, options)
	}
}

func TestRestoringIsPrefilledAndChecked(t *testing.T) {
	t.Parallel()
	c := signedIn(t)
	c.launch("orders", func(s *models.ClusterSpec) { s.Auth, s.Description = models.AuthGenerate, "all the orders" })
	c.backUp("orders", "first")
	c.get("/snapshots/first/restore").is(http.StatusOK).says(`value="orders-restored"`, "all the orders", `value="redis/7.0.15" selected`, `value="generated" selected`,
		`value="cache.t4g.micro" selected`, "4,000,000 keys", "--snapshot-name first")
	form := with(good, "id", "copy", "copies", "1")
	for _, one := range slices.Concat(wrongFields, wrongNewClusters, []struct{ field, value, says string }{
		{"copies", "0", "One snapshot can be restored into 1 to 20 clusters at a time, not 0."},
		{"copies", "21", "One snapshot can be restored into 1 to 20 clusters at a time, not 21."},
		{"copies", "-1", "One snapshot can be restored into 1 to 20 clusters at a time, not -1."},
		{"copies", "many", "must be a whole number"},
		{"copies", "", "Enter the number of clusters"},
		{"id", "orders", "There is already a cluster orders."},
		{"node_type", "cache.t1.micro", "The data needs"},
	}) {
		c.postForm("/snapshots/first/restore", with(form, one.field, one.value)).is(http.StatusUnprocessableEntity).says(one.says)
	}
	c.postForm("/snapshots/first/restore", with(form, "copies", "2", "port", "7001")).is(http.StatusUnprocessableEntity).says("The port 7001 is in use at each address of this host.") // which has one
	c.countsClusters(1)

	c.htmx(http.MethodPost, "/snapshots/first/summary", with(form, "copies", "3")).is(http.StatusOK).says("3 clusters", "copy-1", "copy-3", "for id in copy-1 copy-2 copy-3", "about $0.45")
	c.postForm("/snapshots/first/restore", with(form, "copies", "3")).redirects("/clusters?q=copy")
	c.countsClusters(4)
	if copy2 := c.find("copy-2"); copy2.RestoredFrom != "first" || copy2.Status != models.ClusterCreating {
		t.Errorf("%+v", copy2)
	}
	c.get("/clusters?q=copy").says("3 clusters are being created from first: copy-1 to copy-3.", "copy-1", "copy-3").doesNotSay(">orders<")
	c.get("/snapshots/first").says("Restoring", "Restore first into copy-2")
	// A seed in the form for new clusters is the same thing.
	c.get("/clusters/-/new?snapshot=first").says(`value="first" selected`)
	c.postForm("/clusters/-/new", with(good, "id", "seeded", "snapshot", "first")).redirects("/clusters/seeded")
}

// hasTicked tells whether a box is ticked.
func (a answer) hasTicked(box string) {
	a.t.Helper()
	if !strings.Contains(a.body, `id="f-`+box+`" name="`+box+`" value="on" checked`) {
		a.t.Errorf("%s: %s is not ticked\n%s", a.what, box, excerpt(a.body))
	}
}

func TestOnlyGoodSnapshotsCountWhenAClusterIsDeleted(t *testing.T) {
	t.Parallel()
	c := signedIn(t)
	c.launch("orders")
	for name, status := range map[string]models.RunStatus{"broken": models.RunFailed, "stopped": models.RunCancelled} {
		_, err := c.db.Snapshots.Request(t.Context(), "orders", name, false, "admin")
		c.check(err)
		c.check(c.db.Settle.Fail(t.Context(), c.claim(), status, "It did not work."))
	}
	const lost = "Without a final snapshot, this cluster's data cannot be brought back"
	c.get("/clusters/orders/delete").says("there are none that could be restored", "2 failed, cancelled or damaged manual snapshots", lost).hasTicked("final")
	c.get("/clusters/-/delete?name=orders").says("0 manual snapshots of them that can be restored", "the data of 1 cluster cannot be brought back").hasTicked("final")

	c.backUp("orders", "first")
	c.clock.Advance(3 * 24 * time.Hour)
	c.signIn() // the session has ended meanwhile
	c.get("/clusters/orders/delete").says("1 manual snapshot</a> that can be restored", "3 days ago", ">first</a>", "2 failed, cancelled or damaged").doesNotSay("can be brought back")
	c.get("/clusters/-/delete?name=orders").says("keeps 1 manual snapshot that can be restored", "3 days ago").doesNotSay("can be brought back")
	if _, err := c.db.Clusters.MarkReachable(t.Context(), c.find("orders").ID, false, "It does not answer."); err != nil {
		t.Fatal(err)
	}
	c.get("/clusters/orders/delete").says("no final snapshot can be taken").doesNotSay("f-final")
	c.get("/clusters/-/delete?name=orders").doesNotSay("f-final")

	// They are not the data of a later cluster of the same name.
	c.check(c.db.Clusters.Delete(t.Context(), "orders", models.DeleteSpec{RequestedBy: "admin"}))
	c.check(c.db.Settle.ClusterDeletion(t.Context(), c.claim()))
	c.launch("orders")
	c.get("/clusters/orders/delete").says(lost, "1 manual snapshot of an earlier cluster of this name")
}

func TestDeletingAClusterAsksForItsName(t *testing.T) {
	t.Parallel()
	c := signedIn(t)
	c.launch("orders")
	c.backUp("orders", "first")
	c.get("/clusters/orders/delete").is(http.StatusOK).says("2 nodes", "1 manual snapshot", "that can be restored", ">first<", "orders-final-2026-11-22-12-00",
		"aws elasticache delete-replication-group", "--final-snapshot-identifier").doesNotSay("can be brought back").hasTicked("final")
	c.get("/clusters/orders/delete?confirm=&final_name=x").doesNotSay("--final-snapshot-identifier", "checked") // the box was cleared
	for _, one := range []struct {
		form  url.Values
		field string
		says  string
	}{
		{fields(), "confirm", "Type the name orders"},
		{fields("confirm", "order"), "confirm", "Type the name orders"},
		{fields("confirm", "ORDERS"), "confirm", "Type the name orders"},
		{fields("confirm", "orders", "final", "on"), "final_name", "Enter a name for the final snapshot"},
		{fields("confirm", "orders", "final", "on", "final_name", "  "), "final_name", "Enter a name for the final snapshot"},
		{fields("confirm", "orders", "final", "on", "final_name", "a--b"), "final_name", "two hyphens in a row"},
		{fields("confirm", "orders", "final", "on", "final_name", "first"), "final_name", "There is already a snapshot first."},
	} {
		c.postForm("/clusters/orders/delete", one.form).is(http.StatusUnprocessableEntity).says(one.says).hasErrorAt(one.field)
	}
	if status := c.find("orders").Status; status != models.ClusterAvailable {
		t.Fatalf("the cluster is %s", status)
	}
	c.post("/clusters/orders/delete", "confirm", "orders", "final", "on", "final_name", "Last").redirects("/clusters")
	c.get("/clusters").says("once the final snapshot last is good.", "Deleting")
	c.post("/clusters/orders/delete", "confirm", "orders").is(http.StatusUnprocessableEntity).says("The cluster orders is deleting")
	run := c.claim()
	c.check(c.db.Settle.ClusterDeletion(t.Context(), run))
	c.get("/snapshots/first").is(http.StatusOK).says("deleted since")
	c.get("/clusters/orders").is(http.StatusNotFound)
}

// Whoever ticks "Take one every day" is told at once when the next one is taken, as the schedule will do it.
func TestTheTickSaysWhenTheNextSnapshotIsTaken(t *testing.T) {
	t.Parallel()
	c := signedIn(t) // it is noon
	c.launch("orders", func(s *models.ClusterSpec) { s.Retention, s.Window = 0, models.Window{} })
	form := fields("id", "shop", "backups", "on", "retention", "7", "window_preference", "given", "window_start", "03:00", "window_length", "60")
	for name, one := range map[string]struct {
		address string
		form    url.Values
		says    string
	}{
		"not ticked":             {"/clusters/-/summary", with(form, "backups", ""), "None is taken by itself, only on request."},
		"ticked":                 {"/clusters/-/summary", form, "The next one begins tomorrow at 03:"},
		"without a name":         {"/clusters/-/summary", with(form, "id", ""), "Each begins between 03:00 and 04:00 UTC."},
		"neither name nor time":  {"/clusters/-/summary", with(form, "id", "", "window_preference", "none"), "enter that, and the time of the first one is shown here"},
		"no number of days":      {"/clusters/-/summary", with(form, "retention", "x"), "once it is said how long each is kept"},
		"of a cluster that runs": {"/clusters/orders/summary", form, "The next one begins tomorrow at 03:"},
		"its window is open":     {"/clusters/orders/summary", with(form, "window_start", "10:30", "window_length", "119"), "The window is open now"},
	} {
		if body := c.htmx(http.MethodPost, one.address, one.form).is(http.StatusOK).body; !strings.Contains(body, one.says) {
			t.Errorf("%s: does not say %q\n%s", name, one.says, body)
		}
	}
	c.get("/clusters/orders/modify").says(`id="next-snapshot">None is taken by itself`)
	c.get("/clusters/-/attach").says(`id="next-snapshot">`)
}
