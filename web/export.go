package web

import (
	"bufio"
	"context"
	"errors"
	"net/http"
	"slices"
	"time"

	"rekindle/models"
)

// exportVersion is the version of the schema, which docs/export.md describes. Fields may be added within a version. Removing one, or changing its
// meaning, needs the next version.
const exportVersion = 1

type exportedCluster struct {
	ID            string           `json:"id"`
	Description   string           `json:"description"`
	Kind          string           `json:"kind"`
	Status        string           `json:"status"`
	StatusReason  string           `json:"status_reason"`
	Engine        string           `json:"engine"`
	EngineVersion string           `json:"engine_version"`
	NodeType      string           `json:"node_type"`
	Shards        int              `json:"shards"`
	Replicas      int              `json:"replicas_per_shard"`
	AuthEnabled   bool             `json:"auth_enabled"`
	Encrypted     bool             `json:"transit_encryption"`
	RestoredFrom  *string          `json:"restored_from"`
	CreatedAt     time.Time        `json:"created_at"`
	Schedule      exportedSchedule `json:"schedule"`
	Nodes         []exportedNode   `json:"nodes"`
}

type exportedSchedule struct {
	Enabled       bool       `json:"enabled"`
	RetentionDays int        `json:"retention_days"`
	Window        *string    `json:"window_utc"`
	WindowChosen  bool       `json:"window_chosen"`
	NextAt        *time.Time `json:"next_snapshot_at"`
	NewestGood    *string    `json:"newest_good_snapshot"`

	Drills *exportedDrills `json:"drills"`
}

type exportedDrills struct {
	Every  string    `json:"every"`
	Window string    `json:"window_utc"`
	Day    *string   `json:"day"`
	NextAt time.Time `json:"next_drill_at"`
}

type exportedNode struct {
	Name  string `json:"name"`
	Shard int    `json:"shard"`
	Role  string `json:"role"`
	Host  string `json:"host"`
	Port  int    `json:"port"`
	State string `json:"state"`
}

type exportedSnapshot struct {
	Name          string     `json:"name"`
	Cluster       string     `json:"cluster"`
	ClusterExists bool       `json:"cluster_exists"`
	Source        string     `json:"source"`
	Status        string     `json:"status"`
	StatusReason  string     `json:"status_reason"`
	CreatedAt     time.Time  `json:"created_at"`
	StartedAt     *time.Time `json:"started_at"`
	CompletedAt   *time.Time `json:"completed_at"`
	RDBBytes      *int64     `json:"rdb_bytes"`
	StoredBytes   *int64     `json:"stored_bytes"`
	Keys          *int64     `json:"keys"`
	RDBVersion    *int64     `json:"rdb_version"`
	ServedBy      *string    `json:"served_by"`
	ServedRole    *string    `json:"served_role"`
	PointInTime   bool       `json:"point_in_time"`
	Warning       string     `json:"warning"`

	LastDrill *exportedDrill `json:"last_drill"`

	Configuration exportedConfiguration `json:"cluster_configuration"`
}

type exportedDrill struct {
	Outcome       string    `json:"outcome"`
	Reason        string    `json:"reason"`
	EndedAt       time.Time `json:"ended_at"`
	Engine        string    `json:"engine"`
	EngineVersion string    `json:"engine_version"`
	Host          string    `json:"host"`
	LoadSeconds   float64   `json:"load_seconds"`
	KeysExpected  *int64    `json:"keys_expected"`
	KeysLoaded    int64     `json:"keys_loaded"`
	KeysExpired   int64     `json:"keys_expired"`
	KeysCompared  int64     `json:"keys_compared"`
	KeysDiffering int64     `json:"keys_differing"`
}

type exportedConfiguration struct {
	Description   string  `json:"description"`
	Engine        string  `json:"engine"`
	EngineVersion string  `json:"engine_version"`
	NodeType      string  `json:"node_type"`
	Shards        int     `json:"shards"`
	Replicas      int     `json:"replicas_per_shard"`
	Port          int     `json:"port"`
	AuthEnabled   bool    `json:"auth_enabled"`
	Encrypted     bool    `json:"transit_encryption"`
	RetentionDays int     `json:"retention_days"`
	Window        *string `json:"window_utc"`
}

// exportBatch is how many rows of the catalog are in memory at a time.
const exportBatch = 500

// inventory tells a program about everything that the console has.
type inventory struct{ *site }

// export sends all clusters with their schedules, and all snapshots, to a program, as they are read. It contains no secrets. A failure after the
// beginning breaks the connection, so that nobody takes a part for the whole.
func (h inventory) export(w http.ResponseWriter, r *http.Request) error {
	ctx := r.Context()
	if err := h.db.Check(ctx); err != nil {
		return err // while the answer can still be an error
	}
	header := w.Header()
	header.Set("Content-Type", "application/json")
	header.Set("Cache-Control", "no-store")
	out := bufio.NewWriterSize(w, 64<<10)
	d := &document{to: out}
	d.field("format_version", exportVersion)
	d.field("exported_at", h.clock.Now().UTC())
	d.field("rekindle_version", h.version)
	d.field("store", h.jobs.StoreLocation())
	_ = out.Flush()
	_ = http.NewResponseController(w).Flush()
	err := d.list("clusters", func(add func(any)) error { return h.clusters(ctx, add) })
	if err == nil {
		err = d.list("snapshots", func(add func(any)) error { return h.snapshots(ctx, add) })
	}
	if err == nil {
		err = d.end()
	}
	if err = errors.Join(err, out.Flush()); err != nil {
		if ctx.Err() == nil {
			h.log.ErrorContext(ctx, "export", "error", err)
		}
		panic(http.ErrAbortHandler)
	}
	return nil
}

