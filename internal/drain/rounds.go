package drain

import (
	"context"
	"sync"
	"time"
)

// Rounds does something with each of some things, again and again until ctx ends, no more than atOnce of them at a time. List says at the beginning of
// each round which there are, and key which of them is the same as one of an earlier round. One that takes long does not keep the others waiting: its
// turn comes again when that is over. Rounds returns when nothing is done any more.
func Rounds[T any](ctx context.Context, every time.Duration, atOnce int, list func(context.Context) []T, key func(T) uint, do func(context.Context, T)) {
	var all sync.WaitGroup
	defer all.Wait()
	turns := make(chan struct{}, atOnce)
	var busy sync.Map
	for {
		for _, one := range list(ctx) {
			if _, already := busy.LoadOrStore(key(one), true); already {
				continue
			}
			all.Go(func() {
				defer busy.Delete(key(one))
				turns <- struct{}{}
				defer func() { <-turns }()
				do(ctx, one)
			})
		}
		if !Pause(ctx, every) {
			return
		}
	}
}
