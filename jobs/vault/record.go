package vault

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"rekindle/internal/archive"
	"rekindle/models"
)

// What clusters there are, with their schedules, and the settings are written into the store as well, so that a lost host leaves more than
// snapshots. The minute tick writes what has changed since it was written last. A record that somebody else has written meanwhile is replaced
// only by a change that was made here, with a warning.

// Recorder keeps records in the store.
type Recorder struct{ kit }

// keepUp brings the records in the store in line with the catalog. What does not succeed is done at the next tick.
func (rec *Recorder) keepUp(ctx context.Context) {
	if err := rec.keep(ctx); err != nil && ctx.Err() == nil {
		rec.Logger.Warn("write the records of clusters and settings into the store; the next minute tries again", "error", err)
	}
}

func (rec *Recorder) keep(ctx context.Context) error {
	kept, err := rec.DB.Records.Kept(ctx)
	if err != nil {
		return err
	}
	clusters, err := rec.DB.Clusters.All(ctx)
	if err != nil {
		return err
	}
	living := map[string]bool{archive.ConsoleRecordKey: true}
	written := false
	for _, cluster := range clusters {
		key := archive.ClusterRecordKey(cluster.Name)
		living[key] = true
		if !recordable(cluster) {
			continue
		}
		written = true
		if cluster.Lost() && kept[key] != "" {
			continue // it comes from there, and knows less
		}
		record := recordOf(cluster)
		record.WrittenAt = rec.DB.Now()
		err := rec.keepOne(ctx, cluster.ID, key, record.Sum(), kept[key],
			func() (string, error) { r, err := rec.archive.Cluster(ctx, cluster.Name); return r.Sum(), err },
			func() error { return rec.archive.WriteCluster(ctx, record) })
		if err != nil {
			return err
		}
	}
	for key, sums := range kept {
		if !living[key] {
			if err := rec.drop(ctx, strings.TrimSuffix(key, "/cluster.json"), sums); err != nil {
				return err
			}
		}
	}
	settings, err := rec.DB.Settings.Chosen(ctx)
	if err != nil || len(settings) == 0 && !written {
		return err // an empty catalog has nothing to say, and a lost one must not seem to
	}
	console := archive.ConsoleRecord{WrittenAt: rec.DB.Now(), Settings: settings}
	return rec.keepOne(ctx, 0, archive.ConsoleRecordKey, console.Sum(), kept[archive.ConsoleRecordKey],
		func() (string, error) { r, err := rec.archive.Console(ctx); return r.Sum(), err },
		func() error { return rec.archive.WriteConsole(ctx, console) })
}

// recordable tells whether a cluster is there to stay: in the other states a run decides whether it will be, and what was written stays.
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
	configuration.WindowChosen, configuration.AuthEnabled = &c.WindowChosen, c.Password != ""
	return archive.ClusterRecord{Cluster: c.Name, CreatedAt: c.CreatedAt, Configuration: configuration, Attached: attachedOf(c)}
}

// attachedOf is how a cluster is reached, as far as that is no secret.
func attachedOf(c models.Cluster) *archive.Attached {
	if c.Attachment == nil {
		return nil
	}
	a := c.Attachment.Access
	return &archive.Attached{Addresses: a.Addresses, Mapped: a.Mapped, Username: a.Username, PSYNC: a.PSYNC, PrimaryName: a.PrimaryName, SentinelUsername: a.SentinelUsername,
		TLS: a.TLS, CA: a.CA, Certificate: a.Certificate, ServerName: a.ServerName, Unverified: a.Unverified}
}

// accessOf is what [attachedOf] wrote.
func accessOf(a archive.Attached) models.Access {
	return models.Access{Addresses: a.Addresses, Mapped: a.Mapped, Username: a.Username, PSYNC: a.PSYNC, PrimaryName: a.PrimaryName, SentinelUsername: a.SentinelUsername,
		TLS: a.TLS, CA: a.CA, Certificate: a.Certificate, ServerName: a.ServerName, Unverified: a.Unverified}
}

// keepOne writes one record if it says something else than what was written last. Found reads what is there. The intent is written down
// first, so that a console that is killed in between knows the record for its own.
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

// drop removes the record of a cluster that was deleted here, if it still is the one that was written here.
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

// Forget removes a cluster's record at the end of its deletion, so that a host that is lost in the next minute does not bring it back.
// That it was written stays noted until the next tick has looked once more: a tick may be about to write it.
func (rec *Recorder) Forget(ctx context.Context, cluster models.Cluster) {
	kept, err := rec.DB.Records.Kept(ctx)
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
