package dir_test

import (
	"errors"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"rekindle/internal/store"
	"rekindle/internal/store/dir"
	"rekindle/internal/testkit"
)

// A full disk and a read-only one need a mount of their own. The test binary runs itself in a new mount namespace (as root), or in new user and mount
// namespaces (as anyone, if the kernel allows it): nothing outside sees the mounts, and they go with the process. If neither is allowed, a file-size
// limit and a folder without the write bit take their place, which have the same effect on anyone but root.
const (
	childEnv   = "REKINDLE_DIR_TEST_CHILD"
	byMount    = "mount"
	byLimit    = "limit"
	childTests = "^TestInChild"
)

func TestFullAndReadOnlyDisk(t *testing.T) {
	t.Parallel()
	if os.Getenv(childEnv) != "" {
		return
	}
	output, started, err := testkit.RunChild(t, childTests, childEnv+"="+byMount, testkit.MountNamespace())
	if !started {
		if os.Getuid() == 0 {
			t.Skipf("SKIPPED, NOT TESTED: full and read-only disk. Root here may not make a mount namespace: %v", err)
		}
		t.Logf("no namespaces here (%v): by file-size limit and mode bits instead", err)
		output, _, err = testkit.RunChild(t, childTests, childEnv+"="+byLimit, nil)
	}
	testkit.SkipWithoutMounts(t, output)
	if err != nil || !strings.Contains(output, "--- PASS: TestInChildFull") || !strings.Contains(output, "--- PASS: TestInChildReadOnly") {
		t.Errorf("%v\n%s", err, output)
	}
}

func TestInChildFull(t *testing.T) {
	how := os.Getenv(childEnv)
	if how == "" {
		t.Skip("run by TestFullAndReadOnlyDisk")
	}
	folder := t.TempDir()
	if how == byMount {
		testkit.MountTmpfs(t, folder, "1m")
	} else {
		signal.Ignore(syscall.SIGXFSZ)
		var old syscall.Rlimit
		if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &old); err != nil {
			t.Fatal(err)
		}
		if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: 1 << 20, Max: old.Max}); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = syscall.Setrlimit(syscall.RLIMIT_FSIZE, &old) })
	}
	s := open(t, folder)
	if _, err := s.Put(t.Context(), "kept/small", strings.NewReader("fits")); err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{"new/big", "kept/small"} {
		_, err := s.Put(t.Context(), key, io.LimitReader(zeros{}, 4<<20))
		if !errors.Is(err, store.ErrFull) || !strings.Contains(err.Error(), "free space") {
			t.Errorf("Put(%q) on a full disk = %v, want ErrFull", key, err)
		}
	}
	checkUntouched(t, s)
	if err := s.Check(t.Context()); err != nil {
		t.Errorf("Check after the failed puts gave their space back: %v", err)
	}
	if how != byMount {
		return
	}
	if err := os.WriteFile(filepath.Join(folder, "hog"), make([]byte, 2<<20), 0o600); err == nil {
		t.Fatal("the disk did not get full")
	}
	if err := s.Check(t.Context()); !errors.Is(err, store.ErrFull) {
		t.Errorf("Check on a full disk = %v, want ErrFull", err)
	}
	if err := s.Delete(t.Context(), "kept/small"); err != nil {
		t.Errorf("Delete on a full disk: %v", err)
	}
}

func TestInChildReadOnly(t *testing.T) {
	how := os.Getenv(childEnv)
	if how == "" {
		t.Skip("run by TestFullAndReadOnlyDisk")
	}
	folder := t.TempDir()
	if how == byMount {
		testkit.MountTmpfs(t, folder, "1m")
	}
	s := open(t, folder)
	if _, err := s.Put(t.Context(), "kept/small", strings.NewReader("fits")); err != nil {
		t.Fatal(err)
	}
	if how == byMount {
		if err := syscall.Mount("", folder, "", syscall.MS_REMOUNT|syscall.MS_RDONLY, ""); err != nil {
			t.Fatalf("remount: %v", err)
		}
	} else {
		for _, path := range []string{folder, filepath.Join(folder, ".tmp"), filepath.Join(folder, "kept")} {
			if err := os.Chmod(path, 0o500); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = os.Chmod(path, 0o700) })
		}
	}
	again := open(t, folder) // a console that starts on it
	for _, s := range []*dir.Store{s, again} {
		_, putErr := s.Put(t.Context(), "new/key", strings.NewReader("x"))
		for name, err := range map[string]error{"Put": putErr, "Delete": s.Delete(t.Context(), "kept/small"), "Check": s.Check(t.Context())} {
			if !errors.Is(err, store.ErrDenied) || !strings.Contains(err.Error(), "read-only") {
				t.Errorf("%s on a read-only disk = %v, want ErrDenied", name, err)
			}
		}
		checkUntouched(t, s)
	}
	if s, err := dir.Open(filepath.Join(folder, "below")); !errors.Is(err, store.ErrDenied) {
		t.Errorf("Open of a folder that cannot be made = %v, %v; want ErrDenied", s, err)
	}
}

// checkUntouched fails unless the store holds exactly what was there before.
func checkUntouched(t *testing.T, s *dir.Store) {
	t.Helper()
	found := 0
	for object, err := range s.List(t.Context(), "") {
		found++
		if err != nil || object.Key != "kept/small" || object.Size != 4 {
			t.Errorf("List yields %+v, %v", object, err)
		}
	}
	if found != 1 {
		t.Errorf("%d objects, want the one from before", found)
	}
	entries, err := os.ReadDir(filepath.Join(folderOf(s), ".tmp"))
	if err != nil || len(entries) != 0 {
		t.Errorf("in .tmp: %v, %v", entries, err)
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }
