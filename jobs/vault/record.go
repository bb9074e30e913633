package vault

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"rekindle/internal/archive"
	"rekindle/models"
	"rekindle/models/catalog"
)

// Records of the clusters, with their schedules, and of the settings are written into the store as well, so that a lost host leaves more than
// snapshots. The minute tick looks at the clusters for which the catalog has noted a change. At the start, and then every hour, it looks at all of
// them, whatever was noted. A record that somebody else has written meanwhile is replaced only when something was changed here, and with a warning.

// Recorder keeps records in the store.
type Recorder struct {
	kit
	looked time.Time // when all clusters were last looked at, by the catalog's clock; only the records' tick uses it
}

// recordBatch is how many clusters are looked at together.
const recordBatch = 500

// keepUp brings the records in the store in line with the catalog. What fails is done at the next tick.
func (rec *Recorder) keepUp(ctx context.Context) {
	if err := rec.keep(ctx); err != nil && ctx.Err() == nil {
		rec.Logger.Warn("write the records of clusters and settings into the store; the next minute tries again", "error", err)
	}
}

func (rec *Recorder) keep(ctx context.Context) error {
	now := rec.DB.Now()
	marks, err := rec.DB.Records.Marked(ctx) // first: whatever changes from now on gets another mark
	if err != nil {
		return err
	}
	if age := now.Sub(rec.looked); !rec.looked.IsZero() && age >= 0 && age < time.Hour {
		written, err := rec.keepMarked(ctx, marks)
		if err != nil {
			return err
		}
		return rec.keepConsole(ctx, written)
	}
	written, err := rec.keepAll(ctx)
	if err != nil {
		return err
	}
	if err := errors.Join(rec.keepConsole(ctx, written), rec.DB.Records.Unmark(ctx, marks)); err != nil {
		return err
	}
	rec.looked = now
	return nil
}

// lastTime is how long an orderly stop waits for records.
const lastTime = 5 * time.Second

// KeepLast writes, before the console stops, the records that the next minute would have written. A store that is away does not hold up the stop: what
// is still noted is written after the next start.
func (rec *Recorder) KeepLast(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, lastTime)
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- rec.keepLast(ctx) }()
	var err error
	select {
	case err = <-done:
	case <-ctx.Done(): // the store may not even notice that
		err = ctx.Err()
	}
	if err != nil {
		rec.Logger.Warn("write the last records of clusters into the store; the next start tries again", "error", err)
	}
}

func (rec *Recorder) keepLast(ctx context.Context) error {
	marks, err := rec.DB.Records.Marked(ctx)
	if err != nil || len(marks) == 0 {
		return err
	}
	if _, err := rec.keepMarked(ctx, marks); err != nil {
		return err
	}
	rec.Logger.Info("wrote the last records into the store", "clusters", len(marks))
	return nil
}

// keepMarked looks at the clusters about which something has changed.
func (rec *Recorder) keepMarked(ctx context.Context, marks []catalog.Mark) (written bool, err error) {
	for some := range slices.Chunk(marks, recordBatch) {
		names := make([]string, len(some))
		for i, mark := range some {
			names[i] = mark.ClusterName
		}
		wrote, err := rec.keepSome(ctx, names)
		if err != nil {
			return written, err
		}
		written = written || wrote
		if err := rec.DB.Records.Unmark(ctx, some); err != nil {
			return written, err
		}
	}
	return written, nil
}

