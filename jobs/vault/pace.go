package vault

import (
	"context"
	"io"
	"sync/atomic"

	"golang.org/x/time/rate"
)

// paceStep is how much is read at once where reading is paced: little enough that a source hears from its reader several times a second even at the
// lowest rate, for it lets go of one that stands still.
const paceStep = 256 << 10

// newPace returns what all snapshots together may read, in bytes a second; nil: as much as there is.
func newPace(bandwidth int64) *rate.Limiter {
	if bandwidth <= 0 {
		return nil
	}
	return rate.NewLimiter(rate.Limit(bandwidth), paceStep)
}

// pacer has the pace of all snapshots, which can change.
type pacer struct{ limiter atomic.Pointer[rate.Limiter] }

// set changes the pace. What is read without any, or now without one, gets it with its next part.
func (p *pacer) set(bandwidth int64) {
	if now := p.limiter.Load(); now != nil && bandwidth > 0 {
		now.SetLimit(rate.Limit(bandwidth))
		return
	}
	p.limiter.Store(newPace(bandwidth))
}

// paced is a source that is read no faster than its pace allows.
type paced struct {
	io.ReadCloser
	ctx  context.Context // ends the waiting
	pace *rate.Limiter
}

// atPace reads no faster than this; a nil pace lets it be.
func atPace(ctx context.Context, source io.ReadCloser, pace *rate.Limiter) io.ReadCloser {
	if pace == nil {
		return source
	}
	return paced{source, ctx, pace}
}

func (p paced) Read(b []byte) (int, error) {
	n, err := p.ReadCloser.Read(b[:min(len(b), paceStep)])
	if n > 0 && err == nil {
		err = p.pace.WaitN(p.ctx, n)
	}
	return n, err
}
