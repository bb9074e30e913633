package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/jonboulle/clockwork"

	"rekindle/models/catalog"
)

// The limits of "rekindle catalog sample": more of either is a typing mistake rather than a real size.
const (
	maxSampleClusters  = 1_000_000
	maxSampleSnapshots = 1_000
)

// runSample is "rekindle catalog sample", for people who want to know how their machine copes with a catalog of some size.
func runSample(ctx context.Context, args []string, getenv func(string) string, stdout io.Writer) (err error) {
	flags := newFlags("catalog sample", `Make a new catalog of so many clusters with so many snapshots, to see how fast pages are on this machine with one of that size.
There are no nodes and no bytes behind it: give it a folder or a database of its own, and drop that afterwards.`, getenv, stdout)
	var c config
	read := declarePlace(flags, &c, "`folder` of the new catalog")
	clusters := flags.Int("clusters", 10_000, "how `many` clusters, of two nodes each")
	snapshots := flags.Int("snapshots", 35, "how `many` automatic snapshots each of them has, one a day until yesterday")
	if err := flags.parse(args); err != nil {
		return err
	}
	if err := read(); err != nil {
		return err
	}
	if *clusters < 1 || *clusters > maxSampleClusters || *snapshots < 0 || *snapshots > maxSampleSnapshots {
		return fmt.Errorf("%w: --clusters must be between 1 and %d, and --snapshots between 0 and %d", errUsage, maxSampleClusters, maxSampleSnapshots)
	}
	at := c.place
	if at.catalog.InPostgres() {
		if there, err := catalog.Exists(ctx, at.catalog); err != nil {
			return err
		} else if there {
			return fmt.Errorf("there is already a catalog at %s: name an empty database", at.catalog)
		}
	} else if _, err := os.Stat(at.catalog.File); !errors.Is(err, os.ErrNotExist) {
		return errors.Join(fmt.Errorf("there is already a file %s: name another folder with --data", at.catalog.File), err)
	}
	unlock, err := at.lock()
	if err != nil {
		return err
	}
	defer unlock()
	began := time.Now()
	db, err := catalog.Open(ctx, at.catalog, clockwork.NewRealClock(), nil)
	if err != nil {
		return err
	}
	if err := errors.Join(db.Sample(ctx, *clusters, *snapshots), db.Close()); err != nil {
		return err
	}
	fmt.Fprintf(stdout, `The catalog %s has %d clusters and %d snapshots now, made in %s.
Look at it with: rekindle serve --data %s
There are no nodes and no bytes behind it: its clusters will soon be shown as unreachable. Never serve it with a store that has snapshots.
`, at.catalog, *clusters, *clusters**snapshots, time.Since(began).Round(time.Second), at.data)
	return nil
}
