package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"

	"github.com/jonboulle/clockwork"

	"rekindle/internal/launch/local"
	"rekindle/jobs"
	"rekindle/jobs/declared"
	"rekindle/models/catalog"
)

// console is what must exist before anything is served or done: the locked data folder, the catalog, and the jobs with the store and
// the nodes.
type console struct {
	db      *catalog.DB
	manager *jobs.Manager
	undo    []func() error
}

// build makes a console in which nothing runs yet, with a clusters file to start with, or nil. The caller must close it.
func build(ctx context.Context, c config, clock clockwork.Clock, logger *slog.Logger, begin *declared.File) (_ *console, err error) {
	made := &console{}
	defer func() {
		if err != nil {
			err = errors.Join(err, made.close())
		}
	}()
	unlock, err := c.place.lock()
	if err != nil {
		return nil, err
	}
	made.undo = append(made.undo, func() error { unlock(); return nil })
	home, err := c.place.home()
	if err != nil {
		return nil, err
	}
	store, err := openStore(ctx, c.store)
	if err != nil {
		return nil, fmt.Errorf("open snapshot store: %w", err)
	}
	nodes := local.New(filepath.Join(c.place.data, nodesFolder), c.nodeAddresses,
		local.Options{EnginePaths: c.engines, FirstPort: c.nodePorts[0], LastPort: c.nodePorts[1], Announce: c.announced, Log: logger, AllowOpen: true})
	host := jobs.NewHost(nodes, home)
	if made.db, err = catalog.Open(ctx, c.place.catalog, clock, host); err != nil {
		return nil, err
	}
	made.undo = append(made.undo, made.db.Close)
	traces, sent, err := tracer(ctx, c.getenv, logger)
	if err != nil {
		return nil, err
	}
	made.undo = append(made.undo, func() error { sent(); return nil })
	made.manager, err = jobs.New(jobs.Config{DB: made.db, Store: store, Launcher: nodes, Host: host, Clock: clock, Logger: logger, Tracer: traces,
		Lease: c.lease, Transfers: c.transfers, SnapshotsPerHost: c.perHost, Bandwidth: int64(c.bandwidth) << 20, OpenStore: openStore, Declared: begin, PublicURL: c.publicURL, Spool: filepath.Join(c.place.data, spoolFolder),
		Bucket: func(name, region string) string { return bucketOf(c.store, name, region) }})
	return made, err
}

// close undoes what was built, in reverse order.
func (c *console) close() error {
	var failures []error
	for _, undo := range slices.Backward(c.undo) {
		failures = append(failures, undo())
	}
	return errors.Join(failures...)
}
