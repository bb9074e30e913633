package catalog

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"rekindle/internal/secret"
	"rekindle/models"
)

// Attachments attaches existing clusters, and keeps up with their changes.
type Attachments struct{ db *DB }

// Check returns as [models.Faults] what is wrong with a cluster to be attached, as far as that can be known without reaching it, and brings the
// request into its final form.
func (q Attachments) Check(ctx context.Context, spec *models.AttachSpec) error {
	faults := models.CheckAttach(spec)
	if len(faults) == 0 || !slices.ContainsFunc(faults, func(f models.Fault) bool { return f.Field == "id" }) {
		if err := q.nameFree(ctx, spec.Name); err != nil {
			more, refused := models.AsFaults(err)
			if !refused {
				return err
			}
			faults = append(faults, more...)
		}
	}
	return faults.OrNil()
}

// nameFree refuses a name that a cluster or a node already has.
func (q Attachments) nameFree(ctx context.Context, name string) error {
	if _, exists, err := find[models.Cluster](q.db.with(ctx).Where("name = ?", name)); err != nil {
		return fmt.Errorf("look for a cluster %s: %w", name, err)
	} else if exists {
		return models.Refuse(models.CodeClusterExists, "id", fmt.Sprintf("There is already a cluster %s. Choose another id.", name))
	}
	return nil
}

// Attach writes a cluster down with the nodes that were found. Refusals are [models.Faults].
func (q Attachments) Attach(ctx context.Context, spec models.AttachSpec, found models.Found) (models.Cluster, error) {
	if err := q.Check(ctx, &spec); err != nil {
		return models.Cluster{}, err
	}
	err := q.db.transaction(ctx, func(tx *DB) error {
		if err := tx.Attachments.nameFree(ctx, spec.Name); err != nil {
			return err
		}
		cluster, attachment := models.NewAttachedCluster(spec, found, tx.Now())
		if err := tx.Attachments.nodesFree(ctx, cluster.Nodes); err != nil {
			return err
		}
		if err := tx.with(ctx).Create(&cluster).Error; err != nil {
			return fmt.Errorf("write cluster %s: %w", spec.Name, err)
		}
		attachment.ClusterID = cluster.ID
		if err := tx.with(ctx).Create(&attachment).Error; err != nil {
			return fmt.Errorf("write how %s is reached: %w", spec.Name, err)
		}
		return tx.Events.Add(ctx, models.Event{Severity: models.SeverityInfo, ClusterName: spec.Name,
			Message: fmt.Sprintf("The cluster %s was attached by %s.", spec.Name, spec.RequestedBy)})
	})
	if err != nil {
		return models.Cluster{}, err
	}
	return q.db.Clusters.Get(ctx, spec.Name)
}

// nodesFree refuses nodes that already belong to a cluster: their snapshots would be taken twice.
func (q Attachments) nodesFree(ctx context.Context, nodes []models.Node) error {
	for _, n := range nodes {
		taken, found, err := find[models.Node](q.db.with(ctx).Where("host = ? AND port = ?", n.Host, n.Port))
		if err != nil {
			return fmt.Errorf("look for a node at %s: %w", n.Address(), err)
		} else if !found {
			continue
		}
		of, _, err := find[models.Cluster](q.db.with(ctx).Where("id = ?", taken.ClusterID))
		if err != nil {
			return fmt.Errorf("look for the cluster of %s: %w", taken.Name, err)
		}
		return models.Refuse(models.CodeClusterExists, "addresses", fmt.Sprintf("The node at %s already belongs to the cluster %s.", n.Address(), of.Name))
	}
	return nil
}

// Follow brings the catalog in line with what an attached cluster was found to be, and writes an event for each change. A change is written once,
// whoever calls this and however often. If the cluster's access has changed since the look, the look does not count.
func (q Attachments) Follow(ctx context.Context, looked models.Cluster, found models.Found) error {
	id := looked.ID
	if a := looked.Attachment; a != nil && looked.Status != models.ClusterUnreachable && a.Since == nil && a.Topology == found.Topology &&
		looked.Follow(found, q.db.Now()).Stands(looked, seenEvery) {
		return nil // as nearly every look is: nothing is read or written for it
	}
	err := q.db.transaction(ctx, func(tx *DB) error {
		cluster, err := tx.Clusters.ByID(ctx, id)
		if err != nil {
			return err
		}
		if !cluster.Attached() || cluster.Status == models.ClusterDeleting || !cluster.ReachedAs(looked) {
			return nil
		}
		followed := cluster.Follow(found, tx.Now())
		if err := tx.Attachments.writeNodes(ctx, cluster, followed); err != nil {
			return err
		}
		if len(followed.Columns) > 0 {
			if err := tx.with(ctx).Model(&models.Cluster{ID: id}).UpdateColumns(followed.Columns).Error; err != nil {
				return fmt.Errorf("write what %s is: %w", cluster.Name, err)
			}
		}
		if a := cluster.Attachment; a.Topology != found.Topology || a.Since != nil {
			if err := tx.with(ctx).Model(&models.Attachment{ClusterID: id}).UpdateColumns(map[string]any{"topology": found.Topology, "since": nil}).Error; err != nil {
				return fmt.Errorf("write how %s is reached: %w", cluster.Name, err)
			}
		}
		again, err := tx.Clusters.backToAvailable(ctx, id, "", models.ClusterUnreachable)
		if err != nil {
			return err
		}
		if again {
			if err := tx.Events.Add(ctx, answersAgain(cluster.Name)); err != nil {
				return err
			}
		}
		return tx.Attachments.say(ctx, cluster, models.SeverityInfo, followed.Messages...)
	})
	if models.HasCode(err, models.CodeClusterNotFound) {
		return nil // it was detached meanwhile
	} else if err != nil {
		return fmt.Errorf("follow cluster %d: %w", id, err)
	}
	return nil
}

