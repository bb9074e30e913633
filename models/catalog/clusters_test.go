package catalog

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"gorm.io/gorm"

	"rekindle/models"
)

func TestCreateClusterWritesEverythingDown(t *testing.T) {
	t.Parallel()
	db, _ := catalog(t)
	c := spec(" Orders ")
	c.Description, c.Replicas, c.Port, c.Auth, c.Password, c.Retention, c.Window = "The shop's", 2, 6400, models.AuthGiven, "0123456789abcdef", 7, models.Window{Start: 180, Length: 60}
	created := must(db.Clusters.Create(t.Context(), c))(t)
	cluster := must(db.Clusters.Get(t.Context(), "orders"))(t)
	if len(created) != 1 || created[0].ID != cluster.ID || len(cluster.Nodes) != 3 || cluster.Status != models.ClusterCreating || cluster.Password != c.Password ||
		cluster.Port != 6400 || !cluster.PortChosen || !cluster.WindowChosen || !cluster.Backups() || cluster.SnapshotWindow != c.Window {
		t.Errorf("%+v", cluster)
	}
	for i, n := range cluster.Nodes {
		if (n.Role == models.RolePrimary) != (i == 0) || n.Name != models.NodeName("orders", i+1) || n.MaxMemory != 512<<20 || n.State != models.NodePlanned || n.Host != "127.0.0.1" {
			t.Errorf("%+v", n)
		}
	}
	if primary, ok := cluster.Shards()[0].Primary(); !ok || primary.Port != 6400 || primary.Address() != "127.0.0.1:6400" {
		t.Errorf("%+v", primary)
	}
	run := claim(t, db)
	if run.Kind != models.RunCreate || run.ClusterID != cluster.ID || run.RequestedBy != "admin" {
		t.Errorf("%+v", run)
	}
	plain := must(db.Clusters.Create(t.Context(), spec("plain")))(t)[0]
	if plain.Backups() || plain.WindowChosen || plain.SnapshotWindow != models.PickWindow("plain") || plain.Password != "" || plain.PortChosen {
		t.Errorf("%+v", plain)
	}
	generated := spec("generated")
	generated.Auth = models.AuthGenerate
	if one := must(db.Clusters.Create(t.Context(), generated))(t)[0]; models.CheckAuthPassword(one.Password.Reveal()) != "" {
		t.Error("the generated password would not be accepted")
	}
}

