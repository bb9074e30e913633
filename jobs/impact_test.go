package jobs_test

import (
	"database/sql"
	"errors"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jonboulle/clockwork"

	"rekindle/internal/store/dir"
	"rekindle/internal/testkit"
	"rekindle/models"
)

// writeOn writes to a server until the test has ended or stop is called.
func writeOn(t *testing.T, s *testkit.Server) (stop func()) {
	t.Helper()
	client, done := s.Client(), make(chan struct{})
	var writing sync.WaitGroup
	stop = sync.OnceFunc(func() { close(done); writing.Wait() })
	t.Cleanup(stop)
	begun := make(chan struct{})
	writing.Go(func() {
		for i := 0; ; i++ {
			select {
			case <-done:
				return
			default:
			}
			if err := client.Set(t.Context(), "written:"+strconv.Itoa(i%1000), i, 0).Err(); err != nil {
				return
			}
			if i == 100 {
				close(begun)
			}
		}
	})
	<-begun
	return stop
}

// impactOf is what the run that made a snapshot cost.
func (c *console) impactOf(name string) (models.Impact, bool) {
	c.t.Helper()
	snapshot, err := c.db.Snapshots.Get(c.t.Context(), name)
	if err != nil {
		c.t.Fatal(err)
	}
	run, known, err := c.db.Runs.Maker(c.t.Context(), snapshot)
	if err != nil || !known {
		c.t.Fatal(known, err)
	}
	impact, measured, err := c.db.Impacts.Of(c.t.Context(), run)
	if err != nil {
		c.t.Fatal(err)
	}
	return impact, measured
}

// What the node says about its fork is kept with the run, and how fast both nodes answered.
func TestWhatASnapshotCostIsKeptWithItsRun(t *testing.T) {
	t.Parallel()
	c := newConsole(t, clockwork.NewRealClock())
	primary := testkit.Redis(t, "--repl-diskless-sync-delay", "0")
	replica := replicaOf(t, primary, "--repl-diskless-sync-delay", "0")
	testkit.Fill(t, primary.Client(), 20_000)
	c.attach(attachSpec("orders", primary.Addr))
	stop := writeOn(t, primary)
	if s := c.snapshot("orders", "first"); s.Status != models.SnapshotAvailable {
		t.Fatal(s.StatusReason)
	}
	stop()
	impact, measured := c.impactOf("first")
	if !measured || len(impact.Parts) != 1 || len(impact.Parts[0].Nodes) != 2 {
		t.Fatalf("%+v", impact)
	}
	part := impact.Parts[0]
	source, other := part.Nodes[0], part.Nodes[1]
	if source.Name != "orders-002" || other.Name != "orders-001" || other.Role != models.RolePrimary || source.Note+other.Note != "" {
		t.Errorf("measured were %+v", part.Nodes)
	}
	stats := replica.Client().InfoMap(t.Context(), "stats", "persistence")
	if said := stats.Item("Stats", "latest_fork_usec"); !source.Forked || strconv.FormatInt(source.ForkMicros, 10) != said {
		t.Errorf("the fork took %d, and %s says the node", source.ForkMicros, said)
	}
	last, err := strconv.ParseInt(stats.Item("Persistence", "rdb_last_cow_size"), 10, 64)
	if err != nil || source.CopyOnWrite < last {
		t.Errorf("copy-on-write took %d, and %d says the node (%v)", source.CopyOnWrite, last, err)
	}
	for _, n := range part.Nodes {
		before, during := n.Figures(models.PhaseBefore), n.Figures(models.PhaseDuring)
		if before.Ping <= 0 || before.Memory == 0 || during.Samples == 0 && n.Figures(models.PhaseAfter).Samples == 0 {
			t.Errorf("%s: before %+v, during %+v", n.Name, before, during)
		}
	}
	if f := other.Figures(models.PhaseBefore); f.Rate < 10 { // of a node that nobody writes on, it is one or two
		t.Errorf("the primary carried out %f commands a second", f.Rate)
	}
}

// What is written while the fork's child lives is copied by the kernel, page by page.
func TestWritingDuringASnapshotCostsCopyOnWrite(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	st, err := dir.Open(filepath.Join(data, "snapshots"))
	must(t, err)
	const keys, length = 24_000, 2000
	c := newConsoleWith(t, clockwork.NewRealClock(), data, st, func(c *console) { c.pace = 16 << 20 }) // so that the child lives for three seconds
	server := testkit.Redis(t, "--repl-diskless-sync-delay", "0", "--rdbcompression", "no")
	rewrite := func(fill byte, done <-chan struct{}) {
		for i := 0; i < keys; i += 500 {
			pipe := server.Client().Pipeline()
			for k := range 500 {
				pipe.Set(t.Context(), "key:"+strconv.Itoa(i+k), strings.Repeat(string(rune(fill)), length), 0)
			}
			if _, err := pipe.Exec(t.Context()); err != nil {
				t.Errorf("write: %v", err)
				return
			}
			select {
			case <-done:
				return
			default:
			}
		}
	}
	rewrite('a', nil)
	c.attach(attachSpec("orders", server.Addr))
	cost := func(name string) int64 {
		if s := c.snapshot("orders", name); s.Status != models.SnapshotAvailable {
			t.Fatal(s.StatusReason)
		}
		impact, _ := c.impactOf(name)
		return impact.Parts[0].Nodes[0].CopyOnWrite
	}
	quiet := cost("quiet")
	done := make(chan struct{})
	var writing sync.WaitGroup
	writing.Go(func() {
		for fill := byte(0); ; fill++ {
			select {
			case <-done:
				return
			default:
				rewrite('b'+fill%20, done)
			}
		}
	})
	busy := cost("busy")
	close(done)
	writing.Wait()
	if busy < quiet+(8<<20) {
		t.Errorf("while nobody wrote, %d bytes were copied, and while all of %d were rewritten, %d", quiet, keys*length, busy)
	}
}

