package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"rekindle/internal/launch/local"
	"rekindle/internal/secret"
	"rekindle/models"
	"rekindle/models/catalog"
)

// place is where a console has its catalog and the files of its nodes.
type place struct {
	data    string // folder
	catalog catalog.Place
}

const catalogUsage = "where the catalog is: `URL` sqlite:/path/to/rekindle.db, which several consoles on one host may share, or " +
	"postgres://user:password@host/database?sslmode=verify-full, which consoles on several hosts may share (docs/running.md; default: rekindle.db in the data folder)"

// catalogForms is how --catalog may look.
const catalogForms = "sqlite:/path/to/rekindle.db or postgres://user:password@host/database?sslmode=verify-full"

// catalogPlace parses the place of a catalog. Its errors contain no password.
func catalogPlace(data, url string) (catalog.Place, error) {
	kind, path, _ := strings.Cut(url, ":")
	switch {
	case url == "":
		return catalogIn(filepath.Join(data, catalogFile), data)
	case kind == "sqlite" && path != "" && !strings.HasSuffix(path, "/"):
		return catalogIn(path, data)
	case kind == "postgres", kind == "postgresql":
		at := catalog.Place{URL: secret.Text(url), Folder: data}
		return at, at.Check()
	case kind == "sqlite":
		return catalog.Place{}, fmt.Errorf("must look like %s, not %q", catalogForms, url)
	}
	return catalog.Place{}, fmt.Errorf("must look like %s", catalogForms)
}

// catalogIn is a catalog in a file, with its absolute path, because pages show it.
func catalogIn(path, data string) (catalog.Place, error) {
	whole, err := filepath.Abs(path)
	if err != nil {
		return catalog.Place{}, fmt.Errorf("cannot be found: %w", err)
	}
	return catalog.Place{File: whole, Folder: data}, nil
}

// exists fails if there is no catalog.
func (p place) exists(ctx context.Context) error {
	if p.catalog.InPostgres() {
		if there, err := catalog.Exists(ctx, p.catalog); err != nil || there {
			return err
		}
	} else if _, err := os.Stat(p.catalog.File); err == nil {
		return nil
	}
	return fmt.Errorf("there is no catalog at %s; name the console's folder with --data, or its catalog with --catalog", p.catalog)
}

// rebuildable fails unless the data folder is one that a catalog can be rebuilt in: a console's, or an empty one on a new host. Whoever mistypes
// its name should not get a second console.
func (p place) rebuildable() error {
	entries, err := os.ReadDir(p.data)
	if errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("there is no folder %s: correct --data, or make the folder first if the console is to have a new one", p.data)
	} else if err != nil {
		return fmt.Errorf("look into the data folder: %w", err)
	}
	others := 0
	for _, entry := range entries {
		switch entry.Name() {
		case catalogFile, lockFile, homeFile, nodesFolder, storeFolder:
			return nil
		case "lost+found": // of a file system of its own
		default:
			others++
		}
	}
	if others > 0 {
		return fmt.Errorf("the folder %s is not empty, and nothing in it is a console's: correct --data", p.data)
	}
	return nil
}

// home names the data folder; a catalog distinguishes consoles by this name. A catalog in the data folder has only the console that has
// locked the folder, so the name is fixed. For any other catalog the name is kept in the folder.
func (p place) home() (string, error) {
	data, err := filepath.Abs(p.data)
	if err != nil {
		return "", fmt.Errorf("name the data folder: %w", err)
	}
	if !p.catalog.InPostgres() {
		if filepath.Dir(p.catalog.File) == data {
			return models.CatalogHome, nil
		}
	}
	path := filepath.Join(data, homeFile)
	name, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		name = []byte(rand.Text())
		err = local.ReplaceFile(path, append(name, '\n'))
	}
	if err != nil {
		return "", fmt.Errorf("name the data folder: %w", err)
	}
	if name = bytes.TrimSpace(name); len(name) == 0 {
		return "", fmt.Errorf("%s is empty: put the data folder's name back, as the catalog has it; or remove the file, and let `rekindle catalog rebuild` take over the clusters whose nodes are here", path)
	}
	return string(name), nil
}

// lockPatience is how long the lock of a killed console may outlive it: the process of a node that it was just starting keeps the console's files
// open until it has become the engine's program.
const lockPatience = 3 * time.Second

// lock makes sure that only one console at a time works on a data folder. The lock ends with the process, however that ends.
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
