package archive_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/klauspost/compress/zstd"

	"rekindle/internal/archive"
	"rekindle/internal/store"
)

// smallRDB is an RDB without keys, so that every single byte can be tried.
func smallRDB(t *testing.T) []byte {
	t.Helper()
	return []byte("REDIS0010\xfa\x09redis-ver\x067.0.15\xff\x00\x00\x00\x00\x00\x00\x00\x00")
}

func compress(t *testing.T, data []byte, options ...zstd.EOption) []byte {
	t.Helper()
	encoder, err := zstd.NewWriter(nil, options...)
	if err != nil {
		t.Fatal(err)
	}
	defer encoder.Close()
	return encoder.EncodeAll(data, nil)
}

func TestVerifyFindsEveryDamage(t *testing.T) {
	t.Parallel()
	data, _ := sampleRDB(t)
	for name, damage := range map[string]func(stored []byte) []byte{
		"a flipped bit at the start":   func(b []byte) []byte { b[0] ^= 1; return b },
		"a flipped bit in the midst":   func(b []byte) []byte { b[len(b)/2] ^= 1; return b },
		"a flipped bit at the end":     func(b []byte) []byte { b[len(b)-1] ^= 1; return b },
		"a cut":                        func(b []byte) []byte { return b[:len(b)/2] },
		"a missing last byte":          func(b []byte) []byte { return b[:len(b)-1] },
		"a byte too many":              func(b []byte) []byte { return append(b, 0) },
		"an empty frame behind":        func(b []byte) []byte { return append(b, compress(t, nil, zstd.WithZeroFrames(true))...) },
		"nothing":                      func([]byte) []byte { return nil },
		"something else":               func([]byte) []byte { return []byte("hello") },
		"another whole RDB":            func([]byte) []byte { return compress(t, smallRDB(t)) },
		"the same, compressed anew":    func([]byte) []byte { return compress(t, data, zstd.WithEncoderLevel(zstd.SpeedBetterCompression)) },
		"a bomb":                       func([]byte) []byte { return compress(t, make([]byte, 8<<20)) },
		"a window that takes a lot":    func([]byte) []byte { return []byte("\x28\xb5\x2f\xfd\x00\xb0\x01\x00\x00") },
		"a plain RDB instead of zstd":  func([]byte) []byte { return data },
		"a gap of zeros in the midst":  func(b []byte) []byte { clear(b[len(b)/2:][:512]); return b },
		"the first half written twice": func(b []byte) []byte { return append(b[:len(b)/2:len(b)/2], b[:len(b)-len(b)/2]...) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a, _, folder, part := written(t)
			path := filepath.Join(folder, "orders", "nightly", part.Object)
			stored, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, damage(stored), 0o600); err != nil {
				t.Fatal(err)
			}
			if err := a.VerifyPart(t.Context(), ref, part, nil); !errors.Is(err, archive.ErrDamaged) {
				t.Errorf("VerifyPart = %v, want ErrDamaged", err)
			}
			if err := a.ReadBack(t.Context(), ref, part, nil); !errors.Is(err, archive.ErrDamaged) {
				t.Errorf("ReadBack = %v, want ErrDamaged", err)
			}
			r, err := a.OpenPart(t.Context(), ref, part)
			if err != nil {
				t.Fatal(err)
			}
			defer r.Close()
			// OpenPart may tolerate damage that changes nothing in the RDB, but never returns other bytes with a good end.
			got, err := io.ReadAll(r)
			if err == nil && !bytes.Equal(got, data) || err != nil && !errors.Is(err, archive.ErrDamaged) {
				t.Errorf("OpenPart gives %d bytes, %v", len(got), err)
			}
		})
	}
}

