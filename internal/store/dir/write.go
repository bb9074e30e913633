package dir

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"rekindle/internal/store"
)

// Put stores an object; see store.Store. If flushing the folder fails after the rename, the object is removed again, and what it replaced is gone.
func (s *Store) Put(ctx context.Context, key string, r io.Reader) (store.Object, error) {
	return s.store(ctx, "put", key, r, s.root.Rename)
}

// Create stores an object where there is none; see store.Store.
func (s *Store) Create(ctx context.Context, key string, r io.Reader) (store.Object, error) {
	return s.store(ctx, "create", key, r, s.claim)
}

// store writes a temporary file, and move gives it its key.
func (s *Store) store(ctx context.Context, operation, key string, r io.Reader, move mover) (store.Object, error) {
	if err := ready(ctx, key); err != nil {
		return store.Object{}, s.failed(operation, key, err)
	}
	name, info, err := s.write(ctx, r)
	if err != nil {
		return store.Object{}, s.failed(operation, key, err)
	}
	err = s.publish(ctx, name, key, move)
	_ = s.root.Remove(name) // it is gone already, unless it was linked or not moved
	if err != nil {
		return store.Object{}, s.failed(operation, key, err)
	}
	return object(key, info), nil
}

// write writes what r returns into a new temporary file and flushes it. After an error no file is left.
func (s *Store) write(ctx context.Context, r io.Reader) (string, fs.FileInfo, error) {
	return s.writeAnd(ctx, r, func(string) error { return nil })
}

// writeAnd is write, but look sees the file while it is still locked, so that no Sweep takes it away.
func (s *Store) writeAnd(ctx context.Context, r io.Reader, look func(name string) error) (string, fs.FileInfo, error) {
	file, name, err := s.create()
	if err != nil {
		return "", nil, err
	}
	info, err := s.fill(ctx, file, r)
	if err == nil {
		err = look(name)
	}
	if err = errors.Join(err, file.Close()); err != nil {
		_ = s.root.Remove(name)
		return "", nil, err
	}
	return name, info, nil
}

// fill copies r into file, flushes and describes it.
func (s *Store) fill(ctx context.Context, file *os.File, r io.Reader) (fs.FileInfo, error) {
	// Neither WriterTo nor ReaderFrom is used: they would not check ctx between reads.
	if _, err := io.CopyBuffer(struct{ io.Writer }{file}, reader{ctx: ctx, Reader: r}, make([]byte, 256<<10)); err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if err := s.flush(file); err != nil {
		return nil, err
	}
	return file.Stat()
}

// create makes a locked temporary file. A concurrent Sweep may take the file before it is locked: then it makes another one.
func (s *Store) create() (*os.File, string, error) {
	for range maxPruned {
		file, name, err := s.createOnce()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			continue
		}
		if err == nil {
			if _, gone := s.root.Lstat(name); absent(gone) {
				_ = file.Close()
				continue
			}
		}
		return file, name, err
	}
	return nil, "", errors.New("temporary files are removed again and again")
}

// createOnce makes a locked temporary file, and its folder if it is missing.
func (s *Store) createOnce() (*os.File, string, error) {
	name := filepath.Join(tmp, rand.Text())
	file, err := s.root.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_RDWR, fileMode)
	if errors.Is(err, fs.ErrNotExist) {
		if err := s.root.Mkdir(tmp, folderMode); errors.Is(err, fs.ErrNotExist) {
			return nil, "", fmt.Errorf("the folder is gone: was it removed or unmounted? (%w)", err)
		} else if err != nil && !errors.Is(err, fs.ErrExist) {
			return nil, "", err
		}
		file, err = s.root.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_RDWR, fileMode)
	}
	if err != nil {
		return nil, "", err
	}
	if err := lock(file); err != nil { // a file system without locks: Sweep goes by the age
		if !errors.Is(err, syscall.ENOTSUP) && !errors.Is(err, syscall.ENOSYS) && !errors.Is(err, syscall.ENOLCK) {
			_ = file.Close()
			_ = s.root.Remove(name)
			return nil, "", err
		}
	}
	return file, name, nil
}

