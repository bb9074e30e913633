package s3

import (
	"context"
	"slices"
	"time"
)

// Abandon aborts the multipart uploads of exactly these keys, whatever their age, except for those under way in this process. It is for callers who
// have written down that the keys are their own, such as a run that is begun again after its console was killed, and also works in a bucket where
// nothing else may be swept. See store.Abandoner.
func (s *Store) Abandon(ctx context.Context, keys ...string) error {
	for _, key := range keys {
		err := s.uploads(ctx, s.name(key), func(found, id string, _ time.Time) error {
			s.mu.Lock()
			busy := s.active[id]
			s.mu.Unlock()
			if busy || !slices.Contains(keys, found) {
				return nil
			}
			return s.abort(ctx, found, id)
		})
		if err != nil {
			return s.failed("abandon uploads of", key, err)
		}
	}
	return nil
}
