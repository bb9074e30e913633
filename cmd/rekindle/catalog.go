package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"time"

	"github.com/jonboulle/clockwork"

	"rekindle/internal/launch"
	"rekindle/jobs"
	"rekindle/models"
)

// runCatalog is "rekindle catalog rebuild": for a console that is stopped, whose database is lost or older than the store.
func runCatalog(ctx context.Context, args []string, getenv func(string) string, stdout, stderr io.Writer) (err error) {
	if len(args) > 0 && slices.Contains([]string{"help", "--help", "-help", "-h"}, args[0]) {
		args = []string{"rebuild", "--help"}
	}
	if len(args) == 0 || args[0] != "rebuild" {
		return fmt.Errorf("%w: the only thing to do with a catalog is: rekindle catalog rebuild", errUsage)
	}
	flags := newFlags("catalog rebuild", `Rebuild the catalog from the manifests in the snapshot store, with the console stopped. What the catalog has and the
store agrees with is not touched. Clusters come back whose nodes have their files in the data folder.`, getenv, stdout)
	data := flags.string("data", "./data", "`folder` of the catalog and of the nodes' files")
	location := flags.string("store", "", "where snapshots are kept, as serve takes it (default: snapshots in the data folder)")
	nodeAddress := flags.string("node-address", "127.0.0.1", "`address` that launched nodes are bound to")
	if err := flags.parse(args[1:]); err != nil {
		return err
	}
	if *location == "" {
		*location = "dir:" + filepath.Join(*data, "snapshots")
	}
	if err := checkStore(*location); err != nil {
		return fmt.Errorf("%w: --store: %w", errUsage, err)
	}
	unlock, err := lockData(*data)
	if err != nil {
		return err
	}
	defer unlock()
	clock := clockwork.NewRealClock()
	logger := newLogger(config{}, stderr)
	store, err := openStore(ctx, *location)
	if err != nil {
		return fmt.Errorf("open snapshot store: %w", err)
	}
	nodes := launch.NewLocal(filepath.Join(*data, nodesFolder), *nodeAddress, launch.Options{Log: logger, AllowOpen: true})
	host := jobs.NewHost(nodes, *nodeAddress)
	db, err := models.Open(ctx, filepath.Join(*data, catalogFile), clock, host)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	manager, err := jobs.New(jobs.Config{DB: db, Store: store, Nodes: nodes, Host: host, Clock: clock, Logger: logger, Owner: rand.Text()})
	if err != nil {
		return err
	}
	began, said := clock.Now(), clock.Now()
	done, err := manager.RebuildCatalog(ctx, func(text string) {
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
