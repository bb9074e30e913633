package vault

import (
	"context"
	"io"
	"time"

	"rekindle/internal/drain"
	"rekindle/internal/store"
)

// quietStore reads slowly while snapshots or restores go on, so that a verification does not take their bandwidth.
type quietStore struct {
	store.Store
	moving func() int64
}

// quietPause is how long each read, of some 128 KiB, waits then.
const quietPause = 20 * time.Millisecond

func (s quietStore) Open(ctx context.Context, key string) (io.ReadCloser, error) {
	r, err := s.Store.Open(ctx, key)
	if err != nil {
		return nil, err
	}
	return quietReader{r, ctx, s.moving}, nil
}

type quietReader struct {
	io.ReadCloser
	ctx    context.Context
	moving func() int64
}

func (r quietReader) Read(p []byte) (int, error) {
	if r.moving() > 0 {
		drain.Pause(r.ctx, quietPause)
	}
	return r.ReadCloser.Read(p)
}
