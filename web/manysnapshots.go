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

// manySnapshotPages do for several snapshots, chosen in their list, what copyPages and the like do for one: each gets its own run.
type manySnapshotPages struct{ *site }

// onMany is something that is done to several snapshots at a time.
type onMany struct {
	kind, done string // views.VerifySnapshots..., "being verified"
	// refuses says why it cannot be done to a snapshot now, or "".
	refuses func(h manySnapshotPages, r *http.Request, snapshot models.Snapshot, form url.Values) (string, error)
	// becomes is the name of what is made of a snapshot; "": nothing.
	becomes func(snapshot models.Snapshot, form url.Values) string
	do      func(h manySnapshotPages, r *http.Request, snapshot models.Snapshot, form url.Values) error
}

var (
	verifyMany = onMany{kind: views.VerifySnapshots, done: "being verified",
		refuses: func(_ manySnapshotPages, _ *http.Request, snapshot models.Snapshot, _ url.Values) (string, error) {
			if snapshot.Verifiable() {
				return "", nil
			}
			return notAvailable(snapshot, "verified"), nil
		},
		becomes: func(models.Snapshot, url.Values) string { return "" },
		do: func(h manySnapshotPages, r *http.Request, snapshot models.Snapshot, _ url.Values) error {
			_, err := h.db.Verifications.Request(r.Context(), snapshot.Name, visitOf(r).user.Name)
			return err
		}}
	copyMany = onMany{kind: views.CopySnapshots, done: "being copied",
		refuses: func(h manySnapshotPages, r *http.Request, snapshot models.Snapshot, form url.Values) (string, error) {
			if !snapshot.Usable() {
				return notAvailable(snapshot, "copied"), nil
			}
			return refusalOf(snapshot.Name, h.db.Copies.Check(r.Context(), copyOf(r, snapshot, form)))
		},
		becomes: copyName,
		do: func(h manySnapshotPages, r *http.Request, snapshot models.Snapshot, form url.Values) error {
			_, err := h.db.Copies.Copy(r.Context(), copyOf(r, snapshot, form))
			return err
		}}
	exportMany = onMany{kind: views.ExportSnapshots, done: "being exported",
		refuses: func(_ manySnapshotPages, _ *http.Request, snapshot models.Snapshot, _ url.Values) (string, error) {
			if snapshot.Usable() {
				return "", nil
			}
			return notAvailable(snapshot, "exported"), nil
		},
		becomes: func(snapshot models.Snapshot, _ url.Values) string {
			return models.ExportedObject(exportName(snapshot), 1)
		},
		do: func(h manySnapshotPages, r *http.Request, snapshot models.Snapshot, form url.Values) error {
			_, err := h.db.Copies.Export(r.Context(), models.ExportSpec{Snapshot: snapshot.Name, Name: exportName(snapshot), Store: form.Get("store"),
				RequestedBy: visitOf(r).user.Name})
			return err
		}}
)

func notAvailable(snapshot models.Snapshot, what string) string {
	return fmt.Sprintf("The snapshot %s is %s; only an available one can be %s.", snapshot.Name, snapshot.Status, what)
}

// refusalOf is a refusal as a sentence that names what it is about.
func refusalOf(name string, err error) (string, error) {
	faults, refused := models.AsFaults(err)
	if !refused {
		return "", err
	}
	if text := faults.Error(); strings.Contains(text, name) {
		return text, nil
	}
	return name + ": " + faults.Error(), nil
}

func copyName(snapshot models.Snapshot, form url.Values) string {
	return copyBase(snapshot) + "-" + strings.TrimSpace(form.Get("suffix"))
}

func copyOf(r *http.Request, snapshot models.Snapshot, form url.Values) models.CopySpec {
	return models.CopySpec{Snapshot: snapshot.Name, Name: copyName(snapshot, form), Store: form.Get("store"), RequestedBy: visitOf(r).user.Name}
}

// page asks before it is done.
func (h manySnapshotPages) page(m onMany) handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		form := r.URL.Query()
		c, err := snapshotPages(h).readChosen(r, form)
		if err != nil {
			return err
		}
		if len(c.names) == 0 {
			return h.done(w, r, c.back(), "info", "First choose the snapshots.")
		}
		if !form.Has("suffix") {
			form.Set("suffix", "copy")
		}
		props, _, err := h.sort(r, m, c, form)
		if err != nil {
			return err
		}
		return h.ask(w, r, props, form, nil)
	}
}

