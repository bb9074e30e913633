package catalog

import (
	"context"
	"fmt"

	"gorm.io/gorm"

	"rekindle/models"
)

// Clusters is the clusters: which there are, new ones, and the state that each is in.
type Clusters struct{ db *DB }

// Create checks the request, writes the clusters down as creating and queues a run for each.
// When anything is wrong nothing is written, and all that is wrong is returned as [Faults].
func (q Clusters) Create(ctx context.Context, spec models.ClusterSpec) ([]models.Cluster, error) {
	snapshot, err := q.Check(ctx, &spec)
	if err != nil {
		return nil, err
	}
	switch spec.Auth {
	case models.AuthGiven:
	case models.AuthGenerate:
		spec.Password = models.GeneratePassword()
	default:
		spec.Password = "" // one that came along was not checked
	}
	var clusters []models.Cluster
	err = retryEndpoints(func() error {
		clusters, err = q.create(ctx, spec, snapshot)
		return err
	})
	if err != nil {
		return nil, err
	}
	return clusters, nil
}

// Check returns everything that is wrong with a request as [Faults], changes nothing, and brings the request into its
// final form. It returns the snapshot that the request names.
func (q Clusters) Check(ctx context.Context, spec *models.ClusterSpec) (models.Snapshot, error) {
	if spec.Copies == 0 {
		spec.Copies = 1
	}
	var snapshot models.Snapshot
	var faults models.Faults
	name, problem := models.CheckName("cluster id", spec.Name)
	if spec.CacheCluster {
		name, problem = models.CheckCacheClusterName(spec.Name)
	}
	if problem != "" {
		faults.Add(models.CodeInvalid, "id", problem)
	}
	spec.Name = name
	engines, err := q.db.host.Engines(ctx)
	if err != nil {
		return snapshot, fmt.Errorf("list engines: %w", err)
	}
	if spec.CacheNodes == 0 {
		spec.CacheNodes = 1
	}
	faults = append(faults, models.CheckSpec(*spec, engines)...)
	if err := q.checkGroups(ctx, spec, &faults); err != nil {
		return snapshot, err
	}
	if spec.Snapshot != "" && len(spec.Sources) > 0 {
		faults.Add(models.CodeCombination, "snapshot", "Fill the cluster either from a snapshot or from files, not from both.")
	}
	if spec.Snapshot != "" {
		snapshot, err = q.db.Snapshots.Get(ctx, spec.Snapshot)
		if more, refused := models.AsFaults(err); refused {
			for _, f := range more {
				faults.Add(f.Code, "snapshot", f.Message)
			}
		} else if err != nil {
			return snapshot, err
		} else {
			faults = append(faults, q.checkRestore(*spec, snapshot)...)
		}
	}
	return snapshot, faults.OrNil()
}

// checkGroups checks the subnet and parameter groups that a request names, and fills in the default ones.
func (q Clusters) checkGroups(ctx context.Context, spec *models.ClusterSpec, faults *models.Faults) (err error) {
	if spec.Attributes.SubnetGroup == "" {
		spec.Attributes.SubnetGroup = models.DefaultSubnetGroup
	}
	group, err := q.db.Subnets.Get(ctx, spec.Attributes.SubnetGroup)
	if more, refused := models.AsFaults(err); refused {
		*faults = append(*faults, more...)
	} else if err != nil {
		return err
	} else {
		spec.Attributes.SubnetGroup = group.Name
	}
	spec.ParameterGroup, err = q.db.Parameters.check(ctx, spec.ParameterGroup, spec.Engine, faults)
	return err
}

