package jobs_test

import (
	"context"
	"io"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/jonboulle/clockwork"

	"rekindle/internal/archive"
	"rekindle/internal/store"
	"rekindle/internal/store/dir"
	"rekindle/internal/store/s3"
	"rekindle/internal/testkit"
	"rekindle/models"
	"rekindle/models/catalog"
)

// paused is a store whose parts stop being read in their middle, when the test wants.
type paused struct {
	store.Store
	mu            sync.Mutex
	reached, goOn chan struct{}
}

func (s *paused) Open(ctx context.Context, key string) (io.ReadCloser, error) {
	r, err := s.Store.Open(ctx, key)
	s.mu.Lock()
	defer s.mu.Unlock()
	if err != nil || s.reached == nil || !strings.HasSuffix(key, ".zst") {
		return r, err
	}
	reached, goOn := s.reached, s.goOn
	s.reached = nil
	return &pausedReader{ReadCloser: r, left: 16 << 20, reached: reached, goOn: goOn}, nil
}

type pausedReader struct {
	io.ReadCloser
	left          int
	reached, goOn chan struct{}
}

func (r *pausedReader) Read(p []byte) (int, error) {
	if r.left <= 0 && r.reached != nil {
		close(r.reached)
		r.reached = nil
		<-r.goOn
	}
	n, err := r.ReadCloser.Read(p)
	r.left -= n
	return n, err
}

// exporting is a console with a snapshot s1 of some size, and a bucket "exports" beside it.
func exporting(t *testing.T, clock clockwork.Clock, megabytes int) (*console, *paused, *testkit.S3Server) {
	t.Helper()
	server := testkit.S3(t)
	server.Bucket("exports")
	data := t.TempDir()
	folder, err := dir.Open(data + "/snapshots")
	must(t, err)
	st := &paused{Store: folder}
	c := newConsoleWith(t, clock, data, st)
	c.stop()
	c.open = func(ctx context.Context, url string) (store.Store, error) {
		config, err := s3.ParseURL(url)
		if err != nil {
			return nil, err
		}
		config.Credentials, config.Patience = server.Credentials(), 5*time.Second // a busy machine takes a while to answer
		return s3.Open(ctx, config)
	}
	c.start()
	fillBig(t, c.primary(c.create(c.spec("orders", 0))[0]), megabytes)
	c.snapshot("orders", "s1")
	return c, st, server
}

func inBucket(server *testkit.S3Server, folder string) string {
	return "s3://exports/" + folder + "?region=" + testkit.S3Region + "&path_style=true&endpoint=" + server.Endpoint
}

// move asks for an export or a copy of s1 into the bucket.
func (c *console) move(kind models.RunKind, server *testkit.S3Server) models.Run {
	c.t.Helper()
	if kind == models.RunExport {
		return c.must(c.db.Copies.Export(c.t.Context(), models.ExportSpec{Snapshot: "s1", Name: "orders", Store: inBucket(server, "daily")}))
	}
	return c.must(c.db.Copies.Copy(c.t.Context(), models.CopySpec{Snapshot: "s1", Name: "s1", Store: inBucket(server, "archive")}))
}

// awaitMiddle waits until a run has come to the point that closes reached. One that ends before never will.
func (c *console) awaitMiddle(run models.Run, reached <-chan struct{}) {
	c.t.Helper()
	testkit.WaitFor(c.t, "the middle of the run", func() bool {
		select {
		case <-reached:
			return true
		default:
		}
		now, err := c.db.Runs.Get(c.t.Context(), run.ID)
		if err == nil && now.Status.Ended() {
			c.t.Fatalf("the run has %s before its middle: %s", now.Status, now.Error)
		}
		return false
	})
}

var movedObjects = map[models.RunKind][]string{
	models.RunExport: {"daily/orders-0001.rdb"},
	models.RunCopy:   {"archive/orders/s1/manifest.json", "archive/orders/s1/part-0001.rdb.zst"},
}

