package web

import (
	"context"
	"maps"
	"slices"

	"rekindle/models"
)

// What is wrong with the form for clusters: the same answer for whoever sends it and for the summary beside it.

// fields are those of the form at which a mistake can be shown.
func (f clusterForm) fields() []string {
	fields := append([]string{"password"}, formFields...)
	if f.mode == modeRestore { // there the snapshot is not a field: mistakes about it are shown at the top
		fields = slices.DeleteFunc(fields, func(name string) bool { return name == "snapshot" })
	}
	return fields
}

// findMoreWrong reports, besides what cannot be read, what is wrong with the rest: all mistakes at once. The catalog judges, and changes nothing.
func (h formPages) findMoreWrong(ctx context.Context, f clusterForm) error {
	if f.mode == modeModify {
		return h.findMoreWrongChanges(ctx, f)
	}
	if _, err := h.db.Clusters.Check(ctx, &f.spec); err != nil {
		return f.wrong.refusal(err, f.fields())
	}
	return nil
}

// findMoreWrongChanges does so for a modification. What would be wrong when creating such a cluster is wrong here too, if it is a field of this form.
func (h formPages) findMoreWrongChanges(ctx context.Context, f clusterForm) error {
	spec := f.spec
	spec.Name, spec.Engine, spec.CacheCluster, spec.Auth, spec.Snapshot = f.cluster.Name, f.cluster.EngineName(), !f.cluster.Grouped, models.AuthNone, ""
	if f.cluster.Cached() {
		spec.CacheNodes = len(f.cluster.Nodes)
	}
	_, err := h.db.Clusters.Check(ctx, &spec)
	faults, refused := models.AsFaults(err)
	if err != nil && !refused {
		return err
	}
	fields := []string{"description", "backups", "retention", "window_start", "window_length"}
	if !f.cluster.Attached() {
		fields = append(fields, "node_type", "replicas")
	}
	for _, fault := range faults {
		if slices.Contains(fields, fault.Field) {
			f.wrong.add(fault.Field, fault.Message)
		}
	}
	if len(f.wrong) == 0 { // such a cluster may exist; can this one become it now?
		changes, _ := f.changes()
		faults, _ := changes.Columns(f.cluster, h.clock.Now())
		return f.wrong.refusal(faults.OrNil(), formFields)
	}
	return nil
}

// The fields that decide about a part of the summary.
var (
	sizeFields     = []string{"node_type", "cluster_mode", "shards", "replicas", "copies"}
	scheduleFields = []string{"backups", "retention", "window_preference", "window_start", "window_length"}
)

// problems returns what is wrong with the form as it is, with the fields. What has not been filled in yet is not wrong.
func (h formPages) problems(ctx context.Context, f clusterForm) (mistakes, error) {
	f.wrong = maps.Clone(f.wrong)
	if f.wrong == nil {
		f.wrong = mistakes{}
	}
	if err := h.findMoreWrong(ctx, f); err != nil {
		return nil, err
	}
	delete(f.wrong, "override") // the summary has the box itself
	if f.spec.Name == "" {
		delete(f.wrong, "id")
	}
	if f.spec.Password == "" {
		delete(f.wrong, "password")
	}
	return f.wrong, nil
}

// has tells whether one of these fields is wrong.
func (m mistakes) has(fields ...string) bool {
	return slices.ContainsFunc(fields, func(name string) bool { return m[name] != "" })
}

// sentences are the mistakes in the order of the form's fields, those of no field first.
func (m mistakes) sentences(fields []string) []string {
	var all []string
	for _, name := range append([]string{""}, fields...) {
		if m[name] != "" {
			all = append(all, m[name])
		}
	}
	return all
}
