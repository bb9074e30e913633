package models

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"hash/fnv"
	"time"
	"unicode/utf8"

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
	err = retryPorts(func() error {
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
	if problem != "" {
		faults.add(CodeInvalid, "id", problem)
	}
	spec.Name = name
	engines, err := db.host.Engines(ctx)
	if err != nil {
		return snapshot, fmt.Errorf("list engines: %w", err)
	}
	faults = append(faults, checkSpec(*spec, engines)...)
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

// retryPorts repeats what picks ports and writes them down: two people may be handed the same free port; the unique columns
// decide, and an automatic port is looked for again. Each time that one is beaten another one was served.
func retryPorts(fn func() error) error {
	for attempt := 1; ; attempt++ {
		if err := fn(); !errors.Is(err, gorm.ErrDuplicatedKey) || attempt == 50 {
			return err
		}
	}
}

func checkSpec(spec ClusterSpec, engines []Engine) Faults {
	var faults Faults
	faults = append(faults, checkDescription(spec.Description)...)
	faults = append(faults, checkWindow(spec.Window)...)
	installed := false
	for _, e := range engines {
		installed = installed || e == spec.Engine
	}
	if !installed {
		faults.add(CodeInvalid, "engine", fmt.Sprintf("The engine %s is not installed on this host.", spec.Engine))
	}
	nodeType, known := FindNodeType(spec.NodeType)
	if !known {
		faults.add(CodeInvalid, "node_type", fmt.Sprintf("There is no node type %q.", spec.NodeType))
	}
	if spec.Replicas < 0 || spec.Replicas > MaxReplicas {
		faults.add(CodeInvalid, "replicas", fmt.Sprintf("A cluster can have 0 to %d replicas, not %d.", MaxReplicas, spec.Replicas))
	}
	if spec.Port != 0 && (spec.Port < 1024 || spec.Port > 65535) {
		faults.add(CodeInvalid, "port", fmt.Sprintf("The port must be between 1024 and 65535, not %d.", spec.Port))
	}
	if spec.Copies < 1 || spec.Copies > MaxCopies {
		faults.add(CodeInvalid, "copies", fmt.Sprintf("One snapshot can be restored into 1 to %d clusters at a time, not %d.", MaxCopies, spec.Copies))
	} else if spec.Copies > 1 {
		if spec.Snapshot == "" {
			faults.add(CodeCombination, "copies", "Several clusters at once can only be made from a snapshot.")
		}
		if spec.Port != 0 {
			faults.add(CodeCombination, "port", "Several clusters cannot share one port. Leave it empty, and each gets its own.")
		}
		last := NumberedNames(spec.Name, spec.Copies)[spec.Copies-1]
		if _, own := CheckName("cluster id", spec.Name); own == "" && len(last) > maxNameLength {
			faults.add(CodeInvalid, "id", fmt.Sprintf("The id is too long to be numbered: %q has more than %d characters.", last, maxNameLength))
		}
	}
	switch spec.Auth {
	case AuthNone, AuthGenerate, "":
	case AuthGiven:
		if problem := checkAuthPassword(spec.Password.Reveal()); problem != "" {
			faults.add(CodeInvalid, "password", problem)
		}
	default:
		faults.add(CodeInvalid, "auth", "Choose no password, a generated one or one of your own.")
	}
	return append(faults, checkRetention(spec.Retention, nodeType)...)
}

func checkDescription(description string) Faults {
	var faults Faults
	if utf8.RuneCountInString(description) > 255 {
		faults.add(CodeInvalid, "description", "The description may have at most 255 characters.")
	} else if !utf8.ValidString(description) {
		faults.add(CodeInvalid, "description", "The description is not valid text (UTF-8).")
	}
	return faults
}

// checkWindow refuses what could be written down and never be read again.
func checkWindow(window Window) Faults {
	if window.IsZero() {
		return nil
	}
	_, err := NewWindow(window.Start, window.Length)
	faults, _ := AsFaults(err)
	return faults
}

func checkRetention(days int, nodeType NodeType) Faults {
	var faults Faults
	if days < 0 || days > MaxRetention {
		faults.add(CodeInvalid, "retention", fmt.Sprintf("The retention must be between 1 and %d days, not %d.", MaxRetention, days))
	}
	if days > 0 && nodeType.NoSnapshots {
		faults.add(CodeSnapshotUnsupported, "backups",
			fmt.Sprintf("Clusters of the node type %s cannot be backed up. Turn automatic backups off or choose a larger type.", nodeType.Name))
	}
	return faults
}

// checkAuthPassword applies ElastiCache's rule for AUTH tokens ("Authenticating with the AUTH command", user guide).
func checkAuthPassword(password string) string {
	if len(password) < 16 || len(password) > 128 {
		return fmt.Sprintf("The password must have 16 to 128 characters; this one has %d.", len(password))
	}
	for _, r := range password {
		if r <= ' ' || r > '~' || r == '"' || r == '/' || r == '@' {
			return "The password may contain only printable ASCII characters, and no space, quotation mark, slash or @."
		}
	}
	return ""
}

// GeneratePassword makes a password that [AuthGiven] would accept, with more than 128 bits of randomness.
func GeneratePassword() secret.Text { return secret.Text(rand.Text() + rand.Text()[:6]) }

// checkRestore refuses what could only fail later.
func (db *DB) checkRestore(spec ClusterSpec, snapshot Snapshot) Faults {
	var faults Faults
	if !snapshot.Usable() {
		faults.add(CodeSnapshotState, "snapshot",
			fmt.Sprintf("The snapshot %s is %s; only an available one can be restored.", snapshot.Name, snapshot.Status))
	}
	if snapshot.Shards > 1 {
		faults.add(CodeCombination, "snapshot", fmt.Sprintf("The snapshot %s has %d shards; only snapshots of one shard can be restored so far. "+
			"Each shard's RDB can be downloaded.", snapshot.Name, snapshot.Shards))
	}
	if nodeType, ok := FindNodeType(spec.NodeType); ok && snapshot.UsedMemory > nodeType.Memory {
		faults.add(CodeCombination, "node_type", fmt.Sprintf("The data needs %s of memory, and %s has %s. Choose a larger node type.",
			gigabytes(snapshot.UsedMemory), nodeType.Name, gigabytes(nodeType.Memory)))
	}
	if !db.host.CanLoad(spec.Engine, snapshot.RDBVersion) {
		faults.add(CodeCombination, "engine", fmt.Sprintf("The snapshot was made by %s (RDB version %d), which %s cannot load. Choose a newer engine.",
			snapshot.EngineName(), snapshot.RDBVersion, spec.Engine))
	}
	return faults
}

func gigabytes(n int64) string { return fmt.Sprintf("%.2f GB", float64(n)/1e9) }

func (db *DB) createClusters(ctx context.Context, spec ClusterSpec, snapshot Snapshot) ([]Cluster, error) {
	names := NumberedNames(spec.Name, spec.Copies)
	ports, err := db.pickPorts(ctx, spec, len(names))
	if err != nil {
		return nil, err
	}
	var clusters []Cluster
	err = db.transaction(ctx, func(tx *DB) error {
		var faults Faults
		for _, name := range names {
			if _, exists, err := find[Cluster](tx.with(ctx).Where("name = ?", name)); err != nil {
				return err
			} else if exists {
				faults.add(CodeClusterExists, "id", fmt.Sprintf("There is already a cluster %s. Choose another id.", name))
			}
		}
		if len(faults) > 0 {
			return faults
		}
		kind := RunCreate
		if spec.Snapshot != "" {
			kind = RunRestore
			if moved, err := tx.moveSnapshot(ctx, snapshot.Name, SnapshotRestoring, "", SnapshotAvailable, SnapshotRestoring, SnapshotCopying); err != nil {
				return err
			} else if !moved {
				return refuse(CodeSnapshotState, "snapshot", fmt.Sprintf("The snapshot %s is no longer available.", snapshot.Name))
			}
		}
		clusters = clusters[:0]
		for i, name := range names {
			cluster := tx.newCluster(spec, name, ports[i*(spec.Replicas+1):(i+1)*(spec.Replicas+1)])
			if err := tx.with(ctx).Create(&cluster).Error; err != nil {
				return fmt.Errorf("write cluster %s: %w", name, err)
			}
			run := Run{Kind: kind, ClusterName: name, ClusterID: cluster.ID, SnapshotName: spec.Snapshot, RequestedBy: spec.RequestedBy}
			if _, err := tx.enqueue(ctx, run, RunOptions{}); err != nil {
				return err
			}
			clusters = append(clusters, cluster)
		}
		return nil
	})
	return clusters, err
}

func (db *DB) newCluster(spec ClusterSpec, name string, ports []int) Cluster {
	now := db.Now()
	cluster := Cluster{
		Name: name, Description: spec.Description, Kind: "launched",
		Engine: spec.Engine.Name, EngineVersion: spec.Engine.Version, NodeType: spec.NodeType,
		Shards: 1, Replicas: spec.Replicas, Port: ports[0], PortChosen: spec.Port != 0, Password: spec.Password,
		RetentionLimit: spec.Retention, SnapshotWindow: spec.Window, WindowChosen: !spec.Window.IsZero(), ScheduleSince: now,
		Status: ClusterCreating, RestoredFrom: spec.Snapshot, CreatedAt: now, UpdatedAt: now,
	}
	if cluster.SnapshotWindow.IsZero() {
		cluster.SnapshotWindow = PickWindow(name)
	}
	for i, port := range ports {
		role := RoleReplica
		if i == 0 {
			role = RolePrimary
		}
		cluster.Nodes = append(cluster.Nodes, Node{Name: NodeName(name, i+1), Shard: 1, Role: role, Host: db.host.Address(), Port: port,
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

// pickPorts finds a port for every node of every copy.
func (db *DB) pickPorts(ctx context.Context, spec ClusterSpec, copies int) ([]int, error) {
	taken, err := db.takenPorts(ctx)
	if err != nil {
		return nil, err
	}
	if spec.Port != 0 {
		if taken[spec.Port] || !db.host.PortFree(spec.Port) {
			return nil, refuse(CodeInvalid, "port", fmt.Sprintf("The port %d is in use on %s. Choose another one or leave it empty.", spec.Port, db.host.Address()))
		}
		taken[spec.Port] = true
	}
	ports := make([]int, 0, copies*(spec.Replicas+1))
	for len(ports) < cap(ports) {
		if len(ports) == 0 && spec.Port != 0 {
			ports = append(ports, spec.Port)
			continue
		}
		port, err := db.host.FreePort(ctx, func(p int) bool { return taken[p] })
		if err != nil {
			return nil, fmt.Errorf("find a free port: %w", err)
		}
		taken[port] = true
		ports = append(ports, port)
	}
	return ports, nil
}

func (db *DB) takenPorts(ctx context.Context) (map[int]bool, error) {
	var ports []int
	if err := db.with(ctx).Model(&Node{}).Pluck("port", &ports).Error; err != nil {
		return nil, fmt.Errorf("list ports: %w", err)
	}
	taken := make(map[int]bool, len(ports))
	for _, p := range ports {
		taken[p] = true
	}
	return taken, nil
}

// RepickPort gives a node of a cluster that is being created another automatic port, when somebody else took the one it was
// to have. It tells whether it could: a port that was asked for is not changed.
func (db *DB) RepickPort(ctx context.Context, cluster Cluster, node Node) (Node, bool, error) {
	if node.Role == RolePrimary && cluster.PortChosen {
		return node, false, nil
	}
	err := retryPorts(func() error {
		ports, err := db.pickPorts(ctx, ClusterSpec{}, 1)
		if err != nil {
			return err
		}
		node.Port = ports[0]
		return db.moveNode(ctx, cluster, node)
	})
	return node, err == nil, err
}

func (db *DB) moveNode(ctx context.Context, cluster Cluster, node Node) error {
	return db.transaction(ctx, func(tx *DB) error {
		if err := tx.with(ctx).Model(&Node{ID: node.ID}).UpdateColumn("port", node.Port).Error; err != nil {
			return fmt.Errorf("move node %s to port %d: %w", node.Name, node.Port, err)
		}
		if node.Role == RolePrimary {
			return tx.with(ctx).Model(&Cluster{ID: cluster.ID}).UpdateColumn("port", node.Port).Error
		}
		return nil
	})
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
		_, err = tx.enqueue(ctx, run, RunOptions{FinalSnapshot: run.SnapshotName})
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
