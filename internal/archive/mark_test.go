package archive_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"rekindle/internal/archive"
)

func TestMarkOfAStore(t *testing.T) {
	t.Parallel()
	a, _, folder := setUp(t)
	ctx := t.Context()
	if _, err := a.Mark(ctx); !errors.Is(err, archive.ErrMissing) || !errors.Is(a.Marked(ctx), archive.ErrMissing) {
		t.Errorf("of an empty store: %v", err)
	}
	first, err := a.CreateMark(ctx, "")
	if err != nil || first.ID == "" || first.FormatVersion != 1 || first.WrittenAt.IsZero() || a.Marked(ctx) != nil {
		t.Errorf("%+v, %v, %v", first, err, a.Marked(ctx))
	}
	if second, err := a.CreateMark(ctx, "another"); err != nil || second.ID != first.ID {
		t.Errorf("whoever comes later gets %+v, %v", second, err)
	}
	for entry, err := range a.List(ctx) {
		t.Errorf("List yields %+v, %v", entry, err)
	}
	if names, err := a.Clusters(ctx); err != nil || len(names) != 0 {
		t.Errorf("clusters: %v, %v", names, err)
	}
	for text, want := range map[string]error{"{": archive.ErrInvalid, `{"format_version": 1}`: archive.ErrInvalid, `{"format_version": 2, "id": "x"}`: archive.ErrNewer} {
		if err := os.WriteFile(filepath.Join(folder, "store.json"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := a.Mark(ctx); !errors.Is(err, want) {
			t.Errorf("%s: %v", text, err)
		}
	}
}
