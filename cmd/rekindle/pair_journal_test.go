package main

import (
	"bytes"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jonboulle/clockwork"

	"rekindle/internal/journal"
	"rekindle/internal/resp"
	"rekindle/internal/secret"
	"rekindle/internal/testkit"
	"rekindle/models"
	"rekindle/models/catalog"
)

// journalPair is two consoles that share a catalog and a store, and an attached cluster whose journal is kept by one of them.
type journalPair struct {
	*oracle
	place    catalog.Place
	consoles []*process
	flags    []string
	nodes    []*testkit.Server // the first is the primary
}

func newJournalPair(t *testing.T, replicas int) *journalPair {
	t.Helper()
	database, err := testkit.Postgres(t).Database("")
	fine(t, err)
	shared := t.TempDir()
	random := randomness(t)
	j := &journalPair{place: catalog.Place{URL: secret.Text(database), Folder: t.TempDir()}, flags: []string{"--store", "dir:" + shared, "--lease", pairLease.String()}}
	for range 2 {
		p := newProcess(t)
		p.env = []string{"REKINDLE_CATALOG=" + database}
		p.start(j.flags...)
		p.signIn()
		j.consoles = append(j.consoles, p)
	}
	db, err := catalog.Open(t.Context(), j.place, clockwork.NewRealClock(), nil)
	fine(t, err)
	t.Cleanup(func() { _ = db.Close() })
	fine(t, db.Settings.Save(t.Context(), models.Settings{ManualQuota: 10000, Price: 0.085, Currency: "$"}))
	j.oracle = &oracle{process: j.consoles[0], random: random, db: db, store: folderStore(t, shared), engine: newDebuggable(t), asked: make(map[string]seen)}
	j.nodes = []*testkit.Server{testkit.Redis(t, "--repl-diskless-sync-delay", "0")}
	for range replicas {
		node := testkit.Redis(t, "--repl-diskless-sync-delay", "0", "--replicaof", j.nodes[0].Host+" "+portOf(j.nodes[0]))
		j.nodes = append(j.nodes, node)
	}
	j.inStep()
	var addresses []string
	for _, node := range j.nodes {
		addresses = append(addresses, node.Addr)
	}
	j.must("/clusters/-/attach", url.Values{"id": {"orders"}, "addresses": {strings.Join(addresses, "\n")}, "backups": {"on"}, "window_preference": {"none"}, "retention": {"1"}})
	j.writesTo(j.nodes[0])
	j.write(200)
	j.keepJournal("orders")
	testkit.WaitUpTo(t, long, "a recovery window", func() bool {
		j.write(1)
		window, err := db.Journal.Window(t.Context(), j.cluster())
		return err == nil && len(window) > 0
	})
	return j
}

func portOf(s *testkit.Server) string { return s.Addr[strings.LastIndex(s.Addr, ":")+1:] }

// writesTo has what is written from now on written to a node.
func (j *journalPair) writesTo(node *testkit.Server) {
	j.t.Helper()
	j.apps = nil
	j.apps = append(j.apps, node.Client())
	j.writers = []*testkit.Writer{testkit.NewWriter(j.t, node.Client(), j.random.Uint64(), 0, 3, 5)}
}

// inStep waits until all replicas have what the primary has.
func (j *journalPair) inStep() {
	j.t.Helper()
	for _, node := range j.nodes[1:] {
		testkit.WaitUpTo(j.t, long, "a replica to be in step", func() bool {
			info := resp.ParseInfo(node.Client().Info(j.t.Context(), "replication").Val())
			return info["master_link_status"] == "up" && info.Int(testkit.ReplicaOffset) >= placeOf(j.t, j.nodes[0])
		})
	}
}

func placeOf(t testing.TB, node *testkit.Server) int64 {
	t.Helper()
	return resp.ParseInfo(node.Client().Info(t.Context(), "replication").Val()).Int(testkit.PrimaryOffset)
}

// link is the link as the catalog has it, and which console keeps it; -1: none of them.
func (j *journalPair) link() (link models.JournalLink, console int) {
	j.t.Helper()
	links, err := j.db.Recording.Links(j.t.Context(), j.cluster())
	fine(j.t, err)
	owners, err := j.db.Owners.All(j.t.Context())
	fine(j.t, err)
	if len(links) == 0 {
		return link, -1
	}
	i := slices.IndexFunc(owners, func(o models.Owner) bool { return o.ID == links[0].Owner })
	return links[0], slices.IndexFunc(j.consoles, func(p *process) bool {
		home, err := place{p.data, j.place}.home()
		fine(j.t, err)
		return i >= 0 && home == owners[i].Home
	})
}

// awaitLink waits until a console keeps the link, any of them for -1, and returns which.
func (j *journalPair) awaitLink(wanted int) (console int) {
	j.t.Helper()
	testkit.WaitUpTo(j.t, long, "a console to keep the journal", func() bool {
		link, is := j.link()
		console = is
		return is >= 0 && link.State == models.JournalFollowing && (wanted < 0 || wanted == is)
	})
	return console
}

// awaitBoth waits until both consoles have a lease.
func (j *journalPair) awaitBoth() {
	j.t.Helper()
	testkit.WaitUpTo(j.t, long, "both consoles", func() bool {
		owners, err := j.db.Owners.All(j.t.Context())
		return err == nil && len(owners) == 2
	})
}