func TestCreateClusterRefusesAndWritesNothing(t *testing.T) {
	t.Parallel()
	db, _ := catalog(t)
	taken := spec("taken")
	taken.Port = 6500
	launched(t, db, taken)
	db.host.(*fakeHost).busy = map[int]bool{6501: true}
	tests := []struct {
		name  string
		set   func(*models.ClusterSpec)
		field string
		code  models.Code
	}{
		{"no name", func(c *models.ClusterSpec) { c.Name = "" }, "id", models.CodeInvalid},
		{"wrong name", func(c *models.ClusterSpec) { c.Name = "a--b" }, "id", models.CodeInvalid},
		{"name taken", func(c *models.ClusterSpec) { c.Name = "TAKEN" }, "id", models.CodeClusterExists},
		{"unknown engine", func(c *models.ClusterSpec) { c.Engine = models.Engine{Name: "redis", Version: "1.0"} }, "engine", models.CodeInvalid},
		{"no engine", func(c *models.ClusterSpec) { c.Engine = models.Engine{} }, "engine", models.CodeInvalid},
		{"unknown node type", func(c *models.ClusterSpec) { c.NodeType = "cache.x" }, "node_type", models.CodeInvalid},
		{"replicas below", func(c *models.ClusterSpec) { c.Replicas = -1 }, "replicas", models.CodeInvalid},
		{"replicas above", func(c *models.ClusterSpec) { c.Replicas = 6 }, "replicas", models.CodeInvalid},
		{"privileged port", func(c *models.ClusterSpec) { c.Port = 1023 }, "port", models.CodeInvalid},
		{"no such port", func(c *models.ClusterSpec) { c.Port = 65536 }, "port", models.CodeInvalid},
		{"negative port", func(c *models.ClusterSpec) { c.Port = -1 }, "port", models.CodeInvalid},
		{"port of another cluster", func(c *models.ClusterSpec) { c.Port = 6500 }, "port", models.CodeInvalid},
		{"port of another program", func(c *models.ClusterSpec) { c.Port = 6501 }, "port", models.CodeInvalid},
		{"retention above", func(c *models.ClusterSpec) { c.Retention = 36 }, "retention", models.CodeInvalid},
		{"retention below", func(c *models.ClusterSpec) { c.Retention = -1 }, "retention", models.CodeInvalid},
		{"t1.micro with backups", func(c *models.ClusterSpec) { c.NodeType, c.Retention = "cache.t1.micro", 1 }, "backups", models.CodeSnapshotUnsupported},
		{"window of a whole day", func(c *models.ClusterSpec) { c.Window = models.Window{Start: 0, Length: 1440} }, "window_length", models.CodeInvalid},
		{"window of an hour less a minute", func(c *models.ClusterSpec) { c.Window = models.Window{Start: 0, Length: 59} }, "window_length", models.CodeInvalid},
		{"window before midnight", func(c *models.ClusterSpec) { c.Window = models.Window{Start: -1, Length: 60} }, "window_start", models.CodeInvalid},
		{"long description", func(c *models.ClusterSpec) { c.Description = strings.Repeat("ü", 256) }, "description", models.CodeInvalid},
		{"broken description", func(c *models.ClusterSpec) { c.Description = "\xff" }, "description", models.CodeInvalid},
		{"unknown auth", func(c *models.ClusterSpec) { c.Auth = "yes" }, "auth", models.CodeInvalid},
		{"no password given", func(c *models.ClusterSpec) { c.Auth = models.AuthGiven }, "password", models.CodeInvalid},
		{"password with a line break", func(c *models.ClusterSpec) { c.Auth, c.Password = models.AuthGiven, "0123456789abcdef\nport 1" }, "password", models.CodeInvalid},
		{"copies of nothing", func(c *models.ClusterSpec) { c.Copies = 2 }, "copies", models.CodeCombination},
		{"too many copies", func(c *models.ClusterSpec) { c.Copies = 21 }, "copies", models.CodeInvalid},
		{"copies below", func(c *models.ClusterSpec) { c.Copies = -1 << 62 }, "copies", models.CodeInvalid},
		{"unknown snapshot", func(c *models.ClusterSpec) { c.Snapshot = "none" }, "snapshot", models.CodeSnapshotNotFound},
		{"hostile snapshot", func(c *models.ClusterSpec) { c.Snapshot = "' OR 1=1 --" }, "snapshot", models.CodeSnapshotNotFound},
	}
	before := content(t, db)
	for _, test := range tests {
		c := spec("fresh")
		test.set(&c)
		_, err := db.Clusters.Create(t.Context(), c)
		if fields := refused(t, err, test.code).Fields(); fields[test.field] == "" {
			t.Errorf("%s: %v", test.name, fields)
		}
		if content(t, db) != before {
			t.Fatalf("%s: something was written", test.name)
		}
	}
	c := models.ClusterSpec{Name: "-", Retention: 99, Replicas: 9, Copies: 30, Auth: "x", Port: 1}
	_, err := db.Clusters.Create(t.Context(), c)
	if fields := refused(t, err, models.CodeInvalid).Fields(); len(fields) < 8 {
		t.Errorf("not everything that is wrong is said at once: %v", fields)
	}
	db.host.(*fakeHost).fail = errors.New("folder is gone")
	if _, err := db.Clusters.Create(t.Context(), spec("fresh")); err == nil || content(t, db) != before {
		t.Error("a host that fails was not noticed")
	}
}

func TestAPasswordThatWasNotCheckedIsNotUsed(t *testing.T) {
	t.Parallel()
	db, _ := catalog(t)
	for i, auth := range []string{models.AuthNone, "", models.AuthGenerate} {
		c := spec(fmt.Sprintf("c%d", i))
		c.Auth, c.Password = auth, "x\nport 1"
		if cluster := must(db.Clusters.Create(t.Context(), c))(t)[0]; cluster.Password == c.Password {
			t.Errorf("with auth %q the password that came along was taken", auth)
		}
	}
}

