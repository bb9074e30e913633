package dir_test

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"rekindle/internal/store"
	"rekindle/internal/store/dir"
	"rekindle/internal/store/storetest"
)

func open(t *testing.T, path string) *dir.Store {
	t.Helper()
	s, err := dir.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func TestStore(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t *testing.T) store.Store { return open(t, t.TempDir()) },
		storetest.WithRemains(func(t *testing.T, s store.Store) { leaveRemains(t, folderOf(s)) }),
		storetest.WithProbe(func(t *testing.T, s store.Store) { leaveRemains(t, folderOf(s)) })) // it writes a temporary file as well
}

// Some file systems do not support hard links (exFAT, FAT), and some in user space no rename that replaces nothing either.
func TestCreateWhereTheFileSystemKnowsLess(t *testing.T) {
	t.Parallel()
	for name, way := range map[string]int{"by rename": dir.ByRename, "by lock": dir.ByLock} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			storetest.RunCreates(t, func(t *testing.T) store.Store {
				s := open(t, t.TempDir())
				s.ClaimFrom(way)
				if got, want := s.Exclusive(t.Context()), way != dir.ByLock; got != want {
					t.Errorf("Exclusive = %v, want %v", got, want)
				}
				return s
			})
		})
	}
}

func TestCreatesOfTwoConsolesInOneFolder(t *testing.T) {
	t.Parallel()
	for _, way := range []int{dir.ByLink, dir.ByRename, dir.ByLock} {
		folder := t.TempDir()
		var won, lost atomic.Int64
		var wait sync.WaitGroup
		for range 8 {
			s := open(t, folder)
			s.ClaimFrom(way)
			wait.Go(func() {
				for i := range 20 {
					switch _, err := s.Create(t.Context(), fmt.Sprintf("a/%d", i), strings.NewReader("x")); {
					case err == nil:
						won.Add(1)
					case errors.Is(err, store.ErrExist):
						lost.Add(1)
					default:
						t.Error(err)
					}
				}
			})
		}
		wait.Wait()
		if won.Load() != 20 || lost.Load() != 7*20 {
			t.Errorf("way %d: %d Creates of 20 keys won, %d lost", way, won.Load(), lost.Load())
		}
	}
}

func TestCreateWhereAFolderIs(t *testing.T) {
	t.Parallel()
	s := open(t, t.TempDir())
	for _, key := range []string{"a/b", "a/b/c", "a"} {
		_, err := s.Create(t.Context(), key, strings.NewReader("x"))
		if want := key != "a/b"; errors.Is(err, store.ErrKey) != want || errors.Is(err, store.ErrExist) {
			t.Errorf("Create(%q) = %v", key, err)
		}
	}
}

func folderOf(s store.Store) string { return strings.TrimPrefix(s.Location(), "dir:") }

// leaveRemains leaves what a killed console leaves: a temporary file that nobody holds.
func leaveRemains(t *testing.T, folder string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Join(folder, ".tmp"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(folder, ".tmp", "LEFTOVER"), []byte("half a par"), 0o600); err != nil {
		t.Fatal(err)
	}
}

