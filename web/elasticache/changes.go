package elasticache

import (
	"context"
	"strconv"
	"time"

	"rekindle/models"
)

type (
	keyChanges struct {
		Run     run
		Changes int64  // how many were found
		Kept    int    // how many of them are kept: the newest
		Done    bool   // all of the journal was looked through
		Marker  string `xml:",omitempty"`
		Found   struct{ Change []keyChange }
		Unread  int // how many pieces could not be looked through
		Holes   struct{ Hole []hole }
	}
	keyChange struct {
		Time       *stamp // within this second
		Shard      int
		Database   *int   // not there: not known, or all of them
		Command    string // its name
		Kind       string
		Text       string // a sentence
		Name       string `xml:",omitempty"` // not there: the one that was looked for, none, or names are hidden
		NameLength int
		Bytes      int64 // of the command
		ExpireTime *stamp
	}
	hole struct {
		Shard     int
		StartTime *stamp
		EndTime   *stamp
		Message   string
	}
)

// journal reads where in a journal is looked; nil: nowhere.
func (c *call) journal() *models.FindJournal {
	where := c.text("Where")
	since, sinceGiven := c.instant("Since")
	until, untilGiven := c.instant("Until")
	switch where {
	case "journal", "both":
		return &models.FindJournal{Only: where == "journal", Since: since.UTC().Truncate(time.Second), Until: until.UTC().Truncate(time.Second)}
	case "", "snapshots":
		if sinceGiven || untilGiven {
			c.mistake(models.CodeCombination, "Since and Until are about the journal: Where must be journal or both.")
		}
	default:
		c.mistake(models.CodeInvalid, "Where must be snapshots, journal or both, not %.40q.", where)
	}
	return nil
}

// describeChanges lists what a search has found in a journal, the newest first. While it goes on, newer ones may come before.
func (a keyActions) describeChanges(ctx context.Context, c *call) (any, error) {
	limit, from := c.limit(maxRecords), c.place()
	found, err := theRun(ctx, a.db, c)
	if err != nil {
		return nil, err
	}
	result := keyChanges{Run: presentRun(found)}
	stream, begun, err := a.db.Finds.Stream(ctx, found.ID)
	if err != nil || !begun { // it looks through no journal, or has not begun
		return result, err
	}
	result.Changes, result.Kept, result.Done, result.Unread = stream.Changes, stream.Kept, stream.Done, stream.Holes
	holes, err := a.db.Finds.Holes(ctx, found.ID)
	if err != nil {
		return nil, err
	}
	for _, h := range holes {
		one := hole{Shard: h.Shard, Message: h.Reason}
		if h.Begin != nil {
			one.StartTime = at(*h.Begin)
		}
		if h.End != nil {
			one.EndTime = at(*h.End)
		}
		result.Holes.Hole = append(result.Holes.Hole, one)
	}
	rows, err := a.db.Finds.Changes(ctx, found.ID, from, limit)
	if err != nil {
		return nil, err
	}
	hide, err := a.db.Settings.HidesKeyNames(ctx)
	if err != nil {
		return nil, err
	}
	for _, row := range rows {
		result.Found.Change = append(result.Found.Change, presentChange(row, hide))
	}
	if from+len(rows) < stream.Kept && len(rows) > 0 {
		result.Marker = marker(strconv.Itoa(from + len(rows) - 1))
	}
	return result, nil
}

func presentChange(c models.FoundChange, hide bool) keyChange {
	one := keyChange{Time: at(c.At), Shard: c.Shard, Command: c.Command, Kind: string(c.Kind), NameLength: c.Length, Bytes: c.Bytes}
	other := ""
	if !hide && len(c.Name) > 0 {
		one.Name = nameOf(c.Name, c.Length)
	}
	if !hide && len(c.Other) > 0 {
		other = nameOf(c.Other, len(c.Other))
	}
	one.Text = c.Text(other)
	if c.Database >= 0 && c.Kind != models.ChangeFlushedAll && c.Kind != models.ChangeTrimmed {
		one.Database = &c.Database
	}
	if c.ExpiresAt != nil {
		one.ExpireTime = at(*c.ExpiresAt)
	}
	return one
}