func (q Attachments) say(ctx context.Context, cluster models.Cluster, severity models.Severity, messages ...string) error {
	var failures []error
	for _, message := range messages {
		failures = append(failures, q.db.Events.Add(ctx, models.Event{Severity: severity, ClusterName: cluster.Name, Message: message}))
	}
	return errors.Join(failures...)
}

// seenEvery is how often what was seen of a node is written down while hardly anything changes.
const seenEvery = 20 * time.Second

// writeNodes writes down which nodes there are and how they were seen. Nodes that are gone go first: another may have taken their address.
func (q Attachments) writeNodes(ctx context.Context, cluster models.Cluster, followed models.Followed) error {
	for _, n := range followed.Gone {
		if err := q.db.Nodes.Remove(ctx, n.ID); err != nil {
			return err
		}
	}
	before := make(map[uint]models.Node, len(cluster.Nodes))
	for _, n := range cluster.Nodes {
		before[n.ID] = n
	}
	var moved []models.Node
	for _, n := range followed.Nodes {
		was, known := before[n.ID]
		switch {
		case !known:
			if err := q.nodesFree(ctx, []models.Node{n}); err != nil {
				return err
			}
			if err := q.db.with(ctx).Create(&n).Error; err != nil {
				return fmt.Errorf("write node %s: %w", n.Name, err)
			}
		case n.Address() != was.Address():
			moved = append(moved, n)
		case !n.StandsAs(was, seenEvery):
			if err := q.writeNode(ctx, n); err != nil {
				return err
			}
		}
	}
	return q.moveNodes(ctx, moved)
}

// moveNodes gives nodes other addresses, which may be those that others of them had before.
func (q Attachments) moveNodes(ctx context.Context, nodes []models.Node) error {
	for _, n := range nodes {
		if err := q.db.with(ctx).Model(&models.Node{ID: n.ID}).UpdateColumn("port", -int(n.ID)).Error; err != nil {
			return fmt.Errorf("free the address of node %s: %w", n.Name, err)
		}
	}
	for _, n := range nodes {
		if err := q.writeNode(ctx, n); err != nil {
			return err
		}
	}
	return nil
}

func (q Attachments) writeNode(ctx context.Context, n models.Node) error {
	err := q.db.with(ctx).Model(&models.Node{ID: n.ID}).UpdateColumns(map[string]any{"shard": n.Shard, "role": n.Role, "slots": n.Slots, "ident": n.Ident, "host": n.Host, "port": n.Port,
		"state": n.State, "used_memory": n.UsedMemory, "max_memory": n.MaxMemory, "keys": n.Keys, "lag_bytes": n.LagBytes, "seen_at": catalogTimeOf(n.SeenAt)}).Error
	if err != nil {
		return fmt.Errorf("write node %s: %w", n.Name, err)
	}
	return nil
}

// Unreached writes down that an attached cluster cannot be reached, and why, with an event when that is new. Its nodes stay as last seen, except for
// those given. As for [Attachments.Follow], the look must have used the cluster's present access.
func (q Attachments) Unreached(ctx context.Context, looked models.Cluster, reason string, seen []models.Node) error {
	id := looked.ID
	err := q.db.transaction(ctx, func(tx *DB) error {
		cluster, err := tx.Clusters.ByID(ctx, id)
		if err != nil {
			return err
		}
		if !cluster.Attached() || !cluster.ReachedAs(looked) {
			return nil
		}
		for _, n := range seen {
			if err := tx.Nodes.Seen(ctx, n); err != nil {
				return err
			}
		}
		if cluster.Attachment.Since == nil {
			if err := tx.with(ctx).Model(&models.Attachment{ClusterID: id}).UpdateColumn("since", catalogTime(tx.Now())).Error; err != nil {
				return fmt.Errorf("write since when %s is out of reach: %w", cluster.Name, err)
			}
		}
		if cluster.Status == models.ClusterUnreachable && cluster.StatusReason == reason {
			return nil
		}
		changed, err := tx.Clusters.move(ctx, id, models.ClusterUnreachable, reason, models.ClusterAvailable)
		if err == nil && !changed {
			_, err = tx.Clusters.move(ctx, id, models.ClusterUnreachable, reason, models.ClusterUnreachable)
		}
		if err != nil || !changed {
			return err
		}
		return tx.Events.Add(ctx, outOfReach(cluster.Name, reason))
	})
	if models.HasCode(err, models.CodeClusterNotFound) {
		return nil
	} else if err != nil {
		return fmt.Errorf("write down that cluster %d is out of reach: %w", id, err)
	}
	return nil
}

