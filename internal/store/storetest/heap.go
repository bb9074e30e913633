package storetest

import (
	"io"
	"runtime"
)

// heapWatch is a reader that notes the largest growth of the live heap over base, every few MiB.
type heapWatch struct {
	io.Reader
	base, peak int64 // bytes
	read, next int64
}

func (w *heapWatch) Read(p []byte) (int, error) {
	n, err := w.Reader.Read(p)
	w.read += int64(n)
	if w.read >= w.next {
		w.next += 8 << 20
		w.peak = max(w.peak, heap()-w.base)
	}
	return n, err
}

// heap is what the heap holds after a collection, in bytes.
func heap() int64 {
	runtime.GC()
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return int64(stats.HeapAlloc)
}
