package archive_test

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/klauspost/compress/zstd"

	"rekindle/internal/archive"
	"rekindle/internal/rdb"
	"rekindle/internal/store/dir"
)

// FuzzImport: whatever a file is, plain or compressed, it is refused with a known error and nothing is stored, or it is stored and reads
// back as it came.
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
		ref := archive.Ref{Cluster: "c", Snapshot: "s"}
		part, found, err := a.ImportPart(t.Context(), ref, 1, io.NopCloser(bytes.NewReader(data)), nil)
		if err != nil {
			known := false
			for _, e := range []error{rdb.ErrNotRDB, rdb.ErrTruncated, rdb.ErrChecksum, rdb.ErrCorrupt, archive.ErrRefused, archive.ErrBomb} {
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
		if err := a.Remove(t.Context(), ref); err != nil {
			t.Error(err)
		}
	})
}

// What every engine of the test data writes is accepted, and its engine is known.
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
		part, found, err := a.ImportPart(t.Context(), archive.Ref{Cluster: "c", Snapshot: "s"}, i+1, io.NopCloser(bytes.NewReader(content)), nil)
		if err != nil || part.Keys <= 0 || found.Header.EngineVersion == "" || found.Unknown || found.Unchecked {
			t.Errorf("%s: %v, %d keys, %+v", name, err, part.Keys, found)
		}
	}
}

func TestOldestReaderCanLoad(t *testing.T) {
	t.Parallel()
	for version := range 200 {
		engine, release := rdb.OldestReader(version)
		if rdb.Known(version) != (version >= 5 && engine != "" && rdb.CanLoad(engine, release, version)) {
			t.Errorf("RDB %d: known %t, read by %s %s", version, rdb.Known(version), engine, release)
		}
	}
}
