package jobs_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"hash/crc64"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/jonboulle/clockwork"
	"github.com/klauspost/compress/zstd"

	"rekindle/internal/archive"
	"rekindle/internal/store"
	"rekindle/internal/store/dir"
	"rekindle/internal/testkit"
	"rekindle/models"
)

// awaitRun waits for a run's end.
func (c *console) awaitRun(run models.Run) models.Run {
	c.t.Helper()
	c.manager.Wake()
	c.waitFor(fmt.Sprintf("run %d (%s) to end", run.ID, run.Kind), func() bool {
		now, err := c.db.Runs.Get(c.t.Context(), run.ID)
		if err == nil {
			run = now
		}
		return err == nil && run.Status.Ended()
	}, func() string { return fmt.Sprint(run.Status, " ", run.Stage, " ", run.Error) })
	return run
}

// must is for requests that are in order.
func (c *console) must(run models.Run, err error) models.Run {
	c.t.Helper()
	if err != nil {
		c.t.Fatal(err)
	}
	return run
}

// restored restores a snapshot and returns the fingerprint of its data.
func (c *console) restored(snapshot, cluster string) string {
	c.t.Helper()
	spec := c.spec(cluster, 0)
	spec.Snapshot = snapshot
	return testkit.Fingerprint(c.t, c.primary(c.create(spec)[0]))
}

func (c *console) status(name string) models.SnapshotStatus {
	c.t.Helper()
	snapshot, err := c.db.Snapshots.Get(c.t.Context(), name)
	if err != nil {
		c.t.Fatal(err)
	}
	return snapshot.Status
}

// filesIn lists what is below a folder.
func filesIn(t *testing.T, root string) []string {
	t.Helper()
	var files []string
	err := filepath.WalkDir(root, func(path string, entry os.DirEntry, err error) error {
		if err == nil && !entry.IsDir() {
			files = append(files, strings.TrimPrefix(path, root+"/"))
		}
		return err
	})
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	return testkit.Undescribed(files)
}

// upload sends files as a browser would.
func (c *console) upload(cluster, name string, files ...[]byte) error {
	n := 0
	_, err := c.manager.Upload(c.t.Context(), models.ImportSpec{Cluster: cluster, Name: name, RequestedBy: "test"}, 0, func() (string, io.ReadCloser, error) {
		if n == len(files) {
			return "", nil, io.EOF
		}
		n++
		return fmt.Sprintf("dump-%d.rdb", n), io.NopCloser(bytes.NewReader(files[n-1])), nil
	})
	return err
}