func (q Clusters) create(ctx context.Context, spec models.ClusterSpec, snapshot models.Snapshot) ([]models.Cluster, error) {
	names := models.NumberedNames(spec.Name, spec.Copies)
	each := spec.Nodes()
	picker, err := q.db.Nodes.picker(ctx)
	if err != nil {
		return nil, err
	}
	endpoints := make([][]models.Endpoint, len(names))
	for i := range names {
		if endpoints[i], err = picker.cluster(ctx, spec.Port, each); err != nil {
			if taken := q.namesFree(ctx, spec, names); taken != nil { // who comes twice finds the port taken by the first time
				err = taken
			}
			return nil, err
		}
	}
	var clusters []models.Cluster
	err = q.db.transaction(ctx, func(tx *DB) error {
		if err := tx.Clusters.namesFree(ctx, spec, names); err != nil {
			return err
		}
		kind, args := models.RunCreate, models.Arguments(models.NoArgs{})
		if len(spec.Sources) > 0 {
			kind, args = models.RunRestore, models.RestoreArgs{} // which waits for the import
			if spec.Snapshot, err = tx.Clusters.importFor(ctx, spec); err != nil {
				return err
			}
		} else if spec.Snapshot != "" {
			kind, args = models.RunRestore, models.RestoreArgs{}
			if moved, err := tx.Snapshots.move(ctx, snapshot.Name, models.SnapshotRestoring, "", models.SnapshotAvailable, models.SnapshotRestoring, models.SnapshotCopying); err != nil {
				return err
			} else if !moved {
				return models.Refuse(models.CodeSnapshotState, "snapshot", fmt.Sprintf("The snapshot %s is no longer available.", snapshot.Name))
			}
		}
		clusters = clusters[:0]
		for i, name := range names {
			cluster := tx.Clusters.row(spec, name, endpoints[i])
			if cluster.Databases, err = tx.Parameters.databases(ctx, cluster); err != nil {
				return err
			}
			if err := tx.with(ctx).Create(&cluster).Error; err != nil {
				return fmt.Errorf("write cluster %s: %w", name, err)
			}
			run := models.Run{Kind: kind, ClusterName: name, ClusterID: cluster.ID, SnapshotName: spec.Snapshot, RequestedBy: spec.RequestedBy}
			if _, err := tx.Runs.enqueue(ctx, run, args); err != nil {
				return err
			}
			if err := tx.Tags.add(ctx, cluster.Resource(), spec.Tags); err != nil {
				return err
			}
			clusters = append(clusters, cluster)
		}
		return nil
	})
	return clusters, err
}

// namesFree refuses names that clusters have already, or nodes of theirs.
func (q Clusters) namesFree(ctx context.Context, spec models.ClusterSpec, names []string) error {
	var faults models.Faults
	for _, name := range names {
		if _, exists, err := find[models.Cluster](q.db.with(ctx).Where("name = ?", name)); err != nil {
			return fmt.Errorf("look for a cluster %s: %w", name, err)
		} else if exists {
			faults.Add(models.CodeClusterExists, "id", fmt.Sprintf("There is already a cluster %s. Choose another id.", name))
		} else if problem, err := q.checkNodeNames(ctx, spec, name); err != nil {
			return err
		} else if problem != "" {
			faults.Add(models.CodeClusterExists, "id", problem)
		}
	}
	return faults.OrNil()
}

// checkNodeNames keeps the ids of cache clusters unique, among which ElastiCache counts the nodes of replication groups.
func (q Clusters) checkNodeNames(ctx context.Context, spec models.ClusterSpec, name string) (string, error) {
	if spec.CacheCluster {
		node, taken, err := find[models.Node](q.db.with(ctx).Where("name = ? AND cluster_id IN (SELECT id FROM clusters WHERE grouped)", name))
		if err != nil {
			return "", fmt.Errorf("look for a node %s: %w", name, err)
		} else if taken {
			return fmt.Sprintf("There is already a node %s, of another cluster. Choose another id.", node.Name), nil
		}
		return "", nil
	}
	var nodes []string
	for i := range spec.Nodes() {
		nodes = append(nodes, models.NodeName(name, i+1))
	}
	cluster, taken, err := find[models.Cluster](q.db.with(ctx).Where("name IN ? AND NOT grouped", nodes))
	if err != nil {
		return "", fmt.Errorf("look for clusters named like nodes of %s: %w", name, err)
	} else if taken {
		return fmt.Sprintf("There is a cluster %s, as one of the nodes of %s would be called. Choose another id.", cluster.Name, name), nil
	}
	return "", nil
}

// importFor queues the import of the files that a new cluster is to be filled from, and returns the snapshot's name.
func (q Clusters) importFor(ctx context.Context, spec models.ClusterSpec) (string, error) {
	run, err := q.db.Copies.Import(ctx, models.ImportSpec{Cluster: spec.Name, Name: models.SuggestSnapshotName(spec.Name+"-import", q.db.Now()), Sources: spec.Sources,
		RequestedBy: spec.RequestedBy, CacheCluster: spec.CacheCluster})
	return run.SnapshotName, err
}