func TestTwentyPeopleCreateTheSameClusterAtOnce(t *testing.T) {
	t.Parallel()
	db, _ := catalog(t)
	won := 0
	for _, err := range atOnce(20, func(i int) error {
		c := spec("orders")
		c.Description, c.Replicas = fmt.Sprint(i), i%3
		_, err := db.Clusters.Create(context.Background(), c)
		return err
	}) {
		if err == nil {
			won++
		} else {
			refused(t, err, models.CodeClusterExists)
		}
	}
	cluster := must(db.Clusters.Get(t.Context(), "orders"))(t)
	if won != 1 || count(t, db, &models.Cluster{}) != 1 || count(t, db, &models.Run{}) != 1 || count(t, db, &models.Node{}) != cluster.Replicas+1 || count(t, db, &models.Event{}) != 0 {
		t.Errorf("%d won; %s", won, content(t, db))
	}
}

func TestTwentyPeopleCreateDifferentClustersAtOnce(t *testing.T) {
	t.Parallel()
	db, _ := catalog(t)
	for _, err := range atOnce(20, func(i int) error {
		c := spec(fmt.Sprintf("orders-%d", i))
		c.Replicas = 1
		_, err := db.Clusters.Create(context.Background(), c)
		return err
	}) {
		check(t, err)
	}
	var ports []int
	check(t, db.with(t.Context()).Model(&models.Node{}).Distinct().Pluck("port", &ports).Error)
	if len(ports) != 40 {
		t.Errorf("%d different ports", len(ports))
	}
}

func TestAPortThatSomebodyElseTakesFirstIsLookedForAgain(t *testing.T) {
	t.Parallel()
	db, _ := catalog(t)
	cluster := launched(t, db, spec("orders"))
	quicker := 0
	db.host.(*fakeHost).found = func(port int) {
		if quicker++; quicker%15 != 0 {
			check(t, db.with(t.Context()).Create(&models.Node{ClusterID: cluster.ID, Shard: 1, Name: fmt.Sprint(port), Host: "127.0.0.1", Port: port}).Error)
		}
	}
	must(db.Clusters.Create(t.Context(), spec("other")))(t)
	must(db.Changes.Modify(t.Context(), "orders", models.ModifySpec{Replicas: pointer(1)}))(t)
	if _, ok, err := db.Nodes.Move(t.Context(), cluster, cluster.Nodes[0]); !ok || err != nil {
		t.Error(err)
	}
	if count(t, db, &models.Cluster{}) != 2 || count(t, db, &models.Run{}) != 3 {
		t.Error(content(t, db))
	}
}

func TestOnePortIsWantedByMany(t *testing.T) {
	t.Parallel()
	db, _ := catalog(t)
	won := 0
	for _, err := range atOnce(10, func(i int) error {
		c := spec(fmt.Sprintf("orders-%d", i))
		c.Port = 6400
		_, err := db.Clusters.Create(context.Background(), c)
		return err
	}) {
		if err == nil {
			won++
		} else if refused(t, err, models.CodeInvalid).Fields()["port"] == "" {
			t.Error(err)
		}
	}
	if won != 1 || count(t, db, &models.Cluster{}) != 1 || count(t, db, &models.Node{}) != 1 || count(t, db, &models.Run{}) != 1 {
		t.Errorf("%d won", won)
	}
}

func TestNodesOfAClusterShareItsPortWhereTheHostHasAddresses(t *testing.T) {
	t.Parallel()
	db, _ := catalog(t)
	endpoints := func(name string) string {
		var all []string
		for _, n := range must(db.Clusters.Get(t.Context(), name))(t).Nodes {
			all = append(all, n.Address())
		}
		return strings.Join(all, " ")
	}
	expect := func(name, want string) {
		t.Helper()
		if got := endpoints(name); got != want {
			t.Errorf("%s is at %s, want %s", name, got, want)
		}
	}
	db.host.(*fakeHost).more = []string{"127.0.0.2", "127.0.0.3", "127.0.0.4"}
	chosen := spec("chosen")
	chosen.Port, chosen.Replicas = 6379, 1
	first := launched(t, db, chosen)
	chosen.Name = "second"
	must(db.Clusters.Create(t.Context(), chosen))(t)
	automatic := spec("automatic")
	automatic.Replicas = 1
	must(db.Clusters.Create(t.Context(), automatic))(t)
	expect("chosen", "127.0.0.1:6379 127.0.0.2:6379")
	expect("second", "127.0.0.3:6379 127.0.0.4:6379")
	expect("automatic", "127.0.0.1:7000 127.0.0.2:7000")
	chosen.Name, chosen.Replicas = "third", 0
	if _, err := db.Clusters.Create(t.Context(), chosen); !strings.Contains(refused(t, err, models.CodeInvalid).Fields()["port"], "The port 6379 is in use") {
		t.Error(err)
	}

	db.host.(*fakeHost).more = append(db.host.(*fakeHost).more, "127.0.0.5", "127.0.0.6")
	must(db.Changes.Modify(t.Context(), "chosen", models.ModifySpec{Replicas: pointer(2)}))(t)
	expect("chosen", "127.0.0.1:6379 127.0.0.2:6379 127.0.0.5:6379")
	if moved, ok, err := db.Nodes.Move(t.Context(), first, first.Nodes[0]); !ok || err != nil || moved.Address() != "127.0.0.6:6379" {
		t.Errorf("%s, %t, %v", moved.Address(), ok, err)
	}
	expect("chosen", "127.0.0.6:6379 127.0.0.2:6379 127.0.0.5:6379")
}

