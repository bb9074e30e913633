package web

import (
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/a-h/templ"

	"rekindle/models"
	"rekindle/views"
)

var (
	snapshotsCrumb  = views.Crumb{Text: "Snapshots", Href: "/snapshots"}
	snapshotFilters = []string{"cluster", "source", "status"}
	snapshotListing = listing{filters: snapshotFilters, order: "-created", sorts: map[string]string{"name": "name", "cluster": "cluster",
		"source": "source", "status": "status", "size": "size", "stored": "stored", "keys": "keys", "verified": "verified", "created": "created"}}
)

// snapshotAddress is the address of a snapshot's page.
func snapshotAddress(name string) string { return "/snapshots/" + url.PathEscape(name) }

// snapshotPages list and show snapshots, delete them, and have them verified.
type snapshotPages struct{ *site }

func (h snapshotPages) list(w http.ResponseWriter, r *http.Request) error {
	ctx := r.Context()
	shown, rows := snapshotListing.read(r)
	snapshots, err := fetch(&shown, rows, func(l models.List) (models.Rows[models.Snapshot], error) { return h.db.Snapshots.List(ctx, l) })
	if err != nil {
		return err
	}
	props := views.Snapshots{List: shown, Any: shown.Total > 0}
	if !props.Any {
		all, err := h.db.Snapshots.List(ctx, models.List{Size: 1})
		if err != nil {
			return err
		}
		props.Any = all.Total > 0
	}
	var busy bool
	if props.Rows, busy, err = h.present.snapshots(ctx, snapshots); err != nil {
		return err
	}
	if props.Clusters, err = h.present.clusterChoices(ctx, models.Snapshot{}, shown.Query.Get("cluster")); err != nil {
		return err
	}
	target, err := h.present.target(ctx, shown.Query.Get("cluster"), func() (bool, error) { return len(snapshots) == 0 || snapshots[0].Grouped, nil })
	if err != nil {
		return err
	}
	at := place{title: "Snapshots", active: views.NavSnapshots, follow: busy, live: true, aws: h.aws(r).snapshots(target, shown.Query.Get("source"), shown.Query.Get("status"))}
	return h.page(w, r, at, func(shell views.Shell) templ.Component {
		return views.SnapshotsPage(shell, props)
	})
}

func (h snapshotPages) show(w http.ResponseWriter, r *http.Request) error {
	ctx := r.Context()
	snapshot, err := h.db.Snapshots.Get(ctx, r.PathValue("name"))
	if err != nil {
		return err
	}
	cancelled, err := h.db.Snapshots.Cancelled(ctx, snapshot.Name)
	if err != nil {
		return err
	}
	props := h.presentPage(snapshot, around{cancelled: cancelled}, h.aws(r))
	if err := h.whatHappened(ctx, snapshot, &props); err != nil {
		return err
	}
	if props.Drill, err = h.present.lastDrill(ctx, snapshot); err != nil {
		return err
	}
	if comparison, found, err := h.db.Comparisons.Of(ctx, snapshot.ID); err != nil {
		return err
	} else if found {
		props.Compared = presentComparison(comparison)
	}
	var active bool
	if props.Running, active, err = h.present.currentRuns(ctx, about{snapshot: snapshot.Name}); err != nil {
		return err
	}
	at := place{title: snapshot.Name, active: views.NavSnapshots, crumbs: []views.Crumb{snapshotsCrumb}, follow: active, live: true, work: props.Running}
	return h.page(w, r, at, func(shell views.Shell) templ.Component { return views.SnapshotPage(shell, props) })
}

// momentsText says how far apart the moments are that the parts of a snapshot are of; "" where that is not known, or there is one part.
func momentsText(s models.Snapshot) string {
	if len(s.Parts) < 2 || s.Logical {
		return ""
	}
	first, last := s.Parts[0].StartedAt, s.Parts[0].StartedAt
	for _, p := range s.Parts {
		if p.ServedBy == "" { // it was imported
			return ""
		}
		if p.StartedAt.Before(first) {
			first = p.StartedAt
		}
		if p.StartedAt.After(last) {
			last = p.StartedAt
		}
	}
	return fmt.Sprintf("%d parts, within %s of each other, from %s UTC", len(s.Parts), views.DurationText(last.Sub(first)), views.MomentText(first))
}

