package web

import (
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/a-h/templ"

	"rekindle/models"
	"rekindle/views"
)

// copyPages copy a snapshot, and export it as plain files.
type copyPages struct{ *site }

// copyable returns the snapshot in the address, if its bytes can be read now.
func (h copyPages) copyable(r *http.Request, what string) (models.Snapshot, error) {
	snapshot, err := h.db.Snapshots.Get(r.Context(), r.PathValue("name"))
	if err == nil && !snapshot.Usable() {
		err = problem{status: http.StatusConflict, title: "This snapshot cannot be " + what, back: snapshotAddress(snapshot.Name), backText: "To the snapshot",
			text: fmt.Sprintf("The snapshot %s is %s; only an available one can be %s.", snapshot.Name, snapshot.Status, what)}
	}
	return snapshot, err
}

func moveSource(snapshot models.Snapshot) views.MoveSource {
	return views.MoveSource{Name: snapshot.Name, Cluster: snapshot.ClusterName, Source: snapshot.Source, CreatedAt: snapshot.CreatedAt,
		Bytes: snapshot.Bytes, Stored: snapshot.Stored, Keys: snapshot.Keys, Shards: max(1, snapshot.ShardCount)}
}

func (h copyPages) copyPage(w http.ResponseWriter, r *http.Request) error {
	snapshot, err := h.copyable(r, "copied")
	if err != nil {
		return err
	}
	name, err := h.suggestName(r, snapshot)
	if err != nil {
		return err
	}
	return h.askCopy(w, r, snapshot, url.Values{"name": {name}, "store": {r.URL.Query().Get("store")}}, nil)
}

// copyBase is what the name of a copy begins with.
func copyBase(snapshot models.Snapshot) string {
	return strings.TrimSuffix(cut(strings.TrimPrefix(snapshot.Name, "automatic."), 240), "-")
}

// exportName is the snapshot's name as files can have it.
func exportName(snapshot models.Snapshot) string { return strings.ReplaceAll(snapshot.Name, ".", "-") }

// suggestName is the snapshot's name with "-copy", and a number if that is taken.
func (h copyPages) suggestName(r *http.Request, snapshot models.Snapshot) (string, error) {
	base := copyBase(snapshot) + "-copy"
	for n := 1; n <= 50; n++ {
		name := base
		if n > 1 {
			name += "-" + strconv.Itoa(n)
		}
		if _, err := h.db.Snapshots.Get(r.Context(), name); models.HasCode(err, models.CodeSnapshotNotFound) {
			return name, nil
		} else if err != nil {
			return "", err
		}
	}
	return "", nil // the person has to think of one
}

func (h copyPages) askCopy(w http.ResponseWriter, r *http.Request, snapshot models.Snapshot, form url.Values, wrong mistakes) error {
	props := views.CopySnapshot{Action: r.URL.Path, CancelHref: snapshotAddress(snapshot.Name), Source: moveSource(snapshot), OwnStore: h.jobs.StoreLocation(),
		AWS:    h.aws(r).copySnapshot(snapshot.Name, form.Get("name"), ""),
		Fields: views.Fields{Errors: wrong, Values: map[string]string{"name": form.Get("name"), "store": form.Get("store")}}}
	at := place{title: "Copy", active: views.NavSnapshots, crumbs: []views.Crumb{snapshotsCrumb, {Text: snapshot.Name, Href: snapshotAddress(snapshot.Name)}}}
	draw := func(shell views.Shell) templ.Component { return views.CopySnapshotPage(shell, props) }
	return h.ask(w, r, at, wrong, draw)
}

func (h copyPages) copy(w http.ResponseWriter, r *http.Request) error {
	form, err := readForm(r)
	if err != nil {
		return err
	}
	snapshot, err := h.copyable(r, "copied")
	if err != nil {
		return err
	}
	wrong := mistakes{}
	run, err := h.db.Copies.Copy(r.Context(), models.CopySpec{Snapshot: snapshot.Name, Name: form.Get("name"), Store: form.Get("store"),
		RequestedBy: visitOf(r).user.Name})
	if err == nil {
		h.jobs.Wake()
		return h.begun(w, r, snapshotAddress(run.SnapshotName), run.ID, fmt.Sprintf("The snapshot %s is being copied.", snapshot.Name))
	}
	if err := wrong.refusal(err, []string{"name", "store"}); err != nil {
		return err
	}
	return h.askCopy(w, r, snapshot, form, wrong)
}

func (h copyPages) exportPage(w http.ResponseWriter, r *http.Request) error {
	snapshot, err := h.copyable(r, "exported")
	if err != nil {
		return err
	}
	query := r.URL.Query()
	name := orPlaceholder(query.Get("name"), exportName(snapshot))
	return h.askExport(w, r, snapshot, url.Values{"name": {name}, "store": {query.Get("store")}}, nil)
}

// filesShown is how many of an export's files the page names.
const filesShown = 10

func (h copyPages) askExport(w http.ResponseWriter, r *http.Request, snapshot models.Snapshot, form url.Values, wrong mistakes) error {
	props := views.ExportSnapshot{Action: r.URL.Path, CancelHref: snapshotAddress(snapshot.Name), Source: moveSource(snapshot), Shards: max(1, len(snapshot.Parts)),
		AWS:    h.aws(r).copySnapshot(snapshot.Name, form.Get("name"), orPlaceholder(bucketOf(form.Get("store")), "BUCKET")),
		Fields: views.Fields{Errors: wrong, Values: map[string]string{"name": form.Get("name"), "store": form.Get("store")}}}
	for shard := 1; shard <= min(props.Shards, filesShown); shard++ {
		props.Files = append(props.Files, models.ExportedObject(orPlaceholder(form.Get("name"), "NAME"), shard))
	}
	at := place{title: "Export", active: views.NavSnapshots, crumbs: []views.Crumb{snapshotsCrumb, {Text: snapshot.Name, Href: snapshotAddress(snapshot.Name)}}}
	draw := func(shell views.Shell) templ.Component { return views.ExportSnapshotPage(shell, props) }
	return h.ask(w, r, at, wrong, draw)
}

func (h copyPages) export(w http.ResponseWriter, r *http.Request) error {
	form, err := readForm(r)
	if err != nil {
		return err
	}
	snapshot, err := h.copyable(r, "exported")
	if err != nil {
		return err
	}
	wrong := mistakes{}
	run, err := h.db.Copies.Export(r.Context(), models.ExportSpec{Snapshot: snapshot.Name, Name: form.Get("name"), Store: form.Get("store"),
		RequestedBy: visitOf(r).user.Name})
	if err == nil {
		h.jobs.Wake()
		return h.begun(w, r, snapshotAddress(snapshot.Name), run.ID, fmt.Sprintf("The snapshot %s is being exported.", snapshot.Name))
	}
	if err := wrong.refusal(err, []string{"name", "store"}); err != nil {
		return err
	}
	return h.askExport(w, r, snapshot, form, wrong)
}

// bucketOf is the bucket of an s3:// address.
func bucketOf(store string) string {
	at, _ := models.ParseS3Address(strings.TrimSpace(store))
	return at.Bucket
}
