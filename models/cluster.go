package models

import (
	"context"
	"crypto/rand"
	"fmt"
	"hash/fnv"
	"time"

	"gorm.io/gorm"

	"rekindle/internal/secret"
)

// Limits of a cluster, as in ElastiCache; the number of copies is Rekindle's own.
const (
	MaxReplicas  = 5
	MaxRetention = 35
	MaxCopies    = 20
)

// How a new cluster gets its password (Redis AUTH).
const (
	AuthNone     = "none"
	AuthGenerate = "generate"
	AuthGiven    = "given"
)

// ClusterSpec asks for a new cluster, or for several filled from one snapshot.
type ClusterSpec struct {
	Name        string
	Description string
	Engine      Engine
	NodeType    string
	Replicas    int
	Port        int // 0: automatic
	Auth        string
	Password    secret.Text // with AuthGiven
	Retention   int         // days; 0: no automatic backups
	Window      Window      // zero: no preference
	Snapshot    string      // "": empty
	Copies      int         // 0 counts as 1
	RequestedBy string

	CacheCluster   bool // a cache cluster in ElastiCache's terms, which has no replicas; else a replication group
	CacheNodes     int  // of memcached
	ParameterGroup string
	Attributes     Attributes
	Tags           map[string]string
	Sources        []string // RDB files elsewhere to be imported and restored; see [ImportSpec]
}

// CreateCluster checks the request, writes the clusters down as creating and queues a run for each.
// When anything is wrong nothing is written, and all that is wrong is returned as [Faults].
func (db *DB) CreateCluster(ctx context.Context, spec ClusterSpec) ([]Cluster, error) {
	snapshot, err := db.CheckCluster(ctx, &spec)
	if err != nil {
		return nil, err
	}
	switch spec.Auth {
	case AuthGiven:
	case AuthGenerate:
		spec.Password = GeneratePassword()
	default:
		spec.Password = "" // one that came along was not checked
	}
	var clusters []Cluster
	err = retryEndpoints(func() error {
		clusters, err = db.createClusters(ctx, spec, snapshot)
		return err
	})
	if err != nil {
		return nil, err
	}
	return clusters, nil
}

// CheckCluster returns everything that is wrong with a request as [Faults], changes nothing, and brings the request into its
// final form. It returns the snapshot that the request names.
func (db *DB) CheckCluster(ctx context.Context, spec *ClusterSpec) (Snapshot, error) {
	if spec.Copies == 0 {
		spec.Copies = 1
	}
	var snapshot Snapshot
	var faults Faults
	name, problem := CheckName("cluster id", spec.Name)
	if spec.CacheCluster {
		name, problem = CheckCacheClusterName(spec.Name)
	}
	if problem != "" {
		faults.add(CodeInvalid, "id", problem)
	}
	spec.Name = name
	engines, err := db.host.Engines(ctx)
	if err != nil {
		return snapshot, fmt.Errorf("list engines: %w", err)
	}
	if spec.CacheNodes == 0 {
		spec.CacheNodes = 1
	}
	faults = append(faults, checkSpec(*spec, engines)...)
	if err := db.checkGroups(ctx, spec, &faults); err != nil {
		return snapshot, err
	}
	if spec.Snapshot != "" && len(spec.Sources) > 0 {
		faults.add(CodeCombination, "snapshot", "Fill the cluster either from a snapshot or from files, not from both.")
	}
	if spec.Snapshot != "" {
		snapshot, err = db.Snapshot(ctx, spec.Snapshot)
		if more, refused := AsFaults(err); refused {
			for _, f := range more {
				faults.add(f.Code, "snapshot", f.Message)
			}
		} else if err != nil {
			return snapshot, err
		} else {
			faults = append(faults, db.checkRestore(*spec, snapshot)...)
		}
	}
	return snapshot, faults.orNil()
}