func TestCopyExportAndImportBringTheSameDataBack(t *testing.T) {
	t.Parallel()
	c := newConsole(t, clockwork.NewRealClock())
	source := c.primary(c.create(c.spec("orders", 0))[0])
	testkit.Fill(t, source, 300)
	want := testkit.Fingerprint(t, source)
	c.snapshot("orders", "s1")
	other, out := t.TempDir(), t.TempDir()

	// Two at once.
	first := c.must(c.db.Copies.Copy(t.Context(), models.CopySpec{Snapshot: "s1", Name: "kept", RequestedBy: "test"}))
	if got := c.status("s1"); got != models.SnapshotCopying {
		t.Errorf("the source is %s while it is copied", got)
	}
	second := c.must(c.db.Copies.Export(t.Context(), models.ExportSpec{Snapshot: "s1", Name: "orders", Store: "dir:" + out, RequestedBy: "test"}))
	third := c.must(c.db.Copies.Copy(t.Context(), models.CopySpec{Snapshot: "s1", Name: "s1", Store: "dir:" + other, RequestedBy: "test"}))
	for _, run := range []models.Run{first, second, third} {
		if run = c.awaitRun(run); run.Status != models.RunSucceeded {
			t.Fatalf("the %s is %s: %s", run.Kind, run.Status, run.Error)
		}
	}
	if got := c.status("s1"); got != models.SnapshotAvailable {
		t.Errorf("the source is %s afterwards", got)
	}
	kept, err := c.db.Snapshots.Get(t.Context(), "kept")
	if err != nil || kept.Source != models.SourceManual || kept.Status != models.SnapshotAvailable || kept.Keys <= 0 || kept.Origin == "" {
		t.Errorf("the copy is %+v (%v)", kept, err)
	}
	if got := c.restored("kept", "from-copy"); got != want {
		t.Error("the copy brings other data back")
	}
	dump := filepath.Join(out, "orders-0001.rdb")
	if got := filesIn(t, out); !slices.Equal(got, []string{"orders-0001.rdb"}) {
		t.Errorf("exported were %v", got)
	}
	manifest, err := archive.New(openDir(t, other)).Manifest(t.Context(), archive.Ref{Cluster: "orders", Snapshot: "s1"})
	if err != nil {
		t.Fatal(err)
	}
	if err := archive.New(openDir(t, other)).VerifyPart(t.Context(), manifest.Ref(), manifest.Parts[0], nil); err != nil {
		t.Error(err)
	}

	// The way back: the exported file, the part of the other store, and an upload.
	for name, url := range map[string]string{"from-file": "dir:" + dump, "from-part": "dir:" + other + "/orders/s1/" + manifest.Parts[0].Object} {
		run := c.awaitRun(c.must(c.db.Copies.Import(t.Context(), models.ImportSpec{Cluster: "elsewhere", Name: name, Sources: []string{url}, RequestedBy: "test"})))
		if run.Status != models.RunSucceeded {
			t.Fatalf("the import %s is %s: %s", name, run.Status, run.Error)
		}
	}
	content, err := os.ReadFile(dump)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.upload("elsewhere", "uploaded", content); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"from-file", "from-part", "uploaded"} {
		snapshot, err := c.db.Snapshots.Get(t.Context(), name)
		if err != nil || snapshot.Engine == "" || snapshot.EngineVersion == "" || snapshot.NodeType == "" || snapshot.Keys <= 0 || snapshot.Source != models.SourceManual {
			t.Errorf("%s is %+v (%v)", name, snapshot, err)
		}
		if got := c.restored(name, "r-"+name); got != want {
			t.Errorf("%s brings other data back", name)
		}
	}

	// Nothing that is there is overwritten, and nothing of the attempt is left.
	again := c.awaitRun(c.must(c.db.Copies.Export(t.Context(), models.ExportSpec{Snapshot: "s1", Name: "orders", Store: "dir:" + out, RequestedBy: "test"})))
	if after, _ := os.ReadFile(dump); again.Status != models.RunFailed || !strings.Contains(again.Error, "already a file") || !bytes.Equal(after, content) {
		t.Errorf("exported over a file: %s, %q", again.Status, again.Error)
	}
	again = c.awaitRun(c.must(c.db.Copies.Copy(t.Context(), models.CopySpec{Snapshot: "s1", Name: "s1", Store: "dir:" + other, RequestedBy: "test"})))
	if again.Status != models.RunFailed || !strings.Contains(again.Error, "already something") || len(filesIn(t, other)) != 2 {
		t.Errorf("copied over a snapshot: %s, %q, %v", again.Status, again.Error, filesIn(t, other))
	}
	own := c.awaitRun(c.must(c.db.Copies.Export(t.Context(), models.ExportSpec{Snapshot: "s1", Name: "x", Store: c.store.Location(), RequestedBy: "test"})))
	if own.Status != models.RunFailed || !strings.Contains(own.Error, "own store") {
		t.Errorf("exported into the own store: %s, %q", own.Status, own.Error)
	}
	// Several shards become one snapshot, which is restored only where each key is in one of them.
	c.snapshot("orders", "s2")
	part, err := c.manager.OpenPart(t.Context(), mustSnapshot(c, "s2"), mustSnapshot(c, "s2").Parts[0], true)
	if err != nil {
		t.Fatal(err)
	}
	defer part.Close()
	shard2, err := io.ReadAll(part)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.upload("elsewhere", "two", content, shard2); err != nil {
		t.Fatal(err)
	}
	if two := mustSnapshot(c, "two"); two.ShardCount != 2 || len(two.Parts) != 2 {
		t.Errorf("two shards became %+v", two)
	}
	spec := c.spec("two", 0)
	spec.Snapshot = "two"
	if _, err := c.db.Clusters.Create(t.Context(), spec); err != nil {
		t.Fatal(err)
	}
	c.manager.Wake()
	if failed := c.await("two", models.ClusterRestoreFailed); !strings.Contains(failed.StatusReason, "unclear which to keep. The data has the key “") {
		t.Errorf("it failed because: %s", failed.StatusReason)
	}
	if err := c.upload("elsewhere", "twice", content, content); err == nil || !strings.Contains(err.Error(), "are the same") {
		t.Errorf("the same file twice: %v", err)
	}
}

func mustSnapshot(c *console, name string) models.Snapshot {
	c.t.Helper()
	snapshot, err := c.db.Snapshots.Get(c.t.Context(), name)
	if err != nil {
		c.t.Fatal(err)
	}
	return snapshot
}

func openDir(t *testing.T, path string) store.Store {
	t.Helper()
	st, err := dir.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	return st
}

// fakeRDB builds an RDB around what stands between its header and its end, with a right checksum.
func fakeRDB(header string, body ...byte) []byte {
	data := append(append([]byte(header), body...), 0xFF)
	table := crc64.MakeTable(0x95AC9329AC4BC9B5)
	sum := ^crc64.Update(^uint64(0), table, data)
	for i := range 8 {
		data = append(data, byte(sum>>(8*i)))
	}
	return data
}

func packed(data []byte) []byte {
	var out bytes.Buffer
	w, _ := zstd.NewWriter(&out)
	_, _ = w.Write(data)
	_ = w.Close()
	return out.Bytes()
}

// A key "k" with the string "v".
var oneKey = []byte{0xFE, 0x00, 0x00, 0x01, 'k', 0x01, 'v'}