func (h snapshotPages) presentPage(snapshot models.Snapshot, at around, aws awsCLI) views.Snapshot {
	row := presentSnapshot(snapshot, at)
	props := views.Snapshot{
		Name: snapshot.Name, Cluster: snapshot.ClusterName, Source: snapshot.Source, Status: row.Status, Reason: snapshot.StatusReason,
		Engine: snapshot.Engine, Version: snapshot.EngineVersion, RDBVersion: snapshot.RDBVersion, CreatedAt: snapshot.CreatedAt,
		Bytes: row.Bytes, Stored: row.Stored, Keys: row.Keys, Expires: -1, ServedBy: snapshot.ServedBy, ServedRole: string(snapshot.ServedRole),
		VerifiedAt: row.VerifiedAt, Damaged: row.Damaged, Verifiable: snapshot.Verifiable(), Logical: notPointInTime(snapshot), Warning: snapshot.Warning, Origin: snapshot.Origin, Foreign: snapshot.Foreign(), DescribeAWS: aws.snapshot(snapshot.Name),
	}
	if snapshot.CompletedAt != nil {
		props.CompletedAt = *snapshot.CompletedAt
	}
	if len(snapshot.Parts) > 0 {
		props.Expires = 0
		props.Location = strings.TrimSuffix(h.jobs.StoreLocation(), "/") + "/" + snapshot.ClusterName + "/" + snapshot.Name
	}
	for _, p := range snapshot.Parts {
		props.Expires += max(p.Expires, 0)
		props.Parts = append(props.Parts, views.Part{Number: p.Number, Slots: p.Slots, Bytes: p.Bytes, Stored: p.Stored, Keys: p.Keys, Digest: p.Digest, CRC64: p.CRC64,
			ServedBy: p.ServedBy, Role: string(p.ServedRole), Took: p.CompletedAt.Sub(p.StartedAt), Began: p.StartedAt, Replayed: snapshot.Replayed()})
	}
	props.Moments = momentsText(snapshot)
	props.Configuration = configurationFacts(snapshot)
	return props
}

// chosen is what is to be deleted: the names in the form or the address, the one in the path, or all that match the filters.
type chosen struct {
	names   []string
	filters url.Values // of the list that the person came from, and goes back to
	single  bool
}

func (h snapshotPages) readChosen(r *http.Request, from url.Values) (chosen, error) {
	c := chosen{filters: url.Values{}}
	if name := r.PathValue("name"); name != "" {
		c.names, c.single = []string{name}, true
		_, err := h.db.Snapshots.Get(r.Context(), name)
		return c, err
	}
	list := models.List{Text: from.Get("q"), Equal: map[string]string{}}
	for _, name := range append([]string{"q"}, snapshotFilters...) {
		if v := from.Get(name); v != "" {
			c.filters.Set(name, v)
			list.Equal[name] = v
		}
	}
	if from.Get("all") != "on" {
		c.names = slices.Clone(from["name"])
		slices.Sort(c.names)
		c.names = slices.Compact(c.names)
		return c, nil
	}
	found, err := h.db.Snapshots.List(r.Context(), list)
	for _, snapshot := range found.Rows {
		c.names = append(c.names, snapshot.Name)
	}
	return c, err
}

// back is where the person came from.
func (c chosen) back() string {
	switch {
	case c.single:
		return snapshotAddress(c.names[0])
	case len(c.filters) > 0:
		return "/snapshots?" + c.filters.Encode()
	}
	return "/snapshots"
}

func (h snapshotPages) deletePage(w http.ResponseWriter, r *http.Request) error {
	c, err := h.readChosen(r, r.URL.Query())
	if err != nil {
		return err
	}
	if len(c.names) == 0 {
		return h.done(w, r, c.back(), "info", "First choose the snapshots to delete.")
	}
	props, err := h.deletion(r, c)
	if err != nil {
		return err
	}
	return h.askDelete(w, r, props, "", nil)
}

