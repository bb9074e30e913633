package catalog

import (
	"context"
	"fmt"
	"slices"

	"gorm.io/gorm"

	"rekindle/internal/secret"
	"rekindle/models"
)

// Clusters has the queries that find, create and delete clusters, and move them from state to state.
type Clusters struct{ db *DB }

// Get returns a cluster with its nodes.
func (q Clusters) Get(ctx context.Context, name string) (models.Cluster, error) {
	cluster, found, err := find[models.Cluster](q.db.with(ctx).Preload("Nodes", inOrder).Preload("Attachment").Where("name = ?", name))
	switch {
	case err != nil:
		return cluster, fmt.Errorf("find cluster %s: %w", name, err)
	case !found:
		return cluster, models.Refuse(models.CodeClusterNotFound, "", fmt.Sprintf("There is no cluster %s.", name))
	}
	return cluster, nil
}

func inOrder(query *gorm.DB) *gorm.DB { return query.Order("id") }

// Delete queues the deletion of a cluster, with a final snapshot if the spec names one. The cluster is deleting until it is gone. If the
// final snapshot fails, nothing is deleted and the cluster becomes available again.
func (q Clusters) Delete(ctx context.Context, name string, spec models.DeleteSpec) error {
	return q.db.transaction(ctx, func(tx *DB) error {
		cluster, err := tx.Clusters.Get(ctx, name)
		if err != nil {
			return err
		}
		why := cluster.NoDeletion()
		if spec.FinalSnapshot != "" {
			if why = cluster.Unprotected(); why != "" {
				return models.Refuse(models.CodeSnapshotUnsupported, "", why)
			}
			why = cluster.NoFinalSnapshot()
		} else if cluster.Status == models.ClusterDeleting {
			if stopped, err := tx.Runs.none(ctx, cluster.ID, models.RunDelete); err != nil {
				return err
			} else if stopped { // an earlier deletion stopped halfway: this one continues it
				why = ""
			}
		}
		if why != "" {
			return models.Refuse(models.CodeClusterState, "", why)
		}
		run := models.Run{Kind: models.RunDelete, ClusterName: name, ClusterID: cluster.ID, RequestedBy: spec.RequestedBy, SnapshotName: spec.FinalSnapshot}
		if spec.FinalSnapshot != "" {
			if run.SnapshotName, err = tx.Snapshots.create(ctx, cluster, spec.FinalSnapshot, models.SourceManual, true); err != nil {
				return models.RenameField(err, "name", "final_name")
			}
		}
		if err := tx.Clusters.take(ctx, cluster, models.ClusterDeleting); err != nil {
			return err
		}
		_, err = tx.Runs.enqueue(ctx, run, models.DeleteArgs{FinalSnapshot: run.SnapshotName, KeepAutomatic: spec.KeepAutomatic})
		return err
	})
}

// Legacy returns what a cluster would leave behind if it were deleted.
func (q Clusters) Legacy(ctx context.Context, cluster models.Cluster) (models.Legacy, error) {
	var rows []models.Snapshot
	err := q.db.with(ctx).Where("cluster_id = ? OR (cluster_name = ? AND source = ?)", cluster.ID, cluster.Name, models.SourceManual).Order("created_at DESC, id DESC").Find(&rows).Error
	if err != nil {
		return models.Legacy{}, fmt.Errorf("list snapshots of %s: %w", cluster.Name, err)
	}
	return models.LegacyOf(cluster, rows), nil
}

// List returns a page of clusters. It filters by status, engine and how the clusters stand; an unknown standing does not filter.
func (q Clusters) List(ctx context.Context, l models.List) (models.Rows[models.Cluster], error) {
	query := q.db.with(ctx).Preload("Nodes", inOrder)
	if standing, known := models.StandingNamed(l.Equal["standing"]); known {
		condition, args, err := q.db.Schedule.stands(ctx, standing)
		if err != nil {
			return models.Rows[models.Cluster]{}, err
		}
		query = query.Where(condition, args...)
	}
	return list[models.Cluster](q.db, query, table{
		text:    []string{"name", "description"},
		filters: map[string]string{"status": "status", "engine": "engine"},
		sorts: map[string]string{"name": "name", "status": "status", "engine": "engine", "node_type": "node_type", "nodes": "(SELECT COUNT(*) FROM nodes WHERE nodes.cluster_id = clusters.id)",
			"created": "created_at",
			"newest":  "standings.newest_at",
			"memory":  "(SELECT SUM(used_memory) FROM nodes WHERE nodes.cluster_id = clusters.id AND nodes.role <> 'replica')"},
		missing: []string{"newest", "memory"},
		joins:   map[string]string{"newest": "JOIN " + q.db.Schedule.by("newest_at") + " ON standings.cluster_id = clusters.id"},
		ties:    map[string]ordering{"newest": {by: "standings.cluster_id", desc: l.Desc}},
		order:   []ordering{{by: "name"}},
	}, l)
}

