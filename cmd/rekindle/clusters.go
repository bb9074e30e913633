package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/jonboulle/clockwork"

	"rekindle/internal/words"
	"rekindle/jobs/declared"
	"rekindle/models/catalog"
)

// loadClusters reads the clusters file that a console starts with; nil: there is none.
func loadClusters(source declared.Source) (*declared.File, error) {
	if source.Path == "" {
		return nil, nil
	}
	file, err := source.Load()
	if mistakes, wrong := errors.AsType[declared.Mistakes](err); wrong {
		return nil, misuse("%s in the clusters file:\n%s", words.Plural(len(mistakes), "mistake"), mistakes.Error())
	}
	return &file, err
}

// runCheckClusters is "rekindle clusters check FILE".
func runCheckClusters(args []string, getenv func(string) string, stdout io.Writer) error {
	flags := newFlags("clusters check", `Say what is wrong with a clusters file: rekindle clusters check FILE. No cluster is contacted. Secrets are looked for where the file
says, so run the command in the console's environment.`, getenv, stdout)
	path, err := flags.parseWith(args)
	if err != nil {
		return err
	}
	if path == "" {
		return misuse("name the file: rekindle clusters check FILE")
	}
	source, err := clustersSource(path, getenv)
	if err != nil {
		return err
	}
	file, err := loadClusters(source)
	if err != nil {
		return err
	}
	fmt.Fprintf(stdout, "The clusters file %s is good: it declares %s.\n", file.Path, words.Plural(len(file.Clusters), "cluster"))
	return nil
}

// runReleaseClusters is "rekindle clusters release", for those who give up their clusters file.
func runReleaseClusters(ctx context.Context, args []string, getenv func(string) string, stdout io.Writer) (err error) {
	flags := newFlags("clusters release", `Let all clusters that came from a clusters file be changed in the console again. They stay attached as they are. First start the console
without --clusters: with it, the clusters come from the file again.`, getenv, stdout)
	var c config
	read := declarePlace(flags, &c, "`folder` of the catalog")
	if err := flags.parse(args); err != nil {
		return err
	}
	if err := read(); err != nil {
		return err
	}
	if err := c.place.exists(ctx); err != nil {
		return err
	}
	db, err := catalog.Open(ctx, c.place.catalog, clockwork.NewRealClock(), nil)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	clusters, err := db.Attachments.Attached(ctx)
	if err != nil {
		return err
	}
	released := 0
	for _, cluster := range clusters {
		if cluster.Declared == "" {
			continue
		}
		if err := db.Attachments.Declare(ctx, cluster.Name, ""); err != nil {
			return err
		}
		released++
	}
	fmt.Fprintf(stdout, "%s can be changed in the console again.\n", words.Plural(released, "cluster"))
	return nil
}
