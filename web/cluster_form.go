package web

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/a-h/templ"

	"rekindle/internal/secret"
	"rekindle/models"
	"rekindle/views"
)

// Creating, restoring and modifying share one form. This file reads and shows it, and creates and modifies; restore.go restores.

// The modes of the form, under the names that package views has for them.
const (
	modeCreate  = "create"
	modeRestore = "restore"
	modeModify  = "modify"
)

// formFields are the fields that are shown again as they were sent: all but the password.
var formFields = []string{"id", "description", "engine", "node_type", "cluster_mode", "shards", "replicas", "port", "encrypted", "auth", "backups", "retention",
	"window_preference", "window_start", "window_length", "snapshot", "copies", "deadlines", "override"}

// clusterForm is the form as it was sent or pre-filled.
type clusterForm struct {
	mode     string
	values   map[string]string
	wrong    mistakes
	spec     models.ClusterSpec // what the fields say; meaningless where they are wrong
	cluster  models.Cluster     // modify: as it is now
	snapshot models.Snapshot    // restore: its source; create: the seed, if there is one
}

// readClusterForm turns fields into a specification. Only what cannot be expressed in one is a mistake here, such as a number that is not one;
// package models judges everything else.
func readClusterForm(mode string, form url.Values) clusterForm {
	f := clusterForm{mode: mode, values: firstValues(form, formFields...), wrong: mistakes{}}
	f.spec = models.ClusterSpec{
		Name: strings.ToLower(strings.TrimSpace(form.Get("id"))), Description: strings.TrimSpace(form.Get("description")), NodeType: form.Get("node_type"),
		Snapshot: strings.TrimSpace(form.Get("snapshot")), Copies: 1, Auth: form.Get("auth"), Password: secret.Text(form.Get("password")),
	}
	f.values["snapshot"] = f.spec.Snapshot
	f.spec.Engine.Name, f.spec.Engine.Version, _ = strings.Cut(form.Get("engine"), "/")
	if f.spec.Auth == "generated" {
		f.spec.Auth = models.AuthGenerate
	}
	if f.spec.Auth != models.AuthGiven {
		f.spec.Password = ""
	}
	if mode != modeModify {
		if f.spec.Name == "new" {
			f.wrong.add("id", "The console itself uses the id new in its addresses. Choose another one.")
		}
		if text := strings.TrimSpace(form.Get("port")); text != "" {
			f.spec.Port = wholeNumber(form, "port", "port", "1024 to 65535 or empty", f.wrong)
			if f.spec.Port == 0 {
				f.wrong.add("port", "The port must be between 1024 and 65535. Leave it empty to have a free one found.")
			}
		}
	}
	if mode != modeModify && form.Get("cluster_mode") == "on" {
		f.spec.ClusterMode = true
		if f.spec.Shards = wholeNumber(form, "shards", "number of shards", fmt.Sprintf("1 to %d", models.MaxShards), f.wrong); f.spec.Shards == 0 {
			f.wrong.add("shards", fmt.Sprintf("A cluster can have 1 to %d shards, not 0.", models.MaxShards))
		}
	}
	f.spec.Encrypted = mode != modeModify && form.Get("encrypted") == "on"
	f.spec.Replicas = wholeNumber(form, "replicas", "number of replicas", fmt.Sprintf("0 to %d", models.MaxReplicas), f.wrong)
	if mode == modeRestore {
		f.spec.Deadlines = models.Deadlines(form.Get("deadlines"))
		f.spec.Copies = wholeNumber(form, "copies", "number of clusters", fmt.Sprintf("1 to %d", models.MaxCopies), f.wrong)
		if f.spec.Copies == 0 {
			f.wrong.add("copies", fmt.Sprintf("One snapshot can be restored into 1 to %d clusters at a time, not 0.", models.MaxCopies))
		}
	}
	if form.Get("backups") == "on" {
		f.spec.Retention, f.spec.Window = readSchedule(form, f.wrong)
	}
	return f
}

