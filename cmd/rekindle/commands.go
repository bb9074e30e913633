package main

import (
	"context"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"

	"rekindle/models"
)

// call is one use of a command.
type call struct {
	args           []string
	getenv         func(string) string
	environ        []string // all that is set, NAME=value; nil: not known
	stdout, stderr io.Writer
	stdin          io.Reader // nil: there is none
}

// command is something that rekindle can be told to do.
type command struct {
	name    string // one or two words
	takes   string // what follows, in the usage
	purpose string
	run     func(ctx context.Context, c call) error
}

// commands is all that rekindle can be told to do, in the order of the usage. What is offered to complete comes from here, too.
func commands() []command {
	return []command{
		{"serve", "[flags]", "serve the console", runServe},
		{"attach", "NAME --address host:port [flags]", "attach an existing cluster (console running or stopped); --test only looks", func(ctx context.Context, c call) error {
			return runAttach(ctx, c.args, c.getenv, c.stdout, c.stderr)
		}},
		{"config check", "[FILE] [flags]", "say what is wrong with a configuration file, or print all settings and where they come from", func(_ context.Context, c call) error {
			return runConfigCheck(c)
		}},
		{"clusters check", "FILE", "say what is wrong with a file for serve --clusters, which declares attached clusters", func(_ context.Context, c call) error {
			return runCheckClusters(c.args, c.getenv, c.stdout)
		}},
		{"clusters release", "[flags]", "let clusters that came from such a file be changed in the console again (console running or stopped)", func(ctx context.Context, c call) error {
			return runReleaseClusters(ctx, c.args, c.getenv, c.stdout)
		}},
		{"replace-ca", "[flags]", "make a new CA for nodes that encrypt, vouched for by the present one (console running or stopped)", func(ctx context.Context, c call) error {
			return runReplaceCA(ctx, c.args, c.getenv, c.stdout)
		}},
		{"user reset-password", "NAME [flags]", "give a user a new password (console stopped or running)", func(ctx context.Context, c call) error {
			return runResetPassword(ctx, "user reset-password", "", c.args, c.getenv, c.stdout)
		}},
		{"reset-password", "[flags]", "the same, for the user admin", func(ctx context.Context, c call) error {
			return runResetPassword(ctx, "reset-password", models.AdminName, c.args, c.getenv, c.stdout)
		}},
		{"list", "[clusters|snapshots] [flags]", "list what a running console has", func(ctx context.Context, c call) error {
			return runList(ctx, c.args, c.getenv, c.stdout)
		}},
		{"backup now", "CLUSTER [flags]", "have a running console take a snapshot; --wait waits until it is available", func(ctx context.Context, c call) error {
			return runBackupNow(ctx, c.args, c.getenv, c.stdout, c.stderr)
		}},
		{"recover", "CLUSTER --to MOMENT --as NAME|--into NAME [flags]", "have a running console make a snapshot, or a new cluster, of a cluster as it was at a moment", func(ctx context.Context, c call) error {
			return runRecover(ctx, c.args, c.getenv, c.stdout, c.stderr)
		}},
		{"restore", "SNAPSHOT --as NAME [flags]", "have a running console restore a snapshot into a new cluster", func(ctx context.Context, c call) error {
			return runRestore(ctx, c.args, c.getenv, c.stdout, c.stderr)
		}},
		{"find", "CLUSTER --key NAME [flags]", "have a running console look for a key in snapshots", func(ctx context.Context, c call) error {
			return runFind(ctx, c.args, c.getenv, c.stdout, c.stderr)
		}},
		{"bring-back", "SNAPSHOT --into CLUSTER --key NAME [flags]", "have a running console bring keys of a snapshot back into a running cluster", runBringBack},
		{"catalog backup", "FILE [flags]", "copy the database to a file (console running or stopped)", func(ctx context.Context, c call) error {
			return runBackup(ctx, c.args, c.getenv, c.stdout)
		}},
		{"catalog move", "--to URL [flags]", "move the database to another place (console stopped)", func(ctx context.Context, c call) error {
			return runMove(ctx, c.args, c.getenv, c.stdout)
		}},
		{"catalog rebuild", "[flags]", "list again what is in the snapshot store, after the database was lost (console stopped)", func(ctx context.Context, c call) error {
			return runRebuild(ctx, c.args, c.getenv, c.stdout, c.stderr)
		}},
		{"catalog sample", "[flags]", "make a new database of a given size, to measure what a machine can handle", func(ctx context.Context, c call) error {
			return runSample(ctx, c.args, c.getenv, c.stdout)
		}},
		{"store adopt", "[flags]", "make the snapshot store the console's own, after it was exchanged on purpose", func(ctx context.Context, c call) error {
			return runAdopt(ctx, c.args, c.getenv, c.stdout)
		}},
		{"health", "[flags]", "ask a running console whether it is healthy; for container health checks", func(ctx context.Context, c call) error {
			return runHealth(ctx, c.args, c.getenv, c.stdout)
		}},
		{"completion", "bash|zsh|fish", "print a script that has a shell complete commands and flags", func(_ context.Context, c call) error {
			return runCompletion(c)
		}},
		{"version", "", "print the version", func(_ context.Context, c call) error {
			fmt.Fprintln(c.stdout, "rekindle "+version)
			return nil
		}},
		{"help", "", "print this", func(_ context.Context, c call) error {
			fmt.Fprint(c.stdout, usage(commands()))
			return nil
		}},
	}
}

