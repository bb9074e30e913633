package archive_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/iotest"

	"github.com/zeebo/xxh3"

	"rekindle/internal/archive"
	"rekindle/internal/rdb"
	"rekindle/internal/store"
	"rekindle/internal/testkit"
)

func TestWrittenPartIsWhatTheSourceGave(t *testing.T) {
	t.Parallel()
	data, keys := sampleRDB(t)
	a, _, folder := setUp(t)
	var progress archive.Progress
	part, err := a.WritePart(t.Context(), attempt, 1, "0-8191,16000", bytes.NewReader(data), &progress)
	if err != nil {
		t.Fatal(err)
	}
	object := filepath.Join(folder, "orders", "nightly", attempt.Part(1))
	stored, err := os.ReadFile(object)
	if err != nil {
		t.Fatal(err)
	}
	plainSum, storedSum := xxh3.Hash128(data).Bytes(), sha256.Sum256(stored)
	want := archive.Part{
		Number: 1, Object: "part-0001-6c1f0de2b49a8857.rdb.zst", Slots: "0-8191,16000", RDBVersion: 10, Bytes: int64(len(data)), StoredBytes: int64(len(stored)),
		Keys: keys, Expires: part.Expires, Databases: 4, Kinds: part.Kinds, Lifetimes: part.Lifetimes, XXH128: hex.EncodeToString(plainSum[:]), StoredSHA256: hex.EncodeToString(storedSum[:]),
		CRC64: fmt.Sprintf("%016x", binary.LittleEndian.Uint64(data[len(data)-8:])), UsedMemory: part.UsedMemory, StartedAt: start, CompletedAt: start,
	}
	if engine, _ := testkit.Chosen(t); engine != "" {
		want.RDBVersion = part.RDBVersion
	}
	if part != want || !strings.HasPrefix(part.Kinds, "0 2 4 5 11 16=key%3A") || !strings.HasSuffix(part.Kinds, " 245") || part.Expires < 100 || !strings.Contains(part.Lifetimes, " more=") || part.UsedMemory < 1<<20 {
		t.Errorf("WritePart = %+v\nwant %+v", part, want)
	}
	if progress.Bytes() != part.Bytes || progress.Stored() != part.StoredBytes || progress.Keys() != part.Keys {
		t.Errorf("progress %d, %d, %d of %+v", progress.Bytes(), progress.Stored(), progress.Keys(), part)
	}
	if len(stored) > len(data)*9/10 {
		t.Errorf("%d bytes take %d", len(data), len(stored))
	}

	var back archive.Progress
	if err := a.ReadBack(t.Context(), ref, part, &back); err != nil || back.Stored() != part.StoredBytes {
		t.Errorf("ReadBack = %v, %d bytes", err, back.Stored())
	}
	var verify archive.Progress
	if err := a.VerifyPart(t.Context(), ref, part, &verify); err != nil {
		t.Error(err)
	}
	if verify.Bytes() != part.Bytes || verify.Stored() != part.StoredBytes || verify.Keys() != part.Keys {
		t.Errorf("verify's progress %d, %d, %d of %+v", verify.Bytes(), verify.Stored(), verify.Keys(), part)
	}
	if got := readAll(t, a, part); !bytes.Equal(got, data) {
		t.Errorf("OpenPart gives %d bytes other than the %d written", len(got), len(data))
	}
	if raw, err := a.OpenStored(t.Context(), ref, part); err != nil {
		t.Error(err)
	} else if got, err := io.ReadAll(raw); err != nil || !bytes.Equal(got, stored) || raw.Close() != nil {
		t.Errorf("OpenStored gives %d bytes, %v", len(got), err)
	}

	// Without Rekindle: zstd and redis-check-rdb.
	if _, err := exec.LookPath("zstd"); err != nil {
		t.Skip("SKIPPED, NOT TESTED: that zstd's own program reads a part. Install zstd.")
	}
	plain := filepath.Join(t.TempDir(), "dump.rdb")
	if output, err := exec.Command("zstd", "-d", "-q", object, "-o", plain).CombinedOutput(); err != nil {
		t.Fatalf("zstd -d: %v\n%s", err, output)
	}
	if got, err := os.ReadFile(plain); err != nil || !bytes.Equal(got, data) {
		t.Errorf("zstd -d gives %d bytes, %v", len(got), err)
	}
	testkit.CheckRDB(t, plain)
}