func (q Clusters) row(spec models.ClusterSpec, name string, endpoints []models.Endpoint) models.Cluster {
	now := q.db.Now()
	cluster := models.Cluster{
		Home: q.db.host.Home(),
		Name: name, Description: spec.Description, Kind: "launched", Grouped: !spec.CacheCluster,
		Engine: spec.Engine.Name, EngineVersion: spec.Engine.Version, NodeType: spec.NodeType,
		Shards: 1, Replicas: spec.Replicas, Port: endpoints[0].Port, PortChosen: spec.Port != 0, Password: spec.Password,
		RetentionLimit: spec.Retention, SnapshotWindow: spec.Window, WindowChosen: !spec.Window.IsZero(), ScheduleSince: now,
		Status: models.ClusterCreating, RestoredFrom: spec.Snapshot, CreatedAt: now, UpdatedAt: now,
	}
	if cluster.SnapshotWindow.IsZero() {
		cluster.SnapshotWindow = models.PickWindowBeside(name, spec.Attributes.MaintenanceWindow)
	}
	cluster.ParameterGroup, cluster.Attributes = spec.ParameterGroup, spec.Attributes.Complete(cluster.SnapshotWindow, endpoints[0].Host)
	for i, endpoint := range endpoints {
		role := models.RoleReplica
		switch {
		case cluster.Cached():
			role = models.RoleCache
		case i == 0:
			role = models.RolePrimary
		}
		zone := ""
		if i < len(spec.Attributes.Zones) {
			zone = spec.Attributes.Zones[i]
		}
		cluster.Nodes = append(cluster.Nodes, models.Node{Name: models.NodeName(name, i+1), Shard: 1, Role: role, Zone: zone, Host: endpoint.Host, Port: endpoint.Port,
			State: "starting", MaxMemory: cluster.MaxMemory(), CreatedAt: now})
	}
	return cluster
}

// Get returns a cluster with its nodes.
func (q Clusters) Get(ctx context.Context, name string) (models.Cluster, error) {
	cluster, found, err := find[models.Cluster](q.db.with(ctx).Preload("Nodes", inOrder).Where("name = ?", name))
	switch {
	case err != nil:
		return cluster, fmt.Errorf("find cluster %s: %w", name, err)
	case !found:
		return cluster, models.Refuse(models.CodeClusterNotFound, "", fmt.Sprintf("There is no cluster %s.", name))
	}
	return cluster, nil
}

func inOrder(query *gorm.DB) *gorm.DB { return query.Order("id") }

// Delete queues the deletion of a cluster, with a final snapshot when a name for one is given. The cluster is deleting
// until it is gone; when the final snapshot fails it is available again and nothing was deleted.
func (q Clusters) Delete(ctx context.Context, name, finalSnapshot, requestedBy string) error {
	return q.db.transaction(ctx, func(tx *DB) error {
		cluster, err := tx.Clusters.Get(ctx, name)
		if err != nil {
			return err
		}
		from := []models.ClusterStatus{models.ClusterAvailable, models.ClusterUnreachable, models.ClusterRestoreFailed, models.ClusterCreateFailed}
		run := models.Run{Kind: models.RunDelete, ClusterName: name, ClusterID: cluster.ID, RequestedBy: requestedBy, SnapshotName: finalSnapshot}
		if finalSnapshot != "" {
			from = []models.ClusterStatus{models.ClusterAvailable}
			if run.SnapshotName, err = tx.Snapshots.create(ctx, cluster, finalSnapshot, models.SourceManual, true); err != nil {
				return models.RenameField(err, "name", "final_name")
			}
		}
		if finalSnapshot == "" && cluster.Status == models.ClusterDeleting {
			var active int64
			err := tx.with(ctx).Model(&models.Run{}).Where("cluster_id = ? AND kind = ? AND status IN ?", cluster.ID, models.RunDelete, []models.RunStatus{models.RunQueued, models.RunRunning}).
				Count(&active).Error
			if err != nil {
				return fmt.Errorf("count runs of %s: %w", name, err)
			}
			if active == 0 { // an earlier deletion stopped half way: this one goes on
				from = append(from, models.ClusterDeleting)
			}
		}
		moved, err := tx.Clusters.move(ctx, cluster.ID, models.ClusterDeleting, "", from...)
		if err != nil {
			return err
		} else if !moved {
			hint := "it can be deleted when that is done."
			if finalSnapshot != "" {
				hint = "a final snapshot needs an available cluster."
			}
			return models.Refuse(models.CodeClusterState, "", fmt.Sprintf("The cluster %s is %s; %s", name, cluster.Status, hint))
		}
		_, err = tx.Runs.enqueue(ctx, run, models.DeleteArgs{FinalSnapshot: run.SnapshotName})
		return err
	})
}

