package jobs_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jonboulle/clockwork"

	"rekindle/internal/testkit"
	"rekindle/models"
)

// Manifests name the first keys of types that not every engine reads, unless names are hidden when they are written.
func TestManifestsHaveNoNamesWhileTheyAreHidden(t *testing.T) {
	t.Parallel()
	server := testkit.Engine(t, testkit.Fetched(t, "valkey-9.1"))
	must(t, server.Client().HSet(t.Context(), "person-4711", "a", 1, "b", 2).Err())
	must(t, server.Client().Do(t.Context(), "HPEXPIREAT", "person-4711", 4102444800000, "FIELDS", 1, "a").Err())
	c := newConsole(t, clockwork.NewRealClock())
	c.attach(attachSpec("orders", server.Addr))
	other := t.TempDir()
	names := func(store, snapshot string) bool {
		t.Helper()
		text, err := os.ReadFile(filepath.Join(store, "orders", snapshot, "manifest.json"))
		must(t, err)
		if !strings.Contains(string(text), `"kinds": "`) {
			t.Errorf("the manifest of %s is\n%s", snapshot, text)
		}
		return strings.Contains(string(text), "4711")
	}
	copied := func(name, store string) {
		t.Helper()
		run := c.awaitRun(c.must(c.db.Copies.Copy(t.Context(), models.CopySpec{Snapshot: "shown", Name: name, Store: store, RequestedBy: "test"})))
		if run.Status != models.RunSucceeded {
			t.Fatalf("the copy %s is %s (%s)", name, run.Status, run.Error)
		}
	}
	own := filepath.Join(c.data, "snapshots")
	c.snapshot("orders", "shown")
	copied("shown-copy", "")
	must(t, c.db.Settings.SaveHidesKeyNames(t.Context(), true))
	c.snapshot("orders", "hidden")
	copied("hidden-copy", "")
	copied("hidden-elsewhere", "dir:"+other)
	for _, one := range []struct {
		store, name string
		want        bool
	}{{own, "shown", true}, {own, "shown-copy", true}, {own, "hidden", false}, {own, "hidden-copy", false}, {other, "hidden-elsewhere", false}} {
		if got := names(one.store, one.name); got != one.want {
			t.Errorf("the manifest of %s has names: %t, want %t", one.name, got, one.want)
		}
	}
	for _, name := range []string{"hidden", "hidden-copy"} {
		if part := mustSnapshot(c, name).Parts[0]; strings.Contains(part.Kinds, "4711") || part.Kinds == "" {
			t.Errorf("of %s, the catalog has %q", name, part.Kinds)
		}
	}
}

func TestAKeyThatIsThereTwiceIsNotNamedWhileNamesAreHidden(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		hide      bool
		says, not string
	}{
		"shown":  {false, "The data has the key “a” twice, in database 0.", "has a key"},
		"hidden": {true, "The data has a key twice, in database 0.", "“a”"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newConsole(t, clockwork.NewRealClock())
			must(t, c.db.Settings.SaveHidesKeyNames(t.Context(), test.hide))
			err := c.upload("elsewhere", "dup", foreignFile(t, "dup-key.rdb"))
			if err == nil || !strings.Contains(err.Error(), test.says) || strings.Contains(err.Error(), test.not) {
				t.Errorf("%v, want %q", err, test.says)
			}
			if events := c.events(); strings.Contains(events, test.not) {
				t.Errorf("the events are\n%s", events)
			}
		})
	}
}