// Count counts the clusters in a state.
func (q Clusters) Count(ctx context.Context, status models.ClusterStatus) (int, error) {
	var n int64
	if err := q.db.with(ctx).Model(&models.Cluster{}).Where("status = ?", status).Count(&n).Error; err != nil {
		return 0, fmt.Errorf("count %s clusters: %w", status, err)
	}
	return int(n), nil
}

// Names returns the sorted names of the clusters that rows of one kind are about: a [models.Run], [models.Event] or [models.Snapshot]. The
// clusters themselves may be gone.
func (q Clusters) Names(ctx context.Context, kind any) ([]string, error) {
	var names []string
	err := q.db.with(ctx).Model(kind).Where("cluster_name <> ''").Distinct("cluster_name").Order("cluster_name").Pluck("cluster_name", &names).Error
	if err != nil {
		return nil, fmt.Errorf("list names of clusters: %w", err)
	}
	return names, nil
}

// FindNames returns the cluster names that contain the text, sorted, at most limit. They include clusters that are gone but have left good
// snapshots. With backups, memcached clusters are left out, because they only cache.
func (q Clusters) FindNames(ctx context.Context, text string, backups bool, limit int) ([]string, error) {
	without := ""
	if backups {
		without = models.EngineMemcached
	}
	named, pattern := q.db.contains("name", text)
	left, _ := q.db.contains("cluster_name", text)
	var names []string
	// Each half has its own limit, so that neither table is read in full.
	err := q.db.with(ctx).Raw("SELECT name FROM (SELECT name FROM clusters WHERE "+named+" AND engine <> ? ORDER BY name LIMIT ?) AS there UNION "+
		"SELECT cluster_name FROM (SELECT cluster_name FROM tallies WHERE "+left+" ORDER BY cluster_name LIMIT ?) AS backed_up ORDER BY 1 LIMIT ?",
		pattern, without, limit, pattern, limit, limit).Scan(&names).Error
	if err != nil {
		return nil, fmt.Errorf("find names of clusters: %w", err)
	}
	return names, nil
}

// After returns the clusters that follow a name in order, with their nodes, at most limit.
func (q Clusters) After(ctx context.Context, name string, limit int) ([]models.Cluster, error) {
	var clusters []models.Cluster
	err := q.db.with(ctx).Preload("Nodes", inOrder).Where("name > ?", name).Order("name").Limit(limit).Find(&clusters).Error
	if err != nil {
		return nil, fmt.Errorf("list clusters behind %s: %w", name, err)
	}
	return clusters, nil
}

// backToAvailable moves a cluster to available, with a reason unless it is "", and reports whether that was a change. A notice that data was
// lost stays, after the reason.
func (q Clusters) backToAvailable(ctx context.Context, id uint, reason string, from ...models.ClusterStatus) (bool, error) {
	cluster, found, err := find[models.Cluster](q.db.with(ctx).Where("id = ?", id))
	if err != nil {
		return false, fmt.Errorf("find cluster %d: %w", id, err)
	} else if !found {
		return false, nil
	}
	notice, err := q.db.Losses.notice(ctx, cluster)
	if err != nil {
		return false, err
	}
	if reason != "" && notice != "" {
		notice = reason + " " + notice
	} else if reason != "" {
		notice = reason
	}
	return q.move(ctx, id, models.ClusterAvailable, notice, from...)
}

// Cache finds what ElastiCache calls a cache cluster. It may be a cluster of its own, or a node of a replication group, which is returned
// with it.
func (q Clusters) Cache(ctx context.Context, name string) (models.Cluster, *models.Node, error) {
	cluster, found, err := find[models.Cluster](q.db.with(ctx).Preload("Nodes", inOrder).Preload("Attachment").Where("name = ? AND NOT grouped", name))
	if err != nil {
		return cluster, nil, fmt.Errorf("find cluster %s: %w", name, err)
	} else if found {
		return cluster, nil, nil
	}
	cluster, found, err = find[models.Cluster](q.db.with(ctx).Preload("Nodes", inOrder).Preload("Attachment").Where("grouped AND id IN (SELECT cluster_id FROM nodes WHERE name = ?)", name))
	if err != nil {
		return cluster, nil, fmt.Errorf("find cluster of node %s: %w", name, err)
	}
	for i, n := range cluster.Nodes {
		if n.Name == name && found {
			return cluster, &cluster.Nodes[i], nil
		}
	}
	return models.Cluster{}, nil, models.Refuse(models.CodeClusterNotFound, "", fmt.Sprintf("There is no cluster %s.", name))
}

