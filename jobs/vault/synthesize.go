package vault

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"rekindle/internal/archive"
	"rekindle/internal/words"
	"rekindle/jobs/queue"
	"rekindle/jobs/reason"
	"rekindle/models"
)

// Synthesize makes the daily snapshot of a cluster, as it was when the run began, from the newest good snapshot and the journal behind it. The cluster is
// left alone. What it begins with is not held: if somebody deletes it meanwhile, this fails, and a snapshot is taken of the cluster. An error leaves
// nothing that [Writer.Begin] does not remove.
func (r *Recoverer) Synthesize(ctx context.Context, run models.Run, args models.SnapshotArgs, cluster models.Cluster, row models.Snapshot, report *queue.Report) (models.Snapshot, error) {
	var none models.Snapshot
	one := &recovery{Recoverer: r, run: run, report: report, patience: patienceWithin(args, r.DB.Now())}
	if err := one.wait(ctx); err != nil {
		return none, err
	}
	defer func() { <-r.turn }()
	report.Stage("Looking for a snapshot and for the journal behind it", nil)
	var err error
	if one.args.Moment, err = r.followed(ctx, cluster); err != nil {
		return none, err
	}
	if one.base, one.spans, err = one.plan(ctx); err != nil {
		return none, err
	}
	if err := one.open(ctx); err != nil {
		return none, one.doubt(ctx, err)
	}
	if err := one.fits(cluster); err != nil {
		return none, err
	}
	draft, measured, err := r.writer.Begin(ctx, run, cluster, row)
	if err != nil || draft == nil {
		return measured, err
	}
	one.draft = draft
	for i := range one.spans {
		if err := one.replay(ctx, i); err != nil {
			return none, one.doubt(ctx, fmt.Errorf("replay part %d of %s: %w", i+1, one.base.Name, err))
		}
	}
	manifest := draft.manifest()
	manifest.Origin = one.moment(&manifest).SyntheticOrigin()
	return draft.commit(ctx, manifest)
}

// patienceWithin is how long such a snapshot waits for its turn, and for memory: so that the cluster can still be asked while its window is open.
func patienceWithin(args models.SnapshotArgs, now time.Time) time.Duration {
	if args.WindowCloses == nil {
		return memoryPatience
	}
	return min(memoryPatience, args.WindowCloses.Sub(now)/4)
}

// wait waits for the turn of a snapshot that is made from a journal.
func (d *recovery) wait(ctx context.Context) error {
	select {
	case d.turn <- struct{}{}:
		return nil
	default:
	}
	d.report.Stage("Waiting for another snapshot that is made from a journal", nil)
	patience := time.NewTimer(d.patience)
	defer patience.Stop()
	select {
	case d.turn <- struct{}{}:
		return nil
	case <-patience.C:
		return reason.Because(nil, "Another snapshot was still being made from a journal on this console, which takes the memory of a node.")
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// followed is up to when the stream of every shard of a cluster is stored.
func (r *Recoverer) followed(ctx context.Context, cluster models.Cluster) (until time.Time, err error) {
	plan, err := r.DB.Recording.Plan(ctx, cluster)
	if err != nil {
		return until, err
	}
	links, err := r.DB.Recording.Links(ctx, cluster)
	if err != nil {
		return until, err
	}
	shards := max(1, cluster.ShardCount)
	links = slices.DeleteFunc(links, func(l models.JournalLink) bool { return l.Shard > shards })
	if len(links) < shards {
		return until, reason.Because(nil, "The journal of %s does not follow all of its shards yet.", cluster.Name)
	}
	now := r.DB.Now()
	for _, link := range links {
		if behind, known := link.Behind(now); !known || behind > plan.Promise+models.StalledAfter {
			return until, reason.Because(nil, "The journal of shard %d is not stored up to now: %s", link.Shard, stalled(link, behind, known))
		}
		if until.IsZero() || link.StoredAt.Before(until) {
			until = *link.StoredAt
		}
	}
	return until, nil
}

// stalled says how it stands with a link that is not in step.
func stalled(link models.JournalLink, behind time.Duration, known bool) string {
	text := "nothing of it is stored yet."
	if known {
		text = "what is stored ends " + words.Duration(behind) + " before."
	}
	return strings.TrimSpace(text + " " + link.Reason)
}

// fits tells whether what was chosen to begin with makes a snapshot of the cluster as it is now. The error is a reason.
func (d *recovery) fits(cluster models.Cluster) error {
	var now, then []string
	for _, shard := range cluster.Shards() {
		now = append(now, shard.Slots)
	}
	for _, part := range d.manifest.Parts {
		then = append(then, part.Slots)
	}
	if !slices.Equal(now, then) {
		return reason.Because(nil, "The shards of %s, or their slots, are no longer those of the snapshot %s.", cluster.Name, d.base.Name)
	}
	if own := cluster.EngineName(); own.Name != d.engine.Name || series(own.Version) != series(d.engine.Version) {
		return reason.Because(nil, "The cluster runs %s, and the console's host has only %s to load its data with. What that writes, the cluster might not load.", own, d.engine)
	}
	return nil
}

// series is what of an engine's version decides how it writes its data: "7.0" of "7.0.15".
func series(version string) string {
	parts := strings.SplitN(version, ".", 3)
	return strings.Join(parts[:min(2, len(parts))], ".")
}

// doubt has the snapshot to begin with verified, if an error says that it is damaged.
func (d *recovery) doubt(ctx context.Context, err error) error {
	if d.base.Name != "" && (errors.Is(err, archive.ErrDamaged) || errors.Is(err, archive.ErrMissing)) {
		d.verifier.request(ctx, d.base.Name, "replay")
	}
	return err
}