// readSchedule reads retention and window. Without backups these fields do not matter.
func readSchedule(form url.Values, wrong mistakes) (retention int, window models.Window) {
	retention = wholeNumber(form, "retention", "number of days", fmt.Sprintf("1 to %d", models.MaxRetention), wrong)
	if retention == 0 {
		// For package models this means "off", but here the box says "on".
		wrong.add("retention", fmt.Sprintf("The retention must be between 1 and %d days, not 0. To have no automatic snapshots, untick them.", models.MaxRetention))
	}
	if form.Get("window_preference") != "given" {
		return retention, window
	}
	return retention, readWindow(form, wrong)
}

// readWindow reads a window. It is zero if there is a mistake in it.
func readWindow(form url.Values, wrong mistakes) models.Window {
	start, err := models.ParseTimeOfDay(form.Get("window_start"))
	_ = wrong.refusal(err, windowFields) // both can only be refusals
	before := len(wrong)
	length := wholeNumber(form, "window_length", "length of the window in minutes", fmt.Sprintf("%d to 1439", models.MinWindowMinutes), wrong)
	if err != nil || len(wrong) > before {
		return models.Window{}
	}
	window, err := models.NewWindow(start, length)
	_ = wrong.refusal(err, windowFields)
	return window
}

var windowFields = []string{"window_start", "window_length"}

type formPages struct{ *site }

func (h formPages) createPage(w http.ResponseWriter, r *http.Request) error {
	engines, err := h.jobs.Engines(r.Context())
	if err != nil {
		return fmt.Errorf("list engines: %w", err)
	}
	engine := ""
	if len(engines) > 0 {
		engine = engines[0].Name + "/" + engines[0].Version
	}
	form := url.Values{}
	for name, value := range map[string]string{
		"engine": engine, "node_type": "cache.t4g.micro", "shards": "3", "replicas": "1", "auth": "generated", "backups": "on", "retention": "7",
		"window_preference": "none", "window_start": "03:00", "window_length": "60", "copies": "1", "snapshot": r.URL.Query().Get("snapshot"),
	} {
		form.Set(name, value)
	}
	f := readClusterForm(modeCreate, form)
	return h.show(w, r, f)
}

func (h formPages) create(w http.ResponseWriter, r *http.Request) error {
	form, err := readForm(r)
	if err != nil {
		return err
	}
	return h.createFrom(w, r, readClusterForm(modeCreate, form))
}

// createFrom creates the clusters that the form asks for, or shows it again with what is wrong.
func (h formPages) createFrom(w http.ResponseWriter, r *http.Request, f clusterForm) error {
	if err := h.findSeed(r.Context(), &f); err != nil {
		return err
	}
	if f.values["override"] != "on" && h.shortage(r.Context(), f) != "" {
		f.wrong.add("override", "The data does not fit into the memory of this host. Choose fewer nodes, or tick the box to go on all the same.")
	}
	if len(f.wrong) > 0 {
		if err := h.findMoreWrong(r.Context(), f); err != nil {
			return err
		}
		return h.show(w, r, f)
	}
	f.spec.RequestedBy = visitOf(r).user.Name
	clusters, err := h.db.Clusters.Create(r.Context(), f.spec)
	if err != nil {
		if err := f.wrong.refusal(err, f.fields()); err != nil {
			return err
		}
		return h.show(w, r, f)
	}
	h.jobs.Wake()
	first, last := clusters[0].Name, clusters[len(clusters)-1].Name
	switch {
	case len(clusters) > 1:
		return h.done(w, r, "/clusters?"+url.Values{"q": {f.spec.Name}}.Encode(), "success",
			fmt.Sprintf("%d clusters are being created from %s: %s to %s.", len(clusters), f.spec.Snapshot, first, last))
	case f.spec.Snapshot != "":
		return h.begun(w, r, clusterAddress(first), 0, fmt.Sprintf("The cluster %s is being restored from %s.", first, f.spec.Snapshot))
	}
	return h.begun(w, r, clusterAddress(first), 0, fmt.Sprintf("The cluster %s is being created.", first))
}

