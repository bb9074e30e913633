package main

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"rekindle/internal/launch"
	"rekindle/models"
)

// place is where a console has its catalog and the files of its nodes.
type place struct {
	data    string // folder
	catalog string // file
}

const catalogUsage = "where the catalog is: `URL` sqlite:/path/to/rekindle.db, which several consoles on one host may share (default: rekindle.db in the data folder)"

// placeOf reads --data and --catalog.
func placeOf(data, catalog string) (place, error) {
	if catalog == "" {
		return place{data, filepath.Join(data, catalogFile)}, nil
	}
	path, ok := strings.CutPrefix(catalog, "sqlite:")
	if !ok || path == "" || strings.HasSuffix(path, "/") {
		return place{}, fmt.Errorf("%w: --catalog must look like sqlite:/path/to/rekindle.db, not %q", errUsage, catalog)
	}
	return place{data, filepath.Clean(path)}, nil
}

// exists fails when there is no catalog.
func (p place) exists() error {
	if _, err := os.Stat(p.catalog); err != nil {
		return fmt.Errorf("there is no catalog at %s; name the console's folder with --data, or its catalog with --catalog", p.catalog)
	}
	return nil
}

// home names the data folder, by which a catalog tells consoles apart. A catalog that lies in the data folder has only the one that has
// locked the folder, whatever becomes of it; any other gets a name that is kept in the folder.
func (p place) home() (string, error) {
	data, err := filepath.Abs(p.data)
	if err != nil {
		return "", fmt.Errorf("name the data folder: %w", err)
	}
	if catalog, err := filepath.Abs(p.catalog); err != nil || filepath.Dir(catalog) == data {
		return models.CatalogHome, err
	}
	path := filepath.Join(data, homeFile)
	name, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		name = []byte(rand.Text())
		err = launch.ReplaceFile(path, append(name, '\n'))
	}
	if err != nil {
		return "", fmt.Errorf("name the data folder: %w", err)
	}
	if name = bytes.TrimSpace(name); len(name) == 0 {
		return "", fmt.Errorf("%s is empty: put the data folder's name back, as the catalog has it; or remove the file, and let `rekindle catalog rebuild` take the clusters over whose nodes are here", path)
	}
	return string(name), nil
}

// lockPatience is how long the lock of a console that was killed may outlive it: a node that it was just starting has its files open
// until that is another program.
const lockPatience = 3 * time.Second

// lock makes sure that one console at a time works on a data folder. The lock goes with the process, however it ends.
func (p place) lock() (unlock func(), err error) {
	if err := os.MkdirAll(p.data, 0o700); err != nil {
		return nil, fmt.Errorf("create data folder: %w", err)
	}
	file, err := os.OpenFile(filepath.Join(p.data, lockFile), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lock data folder: %w", err)
	}
	for begun := time.Now(); ; time.Sleep(20 * time.Millisecond) {
		if syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) == nil {
			return func() { file.Close() }, nil
		} else if time.Since(begun) < lockPatience {
			continue
		}
		file.Close()
		return nil, fmt.Errorf("another Rekindle already works on %s: stop it first, or choose another folder with --data", p.data)
	}
}