func readAll(t *testing.T, a *archive.Archive, part archive.Part) []byte {
	t.Helper()
	r, err := a.OpenPart(t.Context(), ref, part)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	data, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func TestSourceThatTricklesIsStoredWhole(t *testing.T) {
	t.Parallel()
	data := smallRDB(t)
	a, _, _ := setUp(t)
	part, err := a.WritePart(t.Context(), attempt, 1, "", iotest.OneByteReader(bytes.NewReader(data)), nil)
	if err != nil {
		t.Fatal(err)
	}
	if got := readAll(t, a, part); !bytes.Equal(got, data) {
		t.Errorf("%d bytes other than the %d written", len(got), len(data))
	}
}

func TestPartIsStoredWholeOrNotAtAll(t *testing.T) {
	t.Parallel()
	data, _ := sampleRDB(t)
	flipped := bytes.Clone(data)
	flipped[len(data)/2] ^= 1
	broken := errors.New("the socket broke")
	for name, test := range map[string]struct {
		src  io.Reader
		want error
	}{
		"nothing":                    {strings.NewReader(""), rdb.ErrTruncated},
		"no RDB":                     {strings.NewReader(strings.Repeat("HTTP/1.1 200 OK", 100)), rdb.ErrNotRDB},
		"a clean cut":                {bytes.NewReader(data[:len(data)/2]), rdb.ErrTruncated},
		"a cut before the checksum":  {bytes.NewReader(data[:len(data)-8]), rdb.ErrTruncated},
		"a flipped bit":              {bytes.NewReader(flipped), rdb.ErrChecksum},
		"an error at the start":      {iotest.ErrReader(broken), broken},
		"an error in the midst":      {io.MultiReader(bytes.NewReader(data[:len(data)/2]), iotest.ErrReader(broken)), broken},
		"an error behind the end":    {io.MultiReader(bytes.NewReader(data), iotest.ErrReader(broken)), broken},
		"an unexpected end, wrapped": {io.MultiReader(bytes.NewReader(data), iotest.ErrReader(fmt.Errorf("link: %w", io.ErrUnexpectedEOF))), io.ErrUnexpectedEOF},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a, st, _ := setUp(t)
			if part, err := a.WritePart(t.Context(), attempt, 1, "", test.src, nil); !errors.Is(err, test.want) {
				t.Errorf("WritePart = %+v, %v; want %v", part, err, test.want)
			}
			wantEmpty(t, st)
		})
	}
}

// stuck returns the start of an RDB and then blocks until it is closed, like a socket.
type stuck struct {
	io.Reader
	once    sync.Once
	blocked chan struct{}
	closed  chan struct{}
}

func newStuck(start []byte) *stuck {
	return &stuck{Reader: bytes.NewReader(start), blocked: make(chan struct{}), closed: make(chan struct{})}
}

func (s *stuck) Read(p []byte) (int, error) {
	if n, err := s.Reader.Read(p); err == nil {
		return n, nil
	}
	close(s.blocked)
	<-s.closed
	return 0, io.ErrClosedPipe
}

func (s *stuck) Close() error { s.once.Do(func() { close(s.closed) }); return nil }

