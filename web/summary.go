package web

import (
	"context"
	"fmt"
	"strings"

	"rekindle/models"
	"rekindle/views"
)

// shown is what the form asks for, within the bounds of what there can be.
func (f clusterForm) shown() models.ClusterSpec {
	spec := f.spec
	spec.Replicas = min(max(spec.Replicas, 0), models.MaxReplicas)
	spec.Shards = min(max(spec.Shards, 0), models.MaxShards)
	spec.Copies = min(max(spec.Copies, 1), models.MaxCopies)
	if f.mode == modeModify {
		spec.Name, spec.ClusterMode, spec.Shards = f.cluster.Name, f.cluster.ClusterMode, f.cluster.ShardCount
	}
	return spec
}

// shortage says that the data of the snapshot is larger than the memory that this host has left, or "". Whoever wants it all the same has to say so.
func (h formPages) shortage(ctx context.Context, f clusterForm) string {
	spec := f.shown()
	if f.mode == modeModify || f.snapshot.UsedMemory == 0 {
		return ""
	}
	data := f.snapshot.UsedMemory * int64(spec.Copies) * int64(spec.Nodes()) / int64(spec.ShardCount())
	_, available, err := h.jobs.HostMemory(ctx)
	if err != nil || data <= available {
		return ""
	}
	return fmt.Sprintf("The data needs %s on all nodes together, and this host has %s free. It will run out of memory.", views.SizeText(data), views.SizeText(available))
}

// restoresLooked is how many of the last restores an estimate may go by.
const restoresLooked = 50

// summary says what the form would do as it is now, however much of it is still wrong.
func (h formPages) summary(ctx context.Context, f clusterForm, aws awsCLI) (views.FormSummary, error) {
	spec := f.shown()
	nodeType, _ := models.FindNodeType(spec.NodeType)
	v := views.FormSummary{NodeType: nodeType.Name, Memory: nodeType.Memory, Nodes: spec.Copies * spec.Nodes(), Free: -1}
	if f.cluster.Cached() {
		v.Nodes = len(f.cluster.Nodes)
	}
	v.Total = int64(v.Nodes) * v.Memory
	wrong, err := h.problems(ctx, f)
	if err != nil {
		return v, err
	}
	v.Problems, v.SizeWrong, v.ScheduleWrong = wrong.sentences(f.fields()), wrong.has(sizeFields...), wrong.has(scheduleFields...)
	if spec.Copies > 1 && spec.Name != "" {
		v.Names = models.NumberedNames(spec.Name, spec.Copies)
	}
	if _, available, err := h.jobs.HostMemory(ctx); err == nil {
		v.Free = available
	}
	if f.mode != modeModify && f.snapshot.Name != "" {
		restores, err := h.db.Runs.Restores(ctx, restoresLooked)
		if err != nil {
			return v, err
		}
		v.Filled = true
		v.Takes, v.TakesBy = models.EstimateRestore(f.snapshot.Bytes*int64(spec.Copies), restores)
	}
	if !v.ScheduleWrong {
		v.Schedule = h.plannedSchedule(spec)
	}
	if f.mode == modeModify && v.Schedule.Enabled { // what has been done in its window today counts
		changed := f.cluster
		changed.RetentionLimit, changed.SnapshotWindow = spec.Retention, models.Window{Start: v.Schedule.Start, Length: v.Schedule.Length}
		if coming, planned, err := h.db.Schedule.Coming(ctx, changed); err != nil {
			return v, err
		} else if planned {
			v.Schedule.Next = coming.At
		}
	}
	settings, err := h.db.Settings.Get(ctx)
	if err != nil {
		return v, err
	}
	size, err := h.expectedSize(ctx, f)
	if err != nil {
		return v, err
	}
	most := nodeType.Memory
	if f.cluster.Attached() {
		most = usedMemory(f.cluster) // nothing else tells how much fits in
	}
	v.Cost, v.CostNote = expectedCost(settings, spec, size, most)
	if f.cluster.Attached() && spec.Retention > 1 && size == 0 {
		v.CostNote = views.Plural(min(spec.Retention, models.MaxRetention), "snapshot") + " as large as the data in memory, the newest one free"
	}
	v.Warnings, v.Shortage = formWarnings(f, spec, nodeType, v), h.shortage(ctx, f)
	if len(v.Problems) > 0 {
		return v, nil // it would be refused: there are no changes, and no command for them
	}
	if f.mode != modeModify {
		v.AWS = aws.create(spec)
		if spec.Deadlines != models.DeadlinesKept {
			v.AWS = "# This keeps the deadlines: the API has no choice of them.\n" + v.AWS
		}
		return v, nil
	}
	modification, changes := f.changes()
	v.Changes, v.AWS = changes, aws.modify(f.cluster, modification)
	if v.AWS == "" {
		v.AWS = aws.cluster(awsTargetOf(f.cluster))
	}
	return v, nil
}

