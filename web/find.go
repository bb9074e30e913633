package web

import (
	"net/http"
	"net/url"
	"strconv"

	"github.com/a-h/templ"

	"rekindle/internal/words"
	"rekindle/models"
	"rekindle/views"
)

// findPages look for keys in snapshots, and show what was found. What is looked for is in no address, because addresses are in logs.
type findPages struct{ *site }

// How much of what was found a page shows.
const (
	recentSearches = 20
	shownSnapshots = 100 // of a pattern's
)

var (
	findCrumb   = views.Crumb{Text: "Find a key", Href: views.FindPath}
	findListing = listing{filters: []string{"snapshot"}}
	findFields  = []string{"cluster", "snapshot", "where", "since", "until", "sought", "match"}
)

func (h findPages) form(w http.ResponseWriter, r *http.Request) error {
	return h.askFor(w, r, r.URL.Query(), nil)
}

func (h findPages) askFor(w http.ResponseWriter, r *http.Request, form url.Values, wrong mistakes) error {
	ctx := r.Context()
	props := views.FindForm{Fields: views.Fields{Values: firstValues(form, findFields...), Errors: wrong}}
	var err error
	if props.Hidden, err = h.db.Settings.HidesKeyNames(ctx); err != nil {
		return err
	}
	if props.Clusters, err = h.present.clusterChoices(ctx, models.Snapshot{}, form.Get("cluster")); err != nil {
		return err
	}
	recent, err := h.db.Finds.Recent(ctx, "", recentSearches)
	if err != nil {
		return err
	}
	for _, run := range recent {
		props.Recent = append(props.Recent, views.FindLink{Run: runID(run.ID), Title: run.Title(), Status: string(run.Status), QueuedAt: run.CreatedAt})
	}
	return h.ask(w, r, place{title: "Find a key", active: views.NavSnapshots}, wrong, func(shell views.Shell) templ.Component { return views.FindPage(shell, props) })
}

// find queues a search.
func (h findPages) find(w http.ResponseWriter, r *http.Request) error {
	form, err := readForm(r)
	if err != nil {
		return err
	}
	wrong := mistakes{}
	spec := models.FindSpec{Cluster: form.Get("cluster"), Snapshot: form.Get("snapshot"), Sought: words.ReadKeyName(form.Get("sought")), Pattern: form.Get("match") == "pattern", RequestedBy: visitOf(r).user.Name}
	if spec.Journal = readFindJournal(form, wrong); len(wrong) > 0 {
		return h.askFor(w, r, form, wrong)
	}
	run, err := h.db.Finds.Request(r.Context(), spec)
	if faults, refused := models.AsFaults(err); refused {
		for i := range faults {
			if faults[i].Field == "in" && spec.Snapshot != "" {
				faults[i].Field = "snapshot"
			} else if faults[i].Field == "in" {
				faults[i].Field = "cluster"
			}
		}
		if err := wrong.refusal(faults, findFields); err != nil {
			return err
		}
		return h.askFor(w, r, form, wrong)
	} else if err != nil {
		return err
	}
	h.jobs.Wake()
	return h.redirect(w, r, findAddress(run.ID))
}

func findAddress(run uint) string { return views.FindPath + "/" + runID(run) }

// search returns the run and the search of the address.
func (h findPages) search(r *http.Request) (models.Run, models.Find, models.FindArgs, error) {
	return h.searchBy(r, r.PathValue("id"))
}

func (h findPages) searchBy(r *http.Request, id string) (models.Run, models.Find, models.FindArgs, error) {
	run, err := runPages(h).findBy(r, id)
	if err != nil {
		return run, models.Find{}, models.FindArgs{}, err
	}
	search, kept, err := h.db.Finds.Get(r.Context(), run.ID)
	if err == nil && !kept {
		err = problem{status: http.StatusNotFound, title: "That search is no longer kept", back: views.FindPath, backText: "Look for a key",
			text: "What was looked for, and what was found, is kept for 7 days."}
	}
	if err != nil {
		return run, search, models.FindArgs{}, err
	}
	args, err := models.Args[models.FindArgs](run)
	return run, search, args, err
}

func (h findPages) show(w http.ResponseWriter, r *http.Request) error {
	run, search, args, err := h.search(r)
	if err != nil {
		return err
	}
	runs, err := h.present.runs(r.Context(), []models.Run{run})
	if err != nil {
		return err
	}
	props := views.FindResult{Run: runs[0], Sought: words.KeyName(string(search.Sought)), Pattern: args.Pattern, Cluster: run.ClusterName, Snapshot: run.SnapshotName, Matches: search.Matches,
		Kept: search.Kept, Until: search.CreatedAt.Add(models.FindKeptFor)}
	if props.Hidden, err = h.db.Settings.HidesKeyNames(r.Context()); err != nil {
		return err
	}
	if props.Comparable, err = h.comparable(r, run); err != nil {
		return err
	}
	fill := h.named
	if args.Pattern {
		fill = h.matching
	}
	if err := fill(r, run, &props); err != nil {
		return err
	}
	if props.Changes, err = h.foundChanges(r.Context(), run, args, 0, shownJournalChanges); err != nil {
		return err
	}
	at := place{title: "What was found", active: views.NavSnapshots, crumbs: []views.Crumb{findCrumb}, follow: !run.Status.Ended(), live: true, work: views.Work{Runs: runs}}
	return h.page(w, r, at, func(shell views.Shell) templ.Component { return views.FindResultPage(shell, props) })
}