// Declare marks an attached cluster as declared by a clusters file. Without a file it is no longer declared: it stays as it is, and people may change
// it again.
func (q Attachments) Declare(ctx context.Context, name, file string) error {
	return q.db.transaction(ctx, func(tx *DB) error {
		cluster, err := tx.Clusters.Get(ctx, name)
		if err != nil || cluster.Declared == file {
			return err
		}
		if !cluster.Attached() {
			return models.Refuse(models.CodeClusterState, "", fmt.Sprintf("The cluster %s was launched here. A clusters file declares attached ones.", name))
		}
		message := fmt.Sprintf("The cluster %s is declared in the clusters file %s, and is changed there from now on.", name, file)
		if file == "" {
			message = fmt.Sprintf("The cluster %s is no longer in the clusters file %s. It stays attached, with its schedule and its snapshots, and can be changed here again.",
				name, cluster.Declared)
		}
		if err := tx.with(ctx).Model(&models.Cluster{ID: cluster.ID}).UpdateColumn("declared", file).Error; err != nil {
			return fmt.Errorf("write where %s is declared: %w", name, err)
		}
		return tx.Attachments.say(ctx, cluster, models.SeverityInfo, message)
	})
}

// Attached returns the attached clusters with their nodes, access, and when their drills are held.
func (q Attachments) Attached(ctx context.Context) ([]models.Cluster, error) {
	var clusters []models.Cluster
	err := q.db.with(ctx).Preload("Nodes", inOrder).Preload("Attachment").Preload("DrillPlan").Where("id IN (SELECT cluster_id FROM attachments)").Order("name").Find(&clusters).Error
	if err != nil {
		return nil, fmt.Errorf("list attached clusters: %w", err)
	}
	return clusters, nil
}

// Names returns the names of attached clusters, at most limit.
func (q Attachments) Names(ctx context.Context, limit int) ([]string, error) {
	var names []string
	err := q.db.with(ctx).Model(&models.Cluster{}).Where("id IN (SELECT cluster_id FROM attachments)").Order("name").Limit(limit).Pluck("name", &names).Error
	if err != nil {
		return nil, fmt.Errorf("list names of attached clusters: %w", err)
	}
	return names, nil
}

// ByCluster returns how attached clusters are reached, by cluster ID.
func (q Attachments) ByCluster(ctx context.Context) (map[uint]*models.Attachment, error) {
	var rows []models.Attachment
	if err := q.db.with(ctx).Find(&rows).Error; err != nil {
		return nil, fmt.Errorf("list how clusters are reached: %w", err)
	}
	byCluster := make(map[uint]*models.Attachment, len(rows))
	for i, a := range rows {
		byCluster[a.ClusterID] = &rows[i]
	}
	return byCluster, nil
}

// Change replaces how a cluster is reached. The nodes that were found there replace the known ones.
func (q Attachments) Change(ctx context.Context, name string, access models.Access, password secret.Text, requestedBy string, found models.Found) error {
	cluster, err := q.db.Clusters.Get(ctx, name)
	if err != nil {
		return err
	}
	if cluster.Attachment == nil {
		return models.Refuse(models.CodeClusterState, "", fmt.Sprintf("The cluster %s was launched here; how it is reached cannot be changed.", name))
	}
	if why := cluster.Elsewhere(requestedBy); why != "" {
		return models.Refuse(models.CodeClusterState, "", why)
	}
	if faults := models.CheckAccess(&access); len(faults) > 0 {
		return faults
	}
	attachment := models.Attachment{ClusterID: cluster.ID, Access: access, Topology: found.Topology, Since: cluster.Attachment.Since}
	err = q.db.transaction(ctx, func(tx *DB) error {
		return errors.Join(tx.with(ctx).Save(&attachment).Error,
			tx.with(ctx).Model(&models.Cluster{ID: cluster.ID}).Updates(map[string]any{"password": password, "updated_at": tx.Now()}).Error,
			tx.Attachments.say(ctx, cluster, models.SeverityInfo, fmt.Sprintf("The way %s is reached was changed by %s.", name, requestedBy)))
	})
	if err != nil {
		return fmt.Errorf("write how %s is reached: %w", name, err)
	}
	cluster.Attachment, cluster.Password = &attachment, password
	return q.Follow(ctx, cluster, found)
}
