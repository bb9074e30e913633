package web

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"html"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jonboulle/clockwork"
	"golang.org/x/crypto/argon2"
	"gorm.io/driver/sqlite"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"

	"rekindle/internal/testkit"
	"rekindle/models"
	"rekindle/models/catalog"
)

// The tests speak to a real console over HTTP, with a real catalog. Only the engine behind it is a fake, because there is nothing to run.

const adminPassword = "correct horse battery"

var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

// console is a running console and one browser.
type console struct {
	t       testing.TB
	db      *catalog.DB
	path    string // of the catalog
	jobs    *fakeJobs
	clock   *clockwork.FakeClock
	log     *lockedBuffer
	server  *httptest.Server
	browser *http.Client
}

// catalogTemplate is a catalog with the admin, whose password is hashed as cheaply as possible: these tests are not about hashing.
var catalogTemplate = testkit.NewTemplate(func(path string) error {
	ctx := context.Background()
	db, err := catalog.Open(ctx, catalog.File(path), clockwork.NewFakeClockAt(noon), &fakeHost{})
	if err != nil {
		return err
	}
	_, err = db.Users.EnsureAdmin(ctx, adminPassword)
	if err = errors.Join(err, db.Close()); err != nil {
		return err
	}
	salt := make([]byte, 16)
	hash := fmt.Sprintf("$argon2id$v=%d$m=8,t=1,p=1$%s$%s", argon2.Version, base64.RawStdEncoding.EncodeToString(salt),
		base64.RawStdEncoding.EncodeToString(argon2.IDKey([]byte(adminPassword), salt, 1, 8, 1, 32)))
	raw, err := gorm.Open(sqlite.Open(path), &gorm.Config{Logger: logger.Discard})
	if err != nil {
		return err
	}
	changed := raw.Exec("UPDATE users SET password_hash = ?", hash)
	pool, err := raw.DB()
	if err == nil {
		err = pool.Close()
	}
	if changed.RowsAffected != 1 {
		err = errors.Join(err, fmt.Errorf("%d passwords changed", changed.RowsAffected))
	}
	return errors.Join(changed.Error, err)
})

// newConsole starts a console with nobody signed in.
func newConsole(t testing.TB, configure ...func(*Config)) *console {
	t.Helper()
	path := filepath.Join(t.TempDir(), "catalog.db")
	catalogTemplate.Copy(t, path)
	c := newConsoleOn(t, catalog.File(path), configure...)
	c.path = path
	return c
}

