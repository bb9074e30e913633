package main

import (
	"os"
	"path/filepath"
	"testing"

	"rekindle/models"
)

func TestDataFolderHasANameWhereTheCatalogIsElsewhere(t *testing.T) {
	t.Parallel()
	data, other := t.TempDir(), t.TempDir()
	home := func(catalog string) string {
		t.Helper()
		at, err := placeOf(data, catalog)
		fine(t, err)
		name, err := at.home()
		fine(t, err)
		return name
	}
	for _, inside := range []string{"", "sqlite:" + filepath.Join(data, catalogFile), "sqlite:" + filepath.Join(data, "sub", "..", "other.db")} {
		if got := home(inside); got != models.CatalogHome {
			t.Errorf("with the catalog %q it is %s", inside, got)
		}
	}
	if left, err := os.ReadDir(data); err != nil || len(left) != 0 {
		t.Errorf("left %v, %v", left, err)
	}
	outside := "sqlite:" + filepath.Join(other, catalogFile)
	name := home(outside)
	if again := home(outside); len(name) < 20 || again != name {
		t.Errorf("it is %q, then %q", name, again)
	}
	fine(t, os.WriteFile(filepath.Join(data, homeFile), nil, 0o600)) // as a full disk leaves it
	if again := home(outside); len(again) < 20 || again == name {
		t.Errorf("after an empty file it is %q", again)
	}
}
