package catalog

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/jonboulle/clockwork"
	"gorm.io/gorm"
)

// keptCopies is how many copies from before an upgrade are kept beside the catalog.
const keptCopies = 3

// Backup copies the catalog in this file to another file, which must not exist yet. The catalog may be in use meanwhile and is not changed: it is not
// migrated.
func Backup(ctx context.Context, path, target string) (err error) {
	if _, err := os.Stat(path); err != nil {
		return fmt.Errorf("look for the catalog: %w", err)
	}
	if _, err := os.Lstat(target); err == nil {
		return fmt.Errorf("there is already something at %s, and it is not overwritten", target)
	}
	db, err := connectSQLite(path, clockwork.NewRealClock())
	if err != nil {
		return fmt.Errorf("open catalog %s: %w", path, err)
	}
	defer func() { err = errors.Join(err, closePool(db)) }()
	if applied, err := appliedMigrations(db.WithContext(ctx)); err != nil {
		return err
	} else if len(applied) == 0 {
		return fmt.Errorf("%s is not a catalog of Rekindle", path)
	}
	return copyCatalog(ctx, db, target)
}

// copyCatalog writes a copy of what is committed now: checked, flushed to the disk, and readable by its owner only. Nothing is overwritten.
func copyCatalog(ctx context.Context, db *gorm.DB, target string) (err error) {
	partial := target + ".partial-" + rand.Text()[:8]
	file, err := os.OpenFile(partial, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600) // SQLite accepts an empty file, and keeps its mode
	if err != nil {
		return fmt.Errorf("copy catalog: %w", err)
	}
	defer func() { err = errors.Join(err, file.Close(), os.Remove(partial)) }()
	if err := db.WithContext(ctx).Exec("VACUUM INTO ?", partial).Error; err != nil {
		return fmt.Errorf("copy catalog to %s: %w", target, err)
	}
	if err := checkCopy(ctx, partial); err != nil {
		return fmt.Errorf("check the copy of the catalog: %w", err)
	}
	if err := file.Sync(); err != nil {
		return fmt.Errorf("copy catalog to %s: %w", target, err)
	}
	if err := os.Link(partial, target); errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("there is already something at %s, and it is not overwritten", target)
	} else if err != nil {
		return fmt.Errorf("copy catalog to %s: %w", target, err)
	}
	return syncFolder(filepath.Dir(target))
}

func checkCopy(ctx context.Context, path string) (err error) {
	db, err := connectPlain(path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, closePool(db)) }()
	var said string
	if err := db.WithContext(ctx).Raw("PRAGMA quick_check(1)").Scan(&said).Error; err != nil {
		return err
	} else if said != "ok" {
		return errors.New(said)
	}
	return nil
}

func syncFolder(path string) error {
	folder, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(folder.Sync(), folder.Close())
}

// dropOldCopies keeps the newest copies, and always the one just made.
func dropOldCopies(prefix, made string) error {
	entries, err := os.ReadDir(filepath.Dir(prefix))
	if err != nil {
		return fmt.Errorf("list copies of the catalog: %w", err)
	}
	type kept struct {
		path string
		at   time.Time
	}
	var copies []kept
	for _, entry := range entries {
		if name := entry.Name(); !strings.HasPrefix(name, filepath.Base(prefix)) || strings.Contains(name, ".partial-") || name == filepath.Base(made) {
			continue
		}
		if info, err := entry.Info(); err == nil {
			copies = append(copies, kept{filepath.Join(filepath.Dir(prefix), entry.Name()), info.ModTime()})
		}
	}
	slices.SortFunc(copies, func(a, b kept) int { return b.at.Compare(a.at) })
	var failures []error
	for _, old := range copies[min(len(copies), keptCopies-1):] {
		failures = append(failures, os.Remove(old.path))
	}
	return errors.Join(failures...)
}