// Group finds a replication group.
func (q Clusters) Group(ctx context.Context, name string) (models.Cluster, error) {
	cluster, err := q.Get(ctx, name)
	if err == nil && !cluster.Grouped {
		err = models.Refuse(models.CodeClusterNotFound, "", fmt.Sprintf("There is no replication group %s. There is a cache cluster of that name.", name))
	}
	return cluster, err
}

// Trust records the CA certificates (PEM) that vouch for a cluster's nodes.
func (q Clusters) Trust(ctx context.Context, id uint, certificates string) error {
	if err := q.db.with(ctx).Model(&models.Cluster{ID: id}).UpdateColumn("ca", certificates).Error; err != nil {
		return fmt.Errorf("record the CA of cluster %d: %w", id, err)
	}
	return nil
}

// ShowPassword writes down that somebody is shown the cluster's password, or refuses it.
func (q Clusters) ShowPassword(ctx context.Context, name, requestedBy string) error {
	return q.db.transaction(ctx, func(tx *DB) error {
		cluster, err := tx.Clusters.Get(ctx, name)
		if err != nil {
			return err
		}
		if why := cluster.NoPassword(); why != "" {
			return models.Refuse(models.CodeClusterState, "", why)
		}
		return tx.Events.Add(ctx, models.Event{Severity: models.SeverityInfo, ClusterName: name, Message: fmt.Sprintf("The password of the cluster %s was shown to %s.", name, requestedBy)})
	})
}

// PasswordReached records that all nodes of a cluster have the wanted passwords, and forgets the former one.
func (q Clusters) PasswordReached(ctx context.Context, cluster models.Cluster) error {
	done := q.db.with(ctx).Model(&models.Cluster{}).Where("id = ? AND password = ? AND old_password = ?", cluster.ID, cluster.Password, cluster.OldPassword).
		UpdateColumns(map[string]any{"password_pending": false, "former_password": secret.Text(""), "former_user": ""})
	if done.Error != nil {
		return fmt.Errorf("write down that the nodes of %s have its passwords: %w", cluster.Name, done.Error)
	}
	return nil
}

// BeginRestore repeats the checks of the request when the restore begins, and locks the snapshot. Data that was imported for the restore is
// only known now. It returns the cluster with as many databases as the data needs.
func (q Clusters) BeginRestore(ctx context.Context, cluster models.Cluster, name string, deadlines models.Deadlines) (models.Cluster, error) {
	err := q.db.transaction(ctx, func(tx *DB) error {
		snapshot, err := tx.Snapshots.Get(ctx, name)
		if err != nil {
			return err
		}
		if snapshot.Status == models.SnapshotFailed && snapshot.StatusReason != "" {
			return models.Refuse(models.CodeSnapshotState, "snapshot", fmt.Sprintf("The snapshot %s has failed. %s", name, snapshot.StatusReason))
		}
		if faults := models.CheckRestore(models.ClusterSpec{Engine: cluster.EngineName(), NodeType: cluster.NodeType, ClusterMode: cluster.ClusterMode, Shards: cluster.ShardCount}, snapshot, tx.cannotTake(ctx, cluster.EngineName(), snapshot, deadlines)); len(faults) > 0 {
			return faults
		}
		if needed := cluster.DatabasesFor(snapshot); needed != cluster.Databases {
			if err := tx.with(ctx).Model(&models.Cluster{ID: cluster.ID}).UpdateColumn("databases", needed).Error; err != nil {
				return fmt.Errorf("write the number of databases of %s: %w", cluster.Name, err)
			}
			cluster.Databases = needed
		}
		_, err = tx.Snapshots.move(ctx, name, models.SnapshotRestoring, "", models.SnapshotAvailable, models.SnapshotRestoring, models.SnapshotCopying)
		return err
	})
	return cluster, err
}

// move changes a cluster's state if it is in one of the given ones, and reports whether it did. This is the lock on the cluster.
func (q Clusters) move(ctx context.Context, id uint, to models.ClusterStatus, reason string, from ...models.ClusterStatus) (bool, error) {
	if err := models.CheckMoves(models.ClusterMoves, to, from...); err != nil {
		return false, fmt.Errorf("set cluster %d %s: %w", id, to, err)
	}
	moved := q.db.with(ctx).Model(&models.Cluster{}).Where("id = ? AND status IN ?", id, from).
		Updates(map[string]any{"status": to, "status_reason": reason})
	if moved.Error != nil {
		return false, fmt.Errorf("set cluster %d %s: %w", id, to, moved.Error)
	}
	return moved.RowsAffected == 1, nil
}

