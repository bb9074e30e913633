package archive_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc64"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"

	"rekindle/internal/archive"
	"rekindle/internal/rdb"
	"rekindle/internal/store/dir"
)

// FuzzImport: whatever a file is, plain or compressed, either it is refused with a known error and nothing is stored, or it is stored and reads back
// unchanged.
func FuzzImport(f *testing.F) {
	names, err := filepath.Glob("../rdb/testdata/*.rdb")
	if err != nil || len(names) == 0 {
		f.Fatal("no RDBs in testdata", err)
	}
	encoder, err := zstd.NewWriter(nil)
	if err != nil {
		f.Fatal(err)
	}
	for _, name := range names {
		content, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(content)
		f.Add(encoder.EncodeAll(content, nil))
		f.Add(encoder.EncodeAll(content, nil)[:len(content)/8])
	}
	st, err := dir.Open(f.TempDir()) // one for all: making one costs more than an import
	if err != nil {
		f.Fatal(err)
	}
	a := archive.New(st)
	f.Fuzz(func(t *testing.T, data []byte) {
		part, found, err := a.ImportPart(t.Context(), attempt, 1, io.NopCloser(bytes.NewReader(data)), nil)
		if err != nil {
			known := false
			for _, e := range []error{rdb.ErrNotRDB, rdb.ErrTruncated, rdb.ErrChecksum, rdb.ErrCorrupt, archive.ErrRefused, archive.ErrBomb, archive.ErrWindow} {
				known = known || errors.Is(err, e)
			}
			if !known {
				t.Errorf("refused as %v", err)
			}
			for object := range st.List(t.Context(), "") {
				t.Errorf("refused, and there is %s", object.Key)
			}
			return
		}
		if err := a.VerifyPart(t.Context(), ref, part, nil); err != nil {
			t.Errorf("accepted, but %v", err)
		}
		if !found.Compressed && part.Bytes != int64(len(data)) {
			t.Errorf("%d bytes were accepted as %d", len(data), part.Bytes)
		}
		if !rdb.Known(part.RDBVersion) || found.Unknown && found.Unchecked {
			t.Errorf("accepted version %d, %+v", part.RDBVersion, found)
		}
		if err := a.Remove(t.Context(), attempt, false); err != nil {
			t.Error(err)
		}
	})
}

// What every engine of the test data writes is accepted, and its engine is recognized.
func TestImportAcceptsWhatEnginesWrite(t *testing.T) {
	t.Parallel()
	names, err := filepath.Glob("../rdb/testdata/*.rdb")
	if err != nil || len(names) == 0 {
		t.Fatal("no RDBs in testdata", err)
	}
	a, _, _ := setUp(t)
	for i, name := range names {
		content, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		part, found, err := a.ImportPart(t.Context(), attempt, i+1, io.NopCloser(bytes.NewReader(content)), nil)
		if err != nil || part.Keys <= 0 || found.Header.EngineVersion == "" || found.Unknown || found.Unchecked {
			t.Errorf("%s: %v, %d keys, %+v", name, err, part.Keys, found)
		}
	}
}

func TestOldestReaderCanLoad(t *testing.T) {
	t.Parallel()
	for version := range 200 {
		engine, release := rdb.OldestReader(version)
		if rdb.Known(version) != (version >= 1 && engine != "" && rdb.CanLoad(engine, release, version)) {
			t.Errorf("RDB %d: known %t, read by %s %s", version, rdb.Known(version), engine, release)
		}
	}
}

// A file that needs much memory to be decompressed is distinguished from a damaged one.
func TestImportOfAWideWindow(t *testing.T) {
	t.Parallel()
	content := bytes.Repeat([]byte("0123456789abcdef"), 1<<20)
	a, _, _ := setUp(t)
	for window, want := range map[int]error{8 << 20: rdb.ErrNotRDB, 16 << 20: archive.ErrWindow, 512 << 20: archive.ErrWindow} {
		var file bytes.Buffer
		w, err := zstd.NewWriter(&file, zstd.WithWindowSize(window))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(content); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		if _, _, err := a.ImportPart(t.Context(), attempt, 1, io.NopCloser(&file), nil); !errors.Is(err, want) {
			t.Errorf("a window of %d MiB: %v, want %v", window>>20, err, want)
		}
	}
	gigabytes := append([]byte{0x28, 0xB5, 0x2F, 0xFD, 0x00, 0xA8}, bytes.Repeat([]byte{0xFF}, 100)...)
	if _, _, err := a.ImportPart(t.Context(), attempt, 1, io.NopCloser(bytes.NewReader(gigabytes)), nil); !errors.Is(err, archive.ErrWindow) {
		t.Errorf("a window of 2 GiB: %v", err)
	}
}

