package main

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"rekindle/models"
)

func TestDataFolderHasANameWhereTheCatalogIsElsewhere(t *testing.T) {
	t.Parallel()
	data, other := t.TempDir(), t.TempDir()
	home := func(catalog string) string {
		t.Helper()
		at, err := placeAt(data, catalog)
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
	// Another name would be another console's: the clusters of this one would be nobody's.
	fine(t, os.WriteFile(filepath.Join(data, homeFile), nil, 0o600))
	at, err := placeAt(data, outside)
	fine(t, err)
	if again, err := at.home(); err == nil || !strings.Contains(err.Error(), "is empty: put the data folder's name back") {
		t.Errorf("with an empty file it is %q, %v", again, err)
	}
}

func TestLockOfAConsoleThatWasKilledIsWaitedForAMoment(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		held   time.Duration // 0: for good
		locked bool
	}{
		"a moment": {100 * time.Millisecond, true},
		"for good": {0, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			data := t.TempDir()
			other, err := os.OpenFile(filepath.Join(data, lockFile), os.O_CREATE|os.O_RDWR, 0o600)
			fine(t, err)
			fine(t, syscall.Flock(int(other.Fd()), syscall.LOCK_EX))
			if test.held > 0 {
				time.AfterFunc(test.held, func() { other.Close() })
			} else {
				defer other.Close()
			}
			unlock, err := place{data: data}.lock()
			if (err == nil) != test.locked {
				t.Fatalf("lock = %v", err)
			}
			if err == nil {
				unlock()
			}
		})
	}
}

// placeAt is where --data and --catalog say.
func placeAt(data, url string) (place, error) {
	at, err := catalogPlace(data, url)
	return place{data, at}, err
}