func TestVerifyFindsAFlippedBitInEveryByte(t *testing.T) {
	t.Parallel()
	a, _, folder := setUp(t)
	part, err := a.WritePart(t.Context(), attempt, 1, "", bytes.NewReader(smallRDB(t)), nil)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(folder, "orders", "nightly", part.Object)
	stored, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for i := range stored {
		damaged := bytes.Clone(stored)
		damaged[i] ^= 1 << (i % 8)
		if err := os.WriteFile(path, damaged, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := a.VerifyPart(t.Context(), ref, part, nil); !errors.Is(err, archive.ErrDamaged) {
			t.Errorf("byte %d changed: VerifyPart = %v, want ErrDamaged", i, err)
		}
	}
}

func TestVerifyComparesWithEveryFigure(t *testing.T) {
	t.Parallel()
	a, _, _, good := written(t)
	other := strings.Repeat("ab", 32)
	for name, change := range map[string]func(*archive.Part){
		"bytes":         func(p *archive.Part) { p.Bytes++ },
		"fewer bytes":   func(p *archive.Part) { p.Bytes-- },
		"stored bytes":  func(p *archive.Part) { p.StoredBytes-- },
		"hash":          func(p *archive.Part) { p.XXH128 = other[:32] },
		"SHA-256":       func(p *archive.Part) { p.XXH128, p.SHA256 = "", other },
		"stored hash":   func(p *archive.Part) { p.StoredSHA256 = other },
		"CRC64":         func(p *archive.Part) { p.CRC64 = other[:16] },
		"RDB version":   func(p *archive.Part) { p.RDBVersion = 9 },
		"without a CRC": func(p *archive.Part) { p.CRC64 = strings.Repeat("0", 16) },
	} {
		part := good
		change(&part)
		if err := a.VerifyPart(t.Context(), ref, part, nil); !errors.Is(err, archive.ErrDamaged) {
			t.Errorf("another %s: VerifyPart = %v, want ErrDamaged", name, err)
		}
	}
}

func TestReadersAreGivenNoMoreThanThePartShouldHave(t *testing.T) {
	t.Parallel()
	a, _, _, part := written(t)
	part.Bytes -= 500
	r, err := a.OpenPart(t.Context(), ref, part)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if got, err := io.ReadAll(r); int64(len(got)) > part.Bytes || !errors.Is(err, archive.ErrDamaged) {
		t.Errorf("read %d bytes of %d, %v", len(got), part.Bytes, err)
	}
}

func TestVerifyRefusesAPartWithoutAHash(t *testing.T) {
	t.Parallel()
	a, _, _, part := written(t)
	part.XXH128 = ""
	if err := a.VerifyPart(t.Context(), ref, part, nil); !errors.Is(err, archive.ErrInvalid) {
		t.Errorf("VerifyPart = %v, want ErrInvalid", err)
	}
}

// flipping is a store that flips a bit in its first readings.
type flipping struct {
	store.Store
	left *atomic.Int64
}

func (f flipping) Open(ctx context.Context, key string) (io.ReadCloser, error) {
	r, err := f.Store.Open(ctx, key)
	if err != nil || f.left.Add(-1) < 0 {
		return r, err
	}
	data, err := io.ReadAll(r)
	data[len(data)/2] ^= 4
	return io.NopCloser(bytes.NewReader(data)), errors.Join(err, r.Close())
}

func TestBitThatFlipsOnTheWayDoesNoHarm(t *testing.T) {
	t.Parallel()
	_, st, _, part := written(t)
	for flips, want := range []error{0: nil, 1: nil, 2: nil, 3: archive.ErrDamaged} {
		var left atomic.Int64
		a := archive.New(flipping{st, &left})
		verify := func(ctx context.Context, ref archive.Ref, p archive.Part, pr *archive.Progress) error {
			return a.VerifyPart(ctx, ref, p, pr)
		}
		for name, read := range map[string]func(context.Context, archive.Ref, archive.Part, *archive.Progress) error{"ReadBack": a.ReadBack, "VerifyPart": verify} {
			left.Store(int64(flips))
			var progress archive.Progress
			if err := read(t.Context(), ref, part, &progress); !errors.Is(err, want) {
				t.Errorf("%d times: %s = %v, want %v", flips, name, err, want)
			}
			if want == nil && progress.Stored() != part.StoredBytes {
				t.Errorf("%d times: %s counted %d bytes of %d", flips, name, progress.Stored(), part.StoredBytes)
			}
		}
	}
}

func TestMissingPartIsCalledMissing(t *testing.T) {
	t.Parallel()
	a, st, _, part := written(t)
	if err := st.Delete(t.Context(), "orders/nightly/"+part.Object); err != nil {
		t.Fatal(err)
	}
	_, openErr := a.OpenPart(t.Context(), ref, part)
	_, storedErr := a.OpenStored(t.Context(), ref, part)
	for name, err := range map[string]error{"OpenPart": openErr, "OpenStored": storedErr, "VerifyPart": a.VerifyPart(t.Context(), ref, part, nil), "ReadBack": a.ReadBack(t.Context(), ref, part, nil)} {
		if !errors.Is(err, archive.ErrMissing) || errors.Is(err, archive.ErrDamaged) {
			t.Errorf("%s = %v, want ErrMissing", name, err)
		}
	}
}

// flaky is a store whose readers break in the middle.
type flaky struct {
	store.Store
	err error
}

func (f flaky) Open(ctx context.Context, key string) (io.ReadCloser, error) {
	r, err := f.Store.Open(ctx, key)
	if err != nil {
		return nil, err
	}
	return struct {
		io.Reader
		io.Closer
	}{io.MultiReader(io.LimitReader(r, 10_000), failing{f.err}), r}, nil
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

func TestTroubleWithTheStoreIsNotCalledDamage(t *testing.T) {
	t.Parallel()
	_, st, _, part := written(t)
	for _, trouble := range []error{errors.New("connection reset"), io.ErrUnexpectedEOF} {
		a := archive.New(flaky{st, trouble})
		if err := a.VerifyPart(t.Context(), ref, part, nil); !errors.Is(err, trouble) || errors.Is(err, archive.ErrDamaged) {
			t.Errorf("VerifyPart = %v, want the store's error alone", err)
		}
		r, err := a.OpenPart(t.Context(), ref, part)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadAll(r); !errors.Is(err, trouble) || errors.Is(err, archive.ErrDamaged) {
			t.Errorf("OpenPart gives %v, want the store's error alone", err)
		}
		_ = r.Close()
	}
}

func TestCancelledVerifyIsNotCalledDamage(t *testing.T) {
	t.Parallel()
	a, _, _, part := written(t)
	ctx, cancel := context.WithCancel(t.Context())
	r, err := a.OpenPart(ctx, ref, part)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	cancel()
	if _, err := io.ReadAll(r); !errors.Is(err, context.Canceled) || errors.Is(err, archive.ErrDamaged) {
		t.Errorf("OpenPart gives %v", err)
	}
	if err := a.VerifyPart(ctx, ref, part, nil); !errors.Is(err, context.Canceled) || errors.Is(err, archive.ErrDamaged) {
		t.Errorf("VerifyPart = %v", err)
	}
}
