package main

import (
	"bytes"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jonboulle/clockwork"

	"rekindle/internal/secret"
	"rekindle/internal/testkit"
	"rekindle/models"
	"rekindle/models/catalog"
)

// A console's catalog is moved into PostgreSQL and back. Its cluster stays its own, the snapshots stay what they are, and the session goes on.
func TestCatalogIsMovedIntoPostgresAndBack(t *testing.T) {
	t.Parallel()
	server := testkit.Postgres(t)
	database, err := server.Database("")
	fine(t, err)
	p := newProcess(t)
	p.env = []string{"REKINDLE_CATALOG="}
	p.start()
	p.signIn()
	p.must("/clusters/-/new", createForm("orders", "1"))
	db := p.catalog()
	k := &killer{process: p, db: db, checked: make(map[string]bool)}
	k.settle()
	orders, err := db.Clusters.Get(t.Context(), "orders")
	fine(t, err)
	primary, _ := orders.Shards()[0].Primary()
	testkit.Fill(t, client(t, orders, primary), 100)
	want := testkit.Fingerprint(t, client(t, orders, primary))
	p.must("/clusters/orders/snapshot", url.Values{"name": {"s1"}})
	k.settle()

	command := func(catalog string, args ...string) (int, string) {
		var output bytes.Buffer
		env := map[string]string{"REKINDLE_CATALOG": catalog}
		code := run(t.Context(), append(args, "--data", p.data), func(name string) string { return env[name] }, &output, &output)
		for _, part := range []string{"a secret", "a%20secret"} {
			if strings.Contains(output.String(), part) {
				t.Errorf("%v prints the password: %s", args, output.String())
			}
		}
		return code, output.String()
	}
	expect := func(code, wantCode int, output string, parts ...string) {
		t.Helper()
		for _, part := range parts {
			if code != wantCode || !strings.Contains(output, part) {
				t.Errorf("it ends with %d and does not say %q: %s", code, part, output)
			}
		}
	}
	code, output := command("", "catalog", "move", "--to", database)
	expect(code, exitFailed, output, "another Rekindle already works on")
	fine(t, db.Close())
	p.end(os.Interrupt)
	code, output = command("", "catalog", "move")
	expect(code, exitUsage, output, "--to must name the new place")
	code, output = command(database, "reset-password")
	expect(code, exitFailed, output, "there is no catalog at postgres://127.0.0.1:")
	code, output = command("", "catalog", "move", "--to", database)
	expect(code, exitOK, output, "was moved to postgres://127.0.0.1:")
	code, output = command("", "catalog", "move", "--to", database)
	expect(code, exitFailed, output, "the catalog has been moved to postgres://127.0.0.1:")
	code, output = command("", "serve", "--listen", "127.0.0.1:0")
	expect(code, exitFailed, output, "the catalog has been moved to postgres://127.0.0.1:", "start with --catalog and that one")
	code, output = command(database, "catalog", "backup", filepath.Join(t.TempDir(), "copy"))
	expect(code, exitUsage, output, "pg_dump")

	look := func(place catalog.Place) {
		t.Helper()
		if db, err = catalog.Open(t.Context(), place, clockwork.NewRealClock(), nil); err != nil {
			t.Fatal(err)
		}
		k.db = db
		testkit.WaitFor(t, "the cluster", func() bool {
			orders, err = db.Clusters.Get(t.Context(), "orders")
			return err == nil && orders.Status == models.ClusterAvailable
		})
		k.settle()
		if status, body := p.get("/snapshots/s1"); status != 200 || !strings.Contains(body, "s1") {
			t.Errorf("the session has ended, or the snapshot's page is gone: %d", status)
		}
	}
	p.env = []string{"REKINDLE_CATALOG=" + database}
	p.start()
	look(catalog.Place{URL: secret.Text(database), Folder: p.data})
	form := createForm("again", "0")
	form.Set("snapshot", "s1")
	p.must("/clusters/-/new", form)
	k.settle()
	again, err := db.Clusters.Get(t.Context(), "again")
	fine(t, err)
	node, _ := again.Shards()[0].Primary()
	if got := testkit.Fingerprint(t, client(t, again, node)); got != want {
		t.Error("what was restored has other data")
	}
	// The server goes away for a moment, and the console goes on when it is back.
	fine(t, server.Kill())
	if status, said := p.get("/readyz"); status != 503 || !strings.Contains(said, "The database server of the catalog does not answer.") {
		t.Errorf("without its catalog it says %d %s", status, said)
	}
	if status, said := p.get("/clusters"); status != 503 || !strings.Contains(said, "The database server of the catalog does not answer.") {
		t.Errorf("without its catalog a page is %d %.300s", status, said)
	}
	fine(t, server.Start())
	testkit.WaitFor(t, "the console to be ready again", func() bool {
		status, _ := p.get("/readyz")
		return status == 200
	})
	p.must("/clusters/orders/snapshot", url.Values{"name": {"s2"}})
	k.settle()
	if s2, err := db.Snapshots.Get(t.Context(), "s2"); err != nil || s2.Status != models.SnapshotAvailable {
		t.Errorf("the next snapshot is %s (%s), %v", s2.Status, s2.StatusReason, err)
	}
	fine(t, db.Close())
	p.end(os.Interrupt)

	back := "sqlite:" + filepath.Join(p.data, "back.db")
	code, output = command("", "catalog", "move", "--from", database, "--to", back)
	expect(code, exitOK, output, "was moved to "+filepath.Join(p.data, "back.db"))
	p.env = []string{"REKINDLE_CATALOG=" + back}
	p.start()
	look(catalog.File(filepath.Join(p.data, "back.db")))
	t.Cleanup(func() { _ = db.Close() })
	if events, err := db.Events.Page(t.Context(), models.EventFilter{To: time.Now().AddDate(1, 0, 0)}, 0, 1000); err != nil || len(events) == 0 {
		t.Errorf("%d events, %v", len(events), err)
	}
}