// named fills in the snapshots of a page, with the key or without it.
func (h findPages) named(r *http.Request, run models.Run, props *views.FindResult) error {
	shown, _ := findListing.read(r)
	snapshots, total, err := h.db.Finds.Snapshots(r.Context(), run.ID, (shown.Page-1)*shown.Size, shown.Size+1) // one more, to compare with
	if err != nil {
		return err
	}
	shown.Total = int(total)
	props.List = shown
	if len(snapshots) == 0 {
		return nil
	}
	keys, err := h.db.Finds.Keys(r.Context(), run.ID, snapshots[0].Place, snapshots[len(snapshots)-1].Place)
	if err != nil {
		return err
	}
	found := byPlace(keys)
	for i, snapshot := range snapshots[:min(len(snapshots), shown.Size)] {
		var before *models.FindSnapshot
		if i+1 < len(snapshots) {
			before = &snapshots[i+1]
		}
		props.Rows = append(props.Rows, namedRows(snapshot, found, before)...)
	}
	return nil
}

func byPlace(keys []models.FoundKey) map[int][]models.FoundKey {
	found := map[int][]models.FoundKey{}
	for _, key := range keys {
		found[key.Place] = append(found[key.Place], key)
	}
	return found
}

// namedRows are the keys of one name in a snapshot, compared with the snapshot before; or the snapshot without them.
func namedRows(snapshot models.FindSnapshot, found map[int][]models.FoundKey, before *models.FindSnapshot) (rows []views.FindRow) {
	known := before != nil && before.State == models.FindDone && snapshot.State == models.FindDone
	for _, key := range found[snapshot.Place] {
		row := foundRow(key, snapshot)
		switch {
		case before == nil:
			row.Change = isOldest
		case known:
			row.Change = isNew
			for _, earlier := range found[before.Place] {
				if earlier.Database == key.Database {
					row.Change = changeOf(earlier, key)
				}
			}
		}
		rows = append(rows, row)
	}
	if len(rows) == 0 {
		row := views.FindRow{FindSnapshot: foundSnapshot(snapshot)}
		if known && before.Matches > 0 {
			row.Change = isGone
		}
		rows = append(rows, row)
	}
	return rows
}

// What has become of a key since the snapshot before.
const (
	isOldest = "it is the oldest"
	isNew    = "new"
	isGone   = "gone"
)

func changeOf(before, now models.FoundKey) string {
	switch {
	case before.Digest != now.Digest:
		return "stored differently"
	case (before.ExpiresAt == nil) != (now.ExpiresAt == nil) || before.ExpiresAt != nil && !before.ExpiresAt.Equal(*now.ExpiresAt):
		return "the same value, another expiry"
	}
	return "the same"
}

func foundSnapshot(s models.FindSnapshot) views.FindSnapshot {
	return views.FindSnapshot{Name: s.SnapshotName, TakenAt: s.TakenAt, State: string(s.State), Reason: s.Reason, Matches: s.Matches, Parts: s.Parts, Excluded: s.Excluded}
}

func foundRow(key models.FoundKey, in models.FindSnapshot) views.FindRow {
	row := views.FindRow{FindSnapshot: foundSnapshot(in), Key: strconv.FormatUint(uint64(key.ID), 10), Name: visibleName(string(key.Name), key.Length > len(key.Name)), Database: key.Database, Type: key.Type, Encoding: key.Encoding, Bytes: key.Bytes}
	if key.Length > len(key.Name) {
		row.Cut = key.Length
	}
	if key.ExpiresAt != nil {
		row.ExpiresAt = *key.ExpiresAt
	}
	return row
}

// matching fills in the keys of a page that match a pattern, and how many there are in each snapshot.
func (h findPages) matching(r *http.Request, run models.Run, props *views.FindResult) error {
	shown, rows := findListing.read(r)
	snapshots, total, err := h.db.Finds.Snapshots(r.Context(), run.ID, 0, shownSnapshots)
	if err != nil {
		return err
	}
	for _, s := range snapshots {
		props.Snapshots = append(props.Snapshots, foundSnapshot(s))
	}
	props.More = int(total) - len(snapshots)
	if props.Hidden {
		return nil
	}
	keys, err := fetch(&shown, rows, func(l models.List) (models.Rows[models.FoundKey], error) {
		return h.db.Finds.List(r.Context(), run.ID, rows.Equal["snapshot"], l)
	})
	if err != nil || len(keys) == 0 {
		props.List = shown
		return err
	}
	first, last := keys[0].Place, keys[len(keys)-1].Place
	around, _, err := h.db.Finds.Snapshots(r.Context(), run.ID, first, last-first+1)
	if err != nil {
		return err
	}
	for _, key := range keys {
		if i := key.Place - first; i < len(around) {
			props.Rows = append(props.Rows, foundRow(key, around[i]))
		}
	}
	props.List = shown
	if run.SnapshotName == "" && len(props.Rows) == len(keys) {
		return h.differences(r.Context(), run, keys, props.Rows)
	}
	return nil
}
