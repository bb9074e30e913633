package main

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"rekindle/internal/words"
)

// foundChanges is what a search has found in a journal, as it is printed.
type foundChanges struct {
	Marker  string        `json:"-"`
	Changes int64         `json:"changes"` // all; those that are kept are printed
	Unread  int           `json:"unread"`
	Found   []foundChange `json:"found" xml:"Found>Change"`
	Holes   []unreadPiece `json:"not_read" xml:"Holes>Hole"`
}

// foundChange is one change of a key, within a second.
type foundChange struct {
	Time       time.Time  `json:"at"`
	Shard      int        `json:"shard"`
	Database   *int       `json:"database"` // null: not known, or all of them
	Command    string     `json:"command"`
	Kind       string     `json:"kind"`
	Text       string     `json:"text"`
	Name       string     `json:"name,omitempty"` // not there: the one that was looked for, none, or names are hidden
	Bytes      int64      `json:"bytes"`
	ExpireTime *time.Time `json:"expires_at"`
}

// unreadPiece is a piece of a journal that could not be looked through.
type unreadPiece struct {
	Shard     int        `json:"shard"`
	StartTime *time.Time `json:"from"`
	EndTime   *time.Time `json:"to"`
	Message   string     `json:"reason"`
}

// readChanges asks for all changes that are kept, when the search has ended, and prints them.
func (f *finding) readChanges(ctx context.Context, id string) error {
	for marker := ""; ; {
		var page foundChanges
		if err := f.own(ctx, "RekindleDescribeChanges", formOf("RunId", id, "Marker", marker), &page); err != nil {
			return err
		}
		f.journal.Changes, f.journal.Unread = page.Changes, page.Unread
		f.journal.Found = append(f.journal.Found, page.Found...)
		if marker == "" {
			f.journal.Holes = append(f.journal.Holes, page.Holes...)
		}
		for _, c := range page.Found {
			fmt.Fprintln(f.out, c.line())
		}
		if marker = page.Marker; marker == "" {
			break
		}
	}
	if more := f.journal.Changes - int64(len(f.journal.Found)); more > 0 {
		fmt.Fprintf(f.out, "%s before of which no more is kept\n", words.Plural(more, "change"))
	}
	for _, h := range f.journal.Holes {
		fmt.Fprintf(f.out, "shard %d, not looked through: %s\n", h.Shard, h.Message)
	}
	return nil
}

func (c foundChange) line() string {
	line := c.Time.UTC().Format(time.DateTime) + "  " + c.Command + "  "
	if c.Name != "" {
		line += c.Name + "  "
	}
	line += c.Text
	if c.ExpireTime != nil {
		line += "  expires " + c.ExpireTime.UTC().Format(time.DateTime)
	}
	if c.Database != nil && *c.Database > 0 {
		line += "  database " + strconv.Itoa(*c.Database)
	}
	return line
}
