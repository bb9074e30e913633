package models

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// The disk of the catalog is the one of the data folder. What of the console needs no write goes on while that is full.

// ErrDiskSlow says that the disk of the data folder did not take a write in time.
var ErrDiskSlow = errors.New("the disk did not take a write in time")

// Space is the size of the disk of the data folder, in bytes.
type Space struct{ Free, Total int64 }

// Low tells whether it is time to warn: below a tenth of the disk, or below 1 GiB on a large one.
func (s Space) Low() bool { return s.Total > 0 && s.Free < min(s.Total/10, 1<<30) }

// Sentence warns a person.
func (s Space) Sentence() string {
	return fmt.Sprintf("The disk of the data folder is nearly full: %s of %s are free. When it is full, nothing can be written down, and no snapshot can be taken. "+
		"Free some space on it.", size(s.Free), size(s.Total))
}

func size(bytes int64) string {
	if bytes < 1e9 {
		return fmt.Sprintf("%.0f MB", float64(bytes)/1e6)
	}
	return fmt.Sprintf("%.1f GB", float64(bytes)/1e9)
}

// Space tells how full the disk of the data folder is.
func (db *DB) Space() (Space, error) {
	var stat unix.Statfs_t
	if err := unix.Statfs(db.folder, &stat); err != nil {
		return Space{}, fmt.Errorf("look at the disk of %s: %w", db.folder, err)
	}
	return Space{Free: int64(stat.Bavail) * int64(stat.Bsize), Total: int64(stat.Blocks) * int64(stat.Bsize)}, nil
}

// The probe of the disk. It is asked for by anybody, so it runs once at a time and its result is good for a moment.
const (
	probeBytes = 64 << 10 // more than the last corner of a full disk has
	probeGood  = 500 * time.Millisecond
	probeTime  = 900 * time.Millisecond
)

type diskProbe struct {
	mutex   sync.Mutex
	running chan struct{} // closed when the probe that runs has its result; nil: none runs
	at      time.Time
	err     error
}

// CheckWrite tells within a second whether something can be written beside the catalog.
func (db *DB) CheckWrite(ctx context.Context) error {
	p := db.probe
	p.mutex.Lock()
	if p.running == nil {
		if !p.at.IsZero() && time.Since(p.at) < probeGood {
			defer p.mutex.Unlock()
			return p.err
		}
		p.running = make(chan struct{})
		go func() {
			err := writeProbe(db.folder)
			p.mutex.Lock()
			defer p.mutex.Unlock()
			close(p.running)
			p.running, p.at, p.err = nil, time.Now(), err
		}()
	}
	running := p.running
	p.mutex.Unlock()
	timer := time.NewTimer(probeTime)
	defer timer.Stop()
	select {
	case <-running:
		p.mutex.Lock()
		defer p.mutex.Unlock()
		return p.err
	case <-timer.C:
		return ErrDiskSlow
	case <-ctx.Done():
		return ctx.Err()
	}
}

// writeProbe writes a file that nobody needs, all the way to the disk.
func writeProbe(folder string) (err error) {
	file, err := os.CreateTemp(folder, ".probe-*")
	if err != nil {
		return fmt.Errorf("write to the data folder: %w", err)
	}
	_, err = file.Write(make([]byte, probeBytes))
	if err == nil {
		err = file.Sync()
	}
	if err := errors.Join(err, file.Close(), os.Remove(file.Name())); err != nil {
		return fmt.Errorf("write to the data folder %s: %w", filepath.Base(folder), err)
	}
	return nil
}