// tree is every path below a folder but .tmp itself.
func tree(t *testing.T, folder string) []string {
	t.Helper()
	paths := []string{}
	err := filepath.WalkDir(folder, func(path string, _ fs.DirEntry, err error) error {
		if rel, _ := filepath.Rel(folder, path); rel != "." && rel != ".tmp" {
			paths = append(paths, rel)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return paths
}

func TestOpenMakesTheFolderForOneUserOnly(t *testing.T) {
	t.Parallel()
	folder := filepath.Join(t.TempDir(), "new", "store")
	s := open(t, folder)
	if _, err := s.Put(t.Context(), "a/b", strings.NewReader("x")); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]fs.FileMode{"": 0o700, "a": 0o700, "a/b": 0o600, ".tmp": 0o700} {
		info, err := os.Stat(filepath.Join(folder, path))
		if err != nil || info.Mode().Perm() != want {
			t.Errorf("%q has mode %v, %v; want %v", path, info.Mode().Perm(), err, want)
		}
	}
	if got := s.Location(); got != "dir:"+folder {
		t.Errorf("Location() = %q", got)
	}
}

func TestOpenOfAFileFails(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if s, err := dir.Open(file); err == nil {
		_ = s.Close()
		t.Error("a file was opened as a store")
	}
}

func TestDeletePrunesEmptyFoldersOnly(t *testing.T) {
	t.Parallel()
	s := open(t, t.TempDir())
	for _, key := range []string{"a/b/c/1", "a/b/2"} {
		if _, err := s.Put(t.Context(), key, strings.NewReader("x")); err != nil {
			t.Fatal(err)
		}
	}
	for _, step := range []struct {
		key  string
		left []string
	}{{"a/b/c/1", []string{"a", "a/b", "a/b/2"}}, {"a/b/2", []string{}}} {
		if err := s.Delete(t.Context(), step.key); err != nil {
			t.Fatal(err)
		}
		if got := tree(t, folderOf(s)); !slices.Equal(got, step.left) {
			t.Errorf("after Delete(%q): %q, want %q", step.key, got, step.left)
		}
	}
}

func TestFailedPutLeavesNoFolder(t *testing.T) {
	t.Parallel()
	s := open(t, t.TempDir())
	if _, err := s.Put(t.Context(), "a/b", failingReader{}); err == nil {
		t.Fatal("no error")
	}
	if got := tree(t, folderOf(s)); len(got) != 0 {
		t.Errorf("left: %q", got)
	}
}

type failingReader struct{}

func (failingReader) Read([]byte) (int, error) { return 0, errors.New("broken") }

func TestSymbolicLinksDoNotLeadOut(t *testing.T) {
	t.Parallel()
	outside := t.TempDir()
	if err := os.WriteFile(filepath.Join(outside, "secret"), []byte("secret"), 0o600); err != nil {
		t.Fatal(err)
	}
	s := open(t, t.TempDir())
	if err := os.Symlink(outside, filepath.Join(folderOf(s), "link")); err != nil {
		t.Fatal(err)
	}
	if r, err := s.Open(t.Context(), "link/secret"); err == nil {
		_ = r.Close()
		t.Error("a file outside was opened")
	}
	if _, err := s.Put(t.Context(), "link/new", strings.NewReader("x")); err == nil {
		t.Error("a file outside was written")
	}
	if err := s.Delete(t.Context(), "link/secret"); err == nil {
		t.Error("Delete through a link said nothing")
	}
	if got := tree(t, outside); !slices.Equal(got, []string{"secret"}) {
		t.Errorf("outside there is now %q", got)
	}
	for object, err := range s.List(t.Context(), "") {
		t.Errorf("List yields %+v, %v", object, err)
	}
}

func TestKeyBelowAnObjectIsRefused(t *testing.T) {
	t.Parallel()
	s := open(t, t.TempDir())
	if _, err := s.Put(t.Context(), "a/b", strings.NewReader("x")); err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{"a/b/c", "a"} {
		if _, err := s.Put(t.Context(), key, strings.NewReader("x")); !errors.Is(err, store.ErrKey) {
			t.Errorf("Put(%q) beside a/b = %v, want ErrKey", key, err)
		}
	}
	if got := tree(t, folderOf(s)); !slices.Equal(got, []string{"a", "a/b"}) {
		t.Errorf("left: %q", got)
	}
}

func TestSweepSparesAPutUnderWayWhateverItsAge(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	s, other := open(t, folder), open(t, folder) // the other one stands for another process: flock is per open file
	leaveRemains(t, folder)
	_, err := s.Put(t.Context(), "key", sweepReader(func() {
		if n, err := other.Sweep(t.Context(), time.Now().Add(time.Hour)); n != 1 || err != nil {
			t.Errorf("Sweep = %d, %v; want just the dead remain", n, err)
		}
	}))
	if err != nil {
		t.Errorf("Put beside Sweep: %v", err)
	}
}

type sweepReader func()

func (f sweepReader) Read([]byte) (int, error) { f(); return 0, io.EOF }

func TestRemovedFolderIsNamed(t *testing.T) {
	t.Parallel()
	s := open(t, filepath.Join(t.TempDir(), "store"))
	if err := os.RemoveAll(folderOf(s)); err != nil {
		t.Fatal(err)
	}
	if err := s.Check(t.Context()); err == nil || !strings.Contains(err.Error(), "removed or unmounted") {
		t.Errorf("Check = %v", err)
	}
	if _, err := s.Put(t.Context(), "a", strings.NewReader("x")); err == nil || !strings.Contains(err.Error(), "removed or unmounted") {
		t.Errorf("Put = %v", err)
	}
}

func TestDescribeTellsTheFreeSpace(t *testing.T) {
	t.Parallel()
	d, err := open(t, t.TempDir()).Describe(t.Context())
	if err != nil || d.Free <= 0 || d.Capacity < d.Free || d.Versioning != "" {
		t.Errorf("Describe = %+v, %v", d, err)
	}
}

// A symbolic link to the store is the store.
func TestPlaceIsWithoutSymbolicLinks(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	if err := os.Mkdir(filepath.Join(folder, "real"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("real", filepath.Join(folder, "link")); err != nil {
		t.Fatal(err)
	}
	places := map[string]*dir.Store{}
	for _, name := range []string{"real", "link", "real/below", "link/below", "really"} {
		s, err := dir.Open(filepath.Join(folder, name))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = s.Close() })
		places[name] = s
	}
	for inner, want := range map[string]bool{"real": true, "link": true, "real/below": true, "link/below": true, "really": false} {
		if got := store.Within(places[inner], places["real"]); got != want {
			t.Errorf("%s lies in real: %t", places[inner].Place(), got)
		}
	}
	if store.Within(places["real"], places["real/below"]) {
		t.Error("a folder lies in one below it")
	}
}

// Puts beside Deletes, which remove the folder that is about to be used: no Put may fail because of that.
func TestPutIntoAFolderThatIsPrunedAllTheTime(t *testing.T) {
	t.Parallel()
	s, err := dir.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	var wait sync.WaitGroup
	for i := range 4 {
		wait.Go(func() {
			name := fmt.Sprintf("a/b/%d", i)
			for range 150 {
				if _, err := s.Put(t.Context(), name, strings.NewReader("x")); err != nil {
					t.Errorf("Put: %v", err)
				}
				if err := s.Delete(t.Context(), name); err != nil {
					t.Errorf("Delete: %v", err)
				}
			}
		})
	}
	wait.Wait()
}