// The bucket goes away in the middle of an upload: what is open there is written down, and taken back as soon as it can be.
func TestUploadIntoABucketThatGoesAwayIsTakenBackLater(t *testing.T) {
	t.Parallel()
	for _, kind := range []models.RunKind{models.RunExport, models.RunCopy} {
		for _, later := range []string{"at the next sweep", "by the next run", "never"} {
			t.Run(string(kind)+" "+later, func(t *testing.T) {
				t.Parallel()
				clock := clockwork.NewFakeClockAt(noon)
				c, st, server := exporting(t, clock, 40)
				reached, goOn := make(chan struct{}), make(chan struct{})
				st.mu.Lock()
				st.reached, st.goOn = reached, goOn
				st.mu.Unlock()
				run := c.move(kind, server)
				c.manager.Wake()
				c.awaitMiddle(run, reached)
				testkit.WaitFor(t, "the upload to be open", func() bool { return len(server.OpenUploads("exports", "")) == 1 })
				server.Kill()
				close(goOn)
				where := map[models.RunKind]string{models.RunExport: "s3://exports/daily", models.RunCopy: "s3://exports/archive"}[kind]
				if run = c.awaitRun(run); run.Status != models.RunFailed || !strings.HasPrefix(run.Error, where+" does not answer.") {
					t.Errorf("it is %s: %s", run.Status, run.Error)
				}
				left := map[models.RunKind]string{models.RunExport: "orders-0001.rdb", models.RunCopy: "orders/s1 at the attempt [0-9a-f]{16}"}[kind]
				said := regexp.MustCompile("had written to " + where + " could not be removed: " + left + `\. It is tried again every hour for 7 days\.`)
				if events := c.events(); !said.MatchString(events) {
					t.Errorf("events:\n%s", events)
				}
				if later == "never" {
					clock.Advance(8 * 24 * time.Hour)
					testkit.WaitFor(t, "it to be given up", func() bool {
						return regexp.MustCompile("in 7 days, and is no longer looked for: " + left).MatchString(c.events())
					})
					return
				}
				server.Start()
				if open := server.OpenUploads("exports", ""); len(open) != 1 {
					t.Fatalf("open uploads: %v; the test means nothing", open)
				}
				want := []string(nil)
				if later == "by the next run" {
					if again := c.awaitRun(c.move(kind, server)); again.Status != models.RunSucceeded {
						t.Errorf("the next one is %s: %s", again.Status, again.Error)
					}
					want = movedObjects[kind]
				}
				c.stop()
				c.start()
				testkit.WaitFor(t, "nothing to be left", func() bool {
					all, err := c.db.Remains.All(t.Context())
					return err == nil && len(all) == 0
				})
				if !strings.Contains(c.events(), "had left in "+where+" is gone.") {
					t.Errorf("events:\n%s", c.events())
				}
				objects := testkit.Undescribed(server.Objects("exports", ""))
				slices.Sort(objects)
				if open := server.OpenUploads("exports", ""); len(open) != 0 || !slices.Equal(anyAttempt(objects), want) {
					t.Errorf("open uploads: %v; the bucket has %v", open, objects)
				}
			})
		}
	}
}

// What a killed console has sent of an object is thrown away when its run is begun again, and nothing of anybody else's.
func TestRunThatIsBegunAgainAbandonsItsUploads(t *testing.T) {
	t.Parallel()
	for name, test := range map[models.RunKind]struct{ noted, upload, foreign string }{
		models.RunExport: {"orders-0001.rdb", "daily/orders-0001.rdb", "daily/orders-0001.rdb.other"},
		models.RunCopy: {"orders/s1 at the attempt 0123456789abcdef", "archive/orders/s1/part-0001-0123456789abcdef.rdb.zst",
			"archive/orders/s1/part-0001-0123456789abcdee.rdb.zst"},
		"copy from before there were attempts": {"orders/s1", "archive/orders/s1/part-0001.rdb.zst", "archive/orders/s2/part-0001.rdb.zst"},
	} {
		t.Run(string(name), func(t *testing.T) {
			t.Parallel()
			kind := name
			if kind != models.RunExport {
				kind = models.RunCopy
			}
			c, _, server := exporting(t, clockwork.NewRealClock(), 1)
			c.stop()
			k := &killed{console: c}
			run := k.begin(c.move(kind, server), nil)
			k.note(run, test.noted)
			for _, key := range []string{test.upload, test.foreign} {
				_, err := server.Client().CreateMultipartUpload(t.Context(), &sdk.CreateMultipartUploadInput{Bucket: aws.String("exports"), Key: aws.String(key)})
				must(t, err)
			}
			c.start()
			if run = c.awaitRun(run); run.Status != models.RunSucceeded {
				t.Errorf("it is %s: %s", run.Status, run.Error)
			}
			objects := testkit.Undescribed(server.Objects("exports", ""))
			slices.Sort(objects)
			if open := server.OpenUploads("exports", ""); len(open) != 1 || !strings.Contains(open[0], test.foreign) || !slices.Equal(anyAttempt(objects), movedObjects[kind]) {
				t.Errorf("open uploads: %v; the bucket has %v", open, objects)
			}
		})
	}
}

// abandoning is a store that notes which uploads are abandoned.
type abandoning struct {
	*troubled
	mu   sync.Mutex
	keys []string
}

func (s *abandoning) Abandon(_ context.Context, keys ...string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.keys = append(s.keys, keys...)
	return nil
}