func (h formPages) createSummary(w http.ResponseWriter, r *http.Request) error {
	form, err := readForm(r)
	if err != nil {
		return err
	}
	return h.showSummary(w, r, readClusterForm(modeCreate, form))
}

// modifiable returns the cluster in the address, if there is something about it that can be changed.
func (h formPages) modifiable(r *http.Request) (models.Cluster, error) {
	cluster, err := h.db.Clusters.Get(r.Context(), r.PathValue("id"))
	if err == nil && views.NeverRan(string(cluster.Status)) {
		err = problem{status: http.StatusConflict, title: "This cluster cannot be modified", back: clusterAddress(cluster.Name), backText: "To the cluster",
			text: fmt.Sprintf("The cluster %s never came up and its nodes are gone. It can only be deleted.", cluster.Name)}
	}
	if err == nil {
		err = elsewhere(cluster, r)
	}
	return cluster, err
}

func (h formPages) modifyPage(w http.ResponseWriter, r *http.Request) error {
	cluster, err := h.modifiable(r)
	if err != nil {
		return err
	}
	form := url.Values{"description": {cluster.Description}, "node_type": {cluster.NodeType}, "replicas": {strconv.Itoa(cluster.Replicas)}}
	setSchedule(form, cluster.RetentionLimit, cluster.SnapshotWindow, cluster.WindowChosen)
	return h.show(w, r, readModifyForm(cluster, form))
}

// readModifyForm reads what to change about a cluster. The forms of cache clusters and attached clusters leave out what cannot be changed about them.
func readModifyForm(cluster models.Cluster, form url.Values) clusterForm {
	if !cluster.Grouped || cluster.Attached() {
		form = maps.Clone(form)
		if cluster.Attached() { // this form does not decide what its nodes are
			form.Del("node_type")
			form.Del("replicas")
		}
		for name, value := range map[string]string{"node_type": cluster.NodeType, "replicas": strconv.Itoa(cluster.Replicas)} {
			if !form.Has(name) {
				form.Set(name, value)
			}
		}
	}
	f := readClusterForm(modeModify, form)
	f.cluster = cluster
	return f
}

// setSchedule fills the form's fields with a schedule.
func setSchedule(form url.Values, retention int, window models.Window, chosen bool) {
	form.Set("retention", "7")
	if retention > 0 {
		form.Set("backups", "on")
		form.Set("retention", strconv.Itoa(retention))
	}
	form.Set("window_preference", "none")
	if chosen {
		form.Set("window_preference", "given")
	}
	setWindow(form, window)
}

// setWindow fills the form's fields with a window, or a suggestion.
func setWindow(form url.Values, window models.Window) {
	form.Set("window_start", "03:00")
	form.Set("window_length", strconv.Itoa(models.MinWindowMinutes))
	if !window.IsZero() {
		form.Set("window_start", fmt.Sprintf("%02d:%02d", window.Start/60, window.Start%60))
		form.Set("window_length", strconv.Itoa(window.Length))
	}
}

func (h formPages) modify(w http.ResponseWriter, r *http.Request) error {
	form, err := readForm(r)
	if err != nil {
		return err
	}
	cluster, err := h.modifiable(r)
	if err != nil {
		return err
	}
	f := readModifyForm(cluster, form)
	if len(f.wrong) > 0 {
		if err := h.findMoreWrong(r.Context(), f); err != nil {
			return err
		}
		return h.show(w, r, f)
	}
	spec, changes := f.changes()
	name := f.cluster.Name
	if len(changes) == 0 {
		return h.done(w, r, clusterAddress(name), "info", "Nothing was changed: the form had what "+name+" already has.")
	}
	spec.RequestedBy = visitOf(r).user.Name
	after, err := h.db.Changes.Modify(r.Context(), name, spec)
	if models.HasCode(err, models.CodeClusterNotFound) {
		return err
	} else if err != nil {
		if err := f.wrong.refusal(err, formFields); err != nil {
			return err
		}
		return h.show(w, r, f)
	}
	h.jobs.Wake()
	text := fmt.Sprintf("The changes to %s are saved.", name)
	if after.Status == models.ClusterModifying {
		text = fmt.Sprintf("The changes to %s are saved, and are being applied to its nodes.", name)
	}
	return h.done(w, r, clusterAddress(name), "success", text)
}

