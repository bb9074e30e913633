package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"slices"
	"strconv"
	"time"

	"rekindle/internal/words"
	"rekindle/models"
)

const findUse = "rekindle find CLUSTER --key NAME | --pattern PATTERN [--snapshot SNAPSHOT | --in journal]"

// foundKey is a key that a search has found in a snapshot, as it is printed.
type foundKey struct {
	Name       string     `json:"name,omitempty"` // as redis-cli writes it; not there: the one that was looked for, or names are hidden
	NameLength int        `json:"-"`
	Database   int        `json:"database"`
	Type       string     `json:"type"`
	Encoding   string     `json:"encoding,omitempty"`
	Bytes      int64      `json:"bytes"`
	ExpireTime *time.Time `json:"expires_at"`
	Digest     string     `json:"digest"`
}

// searched is what a search has found out about a snapshot.
type searched struct {
	SnapshotName       string           `json:"name"`
	SnapshotCreateTime time.Time        `json:"data_of"`
	State              models.FindState `json:"state"`
	Message            string           `json:"reason,omitempty"`
	Matches            int64            `json:"matches"`
	Parts              int              `json:"-"`
	PartsDone          int              `json:"-"`
	PartsExcluded      int              `json:"-"`
	Keys               []foundKey       `json:"keys" xml:"Keys>Key"`
}

// done tells whether nothing more is to come of a snapshot.
func (s searched) done() bool { return s.State == models.FindDone || s.State == models.FindFailed }

// finding follows a search, and prints what is found as it comes.
type finding struct {
	*apiClient
	out       io.Writer // io.Discard with --json
	marker    string    // of the page that is looked at
	printed   int       // how many snapshots of it were printed
	matches   int64
	snapshots []searched
	journal   *foundChanges // nil: no journal is looked through
}

// runFind is "rekindle find CLUSTER".
func runFind(ctx context.Context, args []string, getenv func(string) string, stdout, stderr io.Writer) error {
	flags := newFlags("find", `Look for a key in snapshots, and for its changes in the journal, by a running console: `+findUse+`.
Each snapshot is printed with the key in it, the newest first, as soon as it was looked through, and changes at the end, the newest first. A name that is no text
is written as redis-cli does: "\x00\xff". Exit codes: 0 when something was found, 1 when nothing was. An interrupted search is cancelled.
`+accessHelp, getenv, stdout)
	connect := declareClient(flags)
	key := flags.string("key", "", "`name` of the key")
	pattern := flags.string("pattern", "", "`pattern` of names, by Redis's rules, such as 'cart:*'")
	snapshot := flags.string("snapshot", "", "`name` of the only snapshot that is looked through (default: all of the cluster's)")
	where := flags.string("in", "snapshots", "`place`: snapshots, journal (each change of the key), or both")
	since := flags.string("since", "", "with the journal: the first `second` in UTC, such as 2026-11-27T10:41:07Z (default: its beginning)")
	until := flags.string("until", "", "with the journal: the last `second` (default: what is stored)")
	asJSON := flags.Bool("json", false, jsonUsage)
	cluster, err := flags.parseWith(args)
	if err != nil {
		return err
	}
	for flag, second := range map[string]*string{"since": since, "until": until} {
		if at, understood := models.ParseMoment(*second); understood {
			*second = at.UTC().Format(time.RFC3339)
		} else if *second != "" {
			return misuse("--%s must be a second such as 2026-11-27T10:41:07Z, not %q", flag, *second)
		}
	}
	switch {
	case cluster == "" && *snapshot == "":
		return misuse("say of which cluster: %s", findUse)
	case (*key == "") == (*pattern == ""):
		return misuse("say either the name of a key or a pattern: %s", findUse)
	}
	c, err := connect()
	if err != nil {
		return err
	}
	begun, err := c.begin(ctx, "RekindleFindKeys", formOf("ClusterName", cluster, "SnapshotName", *snapshot, "Key", *key, "Pattern", *pattern,
		"Where", *where, "Since", *since, "Until", *until))
	if err != nil {
		return c.explain(err)
	}
	f := &finding{apiClient: c, out: stdout}
	if *where != "snapshots" {
		f.journal = &foundChanges{Found: []foundChange{}, Holes: []unreadPiece{}}
	}
	if *asJSON {
		f.out = io.Discard
	}
	ended, err := c.awaitRun(ctx, begun.ID, "the search", terminalOf(stderr), f.look)
	if err != nil {
		return err
	}
	if f.journal != nil {
		if err := f.readChanges(ctx, begun.ID); err != nil {
			return err
		}
	}
	if *asJSON {
		document := map[string]any{"format_version": listingVersion, "matches": f.matches, "snapshots": append([]searched{}, f.snapshots...)}
		if f.journal != nil {
			document["journal"] = f.journal
		}
		if err := printJSON(stdout, document); err != nil {
			return err
		}
	}
	return f.verdict(ended, *where)
}

