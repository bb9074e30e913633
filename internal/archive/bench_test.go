package archive_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"runtime"
	"slices"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"rekindle/internal/archive"
	"rekindle/internal/rdb"
	"rekindle/internal/store/dir"
)

// strings300k are JSON strings of about 180 bytes under two levels of prefixes, as a server writes them.
func strings300k() []byte {
	body := []byte("REDIS0010")
	kinds := []string{"user", "session", "cart:item", "cart:total", "cache:page", "queue"}
	for i := range 300_000 {
		key := fmt.Sprintf("%s:%07d", kinds[i%len(kinds)], i)
		value := fmt.Sprintf(`{"id":%d,"name":"user number %d","email":"user%d@example.com","active":%t,`+
			`"tags":["alpha","beta","gamma"],"score":%d.5,"created":"2024-01-02T03:04:05Z"}`, i, i, i, i%2 == 0, i%1000)
		body = append(append(append(body, 0, byte(len(key))), key...), 0x40|byte(len(value)>>8), byte(len(value)))
		body = append(body, value...)
	}
	body = append(body, 0xFF)
	return binary.LittleEndian.AppendUint64(body, rdb.UpdateCRC(0, body))
}

func cpu() time.Duration {
	var usage syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &usage)
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

// BenchmarkContents writes the same part with and without gathering what is in it, in turn, and compares the CPU of the two: what is printed is the median
// of the rounds' ratios, and what the gathering adds to the heap.
func BenchmarkContents(b *testing.B) {
	data := strings300k()
	st, err := dir.Open(b.TempDir())
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = st.Close() }()
	a := archive.New(st)
	write := func(options ...archive.PartOption) time.Duration {
		at := archive.NewAttempt(ref)
		before := cpu()
		part, err := a.WritePart(b.Context(), at, 1, "", bytes.NewReader(data), nil, options...)
		took := cpu() - before
		if err == nil && part.Keys != 300_000 {
			err = fmt.Errorf("%d keys", part.Keys)
		}
		if err == nil {
			err = a.Remove(b.Context(), at, false)
		}
		if err != nil {
			b.Fatal(err)
		}
		runtime.GC() // whose turn it is must not pay for the other's garbage
		return took
	}
	write()
	var ratios []float64
	var off, on time.Duration
	for i := 0; b.Loop(); i++ {
		into := archive.NewGathering(true)
		var without, with time.Duration
		if i%2 == 0 {
			without, with = write(), write(archive.Into(into))
		} else {
			with, without = write(archive.Into(into)), write()
		}
		ratios = append(ratios, float64(with)/float64(without))
		off, on = off+without, on+with
	}
	slices.Sort(ratios)
	b.ReportMetric(ratios[len(ratios)/2], "CPU-ratio")
	b.ReportMetric(float64(off.Nanoseconds())/float64(b.N)/300_000, "ns-without/key")
	b.ReportMetric(float64(on.Nanoseconds())/float64(b.N)/300_000, "ns-with/key")
	b.ReportMetric(float64(gatheringHeap(b, a, data))/(1<<20), "MiB-more")
}

// gatheringHeap is by how much more the heap has grown at its peak when what is in the part is gathered.
func gatheringHeap(b *testing.B, a *archive.Archive, data []byte) int64 {
	peaks := [2]int64{}
	for i := range peaks {
		var options []archive.PartOption
		if i == 1 {
			options = append(options, archive.Into(archive.NewGathering(true)))
		}
		var peak atomic.Int64
		base := heap()
		at := archive.NewAttempt(ref)
		if _, err := a.WritePart(b.Context(), at, 1, "", &heapGauge{Reader: bytes.NewReader(data), peak: &peak}, nil, options...); err != nil {
			b.Fatal(err)
		}
		peaks[i] = peak.Load() - base
	}
	return peaks[1] - peaks[0]
}