// changes returns what the form changes about the cluster, as a request and as sentences.
func (f clusterForm) changes() (models.ModifySpec, []string) {
	var spec models.ModifySpec
	var changes []string
	is, want := f.cluster, f.spec
	if want.Description != is.Description {
		spec.Description = &want.Description
		changes = append(changes, "The description changes.")
	}
	if want.NodeType != is.NodeType {
		spec.NodeType = &want.NodeType
		changes = append(changes, fmt.Sprintf("The node type changes from %s to %s; each node's maxmemory follows, while it runs.", is.NodeType, want.NodeType))
	}
	if want.Replicas != is.Replicas {
		spec.Replicas = &want.Replicas
		verb := "grows"
		if want.Replicas < is.Replicas {
			verb = "shrinks"
		}
		changes = append(changes, fmt.Sprintf("The number of replicas %s from %d to %d.", verb, is.Replicas, want.Replicas))
	}
	if want.Retention != is.RetentionLimit {
		spec.Retention = &want.Retention
		switch {
		case want.Retention == 0:
			changes = append(changes, "Automatic snapshots are turned off. Existing ones are kept as long as their retention said when they were taken.")
		case is.RetentionLimit == 0:
			changes = append(changes, fmt.Sprintf("Automatic snapshots are turned on and kept for %s.", views.Plural(want.Retention, "day")))
		case want.Retention < is.RetentionLimit:
			changes = append(changes, fmt.Sprintf("Automatic snapshots are kept for %s instead of %d; older ones are removed.", views.Plural(want.Retention, "day"), is.RetentionLimit))
		default:
			changes = append(changes, fmt.Sprintf("Automatic snapshots are kept for %s instead of %d.", views.Plural(want.Retention, "day"), is.RetentionLimit))
		}
	}
	if want.Retention > 0 && (want.Window.IsZero() && is.WindowChosen || !want.Window.IsZero() && (want.Window != is.SnapshotWindow || !is.WindowChosen)) {
		spec.Window = &want.Window
		window := want.Window
		if window.IsZero() {
			window = models.PickWindowBeside(is.Name, is.Attributes.MaintenanceWindow)
		}
		changes = append(changes, fmt.Sprintf("The snapshot window becomes %s UTC.", window))
	}
	return spec, changes
}

func (h formPages) modifySummary(w http.ResponseWriter, r *http.Request) error {
	form, err := readForm(r)
	if err != nil {
		return err
	}
	cluster, err := h.modifiable(r)
	if err != nil {
		return err
	}
	return h.showSummary(w, r, readModifyForm(cluster, form))
}

// show shows the form. If there are mistakes, the status says so.
func (h formPages) show(w http.ResponseWriter, r *http.Request, f clusterForm) error {
	props, err := h.props(r.Context(), f, h.aws(r))
	if err != nil {
		return err
	}
	at := formPlace(f)
	draw := func(shell views.Shell) templ.Component { return views.ClusterFormPage(shell, props) }
	return h.ask(w, r, at, f.wrong, draw)
}

func formPlace(f clusterForm) place {
	switch f.mode {
	case modeModify:
		return place{title: "Modify", active: views.NavClusters, path: clusterAddress(f.cluster.Name) + "/modify",
			crumbs: []views.Crumb{clustersCrumb, {Text: f.cluster.Name, Href: clusterAddress(f.cluster.Name)}}}
	case modeRestore:
		return place{title: "Restore", active: views.NavSnapshots, path: snapshotAddress(f.snapshot.Name) + "/restore",
			crumbs: []views.Crumb{snapshotsCrumb, {Text: f.snapshot.Name, Href: snapshotAddress(f.snapshot.Name)}}}
	}
	return place{title: "Create a cluster", active: views.NavClusters, path: "/clusters/-/new", crumbs: []views.Crumb{clustersCrumb}}
}