// take locks a cluster by a state, after a rule has allowed it.
func (q Clusters) take(ctx context.Context, cluster models.Cluster, to models.ClusterStatus) error {
	moved, err := q.move(ctx, cluster.ID, to, "", cluster.Status)
	if err == nil && !moved {
		err = models.Refuse(models.CodeClusterState, "", fmt.Sprintf("The cluster %s has changed in the meantime. Try again.", cluster.Name))
	}
	return err
}

// MarkReachable moves a cluster between available and unreachable, and reports whether that was a change, of which an event is written. If the cluster
// is already unreachable, the reason is replaced.
func (q Clusters) MarkReachable(ctx context.Context, id uint, reachable bool, reason string) (changed bool, err error) {
	err = q.db.transaction(ctx, func(tx *DB) error {
		if changed, err = tx.Clusters.markReachable(ctx, id, reachable, reason); err != nil || !changed {
			return err
		}
		cluster, found, err := find[models.Cluster](tx.with(ctx).Select("name").Where("id = ?", id))
		if err != nil || !found {
			return err
		}
		if reachable {
			return tx.Events.Add(ctx, answersAgain(cluster.Name))
		}
		return tx.Events.Add(ctx, outOfReach(cluster.Name, reason))
	})
	if err != nil {
		return false, fmt.Errorf("mark cluster %d as reachable or not: %w", id, err)
	}
	return changed, nil
}

func (q Clusters) markReachable(ctx context.Context, id uint, reachable bool, reason string) (bool, error) {
	if reachable {
		return q.backToAvailable(ctx, id, "", models.ClusterUnreachable)
	}
	changed, err := q.move(ctx, id, models.ClusterUnreachable, reason, models.ClusterAvailable)
	if err == nil && !changed {
		_, err = q.move(ctx, id, models.ClusterUnreachable, reason, models.ClusterUnreachable)
	}
	return changed, err
}

// answersAgain and outOfReach are the events of a cluster that becomes reachable, or unreachable.
func answersAgain(name string) models.Event {
	return models.Event{Severity: models.SeverityInfo, ClusterName: name, Message: fmt.Sprintf("The cluster %s answers again.", name), Ends: []models.Condition{models.ConditionUnreachable}}
}

func outOfReach(name, reason string) models.Event {
	return models.Event{Severity: models.SeverityError, ClusterName: name, Message: fmt.Sprintf("The cluster %s is unreachable. %s", name, reason),
		Raises: models.ConditionUnreachable, Next: "It is looked at again and again. Snapshots of it fail or wait until it answers."}
}

// All returns all clusters by name, with their nodes and how they are reached.
func (q Clusters) All(ctx context.Context) ([]models.Cluster, error) {
	clusters, err := readAll[models.Cluster](ctx, q.db, func(query *gorm.DB) *gorm.DB { return query.Order("name") })
	if err != nil {
		return nil, fmt.Errorf("list clusters: %w", err)
	}
	if err := q.giveNodes(ctx, clusters, inOrder); err != nil {
		return nil, err
	}
	attachments, err := q.db.Attachments.ByCluster(ctx)
	if err != nil {
		return nil, err
	}
	for i, c := range clusters {
		clusters[i].Attachment = attachments[c.ID]
	}
	return clusters, nil
}

// LaunchedAt returns the launched clusters of a home that are in one of these states, by name, with their nodes.
func (q Clusters) LaunchedAt(ctx context.Context, home string, states []models.ClusterStatus) ([]models.Cluster, error) {
	clusters, err := readAll[models.Cluster](ctx, q.db, func(query *gorm.DB) *gorm.DB {
		return query.Where("kind <> ? AND home = ? AND status IN ?", models.KindAttached, home, states).Order("name")
	})
	if err != nil {
		return nil, fmt.Errorf("list clusters of home %s: %w", home, err)
	}
	if err := q.giveTheirNodes(ctx, clusters); err != nil {
		return nil, err // a cluster without all of its nodes would be a different one
	}
	return clusters, nil
}

