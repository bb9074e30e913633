package jobs

import (
	"context"
	"strings"

	"rekindle/internal/words"
	"rekindle/jobs/impact"
	"rekindle/jobs/queue"
	"rekindle/models"
)

// SnapshotSource says where a snapshot of the cluster would be taken now: in each shard from the freshest replica whose link is up, and from the
// primary only if there is none. It also says whether the host has memory for the fork. Of several shards it returns the first whose host has not,
// otherwise the first.
//
// An error says in words why none can be taken.
func (m *Manager) SnapshotSource(ctx context.Context, cluster models.Cluster) (models.SnapshotSource, error) {
	if !m.nodes.Here(cluster) {
		return models.SnapshotSource{Elsewhere: true, Fits: true}, nil
	}
	sources, err := m.nodes.Sources(ctx, cluster)
	if err != nil {
		m.Logger.Warn("no node to take a snapshot from", "cluster", cluster.Name, "error", err)
		return models.SnapshotSource{}, models.Faults{{Code: models.CodeClusterState, Message: sentence(err)}}
	}
	for _, source := range sources {
		if !source.Fits {
			return source, nil
		}
	}
	return sources[0], nil
}

// snapshot is the body of a snapshot run.
func (m *Manager) snapshot(ctx context.Context, run models.Run, args models.SnapshotArgs, report *queue.Report) error {
	if closes := args.WindowCloses; closes != nil && !m.DB.Now().Before(*closes) {
		return because(nil, "Its window closed at %s UTC before its turn came, because other snapshots took too long. Give the clusters windows that are longer or further apart.",
			closes.UTC().Format("15:04"))
	}
	measured, way, err := m.produce(ctx, run, args, report)
	if err != nil {
		return err
	}
	if err := m.DB.Settle.Snapshot(context.WithoutCancel(ctx), run, measured); err != nil {
		return err
	}
	if way == models.ToBeCompared {
		if err := m.DB.Comparisons.Queue(context.WithoutCancel(ctx), run); err != nil { // then the next one is compared
			m.Logger.Error("queue the comparison of a snapshot with the journal", "snapshot", run.SnapshotName, "error", err)
		}
		m.Wake()
	}
	m.calendar.applyRetention(ctx)
	return nil
}

// produce makes a snapshot in the way that the cluster's plan says: a daily one from the journal, if that can be done, and any other of the cluster itself.
func (m *Manager) produce(ctx context.Context, run models.Run, args models.SnapshotArgs, report *queue.Report) (measured models.Snapshot, way models.DailyWay, err error) {
	cluster, err := m.DB.Clusters.ByID(ctx, run.ClusterID)
	if err != nil {
		return measured, way, err
	}
	if way, err = m.DB.Comparisons.Daily(ctx, cluster, args); err != nil {
		return measured, way, err
	}
	if way != models.OfJournal {
		measured, err = m.take(ctx, run, args.Override, report)
		return measured, way, err
	}
	measured, err = m.synthesize(ctx, run, args, cluster, report)
	if err == nil || ctx.Err() != nil {
		return measured, way, err
	}
	why := sentence(err)
	m.Logger.Warn("make a snapshot from the journal; it is taken of the cluster itself", "snapshot", run.SnapshotName, "error", err)
	if err := m.DB.Comparisons.FellBack(ctx, run, why); err != nil {
		return measured, way, err
	}
	measured, err = m.take(ctx, run, args.Override, report)
	measured.Warning = strings.TrimSpace(models.NotSynthetic(why) + " " + measured.Warning)
	return measured, models.OfCluster, err
}

// synthesize makes a snapshot from the journal.
func (m *Manager) synthesize(ctx context.Context, run models.Run, args models.SnapshotArgs, cluster models.Cluster, report *queue.Report) (models.Snapshot, error) {
	var none models.Snapshot
	row, err := m.DB.Snapshots.Get(ctx, run.SnapshotName)
	if err != nil {
		return none, err
	}
	if err := m.vault.Health.Usable(ctx); err != nil {
		return none, err
	}
	cluster, _, err = m.prepare(ctx, cluster, report) // whether slots move; nothing is read
	if err != nil {
		return none, err
	}
	return m.vault.Recoverer.Synthesize(ctx, run, args, cluster, row, report)
}

// take writes a cluster's data into the store. It returns what was measured, for the catalog.
func (m *Manager) take(ctx context.Context, run models.Run, override bool, report *queue.Report) (models.Snapshot, error) {
	var none models.Snapshot
	cluster, err := m.DB.Clusters.ByID(ctx, run.ClusterID)
	if err != nil {
		return none, err
	}
	row, err := m.DB.Snapshots.Get(ctx, run.SnapshotName)
	if err != nil {
		return none, err
	}
	if err := m.vault.Health.Usable(ctx); err != nil {
		return none, err
	}
	cluster, whole, err := m.prepare(ctx, cluster, report)
	if err != nil {
		return none, err
	}
	report.Stage("Choosing a node to take it from", nil)
	sources, err := m.nodes.Sources(ctx, cluster)
	if err != nil {
		return none, err
	}
	for _, source := range sources {
		if !source.Fits && !override {
			free := words.Size(source.Available)
			if cluster.Attached() {
				free = "at most " + free // what else runs on that host is not known
			}
			return none, because(nil, "The host of the %s %s has %s of memory free, and the fork may need up to %s. Free some memory, or take the snapshot by hand with the override.",
				source.Node.Role, source.Node.Name, free, words.Size(source.UsedMemory))
		}
	}
	draft, measured, err := m.vault.Writer.Begin(ctx, run, cluster, row)
	if err != nil || draft == nil {
		return measured, err
	}
	tune := func(ctx context.Context, node models.Node) func() { return m.tuner.Tune(ctx, run, cluster, node) }
	meter := impact.New(ctx, cluster, m.DB.Now)
	defer func() { m.keepImpact(context.WithoutCancel(ctx), run, meter.Close()) }()
	parts := &taking{cluster, draft, m.nodes, tune, m.Parts, meter, m.Logger}
	if err := parts.all(ctx, sources, report); err != nil {
		return none, err
	}
	if err := whole(ctx); err != nil {
		return none, err
	}
	return draft.Commit(ctx)
}

// keepImpact writes down what a snapshot cost its cluster. The snapshot does not depend on it.
func (m *Manager) keepImpact(ctx context.Context, run models.Run, impact models.Impact) {
	if err := m.DB.Impacts.Keep(ctx, run, impact); err != nil {
		m.Logger.Error("keep what a snapshot cost", "run", run.ID, "error", err)
	}
}

// prepare looks at a cluster before a snapshot is taken. It returns the cluster as it is now, and a function that checks afterwards that it has not
// changed, because each slot must be in exactly one part.
func (m *Manager) prepare(ctx context.Context, cluster models.Cluster, report *queue.Report) (models.Cluster, func(context.Context) error, error) {
	report.Stage("Looking at the cluster", nil)
	if cluster.Attached() {
		cluster, guard, err := m.attached.Prepare(ctx, cluster, func(text string) { report.Stage(text, nil) })
		if err != nil {
			return cluster, nil, err
		}
		return cluster, guard.Check, nil
	}
	cluster, spread, err := m.nodes.Spread(ctx, cluster)
	return cluster, spread.Check, err
}
