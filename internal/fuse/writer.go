package fuse

import (
	"crypto/rand"
	"encoding/binary"
	"io"
	"slices"

	"github.com/FastFilter/xorfilter"
	"github.com/zeebo/xxh3"
)

// Writer makes a filter while names are added to it by one goroutine, and another one reads the filter from it. It takes some 3 MiB of memory at most. Names may be
// added more than once.
type Writer struct {
	seed    uint64
	names   []uint64
	count   uint64
	partial bool

	full    chan []uint64 // blocks to be read
	used    chan []uint64 // their memory, to be used again
	stopped chan struct{} // closed when nobody reads any more
	ended   chan struct{} // closed when no more is added
	end     end

	out     []byte // the reader's: what is still to be read
	sum     *xxh3.Hasher
	builder xorfilter.BinaryFuseBuilder
	counts  [1 << 16]uint8
	done    bool
}

// end is how the adding of names ended.
type end struct {
	rdb string
	err error
}

// NewWriter returns the writer of an empty filter.
func NewWriter() *Writer {
	seed := make([]byte, 8)
	_, _ = rand.Read(seed) // never fails
	w := &Writer{seed: binary.LittleEndian.Uint64(seed), full: make(chan []uint64), used: make(chan []uint64, 2), stopped: make(chan struct{}), ended: make(chan struct{}), sum: xxh3.New()}
	w.out = binary.LittleEndian.AppendUint16([]byte(magic), version)
	w.out = binary.LittleEndian.AppendUint64(w.out, w.seed)
	_, _ = w.sum.Write(w.out)
	return w
}

// Add adds a name. When that makes a block full it waits for the reader to take it, and does nothing once nobody reads any more.
func (w *Writer) Add(name []byte) {
	if len(w.names) == cap(w.names) {
		w.names = slices.Grow(w.names, max(1024, len(w.names)))
	}
	w.names = append(w.names, hash(name, w.seed))
	w.count++
	if len(w.names) == blockNames {
		w.pass()
	}
}

// Full tells whether the next name makes a block full, so that somebody has to read.
func (w *Writer) Full() bool { return len(w.names) == blockNames-1 }

// Miss says that there is a name that could not be read, so that this filter can exclude none.
func (w *Writer) Miss() { w.partial = true }

// pass hands a block to the reader.
func (w *Writer) pass() {
	select {
	case w.full <- w.names:
	case <-w.stopped:
		w.names = w.names[:0]
		return
	}
	select {
	case w.names = <-w.used:
	default:
		w.names = nil
	}
}

// End says that every name of the RDB of this digest was added, or why not: then reading fails with that error.
func (w *Writer) End(rdb string, err error) {
	if err == nil && len(w.names) > 0 {
		w.pass()
	}
	w.end = end{rdb, err}
	close(w.ended)
}

// Stop says that nobody reads any more. It may be called once.
func (w *Writer) Stop() { close(w.stopped) }

// Read returns the filter as it is made.
func (w *Writer) Read(p []byte) (int, error) {
	for len(w.out) == 0 {
		if w.done {
			return 0, io.EOF
		}
		if err := w.next(); err != nil {
			return 0, err
		}
	}
	n := copy(p, w.out)
	w.out = w.out[n:]
	return n, nil
}

// next makes what comes next: a block, or the end.
func (w *Writer) next() error {
	select {
	case names := <-w.full:
		if err := w.build(names); err != nil {
			return err
		}
		select {
		case w.used <- names[:0]:
		default:
		}
		return nil
	case <-w.ended:
	}
	if w.end.err != nil {
		return w.end.err
	}
	w.out = binary.LittleEndian.AppendUint32(nil, 0)
	complete := byte(1)
	if w.partial {
		complete = 0
	}
	w.out = binary.LittleEndian.AppendUint64(append(w.out, complete), w.count)
	w.out = append(append(w.out, byte(len(w.end.rdb))), w.end.rdb...)
	_, _ = w.sum.Write(w.out)
	w.out = binary.LittleEndian.AppendUint64(w.out, w.sum.Sum64())
	w.done = true
	return nil
}

// build makes the filter of a block.
func (w *Writer) build(names []uint64) error {
	if w.recur(names) {
		slices.Sort(names)
		names = slices.Compact(names)
	}
	filter, err := xorfilter.BuildBinaryFuse[uint8](&w.builder, names)
	if err != nil {
		return err
	}
	w.out = binary.LittleEndian.AppendUint32(w.out[:0], uint32(len(names)))
	w.out = binary.LittleEndian.AppendUint64(w.out, filter.Seed)
	w.out = binary.LittleEndian.AppendUint32(w.out, filter.SegmentLength)
	w.out = binary.LittleEndian.AppendUint32(w.out, filter.SegmentCount)
	w.out = append(w.out, filter.Fingerprints...)
	_, _ = w.sum.Write(w.out)
	return nil
}

// maxRecurring is how many equal hashes the library bears; it takes long to give up on more.
const maxRecurring = 60

// recur tells whether a hash may be there too often: in a name that many databases have, or in an RDB from elsewhere that nobody can load. Among the names
// of a full block some 4 are in the same place by chance, and never 60.
func (w *Writer) recur(names []uint64) bool {
	clear(w.counts[:])
	for _, name := range names {
		if w.counts[uint16(name)]++; w.counts[uint16(name)] >= maxRecurring {
			return true
		}
	}
	return false
}
