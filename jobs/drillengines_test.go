package jobs_test

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jonboulle/clockwork"

	"rekindle/internal/store/dir"
	"rekindle/internal/testkit"
	"rekindle/models"
)

// A drill is held with the engine that a snapshot is from, and where that is not installed, with one that can load it.
func TestDrillsOfEveryEngineFindWhatIsStored(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ from, by string }{
		{"redis-6.0", "redis-6.0"}, {"redis-7.0", "redis-7.0"}, {"redis-8.0", "redis-8.0"},
		{"valkey-8.0", "valkey-8.0"}, {"valkey-8.1", "valkey-8.1"}, {"valkey-9.1", "valkey-9.1"},
		{"redis-6.0", "redis-8.0"}, {"valkey-8.0", "valkey-9.1"}, {"valkey-8.1", "valkey-9.1"},
	} {
		t.Run(test.from+" by "+test.by, func(t *testing.T) {
			t.Parallel()
			server := testkit.Engine(t, testkit.Fetched(t, test.from))
			testkit.Fill(t, server.Client(), 600)
			fields := withFieldsThatExpire[test.from] != nil
			if fields {
				must(t, server.Client().Do(t.Context(), "HPEXPIREAT", "special:hash big", 4102444800000, "FIELDS", 2, "field 1", "field 2").Err())
				for i := range 300 {
					key := fmt.Sprintf("fields:%03d", i)
					must(t, server.Client().HSet(t.Context(), key, "a", i, "b", i).Err())
					must(t, server.Client().Do(t.Context(), "HPEXPIREAT", key, 4102444800000+i, "FIELDS", 1, "a").Err())
				}
			}
			data := t.TempDir()
			st, err := dir.Open(filepath.Join(data, "snapshots"))
			must(t, err)
			c := newConsoleWith(t, clockwork.NewRealClock(), data, st, func(c *console) { c.engines = []string{testkit.Fetched(t, test.by)} })
			c.attach(attachSpec("orders", server.Addr))
			snapshot := c.snapshot("orders", "one")
			run, drill := c.drilled("one")
			if run.Status != models.RunSucceeded || drill.Outcome != models.DrillPassed {
				t.Fatalf("the run %s (%s), the drill %s (%s)", run.Status, run.Error, drill.Outcome, drill.Reason)
			}
			if name, version, _ := strings.Cut(test.by, "-"); drill.Engine != name || !strings.HasPrefix(drill.EngineVersion, version+".") {
				t.Errorf("it was held with %s %s", drill.Engine, drill.EngineVersion)
			}
			if drill.Keys != snapshot.Keys || drill.Expected != snapshot.Keys || drill.Expired != 0 || drill.Sampled != 200 || drill.Differing != 0 {
				t.Errorf("the snapshot has %d keys, the drill is %+v", snapshot.Keys, drill)
			}
			c.noDrills()
		})
	}
}