func TestUploadThatBreaksOffLeavesNothing(t *testing.T) {
	t.Parallel()
	c, st := newTroubled(t)
	good := fakeRDB("REDIS0010", oneKey...)
	cut := func() (string, io.ReadCloser, error) {
		return "dump.rdb", io.NopCloser(io.MultiReader(bytes.NewReader(good[:12]), failing{errors.New("connection reset")})), nil
	}
	if _, err := c.manager.Upload(t.Context(), models.ImportSpec{Cluster: "a", Name: "cut"}, 0, cut); err == nil {
		t.Error("a cut upload was accepted")
	}
	st.mu.Lock()
	st.failure, st.reached = fmt.Errorf("write: %w", store.ErrFull), make(chan struct{})
	st.mu.Unlock()
	if err := c.upload("a", "full", good); err == nil || !strings.Contains(err.Error(), "full") {
		t.Errorf("the store was full: %v", err)
	}
	st.mu.Lock()
	st.failure = nil
	st.mu.Unlock()

	// The browser goes away, and somebody cancels.
	for name, end := range map[string]func(cancel context.CancelFunc){
		"gone": func(cancel context.CancelFunc) { cancel() },
		"cancelled": func(context.CancelFunc) {
			runs, err := c.db.Runs.Active(t.Context())
			if err != nil || len(runs) != 1 {
				t.Fatalf("%d runs are active (%v)", len(runs), err)
			}
			if err := c.db.Runs.Cancel(t.Context(), runs[0].ID); err != nil {
				t.Fatal(err)
			}
		},
	} {
		ctx, cancel := context.WithCancel(t.Context())
		begun, in := make(chan struct{}), newEndless(good[:12])
		ended := make(chan error, 1)
		go func() {
			_, err := c.manager.Upload(ctx, models.ImportSpec{Cluster: "a", Name: name}, 0, func() (string, io.ReadCloser, error) {
				close(begun)
				return "dump.rdb", in, nil
			})
			ended <- err
		}()
		<-begun
		end(cancel)
		if err := <-ended; err == nil {
			t.Errorf("%s: it was accepted", name)
		}
		cancel()
	}
	if files := c.stored(); len(files) != 0 {
		t.Errorf("the store has %v", files)
	}
	for _, name := range []string{"cut", "full", "gone", "cancelled"} {
		if _, err := c.db.Snapshots.Get(t.Context(), name); !models.HasCode(err, models.CodeSnapshotNotFound) {
			t.Errorf("%s left a row (%v)", name, err)
		}
	}
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

// endless gives its bytes and then nothing, until it is closed.
type endless struct {
	r      io.Reader
	closed chan struct{}
}

func newEndless(data []byte) *endless {
	return &endless{io.LimitReader(bytes.NewReader(data), int64(len(data))), make(chan struct{})}
}

func (e *endless) Read(p []byte) (int, error) {
	if n, _ := e.r.Read(p); n > 0 {
		return n, nil
	}
	<-e.closed
	return 0, errors.New("closed")
}

func (e *endless) Close() error {
	select {
	case <-e.closed:
	default:
		close(e.closed)
	}
	return nil
}

// An export that cannot be, or must not be, says so of its place, and makes nothing there.
func TestExportRefusesPlacesThatCannotBe(t *testing.T) {
	t.Parallel()
	c := newConsole(t, clockwork.NewRealClock())
	must(t, c.upload("elsewhere", "s1", fakeRDB("REDIS0010", oneKey...)))
	nodes, outside := filepath.Join(c.data, "nodes"), t.TempDir()
	must(t, os.MkdirAll(nodes, 0o700))
	must(t, os.Symlink(nodes, filepath.Join(outside, "link")))
	must(t, os.WriteFile(filepath.Join(outside, "file"), nil, 0o600))
	for place, want := range map[string]string{
		nodes:                                 "where the nodes keep their data",
		filepath.Join(nodes, "orders", "x"):   "where the nodes keep their data",
		filepath.Join(outside, "link"):        "where the nodes keep their data",
		filepath.Join(outside, "link", "a/b"): "where the nodes keep their data",
		"/proc":                               "No file can be created in dir:/proc",
		"/proc/exports":                       "the folder does not exist",
		filepath.Join(outside, "file", "x"):   "the folder does not exist",
	} {
		run := c.awaitRun(c.must(c.db.Copies.Export(t.Context(), models.ExportSpec{Snapshot: "s1", Name: "out", Store: "dir:" + place})))
		if run.Status != models.RunFailed || !strings.Contains(run.Error, want) {
			t.Errorf("%s: %s %q, want %q", place, run.Status, run.Error, want)
		}
		run = c.awaitRun(c.must(c.db.Copies.Copy(t.Context(), models.CopySpec{Snapshot: "s1", Name: "s2", Store: "dir:" + place})))
		if run.Status != models.RunFailed || !strings.Contains(run.Error, want) {
			t.Errorf("a copy to %s: %s %q, want %q", place, run.Status, run.Error, want)
		}
	}
	if left, err := os.ReadDir(nodes); err != nil || len(left) != 0 {
		t.Errorf("in the nodes' folder: %v, %v", left, err)
	}
}
