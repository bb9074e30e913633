package catalog

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"rekindle/models"
)

// Disk watches the disk that the data folder is on.
type Disk struct{ db *DB }

// Space tells how full the disk of the data folder is.
func (q Disk) Space() (models.Space, error) {
	var stat unix.Statfs_t
	if err := unix.Statfs(q.db.folder, &stat); err != nil {
		return models.Space{}, fmt.Errorf("look at the disk of %s: %w", q.db.folder, err)
	}
	return models.Space{Free: int64(stat.Bavail) * int64(stat.Bsize), Total: int64(stat.Blocks) * int64(stat.Bsize)}, nil
}

// The disk is probed for anybody who asks, so one probe runs at a time and its result is good for a moment.
const (
	probeBytes = 64 << 10 // more than fits into the last corner of a full disk
	probeGood  = 500 * time.Millisecond
	probeTime  = 900 * time.Millisecond
)

type diskProbe struct {
	mutex   sync.Mutex
	running chan struct{} // closed when the running probe has its result; nil: none runs
	at      time.Time
	err     error
}

// CheckWrite tells within a second whether something can be written beside the catalog.
func (q Disk) CheckWrite(ctx context.Context) error {
	p := q.db.probe
	p.mutex.Lock()
	if p.running == nil {
		if !p.at.IsZero() && time.Since(p.at) < probeGood {
			defer p.mutex.Unlock()
			return p.err
		}
		p.running = make(chan struct{})
		go func() {
			err := writeProbe(q.db.folder)
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
		return models.ErrDiskSlow
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
