package elasticache

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/credentials"
	sdk "github.com/aws/aws-sdk-go-v2/service/elasticache"
	"github.com/jonboulle/clockwork"

	"rekindle/internal/secret"
	"rekindle/internal/testkit"
	"rekindle/models"
	"rekindle/models/catalog"
)

// The tests of this package drive the API with Amazon's own SDK over a real catalog. The test stands in for what would launch nodes, and
// settles runs as package jobs does. The API with real nodes is tested in cmd/rekindle.

const (
	testKey    = "AKIATESTOFTHEAPI"
	testSecret = "a-secret-of-the-tests"
	testRegion = "eu-central-1"
)

type bench struct {
	t     *testing.T
	db    *catalog.DB
	clock *clockwork.FakeClock // the catalog's
	wall  *clockwork.FakeClock // the clock that signatures are checked by; the SDK signs with the real one
	url   string
	jobs  *quietJobs
	log   *bytes.Buffer
}

type quietJobs struct {
	woken  atomic.Int64
	refuse func(models.Cluster, models.AccessUser) error // what an engine would
	tried  string                                        // the server that was tried last, for a migration
	wrong  error                                         // what is wrong with that
}

func (j *quietJobs) TryUser(_ context.Context, cluster models.Cluster, user models.AccessUser) error {
	if j.refuse == nil {
		return nil
	}
	return j.refuse(cluster, user)
}

func (j *quietJobs) TestMigration(_ context.Context, cluster, source string) (models.MigrationSource, error) {
	j.tried = cluster + " from " + source
	return models.MigrationSource{}, j.wrong
}

func (j *quietJobs) Wake() { j.woken.Add(1) }
func (*quietJobs) BucketURL(bucket, region string) string {
	return "s3://" + bucket + "?region=" + region
}

// host is where nodes would run.
type host struct {
	next   atomic.Int64
	single bool // it has one address
}

func (*host) Home() string { return "here" }

func (*host) Engines(context.Context) ([]models.Engine, error) {
	return []models.Engine{{Name: "memcached", Version: "1.6.18"}, {Name: "redis", Version: "7.0.15"}, {Name: "redis", Version: "6.0.16"}, {Name: "valkey", Version: "8.1.1"}}, nil
}
func (*host) Address() string   { return "127.0.0.1" }
func (*host) Announced() string { return "" }
func (*host) CannotTake(e models.Engine, s models.Snapshot, _ models.Deadlines) string {
	if e.Version != "6.0.16" || s.RDBVersion < 10 {
		return ""
	}
	return ", for a reason."
}
func (*host) FieldsExpire(models.Snapshot) bool { return false }
func (*host) Expired(models.Snapshot, time.Time) (least, most int64, known bool) {
	return 0, 0, false
}
func (h *host) FreeAddress(_ context.Context, port int, avoid func(string) bool) (string, error) {
	for i := range 250 {
		if address := fmt.Sprintf("127.0.0.%d", i+1); port != 7777 && !avoid(address) && !(h.single && i > 0) {
			return address, nil
		}
	}
	return "", nil
}
func (h *host) FreePort(context.Context, func(int) bool) (int, error) {
	return 16378 + int(h.next.Add(1)), nil
}

// catalogTemplate is an empty catalog that each test gets a copy of.
var catalogTemplate = testkit.NewTemplate(func(path string) error {
	db, err := catalog.Open(context.Background(), catalog.File(path), clockwork.NewRealClock(), nil)
	if err != nil {
		return err
	}
	return db.Close()
})

func newBench(t *testing.T) *bench {
	t.Helper()
	return newBenchOn(t, &host{})
}

func newBenchOn(t *testing.T, place *host) *bench {
	t.Helper()
	b := &bench{t: t, clock: clockwork.NewFakeClockAt(time.Now()), wall: clockwork.NewFakeClockAt(time.Now()), jobs: &quietJobs{}, log: &bytes.Buffer{}}
	path := filepath.Join(t.TempDir(), "rekindle.db")
	catalogTemplate.Copy(t, path)
	db, err := catalog.Open(t.Context(), catalog.File(path), b.clock, place)
	b.check(err)
	t.Cleanup(func() { _ = db.Close() })
	b.db = db
	b.check(db.Keys.Ensure(t.Context(), testKey, testSecret))
	server := httptest.NewServer(New(Config{DB: db, Jobs: b.jobs, Clock: b.wall, Logger: slog.New(slog.NewTextHandler(b.log, nil))}))
	t.Cleanup(server.Close)
	b.url = server.URL
	return b
}

func (b *bench) check(err error) {
	b.t.Helper()
	if err != nil {
		b.t.Fatal(err)
	}
}

func must[T any](value T, err error) func(*testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return value
	}
}

// client is Amazon's SDK, which signs with this key.
func (b *bench) client(keyID string, key secret.Text, change ...func(*sdk.Options)) *sdk.Client {
	options := sdk.Options{Region: testRegion, BaseEndpoint: aws.String(b.url), Credentials: credentials.NewStaticCredentialsProvider(keyID, key.Reveal(), ""), RetryMaxAttempts: 1}
	for _, f := range change {
		f(&options)
	}
	return sdk.New(options)
}

func (b *bench) admin() *sdk.Client { return b.client(testKey, testSecret) }

