package jobs_test

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jonboulle/clockwork"

	"rekindle/internal/store"
	"rekindle/internal/store/dir"
	"rekindle/internal/testkit"
	"rekindle/models"
)

const contentsDiskEnv = "REKINDLE_TEST_CONTENTS_DISK"

func TestAFullDiskCostsTheContentsBeforeTheSnapshot(t *testing.T) {
	t.Parallel()
	if os.Getenv(contentsDiskEnv) != "" {
		return
	}
	output, started, err := testkit.RunChild(t, "^TestInChildContentsWithoutRoom$", contentsDiskEnv+"=1", testkit.MountNamespace())
	if !started {
		t.Skipf("SKIPPED, NOT TESTED: no mount namespace is to be had here: %v", err)
	}
	testkit.SkipWithoutMounts(t, output)
	if err != nil || !strings.Contains(output, "--- PASS: TestInChildContentsWithoutRoom") {
		t.Errorf("%v\n%s", err, output)
	}
}

// filling is a store whose disk is filled right before what is in a snapshot is written, or right after, but for some bytes.
type filling struct {
	store.Store
	hog   string
	left  int64
	after bool
}

func (s *filling) Put(ctx context.Context, key string, r io.Reader) (store.Object, error) {
	if !strings.Contains(key, "/contents-") || s.hog == "" {
		return s.Store.Put(ctx, key, r)
	}
	if s.after {
		object, err := s.Store.Put(ctx, key, r)
		s.fill()
		return object, err
	}
	s.fill()
	return s.Store.Put(ctx, key, r)
}

// fill fills the disk. It fails when the disk is full, which is the purpose.
func (s *filling) fill() {
	file, err := os.Create(s.hog)
	if err != nil {
		return
	}
	defer func() { _ = file.Close() }()
	wrote, _ := io.CopyBuffer(struct{ io.Writer }{file}, zeros{}, make([]byte, 4096))
	_ = file.Truncate(max(0, wrote-s.left))
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { return len(p), nil }

func TestInChildContentsWithoutRoom(t *testing.T) {
	if os.Getenv(contentsDiskEnv) == "" {
		t.Skip("run by TestAFullDiskCostsTheContentsBeforeTheSnapshot")
	}
	data := t.TempDir()
	disk := t.TempDir()
	testkit.MountTmpfs(t, disk, "8m")
	hog := filepath.Join(disk, "hog")
	folder, err := dir.Open(filepath.Join(disk, "snapshots"))
	must(t, err)
	st := &filling{Store: folder}
	var log lines
	c := newConsoleWith(t, clockwork.NewRealClock(), data, st, func(c *console) { c.log = &log })
	fillTypes(t, c.primary(c.create(c.spec("orders", 0))[0]))
	in := func(name, pattern string) int {
		found, _ := filepath.Glob(filepath.Join(disk, "snapshots", "orders", name, pattern))
		return len(found)
	}
	for name, test := range map[string]struct {
		left  int64
		after bool
		whole bool
	}{
		"room-for-the-manifest-alone": {8 << 10, false, true},
		"full-after-the-contents":     {0, true, true},
		"full-before-the-contents":    {0, false, false},
	} {
		st.hog, st.left, st.after = hog, test.left, test.after
		s := c.snapshot("orders", name)
		must(t, os.Remove(hog))
		st.hog = ""
		if !test.whole {
			if s.Status != models.SnapshotFailed || !strings.Contains(s.StatusReason, "is full. Free some space there") {
				t.Errorf("%s: the snapshot is %s (%s)", name, s.Status, s.StatusReason)
			}
			testkit.WaitFor(t, "what was stored to be removed", func() bool { return in(name, "*") == 0 })
			continue
		}
		if s.Status != models.SnapshotAvailable || in(name, "contents-*") != 0 || in(name, "manifest.json") != 1 {
			t.Errorf("%s: the snapshot is %s (%s), with %d files", name, s.Status, s.StatusReason, in(name, "*"))
			continue
		}
		if got := c.contents(name); got.Unknown == "" || !got.Later {
			t.Errorf("%s has %+v", name, got)
		}
		if c.verify(name); c.contents(name).Unknown != "" || in(name, "contents-*") != 1 {
			t.Errorf("%s: verified, its contents are %q", name, c.contents(name).Unknown)
		}
	}
	if s := c.snapshot("orders", "with-room"); s.Status != models.SnapshotAvailable || in("with-room", "contents-*") != 1 {
		t.Errorf("afterwards, the snapshot is %s (%s)", s.Status, s.StatusReason)
	}
}