func TestCopiesShareAPortWhereTheHostHasAddresses(t *testing.T) {
	t.Parallel()
	db, _ := catalog(t)
	db.host.(*fakeHost).more = []string{"127.0.0.2"}
	launched(t, db, spec("orders"))
	taken(t, db, "orders", "seed")
	copies := spec("copy")
	copies.Snapshot, copies.Copies, copies.Port = "seed", 2, 7100
	for i, c := range must(db.Clusters.Create(t.Context(), copies))(t) {
		if at := c.Nodes[0].Address(); at != fmt.Sprintf("127.0.0.%d:7100", i+1) {
			t.Errorf("%s is at %s", c.Name, at)
		}
	}
}

func TestNodeMovesToAnotherPortOnAHostWithOneAddress(t *testing.T) {
	t.Parallel()
	db, _ := catalog(t)
	c := spec("chosen")
	c.Port, c.Replicas = 7000, 1
	chosen := must(db.Clusters.Create(t.Context(), c))(t)[0]
	automatic := must(db.Clusters.Create(t.Context(), spec("automatic")))(t)[0]
	if _, ok, err := db.Nodes.Move(t.Context(), chosen, chosen.Nodes[0]); ok || err != nil {
		t.Errorf("a chosen port was changed: %v", err)
	}
	node, ok, err := db.Nodes.Move(t.Context(), chosen, chosen.Nodes[1])
	if !ok || err != nil || node.Port == chosen.Nodes[1].Port {
		t.Errorf("%+v, %v", node, err)
	}
	node, ok, err = db.Nodes.Move(t.Context(), automatic, automatic.Nodes[0])
	after := must(db.Clusters.Get(t.Context(), "automatic"))(t)
	if !ok || err != nil || after.Port != node.Port || after.Nodes[0].Port != node.Port || node.Port == automatic.Port {
		t.Errorf("%+v, %v", after, err)
	}
}

