package dir

import (
	"cmp"
	"context"
	"io"
	"io/fs"
	"iter"
	"slices"
	"strings"

	"rekindle/internal/store"
)

// Open reads an object; see store.Store.
func (s *Store) Open(ctx context.Context, key string) (io.ReadCloser, error) {
	if err := ready(ctx, key); err != nil {
		return nil, s.failed("open", key, err)
	}
	file, err := s.root.Open(key)
	if err != nil {
		return nil, s.failed("open", key, err)
	}
	info, err := file.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = fs.ErrNotExist
	}
	if err != nil {
		_ = file.Close()
		return nil, s.failed("open", key, err)
	}
	return readCloser{reader: reader{ctx: ctx, Reader: file}, Closer: file}, nil
}

// reader ends with its context.
type reader struct {
	ctx context.Context
	io.Reader
}

func (r reader) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.Reader.Read(p)
}

type readCloser struct {
	reader
	io.Closer
}

// List yields the objects below a prefix; see store.Store. Per level, it holds the names of one folder in memory.
func (s *Store) List(ctx context.Context, prefix string) iter.Seq2[store.Object, error] {
	return s.ListAfter(ctx, prefix, "")
}

// ListAfter yields those behind a key; see store.Starter. Folders that lie before it are not read.
func (s *Store) ListAfter(ctx context.Context, prefix, after string) iter.Seq2[store.Object, error] {
	return func(yield func(store.Object, error) bool) {
		s.walk(ctx, "", prefix, after, yield)
	}
}

// walk lists one folder ("" or ending in a slash) and those in it. Returning false ends the whole walk.
func (s *Store) walk(ctx context.Context, folder, prefix, after string, yield func(store.Object, error) bool) bool {
	if err := ctx.Err(); err != nil {
		yield(store.Object{}, s.failed("list", prefix, err))
		return false
	}
	entries, err := s.entries(folder)
	if absent(err) && folder != "" { // deleted meanwhile
		return true
	}
	if err != nil {
		yield(store.Object{}, s.failed("list", folder, err))
		return false
	}
	for _, entry := range entries {
		key := folder + entry.Name()
		switch {
		case store.CheckKey(key) != nil: // not ours: .tmp, lost+found and the like
			continue
		case entry.IsDir():
			below := key + "/"
			if below < after && !strings.HasPrefix(after, below) {
				continue
			}
			if strings.HasPrefix(below, prefix) || strings.HasPrefix(prefix, below) {
				if !s.walk(ctx, below, prefix, after, yield) {
					return false
				}
			}
		case entry.Type().IsRegular() && strings.HasPrefix(key, prefix) && key > after:
			info, err := entry.Info()
			if absent(err) {
				continue
			}
			if err != nil {
				yield(store.Object{}, s.failed("list", key, err))
				return false
			}
			if !yield(object(key, info), nil) {
				return false
			}
		}
	}
	return true
}

// entries reads a folder in the order of keys: a folder's name counts with its slash, "a-b" comes before "a/".
func (s *Store) entries(folder string) ([]fs.DirEntry, error) {
	name := "."
	if folder != "" {
		name = strings.TrimSuffix(folder, "/")
	}
	file, err := s.root.Open(name)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	entries, err := file.ReadDir(-1)
	if err != nil {
		return nil, err
	}
	full := func(entry fs.DirEntry) string {
		if entry.IsDir() {
			return entry.Name() + "/"
		}
		return entry.Name()
	}
	slices.SortFunc(entries, func(a, b fs.DirEntry) int { return cmp.Compare(full(a), full(b)) })
	return entries, nil
}
