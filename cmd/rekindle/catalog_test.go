package main

import (
	"bytes"
	"errors"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"rekindle/internal/testkit"
	"rekindle/models"
)

func TestCommandsSayInWordsThatTheCatalogIsAway(t *testing.T) {
	t.Parallel()
	const nobody = "postgres://rekindle:hunter2@127.0.0.1:1/rekindle?sslmode=disable"
	for name, args := range map[string][]string{
		"reset-password": {"reset-password"},
		"backup":         {"catalog", "backup", "copy.db"},
		"rebuild":        {"catalog", "rebuild", "--store", "dir:" + t.TempDir()},
		"move from":      {"catalog", "move", "--from", nobody, "--to", "sqlite:" + filepath.Join(t.TempDir(), "new.db")},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			getenv := func(name string) string { return map[string]string{"REKINDLE_CATALOG": nobody}[name] }
			var stdout, stderr bytes.Buffer
			code := run(t.Context(), append(args, "--data", t.TempDir()), getenv, &stdout, &stderr)
			first, then, _ := strings.Cut(stderr.String(), "\n")
			if code != exitFailed || stdout.Len() != 0 || first != "rekindle: The database server of the catalog does not answer. Check that it runs and can be reached from here and try again." {
				t.Errorf("it ends with %d: %q, then %q", code, first, stdout.String())
			}
			if !strings.HasPrefix(then, "rekindle: open catalog postgres://127.0.0.1:1/rekindle: ") || strings.Contains(then, "hunter2") {
				t.Errorf("it goes on with %q", then)
			}
		})
	}
}

// The database is deleted under a console that is stopped; its nodes go on.
func TestLostDatabaseIsRebuiltByACommand(t *testing.T) {
	t.Parallel()
	p := newProcess(t)
	p.start()
	p.signIn()
	p.must("/clusters/-/new", createForm("orders", "1"))
	db := p.catalog()
	k := &killer{process: p, db: db, checked: make(map[string]bool)}
	k.settle()
	before, err := db.Clusters.Get(t.Context(), "orders")
	if err != nil {
		t.Fatal(err)
	}
	primary, _ := before.Shards()[0].Primary()
	testkit.Fill(t, client(t, before, primary), 100)
	p.must("/clusters/orders/snapshot", url.Values{"name": {"s1"}})
	k.settle()

	rebuild := func() (int, string) {
		var output bytes.Buffer
		code := run(t.Context(), []string{"catalog", "rebuild", "--data", p.data}, func(string) string { return "" }, &output, &output)
		return code, output.String()
	}
	if code, output := rebuild(); code != exitFailed || !strings.Contains(output, "another Rekindle already works on") {
		t.Errorf("beside a running console it ends with %d: %s", code, output)
	}
	p.kill()
	for _, suffix := range []string{"", "-wal", "-shm"} {
		_ = os.Remove(filepath.Join(p.data, catalogFile+suffix))
	}
	if code, output := rebuild(); code != exitOK || !strings.Contains(output, "1 snapshot found, 1 of them new, 0 known already. Brought back from their nodes: orders.") {
		t.Fatalf("it ends with %d: %s", code, output)
	}
	if code, output := rebuild(); code != exitOK || !strings.Contains(output, "1 snapshot found, 0 of them new, 1 known already.") {
		t.Errorf("a second time it ends with %d: %s", code, output)
	}
	p.start()
	db = p.catalog()
	after, err := db.Clusters.Get(t.Context(), "orders")
	if err != nil {
		t.Fatal(err)
	}
	if now, _ := after.Shards()[0].Primary(); now.Address() != primary.Address() || after.Password != before.Password || len(after.Nodes) != len(before.Nodes) {
		t.Errorf("the cluster came back as %+v", after)
	}
	if s, err := db.Snapshots.Get(t.Context(), "s1"); err != nil || s.Status != models.SnapshotAvailable || s.ClusterID != after.ID {
		t.Errorf("the snapshot came back as %+v: %v", s, err)
	}
}

// Nothing is made in the place of what somebody has mistyped, or has not mounted.
func TestRebuildingMakesNoFolder(t *testing.T) {
	t.Parallel()
	above := t.TempDir()
	full := filepath.Join(above, "full")
	if err := os.MkdirAll(filepath.Join(full, "holiday"), 0o700); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(above, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	missing, fresh := filepath.Join(above, "missing"), filepath.Join(above, "fresh")
	if err := os.Mkdir(fresh, 0o700); err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct{ data, store, want string }{
		"no data folder":          {missing, fresh, "rekindle: there is no folder " + missing + ": correct --data"},
		"somebody else's folder":  {full, fresh, "the folder " + full + " is not empty, and nothing in it is a console's: correct --data"},
		"a file":                  {file, fresh, "not a directory"},
		"no store":                {fresh, missing, "there is no snapshot store at dir:" + missing + ": correct --store, or mount the disk"},
		"a store that is a file":  {fresh, file, "there is no snapshot store at dir:" + file},
		"a store beside the data": {fresh, filepath.Join(fresh, "snapshots"), "there is no snapshot store at dir:"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			code, stdout, stderr := commandWith(t, nil, "catalog", "rebuild", "--data", test.data, "--store", "dir:"+test.store)
			if code != exitFailed || stdout != "" || !strings.Contains(stderr, test.want) {
				t.Errorf("exit code %d, output %q, errors %q; want %q", code, stdout, stderr, test.want)
			}
			if entries, err := os.ReadDir(fresh); err != nil || len(entries) != 0 {
				t.Errorf("%v, %v were made", entries, err)
			}
			if _, err := os.Stat(missing); !errors.Is(err, os.ErrNotExist) {
				t.Errorf("%s: %v", missing, err)
			}
		})
	}
}
