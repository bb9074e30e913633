// Rekindle is a web console that backs up and restores Redis and Valkey clusters.
//
// This package is the program: subcommands, flags and environment, signals and exit codes, and the wiring that builds
// everything, starts it and stops it in reverse order. Nothing else reads flags or the environment.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/signal"
	"runtime/debug"
	"strings"
	"syscall"
	"time"

	"github.com/jonboulle/clockwork"

	"rekindle/internal/store/s3"
	"rekindle/jobs/reach"
	"rekindle/models"
	"rekindle/models/catalog"
)

// version is set by the Makefile.
var version = "development"

// Exit codes, as a shell expects them.
const (
	exitOK     = 0
	exitFailed = 1
	exitUsage  = 2
)

const usage = `Rekindle backs up and restores Redis and Valkey clusters.

Usage:
  rekindle serve [flags]            serve the console
  rekindle attach NAME --address host:port [flags]
                                    attach an existing cluster (console running or stopped); --test only looks
  rekindle clusters check FILE      say what is wrong with a file for serve --clusters, which declares attached clusters
  rekindle clusters release [flags] let clusters that came from such a file be changed in the console again (console running or stopped)
  rekindle replace-ca [flags]       make a new CA for nodes that encrypt, vouched for by the present one (console running or stopped)
  rekindle reset-password [flags]   give the user admin a new password (console stopped or running)
  rekindle catalog backup FILE [flags]
                                    copy the database to a file (console running or stopped)
  rekindle catalog move --to URL [flags]
                                    move the database to another place (console stopped)
  rekindle catalog rebuild [flags]  list again what is in the snapshot store, after the database was lost (console stopped)
  rekindle catalog sample [flags]   make a new database of a given size, to measure what a machine can handle
  rekindle health [flags]           ask a running console whether it is healthy; for container health checks
  rekindle version                  print the version

rekindle <command> --help explains the command's flags. Each flag can also be set by the environment: --listen by
REKINDLE_LISTEN, --node-address by REKINDLE_NODE_ADDRESS and so on. A flag wins over the environment.
`

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	code := run(ctx, os.Args[1:], os.Getenv, os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// run is main without the process, for tests.
func run(ctx context.Context, args []string, getenv func(string) string, stdout, stderr io.Writer) int {
	if len(args) == 0 {
		fmt.Fprint(stderr, usage)
		return exitUsage
	}
	var err error
	switch args[0] {
	case "serve":
		err = runServe(ctx, args[1:], getenv, stdout, stderr)
	case "attach":
		err = runAttach(ctx, args[1:], getenv, stdout, stderr)
	case "clusters":
		err = runClusters(ctx, args[1:], getenv, stdout)
	case "replace-ca":
		err = runReplaceCA(ctx, args[1:], getenv, stdout)
	case "reset-password":
		err = runResetPassword(ctx, args[1:], getenv, stdout)
	case "catalog":
		err = runCatalog(ctx, args[1:], getenv, stdout, stderr)
	case "health":
		err = runHealth(ctx, args[1:], getenv, stdout)
	case "version", "--version", "-version":
		fmt.Fprintln(stdout, "rekindle "+version)
	case "help", "--help", "-help", "-h":
		fmt.Fprint(stdout, usage)
	default:
		fmt.Fprintf(stderr, "rekindle: there is no command %q\n\n%s", args[0], usage)
		return exitUsage
	}
	switch {
	case err == nil, errors.Is(err, flag.ErrHelp):
		return exitOK
	case errors.Is(err, errUsage):
		fmt.Fprintln(stderr, "rekindle:", err)
		return exitUsage
	}
	inWords := catalog.TroubleInCommand
	if args[0] == "serve" {
		inWords = catalog.TroubleAtStart
	}
	if text := inWords(err); text != "" {
		fmt.Fprintln(stderr, "rekindle:", text)
	}
	fmt.Fprintln(stderr, "rekindle:", err) // where that was, and what the driver says
	return exitFailed
}

func runServe(ctx context.Context, args []string, getenv func(string) string, stdout, stderr io.Writer) error {
	c, err := readServeConfig(args, getenv, stdout)
	if err != nil {
		return err
	}
	// The whole console should stay below 96 MiB; the garbage collector works harder before that. Uploads to S3 need
	// 16 MiB each in addition.
	if getenv("GOMEMLIMIT") == "" {
		limit := int64(72 << 20)
		if strings.HasPrefix(c.store, s3.Scheme) {
			limit = 40 << 20
		}
		debug.SetMemoryLimit(limit)
	}
	if c.clusters.Path != "" { // otherwise a SIGHUP ends the console, as it does any program
		reload := make(chan os.Signal, 1)
		signal.Notify(reload, syscall.SIGHUP)
		defer signal.Stop(reload)
		c.reload = reload
	}
	reach.Allow(c.attachAllow)
	return serve(ctx, c, clockwork.NewRealClock(), stdout, stderr, nil)
}

func runResetPassword(ctx context.Context, args []string, getenv func(string) string, stdout io.Writer) error {
	flags := newFlags("reset-password", "Give the user admin a new generated password and end all its sessions.", getenv, stdout)
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
	password, err := db.Users.ResetPassword(ctx, models.AdminName)
	if err := errors.Join(err, db.Close()); err != nil {
		return err
	}
	fmt.Fprintf(stdout, "user      %s\npassword  %s\n", models.AdminName, password.Reveal())
	return nil
}

func runHealth(ctx context.Context, args []string, getenv func(string) string, stdout io.Writer) error {
	flags := newFlags("health", "Ask a running console whether it is healthy.", getenv, stdout)
	address := flags.string("url", "http://127.0.0.1:8080/healthz", "what to ask")
	if err := flags.parse(args); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, *address, nil)
	if err != nil {
		return fmt.Errorf("%w: --url: %w", errUsage, err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return fmt.Errorf("ask %s: %w", *address, err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("ask %s: %s", *address, response.Status)
	}
	return nil
}
