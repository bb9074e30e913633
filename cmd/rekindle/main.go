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
	"net"
	"net/http"
	"net/url"
	"os"
	"os/signal"
	"slices"
	"syscall"
	"time"

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

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	code := execute(ctx, call{os.Args[1:], os.Getenv, os.Environ(), os.Stdout, os.Stderr, os.Stdin})
	stop()
	os.Exit(code)
}

// run is main without the process, for tests.
func run(ctx context.Context, args []string, getenv func(string) string, stdout, stderr io.Writer) int {
	return execute(ctx, call{args: args, getenv: getenv, stdout: stdout, stderr: stderr})
}

// execute carries out the command that the arguments begin with, and returns the exit code.
func execute(ctx context.Context, c call) int {
	all := commands()
	if len(c.args) == 0 {
		fmt.Fprint(c.stderr, usage(all))
		return exitUsage
	}
	chosen, args, found := find(all, c.args)
	if !found {
		return lost(all, c)
	}
	c.args = args
	return exitCode(chosen, chosen.run(ctx, c), c.stderr)
}

// lost answers arguments that no command begins with.
func lost(all []command, c call) int {
	of := group(all, c.args[0])
	switch {
	case len(of) == 0:
		fmt.Fprintf(c.stderr, "rekindle: there is no command %q\n\n%s", c.args[0], usage(all))
	case len(c.args) > 1 && slices.Contains(append(helpWords, "help"), c.args[1]):
		fmt.Fprint(c.stdout, usage(of))
		return exitOK
	case len(c.args) > 1:
		fmt.Fprintf(c.stderr, "rekindle: there is no command %q\n\n%s", c.args[0]+" "+c.args[1], usage(of))
	default:
		fmt.Fprint(c.stderr, usage(of))
	}
	return exitUsage
}

// exitCode says how a command has ended.
func exitCode(chosen command, err error, stderr io.Writer) int {
	if _, logged := errors.AsType[loggedError](err); logged {
		stderr = io.Discard
	}
	switch {
	case err == nil, errors.Is(err, flag.ErrHelp):
		return exitOK
	case errors.Is(err, errUsage):
		fmt.Fprintln(stderr, "rekindle:", err)
		return exitUsage
	}
	inWords := catalog.TroubleInCommand
	if chosen.name == "serve" {
		inWords = catalog.TroubleAtStart
	}
	if text := inWords(err); text != "" {
		fmt.Fprintln(stderr, "rekindle:", text)
	}
	fmt.Fprintln(stderr, "rekindle:", err) // where that was, and what the driver says
	return exitFailed
}

// healthOf is where a console that listens there is asked on its own host.
func healthOf(listen string) string {
	host, port, err := net.SplitHostPort(listen)
	switch {
	case err != nil:
		host, port = "127.0.0.1", "8080" // serve refuses such an address
	case host == "" || host == "0.0.0.0":
		host = "127.0.0.1"
	case host == "::":
		host = "::1"
	}
	return "http://" + net.JoinHostPort(host, port) + "/healthz"
}

func runHealth(ctx context.Context, args []string, getenv func(string) string, stdout io.Writer) error {
	flags := newFlags("health", "Ask a running console whether it is healthy.", getenv, stdout)
	listen := flags.string("listen", defaultListen, "`host:port` on which the console serves")
	address := flags.string("url", "", "`URL` of the console, or of what to ask there (default: /healthz where the console serves)")
	if err := flags.parse(args); err != nil {
		return err
	}
	if *address == "" {
		*address = healthOf(*listen)
	} else if u, err := url.Parse(*address); err == nil && (u.Path == "" || u.Path == "/") { // REKINDLE_URL, as for other commands
		*address = u.JoinPath("healthz").String()
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