// helpWords ask for help in the place of a command.
var helpWords = []string{"--help", "-help", "-h"}

// find returns the command that the arguments begin with, and the arguments behind it.
func find(all []command, args []string) (command, []string, bool) {
	switch {
	case slices.Contains(helpWords, args[0]):
		args = []string{"help"}
	case args[0] == "--version" || args[0] == "-version":
		args = []string{"version"}
	}
	for _, c := range all {
		if name := strings.Fields(c.name); len(args) >= len(name) && slices.Equal(args[:len(name)], name) {
			return c, args[len(name):], true
		}
	}
	return command{}, nil, false
}

// group returns the commands of two words that begin with this one.
func group(all []command, word string) []command {
	return slices.DeleteFunc(slices.Clone(all), func(c command) bool { return !strings.HasPrefix(c.name, word+" ") })
}

// synopsis is how a command is written.
func (c command) synopsis() string { return strings.TrimSpace("rekindle " + c.name + " " + c.takes) }

// flagText is what a command's help says of a flag.
type flagText struct{ name, value, purpose string }

var flagLines = regexp.MustCompile(`(?m)^  --([a-z-]+) (.*)\n        (.*)$`)

// flags are those that the command's help lists.
func (c command) flags(ctx context.Context) (all []flagText) {
	if !strings.HasSuffix(c.takes, "[flags]") {
		return nil
	}
	var help strings.Builder
	_ = c.run(ctx, call{args: []string{"--help"}, getenv: func(string) string { return "" }, stdout: &help, stderr: io.Discard})
	for _, found := range flagLines.FindAllStringSubmatch(help.String(), -1) {
		all = append(all, flagText{found[1], found[2], found[3]})
	}
	return all
}

// usage lists commands.
func usage(some []command) string {
	const width = 34
	var b strings.Builder
	b.WriteString("Rekindle backs up and restores Redis and Valkey clusters.\n\nUsage:\n")
	for _, c := range some {
		if written := c.synopsis(); len(written) < width {
			fmt.Fprintf(&b, "  %-*s%s\n", width, written, c.purpose)
		} else {
			fmt.Fprintf(&b, "  %s\n  %*s%s\n", written, width, "", c.purpose)
		}
	}
	b.WriteString(`
rekindle <command> --help explains the command's flags. Each flag can also be set by the environment: --listen by
REKINDLE_LISTEN, --node-address by REKINDLE_NODE_ADDRESS and so on; and by a file (--config), as listen: 127.0.0.1:8080.
A flag wins over the environment, and both win over the file.
`)
	return b.String()
}
