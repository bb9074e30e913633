package jobs

import (
	"context"
	"errors"
	"time"

	"rekindle/internal/archive"
	"rekindle/internal/contents"
	"rekindle/internal/rdb"
	"rekindle/models"
)

// contentsTimeout is how long a page waits for what is in a snapshot.
const contentsTimeout = 10 * time.Second

// Contents says what is in a snapshot, as far as that was written down beside it.
func (m *Manager) Contents(ctx context.Context, snapshot models.Snapshot) models.Contents {
	found, why := m.contents(ctx, snapshot)
	all := models.Contents{Unknown: why.sentence, Later: why.later, Loaders: loaders(snapshot)}
	if why.sentence != "" {
		return all
	}
	var sum contents.Sum
	sum, all.Expires = found.Total()
	all.Keys, all.WrittenAt = amount(sum), found.WrittenAt
	all.Types, all.Databases, all.Encodings = holdings(found.ByType()), holdings(found.ByDatabase()), holdings(found.ByEncoding())
	for _, e := range found.Expiries {
		all.Expiries = append(all.Expiries, models.Expiry{AtMost: time.Duration(max(e.AtMost, 0)) * time.Second, More: e.AtMost < 0, Keys: e.Keys})
	}
	all.Libraries = found.Libraries
	for _, l := range found.Functions {
		all.Functions = append(all.Functions, models.FunctionLibrary(l))
	}
	all.Named, all.WithoutPrefix, all.Unlisted = found.Named, amount(found.WithoutPrefix), amount(found.Unlisted)
	for _, k := range found.Biggest {
		all.Biggest = append(all.Biggest, models.BigKey{Name: keyName(k.Name, found.Named), Database: k.Database, Type: k.Type, Encoding: k.Encoding, Bytes: k.Bytes})
	}
	for _, p := range found.Prefixes {
		all.Prefixes = append(all.Prefixes, models.Prefix{Name: keyName(p.Name, true), Level: p.Level, Amount: amount(p.Sum), Over: amount(p.Over)})
	}
	return all
}

// CompareContents says what has changed from one snapshot to another.
func (m *Manager) CompareContents(ctx context.Context, before, after models.Snapshot) models.ContentsChange {
	var found [2]contents.Contents
	for i, snapshot := range []models.Snapshot{before, after} {
		one, why := m.contents(ctx, snapshot)
		if why.sentence != "" {
			return models.ContentsChange{Unknown: snapshot.Name + ": " + why.sentence}
		}
		found[i] = one
	}
	c := contents.Compare(found[0], found[1])
	change := models.ContentsChange{All: growth(c.All), Named: c.Named}
	for _, t := range c.Types {
		change.Types = append(change.Types, models.TypeGrowth{Type: t.Type, Growth: growth(t.Change)})
	}
	for _, p := range c.Prefixes {
		change.Prefixes = append(change.Prefixes, models.PrefixGrowth{Name: keyName(p.Name, true), Growth: growth(p.Change), New: p.New, Gone: p.Gone, Certain: p.Certain()})
	}
	return change
}

// unknown says why it is not known what is in a snapshot.
type unknown struct {
	sentence string
	later    bool // a verification finds it out
}

func (m *Manager) contents(ctx context.Context, snapshot models.Snapshot) (found contents.Contents, why unknown) {
	limited, cancel := context.WithTimeout(ctx, contentsTimeout)
	defer cancel()
	found, err := m.vault.Reader.Contents(limited, snapshot)
	switch {
	case err == nil && found.Unknown != "":
		return found, unknown{"The RDB has something that this Rekindle does not know (" + found.Unknown + "), so its keys could not be counted.", false}
	case err == nil:
		return found, unknown{}
	case errors.Is(err, archive.ErrMissing):
		return found, unknown{"It has not been written down yet. The next verification reads the snapshot and does that.", true}
	case errors.Is(err, archive.ErrNewer):
		return found, unknown{"It was written down by a newer Rekindle. Upgrade this one to see it.", false}
	case errors.Is(err, archive.ErrInvalid):
		m.Logger.Warn("read what is in a snapshot", "snapshot", snapshot.Name, "error", err)
		return found, unknown{"What was written down is damaged or of something else. The snapshot itself does not need it. The next verification writes it anew.", true}
	}
	if ctx.Err() == nil {
		m.Logger.Error("read what is in a snapshot", "snapshot", snapshot.Name, "error", err)
	}
	return found, unknown{"The snapshot store does not answer at the moment. Try again in a while.", false}
}

func amount(s contents.Sum) models.Amount { return models.Amount(s) }

func growth(c contents.Change) models.Growth {
	return models.Growth{Before: amount(c.Before), BeforeOver: amount(c.BeforeOver), After: amount(c.After), AfterOver: amount(c.AfterOver)}
}

func holdings(groups []contents.Holding) []models.Holding {
	all := make([]models.Holding, len(groups))
	for i, h := range groups {
		all[i] = models.Holding{Database: h.Database, Type: h.Type, Encoding: h.Encoding, Amount: amount(h.Sum), Expires: h.Expires}
	}
	return all
}

func keyName(n contents.Name, named bool) models.KeyName {
	length, _ := n.Cut()
	return models.KeyName{Text: n.String(), Length: length, Hidden: !named}
}

// loaderVersions are the versions with which engines began to read something new, the oldest that people still have first.
var loaderVersions = []struct {
	engine   string
	versions []string
}{
	{models.EngineRedis, []string{"5.0", "6.0", "6.2", "7.0", "7.2", "7.4", "8.0", "8.6", "8.8"}},
	{models.EngineValkey, []string{"7.2", "8.0", "8.1", "9.0", "9.2"}},
}

// loaders says which engines can have a snapshot.
func loaders(snapshot models.Snapshot) (all []models.Loader) {
	kinds := kindsOf(snapshot)
	for _, e := range loaderVersions {
		one := models.Loader{Engine: e.engine}
		for _, version := range e.versions {
			if one.Loads == "" && rdb.CanLoad(e.engine, version, snapshot.RDBVersion) {
				one.Loads = version
			}
			obstacles, known := rdb.Obstacles(e.engine, version, snapshot.RDBVersion, kinds, rdb.FieldDeadlines{})
			if one.Takes == "" && known && len(obstacles) == 0 {
				one.Takes = version
			}
		}
		all = append(all, one)
	}
	return all
}

// FoundValue loads a key that a search has found into a node that exists only for this, and reads it. A refusal is [models.Faults].
func (m *Manager) FoundValue(ctx context.Context, key models.FoundKey, in models.FindSnapshot) (models.FoundValue, error) {
	return m.vault.Finder.Value(ctx, key, in)
}