func TestCopiesOfASnapshot(t *testing.T) {
	t.Parallel()
	db, _ := catalog(t)
	launched(t, db, spec("orders"))
	taken(t, db, "orders", "one")
	c := spec("copy")
	c.Snapshot, c.Copies, c.Replicas = "one", 20, 5
	c.Auth = models.AuthGenerate
	clusters := must(db.Clusters.Create(t.Context(), c))(t)
	if len(clusters) != 20 || clusters[0].Name != "copy-01" || clusters[19].Name != "copy-20" || count(t, db, &models.Node{}) != 1+20*6 {
		t.Fatalf("%d clusters", len(clusters))
	}
	for _, cluster := range clusters {
		if cluster.RestoredFrom != "one" || len(cluster.Nodes) != 6 || cluster.Password == "" {
			t.Errorf("%+v", cluster)
		}
	}
	if s := must(db.Snapshots.Get(t.Context(), "one"))(t); s.Status != models.SnapshotRestoring || !s.Usable() {
		t.Errorf("the snapshot is %s", s.Status)
	}
	for i := range 20 {
		run := claim(t, db)
		if run.Kind != models.RunRestore || run.SnapshotName != "one" {
			t.Fatalf("%+v", run)
		}
		if i%2 == 0 {
			check(t, db.Settle.Cluster(t.Context(), run, "Restored."))
		} else {
			check(t, db.Settle.Fail(t.Context(), run, models.RunFailed, "The node died."))
		}
		want := models.SnapshotRestoring
		if i == 19 {
			want = models.SnapshotAvailable
		}
		if s := must(db.Snapshots.Get(t.Context(), "one"))(t); s.Status != want {
			t.Fatalf("after %d restores the snapshot is %s", i+1, s.Status)
		}
	}
	if n := count(t, db, &models.Cluster{}, "status = ?", models.ClusterRestoreFailed); n != 10 {
		t.Errorf("%d failed", n)
	}

	before := content(t, db)
	c.Copies, c.Name = 3, strings.Repeat("a", 39)
	_, err := db.Clusters.Create(t.Context(), c)
	if got := refused(t, err, models.CodeInvalid).Fields()["id"]; !strings.Contains(got, "too long to be numbered") {
		t.Error(got)
	}
	c.Name = ""
	_, err = db.Clusters.Create(t.Context(), c)
	if faults := refused(t, err, models.CodeInvalid); len(faults) != 1 {
		t.Errorf("more than one message about a missing name: %v", faults)
	}
	c.Name, c.Copies = "copy", 20 // all twenty exist
	_, err = db.Clusters.Create(t.Context(), c)
	if faults := refused(t, err, models.CodeClusterExists); len(faults) != 20 {
		t.Errorf("%d faults", len(faults))
	}
	c.Port = 6400 // on a host with one address
	_, err = db.Clusters.Create(t.Context(), c)
	if faults := refused(t, err, models.CodeClusterExists); len(faults) != 20 {
		t.Errorf("with a port that they have: %v", faults)
	}
	c.Name = "fresh"
	_, err = db.Clusters.Create(t.Context(), c)
	if faults := refused(t, err, models.CodeInvalid).Fields(); !strings.HasPrefix(faults["port"], "The port 6400 is in use at each address") {
		t.Error(faults)
	}
	c.Name, c.Port, c.Copies = "copy-0", 0, 5 // copy-0-1 ... are free
	if content(t, db) != before {
		t.Error("something was written")
	}
	must(db.Clusters.Create(t.Context(), c))(t)
}

func TestRestoreIsRefusedWhenItCouldOnlyFailLater(t *testing.T) {
	t.Parallel()
	db, _ := catalog(t)
	launched(t, db, spec("orders"))
	snapshot := taken(t, db, "orders", "one")
	tests := []struct {
		name  string
		row   map[string]any
		set   func(*models.ClusterSpec)
		field string
		code  models.Code
	}{
		{"too large", map[string]any{"used_memory": 512<<20 + 1, "node_type": "cache.t4g.small"}, nil, "node_type", models.CodeCombination},
		{"too new", map[string]any{"rdb_version": 11}, nil, "engine", models.CodeCombination},
		{"being made", map[string]any{"status": models.SnapshotCreating}, nil, "snapshot", models.CodeSnapshotState},
		{"failed", map[string]any{"status": models.SnapshotFailed}, nil, "snapshot", models.CodeSnapshotState},
		{"being removed", map[string]any{"status": models.SnapshotDeleting}, nil, "snapshot", models.CodeSnapshotState},
	}
	for _, test := range tests {
		check(t, db.with(t.Context()).Model(&models.Snapshot{ID: snapshot.ID}).Updates(map[string]any{"node_type": "cache.t4g.micro", "used_memory": 512 << 20, "rdb_version": 10, "status": models.SnapshotAvailable, "shards": 1}).Error)
		check(t, db.with(t.Context()).Model(&models.Snapshot{ID: snapshot.ID}).Updates(test.row).Error)
		before := content(t, db)
		c := spec("copy")
		c.Snapshot = "one"
		_, err := db.Clusters.Create(t.Context(), c)
		if fields := refused(t, err, test.code).Fields(); fields[test.field] == "" {
			t.Errorf("%s: %v", test.name, fields)
		}
		if content(t, db) != before {
			t.Errorf("%s: something was written", test.name)
		}
	}
	// Removed between the check and the writing.
	check(t, db.with(t.Context()).Model(&models.Snapshot{ID: snapshot.ID}).Updates(map[string]any{"status": models.SnapshotDeleting}).Error)
	before := content(t, db)
	c := spec("copy")
	c.Snapshot, c.Copies = "one", 1
	_, err := db.Clusters.create(t.Context(), c, snapshot)
	refused(t, err, models.CodeSnapshotState)
	if content(t, db) != before {
		t.Error("something was written")
	}
}