// formOf is a form with those of these parameters that have a value.
func formOf(pairs ...string) url.Values {
	form := url.Values{}
	for i := 0; i < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			form.Set(pairs[i], pairs[i+1])
		}
	}
	return form
}

// verdict is how the command ends.
func (f *finding) verdict(ended ownRun, where string) error {
	unread := 0
	for _, s := range f.snapshots {
		if s.State == models.FindFailed {
			unread++
		}
	}
	not := ""
	if unread > 0 {
		not = fmt.Sprintf(" %s could not be looked through completely.", words.Plural(unread, "snapshot"))
	}
	looked := words.Plural(len(f.snapshots), "snapshot")
	var changes int64
	if f.journal != nil {
		changes = f.journal.Changes
		if f.journal.Unread > 0 {
			not += fmt.Sprintf(" %s of the journal could not be looked through.", words.Plural(f.journal.Unread, "piece"))
		}
		if looked += " and the journal"; where == "journal" {
			looked = "the journal"
		}
	}
	switch {
	case ended.Status != models.RunSucceeded:
		return errors.New(cmp.Or(ended.Message, "the search was "+string(ended.Status)))
	case f.matches == 0 && changes == 0:
		return fmt.Errorf("nothing was found in %s.%s", looked, not)
	}
	return nil
}

// look asks how far the search is, and prints the snapshots that it has looked through, in their order.
func (f *finding) look(ctx context.Context, id string) (ownRun, error) {
	for {
		var now struct {
			Run       ownRun
			Matches   int64
			Marker    string
			Snapshots []searched `xml:"Snapshots>Snapshot"`
		}
		if err := f.own(ctx, "RekindleDescribeFind", formOf("RunId", id, "Marker", f.marker), &now); err != nil {
			return now.Run, err
		}
		f.matches = now.Matches
		for f.printed < len(now.Snapshots) && (now.Snapshots[f.printed].done() || now.Run.Status.Ended()) {
			f.print(now.Snapshots[f.printed])
			f.printed++
		}
		if f.printed < len(now.Snapshots) || now.Marker == "" {
			return now.Run, nil
		}
		f.marker, f.printed = now.Marker, 0
	}
}

func (f *finding) print(s searched) {
	s.Keys = slices.Clone(s.Keys)
	if s.Keys == nil {
		s.Keys = []foundKey{}
	}
	f.snapshots = append(f.snapshots, s)
	begins := s.SnapshotCreateTime.UTC().Format(time.DateTime) + "  " + s.SnapshotName + "  "
	for _, k := range s.Keys {
		fmt.Fprintln(f.out, begins+k.text())
	}
	if more := s.Matches - int64(len(s.Keys)); more > 0 {
		fmt.Fprintf(f.out, "%s%s of which no more is kept\n", begins, words.Plural(more, "key"))
	} else if s.Matches == 0 && s.State == models.FindDone {
		fmt.Fprintln(f.out, begins+"not there")
	}
	if s.State != models.FindDone {
		fmt.Fprintln(f.out, begins+cmp.Or(s.Message, "not looked through"))
	}
}

func (k foundKey) text() string {
	text := k.Type + "  " + words.Size(k.Bytes)
	if k.Name != "" {
		text = k.Name + "  " + text
	}
	if k.ExpireTime == nil {
		text += "  no expiry"
	} else {
		text += "  expires " + k.ExpireTime.UTC().Format(time.DateTime)
	}
	if k.Database > 0 {
		text += "  database " + strconv.Itoa(k.Database)
	}
	return text
}