// checkGroups checks the subnet and parameter groups that a request names, and fills in the default ones.
func (db *DB) checkGroups(ctx context.Context, spec *ClusterSpec, faults *Faults) (err error) {
	if spec.Attributes.SubnetGroup == "" {
		spec.Attributes.SubnetGroup = DefaultSubnetGroup
	}
	group, err := db.SubnetGroup(ctx, spec.Attributes.SubnetGroup)
	if more, refused := AsFaults(err); refused {
		*faults = append(*faults, more...)
	} else if err != nil {
		return err
	} else {
		spec.Attributes.SubnetGroup = group.Name
	}
	spec.ParameterGroup, err = db.checkParameterGroup(ctx, spec.ParameterGroup, spec.Engine, faults)
	return err
}

// GeneratePassword makes a password that [AuthGiven] would accept, with more than 128 bits of randomness.
func GeneratePassword() secret.Text { return secret.Text(rand.Text() + rand.Text()[:6]) }

func (db *DB) createClusters(ctx context.Context, spec ClusterSpec, snapshot Snapshot) ([]Cluster, error) {
	names := NumberedNames(spec.Name, spec.Copies)
	each := spec.nodes()
	picker, err := db.endpointPicker(ctx)
	if err != nil {
		return nil, err
	}
	endpoints := make([][]Endpoint, len(names))
	for i := range names {
		if endpoints[i], err = picker.cluster(ctx, spec.Port, each); err != nil {
			if taken := db.namesFree(ctx, spec, names); taken != nil { // who comes twice finds the port taken by the first time
				err = taken
			}
			return nil, err
		}
	}
	var clusters []Cluster
	err = db.transaction(ctx, func(tx *DB) error {
		if err := tx.namesFree(ctx, spec, names); err != nil {
			return err
		}
		kind, args := RunCreate, arguments(NoArgs{})
		if len(spec.Sources) > 0 {
			kind, args = RunRestore, RestoreArgs{} // which waits for the import
			if spec.Snapshot, err = tx.importFor(ctx, spec); err != nil {
				return err
			}
		} else if spec.Snapshot != "" {
			kind, args = RunRestore, RestoreArgs{}
			if moved, err := tx.moveSnapshot(ctx, snapshot.Name, SnapshotRestoring, "", SnapshotAvailable, SnapshotRestoring, SnapshotCopying); err != nil {
				return err
			} else if !moved {
				return refuse(CodeSnapshotState, "snapshot", fmt.Sprintf("The snapshot %s is no longer available.", snapshot.Name))
			}
		}
		clusters = clusters[:0]
		for i, name := range names {
			cluster := tx.newCluster(spec, name, endpoints[i])
			if cluster.Databases, err = tx.databases(ctx, cluster); err != nil {
				return err
			}
			if err := tx.with(ctx).Create(&cluster).Error; err != nil {
				return fmt.Errorf("write cluster %s: %w", name, err)
			}
			run := Run{Kind: kind, ClusterName: name, ClusterID: cluster.ID, SnapshotName: spec.Snapshot, RequestedBy: spec.RequestedBy}
			if _, err := tx.enqueue(ctx, run, args); err != nil {
				return err
			}
			if err := tx.addTags(ctx, cluster.Resource(), spec.Tags); err != nil {
				return err
			}
			clusters = append(clusters, cluster)
		}
		return nil
	})
	return clusters, err
}

// namesFree refuses names that clusters have already, or nodes of theirs.
func (db *DB) namesFree(ctx context.Context, spec ClusterSpec, names []string) error {
	var faults Faults
	for _, name := range names {
		if _, exists, err := find[Cluster](db.with(ctx).Where("name = ?", name)); err != nil {
			return fmt.Errorf("look for a cluster %s: %w", name, err)
		} else if exists {
			faults.add(CodeClusterExists, "id", fmt.Sprintf("There is already a cluster %s. Choose another id.", name))
		} else if problem, err := db.checkNodeNames(ctx, spec, name); err != nil {
			return err
		} else if problem != "" {
			faults.add(CodeClusterExists, "id", problem)
		}
	}
	return faults.orNil()
}

