package web

import (
	"io"
	"time"
)

// An upload may take hours, but it has to make progress: it may stand still for this long in all, and arriving bytes give time back. A sender that
// stays below this rate for longer is cut off.
const (
	uploadIdle = 2 * time.Minute
	uploadRate = 4 << 10 // bytes a second
)

// paced is the body of an upload. Only the time that the console waits for it counts: a store that is slow to accept the bytes does not make the
// sender slow.
type paced struct {
	io.ReadCloser
	deadline func(time.Time) error
	now      func() time.Time
	patience time.Duration // what is left of it
}

// Read reads on, as long as patience lasts.
func (b *paced) Read(p []byte) (int, error) {
	began := b.now()
	_ = b.deadline(began.Add(b.patience))
	n, err := b.ReadCloser.Read(p)
	earned := time.Duration(n) * time.Second / uploadRate
	b.patience = min(b.patience-b.now().Sub(began)+earned, uploadIdle)
	return n, err
}
