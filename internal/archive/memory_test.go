package archive_test

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"rekindle/internal/archive"
)

// TestMain fails the run if a goroutine of this package is still there after all tests.
func TestMain(m *testing.M) {
	code := m.Run()
	if left := leftGoroutines(); left != "" {
		fmt.Println("FAIL: a goroutine was left behind:\n" + left)
		code = 1
	}
	os.Exit(code)
}

// leftGoroutines returns the stacks of this package's goroutines, after a moment for those that are about to end.
func leftGoroutines() string {
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	left := ""
	for range 100 {
		buf := make([]byte, 1<<20)
		buf = buf[:runtime.Stack(buf, true)]
		left = ""
		for stack := range strings.SplitSeq(string(buf), "\n\n") {
			if strings.Contains(stack, "rekindle/internal/archive.") {
				left += stack + "\n\n"
			}
		}
		if left == "" {
			break
		}
		<-tick.C
	}
	return left
}

// bigRDB is an RDB of one key with a value of size bytes, half of it noise.
func bigRDB(size int) io.Reader {
	noise := make([]byte, 64<<10)
	_, _ = rand.NewChaCha8([32]byte{7}).Read(noise[:32<<10])
	value := make([]io.Reader, size/len(noise))
	for i := range value {
		value[i] = bytes.NewReader(noise)
	}
	length := size / len(noise) * len(noise)
	head := []byte("REDIS0010\xfe\x00\x00\x03key\x80")
	head = append(head, byte(length>>24), byte(length>>16), byte(length>>8), byte(length))
	return io.MultiReader(append([]io.Reader{bytes.NewReader(head)}, append(value, strings.NewReader("\xff\x00\x00\x00\x00\x00\x00\x00\x00"))...)...)
}

// heapGauge is a reader that notes the largest live heap, every few MiB.
type heapGauge struct {
	io.Reader
	read, next int64
	peak       *atomic.Int64
}

func (g *heapGauge) Read(p []byte) (int, error) {
	n, err := g.Reader.Read(p)
	if g.read += int64(n); g.read >= g.next {
		g.next += 8 << 20
		if now := heap(); now > g.peak.Load() {
			g.peak.Store(now)
		}
	}
	return n, err
}

func heap() int64 {
	runtime.GC()
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return int64(stats.HeapAlloc)
}

// Not parallel: it looks at the heap.
func TestTwoPartsInFlightTakeBoundedMemory(t *testing.T) {
	const size, allowed = 48 << 20, 20 << 20
	a, _, _ := setUp(t)
	base := heap()
	var peak atomic.Int64
	var parts [2]archive.Part
	var group errgroup.Group
	for i := range parts {
		group.Go(func() (err error) {
			parts[i], err = a.WritePart(t.Context(), attempt, i+1, "", &heapGauge{Reader: bigRDB(size), peak: &peak}, nil)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		t.Fatal(err)
	}
	if grown := peak.Load() - base; grown > allowed {
		t.Errorf("two parts of %d MiB took %d MiB of heap, %d are allowed", size>>20, grown>>20, allowed>>20)
	}
	r, err := a.OpenPart(t.Context(), ref, parts[0])
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	peak.Store(0)
	base = heap()
	if n, err := io.Copy(io.Discard, &heapGauge{Reader: r, peak: &peak}); err != nil || n != parts[0].Bytes {
		t.Fatalf("read back %d bytes, %v", n, err)
	}
	if grown := peak.Load() - base; grown > allowed {
		t.Errorf("reading a part took %d MiB of heap, %d are allowed", grown>>20, allowed>>20)
	}
	for _, part := range parts {
		if err := a.VerifyPart(t.Context(), ref, part, nil); err != nil {
			t.Error(err)
		}
	}
}
