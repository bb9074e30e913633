package web

import (
	"context"
	"strings"
	"time"

	"github.com/jonboulle/clockwork"

	"rekindle/models"
	"rekindle/models/catalog"
	"rekindle/views"
)

// This file turns rows of the catalog into what the pages show.

// presenter reads what several pages show in the same way: work, events, rows of snapshots, schedules, clusters to choose from.
type presenter struct {
	db    *catalog.DB
	clock clockwork.Clock
}

// The page's names for kinds of runs, where they differ from the catalog's.
var runKindNames = map[models.RunKind]string{models.RunDelete: "delete-cluster", models.RunDeleteSnapshot: "delete-snapshots"}

func runKindName(kind models.RunKind) string {
	if name, other := runKindNames[kind]; other {
		return name
	}
	return string(kind)
}

// presentRun is a run as pages show it. Its numbers are those of the step that it is at, and missing while that has none.
func presentRun(run models.Run, now time.Time) views.Run {
	v := views.Run{
		ID: runID(run.ID), Kind: runKindName(run.Kind), Label: run.Kind.Label(), Title: run.Title(), Status: string(run.Status),
		Cluster: run.ClusterName, Snapshot: run.SnapshotName, QueuedAt: run.CreatedAt, Step: run.Stage, Error: run.Error,
		Cancelable: run.Cancellable() || run.CancelRequested && !run.Status.Ended(), Cancelling: run.CancelRequested,
	}
	if run.StartedAt != nil {
		v.StartedAt = *run.StartedAt
	}
	if run.EndedAt != nil {
		v.FinishedAt = *run.EndedAt
	}
	switch {
	case run.Measured():
		v.Number, v.Numbers, v.Done, v.Total = run.Step, run.Steps, run.BytesDone, run.BytesTotal
		v.Rate, v.Left = run.Pace(now)
	case run.Status.Ended() && run.Steps <= 1: // otherwise the bytes are those of its last step
		v.Done = run.BytesDone
	}
	if run.Status == models.RunSucceeded && v.Done > 0 && !v.StartedAt.IsZero() {
		v.Result = views.SizeText(v.Done) + " in " + views.DurationText(v.FinishedAt.Sub(v.StartedAt)) + "."
	}
	return v
}

// presentSchedule is a cluster's schedule, without what has to be read from the catalog.
func presentSchedule(cluster models.Cluster, newest models.Snapshot) views.Schedule {
	v := views.Schedule{Enabled: cluster.Backups(), Retention: cluster.RetentionLimit, Start: cluster.SnapshotWindow.Start, Length: cluster.SnapshotWindow.Length}
	if newest.Name != "" {
		v.Last = &views.LastSnapshot{Name: newest.Name, At: newest.CreatedAt, Bytes: newest.Bytes, Took: newest.TakenIn(), From: servedBy(newest)}
	}
	return v
}

// schedule adds when the next snapshot is due, and whether the last scheduled attempt failed. What people do by hand does not matter for that, unless
// it made a newer good snapshot.
func (p presenter) schedule(ctx context.Context, cluster models.Cluster, newest models.Snapshot) (views.Schedule, error) {
	v := presentSchedule(cluster, newest)
	next, planned, err := p.db.Schedule.Next(ctx, cluster)
	if err != nil {
		return v, err
	}
	if planned {
		v.Next = next
	}
	since := cluster.CreatedAt
	if newest.Name != "" {
		since = newest.CreatedAt.Add(1)
	}
	last, found, err := p.db.Schedule.LastRun(ctx, cluster.Name, since)
	if err != nil {
		return v, err
	}
	if found && last.Status == models.RunFailed && last.EndedAt != nil {
		v.Failed, v.FailedReason = *last.EndedAt, last.Error
	}
	return v, nil
}

func servedBy(snapshot models.Snapshot) string {
	if snapshot.ServedBy == "" {
		return ""
	}
	return string(snapshot.ServedRole) + " " + snapshot.ServedBy
}

func presentNodes(nodes []models.Node) []views.Node {
	shown := make([]views.Node, len(nodes))
	for i, n := range nodes {
		shown[i] = views.Node{Name: n.Name, Shard: n.Shard, Role: string(n.Role), Endpoint: n.Endpoint().String(), Slots: n.Slots, Status: n.State,
			UsedMemory: n.UsedMemory, MaxMemory: n.MaxMemory, Keys: knownKeys(n), LinkUp: n.LagBytes >= 0, LagBytes: max(n.LagBytes, 0), LagSeconds: -1}
	}
	return shown
}

// keepers are the nodes whose keys no other node is meant to have: the primaries, or all nodes if each has its own keys.
func keepers(c models.Cluster) []models.Node {
	if c.Cached() {
		return c.Nodes
	}
	return c.Primaries()
}

