package archive_test

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"

	"rekindle/internal/archive"
	"rekindle/internal/store/dir"
	"rekindle/internal/testkit"
)

// format1 is an archive with the committed sample of format version 1 in it, orders/nightly.
func format1(t *testing.T) (*archive.Archive, *dir.Store) {
	t.Helper()
	folder := t.TempDir()
	if err := os.CopyFS(folder, os.DirFS("testdata/format-1")); err != nil {
		t.Fatal(err)
	}
	st, err := dir.Open(folder)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = st.Close() })
	return archive.New(st), st
}

func TestSnapshotOfFormatVersion1IsReadVerifiedAndLoaded(t *testing.T) {
	t.Parallel()
	a, _ := format1(t)
	m, err := a.Manifest(t.Context(), ref)
	if err != nil {
		t.Fatal(err)
	}
	if m.FormatVersion != 1 || m.Attempt != "" || m.Hash != "387d6fe2a6ca898fe74d4999ca7dd37f1cc46774dba00222d683eabd20ad73c8" {
		t.Errorf("Manifest = %+v", m)
	}
	if err := a.VerifyPart(t.Context(), ref, m.Parts[0], nil); err != nil {
		t.Error(err)
	}
	server := testkit.Redis(t)
	server.Kill()
	if err := os.WriteFile(filepath.Join(server.Dir, "dump.rdb"), readAll(t, a, m.Parts[0]), 0o600); err != nil {
		t.Fatal(err)
	}
	server.Restart()
	client := server.Client()
	if keys := client.DBSize(t.Context()).Val(); keys != m.Parts[0].Keys {
		t.Errorf("a server loads %d keys of %d", keys, m.Parts[0].Keys)
	}
	if got := client.HGetAll(t.Context(), "user:7").Val(); got["name"] != "customer 7" {
		t.Errorf("user:7 = %v", got)
	}
}

func TestSnapshotOfFormatVersion1IsCopiedIntoTheCurrentOne(t *testing.T) {
	t.Parallel()
	a, st := format1(t)
	m, err := a.Manifest(t.Context(), ref)
	if err != nil {
		t.Fatal(err)
	}
	before := readAll(t, a, m.Parts[0])
	target := archive.NewAttempt(archive.Ref{Cluster: "orders", Snapshot: "copy"})
	copied, err := a.CopyPart(t.Context(), ref, m.Parts[0], a, target, nil)
	if err != nil {
		t.Fatal(err)
	}
	m.Snapshot, m.Attempt, m.Parts = "copy", target.ID, []archive.Part{copied}
	if _, err := a.Commit(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	got, err := a.Manifest(t.Context(), target.Ref)
	if err != nil || got.FormatVersion != archive.FormatVersion || got.Parts[0].SHA256 == "" {
		t.Fatalf("Manifest = %+v, %v", got, err)
	}
	r, err := a.OpenPart(t.Context(), target.Ref, got.Parts[0])
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if data, err := io.ReadAll(r); err != nil || !bytes.Equal(data, before) {
		t.Errorf("the copy has %d bytes of %d, %v", len(data), len(before), err)
	}
	if err := a.Remove(t.Context(), archive.Attempt{Ref: ref}, true); err != nil {
		t.Fatal(err)
	}
	if _, err := a.Manifest(t.Context(), ref); !errors.Is(err, archive.ErrMissing) {
		t.Errorf("after its removal: %v", err)
	}
	for object, err := range st.List(t.Context(), "orders/nightly/") {
		t.Errorf("left of it: %+v, %v", object, err)
	}
}