// plannedSchedule is the schedule that the fields describe. A cluster without a chosen window gets one by its name.
func (h formPages) plannedSchedule(spec models.ClusterSpec) views.Schedule {
	v := views.Schedule{Enabled: spec.Retention > 0, Retention: spec.Retention}
	name := models.NumberedNames(spec.Name, spec.Copies)[0]
	window := spec.Window
	if window.IsZero() && spec.Name != "" {
		window = models.PickWindow(name)
	}
	if !v.Enabled || window.IsZero() {
		return v
	}
	v.Start, v.Length = window.Start, window.Length
	if spec.Name != "" {
		coming, _ := models.Plan{Cluster: name, Window: window, Retention: spec.Retention}.Coming(h.clock.Now())
		v.Next = coming.At
	}
	return v
}

// expectedSize is how much space one snapshot of the cluster will need in the store, or 0 if nothing tells.
func (h formPages) expectedSize(ctx context.Context, f clusterForm) (int64, error) {
	if f.mode != modeModify {
		return f.snapshot.Stored, nil
	}
	last, err := h.db.History.LastStored(ctx, f.cluster.Name, forecastOver)
	if size := models.ExpectedStored(last); size > 0 || err != nil {
		return size, err
	}
	newest, err := h.db.Snapshots.Newest(ctx, f.cluster.Name)
	return newest[f.cluster.Name].Stored, err
}

// expectedCost is what the automatic snapshots would cost at ElastiCache, where one per cluster is free: from the size of one, or from the most that
// one can need.
func expectedCost(settings models.Settings, spec models.ClusterSpec, size, most int64) (cost, note string) {
	if spec.Retention <= 0 {
		return money(settings, 0), "only on request; one snapshot of each cluster is free"
	}
	days := min(spec.Retention, models.MaxRetention)
	of := func(size int64) float64 { return settings.Forecast(days, size) * float64(spec.Copies) }
	kept := views.Plural(days, "snapshot")
	if spec.Copies > 1 {
		kept += " of each cluster"
	}
	if size > 0 {
		return roughly(settings, of(size)), forecast(settings, days, spec.Copies, size)
	}
	if days == 1 {
		return money(settings, 0), "one snapshot of each cluster is free"
	}
	return "at most " + money(settings, of(most)), kept + " of full nodes, the newest one free"
}

func formWarnings(f clusterForm, spec models.ClusterSpec, nodeType models.NodeType, v views.FormSummary) []string {
	var warnings []string
	if nodeType.NoSnapshots && !f.cluster.Cached() {
		warnings = append(warnings, fmt.Sprintf("Clusters of the node type %s cannot be backed up, neither automatically nor by hand.", nodeType.Name))
	}
	used := f.snapshot.UsedMemory
	if len(f.cluster.Nodes) > 0 {
		used = f.cluster.FullestShard()
	}
	shards := int64(spec.ShardCount())
	if len(f.cluster.Nodes) > 0 {
		shards = 1 // the usage shown is that of the fullest shard
	}
	if room := shards * nodeType.Memory; shards > 1 && nodeType.Memory > 0 && used > room {
		warnings = append(warnings, fmt.Sprintf("The data needs %s of memory, and %d shards of %s have %s. Choose a larger node type or more shards.",
			views.SizeText(used), shards, nodeType.Name, views.SizeText(room)))
	} else if shards == 1 && nodeType.Memory > 0 && used > nodeType.Memory {
		warnings = append(warnings, fmt.Sprintf("The data needs %s of memory, and %s has %s. Choose a larger node type.",
			views.SizeText(used), nodeType.Name, views.SizeText(nodeType.Memory)))
	}
	if v.Free < 0 || f.cluster.Attached() {
		return warnings
	}
	data := used * int64(v.Nodes) / shards
	if grows := v.Total - f.cluster.MaxMemory()*int64(len(f.cluster.Nodes)); grows > v.Free && (f.mode == modeModify || data <= v.Free) { // else there is a shortage right at the beginning
		warnings = append(warnings, fmt.Sprintf("When the nodes are full they need %s more than now, and this host has %s free.",
			views.SizeText(grows), views.SizeText(v.Free)))
	}
	if f.mode == modeRestore && f.snapshot.Engine != "" && strings.EqualFold(f.snapshot.Engine, "valkey") && spec.Engine.Name == "redis" {
		warnings = append(warnings, "The snapshot was written by Valkey. Whether this Redis can load it is checked before anything starts.")
	}
	return warnings
}
