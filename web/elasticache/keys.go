package elasticache

import (
	"context"
	"strconv"

	"rekindle/internal/words"
	"rekindle/models"
	"rekindle/models/catalog"
)

type (
	brought struct {
		Rehearsed bool
		Chosen    int64 // keys of the snapshot
		Bytes     int64
		Added     int64
		Replaced  int64
		Skipped   int64
		Expired   int64
		Alike     int64
		Unsure    int64
		Missing   int // names that the snapshot does not have
		Keys      struct{ Key []broughtKey }
	}
	broughtKey struct {
		Name       string `xml:",omitempty"`
		NameLength int
		Database   int
		Type       string
		Fate       string
		Alike      bool
	}
	search struct {
		Run       run
		Matches   int64
		Kept      int
		Marker    string `xml:",omitempty"`
		Snapshots struct{ Snapshot []searched }
	}
	searched struct {
		SnapshotName       string
		SnapshotCreateTime *stamp // the moment that its data is of
		State              string
		Message            string `xml:",omitempty"`
		Matches            int64
		Parts              int
		PartsDone          int
		PartsExcluded      int
		Keys               struct{ Key []foundKey }
	}
	foundKey struct {
		Name       string `xml:",omitempty"`
		NameLength int
		Database   int
		Type       string
		Encoding   string `xml:",omitempty"`
		Bytes      int64
		ExpireTime *stamp
		Digest     string
	}
)

// keyActions look for keys in snapshots, and bring keys back.
type keyActions struct{ db *catalog.DB }

// keyName reads a name, which may be any bytes. It is written as answers write it.
func (p *params) keyName(name string) string { return words.ReadKeyName(p.values.Get(name)) }

func (a keyActions) find(ctx context.Context, c *call) error {
	spec := models.FindSpec{Cluster: c.id("ClusterName"), Snapshot: c.id("SnapshotName"), Sought: c.keyName("Key"), RequestedBy: c.key.KeyID, Token: c.invocation}
	if pattern := c.keyName("Pattern"); pattern != "" {
		if spec.Sought != "" {
			c.mistake(models.CodeCombination, "Name either a Key or a Pattern.")
		}
		spec.Sought, spec.Pattern = pattern, true
	}
	spec.Keep, _ = c.number("Keep")
	spec.Journal = c.journal()
	if err := c.wrong(); err != nil {
		return err
	}
	begun, err := a.db.Finds.Request(ctx, spec)
	c.run = begun.ID
	return err
}

func (a keyActions) showFind(ctx context.Context, c *call) (any, error) {
	found, err := begun(ctx, a.db, c, models.RunFind)
	if err != nil {
		return nil, err
	}
	return oneRun{presentRun(found)}, nil
}

func (a keyActions) describeFind(ctx context.Context, c *call) (any, error) {
	limit, from := c.limit(maxRecords), c.place()
	found, err := theRun(ctx, a.db, c)
	if err != nil {
		return nil, err
	}
	kept, is, err := a.db.Finds.Get(ctx, found.ID)
	if err != nil {
		return nil, err
	} else if !is {
		return nil, fault{404, "RunNotFoundFault", "That search is no longer kept, or the run is none."}
	}
	result := search{Run: presentRun(found), Matches: kept.Matches, Kept: kept.Kept}
	rows, total, err := a.db.Finds.Snapshots(ctx, found.ID, from, limit)
	if err != nil || len(rows) == 0 {
		return result, err
	}
	last := rows[len(rows)-1].Place
	if int64(last)+1 < total {
		result.Marker = marker(strconv.Itoa(last))
	}
	result.Snapshots.Snapshot, err = a.searched(ctx, found.ID, rows)
	return result, err
}

