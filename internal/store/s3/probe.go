package s3

import (
	"context"
	"crypto/rand"
	"time"
)

// probes is where small objects are tried out. CheckKey allows no key in it.
const probes = ".rekindle-check/"

// probesKept is how old a probe must be to count as a killed console's: a try takes seconds.
const probesKept = time.Hour

// probe returns the key of a new probe, which no Sweep of this process removes until done is called.
func (s *Store) probe() (key string, done func()) {
	key = probes + rand.Text()
	s.mu.Lock()
	s.probing[key] = true
	s.mu.Unlock()
	return key, func() {
		s.mu.Lock()
		delete(s.probing, key)
		s.mu.Unlock()
	}
}

// sweepProbes removes probes that were last written before olderThan.
func (s *Store) sweepProbes(ctx context.Context, olderThan time.Time) (int, error) {
	removed := 0
	for object, err := range s.listRaw(ctx, probes, "") {
		if err != nil {
			return removed, err
		}
		s.mu.Lock()
		busy := s.probing[object.Key]
		s.mu.Unlock()
		if busy || !object.Modified.Before(olderThan) {
			continue
		}
		if err := s.delete(ctx, object.Key, ""); err != nil {
			return removed, err
		}
		removed++
	}
	return removed, nil
}

// probesTime bounds how long a check spends on what others have left.
const probesTime = 10 * time.Second

// sweepOldProbes removes the probes that killed consoles have left, by the bucket's own clock. Sweep does so as well, but not in a bucket that is
// only copied to. A bucket that may not be listed keeps them.
func (s *Store) sweepOldProbes(ctx context.Context) {
	last := s.told.Load()
	if last == nil {
		return
	}
	olderThan := last.at.Add(time.Since(last.heard)).Add(-s.probesKept)
	ctx, cancel := context.WithTimeout(ctx, probesTime)
	defer cancel()
	if _, err := s.sweepProbes(ctx, olderThan); err != nil {
		return
	}
	names := s.name(probes)
	_ = s.uploads(ctx, names, func(key, id string, since time.Time) error {
		if !since.Before(olderThan) || s.busy(id) {
			return nil
		}
		return s.abort(ctx, key, id)
	})
}
