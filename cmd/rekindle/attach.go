package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"text/tabwriter"

	"github.com/jonboulle/clockwork"

	"rekindle/internal/secret"
	"rekindle/internal/words"
	"rekindle/jobs/attached"
	"rekindle/jobs/reach"
	"rekindle/models"
	"rekindle/models/catalog"
)

// The variables with the secrets of a cluster that is to be attached: everybody on the host can see the arguments of a command.
const (
	attachPassword   = "REKINDLE_ATTACH_PASSWORD"
	sentinelPassword = "REKINDLE_ATTACH_SENTINEL_PASSWORD"
)

// runAttach is "rekindle attach NAME --address host:port". The console may be running meanwhile, and looks after the cluster from then on.
func runAttach(ctx context.Context, args []string, getenv func(string) string, stdout, stderr io.Writer) (err error) {
	flags := newFlags("attach", `Attach an existing cluster: rekindle attach NAME --address host:port. One node or Sentinel is enough, the others are found from there. Nothing is
changed on its nodes now. The console may run meanwhile. The password comes from `+attachPassword+`, that of the Sentinels from
`+sentinelPassword+`, or from files.`, getenv, stdout)
	var c config
	read := declarePlace(flags, &c, "`folder` of the catalog")
	spec := models.AttachSpec{RequestedBy: "the command line"}
	readSpec, readAllow := declareAttach(flags, &spec, getenv), declareAllow(flags, &c)
	test := flags.Bool("test", false, "only look, and say what was found")
	name, err := flags.parseWith(args)
	if err != nil {
		return err
	}
	if spec.Name = name; name == "" && !*test {
		return misuse("name the cluster: rekindle attach NAME --address host:port")
	}
	if err := errors.Join(readSpec(), readAllow(), read()); err != nil {
		return err
	}
	reach.Allow(c.attachAllow)
	logger := slog.New(slog.DiscardHandler) // its messages are printed on the terminal
	if *test {
		found, err := attached.NewFollower(attached.Config{Logger: logger}).Examine(ctx, spec)
		if err != nil {
			return inWordsOf(err)
		}
		return printExamination(stdout, found)
	}
	if err := c.place.exists(ctx); err != nil {
		return err
	}
	clock := clockwork.NewRealClock()
	db, err := catalog.Open(ctx, c.place.catalog, clock, nil)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	follower := attached.NewFollower(attached.Config{DB: db, Clock: clock, Logger: logger})
	if err := db.Attachments.Check(ctx, &spec); err != nil {
		return inWordsOf(err)
	}
	found, err := follower.Examine(ctx, spec)
	if err != nil {
		return inWordsOf(err)
	}
	if err := printExamination(stdout, found); err != nil {
		return err
	}
	cluster, err := follower.Attach(ctx, spec)
	if err != nil {
		return inWordsOf(err)
	}
	schedule := "no automatic snapshots"
	if cluster.Backups() {
		schedule = fmt.Sprintf("a snapshot every day in %s UTC, kept for %s", cluster.SnapshotWindow, words.Plural(cluster.RetentionLimit, "day"))
	}
	fmt.Fprintf(stdout, "\nThe cluster %s is attached: %s of %s, with %s.\n", cluster.Name, words.Plural(len(cluster.Nodes), "node"), cluster.EngineName(), schedule)
	return nil
}

// inWordsOf turns a refusal into a misuse with the same text.
func inWordsOf(err error) error {
	if faults, refused := models.AsFaults(err); refused {
		return misuse("%s", faults.Error())
	}
	return err
}