// usedMemory is how much memory the data uses.
func usedMemory(c models.Cluster) int64 {
	var sum int64
	for _, n := range keepers(c) {
		sum += n.UsedMemory
	}
	return sum
}

// maxMemory is how much data fits in; 0: there is no limit.
func maxMemory(c models.Cluster) int64 {
	if !c.Attached() {
		return c.MaxMemory() * int64(max(1, len(keepers(c))))
	}
	var sum int64
	for _, n := range keepers(c) {
		if n.MaxMemory <= 0 {
			return 0 // it may use all that its host has
		}
		sum += n.MaxMemory
	}
	return sum
}

// keysOf is the number of keys, or -1 if nobody has counted them yet.
func keysOf(c models.Cluster) int64 {
	nodes := keepers(c)
	if len(nodes) == 0 {
		return -1
	}
	var sum int64
	for _, n := range nodes {
		known := knownKeys(n)
		if known < 0 {
			return -1
		}
		sum += known
	}
	return sum
}

// firstNode is the node that clients are told to connect to first: the primary, if there is one.
func firstNode(c models.Cluster) (models.Node, bool) {
	if nodes := keepers(c); len(nodes) > 0 {
		return nodes[0], true
	}
	return models.Node{}, false
}

// knownKeys is the node's number of keys, or -1 if nobody has seen it yet.
func knownKeys(n models.Node) int64 {
	if n.SeenAt == nil {
		return -1
	}
	return n.Keys
}

// around is what a snapshot's row says besides the snapshot itself, by names of clusters and snapshots.
type around struct {
	living    map[string]bool // clusters that exist
	cancelled map[string]bool // snapshots
	running   map[string]views.Run
}

// notPointInTime is a sentence about a snapshot that was read key by key; "": it was not.
func notPointInTime(s models.Snapshot) string {
	if s.Logical {
		return models.NotPointInTime
	}
	return ""
}

// presentSnapshot is a snapshot's row.
func presentSnapshot(snapshot models.Snapshot, at around) views.SnapshotRow {
	v := views.SnapshotRow{Name: snapshot.Name, Cluster: snapshot.ClusterName, ClusterExists: at.living[snapshot.ClusterName], Source: snapshot.Source,
		Status: string(snapshot.Status), Bytes: snapshot.Bytes, Stored: snapshot.Stored, Keys: snapshot.Keys, Parts: max(1, snapshot.ShardCount),
		CreatedAt: snapshot.CreatedAt, Reason: snapshot.StatusReason, Damaged: snapshot.Damaged(), Logical: snapshot.Logical}
	if snapshot.VerifiedAt != nil {
		v.VerifiedAt = *snapshot.VerifiedAt
	}
	if snapshot.CompletedAt == nil {
		v.Bytes, v.Stored, v.Keys = -1, -1, -1
	}
	if at.cancelled[snapshot.Name] {
		v.Status = views.Cancelled
	}
	if run, found := at.running[snapshot.Name]; found {
		v.Running = &run
	}
	return v
}

// snapshots returns the rows, and whether any of the snapshots is being worked on.
func (p presenter) snapshots(ctx context.Context, snapshots []models.Snapshot) (rows []views.SnapshotRow, busy bool, err error) {
	names, clusters := make([]string, len(snapshots)), make([]string, len(snapshots))
	for i, snapshot := range snapshots {
		names[i], clusters[i] = snapshot.Name, snapshot.ClusterName
	}
	at := around{running: make(map[string]views.Run)}
	if at.living, _, err = p.db.Present(ctx, clusters, nil); err != nil {
		return nil, false, err
	}
	if at.cancelled, err = p.db.Snapshots.Cancelled(ctx, names...); err != nil {
		return nil, false, err
	}
	active, err := p.db.Runs.Active(ctx)
	if err != nil {
		return nil, false, err
	}
	for _, run := range active {
		at.running[run.SnapshotName] = presentRun(run, p.clock.Now())
	}
	rows = make([]views.SnapshotRow, len(snapshots))
	for i, snapshot := range snapshots {
		rows[i] = presentSnapshot(snapshot, at)
		busy = busy || rows[i].Running != nil
	}
	return rows, busy, nil
}

func agentName(userAgent string) string {
	find := func(names ...string) string {
		for i := 0; i+1 < len(names); i += 2 {
			if strings.Contains(userAgent, names[i]) {
				return names[i+1]
			}
		}
		return ""
	}
	browser := find("Edg/", "Edge", "OPR/", "Opera", "Firefox/", "Firefox", "Chrome/", "Chrome", "Safari/", "Safari", "curl/", "curl")
	system := find("Android", "Android", "iPhone", "iOS", "iPad", "iPadOS", "Windows", "Windows", "Mac OS", "macOS", "CrOS", "ChromeOS", "Linux", "Linux")
	switch {
	case browser == "":
		return cut(userAgent, 60)
	case system == "":
		return browser
	}
	return browser + " on " + system
}