// checkRestore refuses what could only fail later.
func (q Clusters) checkRestore(spec models.ClusterSpec, snapshot models.Snapshot) models.Faults {
	var faults models.Faults
	if !snapshot.Usable() {
		faults.Add(models.CodeSnapshotState, "snapshot",
			fmt.Sprintf("The snapshot %s is %s; only an available one can be restored.", snapshot.Name, snapshot.Status))
		return faults // of one that is not whole nothing else is known
	}
	if snapshot.Shards > 1 {
		faults.Add(models.CodeCombination, "snapshot", fmt.Sprintf("The snapshot %s has %d shards; only snapshots of one shard can be restored so far. "+
			"Each shard's RDB can be downloaded.", snapshot.Name, snapshot.Shards))
	}
	if nodeType, ok := models.FindNodeType(spec.NodeType); ok && snapshot.UsedMemory > nodeType.Memory && !snapshot.FittedInto(nodeType) {
		needs, has := models.SizeTexts(snapshot.UsedMemory, nodeType.Memory)
		faults.Add(models.CodeCombination, "node_type", fmt.Sprintf("The data needs %s of memory, and %s has %s. Choose a larger node type.", needs, nodeType.Name, has))
	}
	if !q.db.host.CanLoad(spec.Engine, snapshot.RDBVersion) {
		faults.Add(models.CodeCombination, "engine", fmt.Sprintf("The snapshot was made by %s (RDB version %d), which %s cannot load. Choose a newer engine.",
			snapshot.EngineName(), snapshot.RDBVersion, spec.Engine))
	}
	return faults
}

// Legacy looks at what a cluster would leave.
func (q Clusters) Legacy(ctx context.Context, cluster models.Cluster) (models.Legacy, error) {
	var rows []models.Snapshot
	err := q.db.with(ctx).Where("cluster_id = ? OR (cluster_name = ? AND source = ?)", cluster.ID, cluster.Name, models.SourceManual).Order("created_at DESC, id DESC").Find(&rows).Error
	if err != nil {
		return models.Legacy{}, fmt.Errorf("list snapshots of %s: %w", cluster.Name, err)
	}
	var l models.Legacy
	for i, s := range rows {
		own := s.ClusterID == cluster.ID
		switch good := s.Usable() && !s.Damaged(); {
		case s.Source == models.SourceAutomatic && good:
			l.Automatic++
		case s.Source == models.SourceAutomatic:
		case !good && s.Status == models.SnapshotFailed:
			l.Useless++
		case good && own:
			if l.Manual++; l.Newest == nil {
				l.Newest = &rows[i]
			}
		case good:
			l.Earlier++
		}
	}
	return l, nil
}

// List filters by status and engine.
func (q Clusters) List(ctx context.Context, l models.List) (models.Rows[models.Cluster], error) {
	return list[models.Cluster](q.db, q.db.with(ctx).Preload("Nodes", inOrder), table{
		text:    []string{"name", "description"},
		filters: map[string]string{"status": "status", "engine": "engine"},
		sorts: map[string]string{"name": "name", "status": "status", "engine": "engine", "node_type": "node_type", "nodes": "(SELECT COUNT(*) FROM nodes WHERE nodes.cluster_id = clusters.id)",
			"created": "created_at",
			"newest":  "(SELECT newest_at FROM tallies WHERE cluster_name = clusters.name)",
			"memory":  "(SELECT SUM(used_memory) FROM nodes WHERE nodes.cluster_id = clusters.id AND nodes.role <> 'replica')"},
		missing: []string{"newest", "memory"},
		order:   []ordering{{by: "name"}},
	}, l)
}

// Names returns the names of clusters that occur in rows of one kind, a [Run], [Event] or [Snapshot], in the order of names. The
// clusters themselves may be gone.
func (q Clusters) Names(ctx context.Context, kind any) ([]string, error) {
	var names []string
	err := q.db.with(ctx).Model(kind).Where("cluster_name <> ''").Distinct("cluster_name").Order("cluster_name").Pluck("cluster_name", &names).Error
	if err != nil {
		return nil, fmt.Errorf("list names of clusters: %w", err)
	}
	return names, nil
}

// FindNames returns the names, in their order and no more than limit, of clusters in which the text occurs: of those that there are, and of
// those that are gone and have left good snapshots. Those of memcached only cache, and are left out where it is about backups.
func (q Clusters) FindNames(ctx context.Context, text string, backups bool, limit int) ([]string, error) {
	without := ""
	if backups {
		without = models.EngineMemcached
	}
	named, pattern := q.db.contains("name", text)
	left, _ := q.db.contains("cluster_name", text)
	var names []string
	err := q.db.with(ctx).Raw("SELECT name FROM clusters WHERE "+named+" AND engine <> ? UNION SELECT cluster_name FROM tallies WHERE "+left+" ORDER BY 1 LIMIT ?",
		pattern, without, pattern, limit).Scan(&names).Error
	if err != nil {
		return nil, fmt.Errorf("find names of clusters: %w", err)
	}
	return names, nil
}