// What was sent of a snapshot that fails is abandoned with its objects.
func TestFailedSnapshotAbandonsItsUploads(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	folder, err := dir.Open(data + "/snapshots")
	must(t, err)
	st := &abandoning{troubled: &troubled{Store: folder}}
	c := newConsoleWith(t, clockwork.NewRealClock(), data, st)
	c.create(c.spec("orders", 0))
	st.troubled.mu.Lock()
	st.failure, st.reached = store.ErrUnavailable, make(chan struct{})
	st.troubled.mu.Unlock()
	if s := c.snapshot("orders", "s1"); s.Status != models.SnapshotFailed {
		t.Fatalf("it is %s", s.Status)
	}
	run, found, err := c.db.Runs.Last(t.Context(), "orders", models.RunSnapshot, time.Time{})
	if err != nil || !found {
		t.Fatal(found, err)
	}
	c.ended(run.ID)
	st.mu.Lock()
	defer st.mu.Unlock()
	count := 0
	for _, key := range st.keys {
		if strings.HasPrefix(key, "orders/s1/part-0001-") {
			count++
		}
	}
	if count != 1 {
		t.Errorf("abandoned: %v", st.keys)
	}
}

// stubborn is a store that removes nothing while it is away.
type stubborn struct {
	store.Store
	away  atomic.Bool
	tried atomic.Int32
}

func (s *stubborn) Sweep(ctx context.Context, olderThan time.Time) (int, error) {
	s.tried.Add(1)
	if s.away.Load() {
		return 0, store.ErrUnavailable
	}
	return s.Store.Sweep(ctx, olderThan)
}

// What was left is known by its names, so it is taken back whatever the clock says. That it is given up is for its age, and waits.
func TestRemainsAreNotGivenUpWhileTheClockIsInDoubt(t *testing.T) {
	t.Parallel()
	c := newConsole(t, clockwork.NewFakeClockAt(noon))
	k := &killed{console: c}
	testkit.Fill(t, c.primary(c.create(c.spec("orders", 0))[0]), 50)
	c.snapshot("orders", "s1")
	c.stop()
	root := t.TempDir()
	other := &stubborn{Store: openDir(t, root)}
	other.away.Store(true)
	c.open = func(context.Context, string) (store.Store, error) { return other, nil }

	ref := archive.Ref{Cluster: "orders", Snapshot: "new"}
	at := archive.NewAttempt(ref)
	manifest, err := archive.New(c.store).Manifest(t.Context(), archive.Ref{Cluster: "orders", Snapshot: "s1"})
	must(t, err)
	for range 2 { // one is taken back, the other one given up
		run := k.begin(k.db.Copies.Copy(t.Context(), models.CopySpec{Snapshot: "s1", Name: "new", Store: "dir:" + root}))
		k.note(run, "orders/new at the attempt "+at.ID)
		must(t, c.db.Settle.Fail(t.Context(), run, models.RunFailed, "the store went away"))
		must(t, c.db.Remains.Note(t.Context(), run, nil, "left"))
	}
	copied := manifest
	copied.Snapshot = ref.Snapshot
	copied = copied.In(at)
	k.put(other.Store, ref.String()+"/"+copied.Parts[0].Object, make([]byte, copied.Parts[0].StoredBytes))

	must(t, c.db.Close())
	clock := clockwork.NewFakeClockAt(noon.Add(8 * 24 * time.Hour))
	c.clock = clock
	c.db, err = catalog.Open(t.Context(), catalog.File(filepath.Join(c.data, "rekindle.db")), clock, c.host)
	must(t, err)
	c.start()
	left := func() int {
		t.Helper()
		all, err := c.db.Remains.All(t.Context())
		must(t, err)
		return len(all)
	}
	before := other.tried.Load()
	c.manager.TakeBack(t.Context())
	if c.db.Clock.Doubt() == nil || other.tried.Load() < before+2 {
		t.Fatalf("the doubt is %v, and it was tried %d times; the test means nothing", c.db.Clock.Doubt(), other.tried.Load()-before)
	}
	if left() != 2 || strings.Contains(c.events(), "no longer looked for") {
		t.Errorf("%d of 2 are remembered; events:\n%s", left(), c.events())
	}
	other.away.Store(false)
	all, err := c.db.Remains.All(t.Context())
	must(t, err)
	c.manager.TakeBack(t.Context())
	for object, err := range other.List(t.Context(), "") {
		t.Errorf("%s is still there (%v)", object.Key, err)
	}
	if left() != 0 || c.db.Clock.Doubt() == nil {
		t.Errorf("%d are remembered; the doubt is %v", left(), c.db.Clock.Doubt())
	}

	run, err := c.db.Runs.Get(t.Context(), all[0].Run)
	must(t, err)
	other.away.Store(true)
	must(t, c.db.Remains.Note(t.Context(), run, nil, "left"))
	clock.Advance(8 * 24 * time.Hour)
	must(t, c.db.Clock.Confirm(t.Context(), "admin"))
	c.manager.TakeBack(t.Context())
	if left() != 0 || !strings.Contains(c.events(), "no longer looked for") {
		t.Errorf("%d are remembered; events:\n%s", left(), c.events())
	}
}
