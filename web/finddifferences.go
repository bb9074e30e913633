package web

import (
	"context"

	"rekindle/models"
	"rekindle/views"
)

// differences says of keys that match a pattern how each differs from the snapshot before, and whether the next one still has it. What is known is what the search has kept: of a snapshot
// whose keys are not all kept, a key that is not among them may be there all the same.
func (h findPages) differences(ctx context.Context, run models.Run, keys []models.FoundKey, rows []views.FindRow) error {
	first, last := max(0, keys[0].Place-1), keys[len(keys)-1].Place+1
	around, _, err := h.db.Finds.Snapshots(ctx, run.ID, first, last-first+1)
	if err != nil {
		return err
	}
	kept, err := h.db.Finds.Kept(ctx, run.ID, first, last)
	if err != nil {
		return err
	}
	var names [][]byte
	for _, key := range keys {
		names = append(names, key.Name)
	}
	named, err := h.db.Finds.Named(ctx, run.ID, names, first, last)
	if err != nil {
		return err
	}
	v := findView{snapshots: map[int]models.FindSnapshot{}, kept: kept, named: map[keyIn]models.FoundKey{}}
	for _, s := range around {
		v.snapshots[s.Place] = s
	}
	for _, key := range named {
		v.named[placed(key, key.Place)] = key
	}
	for i := range rows {
		rows[i].Change, rows[i].GoneIn = v.change(keys[i]), v.goneIn(keys[i])
	}
	return nil
}

// findView is what a search has kept around the keys of a page.
type findView struct {
	snapshots map[int]models.FindSnapshot
	kept      map[int]int64
	named     map[keyIn]models.FoundKey
}

// keyIn is a key in a snapshot.
type keyIn struct {
	place, database, length int
	name                    string
}

func placed(key models.FoundKey, place int) keyIn {
	return keyIn{place, key.Database, key.Length, string(key.Name)}
}

// change says how a key differs from the snapshot before; "" when that is not known.
func (v findView) change(key models.FoundKey) string {
	before, is := v.snapshots[key.Place+1]
	earlier, had := v.named[placed(key, key.Place+1)]
	switch {
	case !is:
		return isOldest
	case key.Length > len(key.Name): // other names may begin in the same way
		return ""
	case had:
		return changeOf(earlier, key)
	case v.whole(before):
		return isNew
	}
	return ""
}

// goneIn names the next snapshot if that does not have the key any more.
func (v findView) goneIn(key models.FoundKey) string {
	next, is := v.snapshots[key.Place-1]
	if _, has := v.named[placed(key, key.Place-1)]; !is || has || key.Length > len(key.Name) || !v.whole(next) {
		return ""
	}
	return next.SnapshotName
}

// whole tells whether all keys of a snapshot that match are kept.
func (v findView) whole(s models.FindSnapshot) bool {
	return s.State == models.FindDone && v.kept[s.Place] == s.Matches
}