// After returns the next clusters in the order of their names, with their nodes, no more than limit.
func (q Clusters) After(ctx context.Context, name string, limit int) ([]models.Cluster, error) {
	var clusters []models.Cluster
	err := q.db.with(ctx).Preload("Nodes", inOrder).Where("name > ?", name).Order("name").Limit(limit).Find(&clusters).Error
	if err != nil {
		return nil, fmt.Errorf("list clusters behind %s: %w", name, err)
	}
	return clusters, nil
}

// backToAvailable moves a cluster to available, with a reason when there is something to say, and tells whether that was a change. What is
// to be said of a loss is said again.
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

// Cache finds what ElastiCache calls a cache cluster: a cluster that is one, or a node of a replication group, and then which.
func (q Clusters) Cache(ctx context.Context, name string) (models.Cluster, *models.Node, error) {
	cluster, found, err := find[models.Cluster](q.db.with(ctx).Preload("Nodes", inOrder).Where("name = ? AND NOT grouped", name))
	if err != nil {
		return cluster, nil, fmt.Errorf("find cluster %s: %w", name, err)
	} else if found {
		return cluster, nil, nil
	}
	cluster, found, err = find[models.Cluster](q.db.with(ctx).Preload("Nodes", inOrder).Where("grouped AND id IN (SELECT cluster_id FROM nodes WHERE name = ?)", name))
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

// BeginRestore checks once more, when a restore begins, what was checked when it was asked for, and holds the snapshot. Data that was
// imported for it is only known now. It returns the cluster with as many databases as the data needs.
func (q Clusters) BeginRestore(ctx context.Context, cluster models.Cluster, name string) (models.Cluster, error) {
	err := q.db.transaction(ctx, func(tx *DB) error {
		snapshot, err := tx.Snapshots.Get(ctx, name)
		if err != nil {
			return err
		}
		if snapshot.Status == models.SnapshotFailed && snapshot.StatusReason != "" {
			return models.Refuse(models.CodeSnapshotState, "snapshot", fmt.Sprintf("The snapshot %s has failed. %s", name, snapshot.StatusReason))
		}
		if faults := tx.Clusters.checkRestore(models.ClusterSpec{Engine: cluster.EngineName(), NodeType: cluster.NodeType}, snapshot); len(faults) > 0 {
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

// move changes a cluster's state if it is in one of the given ones, and tells whether it did. It is the lock.
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

// MarkReachable moves a cluster between available and unreachable, and tells whether that was a change. The reason of one that is
// unreachable already is replaced.
func (q Clusters) MarkReachable(ctx context.Context, id uint, reachable bool, reason string) (bool, error) {
	if reachable {
		return q.backToAvailable(ctx, id, "", models.ClusterUnreachable)
	}
	changed, err := q.move(ctx, id, models.ClusterUnreachable, reason, models.ClusterAvailable)
	if err == nil && !changed {
		_, err = q.move(ctx, id, models.ClusterUnreachable, reason, models.ClusterUnreachable)
	}
	return changed, err
}

// All returns all clusters with their nodes, by name.
func (q Clusters) All(ctx context.Context) ([]models.Cluster, error) {
	var clusters []models.Cluster
	err := q.db.with(ctx).Preload("Nodes", inOrder).Order("name").Find(&clusters).Error
	if err != nil {
		return nil, fmt.Errorf("list clusters: %w", err)
	}
	return clusters, nil
}

// ByName returns those of these clusters that there are, with their nodes.
func (q Clusters) ByName(ctx context.Context, names []string) (map[string]models.Cluster, error) {
	var found []models.Cluster
	if err := q.db.with(ctx).Preload("Nodes", inOrder).Where("name IN ?", names).Find(&found).Error; err != nil {
		return nil, fmt.Errorf("list clusters: %w", err)
	}
	clusters := make(map[string]models.Cluster, len(found))
	for _, c := range found {
		clusters[c.Name] = c
	}
	return clusters, nil
}

// ByID returns a cluster with its nodes.
func (q Clusters) ByID(ctx context.Context, id uint) (models.Cluster, error) {
	cluster, found, err := find[models.Cluster](q.db.with(ctx).Preload("Nodes", func(q *gorm.DB) *gorm.DB { return q.Order("id") }).Where("id = ?", id))
	if err == nil && !found {
		err = models.Refuse(models.CodeClusterNotFound, "", fmt.Sprintf("There is no cluster with the number %d.", id))
	}
	return cluster, err
}