func TestCancelEndsAWriteWhoseSourceBlocks(t *testing.T) {
	t.Parallel()
	data, _ := sampleRDB(t)
	a, st, _ := setUp(t)
	ctx, cancel := context.WithCancelCause(t.Context())
	stop := errors.New("the user said stop")
	src := newStuck(data[:len(data)/2])
	go func() {
		<-src.blocked
		cancel(stop)
	}()
	if _, err := a.WritePart(ctx, attempt, 1, "", src, nil); !errors.Is(err, stop) {
		t.Errorf("WritePart = %v, want the cause of the cancellation", err)
	}
	wantEmpty(t, st)
}

func TestFailingStoreEndsAWriteWhoseSourceBlocks(t *testing.T) {
	t.Parallel()
	data, _ := sampleRDB(t)
	_, st, _ := setUp(t)
	a := archive.New(&spy{Store: st, putErr: fmt.Errorf("put: %w", store.ErrFull)})
	if _, err := a.WritePart(t.Context(), attempt, 1, "", newStuck(data[:len(data)-1]), nil); !errors.Is(err, store.ErrFull) {
		t.Errorf("WritePart = %v, want ErrFull", err)
	}
	wantEmpty(t, st)
}

func TestSourceStaysOpenAfterAGoodWrite(t *testing.T) {
	t.Parallel()
	data, _ := sampleRDB(t)
	a, _, _ := setUp(t)
	src := &closable{Reader: bytes.NewReader(data)}
	if _, err := a.WritePart(t.Context(), attempt, 1, "", src, nil); err != nil || src.closed {
		t.Errorf("WritePart = %v, closed %v", err, src.closed)
	}
}

type closable struct {
	io.Reader
	closed bool
}

func (c *closable) Close() error { c.closed = true; return nil }

// believer is a store that reports another size than it has stored.
type believer struct {
	store.Store
	off int64
}

func (s believer) Put(ctx context.Context, key string, r io.Reader) (store.Object, error) {
	object, err := s.Store.Put(ctx, key, r)
	object.Size += s.off
	return object, err
}

func TestStoreThatHasAnotherSizeIsNotBelieved(t *testing.T) {
	t.Parallel()
	data, _ := sampleRDB(t)
	for _, off := range []int64{-1, 1} {
		_, st, _ := setUp(t)
		a := archive.New(believer{st, off})
		if part, err := a.WritePart(t.Context(), attempt, 1, "", bytes.NewReader(data), nil); err == nil {
			t.Errorf("off by %d: stored as %+v", off, part)
		}
	}
}

// deaf is a store that does not notice the cancellation of a Put, like one that has checked just before it.
type deaf struct{ store.Store }

func (s deaf) Put(ctx context.Context, key string, r io.Reader) (store.Object, error) {
	return s.Store.Put(context.WithoutCancel(ctx), key, r)
}

// It stores a stream that ends, so the stream of something incomplete must break off.
func TestStoreThatHasNotHeardOfTheEndStoresNothingThatIsNotWhole(t *testing.T) {
	t.Parallel()
	data, _ := sampleRDB(t)
	flipped := bytes.Clone(data)
	flipped[len(data)/2] ^= 1
	broken := errors.New("the socket broke")
	for name, test := range map[string]struct {
		src  io.Reader
		want error
	}{
		"a clean cut":             {bytes.NewReader(data[:len(data)/2]), rdb.ErrTruncated},
		"a flipped bit":           {bytes.NewReader(flipped), rdb.ErrChecksum},
		"an error in the midst":   {io.MultiReader(bytes.NewReader(data[:len(data)/2]), iotest.ErrReader(broken)), broken},
		"an error behind the end": {io.MultiReader(bytes.NewReader(data), iotest.ErrReader(broken)), broken},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, st, _ := setUp(t)
			if part, err := archive.New(deaf{st}).WritePart(t.Context(), attempt, 1, "", test.src, nil); !errors.Is(err, test.want) {
				t.Errorf("WritePart = %+v, %v; want %v", part, err, test.want)
			}
			wantEmpty(t, st)
		})
	}
}