// settle settles every queued run, as package jobs would have done.
func (b *bench) settle() {
	b.t.Helper()
	ctx := b.t.Context()
	owner, err := b.db.Owners.Enroll(ctx, (&host{}).Home(), time.Minute)
	b.check(err)
	for {
		run, found, err := b.db.Runs.Claim(ctx, owner.ID, func(models.Run) bool { return true })
		b.check(err)
		if !found {
			return
		}
		switch run.Kind {
		case models.RunSnapshot:
			b.check(b.db.Settle.Snapshot(ctx, run, b.measured(run.SnapshotName)))
		case models.RunCopy:
			b.check(b.db.Settle.Move(ctx, run, b.measured(run.SnapshotName), ""))
		case models.RunDeleteSnapshot:
			b.check(b.db.Settle.SnapshotDeletion(ctx, run))
		case models.RunDelete:
			if run.SnapshotName != "" {
				b.check(b.db.Settle.Snapshot(ctx, run, b.measured(run.SnapshotName)))
			}
			b.check(b.db.Settle.ClusterDeletion(ctx, run))
		case models.RunMigrate:
			args := must(models.Args[models.MigrateArgs](run))(b.t)
			b.check(b.db.Migrations.Began(ctx, run, models.Migration{Source: args.Source, Address: "10.0.0.5:6379"}, "It follows."))
		case models.RunCompleteMigration:
			b.check(b.db.Migrations.Ended(ctx, run, "It is on its own."))
		case models.RunModify:
			args := must(models.Args[models.ModifyArgs](run))(b.t)
			cluster := must(b.db.Clusters.ByID(ctx, run.ClusterID))(b.t)
			for _, n := range cluster.Nodes {
				for _, name := range args.RemoveNodes {
					if n.Name == name {
						b.check(b.db.Nodes.Remove(ctx, n.ID))
					}
				}
			}
			b.check(b.db.Settle.Cluster(ctx, run, "The cluster "+run.ClusterName+" was modified."))
		default:
			b.check(b.db.Settle.Cluster(ctx, run, "The cluster "+run.ClusterName+" is available."))
		}
	}
}

func (b *bench) measured(name string) models.Snapshot {
	at := b.clock.Now().UTC()
	return models.Snapshot{Name: name, RDBVersion: 10, Bytes: 3 << 20, Stored: 1 << 20, Keys: 10, UsedMemory: 5 << 20, StartedAt: &at, ServedBy: "orders-002",
		Parts: []models.Part{{Number: 1, Object: "part-0001.rdb.zst", Bytes: 3 << 20, Stored: 1 << 20, Keys: 10, StartedAt: at, CompletedAt: at}}}
}

// launch makes a cluster that is available.
func (b *bench) launch(spec models.ClusterSpec) {
	b.t.Helper()
	if spec.Engine.Name == "" {
		spec.Engine = models.Engine{Name: "redis", Version: "7.0.15"}
	}
	if spec.NodeType == "" {
		spec.NodeType = "cache.t4g.small"
	}
	must(b.db.Clusters.Create(b.t.Context(), spec))(b.t)
	b.settle()
}

// see notes that every node of a cluster answers, as the supervisor does.
func (b *bench) see(cluster string) {
	b.t.Helper()
	now := b.db.Now()
	for _, n := range must(b.db.Clusters.Get(b.t.Context(), cluster))(b.t).Nodes {
		n.State, n.SeenAt = "available", &now
		b.check(b.db.Nodes.Seen(b.t.Context(), n))
	}
}

// send posts a form that is signed by hand, after change has edited the request, and returns the answer.
func (b *bench) send(form url.Values, change ...func(*http.Request)) (int, string) {
	b.t.Helper()
	return b.deliver(b.sign(form, serviceCache, testKey, testSecret, change...))
}

// sign makes a request and signs it after it was changed.
func (b *bench) sign(form url.Values, service, keyID, key string, change ...func(*http.Request)) *http.Request {
	b.t.Helper()
	if form.Get("Version") == "" {
		form.Set("Version", version)
	}
	body := form.Encode()
	r := must(http.NewRequestWithContext(b.t.Context(), http.MethodPost, b.url+"/", strings.NewReader(body)))(b.t)
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded; charset=utf-8")
	for _, f := range change {
		f(r)
	}
	sum := sha256.Sum256([]byte(body))
	b.check(v4.NewSigner().SignHTTP(b.t.Context(), aws.Credentials{AccessKeyID: keyID, SecretAccessKey: key}, r, hex.EncodeToString(sum[:]), service, testRegion, b.wall.Now()))
	return r
}

func (b *bench) deliver(r *http.Request) (int, string) {
	b.t.Helper()
	response := must(http.DefaultClient.Do(r))(b.t)
	defer response.Body.Close()
	text := must(io.ReadAll(response.Body))(b.t)
	if response.Header.Get("X-Amzn-Requestid") == "" || response.Header.Get("Content-Type") != "text/xml" {
		b.t.Errorf("the headers of the answer: %v", response.Header)
	}
	return response.StatusCode, string(text)
}

func form(action string, pairs ...string) url.Values {
	f := url.Values{"Action": {action}}
	for i := 0; i < len(pairs); i += 2 {
		f.Set(pairs[i], pairs[i+1])
	}
	return f
}

// code is the code of an error in an answer.
func code(body string) string {
	_, rest, _ := strings.Cut(body, "<Code>")
	text, _, _ := strings.Cut(rest, "</Code>")
	return text
}

func ids[T any](all []T, id func(T) *string) string {
	var names []string
	for _, one := range all {
		names = append(names, aws.ToString(id(one)))
	}
	return fmt.Sprint(names)
}