func TestModifyCluster(t *testing.T) {
	t.Parallel()
	db, clock := catalog(t)
	c := spec("orders")
	c.Replicas = 1
	cluster := launched(t, db, c)
	clock.Advance(1e9)
	modify := func(m models.ModifySpec) models.Cluster {
		t.Helper()
		return must(db.Changes.Modify(t.Context(), "orders", m))(t)
	}

	if got := modify(models.ModifySpec{Description: pointer("new"), Retention: pointer(3), Window: &models.Window{Start: 60, Length: 90}}); got.Description != "new" || got.RetentionLimit != 3 ||
		got.SnapshotWindow != (models.Window{Start: 60, Length: 90}) || !got.WindowChosen || got.Status != models.ClusterAvailable || !got.ScheduleSince.Equal(clock.Now()) || !got.UpdatedAt.Equal(clock.Now()) {
		t.Errorf("%+v", got)
	}
	clock.Advance(1e9)
	if got := modify(models.ModifySpec{Retention: pointer(5), Replicas: pointer(1), NodeType: pointer(cluster.NodeType)}); got.Status != models.ClusterAvailable || got.ScheduleSince.Equal(clock.Now()) {
		t.Errorf("nothing that needs a run was changed: %+v", got)
	}
	if n := len(must(db.Runs.Active(t.Context()))(t)); n != 0 {
		t.Errorf("%d runs", n)
	}
	got := modify(models.ModifySpec{Replicas: pointer(4), NodeType: pointer("cache.t4g.small"), RequestedBy: "admin"})
	if got.Status != models.ClusterModifying || got.Replicas != 4 || len(got.Nodes) != 5 || got.Nodes[4].Name != "orders-005" || got.NodeType != "cache.t4g.small" {
		t.Errorf("%+v", got)
	}
	_, err := db.Changes.Modify(t.Context(), "orders", models.ModifySpec{Replicas: pointer(0)})
	refused(t, err, models.CodeClusterState)
	run := claim(t, db)
	check(t, db.Settle.Cluster(t.Context(), run, "Modified."))

	// A replica became the primary; the youngest replicas go, never the primary.
	check(t, db.Nodes.Promote(t.Context(), cluster.ID, got.Nodes[4]))
	got = modify(models.ModifySpec{Replicas: pointer(1)})
	run = claim(t, db)
	if args := must(models.Args[models.ModifyArgs](run))(t); strings.Join(args.RemoveNodes, " ") != "orders-004 orders-003 orders-002" || got.Port != got.Nodes[4].Port {
		t.Errorf("%+v, port %d", args, got.Port)
	}
	for _, n := range got.Nodes[1:4] {
		check(t, db.Nodes.Remove(t.Context(), n.ID))
	}
	check(t, db.Settle.Cluster(t.Context(), run, "Modified."))

	// A node is missing, so that more ports are needed than the numbers of replicas say; and names are used again.
	check(t, db.Nodes.Remove(t.Context(), got.Nodes[0].ID))
	got = modify(models.ModifySpec{Replicas: pointer(1), NodeType: pointer("cache.t4g.medium")})
	if len(got.Nodes) != 2 || got.Nodes[1].Name != "orders-001" {
		t.Errorf("%+v", got.Nodes)
	}
	check(t, db.Settle.Fail(t.Context(), claim(t, db), models.RunFailed, "The node did not start."))
	if got = must(db.Clusters.Get(t.Context(), "orders"))(t); got.Status != models.ClusterAvailable || !strings.Contains(got.StatusReason, "did not start") {
		t.Errorf("%+v", got)
	}
	// It loses a node after the ports were looked for.
	check(t, db.transaction(t.Context(), func(tx *DB) error {
		_, err := tx.Changes.resize(t.Context(), got, models.ModifySpec{Replicas: pointer(3)}, []models.Endpoint{{Host: "127.0.0.1", Port: 9000}})
		refused(t, err, models.CodeClusterState)
		return nil
	}))
}