// nodes is how many nodes each cluster is to have.
func (spec ClusterSpec) nodes() int {
	if spec.Engine.Name == EngineMemcached {
		return spec.CacheNodes
	}
	return spec.Replicas + 1
}

// checkNodeNames keeps the ids of cache clusters unique, among which ElastiCache counts the nodes of replication groups.
func (db *DB) checkNodeNames(ctx context.Context, spec ClusterSpec, name string) (string, error) {
	if spec.CacheCluster {
		node, taken, err := find[Node](db.with(ctx).Where("name = ? AND cluster_id IN (SELECT id FROM clusters WHERE grouped)", name))
		if err != nil {
			return "", fmt.Errorf("look for a node %s: %w", name, err)
		} else if taken {
			return fmt.Sprintf("There is already a node %s, of another cluster. Choose another id.", node.Name), nil
		}
		return "", nil
	}
	var nodes []string
	for i := range spec.nodes() {
		nodes = append(nodes, NodeName(name, i+1))
	}
	cluster, taken, err := find[Cluster](db.with(ctx).Where("name IN ? AND NOT grouped", nodes))
	if err != nil {
		return "", fmt.Errorf("look for clusters named like nodes of %s: %w", name, err)
	} else if taken {
		return fmt.Sprintf("There is a cluster %s, as one of the nodes of %s would be called. Choose another id.", cluster.Name, name), nil
	}
	return "", nil
}

// importFor queues the import of the files that a new cluster is to be filled from, and returns the snapshot's name.
func (db *DB) importFor(ctx context.Context, spec ClusterSpec) (string, error) {
	run, err := db.RequestImport(ctx, ImportSpec{Cluster: spec.Name, Name: SuggestSnapshotName(spec.Name+"-import", db.Now()), Sources: spec.Sources,
		RequestedBy: spec.RequestedBy, CacheCluster: spec.CacheCluster})
	return run.SnapshotName, err
}

func (db *DB) newCluster(spec ClusterSpec, name string, endpoints []Endpoint) Cluster {
	now := db.Now()
	cluster := Cluster{
		Home: db.host.Home(),
		Name: name, Description: spec.Description, Kind: "launched", Grouped: !spec.CacheCluster,
		Engine: spec.Engine.Name, EngineVersion: spec.Engine.Version, NodeType: spec.NodeType,
		Shards: 1, Replicas: spec.Replicas, Port: endpoints[0].Port, PortChosen: spec.Port != 0, Password: spec.Password,
		RetentionLimit: spec.Retention, SnapshotWindow: spec.Window, WindowChosen: !spec.Window.IsZero(), ScheduleSince: now,
		Status: ClusterCreating, RestoredFrom: spec.Snapshot, CreatedAt: now, UpdatedAt: now,
	}
	if cluster.SnapshotWindow.IsZero() {
		cluster.SnapshotWindow = PickWindowBeside(name, spec.Attributes.MaintenanceWindow)
	}
	cluster.ParameterGroup, cluster.Attributes = spec.ParameterGroup, spec.Attributes.complete(cluster.SnapshotWindow, endpoints[0].Host)
	for i, endpoint := range endpoints {
		role := RoleReplica
		switch {
		case cluster.Cached():
			role = RoleCache
		case i == 0:
			role = RolePrimary
		}
		zone := ""
		if i < len(spec.Attributes.Zones) {
			zone = spec.Attributes.Zones[i]
		}
		cluster.Nodes = append(cluster.Nodes, Node{Name: NodeName(name, i+1), Shard: 1, Role: role, Zone: zone, Host: endpoint.Host, Port: endpoint.Port,
			State: "starting", MaxMemory: cluster.MaxMemory(), CreatedAt: now})
	}
	return cluster
}

// PickWindow chooses a window of one hour for a cluster whose owner has no preference: in the quiet hours from 22:00 to 06:00
// UTC, spread by the cluster's name, as ElastiCache picks one from a block of eight hours.
func PickWindow(cluster string) Window {
	hash := fnv.New32a()
	_, _ = hash.Write([]byte("window of " + cluster))
	return Window{Start: (22*60 + int(hash.Sum32()%14)*30) % dayMinutes, Length: MinWindowMinutes}
}

