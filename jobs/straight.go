package jobs

import (
	"context"
	"fmt"
	"io"
	"sync/atomic"
	"time"

	"rekindle/internal/drain"
	"rekindle/internal/launch"
	"rekindle/internal/primary"
	"rekindle/internal/restore"
	"rekindle/jobs/nodes"
	"rekindle/jobs/queue"
	"rekindle/jobs/reach"
	"rekindle/jobs/vault"
	"rekindle/models"
)

// beginStraight is begin for a cluster that is made of a moment of another one, without a snapshot in between. It also returns the text of the event about
// that.
func (b *builder) beginStraight(ctx context.Context, cluster models.Cluster, run models.Run, report *queue.Report) (models.Cluster, string, error) {
	args, err := models.Args[models.StraightArgs](run)
	if err != nil {
		return cluster, "", err
	}
	moment, cluster, err := b.recoverer.Straight(ctx, run, args, cluster, report)
	if err != nil {
		return cluster, "", err
	}
	f := filling{row: moment.Base(), manifest: moment.Manifest()}
	if cluster.ClusterMode {
		if f.contents, err = b.preload(ctx, cluster, f, momentSplitter{b, moment}, report); err != nil {
			return cluster, "", fmt.Errorf("bring %s to a moment: %w", cluster.Name, err)
		}
	} else if !wholly(cluster, f.manifest) {
		return cluster, "", because(nil, "%s", moment.NotFed(cluster))
	}
	if cluster, err = b.begin(ctx, cluster, f, report); err != nil {
		return cluster, "", err
	}
	var result primary.Result
	if f.preloaded() {
		result, err = b.open(ctx, cluster, f)
	} else {
		result, err = b.feedMoment(ctx, cluster, moment, report)
	}
	if err != nil {
		return cluster, "", err
	}
	return cluster, moment.Made(cluster, result) + tooMuch(cluster, result), nil
}

// feedMoment brings the only primary of a cluster to a moment, and waits until it has saved what it got: nothing else has it, should all nodes die.
func (b *builder) feedMoment(ctx context.Context, cluster models.Cluster, moment *vault.Moment, report *queue.Report) (primary.Result, error) {
	var sent atomic.Int64
	node := cluster.Primaries()[0]
	report.Stage(fmt.Sprintf("Feeding %s with %s and the journal behind it", node.Name, moment.Base().Name), func() models.Progress {
		return models.Progress{BytesDone: sent.Load(), BytesTotal: moment.Bytes(0)}
	})
	reached, err := reach.Node(cluster, node)
	if err != nil {
		return primary.Result{}, err
	}
	own, err := b.certificate(ctx, cluster, node)
	if err != nil {
		return primary.Result{}, err
	}
	result, err := moment.Feed(ctx, launch.ID{Cluster: cluster.Name, Name: node.Name}, primary.Target{Addr: reached.Addr, Username: reached.Username, Password: reached.Password, TLS: reached.TLS},
		fitted(moment.Base(), cluster), primary.Options{ListenHost: node.Host, Certificate: own, OnProgress: sent.Store})
	if err != nil {
		return result, fmt.Errorf("bring %s to a moment: %w", node.Name, err)
	}
	report.Stage("Saving what "+node.Name+" has", nil)
	return result, b.saved(ctx, cluster, node)
}

// saved makes a node save its data, and fails unless it has.
func (b *builder) saved(ctx context.Context, cluster models.Cluster, node models.Node) error {
	if err := nodes.Tell(ctx, cluster, node, "BGSAVE"); err != nil {
		return err
	}
	for {
		info, err := nodes.Ask(ctx, cluster, node, "persistence")
		if err != nil {
			return err
		}
		saved, err := b.Launcher.Saved(ctx, cluster.Name, node.Name)
		switch {
		case err != nil:
			return err
		case info.Int("rdb_bgsave_in_progress") != 0:
		case info["rdb_last_bgsave_status"] != "ok":
			return because(nil, "The node %s could not save its data.%s", node.Name, b.nodes.LastWords(ctx, cluster, node))
		case saved.Exists:
			return nil
		}
		if !drain.Pause(ctx, 50*time.Millisecond) {
			return context.Cause(ctx)
		}
	}
}

// momentSplitter writes the keys that all shards had at a moment.
type momentSplitter struct {
	*builder
	moment *vault.Moment
}

func (m momentSplitter) split(ctx context.Context, files *restore.Files, _ models.Cluster, f filling, _ *queue.Report) error {
	var sent atomic.Int64
	for i := range f.manifest.Parts {
		err := m.moment.Read(ctx, i, &sent, func(r io.Reader) error {
			_, err := files.Write(r)
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// settleStraight records that a cluster could not be made of a moment. What is stored of the snapshot that it began with may be to blame.
func (b *builder) settleStraight(ctx context.Context, run models.Run, f queue.Failure) error {
	b.recoverer.Suspect(ctx, run, f.Err)
	return b.settleCreate(ctx, run, f)
}