func (h inventory) clusters(ctx context.Context, add func(any)) error {
	for after := ""; ; {
		clusters, err := h.db.Clusters.After(ctx, after, exportBatch)
		if err != nil || len(clusters) == 0 {
			return err
		}
		names, numbers := make([]string, len(clusters)), make([]uint, len(clusters))
		for i, c := range clusters {
			names[i], numbers[i] = c.Name, c.ID
		}
		plans, err := h.db.Drills.PlansOf(ctx, numbers...)
		if err != nil {
			return err
		}
		newest, err := h.db.Snapshots.Newest(ctx, names...)
		if err != nil {
			return err
		}
		for _, c := range clusters {
			one := exportCluster(c)
			one.Schedule.NewestGood = orNull(newest[c.Name].Name)
			if plan, held := plans[c.ID]; held {
				one.Schedule.Drills = &exportedDrills{Every: string(plan.Every), Window: plan.Window.String(), Day: orNull(plan.DayText()), NextAt: plan.DueAt.UTC()}
			}
			if next, planned, err := h.db.Schedule.Next(ctx, c); err != nil {
				return err
			} else if planned {
				next = next.UTC()
				one.Schedule.NextAt = &next
			}
			add(one)
		}
		after = names[len(names)-1]
	}
}

func (h inventory) snapshots(ctx context.Context, add func(any)) error {
	var last models.Snapshot
	for {
		snapshots, err := h.db.Snapshots.After(ctx, last, exportBatch)
		if err != nil || len(snapshots) == 0 {
			return err
		}
		clusters := make([]string, len(snapshots))
		for i, snapshot := range snapshots {
			clusters[i] = snapshot.ClusterName
		}
		slices.Sort(clusters)
		living, _, err := h.db.Present(ctx, slices.Compact(clusters), nil)
		if err != nil {
			return err
		}
		drills, err := h.db.Drills.LastOf(ctx, numbersOf(snapshots)...)
		if err != nil {
			return err
		}
		for _, snapshot := range snapshots {
			one := exportSnapshot(snapshot, living[snapshot.ClusterName])
			if drill, held := drills[snapshot.ID]; held {
				one.LastDrill = exportDrill(drill)
			}
			add(one)
		}
		last = snapshots[len(snapshots)-1]
	}
}

func exportCluster(c models.Cluster) exportedCluster {
	one := exportedCluster{
		ID: c.Name, Description: c.Description, Kind: c.Kind, Status: string(c.Status), StatusReason: c.StatusReason, Engine: c.Engine, EngineVersion: c.EngineVersion,
		NodeType: c.NodeType, Shards: c.ShardCount, Replicas: c.Replicas, AuthEnabled: c.AuthEnabled(), Encrypted: c.Encrypted(), RestoredFrom: orNull(c.RestoredFrom),
		CreatedAt: c.CreatedAt.UTC(), Nodes: []exportedNode{},
		Schedule: exportedSchedule{Enabled: c.Backups(), RetentionDays: c.RetentionLimit, Window: orNull(c.SnapshotWindow.String()), WindowChosen: c.WindowChosen},
	}
	for _, n := range c.Nodes {
		one.Nodes = append(one.Nodes, exportedNode{Name: n.Name, Shard: n.Shard, Role: string(n.Role), Host: n.Endpoint().Host, Port: n.Port, State: n.State})
	}
	return one
}

func exportSnapshot(s models.Snapshot, clusterExists bool) exportedSnapshot {
	one := exportedSnapshot{
		Name: s.Name, Cluster: s.ClusterName, ClusterExists: clusterExists, Source: s.Source, Status: string(s.Status), StatusReason: s.StatusReason,
		CreatedAt: s.CreatedAt.UTC(), StartedAt: inUTC(s.StartedAt), CompletedAt: inUTC(s.CompletedAt), ServedBy: orNull(s.ServedBy),
		ServedRole: orNull(string(s.ServedRole)), PointInTime: !s.Logical, Warning: s.Warning,
		Configuration: exportedConfiguration{Description: s.Description, Engine: s.Engine, EngineVersion: s.EngineVersion, NodeType: s.NodeType, Shards: s.ShardCount,
			Replicas: s.Replicas, Port: s.Port, AuthEnabled: s.AuthEnabled, Encrypted: s.TransitEncryption, RetentionDays: s.RetentionLimit, Window: orNull(s.SnapshotWindow.String())},
	}
	if s.CompletedAt != nil { // before that nothing was measured
		version := int64(s.RDBVersion)
		one.RDBBytes, one.StoredBytes, one.RDBVersion = &s.Bytes, &s.Stored, &version
		if s.Keys >= 0 {
			one.Keys = &s.Keys
		}
	}
	return one
}

func numbersOf(snapshots []models.Snapshot) []uint {
	numbers := make([]uint, len(snapshots))
	for i, s := range snapshots {
		numbers[i] = s.ID
	}
	return numbers
}

func exportDrill(d models.Drill) *exportedDrill {
	one := &exportedDrill{Outcome: string(d.Outcome), Reason: d.Reason, EndedAt: d.EndedAt.UTC(), Engine: d.Engine, EngineVersion: d.EngineVersion, Host: d.Host,
		LoadSeconds: d.LoadedIn.Seconds(), KeysLoaded: d.Keys, KeysExpired: d.Expired, KeysCompared: d.Sampled, KeysDiffering: d.Differing}
	if d.Expected >= 0 {
		one.KeysExpected = &d.Expected
	}
	return one
}

func orNull(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

func inUTC(t *time.Time) *time.Time {
	if t == nil {
		return nil
	}
	utc := t.UTC()
	return &utc
}