// showSummary answers with what the form would do as it is. htmx gets only the summary, a browser without scripts the whole form.
func (h formPages) showSummary(w http.ResponseWriter, r *http.Request, f clusterForm) error {
	props, err := h.props(r.Context(), f, h.aws(r))
	if err != nil {
		return err
	}
	props.Errors = nil // it is still being filled in
	if fromHTMX(r) {
		return h.partial(w, r, formPlace(f), func(shell views.Shell) templ.Component { return views.ClusterFormFragment(shell, props) })
	}
	return h.page(w, r, formPlace(f), func(shell views.Shell) templ.Component { return views.ClusterFormPage(shell, props) })
}

func (h formPages) props(ctx context.Context, f clusterForm, aws awsCLI) (views.ClusterForm, error) {
	props := views.ClusterForm{Mode: f.mode, ID: f.cluster.Name, MaxCopies: models.MaxCopies, AuthKept: f.cluster.Password != "",
		MaxShards: models.MaxShards, Sharded: f.spec.ClusterMode || f.cluster.ClusterMode, CacheOnly: f.cluster.Cached(), Attached: f.cluster.Attached(), NoReplicas: f.mode == modeModify && !f.cluster.Grouped,
		Fields: views.Fields{Values: maps.Clone(f.values), Errors: f.wrong}}
	at := formPlace(f)
	props.Action, props.CancelHref = at.path, at.crumbs[len(at.crumbs)-1].Href
	switch f.mode {
	case modeModify:
		props.SummaryAction, props.Status = clusterAddress(f.cluster.Name)+"/summary", string(f.cluster.Status)
	case modeRestore:
		props.SummaryAction = snapshotAddress(f.snapshot.Name) + "/summary"
		props.Source = &views.RestoreSource{Snapshot: f.snapshot.Name, Cluster: f.snapshot.ClusterName, Bytes: f.snapshot.Bytes, Keys: f.snapshot.Keys,
			CreatedAt: f.snapshot.CreatedAt, Engine: f.snapshot.Engine, Version: f.snapshot.EngineVersion, Logical: notPointInTime(f.snapshot), Deadlines: h.deadlinesIn(f.snapshot)}
	default:
		props.SummaryAction = "/clusters/-/summary"
		if err := h.offerSeeds(ctx, &f, &props); err != nil {
			return props, err
		}
	}
	for _, t := range models.NodeTypes() {
		props.NodeTypes = append(props.NodeTypes, views.NodeType{Name: t.Name, Memory: t.Memory, NoSnapshots: t.NoSnapshots})
	}
	engines, err := h.jobs.Engines(ctx)
	if err != nil {
		return props, fmt.Errorf("list engines: %w", err)
	}
	var source models.Snapshot
	if f.mode == modeRestore { // a seed may be chosen after the engine
		if source, err = h.withoutHiddenNames(ctx, f.snapshot); err != nil {
			return props, err
		}
	}
	usable := false
	props.Engines, usable = engineOptions(engines, source, h.jobs.CannotTake)
	if props.Summary, err = h.summary(ctx, f, aws); err != nil {
		return props, err
	}
	switch {
	case f.mode != modeModify && len(engines) == 0:
		props.Summary.Warnings = append(props.Summary.Warnings, "No engine is installed on this host. Install redis-server or valkey-server first.")
	case !usable && f.mode == modeRestore:
		props.Summary.Warnings = append(props.Summary.Warnings, fmt.Sprintf("No engine that is installed on this host can take this snapshot. Install %s or a newer version of it first.", views.EngineText(f.snapshot.Engine, f.snapshot.EngineVersion)))
	}
	return props, nil
}
