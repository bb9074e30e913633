package journal

import (
	"bytes"
	"io"
)

const (
	chunkSize = 64 << 10
	maxPooled = 2 << 20 // of those that nobody uses
)

// buffer keeps what is written to it in pieces, which come from a pool and go back there. So it grows without being copied, and without leaving garbage.
type buffer struct {
	pool   *pool
	chunks [][]byte
	size   int64
}

// Write never fails.
func (b *buffer) Write(p []byte) (int, error) {
	written := len(p)
	b.size += int64(written)
	for len(p) > 0 {
		last := len(b.chunks) - 1
		if last < 0 || len(b.chunks[last]) == cap(b.chunks[last]) {
			b.chunks = append(b.chunks, b.pool.get())
			last++
		}
		chunk := b.chunks[last]
		n := copy(chunk[len(chunk):cap(chunk)], p)
		b.chunks[last] = chunk[:len(chunk)+n]
		p = p[n:]
	}
	return written, nil
}

// reader reads everything that was written.
func (b *buffer) reader() io.Reader {
	readers := make([]io.Reader, len(b.chunks))
	for i, chunk := range b.chunks {
		readers[i] = bytes.NewReader(chunk)
	}
	return io.MultiReader(readers...)
}

// free gives the pieces back. Nobody may read any more.
func (b *buffer) free() {
	for _, chunk := range b.chunks {
		b.pool.put(chunk)
	}
	b.chunks = nil
}

// pool keeps a few pieces that nobody uses.
type pool chan []byte

func newPool() *pool {
	p := make(pool, maxPooled/chunkSize)
	return &p
}

func (p *pool) get() []byte {
	select {
	case chunk := <-*p:
		return chunk[:0]
	default:
		return make([]byte, 0, chunkSize)
	}
}

func (p *pool) put(chunk []byte) {
	select {
	case *p <- chunk:
	default:
	}
}