// declareAttach declares the flags that say how a cluster to be attached is reached.
func declareAttach(flags *flagSet, spec *models.AttachSpec, getenv func(string) string) declaration {
	addresses := flags.string("address", "", "`host:port` of a node or of a Sentinel, or several, separated by commas")
	mapped := flags.string("map", "", "`announced=reached`, or several, separated by commas, for nodes that announce an address that cannot be reached from here")
	flags.StringVar(&spec.Username, "username", "", "`user` of the nodes' ACL (default: their default user)")
	password := flags.string("password-file", "", "`file` with the password")
	flags.StringVar(&spec.PSYNC, "psync", "", "`name` that PSYNC has there (rename-command)")
	flags.BoolVar(&spec.ByKey, "read-by-key", false, "read snapshots key by key, where PSYNC is forbidden; they are not of one point in time")
	flags.StringVar(&spec.PrimaryName, "sentinel-name", "", "`name` of the primary that Sentinels watch, when they watch several")
	flags.StringVar(&spec.SentinelUsername, "sentinel-username", "", "`user` of the Sentinels' ACL")
	sentinels := flags.string("sentinel-password-file", "", "`file` with the Sentinels' password")
	flags.BoolVar(&spec.TLS, "tls", false, "connect to the nodes with TLS")
	ca := flags.string("ca", "", "`file` with the certificate of the nodes' CA (PEM; default: those that this host trusts)")
	certificate := flags.string("cert", "", "`file` with the client's certificate (PEM)")
	key := flags.string("key", "", "`file` with its private key (PEM)")
	flags.StringVar(&spec.ServerName, "server-name", "", "`name` that the nodes' certificates have (default: the host of each address)")
	flags.BoolVar(&spec.Unverified, "insecure", false, "trust whoever answers: certificates are not checked")
	untuned := flags.Bool("untuned", false, "leave the nodes' configuration alone (default: rdbcompression and repl-diskless-sync-delay are changed while a snapshot begins, and put back)")
	flags.StringVar(&spec.Description, "description", "", "`text` that says what it is for")
	flags.IntVar(&spec.Retention, "retention", 0, "`days` for which automatic snapshots are kept, 1 to 35 (default 0: none are taken)")
	window := flags.string("window", "", "`HH:MM-HH:MM` in UTC in which they begin (default: picked)")
	return func() error {
		spec.Addresses, spec.Mapped, spec.Tuned = models.SplitLines(*addresses), models.SplitLines(*mapped), !*untuned
		spec.Password, spec.SentinelPassword = secret.Text(getenv(attachPassword)), secret.Text(getenv(sentinelPassword))
		var failures []error
		file := func(name, path string, into func(text string)) {
			if path == "" {
				return
			}
			text, err := os.ReadFile(path)
			if err != nil {
				failures = append(failures, misuse("--%s: %v", name, err))
			}
			into(string(text))
		}
		file("password-file", *password, func(text string) { spec.Password = secret.Text(strings.TrimSpace(text)) })
		file("sentinel-password-file", *sentinels, func(text string) { spec.SentinelPassword = secret.Text(strings.TrimSpace(text)) })
		file("ca", *ca, func(text string) { spec.CA = text })
		file("cert", *certificate, func(text string) { spec.Certificate = text })
		file("key", *key, func(text string) { spec.PrivateKey = secret.Text(text) })
		if *window != "" {
			var err error
			if spec.Window, err = models.ParseWindow(*window); err != nil {
				failures = append(failures, misuse("--window: %v", err))
			}
		}
		return errors.Join(failures...)
	}
}

// printExamination prints what was found, and what prevents snapshots.
func printExamination(w io.Writer, e models.Examination) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "NODE\tSHARD\tROLE\tENGINE\tMEMORY\tKEYS\tSTATE")
	for _, n := range e.Nodes {
		state := n.State
		if n.Source {
			state += ", would serve snapshots"
		}
		if n.Problem != "" {
			state += ": " + n.Problem
		}
		fmt.Fprintf(table, "%s\t%d\t%s\t%s\t%s\t%s\t%s\n", n.Address, n.Shard, n.Role, n.Version, words.Size(n.UsedMemory), words.Number(n.Keys), state)
	}
	if err := table.Flush(); err != nil {
		return err
	}
	for _, text := range e.Hindrances {
		fmt.Fprintln(w, "In the way:", text)
	}
	for _, text := range e.Notes {
		fmt.Fprintln(w, "Note:", text)
	}
	if e.Rights != "" {
		fmt.Fprintln(w, "Rights that the user lacks, some of them only useful:", e.Rights)
	}
	if e.Tuning != "" {
		fmt.Fprintln(w, "Tuning:", e.Tuning)
	}
	if e.TuningRight != "" {
		fmt.Fprintln(w, "What would allow it:", e.TuningRight)
	}
	return nil
}
