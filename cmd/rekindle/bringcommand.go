package main

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"strconv"
	"strings"

	"rekindle/internal/words"
	"rekindle/models"
)

const bringUse = "rekindle bring-back SNAPSHOT --into CLUSTER --key NAME | --keys-from FILE | --pattern PATTERN"

// brought is what became of keys, or would become.
type brought struct {
	Chosen   int64        `json:"chosen"`
	Bytes    int64        `json:"bytes"`
	Added    int64        `json:"new"`
	Replaced int64        `json:"replaced"`
	Skipped  int64        `json:"skipped"`
	Expired  int64        `json:"expired"`
	Alike    int64        `json:"alike"`
	Unsure   int64        `json:"unsure"`
	Missing  int          `json:"missing"`
	Keys     []broughtKey `json:"keys" xml:"Keys>Key"`
}

type broughtKey struct {
	Name     string `json:"name,omitempty"`
	Database int    `json:"database"`
	Type     string `json:"type"`
	Fate     string `json:"fate"`
	Alike    bool   `json:"alike,omitempty"`
}

// names are the values of a flag that may be given several times.
type names []string

// String joins the values.
func (n *names) String() string { return strings.Join(*n, " ") }

// Set adds a value.
func (n *names) Set(text string) error {
	*n = append(*n, text)
	return nil
}

// bringing is one use of "rekindle bring-back".
type bringing struct {
	*apiClient
	call
	form    url.Values
	replace bool
	yes     bool
	json    bool
	printed map[string]any
}

// runBringBack is "rekindle bring-back SNAPSHOT --into CLUSTER".
func runBringBack(ctx context.Context, c call) error {
	flags := newFlags("bring-back", `Bring keys of a snapshot back into a running cluster, by a running console: `+bringUse+`.
It is rehearsed first, and what would be done is printed. Keys that the cluster has stay as they are; with --replace they are replaced, which has to be confirmed on a terminal.
A name that is no text is written as redis-cli does: "\x00\xff". When it is interrupted while it waits, the run is cancelled.
`+accessHelp, c.getenv, c.stdout)
	connect := declareClient(flags)
	b := &bringing{call: c, printed: map[string]any{"format_version": listingVersion}}
	read := b.declare(flags)
	rehearse := flags.Bool("rehearse", false, "only rehearse it: nothing is written")
	wait := flags.Bool("wait", false, "wait until the keys are there; if that fails, so does the command")
	snapshot, err := flags.parseWith(c.args)
	if err != nil {
		return err
	}
	if err := read(snapshot); err != nil {
		return err
	}
	if b.apiClient, err = connect(); err != nil {
		return err
	}
	first := b.form.Get("FirstSnapshotName")
	b.form.Del("FirstSnapshotName")
	would, err := b.rehearse(ctx)
	if err != nil {
		return err
	}
	if *rehearse || would.Added+would.Replaced == 0 {
		return b.finish()
	}
	if err := b.confirm(would); err != nil {
		return err
	}
	if first != "" {
		b.form.Set("FirstSnapshotName", first)
	}
	return b.carry(ctx, *wait)
}

// declare declares the flags that say what is brought back and how.
func (b *bringing) declare(flags *flagSet) func(snapshot string) error {
	into := flags.string("into", "", "`name` of the cluster")
	var keys names
	flags.Var(&keys, "key", "`name` of a key; it may be given several times")
	from := flags.string("keys-from", "", "`file` with names of keys, one a line; - is standard input")
	pattern := flags.string("pattern", "", "`pattern` of names, by Redis's rules, such as 'cart:*'")
	flags.BoolVar(&b.replace, "replace", false, "replace keys that the cluster has")
	as := flags.string("as", "", "`name` that the only key gets")
	prefix := flags.string("prefix", "", "`text` that is put before each name")
	strip := flags.string("strip", "", "`text` that is taken off the beginning of each name")
	database := flags.string("database", "", "`number` of the only database whose keys are meant (default: all)")
	deadlines := flags.string("deadlines", "keep", "`when` the keys expire: keep (when the snapshot says), shift (after the time that they had left then), drop (never)")
	first := flags.string("snapshot-first", "", "`name` of a snapshot of the cluster that is taken before anything is written")
	flags.BoolVar(&b.yes, "yes", false, "do not ask on a terminal before keys are replaced")
	flags.BoolVar(&b.json, "json", false, jsonUsage)
	return func(snapshot string) error {
		switch {
		case snapshot == "":
			return misuse("say which snapshot: %s", bringUse)
		case *into == "":
			return misuse("say into which cluster: %s", bringUse)
		}
		if *from != "" {
			more, err := b.namesFrom(*from)
			if err != nil {
				return err
			}
			keys = append(keys, more...)
		}
		if (len(keys) == 0) == (*pattern == "") {
			return misuse("say either names of keys or a pattern: %s", bringUse)
		}
		b.form = formOf("SnapshotName", snapshot, "ClusterName", *into, "Pattern", *pattern, "As", *as, "Prefix", *prefix, "Strip", *strip, "Database", *database, "Deadlines", *deadlines,
			"FirstSnapshotName", *first, "Existing", map[bool]string{true: "replace", false: "skip"}[b.replace])
		for i, key := range keys {
			b.form.Set("Keys.member."+strconv.Itoa(i+1), key)
		}
		return nil
	}
}

