package catalog

import (
	"context"
	"fmt"

	"rekindle/models"
)

// Create checks the request, stores the clusters in the state creating and queues a run for each. If anything is wrong, nothing is stored,
// and everything that is wrong is returned as [models.Faults].
func (q Clusters) Create(ctx context.Context, spec models.ClusterSpec) ([]models.Cluster, error) {
	snapshot, err := q.Check(ctx, &spec)
	if err != nil {
		return nil, err
	}
	if spec.UserGroup != "" {
		spec.Auth = models.AuthGenerate // a password for the console's own user
	}
	switch spec.Auth {
	case models.AuthGiven:
	case models.AuthGenerate:
		spec.Password = models.GeneratePassword()
	default:
		spec.Password = "" // a password in the request was not checked
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

// Check brings a request into its final form and returns the snapshot that it names. Everything that is wrong with the request is returned
// as [models.Faults]. The catalog is not changed.
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
	spec.Name = name
	if problem != "" {
		faults.Add(models.CodeInvalid, "id", problem)
	} else if err := q.namesFree(ctx, *spec, models.NumberedNames(name, min(max(spec.Copies, 1), models.MaxCopies))); err != nil {
		taken, refused := models.AsFaults(err)
		if !refused {
			return models.Snapshot{}, err
		}
		faults = append(faults, taken...)
	}
	engines, err := q.db.host.Engines(ctx)
	if err != nil {
		return snapshot, fmt.Errorf("list engines: %w", err)
	}
	if spec.CacheNodes == 0 {
		spec.CacheNodes = 1
	}
	if spec.Straight != nil {
		source, err := q.Get(ctx, spec.Straight.Cluster)
		if more, refused := models.AsFaults(models.RenameField(err, "", "cluster")); refused {
			faults = append(faults, more...)
		} else if err != nil {
			return snapshot, err
		} else {
			faults = append(faults, models.CheckStraight(spec, source, q.db.Now())...)
		}
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
			faults = append(faults, models.CheckRestore(*spec, snapshot, q.db.cannotTake(ctx, spec.Engine, snapshot, spec.Deadlines))...)
		}
	}
	return snapshot, faults.OrNil()
}

// checkGroups checks the subnet, parameter and user groups that a request names, and fills in the default ones.
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
	if spec.ParameterGroup, err = q.db.Parameters.check(ctx, spec.ParameterGroup, spec.ShownEngine(), spec.ClusterMode, faults); err != nil || spec.UserGroup == "" {
		return err
	}
	if !spec.Encrypted {
		faults.Add(models.CodeCombination, "user_group", models.UserGroupNeedsTLS)
	}
	if spec.Auth == models.AuthGiven {
		faults.Add(models.CodeCombination, "password", "A cluster has either a password (AuthToken) or a user group, whose users have their own.")
	}
	return q.db.UserGroups.check(ctx, spec.UserGroup, spec.Engine, faults)
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
			if taken := q.namesFree(ctx, spec, names); taken != nil { // a request sent twice finds its port taken by the first copy
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
		if spec.UserGroup != "" { // it may have been deleted since the check
			if _, err := tx.UserGroups.Get(ctx, spec.UserGroup); err != nil {
				return err
			}
		}
		kind, args := models.RunCreate, models.Arguments(models.NoArgs{})
		if len(spec.Sources) > 0 {
			kind, args = models.RunRestore, models.RestoreArgs{Deadlines: spec.Deadlines} // it waits for the import
			if spec.Snapshot, err = tx.Clusters.importFor(ctx, spec); err != nil {
				return err
			}
		} else if spec.Straight != nil {
			source, err := tx.Clusters.Get(ctx, spec.Straight.Cluster)
			if err != nil {
				return models.RenameField(err, "", "cluster")
			}
			kind, args = models.RunStraight, models.StraightArgs{Cluster: source.Name, ClusterID: source.ID, Moment: spec.Straight.Moment, Places: spec.Straight.Places}
		} else if spec.Snapshot != "" {
			kind, args = models.RunRestore, models.RestoreArgs{Deadlines: spec.Deadlines}
			if err := tx.Snapshots.holdForRestore(ctx, snapshot.Name); err != nil {
				return err
			}
		}
		clusters = clusters[:0]
		for i, name := range names {
			cluster := models.NewCluster(spec, name, tx.host.Home(), endpoints[i], tx.Now())
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
			if asked := cluster.Attributes.EngineVersion; asked != "" {
				message := fmt.Sprintf("The cluster %s was requested with %s %s, which is not installed on this host. It gets %s.", name, cluster.Engine, asked, cluster.EngineName())
				if err := tx.Events.Add(ctx, models.Event{Severity: models.SeverityInfo, ClusterName: name, Message: message}); err != nil {
					return err
				}
			}
		}
		return nil
	})
	return clusters, err
}

// namesFree refuses names that clusters or their nodes already have.
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

// checkNodeNames keeps the ids of cache clusters unique. For ElastiCache, the nodes of replication groups are cache clusters, too.
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
	cluster, taken, err := find[models.Cluster](q.db.with(ctx).Where("name IN ? AND NOT grouped", spec.NodeNames(name)))
	if err != nil {
		return "", fmt.Errorf("look for clusters named like nodes of %s: %w", name, err)
	} else if taken {
		return fmt.Sprintf("There is a cluster %s, and a node of %s would get that name. Choose another id.", cluster.Name, name), nil
	}
	return "", nil
}

// importFor queues the import of the files from which a new cluster will be filled, and returns the snapshot's name.
func (q Clusters) importFor(ctx context.Context, spec models.ClusterSpec) (string, error) {
	run, err := q.db.Copies.Import(ctx, models.ImportSpec{Cluster: spec.Name, Name: models.SuggestSnapshotName(spec.Name+"-import", q.db.Now()), Sources: spec.Sources,
		RequestedBy: spec.RequestedBy, CacheCluster: spec.CacheCluster})
	return run.SnapshotName, err
}
