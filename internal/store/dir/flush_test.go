package dir_test

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"rekindle/internal/store"
	"rekindle/internal/store/dir"
)

// disk notes what is flushed, and what was true at that moment.
type disk struct {
	t      *testing.T
	folder string
	key    string   // that is being written or deleted
	seen   []string // "file" or the folder's path, and whether the key was there
	fail   string   // what fails to be flushed
}

var errDisk = errors.New("the disk is broken")

func (d *disk) flush(file *os.File) error {
	info, err := file.Stat()
	if err != nil {
		d.t.Error(err)
	}
	name := "file"
	if info.IsDir() {
		if name, err = filepath.Rel(d.folder, file.Name()); err != nil {
			d.t.Error(err)
		}
		name = "folder " + name
	} else if data, err := os.ReadFile(file.Name()); err != nil || string(data) != text {
		d.t.Errorf("flushed with %d bytes of %d in it, %v", len(data), len(text), err)
	}
	there := "is there"
	if _, err := os.Lstat(filepath.Join(d.folder, d.key)); errors.Is(err, fs.ErrNotExist) {
		there = "is not there"
	}
	d.seen = append(d.seen, name+" while the key "+there)
	if name == d.fail {
		return errDisk
	}
	return nil
}

const text = "what has to survive a power cut"

func (d *disk) want(what string, seen ...string) {
	d.t.Helper()
	if !slices.Equal(d.seen, seen) {
		d.t.Errorf("%s flushed\n%s\nwant\n%s", what, strings.Join(d.seen, "\n"), strings.Join(seen, "\n"))
	}
	d.seen = nil
}

// writes are the two ways to store an object.
var writes = map[string]func(*dir.Store, context.Context, string, io.Reader) (store.Object, error){"Put": (*dir.Store).Put, "Create": (*dir.Store).Create}

func newDisk(t *testing.T) (*disk, *dir.Store) {
	t.Helper()
	d := &disk{t: t, folder: t.TempDir()}
	s, err := dir.OpenWith(d.folder, d.flush)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	d.want("Open of a folder that is there")
	return d, s
}

// What was flushed survives a power cut: the bytes are flushed before they get their name, and the names before anybody is told.
func TestWhatIsStoredIsFlushedInOrder(t *testing.T) {
	t.Parallel()
	for name, write := range writes {
		for _, way := range []int{dir.ByLink, dir.ByRename, dir.ByLock} {
			d, s := newDisk(t)
			s.ClaimFrom(way)
			for _, key := range []string{"a/b/new", "a/b/second"} { // the existing folders may not have been flushed yet by whoever made them
				d.key = key
				if _, err := write(s, t.Context(), key, strings.NewReader(text)); err != nil {
					t.Fatal(err)
				}
				d.want(name, "file while the key is not there", "folder a/b while the key is there", "folder a while the key is there", "folder . while the key is there")
			}
			if err := s.Delete(t.Context(), "a/b/second"); err != nil {
				t.Fatal(err)
			}
			d.want("Delete", "folder a/b while the key is not there")
			d.key = "a/b/new"
			if err := s.Delete(t.Context(), "a/b/new"); err != nil {
				t.Fatal(err)
			}
			d.want("Delete of the last one", "folder . while the key is not there")
		}
	}
}

func TestWhatCannotBeFlushedIsNotStored(t *testing.T) {
	t.Parallel()
	for name, write := range writes {
		for _, fail := range []string{"file", "folder a/b", "folder a", "folder ."} {
			d, s := newDisk(t)
			d.key, d.fail = "a/b/key", fail
			if _, err := write(s, t.Context(), d.key, strings.NewReader(text)); !errors.Is(err, errDisk) {
				t.Errorf("%s where %s cannot be flushed = %v", name, fail, err)
			}
			if _, err := s.Stat(t.Context(), d.key); !errors.Is(err, store.ErrNotExist) {
				t.Errorf("%s where %s cannot be flushed left something: %v", name, fail, err)
			}
			if left, err := os.ReadDir(filepath.Join(d.folder, ".tmp")); err != nil || len(left) > 0 {
				t.Errorf("%s where %s cannot be flushed left %v, %v", name, fail, left, err)
			}
		}
	}
}

// The tests above replace fsync; a store that is opened normally has the real one.
func TestAStoreFlushesForReal(t *testing.T) {
	t.Parallel()
	s := open(t, t.TempDir())
	file, err := os.CreateTemp(t.TempDir(), "")
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Flush(file); err != nil {
		t.Error(err)
	}
	_ = file.Close()
	if err := s.Flush(file); !errors.Is(err, os.ErrClosed) {
		t.Errorf("flushing what is closed = %v", err)
	}
}

func TestNewFoldersAboveAStoreAreFlushed(t *testing.T) {
	t.Parallel()
	d := &disk{t: t, folder: t.TempDir(), key: "new/er/store"}
	s, err := dir.OpenWith(filepath.Join(d.folder, d.key), d.flush)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	d.want("Open", "folder . while the key is not there", "folder new while the key is not there", "folder new/er while the key is there")
	d.fail = "folder new"
	if s, err := dir.OpenWith(filepath.Join(d.folder, "new", "other"), d.flush); !errors.Is(err, errDisk) {
		t.Errorf("Open whose folder cannot be flushed = %v, %v", s, err)
	}
}
