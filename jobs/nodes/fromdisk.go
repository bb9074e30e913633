package nodes

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"rekindle/internal/launch"
	"rekindle/models"
)

// This file brings a shard back all of whose nodes have ended: from the freshest RDB that can be loaded, or, when there is none because it had
// just been restored, from the snapshot that it came from.

// leftover is the RDB that a node has left.
type leftover struct {
	index int // of the node
	launch.Saved
}

// newer tells which of two RDBs has more.
func (l leftover) newer(than leftover) bool {
	if l.ReplicationID != "" && l.ReplicationID == than.ReplicationID {
		return l.Offset > than.Offset // of one history the offset knows better than the clock
	}
	return l.At.After(than.At)
}

// leftovers are the RDBs of the nodes that do not run, the freshest first. The primary's wins a draw.
func (m *Supervisor) leftovers(ctx context.Context, cluster models.Cluster, views []view, primary int) ([]leftover, error) {
	var found []leftover
	for _, i := range append([]int{primary}, indexesWithout(len(views), primary)...) {
		if views[i].running {
			continue
		}
		saved, err := m.Launcher.Saved(ctx, cluster.Name, views[i].node.Name)
		if err != nil {
			return nil, fmt.Errorf("look for the RDB of %s: %w", views[i].node.Name, err)
		}
		if saved.Exists {
			found = append(found, leftover{i, saved})
		}
	}
	return freshestFirst(found), nil
}

// freshestFirst takes one after the other: with histories and clocks mixed there is no order to sort by.
func freshestFirst(found []leftover) []leftover {
	var ordered []leftover
	for len(found) > 0 {
		best := 0
		for i := range found {
			if found[i].newer(found[best]) {
				best = i
			}
		}
		ordered = append(ordered, found[best])
		found = slices.Delete(found, best, best+1)
	}
	return ordered
}

// fromDisk starts a node as the primary with the freshest RDB that can be loaded, and returns its index. When none can, nothing was changed: the
// data may still be saved by hand.
func (m *Supervisor) fromDisk(ctx context.Context, cluster models.Cluster, views []view, primary int) (int, comeback, error) {
	found, err := m.leftovers(ctx, cluster, views, primary)
	if err != nil {
		return primary, comeback{}, err
	}
	if len(found) == 0 {
		return primary, comeback{empty: true}, nil
	}
	old := views[primary].node
	var refused []string
	for _, rdb := range found {
		if err := m.appoint(ctx, cluster, views, rdb.index); err != nil {
			return primary, comeback{}, err
		}
		v := &views[rdb.index]
		err := m.Start(ctx, cluster, v.node)
		switch {
		case err == nil:
			v.started, v.running = true, true
			return rdb.index, cameFrom(cluster, old, v.node, rdb.At, refused), nil
		case ctx.Err() != nil:
			return rdb.index, comeback{}, err
		case !errors.Is(err, launch.ErrData):
			m.complain(ctx, cluster, v, m.Sentence(err), err)
			return rdb.index, comeback{}, nil
		}
		refused = append(refused, fmt.Sprintf("The RDB that %s saved at %s UTC cannot be loaded.%s", v.node.Name, clockText(rdb.At), m.LastWords(ctx, cluster, v.node)))
		m.Logger.Error("load what a node has saved", "cluster", cluster.Name, "node", v.node.Name, "error", err)
		if len(found) == 1 {
			refused = []string{m.Sentence(err)}
		}
	}
	if err := m.appoint(ctx, cluster, views, found[0].index); err != nil {
		return primary, comeback{}, err
	}
	m.complain(ctx, cluster, &views[found[0].index], strings.Join(refused, " "), nil)
	return found[0].index, comeback{}, nil
}

// cameFrom says from which RDB a cluster came back, and which ones that are fresher could not be loaded.
func cameFrom(cluster models.Cluster, old, node models.Node, at time.Time, refused []string) comeback {
	how := comeback{severity: models.SeverityWarning, text: fmt.Sprintf("The primary %s had stopped and no replica was alive.", old.Name)}
	if len(refused) > 0 {
		how.severity, how.text = models.SeverityError, how.text+" "+strings.Join(refused, " ")
	} else if old.Halted {
		return comeback{severity: models.SeverityInfo, text: fmt.Sprintf("The cluster %s, which was stopped with the console, was started again with what %s saved at %s UTC.",
			cluster.Name, node.Name, clockText(at))}
	}
	how.text += fmt.Sprintf(" The cluster comes back from the RDB that %s saved at %s UTC.", node.Name, clockText(at))
	return how
}

func clockText(at time.Time) string { return at.UTC().Format("2006-01-02 15:04:05") }

func indexesWithout(n, without int) []int {
	var indexes []int
	for i := range n {
		if i != without {
			indexes = append(indexes, i)
		}
	}
	return indexes
}

// refillRounds is how many rounds of the supervisor are between two attempts to fill a cluster again, such as while the store is away.
const refillRounds = 10

// refill has a cluster filled again none of whose nodes has anything left, since they died before the first of them had saved what it was
// restored with. It tells whether that is under way: else the cluster has lost its data.
func (m *Supervisor) refill(ctx context.Context, cluster models.Cluster, primary *view) bool {
	if cluster.UnsavedFrom == "" {
		return false
	}
	primary.trouble = cluster.StatusReason
	if !m.seen.may(cluster.Name+" refill", refillRounds*m.Every) {
		return true
	}
	queued, err := m.DB.Losses.Refill(ctx, cluster.ID)
	if err != nil {
		m.Logger.Warn("fill a cluster again", "cluster", cluster.Name, "error", err)
		return true
	}
	if queued {
		m.Wake()
	} else {
		primary.trouble = ""
	}
	return queued
}