func newConsoleOn(t testing.TB, place catalog.Place, configure ...func(*Config)) *console {
	t.Helper()
	c := &console{t: t, clock: clockwork.NewFakeClockAt(noon), jobs: newFakeJobs(), log: &lockedBuffer{}}
	db, err := catalog.Open(t.Context(), place, c.clock, &fakeHost{})
	if err != nil {
		t.Fatal(err)
	}
	c.db = db
	t.Cleanup(func() { _ = db.Close() })
	if _, err := db.Users.EnsureAdmin(t.Context(), adminPassword); err != nil {
		t.Fatal(err)
	}
	owner, err := db.Owners.Enroll(t.Context(), (&fakeHost{}).Home(), time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	c.jobs.owner, c.jobs.db = owner.ID, db
	config := Config{DB: db, Jobs: c.jobs, Clock: c.clock, Logger: slog.New(slog.NewTextHandler(c.log, nil)), Version: "1.2.3"}
	for _, change := range configure {
		change(&config)
	}
	handler, err := New(config)
	if err != nil {
		t.Fatal(err)
	}
	c.server = httptest.NewServer(handler)
	c.server.Config.ErrorLog = slog.NewLogLogger(slog.NewTextHandler(io.Discard, nil), slog.LevelError)
	t.Cleanup(c.server.Close)
	c.browser = newBrowser(t)
	return c
}

// signedIn starts a console in whose browser the admin is signed in.
func signedIn(t *testing.T, configure ...func(*Config)) *console {
	t.Helper()
	c := newConsole(t, configure...)
	c.signIn()
	return c
}

func newBrowser(t testing.TB) *http.Client {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &http.Client{Jar: jar, Timeout: 2 * time.Minute, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

// another is a second browser at the same console.
func (c *console) another() *console {
	other := *c
	other.browser = newBrowser(c.t)
	return &other
}

func (c *console) signIn() {
	c.t.Helper()
	c.post("/sign-in", "user", "admin", "password", adminPassword).redirects("/")
}

// answer is what came back.
type answer struct {
	t      testing.TB
	what   string
	status int
	header http.Header
	body   string // with entities turned into characters
	raw    string
}

func (c *console) do(r *http.Request) answer {
	c.t.Helper()
	response, err := c.browser.Do(r)
	if err != nil {
		c.t.Fatalf("%s %s: %v", r.Method, r.URL, err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		c.t.Fatalf("%s %s: %v", r.Method, r.URL, err)
	}
	return answer{t: c.t, what: r.Method + " " + r.URL.RequestURI(), status: response.StatusCode, header: response.Header,
		body: html.UnescapeString(string(body)), raw: string(body)}
}

func (c *console) request(method, address string, body io.Reader) *http.Request {
	c.t.Helper()
	r, err := http.NewRequestWithContext(c.t.Context(), method, c.server.URL+address, body)
	if err != nil {
		c.t.Fatal(err)
	}
	return r
}

func (c *console) get(address string) answer {
	c.t.Helper()
	return c.do(c.request(http.MethodGet, address, nil))
}

// htmx asks as the page's script does.
func (c *console) htmx(method, address string, form url.Values) answer {
	c.t.Helper()
	r := c.request(method, address, strings.NewReader(form.Encode()))
	r.Header.Set("HX-Request", "true")
	if form != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	return c.do(r)
}

func (c *console) postForm(address string, form url.Values) answer {
	c.t.Helper()
	r := c.request(http.MethodPost, address, strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	return c.do(r)
}

// post sends names and values in turn.
func (c *console) post(address string, pairs ...string) answer {
	c.t.Helper()
	return c.postForm(address, fields(pairs...))
}

func fields(pairs ...string) url.Values {
	form := url.Values{}
	for i := 0; i+1 < len(pairs); i += 2 {
		form.Add(pairs[i], pairs[i+1])
	}
	return form
}

// with returns a copy with some fields changed.
func with(form url.Values, pairs ...string) url.Values {
	changed := url.Values{}
	for name, values := range form {
		changed[name] = values
	}
	for i := 0; i+1 < len(pairs); i += 2 {
		changed.Set(pairs[i], pairs[i+1])
	}
	return changed
}

func (a answer) is(status int) answer {
	a.t.Helper()
	if a.status != status {
		a.t.Fatalf("%s: status %d, want %d\n%s", a.what, a.status, status, excerpt(a.body))
	}
	return a
}

func (a answer) says(texts ...string) answer {
	a.t.Helper()
	for _, text := range texts {
		if !strings.Contains(a.body, text) {
			a.t.Errorf("%s: does not say %q\n%s", a.what, text, excerpt(a.body))
		}
	}
	return a
}

func (a answer) doesNotSay(texts ...string) answer {
	a.t.Helper()
	for _, text := range texts {
		if strings.Contains(a.body, text) {
			a.t.Errorf("%s: says %q", a.what, text)
		}
	}
	return a
}

func (a answer) redirects(to string) answer {
	a.t.Helper()
	a.is(http.StatusSeeOther)
	if got := a.header.Get("Location"); got != to {
		a.t.Fatalf("%s: leads to %q, want %q", a.what, got, to)
	}
	return a
}

var (
	tags  = regexp.MustCompile(`(?s)<head>.*</head>|<svg.*?</svg>|<[^>]*>`)
	space = regexp.MustCompile(`\s+`)
)

// excerpt is what a person would read of a page.
func excerpt(page string) string {
	if i := strings.Index(page, `<main`); i >= 0 {
		page = page[i:]
	}
	return cut(space.ReplaceAllString(tags.ReplaceAllString(page, " "), " "), 1500)
}

// launch makes a cluster that is available, with a primary of so much used memory.
func (c *console) launch(name string, change ...func(*models.ClusterSpec)) models.Cluster {
	c.t.Helper()
	spec := models.ClusterSpec{Name: name, Engine: models.Engine{Name: "redis", Version: "7.0.15"}, NodeType: "cache.t4g.micro",
		Replicas: 1, Auth: models.AuthNone, Retention: 7, Window: models.Window{Start: 180, Length: 60}, RequestedBy: "admin"}
	for _, f := range change {
		f(&spec)
	}
	_, err := c.db.Clusters.Create(c.t.Context(), spec)
	c.check(err)
	c.check(c.db.Settle.Cluster(c.t.Context(), c.claim(), "The cluster "+name+" is available."))
	return c.find(name)
}

// cache changes a specification to that of a memcached cluster of three nodes, as the API makes one.
func cache(s *models.ClusterSpec) {
	s.Engine, s.CacheCluster, s.CacheNodes, s.Replicas, s.Retention, s.Window = caching, true, 3, 0, 0, models.Window{}
}

// single changes a specification to that of a cache cluster of Redis, as the API makes one.
func single(s *models.ClusterSpec) { s.CacheCluster, s.Replicas = true, 0 }

func (c *console) find(name string) models.Cluster {
	c.t.Helper()
	cluster, err := c.db.Clusters.Get(c.t.Context(), name)
	c.check(err)
	return cluster
}

// claim begins the next run, as a worker does.
func (c *console) claim() models.Run {
	c.t.Helper()
	run, found, err := c.db.Runs.Claim(c.t.Context(), c.jobs.owner, func(models.Run) bool { return true })
	c.check(err)
	if !found {
		c.t.Fatal("no run is queued")
	}
	return run
}

// backUp takes a manual snapshot of one part.
func (c *console) backUp(cluster, name string, change ...func(*models.Snapshot)) models.Snapshot {
	c.t.Helper()
	_, err := c.db.Snapshots.Request(c.t.Context(), cluster, name, false, "admin")
	c.check(err)
	run := c.claim()
	started := c.clock.Now().UTC()
	c.clock.Advance(14 * time.Second)
	taken := models.Snapshot{Name: name, RDBVersion: 10, Bytes: 1 << 30, Stored: 300 << 20, Keys: 4_000_000,
		UsedMemory: 400 << 20, ServedBy: cluster + "-002", ServedRole: models.RoleReplica, StartedAt: &started,
		Parts: []models.Part{{Number: 1, Object: cluster + "/" + name + "/part-0001.rdb.zst", Bytes: int64(len(plainPart)), Stored: int64(len(storedPart)),
			Keys: 4_000_000, Digest: "xxh128:aa11", CRC64: "bb22", ServedBy: cluster + "-002", ServedRole: models.RoleReplica, StartedAt: started, CompletedAt: started.Add(time.Second)}}}
	for _, f := range change {
		f(&taken)
	}
	c.check(c.db.Settle.Snapshot(c.t.Context(), run, taken))
	snapshot, err := c.db.Snapshots.Get(c.t.Context(), name)
	c.check(err)
	return snapshot
}

func (c *console) check(err error) {
	c.t.Helper()
	if err != nil {
		c.t.Fatal(err)
	}
}

// fakeHost is where nodes would run.
type fakeHost struct{ next atomic.Int64 }

var (
	installed = []models.Engine{{Name: "redis", Version: "7.0.15"}, {Name: "valkey", Version: "8.1.1"}}
	caching   = models.Engine{Name: models.EngineMemcached, Version: "1.6.18"} // which the console does not offer
)

func (*fakeHost) Home() string { return "here" }

func (*fakeHost) Engines(context.Context) ([]models.Engine, error) {
	return append(installed[:2:2], caching), nil
}
func (*fakeHost) Address() string   { return "127.0.0.1" }
func (*fakeHost) Announced() string { return "" }
func (*fakeHost) CannotTake(e models.Engine, s models.Snapshot, d models.Deadlines) string {
	return cannotTake(e, s, d)
}

func cannotTake(e models.Engine, s models.Snapshot, d models.Deadlines) string {
	if s.RDBVersion != 1 && (e.Name == "redis" || s.RDBVersion > 9) || s.Name == "fields" && d == models.DeadlinesDropped {
		return ""
	}
	if len(s.Parts) > 0 && strings.Contains(s.Parts[0].Kinds, "=") {
		return ", for a reason in " + s.Parts[0].Kinds + "."
	}
	return ", for a reason."
}
func (*fakeHost) FieldsExpire(s models.Snapshot) bool { return s.Name == "fields" }
func (*fakeHost) Expired(s models.Snapshot, _ time.Time) (least, most int64, known bool) {
	_, err := fmt.Sscanf(s.Parts[0].Lifetimes, "%d-%d", &least, &most)
	return least, most, err == nil
}

func (*fakeHost) FreeAddress(_ context.Context, port int, avoid func(string) bool) (string, error) {
	if port == 6379 || avoid("127.0.0.1") {
		return "", nil
	}
	return "127.0.0.1", nil
}
func (h *fakeHost) FreePort(_ context.Context, avoid func(int) bool) (int, error) {
	for {
		if port := 16378 + int(h.next.Add(1)); !avoid(port) {
			return port, nil
		}
	}
}

const (
	plainPart  = "REDIS0010 this is a plain RDB file, or so the test says"
	storedPart = "zstd of it"
)

// fakeJobs is the engine: its answers can be changed.
type fakeJobs struct {
	owner string
	db    *catalog.DB
	woken atomic.Int64
	mu    sync.Mutex
	answers
	uploads []string
}

type answers struct {
	contents      models.Contents
	value         models.FoundValue
	compared      models.KeyComparison
	noValue       error
	growth        models.ContentsChange
	source        func(models.Cluster) (models.SnapshotSource, error)
	open          func(plain bool) (io.ReadCloser, error)
	checkStore    func() error
	storeNotice   string
	storeLocation func() string
	examine       func(models.AttachSpec) (models.Examination, error)
	migration     func(cluster, source string) (models.MigrationSource, error)
	available     int64
	declared      models.Declared
	test          func(models.Channel) models.Delivery
}

func newFakeJobs() *fakeJobs {
	return &fakeJobs{answers: answers{
		source: func(c models.Cluster) (models.SnapshotSource, error) {
			return models.SnapshotSource{Node: c.Nodes[len(c.Nodes)-1], UsedMemory: 100 << 20, Available: 8 << 30, Fits: true}, nil
		},
		open: func(plain bool) (io.ReadCloser, error) {
			if plain {
				return io.NopCloser(strings.NewReader(plainPart)), nil
			}
			return io.NopCloser(strings.NewReader(storedPart)), nil
		},
		checkStore: func() error { return nil },
		migration: func(_, source string) (models.MigrationSource, error) {
			return models.MigrationSource{Address: source}, nil
		},
		storeLocation: func() string { return "dir:/srv/snapshots" },
		available:     64 << 30,
	}}
}

// change sets other answers from now on.
func (j *fakeJobs) change(f func(*answers)) {
	j.mu.Lock()
	defer j.mu.Unlock()
	f(&j.answers)
}

func (j *fakeJobs) now() answers {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.answers
}

func (j *fakeJobs) Owner() string { return j.owner }

func (j *fakeJobs) Declared() models.Declared { return j.now().declared }

func (j *fakeJobs) TestMigration(_ context.Context, cluster, source string) (models.MigrationSource, error) {
	return j.now().migration(cluster, source)
}

func (j *fakeJobs) Wake() { j.woken.Add(1) }
func (j *fakeJobs) SnapshotSource(_ context.Context, c models.Cluster) (models.SnapshotSource, error) {
	return j.now().source(c)
}
func (j *fakeJobs) OpenPart(_ context.Context, _ models.Snapshot, _ models.Part, plain bool) (io.ReadCloser, error) {
	return j.now().open(plain)
}
func (j *fakeJobs) DescribeStore(context.Context) (models.StoreInfo, error) {
	return models.StoreInfo{Free: 5 << 30, Capacity: 10 << 30, Facts: []models.StoreFact{{Name: "Versioning", Value: "on"}}}, nil
}
func (j *fakeJobs) StoreLocation() string            { return j.now().storeLocation() }
func (j *fakeJobs) CheckStore(context.Context) error { return j.now().checkStore() }
func (j *fakeJobs) StoreNotice() string              { return j.now().storeNotice }
func (j *fakeJobs) HostMemory(context.Context) (int64, int64, error) {
	available := j.now().available
	return 2 * available, available, nil
}
func (*fakeJobs) TryUser(context.Context, models.Cluster, models.AccessUser) error { return nil }
func (*fakeJobs) BucketURL(bucket, _ string) string                                { return "s3://" + bucket }

func (*fakeJobs) CannotTake(e models.Engine, s models.Snapshot, d models.Deadlines) string {
	return cannotTake(e, s, d)
}

// Contents and CompareContents say the same of every snapshot.
func (j *fakeJobs) Contents(context.Context, models.Snapshot) models.Contents {
	return j.now().contents
}

func (j *fakeJobs) CompareContents(context.Context, models.Snapshot, models.Snapshot) models.ContentsChange {
	return j.now().growth
}

func (*fakeJobs) JournalSeconds(context.Context, models.Cluster, models.RecoverySpan) ([]models.JournalWrites, error) {
	return []models.JournalWrites{{At: journalSecond, Writes: 12}}, nil
}

func (j *fakeJobs) FoundValue(context.Context, models.FoundKey, models.FindSnapshot) (models.FoundValue, error) {
	return j.now().value, j.now().noValue
}

func (j *fakeJobs) CompareKey(_ context.Context, key models.FoundKey, in models.FindSnapshot, cluster models.Cluster) (models.KeyComparison, error) {
	c := j.now().compared
	c.Name, c.Cluster, c.Then.From, c.Then.At = key.Name, cluster.Name, in.SnapshotName, in.TakenAt
	return c, j.now().noValue
}

func (*fakeJobs) Engines(context.Context) ([]models.Engine, error) { return installed, nil }

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

var (
	errOnPurpose    = errors.New("broken on purpose")
	routePattern    = regexp.MustCompile(`\b(open|user)\("(GET|POST) ([^"]+)"`)
	routeParameters = strings.NewReplacer("{$}", "", "{id}", "1", "{name}", "first", "{file}", "1.rdb")
)

type route struct{ method, address string }

// allRoutes reads routes.go, so that no route can be forgotten in a test.
func allRoutes(t *testing.T, kind string) []route {
	t.Helper()
	source, err := os.ReadFile("routes.go")
	if err != nil {
		t.Fatal(err)
	}
	var routes []route
	for _, m := range routePattern.FindAllStringSubmatch(string(source), -1) {
		if m[1] == kind {
			routes = append(routes, route{m[2], routeParameters.Replace(m[3])})
		}
	}
	if len(routes) < 4 {
		t.Fatalf("only %d routes found in routes.go", len(routes))
	}
	return routes
}

func (r route) String() string { return fmt.Sprintf("%s %s", r.method, r.address) }

func (j *fakeJobs) TestChannel(_ context.Context, channel models.Channel, _ string) (models.Delivery, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.test == nil {
		return models.Delivery{State: models.DeliveryDelivered, Answer: "200 OK"}, nil
	}
	return j.test(channel), nil
}