// deletion finds out which of the chosen snapshots can be deleted, and what that means.
func (h snapshotPages) deletion(r *http.Request, c chosen) (views.DeleteSnapshots, error) {
	ctx := r.Context()
	props := views.DeleteSnapshots{Action: r.URL.Path, CancelHref: c.back()}
	usable := make(map[string]int) // good snapshots that go, by cluster
	var all []string
	for _, name := range c.names {
		snapshot, err := h.db.Snapshots.Get(ctx, name)
		if models.HasCode(err, models.CodeSnapshotNotFound) {
			props.Skipped = append(props.Skipped, err.Error())
			continue
		} else if err != nil {
			return props, err
		}
		if why := snapshot.NoDeletion(); why != "" {
			props.Skipped = append(props.Skipped, why)
			continue
		}
		all = append(all, name)
		props.Add(views.ChosenSnapshot{Name: name, CreatedAt: snapshot.CreatedAt, Stored: snapshot.Stored})
		if snapshot.Usable() {
			usable[snapshot.ClusterName]++
		}
		if !slices.Contains(props.Clusters, snapshot.ClusterName) {
			props.Clusters = append(props.Clusters, snapshot.ClusterName)
		}
		if !c.single {
			props.Hidden = append(props.Hidden, views.Hidden{Name: "name", Value: name})
		}
	}
	for _, name := range slices.Sorted(maps.Keys(c.filters)) {
		props.Hidden = append(props.Hidden, views.Hidden{Name: name, Value: c.filters.Get(name)})
	}
	for _, cluster := range props.Clusters {
		good, _, err := h.db.Snapshots.StorageOf(ctx, cluster)
		if err != nil {
			return props, err
		}
		if good > 0 && good == usable[cluster] {
			props.LastOf = append(props.LastOf, cluster)
		}
	}
	if len(all) > 0 {
		props.AWS = h.aws(r).deleteSnapshots(all)
	}
	return props, nil
}

func (h snapshotPages) askDelete(w http.ResponseWriter, r *http.Request, props views.DeleteSnapshots, confirm string, wrong mistakes) error {
	props.Fields = views.Fields{Values: map[string]string{"confirm": confirm}, Errors: wrong}
	at := place{title: "Delete", active: views.NavSnapshots, crumbs: []views.Crumb{snapshotsCrumb}}
	if props.Count == 0 {
		at.aws = h.aws(r).snapshots(awsTarget{}, "", "")
	}
	draw := func(shell views.Shell) templ.Component { return views.DeleteSnapshotsPage(shell, props) }
	return h.ask(w, r, at, wrong, draw)
}

func (h snapshotPages) delete(w http.ResponseWriter, r *http.Request) error {
	form, err := readForm(r)
	if err != nil {
		return err
	}
	form.Del("all") // exactly those that the page named go, not those that match by now
	c, err := h.readChosen(r, form)
	if err != nil {
		return err
	}
	if len(c.names) == 0 {
		return h.done(w, r, c.back(), "info", "First choose the snapshots to delete.")
	}
	props, err := h.deletion(r, c)
	if err != nil {
		return err
	}
	confirm, wrong := form.Get("confirm"), mistakes{}
	switch {
	case props.Count == 0:
		wrong.add("", "None of the chosen snapshots can be deleted just now.")
	case strings.TrimSpace(confirm) != props.Phrase():
		wrong.add("confirm", fmt.Sprintf("Type “%s” to confirm the deletion.", props.Phrase()))
	default:
		names := c.names
		if !c.single {
			names = nil
			for _, field := range props.Hidden {
				if field.Name == "name" {
					names = append(names, field.Value)
				}
			}
		}
		err := h.db.Snapshots.Delete(r.Context(), names, visitOf(r).user.Name)
		if err == nil {
			h.jobs.Wake()
			text := fmt.Sprintf("%s are being deleted.", views.Plural(len(names), "snapshot"))
			if len(names) == 1 {
				text = fmt.Sprintf("The snapshot %s is being deleted.", names[0])
			}
			c.single = false
			return h.begun(w, r, c.back(), 0, text)
		} else if err := wrong.refusal(err, []string{"confirm"}); err != nil {
			return err
		}
	}
	return h.askDelete(w, r, props, confirm, wrong)
}

// verify has every byte of a snapshot read back.
func (h snapshotPages) verify(w http.ResponseWriter, r *http.Request) error {
	name := r.PathValue("name")
	run, err := h.db.Verifications.Request(r.Context(), name, visitOf(r).user.Name)
	if models.HasCode(err, models.CodeSnapshotState) {
		return h.done(w, r, snapshotAddress(name), "info", err.Error())
	} else if err != nil {
		return err
	}
	h.jobs.Wake()
	return h.begun(w, r, snapshotAddress(name), run.ID, fmt.Sprintf("The snapshot %s is being verified. It can be used meanwhile.", name))
}