// mover gives a file in tmp the name of a key.
type mover func(name, key string) error

// publish has move give a flushed temporary file its key, and makes the name durable.
func (s *Store) publish(ctx context.Context, name, key string, move mover) error {
	folder, pruned := filepath.Dir(key), 0
	// A concurrent Delete may remove the folder after we made it and before we rename into it: then try again.
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		// "Exists" may be about a folder that is gone by now: MkdirAll looks a second time to tell a folder from a file.
		if err := s.root.MkdirAll(folder, folderMode); err != nil && !errors.Is(err, fs.ErrNotExist) {
			if pruned++; !errors.Is(err, fs.ErrExist) || pruned > maxPruned || !s.pruned(folder) {
				return occupied(err)
			}
			continue
		}
		err := move(name, key)
		if err == nil {
			break
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return occupied(err)
		}
		if _, err := s.root.Lstat(name); err != nil {
			return fmt.Errorf("the temporary file is gone: was it removed? (%w)", err)
		}
	}
	// From here on ctx no longer counts: the object is there, and only has to stay. All folders are flushed, not just those made here: a concurrent
	// Put may have made one and not flushed it yet.
	for ; ; folder = filepath.Dir(folder) {
		if err := s.sync(folder); err != nil && !(folder != "." && absent(err)) { // absent: deleted already
			_ = s.root.Remove(key)
			return err
		}
		if folder == "." {
			return nil
		}
	}
}

// maxPruned is how often a folder that a Delete takes away is made again; a dangling symbolic link looks the same.
const maxPruned = 100

// pruned says whether a folder is missing, or is there again.
func (s *Store) pruned(folder string) bool {
	info, err := s.root.Lstat(folder)
	return errors.Is(err, fs.ErrNotExist) || err == nil && info.IsDir()
}

// occupied turns "there is a folder where the file should go", and the reverse, into ErrKey.
func occupied(err error) error {
	if errors.Is(err, store.ErrExist) {
		return err
	}
	for _, cause := range []error{syscall.ENOTDIR, syscall.EISDIR, syscall.EEXIST, syscall.ENOTEMPTY} {
		if errors.Is(err, cause) {
			return fmt.Errorf("%w: an object and a folder cannot have the same name (%w)", store.ErrKey, err)
		}
	}
	return err
}

// Check writes, flushes, reads back and removes a small temporary file; see store.Store.
func (s *Store) Check(ctx context.Context) error {
	if err := s.Present(ctx); err != nil {
		return err
	}
	text := []byte("rekindle: can this store be written to?\n")
	var got []byte
	var unread error
	name, _, err := s.writeAnd(ctx, bytes.NewReader(text), func(name string) error {
		got, unread = s.root.ReadFile(name)
		return nil
	})
	if err != nil {
		return fmt.Errorf("%s cannot be written to: %w", s.Location(), explain(err))
	}
	if err := s.root.Remove(name); unread == nil && !absent(err) { // a Sweep may have been faster
		unread = err
	}
	if unread == nil && !bytes.Equal(got, text) {
		unread = errors.New("what was read is not what was written: check the disk")
	}
	s.Exclusive(ctx)
	if unread != nil {
		return fmt.Errorf("%s cannot be read from: %w", s.Location(), explain(unread))
	}
	return nil
}

// Present tells whether the store's folder is still where it was opened, rather than moved, deleted or hidden by something mounted over it. It writes
// nothing.
func (s *Store) Present(context.Context) error {
	opened, err := s.root.Stat(".")
	if err != nil {
		return fmt.Errorf("%s cannot be read from: %w", s.Location(), explain(err))
	}
	now, err := os.Stat(s.path)
	if err != nil {
		return fmt.Errorf("%s is not there: was it removed or unmounted? (%w)", s.Location(), explain(err))
	}
	if !os.SameFile(opened, now) {
		return fmt.Errorf("%s is no longer the folder that was opened: was it moved, or another one mounted over it? Restart the console", s.Location())
	}
	return nil
}
