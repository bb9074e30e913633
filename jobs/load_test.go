package jobs_test

import (
	"context"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/jonboulle/clockwork"
	"github.com/redis/go-redis/v9"

	"rekindle/internal/archive"
	"rekindle/internal/testkit"
	"rekindle/models"
)

const (
	accounts = 100
	deposit  = 1000 // in each account at first
	counter  = "transfers"
)

func account(i int) string { return "account:" + strconv.Itoa(i) }

// bank writes without a pause. Each transfer takes from one account, gives to another, and is counted, all in one MULTI.
type bank struct {
	client *redis.Client
	stop   context.CancelFunc
	ended  sync.WaitGroup
}

func openBank(t *testing.T, client *redis.Client, clerks int) *bank {
	t.Helper()
	for i := range accounts {
		must(t, client.Set(t.Context(), account(i), deposit, 0).Err())
	}
	ctx, stop := context.WithCancel(t.Context())
	b := &bank{client: client, stop: stop}
	for clerk := range clerks {
		random := rand.New(rand.NewPCG(7, uint64(clerk)))
		b.ended.Go(func() {
			for ctx.Err() == nil {
				from, to, amount := random.IntN(accounts), random.IntN(accounts), random.Int64N(100)
				_, err := client.TxPipelined(ctx, func(p redis.Pipeliner) error {
					p.DecrBy(ctx, account(from), amount)
					p.IncrBy(ctx, account(to), amount)
					p.Incr(ctx, counter)
					return nil
				})
				if err != nil && ctx.Err() == nil {
					t.Errorf("transfer: %v", err)
					return
				}
			}
		})
	}
	t.Cleanup(b.close)
	return b
}

func (b *bank) close() {
	b.stop()
	b.ended.Wait()
}

// transfers returns the number of transfers so far.
func transfers(t *testing.T, client *redis.Client) int {
	t.Helper()
	n, err := client.Get(t.Context(), counter).Int()
	if err != nil && err != redis.Nil {
		t.Fatal(err)
	}
	return n
}

// balance returns the sum of all accounts.
func balance(t *testing.T, client *redis.Client) (sum int) {
	t.Helper()
	for i := range accounts {
		n, err := client.Get(t.Context(), account(i)).Int()
		if err != nil {
			t.Fatal(err)
		}
		sum += n
	}
	return sum
}

// load starts a server with the stored part of a snapshot.
func (c *console) load(server *testkit.Server, snapshot models.Snapshot) {
	c.t.Helper()
	a := archive.New(c.store)
	ref := archive.Ref{Cluster: snapshot.ClusterName, Snapshot: snapshot.Name}
	manifest, err := a.Manifest(c.t.Context(), ref)
	must(c.t, err)
	part, err := a.OpenPart(c.t.Context(), ref, manifest.Parts[0])
	must(c.t, err)
	defer part.Close()
	server.Kill()
	file, err := os.Create(filepath.Join(server.Dir, "dump.rdb"))
	must(c.t, err)
	_, err = io.Copy(file, part)
	must(c.t, err)
	must(c.t, file.Close())
	server.Restart()
}

// An application moves money as fast as it can. Each snapshot shows a single moment between its request and its end: not a penny is missing,
// and no transaction is half done. make soak takes 200 snapshots.
func TestSnapshotsUnderLoadAreOfOneMoment(t *testing.T) {
	t.Parallel()
	rounds := 4
	if text := os.Getenv("REKINDLE_SOAK_ROUNDS"); text != "" {
		rounds, _ = strconv.Atoi(text)
	}
	c := newConsole(t, clockwork.NewRealClock())
	must(t, c.db.Settings.Save(t.Context(), models.Settings{ManualQuota: 10000, Price: 0.085, Currency: "$"}))
	source := c.primary(c.create(c.spec("orders", 1))[0])
	fillBig(t, source, 4) // so that a transfer takes as long as many transactions
	b := openBank(t, source, 4)
	reader := testkit.Redis(t)
	for i := range rounds {
		before := transfers(t, source)
		snapshot := c.snapshot("orders", "s"+strconv.Itoa(i))
		after := transfers(t, source)
		if snapshot.Status != models.SnapshotAvailable || snapshot.ServedRole != models.RoleReplica {
			t.Fatalf("snapshot %d is %s (%s), served by the %s", i, snapshot.Status, snapshot.StatusReason, snapshot.ServedRole)
		}
		c.load(reader, snapshot)
		if sum := balance(t, reader.Client()); sum != accounts*deposit {
			t.Errorf("snapshot %d: the accounts hold %d, not %d", i, sum, accounts*deposit)
		}
		if n := transfers(t, reader.Client()); n < before || n > after || after == before {
			t.Errorf("snapshot %d has %d transfers; there were %d when it was asked for, and %d when it was there", i, n, before, after)
		}
	}
	b.close()
}

// Redis 6.0 buffers what is written during a transfer and sends it afterwards. If the buffer overflows, it drops the link. The snapshot then
// fails, says what to do, and leaves nothing behind.
func TestAnOutputBufferThatIsTooSmallIsSaid(t *testing.T) {
	t.Parallel()
	c, st := newTroubled(t)
	server := testkit.Engine(t, testkit.Fetched(t, "redis-6.0"))
	must(t, server.Client().ConfigSet(t.Context(), "client-output-buffer-limit", "replica 1mb 1mb 0").Err())
	fillBig(t, server.Client(), 24) // more than sockets hold
	c.attach(attachSpec("orders", server.Addr))
	reached, goOn := make(chan struct{}), make(chan struct{})
	st.mu.Lock()
	st.after, st.reached, st.goOn = 1<<20, reached, goOn
	st.mu.Unlock()
	if _, err := c.db.Snapshots.Request(t.Context(), "orders", "s1", false, "test"); err != nil {
		t.Fatal(err)
	}
	c.manager.Wake()
	<-reached
	for range 4 {
		must(t, server.Client().Set(t.Context(), "written meanwhile", strings.Repeat("x", 1<<20), 0).Err())
	}
	testkit.WaitFor(t, "the server to drop the link", func() bool { return strings.Contains(server.Log(), "overcoming of output buffer limits") })
	close(goOn)
	snapshot := c.awaitSnapshot("s1")
	if snapshot.Status != models.SnapshotFailed || !strings.Contains(snapshot.StatusReason, "Raise client-output-buffer-limit for replicas") {
		t.Errorf("the snapshot is %s: %s", snapshot.Status, snapshot.StatusReason)
	}
	if files := c.stored(); len(files) != 0 {
		t.Errorf("the store still has %v", files)
	}
	must(t, server.Client().ConfigSet(t.Context(), "client-output-buffer-limit", "replica 0 0 0").Err())
	if again := c.snapshot("orders", "s2"); again.Status != models.SnapshotAvailable {
		t.Errorf("with a larger buffer it is %s: %s", again.Status, again.StatusReason)
	}
}
