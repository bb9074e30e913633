package journal

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"rekindle/internal/store"
)

// In the spool, a segment's file is called like its object, with this for the slashes. What is being written has another ending.
const (
	slash     = "~"
	partial   = ".part"
	spoolMode = 0o600
)

// toFile writes a segment into the spool. It is not flushed: the source has not been told that it is kept.
func toFile(folder string, w *waiting) (path string, err error) {
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return "", err
	}
	path = filepath.Join(folder, strings.ReplaceAll(w.segment.Key, "/", slash))
	file, err := os.OpenFile(path+partial, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, spoolMode)
	if err != nil {
		return "", err
	}
	_, err = file.Write(w.head)
	if err == nil {
		_, err = io.Copy(file, w.body.reader())
	}
	if err = errors.Join(err, file.Close()); err == nil {
		err = os.Rename(path+partial, path)
	}
	if err != nil {
		return "", errors.Join(err, os.Remove(path+partial))
	}
	return path, nil
}

// fromFile reads a segment in the spool: all of it, or no more than its index. The error is ErrDamaged if it is not what was written.
func fromFile(path string, whole bool) (*waiting, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return nil, err
	}
	var x Index
	if whole {
		x, _, err = decode(file)
	} else {
		x, err = readFrame(file)
	}
	key := strings.ReplaceAll(filepath.Base(path), slash, "/")
	if err == nil && x.Segment(0).Key != key {
		err = fmt.Errorf("%w: it is that of %s", errIndex, x.Segment(0).Key)
	}
	if err != nil {
		return nil, Segment{Key: key}.judge(err)
	}
	return &waiting{index: x, segment: x.Segment(info.Size()), path: path}, nil
}

// leftovers are the files of segments below a folder, and removes what was being written when a console was killed.
func leftovers(folder string) (found []string, err error) {
	err = filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return nil
		case err != nil:
			return err
		case entry.IsDir():
		case strings.HasSuffix(path, ".resp.zst"+partial):
			return os.Remove(path)
		case strings.HasSuffix(path, ".resp.zst"):
			found = append(found, path)
		}
		return nil
	})
	return found, err
}

// Salvage stores the segments that a recording has left in a folder below which it had its SpoolDir, and removes them there. They may be what bridges
// a gap. Files that are not whole are removed. onSegment, which may be nil, is called with each that was stored. No recording may be using the folder.
// An error of the store ends it; the rest stays where it is.
func Salvage(ctx context.Context, st store.Store, dir string, onSegment func(Segment, Index)) error {
	found, err := leftovers(dir)
	if err != nil {
		return fmt.Errorf("look for segments in %s: %w", dir, err)
	}
	for _, path := range found {
		w, err := fromFile(path, false)
		switch {
		case errors.Is(err, ErrDamaged):
		case err != nil:
			return fmt.Errorf("read %s: %w", path, err)
		default:
			err := create(ctx, st, w.segment, path)
			if errors.Is(err, ErrTaken) || errors.Is(err, ErrDamaged) { // somebody else has stored this piece, or it is not whole
				break
			}
			if err != nil {
				return fmt.Errorf("store %s: %w", w.segment, err)
			}
			if onSegment != nil {
				onSegment(w.segment, w.index)
			}
		}
		if err := os.Remove(path); err != nil {
			return err
		}
	}
	return nil
}

var errSpool = errors.New("the segment cannot be read from the spool")

// create stores a segment from its file.
func create(ctx context.Context, st store.Store, s Segment, path string) error {
	w, err := fromFile(path, true)
	if err != nil {
		return fmt.Errorf("%w: %w", errSpool, err)
	}
	file, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("%w: %w", errSpool, err)
	}
	defer file.Close()
	_, err = st.Create(ctx, s.Key, file)
	return taken(ctx, st, s, w.index, err)
}

// taken finds out whose object is in the way: one that has the same bytes is this one's, whose answer was lost. Any other is another console's.
func taken(ctx context.Context, st store.Store, s Segment, x Index, err error) error {
	if !errors.Is(err, store.ErrExist) {
		return err
	}
	there, err := ReadIndex(ctx, st, s)
	if errors.Is(err, ErrDamaged) || err == nil && there.Digest != x.Digest {
		return fmt.Errorf("%w: %s is there already", ErrTaken, s)
	}
	return err
}