// maxNames is how long a file with names may be, in bytes: what the API takes in one request.
const maxNames = 1 << 20

// namesFrom reads names, one a line.
func (b *bringing) namesFrom(path string) ([]string, error) {
	in := b.stdin
	if path != "-" {
		file, err := os.Open(path)
		if err != nil {
			return nil, fmt.Errorf("--keys-from: %w", err)
		}
		defer file.Close()
		in = file
	}
	if in == nil {
		in = strings.NewReader("")
	}
	text, err := io.ReadAll(io.LimitReader(in, maxNames+1))
	if err != nil {
		return nil, fmt.Errorf("--keys-from %s: %w", path, err)
	}
	if len(text) > maxNames {
		return nil, misuse("--keys-from %s has more than a megabyte of names: use a pattern", path)
	}
	var names []string
	for line := range strings.Lines(string(text)) {
		if line = strings.TrimRight(line, "\r\n"); line != "" {
			names = append(names, line)
		}
	}
	if len(names) > models.MaxBroughtNames {
		return nil, misuse("--keys-from %s has %d names; %d are the most: use a pattern", path, len(names), models.MaxBroughtNames)
	}
	if len(names) == 0 {
		return nil, misuse("--keys-from %s has no names", path)
	}
	return names, nil
}

// rehearse finds out what would be done, and prints that.
func (b *bringing) rehearse(ctx context.Context) (brought, error) {
	b.form.Set("Rehearse", "true")
	run, err := b.begin(ctx, "RekindleBringKeysBack", b.form)
	b.form.Del("Rehearse")
	if err != nil {
		return brought{}, b.explain(err)
	}
	run, err = b.awaitRun(ctx, run.ID, "the rehearsal", terminalOf(b.stderr), b.describeRun)
	if err == nil {
		err = ended(run)
	}
	if err != nil {
		return brought{}, err
	}
	b.say("rehearsal", run, fmt.Sprintf("rehearsed, nothing is written: %s", run.Brought.text(true)))
	return *run.Brought, nil
}

// ended says why a run has not succeeded.
func ended(run ownRun) error {
	if run.Status != models.RunSucceeded || run.Brought == nil {
		return errors.New(cmp.Or(run.Message, "the run was "+string(run.Status)))
	}
	return nil
}

// say prints what became of a run: as text now, as JSON at the end.
func (b *bringing) say(what string, run ownRun, text string) {
	if run.Brought != nil && run.Brought.Keys == nil {
		run.Brought.Keys = []broughtKey{}
	}
	b.printed[what] = map[string]any{"id": run.ID, "status": run.Status, "message": run.Message, "keys": run.Brought}
	if !b.json {
		fmt.Fprintln(b.stdout, text)
	}
}

func (b *bringing) finish() error {
	if b.json {
		return printJSON(b.stdout, b.printed)
	}
	return nil
}

// confirm asks before keys are replaced, if there is somebody to ask.
func (b *bringing) confirm(would brought) error {
	if would.Replaced == 0 || b.yes || !interactive(b.stdin) {
		return nil
	}
	cluster := b.form.Get("ClusterName")
	fmt.Fprintf(b.stderr, "%s of %s will be replaced. Type the cluster's name to go on: ", words.Plural(would.Replaced, "key"), cluster)
	line, _ := bufio.NewReader(b.stdin).ReadString('\n')
	if strings.TrimSpace(line) != cluster {
		return errors.New("that is not the name of the cluster; nothing was written")
	}
	return nil
}

// interactive tells whether somebody types there.
func interactive(in io.Reader) bool {
	file, is := in.(*os.File)
	return is && terminalOf(file) != io.Discard
}

// carry has the keys brought back.
func (b *bringing) carry(ctx context.Context, wait bool) error {
	run, err := b.begin(ctx, "RekindleBringKeysBack", b.form)
	if err != nil {
		return b.explain(err)
	}
	if !wait {
		b.say("run", run, "begun as run "+run.ID)
		return b.finish()
	}
	run, err = b.awaitRun(ctx, run.ID, "bringing keys back", terminalOf(b.stderr), b.describeRun)
	if err != nil {
		return err
	}
	if failed := ended(run); failed != nil {
		b.printed["run"] = map[string]any{"id": run.ID, "status": run.Status, "message": run.Message, "keys": run.Brought}
		return errors.Join(b.finish(), failed)
	}
	b.say("run", run, "brought back: "+run.Brought.text(false))
	return b.finish()
}

// text says what became of keys, or would become.
func (b brought) text(rehearsed bool) string {
	would := ""
	if rehearsed {
		would = "would be "
	}
	var parts []string
	for _, one := range []struct {
		n    int64
		what string
	}{{b.Added, would + "new"}, {b.Replaced, would + "replaced"}, {b.Skipped, would + "skipped, because the cluster has them"}, {b.Expired, would + "left out, because their time has passed"},
		{int64(b.Missing), "named that the snapshot does not have"}} {
		if one.n > 0 {
			parts = append(parts, words.Number(one.n)+" "+one.what)
		}
	}
	text := strings.Join(parts, "; ")
	if rehearsed && b.Alike > 0 {
		text += fmt.Sprintf("; of those that the cluster has, %s are stored in the same bytes", words.Number(b.Alike))
	}
	return text
}