// sort tells those to which it can be done from those that are left alone, and why they are.
func (h manySnapshotPages) sort(r *http.Request, m onMany, c chosen, form url.Values) (props views.ManySnapshots, can []models.Snapshot, err error) {
	props = views.ManySnapshots{Kind: m.kind, CancelHref: c.back()}
	for _, name := range c.names {
		if name == "" {
			continue
		}
		snapshot, err := h.db.Snapshots.Get(r.Context(), name)
		if models.HasCode(err, models.CodeSnapshotNotFound) {
			props.Skipped = append(props.Skipped, err.Error())
			continue
		} else if err != nil {
			return props, nil, err
		}
		why, err := m.refuses(h, r, snapshot, form)
		if err != nil {
			return props, nil, err
		}
		if why == "" || m.kind == views.CopySnapshots && snapshot.Usable() { // another name or store may change a refusal
			props.Hidden = append(props.Hidden, views.Hidden{Name: "name", Value: name})
		}
		if why != "" {
			props.Skipped = append(props.Skipped, why)
			continue
		}
		can = append(can, snapshot)
		props.Add(views.ChosenSnapshot{Name: name, CreatedAt: snapshot.CreatedAt, Stored: snapshot.Stored, Becomes: m.becomes(snapshot, form)})
	}
	for _, name := range slices.Sorted(maps.Keys(c.filters)) {
		props.Hidden = append(props.Hidden, views.Hidden{Name: name, Value: c.filters.Get(name)})
	}
	return props, can, nil
}

func (h manySnapshotPages) ask(w http.ResponseWriter, r *http.Request, props views.ManySnapshots, form url.Values, wrong mistakes) error {
	props.Fields = views.Fields{Values: firstValues(form, "suffix", "store"), Errors: wrong}
	at := place{title: views.SnapshotsTitle(props.Kind), active: views.NavSnapshots, crumbs: []views.Crumb{snapshotsCrumb}, aws: h.aws(r).snapshots(awsTarget{}, "", "")}
	return h.site.ask(w, r, at, wrong, func(shell views.Shell) templ.Component { return views.ManySnapshotsPage(shell, props) })
}

// act does it, or asks again.
func (h manySnapshotPages) act(m onMany) handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		form, err := readForm(r)
		if err != nil {
			return err
		}
		form.Del("all") // exactly those that the page named
		c, err := snapshotPages(h).readChosen(r, form)
		if err != nil {
			return err
		}
		if len(c.names) == 0 {
			return h.done(w, r, c.back(), "info", "First choose the snapshots.")
		}
		wrong, sorted := mistakesOfMany(m, form), form
		if len(wrong) > 0 { // each snapshot would be refused for the same
			sorted = url.Values{"suffix": {"copy"}}
		}
		props, can, err := h.sort(r, m, c, sorted)
		if err != nil {
			return err
		}
		if len(can) == 0 && len(wrong) == 0 {
			wrong.add("", "Nothing can be done to any of the chosen snapshots as this is.")
		}
		if len(wrong) > 0 {
			return h.ask(w, r, props, form, wrong)
		}
		return h.doEach(w, r, c.back(), "snapshot", m.done, len(can), func(i int) error { return m.do(h, r, can[i], form) })
	}
}

// mistakesOfMany are those in the fields that hold for all snapshots.
func mistakesOfMany(m onMany, form url.Values) mistakes {
	wrong := mistakes{}
	if m.kind == views.CopySnapshots && strings.TrimSpace(form.Get("suffix")) == "" {
		wrong.add("suffix", "Enter the end of the copies' names.")
	}
	if m.kind == views.VerifySnapshots {
		return wrong
	}
	store, problem := models.CheckOtherStore(form.Get("store"))
	if m.kind == views.ExportSnapshots && store == "" && problem == "" {
		problem = "Say where the files are to go: s3://bucket/prefix or dir:/folder."
	}
	if problem != "" {
		wrong.add("store", problem)
	}
	return wrong
}