// LaunchedAway returns the launched clusters that are in one of these states and whose home, another one, has no console now. It reads only
// names, homes and states.
func (q Clusters) LaunchedAway(ctx context.Context, home string, states []models.ClusterStatus) ([]models.Cluster, error) {
	clusters, err := readAll[models.Cluster](ctx, q.db, func(query *gorm.DB) *gorm.DB {
		return query.Select("id", "name", "kind", "home", "status", "status_reason").
			Where("kind <> ? AND home <> ? AND status IN ? AND home NOT IN (SELECT home FROM owners)", models.KindAttached, home, states).Order("name")
	})
	if err != nil {
		return nil, fmt.Errorf("list clusters of homes without a console: %w", err)
	}
	return clusters, nil
}

// giveTheirNodes reads the nodes of these clusters into them.
func (q Clusters) giveTheirNodes(ctx context.Context, clusters []models.Cluster) error {
	for some := range slices.Chunk(clusters, 500) {
		err := q.giveNodes(ctx, some, func(query *gorm.DB) *gorm.DB {
			return query.Where("cluster_id IN ?", idsOf(some)).Order("cluster_id, id") // the index's order
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// giveNodes reads the nodes that which selects into their clusters.
func (q Clusters) giveNodes(ctx context.Context, clusters []models.Cluster, which func(*gorm.DB) *gorm.DB) error {
	nodes, err := readAll[models.Node](ctx, q.db, which)
	if err != nil {
		return fmt.Errorf("list nodes: %w", err)
	}
	at := make(map[uint]*models.Cluster, len(clusters))
	for i := range clusters {
		clusters[i].Nodes = []models.Node{}
		at[clusters[i].ID] = &clusters[i]
	}
	for _, n := range nodes {
		if cluster, wanted := at[n.ClusterID]; wanted {
			cluster.Nodes = append(cluster.Nodes, n)
		}
	}
	return nil
}

// ByName returns the clusters with these names that exist, with their nodes.
func (q Clusters) ByName(ctx context.Context, names []string) (map[string]models.Cluster, error) {
	found, err := readAll[models.Cluster](ctx, q.db, func(query *gorm.DB) *gorm.DB { return query.Where("name IN ?", names) })
	if err != nil {
		return nil, fmt.Errorf("list clusters: %w", err)
	}
	if err := q.giveTheirNodes(ctx, found); err != nil {
		return nil, err
	}
	clusters := make(map[string]models.Cluster, len(found))
	for _, c := range found {
		clusters[c.Name] = c
	}
	return clusters, nil
}

// ToRecord returns the clusters with these names that exist, with their nodes, how they are reached, when their drills are held, and how
// their journals are kept.
func (q Clusters) ToRecord(ctx context.Context, names []string) (map[string]models.Cluster, error) {
	clusters, err := q.ByName(ctx, names)
	if err != nil {
		return nil, err
	}
	var all, ids []uint
	for _, c := range clusters {
		if all = append(all, c.ID); c.Attached() {
			ids = append(ids, c.ID)
		}
	}
	plans, err := q.db.Drills.PlansOf(ctx, all...)
	if err != nil {
		return nil, err
	}
	journals, err := q.db.Recording.PlansOf(ctx, all...)
	if err != nil {
		return nil, err
	}
	for name, c := range clusters {
		if plan, has := plans[c.ID]; has {
			c.DrillPlan = &plan
		}
		if plan, has := journals[c.ID]; has {
			c.JournalPlan = &plan
		}
		clusters[name] = c
	}
	if len(ids) == 0 {
		return clusters, nil
	}
	var attachments []models.Attachment
	if err := q.db.with(ctx).Where("cluster_id IN ?", ids).Find(&attachments).Error; err != nil {
		return nil, fmt.Errorf("list how clusters are reached: %w", err)
	}
	at := make(map[uint]*models.Attachment, len(attachments))
	for i := range attachments {
		at[attachments[i].ClusterID] = &attachments[i]
	}
	for name, c := range clusters {
		c.Attachment = at[c.ID]
		clusters[name] = c
	}
	return clusters, nil
}

// AllNames returns the names of all clusters.
func (q Clusters) AllNames(ctx context.Context) ([]string, error) {
	var names []string
	if err := q.db.with(ctx).Model(&models.Cluster{}).Order("name").Pluck("name", &names).Error; err != nil {
		return nil, fmt.Errorf("list names of clusters: %w", err)
	}
	return names, nil
}

// ByID returns a cluster with its nodes.
func (q Clusters) ByID(ctx context.Context, id uint) (models.Cluster, error) {
	cluster, found, err := find[models.Cluster](q.db.with(ctx).Preload("Nodes", inOrder).Preload("Attachment").Where("id = ?", id))
	if err == nil && !found {
		err = models.Refuse(models.CodeClusterNotFound, "", fmt.Sprintf("There is no cluster with the number %d.", id))
	}
	return cluster, err
}