// agrees fails if two segments of a recording have different bytes of the same place.
func (j *journalPair) agrees() {
	j.t.Helper()
	known := make(map[string]map[int64]byte)
	count := 0
	for s, err := range journal.List(j.t.Context(), j.store, "orders", time.Time{}) {
		fine(j.t, err)
		r, err := journal.Open(j.t.Context(), j.store, []journal.Segment{s}, s.From, s.To)
		fine(j.t, err)
		plain, err := io.ReadAll(r)
		fine(j.t, err)
		fine(j.t, r.Close())
		if known[s.Run] == nil {
			known[s.Run] = make(map[int64]byte)
		}
		for i, b := range plain {
			if before, is := known[s.Run][s.From+int64(i)]; is && before != b {
				j.t.Errorf("%s has other bytes from %d on than another segment: %.100q", s.Key, s.From+int64(i), bytes.TrimSpace(plain[i:]))
				break
			}
			known[s.Run][s.From+int64(i)] = b
		}
		count++
	}
	j.t.Logf("%d segments agree", count)
}

// TestTheJournalGoesOnInAnotherConsole kills or freezes the console that keeps a journal, now and again, while something is written. The other one goes on
// with it, and each moment, also one from across the takeover, is recovered as it was.
func TestTheJournalGoesOnInAnotherConsole(t *testing.T) {
	t.Parallel()
	j := newJournalPair(t, 1)
	for i := range rounds(t, 2) {
		j.write(50)
		j.look(false)
		holder := j.awaitLink(-1)
		victim := j.consoles[holder]
		if i%2 == 0 {
			killed := make(chan struct{})
			go func() { defer close(killed); victim.kill() }()
			j.write(50)
			<-killed
		} else {
			fine(t, victim.cmd.Process.Signal(syscall.SIGSTOP))
			j.write(50)
		}
		j.awaitLink(1 - holder)
		j.write(50)
		j.look(false)
		j.stored(j.seen[len(j.seen)-1])
		if i%2 == 0 {
			victim.start(j.flags...)
		} else {
			fine(t, victim.cmd.Process.Signal(syscall.SIGCONT))
		}
		j.write(50)
		j.look(false)
		j.awaitBoth()
		j.ask()
		j.compare(false)
	}
	j.compare(true)
	j.unbroken()
	j.agrees()
	t.Logf("%d moments equal", j.equal)
}

// TestAFrozenConsoleStoresNothingOfAHistoryThatIsGone freezes the console that keeps a journal, with writes under way to it that only the node which it
// reads gets. Then another replica becomes the primary, without them, and the other console goes on with what is true from then on. When the first one
// wakes up, what it reads is no longer so.
func TestAFrozenConsoleStoresNothingOfAHistoryThatIsGone(t *testing.T) {
	t.Parallel()
	j := newJournalPair(t, 2)
	j.write(50)
	j.look(false)
	j.inStep()
	j.stored(j.seen[0])
	holder := j.awaitLink(-1)
	link, _ := j.link()
	row, _ := j.cluster().Shards()[0].Primary()
	for _, node := range j.cluster().Nodes {
		if node.Name == link.Node {
			row = node
		}
	}
	read, next := j.nodes[1], j.nodes[2]
	if read.Addr != row.Address() {
		read, next = next, read
	}
	if read.Addr != row.Address() {
		t.Fatalf("it reads %s", row.Address())
	}
	for _, p := range j.consoles {
		fine(t, p.cmd.Process.Signal(syscall.SIGSTOP))
	}
	fine(t, next.Client().Do(t.Context(), "REPLICAOF", "NO", "ONE").Err())
	j.write(100) // lost, but for the one that is read
	lost := placeOf(t, j.nodes[0])
	testkit.WaitUpTo(t, long, "the node that is read to have what is lost", func() bool {
		return resp.ParseInfo(read.Client().Info(t.Context(), "replication").Val()).Int(testkit.ReplicaOffset) >= lost
	})
	j.nodes[0].Kill()
	fine(t, read.Client().Do(t.Context(), "REPLICAOF", next.Host, portOf(next)).Err())
	j.nodes = []*testkit.Server{next, read}
	j.inStep()
	j.writesTo(next)
	j.write(100)
	other := 1 - holder
	fine(t, j.consoles[other].cmd.Process.Signal(syscall.SIGCONT))
	j.awaitLink(other)
	j.write(100)
	j.look(false)
	j.stored(j.seen[1])
	fine(t, j.consoles[holder].cmd.Process.Signal(syscall.SIGCONT))
	j.awaitBoth()
	j.consoles[holder].end(os.Interrupt) // it stores by then what it wants to
	j.consoles[holder].start(j.flags...)
	j.consoles[other].kill() // so that the first one goes on again, with what it may have kept
	j.awaitLink(holder)
	j.write(50)
	j.look(false)
	j.process = j.consoles[holder]
	j.ask()
	j.compare(true)
	j.unbroken()
	j.agrees()
	if left, err := filepath.Glob(filepath.Join(j.consoles[holder].data, "journal", "*", "*", "*", "*.zst")); err != nil || len(left) != 0 {
		t.Errorf("it still keeps %v, %v", left, err)
	}
}