func (a keyActions) searched(ctx context.Context, run uint, rows []models.FindSnapshot) ([]searched, error) {
	keys, err := a.db.Finds.Keys(ctx, run, rows[0].Place, rows[len(rows)-1].Place)
	if err != nil {
		return nil, err
	}
	hide, err := a.db.Settings.HidesKeyNames(ctx)
	if err != nil {
		return nil, err
	}
	byPlace := map[int][]foundKey{}
	for _, k := range keys {
		one := foundKey{NameLength: k.Length, Database: k.Database, Type: k.Type, Encoding: k.Encoding, Bytes: k.Bytes, Digest: k.Digest}
		if !hide && len(k.Name) > 0 {
			one.Name = nameOf(k.Name, k.Length)
		}
		if k.ExpiresAt != nil {
			one.ExpireTime = at(*k.ExpiresAt)
		}
		byPlace[k.Place] = append(byPlace[k.Place], one)
	}
	all := make([]searched, 0, len(rows))
	for _, row := range rows {
		one := searched{SnapshotName: row.SnapshotName, SnapshotCreateTime: at(row.TakenAt), State: string(row.State), Message: row.Reason, Matches: row.Matches, Parts: row.Parts,
			PartsDone: row.Searched, PartsExcluded: row.Excluded}
		one.Keys.Key = byPlace[row.Place]
		all = append(all, one)
	}
	return all, nil
}

// nameOf writes the name of a key, or its beginning.
func nameOf(name []byte, length int) string {
	if length > len(name) {
		return words.KeyStart(string(name))
	}
	return words.KeyName(string(name))
}

// existing are what may become of keys that the cluster has, and deadlines of keys that come back.
var (
	existing  = map[string]bool{"": false, "skip": false, "replace": true}
	deadlines = map[string]models.Deadlines{"": models.DeadlinesKept, "keep": models.DeadlinesKept, "shift": models.DeadlinesShifted, "drop": models.DeadlinesDropped}
)

func (a keyActions) bring(ctx context.Context, c *call) error {
	spec := models.BringBackSpec{Snapshot: c.requiredID("SnapshotName"), Cluster: c.requiredID("ClusterName"), Safety: c.id("FirstSnapshotName"), RequestedBy: c.key.KeyID, Token: c.invocation}
	spec.Choice = models.KeyChoice{Pattern: []byte(c.keyName("Pattern")), Database: -1, As: []byte(c.keyName("As")), Strip: []byte(c.keyName("Strip")), Prefix: []byte(c.keyName("Prefix"))}
	seen := map[string]bool{}
	for _, element := range c.elements("Keys") {
		if name := c.keyName(element); name != "" && !seen[name] {
			seen[name] = true
			spec.Choice.Names = append(spec.Choice.Names, []byte(name))
		}
	}
	if n, given := c.number("Database"); given {
		if spec.Choice.Database = n; n < 0 {
			c.mistake(models.CodeInvalid, "Database must be the number of a database.")
		}
	}
	var known bool
	if spec.Replace, known = existing[c.text("Existing")]; !known {
		c.mistake(models.CodeInvalid, "Existing must be skip or replace, not %.40q.", c.text("Existing"))
	}
	if spec.Deadlines, known = deadlines[c.text("Deadlines")]; !known {
		c.mistake(models.CodeInvalid, "Deadlines must be keep, shift or drop, not %.40q.", c.text("Deadlines"))
	}
	spec.Rehearse, _ = c.flag("Rehearse")
	if err := c.wrong(); err != nil {
		return err
	}
	begun, err := a.db.BringBacks.Request(ctx, spec)
	c.run = begun.ID
	return err
}

func (a keyActions) showBring(ctx context.Context, c *call) (any, error) {
	found, err := begun(ctx, a.db, c, models.RunBringBack)
	if err != nil {
		return nil, err
	}
	return runActions(a).present(ctx, found)
}

// broughtBy is what became of the keys of a run; nil: nobody knows yet.
func broughtBy(ctx context.Context, db *catalog.DB, r models.Run) (*brought, error) {
	args, err := models.Args[models.BringBackArgs](r)
	if err != nil {
		return nil, err
	}
	_, out, known, err := db.BringBacks.Of(ctx, r)
	if err != nil || !known {
		return nil, err
	}
	hide, err := db.Settings.HidesKeyNames(ctx)
	if err != nil {
		return nil, err
	}
	shown := &brought{Rehearsed: args.Rehearse, Chosen: out.Chosen, Bytes: out.Bytes, Added: out.Added, Replaced: out.Replaced, Skipped: out.Skipped, Expired: out.Expired, Alike: out.Alike,
		Unsure: out.Unsure, Missing: out.Missing}
	for _, k := range out.Keys {
		one := broughtKey{NameLength: k.Length, Database: k.Database, Type: k.Type, Fate: k.Fate, Alike: k.Alike}
		if !hide {
			one.Name = nameOf(k.Name, k.Length)
		}
		shown.Keys.Key = append(shown.Keys.Key, one)
	}
	return shown, nil
}
