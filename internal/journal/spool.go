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
// a gap. Files that are not whole are removed, and so are those behind which another console has gone on meanwhile: what it has is what the nodes call
// their history since. onSegment, which may be nil, is called with each that was stored. No recording may be using the folder. An error of the store ends
// it; the rest stays where it is.
func Salvage(ctx context.Context, st store.Store, dir string, onSegment func(Segment, Index)) error {
	found, err := leftovers(dir)
	if err != nil {
		return fmt.Errorf("look for segments in %s: %w", dir, err)
	}
	ends := &ends{st: st, of: make(map[Place]map[string]end)}
	for _, path := range found {
		w, err := fromFile(path, false)
		behind := false
		if err == nil {
			if behind, err = ends.goOn(ctx, w.segment); err != nil {
				return fmt.Errorf("look where %s goes on: %w", w.segment, err)
			}
		}
		switch {
		case errors.Is(err, ErrDamaged):
		case err != nil:
			return fmt.Errorf("read %s: %w", path, err)
		case !behind:
		default:
			err := create(ctx, st, w.segment, path)
			if errors.Is(err, ErrTaken) || errors.Is(err, ErrDamaged) { // somebody else has stored this piece, or it is not whole
				break
			}
			if err != nil {
				return fmt.Errorf("store %s: %w", w.segment, err)
			}
			ends.of[w.segment.Place][w.segment.Run] = end{w.segment.To, w.index.Resume().Offset}
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

// end is where a recording ends in the store, and where one goes on that is made behind it: there, or at the last safe boundary.
type end struct{ to, resume int64 }

// ends are those of all recordings of some places.
type ends struct {
	st store.Store
	of map[Place]map[string]end
}

// goOn tells whether a segment is what comes next in its recording. If it is not, another console has recorded that already.
func (e *ends) goOn(ctx context.Context, s Segment) (bool, error) {
	if e.of[s.Place] == nil {
		found, err := e.find(ctx, s)
		if err != nil {
			return false, err
		}
		e.of[s.Place] = found
	}
	at, known := e.of[s.Place][s.Run]
	return !known || s.From == at.to || s.From == at.resume, nil
}

// find finds the ends of the recordings of the place of the first segment that was left behind.
func (e *ends) find(ctx context.Context, first Segment) (map[string]end, error) {
	last := make(map[string]Segment)
	for s, err := range List(ctx, e.st, first.Cluster, first.Begin.Add(-longest)) {
		if err != nil {
			return nil, err
		}
		if s.Place == first.Place && (last[s.Run].Key == "" || s.To > last[s.Run].To) {
			last[s.Run] = s
		}
	}
	found := make(map[string]end, len(last))
	for run, s := range last {
		x, err := ReadIndex(ctx, e.st, s)
		switch {
		case errors.Is(err, ErrDamaged), errors.Is(err, ErrMissing): // nobody knows where it goes on within a command
			found[run] = end{s.To, s.To}
		case err != nil:
			return nil, err
		default:
			found[run] = end{s.To, x.Resume().Offset}
		}
	}
	return found, nil
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
