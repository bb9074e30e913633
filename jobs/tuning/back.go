package tuning

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"rekindle/internal/resp"
	"rekindle/models"
)

// Rescue puts back what was left by runs on which nobody works any more: their console was killed, or the node did not answer.
func (t *Tuner) Rescue(ctx context.Context) {
	left, err := t.DB.Tunings.Left(ctx, t.Owner())
	if err != nil {
		if ctx.Err() == nil {
			t.Logger.Error("look for settings to be put back", "error", err)
		}
		return
	}
	for _, node := range byNode(left) {
		if ctx.Err() != nil {
			return
		}
		if t.Working(node[0].RunID) {
			continue
		}
		if err := t.rescue(ctx, node); err != nil && ctx.Err() == nil {
			level := slog.LevelWarn
			if node[0].Told {
				level = slog.LevelDebug
			}
			t.Logger.Log(ctx, level, "settings of a node are still to be put back", "address", node[0].Address, "error", err)
		}
	}
}

// rescue puts back what was left at one node, or has an event say that it could not be.
func (t *Tuner) rescue(ctx context.Context, node []models.Tuning) error {
	cluster, err := t.DB.Clusters.ByID(ctx, node[0].ClusterID)
	if err != nil {
		return err
	}
	limited, cancel := context.WithTimeout(ctx, backTimeout)
	defer cancel()
	left, err := t.putBack(limited, cluster, node)
	if err == nil || len(left) == 0 || ctx.Err() != nil {
		return err
	}
	why := "it does not answer"
	if reply, refused := errors.AsType[resp.Error](err); refused && reply.PasswordRefused() {
		why = "it does not accept the console's user and password"
	} else if refused {
		why = fmt.Sprintf("it refuses CONFIG (%s)", reply.Code())
	}
	return errors.Join(err, t.DB.Tunings.Tell(ctx, left, why))
}

// Leave puts back what is open on the nodes of a cluster that is being detached, as far as that is possible.
func (t *Tuner) Leave(ctx context.Context, cluster models.Cluster) error {
	open, err := t.DB.Tunings.Open(ctx, cluster.ID)
	if err != nil {
		return err
	}
	for _, node := range byNode(open) {
		limited, cancel := context.WithTimeout(ctx, backTimeout)
		if _, err := t.putBack(limited, cluster, node); err != nil {
			t.Logger.Warn("settings of a node stay changed: its cluster is detached", "cluster", cluster.Name, "address", node[0].Address, "error", err)
		}
		cancel()
	}
	return nil
}

// byNode groups what is open by node.
func byNode(open []models.Tuning) [][]models.Tuning {
	var nodes [][]models.Tuning
	places := make(map[models.Tuning]int)
	for _, o := range open {
		key := models.Tuning{ClusterID: o.ClusterID, Address: o.Address, RunID: o.RunID}
		i, known := places[key]
		if !known {
			i = len(nodes)
			places[key] = i
			nodes = append(nodes, nil)
		}
		nodes[i] = append(nodes[i], o)
	}
	return nodes
}

// putBack puts back what is open on one node, and returns what is still open then. What another console has put back meanwhile is left alone.
func (t *Tuner) putBack(ctx context.Context, cluster models.Cluster, tunings []models.Tuning) ([]models.Tuning, error) {
	if open, err := t.DB.Tunings.Open(ctx, cluster.ID); err == nil { // otherwise the node comes first
		tunings = among(open, tunings)
	}
	if len(tunings) == 0 {
		return nil, nil
	}
	conn, err := dial(ctx, cluster, tunings[0].Address)
	if err != nil {
		return tunings, err
	}
	defer conn.Close()
	var left []models.Tuning
	var failures []error
	for _, tuning := range tunings {
		now, err := restore(ctx, conn, tuning)
		if err == nil {
			err = t.DB.Tunings.End(ctx, tuning, ended(tuning, now))
		}
		if err != nil {
			left, failures = append(left, tuning), append(failures, err)
		}
	}
	return left, errors.Join(failures...)
}

// ended says that nothing is to be put back any more.
func ended(tuning models.Tuning, now string) string {
	if now == tuning.Was {
		return fmt.Sprintf("%s at %s is %s again.", tuning.Parameter, tuning.Address, now)
	}
	return fmt.Sprintf("%s at %s is %s: somebody has changed it, so it is not put back to %s.", tuning.Parameter, tuning.Address, now, tuning.Was)
}

// restore puts one setting back, and returns what it is then. One that somebody else has changed since stays as it is.
func restore(ctx context.Context, conn *resp.Conn, tuning models.Tuning) (now string, err error) {
	if now, err = get(ctx, conn, tuning.Parameter); err != nil || now != tuning.Tuned {
		return now, err
	}
	if _, err = conn.Do(ctx, "CONFIG", "SET", tuning.Parameter, tuning.Was); err != nil {
		return now, err
	}
	if now, err = get(ctx, conn, tuning.Parameter); err == nil && now != tuning.Was {
		err = fmt.Errorf("%s at %s was set to %s and is %s", tuning.Parameter, tuning.Address, tuning.Was, now)
	}
	return now, err
}

func restoreAll(ctx context.Context, conn *resp.Conn, tunings []models.Tuning) error {
	var failures []error
	for _, tuning := range tunings {
		_, err := restore(ctx, conn, tuning)
		failures = append(failures, err)
	}
	return errors.Join(failures...)
}