// Cluster returns a cluster with its nodes.
func (db *DB) Cluster(ctx context.Context, name string) (Cluster, error) {
	cluster, found, err := find[Cluster](db.with(ctx).Preload("Nodes", inOrder).Where("name = ?", name))
	switch {
	case err != nil:
		return cluster, fmt.Errorf("find cluster %s: %w", name, err)
	case !found:
		return cluster, refuse(CodeClusterNotFound, "", fmt.Sprintf("There is no cluster %s.", name))
	}
	return cluster, nil
}

func inOrder(query *gorm.DB) *gorm.DB { return query.Order("id") }

// DeleteCluster queues the deletion of a cluster, with a final snapshot when a name for one is given. The cluster is deleting
// until it is gone; when the final snapshot fails it is available again and nothing was deleted.
func (db *DB) DeleteCluster(ctx context.Context, name, finalSnapshot, requestedBy string) error {
	return db.transaction(ctx, func(tx *DB) error {
		cluster, err := tx.Cluster(ctx, name)
		if err != nil {
			return err
		}
		from := []ClusterStatus{ClusterAvailable, ClusterUnreachable, ClusterRestoreFailed, ClusterCreateFailed}
		run := Run{Kind: RunDelete, ClusterName: name, ClusterID: cluster.ID, RequestedBy: requestedBy, SnapshotName: finalSnapshot}
		if finalSnapshot != "" {
			from = []ClusterStatus{ClusterAvailable}
			if run.SnapshotName, err = tx.newSnapshot(ctx, cluster, finalSnapshot, SourceManual, true); err != nil {
				return renameField(err, "name", "final_name")
			}
		}
		if finalSnapshot == "" && cluster.Status == ClusterDeleting {
			var active int64
			err := tx.with(ctx).Model(&Run{}).Where("cluster_id = ? AND kind = ? AND status IN ?", cluster.ID, RunDelete, []RunStatus{RunQueued, RunRunning}).
				Count(&active).Error
			if err != nil {
				return fmt.Errorf("count runs of %s: %w", name, err)
			}
			if active == 0 { // an earlier deletion stopped half way: this one goes on
				from = append(from, ClusterDeleting)
			}
		}
		moved, err := tx.moveCluster(ctx, cluster.ID, ClusterDeleting, "", from...)
		if err != nil {
			return err
		} else if !moved {
			hint := "it can be deleted when that is done."
			if finalSnapshot != "" {
				hint = "a final snapshot needs an available cluster."
			}
			return refuse(CodeClusterState, "", fmt.Sprintf("The cluster %s is %s; %s", name, cluster.Status, hint))
		}
		_, err = tx.enqueue(ctx, run, DeleteArgs{FinalSnapshot: run.SnapshotName})
		return err
	})
}

func renameField(err error, from, to string) error {
	faults, ok := AsFaults(err)
	if !ok {
		return err
	}
	renamed := make(Faults, len(faults))
	for i, f := range faults {
		if f.Field == from {
			f.Field = to
		}
		renamed[i] = f
	}
	return renamed
}

// NextSnapshot is when the next automatic snapshot of the cluster begins, or false when backups are off. An occurrence that
// is open and still to be done counts as now.
func (db *DB) NextSnapshot(ctx context.Context, cluster Cluster) (time.Time, bool, error) {
	if !cluster.Backups() {
		return time.Time{}, false, nil
	}
	plan, err := db.plan(ctx, cluster)
	if err != nil {
		return time.Time{}, false, err
	}
	now := db.Now()
	if open, ok := cluster.SnapshotWindow.Open(now, cluster.Name); ok && !now.Before(open.Begins) && plan.attempt(now, open) > 0 {
		return now, true, nil
	}
	return cluster.SnapshotWindow.Next(now, cluster.Name).Begins, true, nil
}