func TestModifyClusterRefusesAndWritesNothing(t *testing.T) {
	t.Parallel()
	db, _ := catalog(t)
	c := spec("orders")
	c.Retention, c.NodeType = 1, "cache.t4g.small"
	cluster := launched(t, db, c)
	node := cluster.Nodes[0]
	node.UsedMemory = 1 << 30
	check(t, db.Nodes.Seen(t.Context(), node))
	before := content(t, db)
	for name, test := range map[string]struct {
		spec models.ModifySpec
		code models.Code
	}{
		"retention":    {models.ModifySpec{Retention: pointer(36)}, models.CodeInvalid},
		"replicas":     {models.ModifySpec{Replicas: pointer(6)}, models.CodeInvalid},
		"no replicas":  {models.ModifySpec{Replicas: pointer(-1)}, models.CodeInvalid},
		"node type":    {models.ModifySpec{NodeType: pointer("x")}, models.CodeInvalid},
		"too small":    {models.ModifySpec{NodeType: pointer("cache.t3.micro")}, models.CodeCombination},
		"no snapshots": {models.ModifySpec{NodeType: pointer("cache.t1.micro")}, models.CodeSnapshotUnsupported},
		"window":       {models.ModifySpec{Window: &models.Window{Start: 0, Length: 1440}}, models.CodeInvalid},
		"description":  {models.ModifySpec{Description: pointer(strings.Repeat("x", 256))}, models.CodeInvalid},
	} {
		_, err := db.Changes.Modify(t.Context(), "orders", test.spec)
		if refused(t, err, test.code); content(t, db) != before {
			t.Errorf("%s: something was written", name)
		}
	}
	_, err := db.Changes.Modify(t.Context(), "none", models.ModifySpec{})
	refused(t, err, models.CodeClusterNotFound)
	check(t, db.Clusters.Delete(t.Context(), "orders", models.DeleteSpec{RequestedBy: "admin"}))
	_, err = db.Changes.Modify(t.Context(), "orders", models.ModifySpec{Description: pointer("x")})
	refused(t, err, models.CodeClusterState)
}

func TestPromoteOfANodeThatIsGoneChangesNothing(t *testing.T) {
	t.Parallel()
	db, _ := catalog(t)
	c := spec("orders")
	c.Replicas = 1
	cluster := launched(t, db, c)
	check(t, db.Nodes.Remove(t.Context(), cluster.Nodes[1].ID))
	if err := db.Nodes.Promote(t.Context(), cluster.ID, cluster.Nodes[1]); err == nil {
		t.Error("no error")
	}
	if after := must(db.Clusters.ByID(t.Context(), cluster.ID))(t); after.Nodes[0].Role != models.RolePrimary || after.Port != cluster.Port {
		t.Errorf("%+v", after)
	}
}

func TestPromotedInClusterModeANodeGetsTheSlotsOfItsShard(t *testing.T) {
	t.Parallel()
	db, _ := catalog(t)
	c := spec("orders")
	c.ClusterMode, c.Shards, c.Replicas = true, 2, 1
	cluster := launched(t, db, c)
	check(t, db.Nodes.Promote(t.Context(), cluster.ID, cluster.Nodes[3]))
	after := must(db.Clusters.ByID(t.Context(), cluster.ID))(t)
	var got []string
	for _, n := range after.Nodes {
		got = append(got, fmt.Sprintf("%s %s %s", n.Name, n.Role, n.Slots))
	}
	if want := []string{"orders-0001-001 primary 0-8191", "orders-0001-002 replica ", "orders-0002-001 replica ", "orders-0002-002 primary 8192-16383"}; !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
	if after.Port != cluster.Port {
		t.Errorf("the port is %d, and was %d: it follows the first shard", after.Port, cluster.Port)
	}
}

func TestRowsThatOthersNeedCannotGo(t *testing.T) {
	t.Parallel()
	db, _ := catalog(t)
	cluster := launched(t, db, spec("orders"))
	snapshot := taken(t, db, "orders", "one")
	for _, row := range []any{&cluster, &snapshot} {
		if err := db.with(t.Context()).Delete(row).Error; !errors.Is(err, gorm.ErrForeignKeyViolated) {
			t.Errorf("%T was removed from under its parts: %v", row, err)
		}
	}
	if err := db.with(t.Context()).Create(&models.Node{ClusterID: 99, Name: "x", Port: 1}).Error; !errors.Is(err, gorm.ErrForeignKeyViolated) {
		t.Errorf("a node of no cluster: %v", err)
	}
}
