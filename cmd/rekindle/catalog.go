package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/jonboulle/clockwork"

	"rekindle/models/catalog"
)

// runBackup is "rekindle catalog backup FILE". The console may be running meanwhile.
func runBackup(ctx context.Context, args []string, getenv func(string) string, stdout io.Writer) error {
	flags := newFlags("catalog backup", `Copy the catalog to FILE, which must not be there yet; the console may run meanwhile. The copy is one whole file that can be put
in the place of rekindle.db, with the console stopped and without rekindle.db-wal and rekindle.db-shm. It contains secrets.`, getenv, stdout)
	var c config
	read := namePlace(flags, &c, "`folder` of the catalog") // root's backups go where only root may write; SQLite gives its own files to the catalog's owner
	target, err := flags.parseWith(args)
	if err != nil {
		return err
	}
	if target == "" {
		return fmt.Errorf("%w: name the file to write: rekindle catalog backup FILE [--data folder]", errUsage)
	}
	if err := read(); err != nil {
		return err
	}
	if err := c.place.exists(ctx); err != nil {
		return err
	}
	if c.place.catalog.InPostgres() {
		return fmt.Errorf("%w: the catalog is in PostgreSQL, which has its own tools for that: pg_dump --format=custom --file=FILE, and pg_restore", errUsage)
	}
	if err := catalog.Backup(ctx, c.place.catalog.File, target); err != nil {
		if text := catalog.Trouble(err); text != "" {
			return fmt.Errorf("the disk of %s cannot be written: %v", target, err) // not %w: it is not the disk of the catalog
		}
		return err
	}
	fmt.Fprintf(stdout, "The catalog %s was copied to %s.\n", c.place.catalog, target)
	return nil
}

// runMove is "rekindle catalog move". All consoles must be stopped.
func runMove(ctx context.Context, args []string, getenv func(string) string, stdout io.Writer) (err error) {
	flags := newFlags("catalog move", `Move the catalog to another place, with all consoles that use it stopped. Afterwards start them with --catalog and that
place: the old catalog can no longer be used. A place is sqlite:/path/to/rekindle.db or
postgres://user:password@host/database?sslmode=verify-full.`, getenv, stdout)
	declareConfig(flags)
	data := flags.string("data", "./data", "`folder` of the nodes' files, of the console that is to look after them from the new place")
	from := flags.string("from", "", "`URL` of the present catalog (default: rekindle.db in the data folder)")
	to := flags.string("to", "", "`URL` of the new one: an empty database, or a file that is not there")
	if err := flags.parse(args); err != nil {
		return err
	}
	source, err := catalogPlace(*data, *from)
	if err != nil {
		return fmt.Errorf("%w: --from %w", errUsage, err)
	}
	target, err := catalogPlace(*data, *to)
	if err == nil && *to == "" {
		err = fmt.Errorf("must name the new place: %s", catalogForms)
	}
	if err != nil {
		return fmt.Errorf("%w: --to %w", errUsage, err)
	}
	before, after := place{*data, source}, place{*data, target}
	if err := errors.Join(before.become(), before.exists(ctx)); err != nil {
		return err
	}
	unlock, err := before.lock()
	if err != nil {
		return err
	}
	defer unlock()
	fromHome, err := before.home()
	if err != nil {
		return err
	}
	toHome, err := after.home()
	if err != nil {
		return err
	}
	catalogs := make([]*catalog.DB, 2)
	for i, at := range []catalog.Place{source, target} {
		if catalogs[i], err = catalog.Open(ctx, at, clockwork.NewRealClock(), nil); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, catalogs[i].Close()) }()
	}
	rows, err := catalog.Move(ctx, catalogs[0], catalogs[1], fromHome, toHome)
	if err != nil {
		return err
	}
	fmt.Fprintf(stdout, "The catalog %s, %d rows, was moved to %s. Start the console with --catalog and that place.\n", source, rows, target)
	return nil
}

// runRebuild is "rekindle catalog rebuild", for a stopped console whose database is lost or older than the store.
func runRebuild(ctx context.Context, args []string, getenv func(string) string, stdout, stderr io.Writer) (err error) {
	flags := newFlags("catalog rebuild", `Rebuild the catalog from the manifests in the snapshot store, with the console stopped. Whatever the catalog and the
store agree on is not touched. Clusters whose nodes have their files in the data folder come back. The data folder and the store
must be there; on a new host, the data folder may be empty.`, getenv, stdout)
	var c config
	read := declareConsole(flags, &c)
	if err := flags.parse(args); err != nil {
		return err
	}
	if err := read(); err != nil {
		return err
	}
	if err := errors.Join(c.place.rebuildable(), storeExists(c.store)); err != nil {
		return err
	}
	clock := clockwork.NewRealClock()
	logger, _ := newLogger(c, stderr)
	built, err := build(ctx, c, clock, logger, nil)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, built.close()) }()
	began, said := clock.Now(), clock.Now()
	done, err := built.manager.RebuildCatalog(ctx, func(text string) {
		if clock.Since(said) >= time.Second { // not a line for every batch
			said = clock.Now()
			fmt.Fprintln(stderr, text)
		}
	})
	if err != nil {
		return err
	}
	fmt.Fprintf(stdout, "%s\nfound      %d\nnew        %d\nreinstated %d\nknown      %d\nmissing    %d\nwarnings   %d\nclusters   %d\ntook       %s\n", done.Sentence(),
		done.Found, done.Adopted, done.Restored, done.Agreed, done.Missing, done.Warnings, len(done.Clusters), clock.Since(began).Round(time.Millisecond))
	return nil
}
