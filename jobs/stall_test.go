package jobs_test

import (
	"strings"
	"testing"
	"time"

	"github.com/jonboulle/clockwork"

	"rekindle/internal/testkit"
	"rekindle/models"
)

// A store that takes nothing any more costs the snapshot, and is blamed for it; the node is let go at once.
func TestStoreThatStallsIsToBlame(t *testing.T) {
	t.Parallel()
	c, st := newTroubled(t)
	source := c.primary(c.create(c.spec("orders", 0))[0])
	must(t, source.ConfigSet(t.Context(), "repl-timeout", "2").Err())
	fillBig(t, source, 24)
	goOn := make(chan struct{})
	defer close(goOn)
	st.mu.Lock()
	st.after, st.reached, st.goOn = 1<<20, make(chan struct{}), goOn
	st.mu.Unlock()
	snapshot := c.snapshot("orders", "s1")
	if snapshot.Status != models.SnapshotFailed || !strings.Contains(snapshot.StatusReason, "The snapshot store is too slow") || !strings.Contains(snapshot.StatusReason, "2s (its repl-timeout)") {
		t.Errorf("it is %s: %s", snapshot.Status, snapshot.StatusReason)
	}
	testkit.WaitFor(t, "the node to be let go", func() bool {
		return strings.Contains(source.Info(t.Context(), "replication").Val(), "connected_slaves:0")
	})
	if files := c.stored(); len(files) != 0 {
		t.Errorf("the store has %v", files)
	}
	c.await("orders", models.ClusterAvailable)
	if again := c.snapshot("orders", "s2"); again.Status != models.SnapshotAvailable {
		t.Errorf("the next one is %s (%s)", again.Status, again.StatusReason)
	}
}

func TestASnapshotReadsNoFasterThanItMay(t *testing.T) {
	t.Parallel()
	c := newConsole(t, clockwork.NewRealClock())
	source := testkit.Redis(t)
	fillBig(t, source.Client(), 3)
	c.attach(attachSpec("orders", source.Addr))
	c.stop()
	c.pace = 4 << 20
	c.start()
	began := time.Now()
	s := c.snapshot("orders", "slow")
	if s.Status != models.SnapshotAvailable || s.Keys != 3 {
		t.Errorf("%s with %d keys: %s", s.Status, s.Keys, s.StatusReason)
	}
	if took, least := time.Since(began), 650*time.Millisecond; took < least { // 3 MiB without the last 256 KiB, and without rounding
		t.Errorf("3 MiB at 4 MiB a second took %s, less than %s", took, least)
	}
}