// The final snapshot of a cluster that is deleted is a snapshot like any other.
func TestWhatAFinalSnapshotCostIsKept(t *testing.T) {
	t.Parallel()
	c := newConsole(t, clockwork.NewRealClock())
	testkit.Fill(t, c.primary(c.create(c.spec("orders", 0))[0]), 500)
	must(t, c.db.Clusters.Delete(t.Context(), "orders", models.DeleteSpec{FinalSnapshot: "last", RequestedBy: "test"}))
	c.manager.Wake()
	testkit.WaitFor(t, "the cluster to be gone", func() bool {
		_, err := c.db.Clusters.Get(t.Context(), "orders")
		return models.HasCode(err, models.CodeClusterNotFound)
	})
	run, known, err := c.db.Runs.Taker(t.Context(), mustSnapshot(c, "last"))
	if err != nil || !known || run.Kind != models.RunDelete {
		t.Fatal(run, known, err)
	}
	if impact, measured, err := c.db.Impacts.Of(t.Context(), run); err != nil || !measured || !impact.Parts[0].Served() || !impact.Parts[0].Nodes[0].Forked {
		t.Errorf("%t, %v: %+v", measured, err, impact)
	}
}

// A snapshot whose cost cannot be written down is a snapshot all the same.
func TestASnapshotDoesNotFailWithTheFiguresOfItsCost(t *testing.T) {
	t.Parallel()
	c := newConsole(t, clockwork.NewRealClock())
	c.stop()
	var log lines
	c.log = &log
	c.start()
	testkit.Fill(t, c.primary(c.create(c.spec("orders", 0))[0]), 500)
	c.refuseWrites("run_impacts")
	if s := c.snapshot("orders", "first"); s.Status != models.SnapshotAvailable {
		t.Fatalf("%s: %s", s.Status, s.StatusReason)
	}
	if _, measured := c.impactOf("first"); measured {
		t.Error("the figures were kept")
	}
	if text := log.String(); strings.Count(text, "keep what a snapshot cost") != 1 || !strings.Contains(text, "no room for this") {
		t.Errorf("the log is\n%s", text)
	}
}

// refuseWrites has the catalog refuse to write rows of a table.
func (c *console) refuseWrites(table string) {
	c.t.Helper()
	db, err := sql.Open("sqlite3", filepath.Join(c.data, "rekindle.db")+"?_busy_timeout=5000")
	must(c.t, err)
	_, err = db.ExecContext(c.t.Context(), "CREATE TRIGGER refuse_writes BEFORE INSERT ON "+table+" BEGIN SELECT RAISE(ABORT, 'no room for this'); END")
	must(c.t, errors.Join(err, db.Close()))
}

// A user that may not PING still gets a snapshot, and is told what was not measured.
func TestASnapshotDoesNotDependOnWhatItsCostIs(t *testing.T) {
	t.Parallel()
	c := newConsole(t, clockwork.NewRealClock())
	server := testkit.Redis(t, "--repl-diskless-sync-delay", "0", "--user", "backup", "on", ">s3cret", "-@all", "+psync", "+replconf", "+info", "+ping")
	testkit.Fill(t, server.Client(), 100)
	spec := attachSpec("orders", server.Addr)
	spec.Access.Username, spec.Password = "backup", "s3cret"
	c.attach(spec)
	if err := server.Client().Do(t.Context(), "ACL", "SETUSER", "backup", "-ping").Err(); err != nil {
		t.Fatal(err)
	}
	if s := c.snapshot("orders", "first"); s.Status != models.SnapshotAvailable {
		t.Fatal(s.StatusReason)
	}
	if impact, measured := c.impactOf("first"); !measured || !strings.Contains(impact.Parts[0].Nodes[0].Note, "lacks the right") {
		t.Errorf("%+v", impact)
	}
}

// What is read key by key forks nobody.
func TestAReadingByKeyCostsNoFork(t *testing.T) {
	t.Parallel()
	c := newConsole(t, clockwork.NewRealClock())
	server := testkit.Redis(t, "--user", "backup", "on", ">s3cret", "+@all", "-psync", "~*")
	testkit.Fill(t, server.Client(), 100)
	spec := attachSpec("orders", server.Addr)
	spec.Access.Username, spec.Password, spec.ByKey = "backup", "s3cret", true
	c.attach(spec)
	if s := c.snapshot("orders", "first"); s.Status != models.SnapshotAvailable {
		t.Fatal(s.StatusReason)
	}
	impact, _ := c.impactOf("first")
	if part := impact.Parts[0]; !part.ByKey || !part.Served() || part.Nodes[0].Forked || part.Nodes[0].Figures(models.PhaseBefore).Ping > time.Second {
		t.Errorf("%+v", part)
	}
}
