package catalog

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jonboulle/clockwork"

	"rekindle/models"
)

func TestNewerCatalogIsRefusedInWordsAndLeftAsItIs(t *testing.T) {
	t.Parallel()
	place := newPlace(t)
	db, err := Open(t.Context(), place, clockwork.NewFakeClockAt(monday), &fakeHost{})
	check(t, err)
	check(t, db.gorm.Exec("INSERT INTO migrations (id) VALUES ('9999-future')").Error)
	before := content(t, db)
	check(t, db.Close())
	newer, err := Open(t.Context(), place, clockwork.NewFakeClockAt(monday), &fakeHost{})
	if !errors.Is(err, ErrNewerCatalog) || !strings.Contains(fmt.Sprint(err), "it has been brought to 9999-future, which this version does not know. Start the newer version again") {
		t.Fatalf("opened: %v, %v", newer, err)
	}
	raw := must(place.database().connect(clockwork.NewFakeClock()))(t)
	t.Cleanup(func() { check(t, closePool(raw)) })
	if content(t, &DB{gorm: raw}) != before {
		t.Error("it was changed")
	}
	if copies := must(filepath.Glob(filepath.Join(place.folder(), "*.before-*")))(t); len(copies) > 0 {
		t.Errorf("copies were made: %v", copies)
	}
}

func TestCopyIsKeptBeforeMigrationsAndOnlyThen(t *testing.T) {
	t.Parallel()
	inFile(t)
	path := filepath.Join(t.TempDir(), "with space", "rekindle?.db")
	clock := clockwork.NewFakeClockAt(monday)
	db := open(t, File(path), clock)
	launched(t, db, spec("orders"))
	open(t, File(path), clock)
	copies := func() []string {
		t.Helper()
		var found []string
		for _, entry := range must(os.ReadDir(filepath.Dir(path)))(t) {
			if strings.Contains(entry.Name(), ".before-") {
				found = append(found, filepath.Join(filepath.Dir(path), entry.Name()))
			}
		}
		return found
	}
	if got := copies(); len(got) != 0 {
		t.Fatalf("nothing was to be migrated, and there are %v", got)
	}
	for i := range 5 {
		check(t, db.gorm.Exec("DELETE FROM migrations WHERE id = ?", "0006-zone").Error) // it can be done again
		clock.Advance(1e9)
		other := open(t, File(path), clock)
		if must(other.Clusters.Get(t.Context(), "orders"))(t).Name != "orders" {
			t.Error("the cluster is gone")
		}
		if got := copies(); len(got) != min(i+1, keptCopies) {
			t.Errorf("after %d upgrades there are %v", i+1, got)
		}
	}
	for _, file := range copies() {
		if info := must(os.Stat(file))(t); info.Mode().Perm() != 0o600 {
			t.Errorf("%s has the mode %v", file, info.Mode())
		}
		if !strings.Contains(file, ".before-0006-zone.20260105T10") {
			t.Errorf("the copy is called %s", file)
		}
	}
	before := open(t, File(copies()[0]), clock)
	if must(before.Clusters.Get(t.Context(), "orders"))(t).Name != "orders" {
		t.Error("the copy has no cluster")
	}
}

func TestBackupWhileTheCatalogIsWritten(t *testing.T) {
	t.Parallel()
	inFile(t)
	db, _ := catalog(t)
	ctx, stop := context.WithCancel(t.Context())
	written, ended := make(chan struct{}, 1000), make(chan error)
	go func() {
		for ctx.Err() == nil {
			if err := db.transaction(context.Background(), func(tx *DB) error {
				return errors.Join(tx.Events.Add(context.Background(), models.Event{Message: "one of two"}), tx.Events.Add(context.Background(), models.Event{Message: "two of two"}))
			}); err != nil {
				ended <- err
				return
			}
			select {
			case written <- struct{}{}:
			default:
			}
		}
		ended <- nil
	}()
	for range 20 {
		<-written
	}
	target := filepath.Join(t.TempDir(), "backup.db")
	check(t, Backup(t.Context(), filepath.Join(db.folder, "rekindle.db"), target))
	if err := Backup(t.Context(), filepath.Join(db.folder, "rekindle.db"), target); err == nil || !strings.Contains(err.Error(), "is not overwritten") {
		t.Errorf("a second backup to the same file: %v", err)
	}
	stop()
	check(t, <-ended)
	if files := must(os.ReadDir(filepath.Dir(target)))(t); len(files) != 1 {
		t.Errorf("beside the backup there are %v", files)
	}
	if info := must(os.Stat(target))(t); info.Mode().Perm() != 0o600 {
		t.Errorf("the backup has the mode %v", info.Mode())
	}
	copied := open(t, File(target), clockwork.NewFakeClockAt(monday))
	if n := count(t, copied, &models.Event{}); n < 40 || n%2 != 0 {
		t.Errorf("the backup has %d events", n)
	}
}

func TestBackupOfWhatIsNoCatalog(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	garbage, empty := filepath.Join(folder, "garbage"), filepath.Join(folder, "empty")
	check(t, os.WriteFile(garbage, []byte(strings.Repeat("no database ", 1000)), 0o600))
	check(t, os.WriteFile(empty, nil, 0o600))
	for _, path := range []string{garbage, empty, filepath.Join(folder, "absent"), folder} {
		if err := Backup(t.Context(), path, filepath.Join(folder, "target")); err == nil {
			t.Errorf("%s was copied", path)
		}
	}
	if _, err := os.Stat(filepath.Join(folder, "target")); err == nil {
		t.Error("something was written")
	}
}