// sealed is an RDB with a right checksum and this body between its header and its end.
func sealed(body ...byte) []byte {
	data := append(append([]byte("REDIS0010"), body...), 0xFF)
	sum := ^crc64.Update(^uint64(0), crc64.MakeTable(0x95AC9329AC4BC9B5), data)
	return binary.LittleEndian.AppendUint64(data, sum)
}

func compressed(t *testing.T, pieces ...[]byte) []byte {
	t.Helper()
	var out bytes.Buffer
	w, err := zstd.NewWriter(&out, zstd.WithEncoderLevel(zstd.SpeedFastest))
	if err != nil {
		t.Fatal(err)
	}
	for _, piece := range pieces {
		_, _ = w.Write(piece)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// hostile are files that look whole and claim, or would become, far more than they are.
func hostile(t *testing.T) map[string][]byte {
	absurd := []byte{0x81, 0x00, 0x00, 0x01, 0x00, 0x00, 0x00, 0x00, 0x00} // 1 TiB
	key := func(kind byte) []byte { return []byte{0xFE, 0x00, kind, 0x01, 'k'} }
	refer := append([]byte{0x00, 'a'}, bytes.Repeat([]byte{0xE0, 0xFF, 0x00}, 5000)...) // LZF: 1 and 5000 times 264 bytes
	files := map[string][]byte{
		"LZF of a tebibyte":             sealed(slices.Concat(key(0), []byte{0xC3, 0x02}, absurd, []byte{0x00, 'a'})...),
		"LZF of a tebibyte, listpack":   sealed(slices.Concat(key(16), []byte{0xC3, 0x02}, absurd, []byte{0x00, 'a'})...),
		"LZF that becomes a listpack":   sealed(slices.Concat(key(16), []byte{0xC3, 0x80, 0x00, 0x00, 0x3A, 0x9A, 0x80, 0x00, 0x14, 0x24, 0x41}, refer)...),
		"a string of a tebibyte":        sealed(slices.Concat(key(0), absurd, []byte("v"))...),
		"a set of many":                 sealed(slices.Concat(key(2), absurd, []byte("v"))...),
		"a list of many nodes":          sealed(slices.Concat(key(18), absurd, []byte{0x02, 0x00})...),
		"a stream of many groups":       sealed(slices.Concat(key(15), []byte{0x00, 0x00, 0x00, 0x00}, absurd)...),
		"room for many keys":            sealed(slices.Concat([]byte{0xFE, 0x00, 0xFB}, absurd, absurd, key(0)[2:], []byte{0x01, 'v'})...),
		"a listpack of garbage":         sealed(slices.Concat(key(16), []byte{0x04}, []byte("junk"))...),
		"an intset of many":             sealed(slices.Concat(key(11), []byte{0x08, 0x02, 0, 0, 0, 0xFF, 0xFF, 0xFF, 0xFF})...),
		"a list in container 7":         sealed(slices.Concat(key(18), []byte{0x01, 0x07, 0x00})...),
		"an empty hash":                 sealed(append(key(4), 0x00)...),
		"an expiry of no key":           sealed(0xFE, 0x00, 0xFC, 1, 2, 3, 4, 5, 6, 7, 8),
		"database 2^31":                 sealed(append([]byte{0xFE, 0x80, 0x80, 0x00, 0x00, 0x00}, key(0)[2:]...)...),
		"a window of gigabytes":         append([]byte{0x28, 0xB5, 0x2F, 0xFD, 0x00, 0xA8}, bytes.Repeat([]byte{0xFF}, 100)...),
		"a bomb":                        compressed(t, append([]byte("REDIS0010"), append(key(0), absurd...)...), make([]byte, 64<<20)),
		"a bomb of one key after other": compressed(t, []byte("REDIS0010"), bytes.Repeat([]byte{0x00, 0x01, 'k', 0x01, 'v'}, 4<<20)),
	}
	return files
}

// Not parallel: it counts the process's allocations. What a file claims costs nothing: each is refused at once, with what every import takes (zstd's
// window and tables, the pipes).
func TestHostileImportsTakeNeitherMemoryNorTime(t *testing.T) {
	const memory, limit = 40 << 20, 30 * time.Second
	defer archive.SetBombFloor(archive.SetBombFloor(4 << 20))
	st, err := dir.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	a := archive.New(st)
	for name, file := range hostile(t) {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		began := time.Now()
		_, _, err := a.ImportPart(t.Context(), attempt, 1, io.NopCloser(bytes.NewReader(file)), nil)
		took := time.Since(began)
		runtime.ReadMemStats(&after)
		if err == nil {
			t.Errorf("%s: accepted", name)
		}
		if got := after.TotalAlloc - before.TotalAlloc; got > memory || took > limit {
			t.Errorf("%s: %d MiB were allocated in %s", name, got>>20, took)
		}
		for object := range st.List(t.Context(), "") {
			t.Errorf("%s: refused, and there is %s", name, object.Key)
		}
	}
}
