package models

import (
	"context"
	"fmt"
	"strings"
)

// MaxImportShards is how many files one import may have; ElastiCache has up to 500 shards in a cluster.
const MaxImportShards = 500

// MaxDatabases is how many databases a node can be given at most, as by ElastiCache's parameter of that name.
const MaxDatabases = 1_200_000

// tryImports is the name of a setting.
const tryImports = "try_imports"

// TriesImports tells whether an RDB from elsewhere is loaded into a node that is there for nothing else before it becomes a snapshot. It is,
// unless somebody has chosen otherwise.
func (db *DB) TriesImports(ctx context.Context) (bool, error) {
	row, found, err := find[Setting](db.with(ctx).Where("name = ?", tryImports))
	return !found || row.Value != "off", err
}

// SaveTriesImports sets that.
func (db *DB) SaveTriesImports(ctx context.Context, try bool) error {
	return db.set(ctx, tryImports, map[bool]string{true: "on", false: "off"}[try])
}

// ImportSpec asks for RDB files from elsewhere to become a manual snapshot.
type ImportSpec struct {
	Cluster     string   // under which it is filed; it need not exist
	Name        string   // of the snapshot
	Sources     []string // the files' addresses, one for each shard, in their order; none when they are uploaded
	RequestedBy string

	CacheCluster bool // it is for a cluster that is to be a cache cluster in ElastiCache's terms
}

// CheckImport returns all that is wrong with a request, changes nothing, and brings the request into its final form.
func (db *DB) CheckImport(ctx context.Context, spec *ImportSpec, upload bool) error {
	var faults Faults
	var problem string
	if spec.Cluster, problem = CheckName("cluster id", spec.Cluster); problem != "" {
		faults.add(CodeInvalid, "cluster", problem)
	}
	if spec.Name, problem = CheckSnapshotName(spec.Name); problem != "" {
		faults.add(CodeInvalid, "name", problem)
	}
	if !upload {
		checkSources(spec, &faults)
	}
	if err := db.checkNewManual(ctx, spec.Cluster, spec.Name, &faults); err != nil {
		return err
	}
	return faults.orNil()
}

func checkSources(spec *ImportSpec, faults *Faults) {
	var sources []string
	seen := make(map[string]bool)
	for _, text := range spec.Sources {
		if strings.TrimSpace(text) == "" {
			continue
		}
		source, problem := checkObject(text)
		if problem == "" && seen[source] {
			problem = fmt.Sprintf("%.200s is named twice. Name each shard's file once.", source)
		}
		if problem != "" {
			faults.add(CodeInvalid, "sources", problem)
		}
		seen[source] = true
		sources = append(sources, source)
	}
	switch {
	case len(sources) == 0:
		faults.add(CodeInvalid, "sources", "Say which files are to be imported, one for each shard.")
	case len(sources) > MaxImportShards:
		faults.add(CodeInvalid, "sources", fmt.Sprintf("%d files are too many; %d shards are the most a cluster can have.", len(sources), MaxImportShards))
	}
	spec.Sources = sources
}

// RequestImport writes the snapshot down as creating and queues the run that reads the files.
func (db *DB) RequestImport(ctx context.Context, spec ImportSpec) (Run, error) {
	var run Run
	err := db.transaction(ctx, func(tx *DB) error {
		if err := tx.CheckImport(ctx, &spec, false); err != nil {
			return err
		}
		var err error
		run, err = tx.addImport(ctx, spec, len(spec.Sources), "Imported from "+strings.Join(spec.Sources, ", ")+".")
		if err != nil {
			return err
		}
		run, err = tx.enqueue(ctx, run, ImportArgs{Target: spec.Name, Sources: spec.Sources})
		return err
	})
	return run, err
}

// BeginUpload writes the snapshot down as creating, with a run that is this owner's from the start: its bytes are on their way.
func (db *DB) BeginUpload(ctx context.Context, spec ImportSpec, owner string) (Run, error) {
	var run Run
	err := db.transaction(ctx, func(tx *DB) error {
		if err := tx.CheckImport(ctx, &spec, true); err != nil {
			return err
		}
		var err error
		if run, err = tx.addImport(ctx, spec, 1, "Uploaded."); err != nil {
			return err
		}
		if run, err = tx.enqueue(ctx, run, ImportArgs{Target: spec.Name, Upload: true}); err != nil {
			return err
		}
		if err := tx.leased(ctx, owner); err != nil {
			return err
		}
		now := tx.Now()
		begun := tx.with(ctx).Model(&Run{}).Where("id = ?", run.ID).
			Updates(map[string]any{"status": RunRunning, "owner": owner, "started_at": now, "attempts": 1})
		if begun.Error != nil {
			return fmt.Errorf("begin run %d: %w", run.ID, begun.Error)
		}
		run.Status, run.Owner, run.StartedAt, run.Attempts = RunRunning, owner, &now, 1
		return nil
	})
	return run, err
}

// addImport writes the row of a snapshot whose engine is not known yet.
func (db *DB) addImport(ctx context.Context, spec ImportSpec, shards int, origin string) (Run, error) {
	row := Snapshot{Name: spec.Name, ClusterName: spec.Cluster, Source: SourceManual, Status: SnapshotCreating, Shards: shards, Grouped: !spec.CacheCluster,
		Origin: fmt.Sprintf("%.1000s", origin), CreatedAt: db.Now()}
	cluster, exists, err := find[Cluster](db.with(ctx).Where("name = ?", spec.Cluster))
	if err != nil {
		return Run{}, err
	} else if exists {
		row.ClusterID, row.Grouped = cluster.ID, cluster.Grouped
	}
	if err := db.addSnapshot(ctx, row); err != nil {
		return Run{}, err
	}
	return Run{Kind: RunImport, ClusterName: spec.Cluster, ClusterID: row.ClusterID, SnapshotName: spec.Name, RequestedBy: spec.RequestedBy}, nil
}

// SuggestNodeType returns the smallest of the current node types that holds this much memory with room to spare, or the largest one.
func SuggestNodeType(usedMemory int64) NodeType {
	var best, largest NodeType
	for _, t := range NodeTypes() {
		if !strings.HasPrefix(t.Name, "cache.t4g.") && !strings.HasPrefix(t.Name, "cache.m7g.") && !strings.HasPrefix(t.Name, "cache.r7g.") {
			continue
		}
		if t.Memory > largest.Memory {
			largest = t
		}
		// A quarter stays for buffers and for what is written later.
		if t.Memory-t.Memory/4 >= usedMemory && (best.Name == "" || t.Memory < best.Memory) {
			best = t
		}
	}
	if best.Name == "" {
		return largest
	}
	return best
}