// keepAll looks at all clusters, and at those that only have a record.
func (rec *Recorder) keepAll(ctx context.Context) (written bool, err error) {
	keys, err := rec.DB.Records.Keys(ctx)
	if err != nil {
		return false, err
	}
	names, err := rec.DB.Clusters.AllNames(ctx)
	if err != nil {
		return false, err
	}
	for _, key := range keys {
		if name, is := strings.CutSuffix(key, "/cluster.json"); is {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	for some := range slices.Chunk(slices.Compact(names), recordBatch) {
		wrote, err := rec.keepSome(ctx, some)
		if err != nil {
			return written, err
		}
		written = written || wrote
	}
	return written, nil
}

// keepSome brings the records of these clusters in line, and tells whether any of them is recorded.
func (rec *Recorder) keepSome(ctx context.Context, names []string) (written bool, err error) {
	keys := make([]string, len(names))
	for i, name := range names {
		keys[i] = archive.ClusterRecordKey(name)
	}
	kept, err := rec.DB.Records.Kept(ctx, keys) // before the clusters: so a record that was written belongs to a cluster that is still there
	if err != nil {
		return false, err
	}
	clusters, err := rec.DB.Clusters.ToRecord(ctx, names)
	if err != nil {
		return false, err
	}
	for i, name := range names {
		cluster, living := clusters[name]
		switch {
		case !living && kept[keys[i]] != "":
			err = rec.drop(ctx, name, kept[keys[i]])
		case living && recordable(cluster):
			written = true
			err = rec.keepCluster(ctx, cluster, kept[keys[i]])
		}
		if err != nil {
			return written, err
		}
	}
	return written, nil
}

func (rec *Recorder) keepCluster(ctx context.Context, cluster models.Cluster, sums string) error {
	if cluster.Lost() && sums != "" {
		return nil // it comes from there, and knows less
	}
	record := recordOf(cluster)
	record.WrittenAt = rec.DB.Now()
	return rec.keepOne(ctx, cluster.ID, archive.ClusterRecordKey(cluster.Name), record.Sum(), sums,
		func() (string, error) { r, err := rec.archive.Cluster(ctx, cluster.Name); return r.Sum(), err },
		func() error { return rec.archive.WriteCluster(ctx, record) })
}

// keepConsole brings the record of the settings and channels in line.
func (rec *Recorder) keepConsole(ctx context.Context, written bool) error {
	kept, err := rec.DB.Records.Kept(ctx, []string{archive.ConsoleRecordKey})
	if err != nil {
		return err
	}
	settings, err := rec.DB.Settings.Chosen(ctx)
	if err != nil {
		return err
	}
	channels, err := rec.DB.Channels.All(ctx)
	if err != nil || len(settings)+len(channels) == 0 && !written {
		return err // an empty catalog has nothing to say, and a lost one must not look like one that does
	}
	console := archive.ConsoleRecord{WrittenAt: rec.DB.Now(), Settings: settings, Channels: channelsOf(channels)}
	return rec.keepOne(ctx, 0, archive.ConsoleRecordKey, console.Sum(), kept[archive.ConsoleRecordKey],
		func() (string, error) { r, err := rec.archive.Console(ctx); return r.Sum(), err },
		func() error { return rec.archive.WriteConsole(ctx, console) })
}

// recordable tells whether a cluster is there to stay. In the other states a run decides that, and what was written stays.
func recordable(c models.Cluster) bool {
	switch c.Status {
	case models.ClusterCreating, models.ClusterCreateFailed, models.ClusterDeleting:
		return false
	case models.ClusterRestoreFailed:
		return c.Lost()
	}
	return true
}

func recordOf(c models.Cluster) archive.ClusterRecord {
	configuration := storedConfiguration(c.Configuration)
	configuration.WindowChosen, configuration.AuthEnabled = &c.WindowChosen, c.SignInNeeded()
	return archive.ClusterRecord{Cluster: c.Name, CreatedAt: c.CreatedAt, Configuration: configuration, Attached: attachedOf(c), Drills: drillsOf(c), Journal: journalOf(c)}
}

func drillsOf(c models.Cluster) *archive.Drills {
	if c.DrillPlan == nil {
		return nil
	}
	return &archive.Drills{Every: string(c.DrillPlan.Every), Window: c.DrillPlan.Window.String(), Day: c.DrillPlan.DayText()}
}

func journalOf(c models.Cluster) *archive.Journal {
	plan := c.JournalPlan
	if plan == nil || !plan.Kept {
		return nil
	}
	return &archive.Journal{Days: plan.Days, Seconds: int(plan.Promise.Seconds()), Lone: plan.Lone, Synthetic: plan.Synthetic}
}

// attachedOf says how a cluster is reached, without its secrets.
func attachedOf(c models.Cluster) *archive.Attached {
	if c.Attachment == nil {
		return nil
	}
	a := c.Attachment.Access
	return &archive.Attached{Addresses: a.Addresses, Mapped: a.Mapped, Username: a.Username, PSYNC: a.PSYNC, ByKey: a.ByKey, PrimaryName: a.PrimaryName, SentinelUsername: a.SentinelUsername,
		TLS: a.TLS, CA: a.CA, Certificate: a.Certificate, ServerName: a.ServerName, Unverified: a.Unverified, Tuned: a.Tuned}
}

// accessOf is the reverse of [attachedOf].
func accessOf(a archive.Attached) models.Access {
	return models.Access{Addresses: a.Addresses, Mapped: a.Mapped, Username: a.Username, PSYNC: a.PSYNC, ByKey: a.ByKey, PrimaryName: a.PrimaryName, SentinelUsername: a.SentinelUsername,
		TLS: a.TLS, CA: a.CA, Certificate: a.Certificate, ServerName: a.ServerName, Unverified: a.Unverified, Tuned: a.Tuned}
}

// keepOne writes one record if it differs from what was last written. found reads what is there. The intent is written down first, so that a console
// that is killed in between knows that the record is its own.
func (rec *Recorder) keepOne(ctx context.Context, cluster uint, key, sum, sums string, found func() (string, error), write func() error) error {
	if sums == sum {
		return nil
	}
	there, err := found()
	switch {
	case err == nil && there != sum && !strings.Contains(sums, there), errors.Is(err, archive.ErrInvalid), errors.Is(err, archive.ErrNewer):
		rec.event(ctx, models.SeverityWarning, "", fmt.Sprintf("The record %s in the store was written by another console, or before the database was lost. "+
			"It was replaced by what this console has, because that has changed.", key))
	case err != nil && !errors.Is(err, archive.ErrMissing):
		return err
	}
	if may, err := rec.DB.Records.BeginKeep(ctx, cluster, key, sum); err != nil || !may {
		return err
	}
	if err := write(); err != nil {
		return err
	}
	return rec.DB.Records.EndKeep(ctx, key, sum)
}

// drop removes the record of a cluster that was deleted here, if it is still the one that was written here.
func (rec *Recorder) drop(ctx context.Context, cluster, sums string) error {
	there, err := rec.archive.Cluster(ctx, cluster)
	switch {
	case err == nil && strings.Contains(sums, there.Sum()):
		err = rec.archive.RemoveCluster(ctx, cluster)
	case errors.Is(err, archive.ErrMissing), errors.Is(err, archive.ErrInvalid), errors.Is(err, archive.ErrNewer):
		err = nil
	}
	if err != nil {
		return err
	}
	return rec.DB.Records.EndKeep(ctx, archive.ClusterRecordKey(cluster), "")
}

// missing has those records written again that were written once but are not among the clusters just seen in the store.
func (rec *Recorder) missing(ctx context.Context, there map[string]bool) error {
	keys, err := rec.DB.Records.Keys(ctx)
	if err != nil {
		return err
	}
	for _, key := range keys {
		cluster, is := strings.CutSuffix(key, "/cluster.json")
		if !is || there[cluster] {
			continue
		}
		// It may have been written since the store was listed.
		if _, err := rec.archive.Cluster(ctx, cluster); err == nil || errors.Is(err, archive.ErrInvalid) || errors.Is(err, archive.ErrNewer) {
			continue
		} else if !errors.Is(err, archive.ErrMissing) {
			return err
		}
		if err := rec.DB.Records.Vanished(ctx, key, cluster); err != nil {
			return err
		}
	}
	return nil
}

// Forget removes a cluster's record at the end of its deletion, so that a host lost in the next minute does not bring it back. The catalog still
// remembers that the record was written until the next tick has looked once more: a tick may be about to write it.
func (rec *Recorder) Forget(ctx context.Context, cluster models.Cluster) {
	kept, err := rec.DB.Records.Kept(ctx, []string{archive.ClusterRecordKey(cluster.Name)})
	if err == nil {
		var there archive.ClusterRecord
		if there, err = rec.archive.Cluster(ctx, cluster.Name); err == nil && strings.Contains(kept[archive.ClusterRecordKey(cluster.Name)], there.Sum()) {
			err = rec.archive.RemoveCluster(ctx, cluster.Name)
		}
	}
	if err != nil && !errors.Is(err, archive.ErrMissing) {
		rec.Logger.Warn("remove the record of a deleted cluster; the next minute tries again", "cluster", cluster.Name, "error", err)
	}
}
