package catalog

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jonboulle/clockwork"
	"gorm.io/gorm/clause"

	"rekindle/internal/secret"
	"rekindle/internal/testkit"
	"rekindle/models"
)

// logged is everything that this test binary writes into the log.
var logged lockedBuffer

func TestMain(m *testing.M) {
	hashMemory = 64
	slog.SetDefault(slog.New(slog.NewTextHandler(&logged, &slog.HandlerOptions{Level: slog.LevelDebug})))
	code := m.Run()
	if postgresStarted.Load() {
		started, err := postgresServer()
		if err == nil {
			err = started.Stop()
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}
	os.Exit(code)
}

// catalogsAre says where the catalogs of the tests are: "sqlite", or "postgres", by $REKINDLE_TEST_CATALOG. All tests hold for both, except where one
// says that it is about a file. The variable is read within tests only: go test would not notice it earlier, and would use cached results of the one
// for the other.
func catalogsAre() string { return cmp.Or(os.Getenv("REKINDLE_TEST_CATALOG"), "sqlite") }

// inFile is for tests of what only SQLite has.
func inFile(t testing.TB) {
	t.Helper()
	if catalogsAre() != "sqlite" {
		t.Skip("run by the tests with catalogs in files")
	}
}

// once is for tests that do not depend on where the catalogs of the others are: they use none, or choose the place themselves.
func once(t testing.TB) {
	t.Helper()
	if catalogsAre() != "sqlite" {
		t.Skip("run by the tests with catalogs in files")
	}
}

// The server of all tests, which is started by the first one that needs it.
var (
	postgresStarted atomic.Bool
	postgresServer  = sync.OnceValues(func() (*testkit.PostgresServer, error) {
		postgresStarted.Store(true)
		return testkit.StartPostgres()
	})
)

// newPlace is a place for a catalog, where nothing is yet.
func newPlace(t testing.TB) Place {
	t.Helper()
	if catalogsAre() == "sqlite" {
		return File(filepath.Join(t.TempDir(), "rekindle.db"))
	}
	return postgresPlace(t)
}

func postgresPlace(t testing.TB) Place { return postgresCopy(t, "") }

func postgresCopy(t testing.TB, template string) Place {
	t.Helper()
	server := must(postgresServer())(t)
	place := must(server.Database(template))(t)
	t.Cleanup(func() { check(t, server.Drop(place)) })
	return Place{URL: secret.Text(place), Folder: t.TempDir()}
}

// The catalog of most tests is a copy of one that was brought up to date once.
var (
	fileTemplate     = testkit.NewTemplate(func(path string) error { return prepareCatalog(File(path)) })
	postgresTemplate = sync.OnceValues(func() (string, error) {
		server, err := postgresServer()
		if err != nil {
			return "", err
		}
		place, err := server.Database("")
		if err != nil {
			return "", err
		}
		u, err := url.Parse(place)
		if err != nil {
			return "", err
		}
		return strings.TrimPrefix(u.Path, "/"), prepareCatalog(Place{URL: secret.Text(place), Folder: os.TempDir()})
	})
)

func prepareCatalog(place Place) error {
	db, err := Open(context.Background(), place, clockwork.NewFakeClockAt(monday), &fakeHost{})
	if err != nil {
		return err
	}
	return db.Close()
}

// preparedPlace is a place with an empty catalog.
func preparedPlace(t testing.TB) Place {
	t.Helper()
	if catalogsAre() == "sqlite" {
		place := newPlace(t)
		fileTemplate.Copy(t, place.File)
		return place
	}
	return postgresCopy(t, must(postgresTemplate())(t))
}

// simulated returns how many days to simulate: all of them in `make soak`, otherwise a part in which everything happens once.
func simulated(days int) int {
	if os.Getenv("REKINDLE_SOAK_ROUNDS") != "" {
		return days
	}
	return days / 12
}

type lockedBuffer struct {
	mutex  sync.Mutex
	buffer bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	return b.buffer.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	return b.buffer.String()
}

// monday is when the fake clocks of most tests begin: 2026-01-05 10:00 UTC.
var monday = time.Date(2026, 1, 5, 10, 0, 0, 0, time.UTC)

// fakeHost hands out the lowest free port, so that two people who look at once find the same one.
type fakeHost struct {
	mutex sync.Mutex
	busy  map[int]bool // ports on which something else listens, at each address
	more  []string     // addresses besides 127.0.0.1
	home  string
	fail  error

	announced string
	found     func(port int) // called with each port that FreePort hands out
}

var testEngine = models.Engine{Name: "redis", Version: "7.0.15"}

func (h *fakeHost) Home() string { return cmp.Or(h.home, models.CatalogHome) }

func (h *fakeHost) Engines(context.Context) ([]models.Engine, error) {
	return []models.Engine{testEngine, {Name: "valkey", Version: "9.1.2"}}, h.fail
}

func (h *fakeHost) Address() string { return "127.0.0.1" }

func (h *fakeHost) Announced() string { return h.announced }

func (h *fakeHost) free(port int) bool {
	h.mutex.Lock()
	defer h.mutex.Unlock()
	return !h.busy[port]
}

func (h *fakeHost) FreeAddress(ctx context.Context, port int, avoid func(string) bool) (string, error) {
	for _, address := range append([]string{h.Address()}, h.more...) {
		if h.free(port) && !avoid(address) {
			return address, ctx.Err()
		}
	}
	return "", ctx.Err()
}

func (h *fakeHost) FreePort(ctx context.Context, avoid func(int) bool) (int, error) {
	for port := 7000; port < 65536; port++ {
		if h.free(port) && !avoid(port) {
			if h.found != nil {
				h.found(port)
			}
			return port, ctx.Err()
		}
	}
	return 0, errors.New("no port is free")
}

func (h *fakeHost) CannotTake(engine models.Engine, snapshot models.Snapshot, _ models.Deadlines) string {
	if snapshot.RDBVersion <= map[string]int{"redis": 10, "valkey": 80}[engine.Name] {
		return ""
	}
	return ", for a reason."
}

func (h *fakeHost) Expired(models.Snapshot, time.Time) (least, most int64, known bool) {
	return 0, 0, false
}
func (h *fakeHost) FieldsExpire(snapshot models.Snapshot) bool { return snapshot.RDBVersion >= 12 }

// catalog is an empty one in a real file, with a clock that only the test moves.
func catalog(t testing.TB) (*DB, *clockwork.FakeClock) {
	t.Helper()
	clock := clockwork.NewFakeClockAt(monday)
	return open(t, preparedPlace(t), clock), clock
}

func open(t testing.TB, place Place, clock clockwork.Clock) *DB {
	t.Helper()
	db, err := Open(t.Context(), place, clock, &fakeHost{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return db
}

// noRoom makes the database refuse such writes, "INSERT ON events", as on a full disk. room allows them again.
func noRoom(t testing.TB, db *DB, what string) (room func()) {
	t.Helper()
	_, table, _ := strings.Cut(what, " ON ")
	begin, end := []string{"CREATE TRIGGER no_room BEFORE " + what + " BEGIN SELECT RAISE(ABORT, 'disk full'); END"}, "DROP TRIGGER no_room"
	if db.place.InPostgres() {
		begin = []string{"CREATE FUNCTION no_room() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN RAISE EXCEPTION 'disk full' USING ERRCODE = 'disk_full'; END$$",
			"CREATE TRIGGER no_room BEFORE " + what + " FOR EACH ROW EXECUTE FUNCTION no_room()"}
		end += " ON " + table
	}
	for _, statement := range begin {
		check(t, db.gorm.Exec(statement).Error)
	}
	return func() { check(t, db.gorm.Exec(end).Error) }
}

func spec(name string) models.ClusterSpec {
	return models.ClusterSpec{Name: name, Engine: testEngine, NodeType: "cache.t4g.micro", Auth: models.AuthNone, RequestedBy: "admin"}
}

// launched is an available cluster whose run is done.
func launched(t testing.TB, db *DB, s models.ClusterSpec) models.Cluster {
	t.Helper()
	clusters := must(db.Clusters.Create(t.Context(), s))(t)
	for range clusters {
		run := claim(t, db)
		check(t, db.Settle.Cluster(t.Context(), run, "It is there."))
	}
	return must(db.Clusters.Get(t.Context(), clusters[0].Name))(t)
}

// lease makes sure that a console of this name has a lease, and returns the name.
func lease(t testing.TB, db *DB, id string) string {
	t.Helper()
	now := db.Now()
	check(t, db.with(t.Context()).Clauses(clause.OnConflict{DoNothing: true}).Create(&models.Owner{ID: id, Home: models.CatalogHome, Lease: time.Minute, Since: now, Seen: now}).Error)
	return id
}

// claim takes the oldest run of the queue.
func claim(t testing.TB, db *DB) models.Run {
	t.Helper()
	run, ok, err := db.Runs.Claim(t.Context(), lease(t, db, "console"), func(models.Run) bool { return true })
	if err != nil || !ok {
		t.Fatalf("claim a run: found %t, %v", ok, err)
	}
	return run
}

// taken is a manual snapshot that is available.
func taken(t testing.TB, db *DB, cluster, name string) models.Snapshot {
	t.Helper()
	must(db.Snapshots.Request(t.Context(), cluster, name, false, "admin"))(t)
	check(t, db.Settle.Snapshot(t.Context(), claim(t, db), measured(db, name)))
	return must(db.Snapshots.Get(t.Context(), name))(t)
}

// measured is what the worker hands over at the end of a snapshot.
func measured(db *DB, name string) models.Snapshot {
	now := db.Now()
	return models.Snapshot{Name: name, RDBVersion: 10, Bytes: 1000, Stored: 300, Keys: 7, UsedMemory: 2000, ServedBy: "n-002", ServedRole: models.RoleReplica,
		StartedAt: &now, Parts: []models.Part{{Number: 1, Object: "part-0001.rdb.zst", Slots: "0-16383", Bytes: 1000, Stored: 300, Keys: 7,
			StartedAt: now, CompletedAt: now}}}
}

// must lets a test use a result in one line: must(f())(t).
func must[T any](value T, err error) func(testing.TB) T {
	return func(t testing.TB) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return value
	}
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// refused fails the test unless err is a refusal with this code and nothing but sentences.
func refused(t testing.TB, err error, code models.Code) models.Faults {
	t.Helper()
	faults, ok := models.AsFaults(err)
	if !ok || !models.HasCode(err, code) {
		t.Fatalf("want a refusal with the code %s, got %v", code, err)
	}
	for _, f := range faults {
		if f.Code == "" || len(f.Message) < 5 || f.Message[len(f.Message)-1] != '.' {
			t.Errorf("not a fault with a code and a sentence: %+v", f)
		}
	}
	return faults
}

// content is every row of every table as text, to see that nothing was written.
func content(t testing.TB, db *DB) string {
	t.Helper()
	var text string
	for _, table := range []string{"clusters", "nodes", "snapshots", "parts", "runs", "window_marks", "locks", "events", "settings",
		"users", "sessions", "sign_in_failures", "migrations"} {
		var rows []map[string]any
		check(t, db.with(t.Context()).Table(table).Find(&rows).Error)
		text += table + "\n"
		for _, row := range rows {
			text += fmt.Sprintln(row)
		}
	}
	return text
}

func count(t testing.TB, db *DB, row any, where ...any) int {
	t.Helper()
	query := db.with(t.Context()).Model(row)
	if len(where) > 0 {
		query = query.Where(where[0], where[1:]...)
	}
	var n int64
	check(t, query.Count(&n).Error)
	return int(n)
}

// atOnce runs fn in n goroutines that begin together, and returns their errors.
func atOnce(n int, fn func(i int) error) []error {
	failures := make([]error, n)
	start := make(chan struct{})
	var group sync.WaitGroup
	for i := range n {
		group.Go(func() {
			<-start
			failures[i] = fn(i)
		})
	}
	close(start)
	group.Wait()
	return failures
}

func pointer[T any](value T) *T { return &value }
