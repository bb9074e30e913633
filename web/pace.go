package web

import (
	"io"
	"time"
)

// An upload may take hours, but it has to go on: it may stand still for so long, and what it has used up of that comes back with the bytes
// that arrive. Whoever sends fewer than this for longer is cut off.
const (
	uploadIdle = 2 * time.Minute
	uploadRate = 4 << 10 // bytes a second
)

// paced is the body of an upload. Only the time counts in which the console waits for it: a store that is slow to take the bytes does not make
// the sender slow.
type paced struct {
	io.ReadCloser
	deadline func(time.Time) error
	now      func() time.Time
	patience time.Duration // that is left
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
