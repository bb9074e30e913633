package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/jonboulle/clockwork"

	"rekindle/jobs/vault"
	"rekindle/models/catalog"
)

// runAdopt is "rekindle store adopt", for a store that was exchanged on purpose.
func runAdopt(ctx context.Context, args []string, getenv func(string) string, stdout io.Writer) (err error) {
	flags := newFlags("store adopt", `Make the store the console's own, whatever store the catalog remembers: for another store, or an empty one in the place of a lost
one. The console may run meanwhile. Snapshots that the catalog lists and that are not there are then missing.`, getenv, stdout)
	var c config
	read := declareConsole(flags, &c)
	if err := flags.parse(args); err != nil {
		return err
	}
	if err := read(); err != nil {
		return err
	}
	if err := errors.Join(c.place.exists(ctx), storeExists(c.store)); err != nil {
		return err
	}
	st, err := openStore(ctx, c.store)
	if err != nil {
		return fmt.Errorf("open snapshot store: %w", err)
	}
	db, err := catalog.Open(ctx, c.place.catalog, clockwork.NewRealClock(), nil)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	if err := vault.Adopt(ctx, db, st); err != nil {
		return err
	}
	fmt.Fprintf(stdout, "The snapshot store %s is this console's own now.\n", st.Location())
	return nil
}
