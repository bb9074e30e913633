package views

import (
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/a-h/templ"
)

// What the tests and the preview draw: one busy console, and the same one on its first day.

var (
	sampleNow  = time.Date(2026, 11, 22, 12, 8, 31, 0, time.UTC)
	sampleZone = time.FixedZone("CET", 3600)
)

const gb = 1_000_000_000

func ago(d time.Duration) time.Time { return sampleNow.Add(-d) }

func sampleShell(active Nav, title string, crumbs ...Crumb) Shell {
	return Shell{
		Title: title, Breadcrumbs: crumbs, Active: active, User: "admin", Theme: "system", Now: sampleNow,
		Zone: sampleZone, RunningCount: 2, Path: "/" + string(active) + "?q=a&sort=-created",
	}
}

func sampleRun() Run {
	return Run{
		ID: "412", Kind: "snapshot", Label: "Snapshot", Title: "Snapshot of orders: orders-2026-11-22", Status: "running", Cluster: "orders",
		Snapshot: "orders-2026-11-22", QueuedAt: ago(9 * time.Second), StartedAt: ago(8 * time.Second),
		Step: "Reading from replica orders-002", Number: 1, Numbers: 2, Done: 741_000_000, Total: 1229_000_000, Rate: 92_000_000, Left: 6 * time.Second,
		Cancelable: true,
	}
}

func sampleKinds() []Option {
	return []Option{{Value: "snapshot", Label: "Snapshot"}, {Value: "restore", Label: "Restore"}, {Value: "delete-cluster", Label: "Delete cluster"}}
}

func sampleRuns() []Run {
	runs := []Run{
		sampleRun(),
		{ID: "411", Kind: "restore", Label: "Restore", Title: "Restore orders-copy-2 from automatic.orders-2026-11-22-03-12", Status: "queued", Cluster: "orders-copy-2", QueuedAt: ago(20 * time.Second), Cancelable: true},
		{ID: "410", Kind: "snapshot", Label: "Snapshot", Title: "Snapshot of sessions: automatic.sessions-2026-11-22-02-40", Status: "failed", Cluster: "sessions", QueuedAt: ago(9 * time.Hour), StartedAt: ago(9 * time.Hour), FinishedAt: ago(9*time.Hour - 40*time.Second), Done: 412_000_000,
			Error: "The replica sessions-002 stopped answering after 412 MB. The snapshot was discarded; the next one starts at 02:40 UTC."},
		{ID: "409", Kind: "snapshot", Label: "Snapshot", Title: "Snapshot of orders: automatic.orders-2026-11-22-03-12", Status: "succeeded", Cluster: "orders", StartedAt: ago(9 * time.Hour), FinishedAt: ago(9*time.Hour - 14*time.Second), Done: 1229_000_000, Result: "1.2 GB in 14 s, from replica orders-002."},
		{ID: "407", Kind: "failover", Label: "Failover", Title: "Fail over orders", Status: "succeeded", Cluster: "orders", StartedAt: ago(31 * time.Hour), FinishedAt: ago(31*time.Hour - time.Second)},
		{ID: "406", Kind: "reboot", Label: "Reboot", Title: "Reboot orders-002 of orders", Status: "succeeded", Cluster: "orders", StartedAt: ago(32 * time.Hour), FinishedAt: ago(32*time.Hour - 3*time.Second)},
		{ID: "408", Kind: "delete-cluster", Label: "Delete cluster", Title: "Delete staging", Status: "cancelled", Cluster: "staging", StartedAt: ago(30 * time.Hour), FinishedAt: ago(30*time.Hour - 2*time.Second), Error: "Cancelled by admin; the cluster is as it was."},
	}
	for i := range runs {
		runs[i].ClusterExists, runs[i].SnapshotExists = runs[i].Cluster != "staging", runs[i].Snapshot != ""
	}
	return runs
}

func sampleSchedule() Schedule {
	return Schedule{
		Enabled: true, Retention: 7, Start: 180, Length: 60, Next: time.Date(2026, 11, 23, 3, 12, 0, 0, time.UTC),
		Last: &LastSnapshot{Name: "automatic.orders-2026-11-22-03-12", At: ago(9 * time.Hour), Bytes: 1229_000_000, Took: 14 * time.Second, From: "replica orders-002"},
	}
}

func sampleEvents() []Event {
	events := []Event{
		{At: ago(8 * time.Second), Severity: "info", Cluster: "orders", Run: "412", Text: "A snapshot was asked for by admin and has begun."},
		{At: ago(9 * time.Hour), Severity: "error", Cluster: "sessions", Run: "410", Text: "The replica sessions-002 stopped answering after 412 MB. The snapshot was discarded; the next one starts at 02:40 UTC."},
		{At: ago(9 * time.Hour), Severity: "info", Cluster: "orders", Snapshot: "automatic.orders-2026-11-22-03-12", Text: "The snapshot is complete: 1.2 GB in 14 s, read back and compared."},
		{At: ago(33 * time.Hour), Severity: "warning", Cluster: "catalogue", Text: "The window from 01:00 to 02:00 UTC passed while the console was not running; no snapshot was taken."},
		{At: ago(40 * time.Hour), Severity: "info", Cluster: "orders", Text: "The node orders-001 died. The replica orders-002 was promoted; orders-001 joined again as a replica."},
	}
	for i := range events {
		events[i].ClusterExists, events[i].SnapshotExists = events[i].Cluster != "catalogue", true
	}
	return events
}

func sampleSnapshotRows() []SnapshotRow {
	run := sampleRun()
	return []SnapshotRow{
		{Name: "orders-2026-11-22", Cluster: "orders", ClusterExists: true, Source: "manual", Status: "creating", Bytes: -1, Stored: -1, Keys: -1, CreatedAt: ago(9 * time.Second), Running: &run},
		{Name: "automatic.orders-2026-11-22-03-12", Cluster: "orders", ClusterExists: true, Source: "automatic", Status: "available", Bytes: 1229_000_000, Stored: 391_000_000, Keys: 4_000_000, Parts: 1, CreatedAt: ago(9 * time.Hour)},
		{Name: "automatic.sessions-2026-11-22-02-40", Cluster: "sessions", ClusterExists: true, Source: "automatic", Status: "failed", Bytes: -1, Stored: -1, Keys: -1, CreatedAt: ago(9*time.Hour + 30*time.Minute), Reason: "The replica sessions-002 stopped answering after 412 MB."},
		{Name: "too-early", Cluster: "catalogue", ClusterExists: true, Source: "manual", Status: Cancelled, Bytes: -1, Stored: -1, Keys: -1, CreatedAt: ago(2 * 24 * time.Hour), Reason: "It was cancelled."},
		{Name: "before-migration", Cluster: "catalogue", ClusterExists: true, Source: "manual", Status: "restoring", Bytes: 38_000_000, Stored: 11_000_000, Keys: 120_411, Parts: 3, CreatedAt: ago(4 * 24 * time.Hour), Logical: true},
		{Name: "final-staging", Cluster: "staging", Source: "manual", Status: "available", Bytes: 42_118, Stored: 9_120, Keys: 17, Parts: 1, CreatedAt: ago(70 * 24 * time.Hour)},
	}
}

func sampleCluster() Cluster {
	return Cluster{
		ID: "orders", Description: "Orders of the shop", Kind: "launched", Status: "snapshotting",
		ARN: "arn:aws:elasticache:local:000000000000:replicationgroup:orders", Engine: "redis", Version: "7.0.15",
		NodeType: "cache.m7g.large", Host: "127.0.0.1", Port: 6401, Shards: 1, Replicas: 1, AuthEnabled: true,
		UsedMemory: 2 * gb, MaxMemory: 6_854_000_000, Keys: 4_000_000, CreatedAt: ago(41 * 24 * time.Hour),
		Schedule: sampleSchedule(), Running: Work{Runs: []Run{sampleRun()}}, CanSnapshot: true, NodeCount: 2, SnapshotCount: 9, CanReboot: true, CanFailOver: true,
		PasswordKnown: true, Snapshots: sampleSnapshotRows()[1:2], Events: sampleEvents(), EventCount: 31,
		Nodes: []Node{
			{Name: "orders-001", Shard: 1, Role: "primary", Endpoint: "127.0.0.1:6401", Status: "available", UsedMemory: 2 * gb, MaxMemory: 6_854_000_000, Keys: 4_000_000},
			{Name: "orders-002", Shard: 1, Role: "replica", Endpoint: "127.0.0.1:6402", Status: "available", UsedMemory: 2*gb - 9_000_000, MaxMemory: 6_854_000_000, Keys: 4_000_000, LinkUp: true, LagBytes: 1402, LagSeconds: 0},
		},
	}
}

func sampleForm(mode string) ClusterForm {
	f := ClusterForm{
		Mode: mode, Action: "/clusters", CancelHref: "/clusters", SummaryAction: "/clusters/-/summary",
		Engines:   []Option{{Value: "redis/7.0.15", Label: "Redis 7.0.15"}, {Value: "valkey/8.1.1", Label: "Valkey 8.1.1"}},
		NodeTypes: []NodeType{{"cache.t1.micro", 213 << 20, true}, {"cache.t4g.micro", 512 << 20, false}, {"cache.m7g.large", 6_854_000_000, false}},
		Snapshots: []Option{{Value: "before-migration", Label: "before-migration · catalogue · 38 MB · 4 days ago"}},
		Fields: Fields{Values: map[string]string{
			"id": "orders", "description": "Orders of the shop", "engine": "redis/7.0.15", "node_type": "cache.t4g.micro", "replicas": "1",
			"auth": "generated", "backups": "on", "retention": "7", "window_preference": "given", "window_start": "23:30",
			"window_length": "60", "copies": "1",
		}},
		Summary: FormSummary{
			NodeType: "cache.t4g.micro", Memory: 512 << 20, Nodes: 2, Total: gb, Free: 11 * gb,
			Schedule: Schedule{Enabled: true, Retention: 7, Start: 23*60 + 30, Length: 60, Next: time.Date(2026, 11, 22, 23, 41, 0, 0, time.UTC)},
			Cost:     "up to $0.26", CostNote: "6 of 7 daily snapshots of at most 0.5 GB; one is free",
			AWS: "aws elasticache create-replication-group \\\n  --replication-group-id orders \\\n  --replication-group-description \"Orders of the shop\" \\\n  --engine redis --engine-version 7.0 \\\n  --cache-node-type cache.t4g.micro \\\n  --num-cache-clusters 2 \\\n  --snapshot-retention-limit 7 \\\n  --snapshot-window 23:30-00:30",
		},
	}
	switch mode {
	case "restore":
		f.Source = &RestoreSource{Snapshot: "automatic.orders-2026-11-22-03-12", Cluster: "orders", Bytes: 1229_000_000, Keys: 4_000_000, CreatedAt: ago(9 * time.Hour), Engine: "redis", Version: "7.0.15"}
		f.Values["id"], f.Values["copies"] = "orders-copy", "2"
		f.Summary.Names = []string{"orders-copy-1", "orders-copy-2"}
		f.Summary.Warnings = []string{"The snapshot held 2.0 GB in memory; cache.t4g.micro has 0.5 GB. Choose a larger node type."}
	case "modify":
		f.ID, f.Status = "orders", "available"
		f.Action = "/clusters/orders/modify"
		f.Summary.Changes = []string{"Snapshots are kept for 7 days instead of 3.", "One replica is added: orders-003."}
	}
	return f
}

func sampleFormWrong() ClusterForm {
	f := sampleForm("create")
	f.Values["id"] = `Orders--"<script>alert(1)</script>`
	f.Values["retention"], f.Values["replicas"] = "36", "lots"
	f.Errors = map[string]string{
		"id":        "A name starts with a letter and holds only a-z, 0-9 and single hyphens",
		"retention": "Enter the number of days, 1 to 35.",
		"replicas":  "Enter the number of replicas, 0 to 5.",
	}
	return f
}

func sampleSnapshot(status string) Snapshot {
	p := Snapshot{
		Name: "automatic.orders-2026-11-22-03-12", Cluster: "orders", ClusterExists: true, Source: "automatic", Status: status,
		Engine: "redis", Version: "7.0.15", RDBVersion: 10, CreatedAt: ago(9 * time.Hour), CompletedAt: ago(9*time.Hour - 14*time.Second),
		Lasted: []Lasted{{Label: "Taken in", Took: 14 * time.Second}}, Bytes: 1229_000_000, Stored: 391_000_000, Keys: 4_000_000, Expires: 120_000, ServedBy: "orders-002",
		ServedRole: "replica", Location: "dir:/var/lib/rekindle/store/orders/automatic.orders-2026-11-22-03-12", VerifiedAt: ago(3 * 24 * time.Hour), Verifiable: true,
		ARN:           "arn:aws:elasticache:local:000000000000:snapshot:automatic.orders-2026-11-22-03-12",
		Parts:         []Part{{Number: 1, Slots: "0-16383", Bytes: 1229_000_000, Stored: 391_000_000, Keys: 4_000_000, Digest: "xxh128:b5e9c1ad071b3e7fc779cfaa5e523818", CRC64: "e9c6d914c4b8d9ca", ServedBy: "orders-002", Role: "replica", Took: 14 * time.Second}},
		Configuration: []Fact{{Label: "Description", Value: "Orders of the shop"}, {Label: "Node type", Value: "cache.m7g.large"}, {Label: "Replicas", Value: "1"}, {Label: "Port", Value: "6401", Mono: true}, {Label: "Authentication", Value: "Password (AUTH)"}, {Label: "Snapshot window", Value: "03:00-04:00 UTC"}, {Label: "Retention", Value: "7 days"}},
		DescribeAWS:   "aws elasticache describe-snapshots --snapshot-name automatic.orders-2026-11-22-03-12",
	}
	switch status {
	case "creating":
		p.Bytes, p.Stored, p.Keys, p.Expires, p.Parts, p.Lasted, p.VerifiedAt, p.Verifiable = -1, -1, -1, -1, nil, nil, time.Time{}, false
		p.Running = Work{Runs: []Run{sampleRun()}}
	case "failed":
		p.Bytes, p.Stored, p.Keys, p.Expires, p.Parts, p.Lasted, p.VerifiedAt, p.Verifiable = -1, -1, -1, -1, nil, nil, time.Time{}, false
		p.Reason = "The replica orders-002 stopped answering after 412 MB. The snapshot was discarded; the next one starts at 03:00 UTC"
	case Cancelled:
		p.Bytes, p.Stored, p.Keys, p.Expires, p.Parts, p.Lasted, p.VerifiedAt, p.Verifiable = -1, -1, -1, -1, nil, nil, time.Time{}, false
		p.Reason = "It was cancelled."
	case "damaged":
		p.Status, p.Damaged = "failed", true
		p.Reason = "Part 1 is damaged: its checksum is not the one that was written down."
	}
	return p
}

func sampleBulk() (DeleteClusters, SnapshotClusters) {
	hidden := []Hidden{{"name", "catalogue"}, {"name", "orders"}, {"name", "orders-test"}}
	skipped := []string{"sessions is snapshotting."}
	return DeleteClusters{CancelHref: "/clusters", Hidden: hidden, Skipped: skipped, AWS: sampleAWS("elasticache delete-replication-group", `--replication-group-id "$id"`),
			Clusters: []DoomedCluster{{"catalogue", "available", 1, 120_411, Legacy{Manual: 1, Newest: "catalogue-1", NewestAt: ago(26 * time.Hour)}, true, false, false},
				{"orders", "available", 2, 4_000_000, Legacy{Automatic: 7, Useless: 2}, true, false, false}, {"sessions", "modifying", 1, 20, Legacy{}, false, false, false}, {"orders-test", "restore-failed", 0, -1, Legacy{}, false, false, false},
				{"old-shop", "available", 3, 4_000, Legacy{Automatic: 5}, true, false, true}}},
		SnapshotClusters{CancelHref: "/clusters", Hidden: hidden, Skipped: skipped, Names: []string{"catalogue", "orders"}, AWS: sampleAWS("elasticache create-snapshot"),
			Fields: Fields{Values: map[string]string{"suffix": "2026-11-22-12-08-31"}}}
}

type samplePage struct {
	name string
	page templ.Component
}

// samplePages is every page, in the states that matter.
func samplePages() []samplePage {
	clusters := Crumb{"Clusters", "/clusters"}
	orders := Crumb{"orders", "/clusters/orders"}
	snapshots := Crumb{"Snapshots", "/snapshots"}
	here := func(text string) Crumb { return Crumb{Text: text} }
	home := sampleShell(NavOverview, "Overview", here("Overview"))
	home.Poll = time.Second
	home.AWS = sampleAWS("elasticache describe-replication-groups") + "\n" + sampleAWS("elasticache describe-cache-clusters", "--show-cache-clusters-not-in-replication-groups") +
		"\n" + sampleAWS("elasticache describe-snapshots")
	empty := sampleShell(NavOverview, "Overview", here("Overview"))
	empty.RunningCount = 0
	clusterShell := sampleShell(NavClusters, "orders", clusters, here("orders"))
	clusterShell.Poll = time.Second
	clusterShell.AWS = sampleAWS("elasticache describe-replication-groups", "--replication-group-id orders")
	flashed := sampleShell(NavSnapshots, "Snapshots", here("Snapshots"))
	flashed.AWS = sampleAWS("elasticache describe-snapshots")
	flashed.Flash = Flash{Kind: "success", Text: "3 snapshots are being deleted."}
	list := func(path string, total int) List {
		return List{Path: path, Query: url.Values{"status": {""}}, Sort: "-created", Page: 1, Size: 25, Total: total}
	}
	filtered := List{Path: "/snapshots", Query: url.Values{"q": {"<b>nothing"}, "cluster": {"orders"}}, Sort: "-created", Page: 1, Size: 25}
	failing := sampleSchedule()
	failing.Failed, failing.FailedReason, failing.Next = ago(9*time.Hour), "The replica sessions-002 stopped answering after 412 MB.", time.Date(2026, 11, 23, 2, 40, 0, 0, time.UTC)
	protections := []Protection{
		{Cluster: "sessions", Status: "available", State: LastFailed, Reason: "The replica sessions-002 stopped answering after 412 MB.", Newest: &LastSnapshot{Name: "automatic.sessions-2026-11-21-02-40", At: ago(33 * time.Hour), Bytes: 812_000_000}, Schedule: failing},
		{Cluster: "orders-copy-1", Status: "creating", State: FirstPending, Schedule: Schedule{Enabled: true, Retention: 7, Start: 180, Length: 60, Next: time.Date(2026, 11, 23, 3, 40, 0, 0, time.UTC)}},
		{Cluster: "catalogue", Status: "available", State: NoSchedule, Newest: &LastSnapshot{Name: "before-migration", At: ago(4 * 24 * time.Hour), Bytes: 38_000_000}},
		{Cluster: "orders", Status: "snapshotting", State: Protected, Newest: sampleSchedule().Last, Schedule: sampleSchedule()},
		{Cluster: "carts", Status: "available", State: Protected, Notice: "The cluster carts was started empty at 2026-11-22 04:11:09 UTC. Restore automatic.carts-2026-11-22-03-02 to have its data back.", Newest: sampleSchedule().Last, Schedule: sampleSchedule(), CanSnapshot: true},
		{Cluster: "orders-test", Status: "restore-failed", State: NothingInIt, Notice: "The port 6390 was taken."},
		{Cluster: "pages", Status: "rebooting cluster nodes", State: CacheOnly},
	}
	counters := []Counter{
		{"Clusters", 5, "/clusters", ""}, {"Protected", 1, "/clusters?protection=protected", "ok"}, {"Last failed", 1, "/runs?kind=snapshot&status=failed", "bad"},
		{"Snapshots", 128, "/snapshots", ""}, {"Manual", 11, "/snapshots?source=manual", ""}, {"Running", 2, "/runs?status=running", "busy"},
	}
	overview := overviewOf(protections)
	overview.Counters, overview.Running, overview.Events = counters, Work{Runs: []Run{sampleRun()}}, sampleEvents()
	overview.SnapshotCount, overview.StoredBytes, overview.NotCharged, overview.MonthlyCost, overview.StoreLocation = 128, 21*gb, 3*gb, "$1.53", "dir:/var/lib/rekindle/store"
	overview.DiskFree, overview.DiskTotal = 310*gb, 500*gb
	well := overview
	alone := overviewOf(protections[3:4])
	well.Standings, well.Oldest, well.Worst, well.Running = alone.Standings, alone.Oldest, alone.Worst, Work{}
	failed := sampleCluster()
	failed.Status, failed.StatusReason, failed.CanSnapshot, failed.Running = "restore-failed", "The data needs 2.1 GB and cache.t4g.micro has 0.5 GB. Nothing was restored.", false, Work{}
	failed.Refusal = "A cluster whose restore failed cannot be snapshotted."
	failed.Host, failed.Nodes, failed.NodeCount = "", nil, 0
	failed.Schedule, failed.RestoredFrom, failed.SourceExists, failed.SourceUsable = Schedule{}, "before-migration", true, true
	withTab := func(tab string) Cluster { c := sampleCluster(); c.Tab = tab; return c }
	revealed := withTab("connect")
	revealed.Password = "8Fh2kQz-not-real-0193"
	takeReplica := TakeSnapshot{Fields: Fields{Values: map[string]string{"name": "orders-2026-11-22-12-08"}}, Action: "/clusters/orders/snapshot", CancelHref: "/clusters/orders", Cluster: "orders", Source: &TakeSource{Node: "orders-002", Role: "replica", LagBytes: 1402, UsedMemory: 2 * gb, FreeMemory: 11 * gb, Fits: true}, AWS: "aws elasticache create-snapshot \\\n  --replication-group-id orders \\\n  --snapshot-name orders-2026-11-22-12-08"}
	takePrimary := TakeSnapshot{Fields: Fields{Values: map[string]string{"name": "x", "cluster": "catalogue"}, Errors: map[string]string{"override": "Tick this to take the snapshot although it may not fit.", "name": "There is a snapshot of this name already."}}, Action: "/snapshots/-/new", CancelHref: "/snapshots", Clusters: Choices{Options: []Option{{Value: "orders", Label: "orders"}, {Value: "catalogue", Label: "catalogue"}, {Value: "tiny", Label: "tiny: cache.t1.micro cannot be snapshotted", Disabled: true}}}, Source: &TakeSource{Node: "catalogue-001", Role: "primary", UsedMemory: 9 * gb, FreeMemory: 4 * gb}}
	takeNone := takePrimary
	takeNone.Fields, takeNone.Source = Fields{}, nil
	sessions := []Session{{ID: "a", User: "admin", Agent: "Firefox on Linux", Address: "192.0.2.7", CreatedAt: ago(50 * time.Hour), SeenAt: sampleNow, Current: true}, {ID: "b", User: "admin", Agent: "Safari on macOS", Address: "192.0.2.9", CreatedAt: ago(80 * time.Hour), SeenAt: ago(3 * time.Hour)}}
	storage := StorageSettings{Location: "dir:/var/lib/rekindle/store", Checked: ago(40 * time.Second), Stored: 21 * gb, Free: 310 * gb, Snapshots: 128, Version: "0.1.0"}
	storageGone := storage
	storageGone.Problem = "The folder /var/lib/rekindle/store cannot be written to: it is read-only. No snapshot can be taken until that is put right."
	catalogPlace := CatalogSettings{Location: "/var/lib/rekindle/rekindle.db", Backup: "rekindle catalog backup rekindle-copy.db --catalog sqlite:/var/lib/rekindle/rekindle.db"}
	limits := Fields{Values: map[string]string{"manual_quota": "20", "price": "0.085", "currency": "$", "put_price": "0.005", "get_price": "0.0004"}}
	passwordWrong := Fields{Errors: map[string]string{"current": "This is not the current password."}}
	inSettings := func(path string) Shell {
		title := SettingsTitle(path)
		shell := commanded(sampleShell(NavSettings, title, Crumb{"Settings", "/settings"}, here(title)), "sts get-caller-identity")
		shell.Path = path
		return shell
	}
	clusterRows := []ClusterRow{
		{ID: "catalogue", Status: "available", Kind: "launched", Engine: "valkey", EngineVersion: "8.1.1", NodeType: "cache.t4g.small", Nodes: 1, Newest: ago(4 * 24 * time.Hour), NewestName: "before-migration", UsedMemory: 60_000_000, MaxMemory: 1_470_000_000, CanSnapshot: true},
		{ID: "orders", Description: "Orders of the shop", Status: "snapshotting", Kind: "launched", Engine: "redis", EngineVersion: "7.0.15", NodeType: "cache.m7g.large", Nodes: 2, Schedule: sampleSchedule(), Newest: ago(9 * time.Hour), NewestName: "automatic.orders-2026-11-22-03-12", UsedMemory: 2 * gb, MaxMemory: 6_854_000_000, CanSnapshot: true},
		{ID: "orders-copy-1", Status: "creating", Kind: "launched", Engine: "redis", EngineVersion: "7.0.15", NodeType: "cache.m7g.large", Nodes: 2, Schedule: sampleSchedule(), MaxMemory: 6_854_000_000},
		{ID: "old-shop", Description: "Was there before", Status: "unreachable", Kind: "attached", Engine: "redis", EngineVersion: "6.0.16", Nodes: 3, Newest: ago(3 * time.Hour), UsedMemory: 5 * gb},
		{ID: "pages", Description: "Pages of the shop", Status: "rebooting cluster nodes", Kind: "launched", Engine: "memcached", EngineVersion: "1.6.18", NodeType: "cache.t4g.micro", Nodes: 3, UsedMemory: 411_000_000, MaxMemory: 3 * 512 << 20, CacheOnly: true},
	}
	runDetail := RunDetail{Run: sampleRun(), AskedBy: "admin", Steps: []RunStep{{ago(9 * time.Second), "Asked for by admin", ""}, {ago(8 * time.Second), "Chose replica orders-002: link up, 1.4 KB behind", "ok"}, {ago(8 * time.Second), "Reading part 1", ""}}, Events: sampleEvents()[:1]}
	runFailed := RunDetail{Run: sampleRuns()[2]}
	runDone := RunDetail{Run: sampleRuns()[3], AskedBy: "the schedule"}
	takeTyped := takeNone
	takeTyped.Clusters.Typed = true
	chosenRows := []ChosenSnapshot{{Name: "automatic.orders-2026-11-22-03-12", CreatedAt: ago(9 * time.Hour), Stored: 2 * gb}, {Name: "before-migration", CreatedAt: ago(52 * time.Hour), Stored: 11_000_000}, {Name: "final-staging", CreatedAt: ago(90 * 24 * time.Hour), Stored: gb}}
	copies := slices.Clone(chosenRows)
	for i := range copies {
		copies[i].Becomes = strings.TrimPrefix(copies[i].Name, "automatic.") + "-copy"
	}
	many := func(kind string, rows []ChosenSnapshot, errors map[string]string) ManySnapshots {
		return ManySnapshots{Kind: kind, CancelHref: "/snapshots", ChosenSnapshots: ChosenSnapshots{Rows: rows, Count: 128, Bytes: 21 * gb}, Hidden: []Hidden{{"name", "x"}},
			Skipped: []string{"The snapshot staging-1 is creating; only an available one can be used."}, Fields: Fields{Values: map[string]string{"suffix": "copy"}, Errors: errors}}
	}
	manyShell := commanded(sampleShell(NavSnapshots, "Snapshots", snapshots, here("Snapshots")), "elasticache describe-snapshots")
	deleteOne := DeleteSnapshots{Action: "/snapshots/before-migration/delete", CancelHref: "/snapshots/before-migration", ChosenSnapshots: ChosenSnapshots{Rows: chosenRows[1:2], Count: 1, Bytes: 11_000_000}, Clusters: []string{"catalogue"}, LastOf: []string{"catalogue"}, AWS: "aws elasticache delete-snapshot --snapshot-name before-migration"}
	deleteMany := DeleteSnapshots{Fields: Fields{Values: map[string]string{"confirm": "delete"}, Errors: map[string]string{"confirm": "Type the words exactly as they stand there."}}, Action: "/snapshots/-/delete", CancelHref: "/snapshots", ChosenSnapshots: ChosenSnapshots{Rows: chosenRows, Count: 128, Bytes: 21 * gb}, Skipped: []string{"The snapshot staging-1 is creating and cannot be deleted now."}, Hidden: []Hidden{{"all", "on"}, {"q", "x"}}}
	deleteCluster := DeleteCluster{Fields: Fields{Values: map[string]string{"final": "on", "final_name": "orders-final-2026-11-22"}}, ID: "orders", Action: "/clusters/orders/delete", Status: "available", Kind: "launched", Nodes: 2, Keys: 4_000_000, Left: Legacy{Automatic: 7, Manual: 2, Newest: "orders-before-migration", NewestAt: ago(52 * time.Hour), Useless: 1, Earlier: 1}, CanFinal: true, AWS: "aws elasticache delete-replication-group \\\n  --replication-group-id orders \\\n  --final-snapshot-identifier orders-final-2026-11-22"}

	deleteClusters, snapshotClusters := sampleBulk()
	manySeeds := sampleForm("create")
	manySeeds.SnapshotCount = 340
	busy := overview
	busy.Running = Work{Runs: sampleRuns()[:3], Waiting: 12, Ended: 2, Href: "/runs"}

	return append(slices.Concat(sampleAPIPages(), sampleAttachPages(), sampleHistoryPages(), contentsSamples(), sampleNotificationPages()), []samplePage{
		{"sign-in", SignInPage(SignIn{Next: "/"})},
		{"sign-in-wrong", SignInPage(SignIn{User: "admin", Next: "/", Error: "User and password do not belong together. Four more attempts are left.", Theme: "dark"})},
		{"overview", OverviewPage(home, overview)},
		{"overview-well", OverviewPage(sampleShell(NavOverview, "Overview", here("Overview")), well)},
		{"overview-empty", OverviewPage(empty, Overview{})},
		{"clusters", ClustersPage(commanded(sampleShell(NavClusters, "Clusters", here("Clusters")), "elasticache describe-replication-groups"), Clusters{List: List{Path: "/clusters", Sort: "name", Page: 1, Size: 25, Total: 5}, Rows: clusterRows, Any: true})},
		{"clusters-empty", ClustersPage(sampleShell(NavClusters, "Clusters", here("Clusters")), Clusters{})},
		{"cluster", ClusterPage(clusterShell, sampleCluster())},
		{"cluster-snapshots", ClusterPage(clusterShell, withTab("snapshots"))},
		{"cluster-events", ClusterPage(clusterShell, withTab("events"))},
		{"cluster-connect", ClusterPage(clusterShell, withTab("connect"))},
		{"cluster-connect-revealed", ClusterPage(clusterShell, revealed)},
		{"cluster-failed", ClusterPage(sampleShell(NavClusters, "orders", clusters, here("orders")), failed)},
		{"cluster-new", ClusterFormPage(sampleShell(NavClusters, "Create a cluster", clusters, here("Create")), sampleForm("create"))},
		{"cluster-new-wrong", ClusterFormPage(sampleShell(NavClusters, "Create a cluster", clusters, here("Create")), sampleFormWrong())},
		{"cluster-modify", ClusterFormPage(sampleShell(NavClusters, "Modify orders", clusters, orders, here("Modify")), sampleForm("modify"))},
		{"restore", ClusterFormPage(sampleShell(NavSnapshots, "Restore", snapshots, here("Restore")), sampleForm("restore"))},
		{"cluster-new-seeds", ClusterFormPage(sampleShell(NavClusters, "Create a cluster", clusters, here("Create")), manySeeds)},
		{"overview-busy", OverviewPage(home, busy)},
		{"clusters-delete", DeleteClustersPage(sampleShell(NavClusters, "Delete", clusters, here("Delete")), deleteClusters)},
		{"clusters-delete-none", DeleteClustersPage(commanded(sampleShell(NavClusters, "Delete", clusters, here("Delete")), "elasticache describe-replication-groups"), DeleteClusters{CancelHref: "/clusters", Skipped: deleteClusters.Skipped})},
		{"clusters-snapshot", SnapshotClustersPage(sampleShell(NavClusters, "Take snapshots", clusters, here("Take snapshots")), snapshotClusters)},
		{"cluster-delete", DeleteClusterPage(sampleShell(NavClusters, "Delete orders", clusters, orders, here("Delete")), deleteCluster)},
		{"take-replica", TakeSnapshotPage(sampleShell(NavClusters, "Take a snapshot", clusters, orders, here("Take a snapshot")), takeReplica)},
		{"take-primary", TakeSnapshotPage(sampleShell(NavSnapshots, "Take a snapshot", snapshots, here("Take a snapshot")), takePrimary)},
		{"take-choose", TakeSnapshotPage(sampleShell(NavSnapshots, "Take a snapshot", snapshots, here("Take a snapshot")), takeNone)},
		{"snapshots", SnapshotsPage(flashed, Snapshots{List: list("/snapshots", 128), Rows: sampleSnapshotRows(), Clusters: Choices{Options: []Option{{Value: "orders", Label: "orders"}}}, Any: true})},
		{"snapshots-typed", SnapshotsPage(flashed, Snapshots{List: list("/snapshots", 128), Rows: sampleSnapshotRows(), Clusters: Choices{Typed: true, Options: []Option{{Value: "orders", Label: "orders"}}}, Any: true})},
		{"take-typed", TakeSnapshotPage(sampleShell(NavSnapshots, "Take a snapshot", snapshots, here("Take a snapshot")), takeTyped)},
		{"snapshots-none-match", SnapshotsPage(flashed, Snapshots{List: filtered, Clusters: Choices{Options: []Option{{Value: "orders", Label: "orders"}}}, Any: true})},
		{"snapshots-empty", SnapshotsPage(sampleShell(NavSnapshots, "Snapshots", here("Snapshots")), Snapshots{})},
		{"snapshot", SnapshotPage(sampleShell(NavSnapshots, "automatic.orders-2026-11-22-03-12", snapshots, here("automatic.orders-2026-11-22-03-12")), sampleSnapshot("available"))},
		{"snapshot-creating", SnapshotPage(sampleShell(NavSnapshots, "automatic.orders-2026-11-22-03-12", snapshots, here("automatic.orders-2026-11-22-03-12")), sampleSnapshot("creating"))},
		{"snapshot-cancelled", SnapshotPage(sampleShell(NavSnapshots, "automatic.orders-2026-11-22-03-12", snapshots, here("automatic.orders-2026-11-22-03-12")), sampleSnapshot(Cancelled))},
		{"snapshot-failed", SnapshotPage(sampleShell(NavSnapshots, "automatic.orders-2026-11-22-03-12", snapshots, here("automatic.orders-2026-11-22-03-12")), sampleSnapshot("failed"))},
		{"snapshot-damaged", SnapshotPage(sampleShell(NavSnapshots, "automatic.orders-2026-11-22-03-12", snapshots, here("automatic.orders-2026-11-22-03-12")), sampleSnapshot("damaged"))},
		{"snapshot-delete", DeleteSnapshotsPage(sampleShell(NavSnapshots, "Delete", snapshots, here("Delete")), deleteOne)},
		{"snapshots-delete", DeleteSnapshotsPage(sampleShell(NavSnapshots, "Delete", snapshots, here("Delete")), deleteMany)},
		{"snapshots-verify", ManySnapshotsPage(manyShell, many(VerifySnapshots, chosenRows, nil))},
		{"snapshots-copy", ManySnapshotsPage(manyShell, many(CopySnapshots, copies, nil))},
		{"snapshots-export", ManySnapshotsPage(manyShell, many(ExportSnapshots, copies, map[string]string{"store": "Say where the files are to go: s3://bucket/prefix or dir:/folder."}))},
		{"runs", RunsPage(commanded(sampleShell(NavActivity, "Activity", here("Activity")), "elasticache describe-events", "--duration 1440"), RunList{List: list("/runs", 412), Rows: sampleRuns(), Kinds: sampleKinds(), Any: true})},
		{"runs-empty", RunsPage(sampleShell(NavActivity, "Activity", here("Activity")), RunList{Kinds: sampleKinds()})},
		{"run", RunPage(commanded(sampleShell(NavActivity, "Run 412", Crumb{"Activity", "/runs"}, here("412")), "elasticache describe-events", "--duration 1440"), runDetail)},
		{"run-failed", RunPage(sampleShell(NavActivity, "Run 410", Crumb{"Activity", "/runs"}, here("410")), runFailed)},
		{"run-done", RunPage(sampleShell(NavActivity, "Run 409", Crumb{"Activity", "/runs"}, here("409")), runDone)},
		{"events", EventsPage(commanded(sampleShell(NavEvents, "Events", here("Events")), "elasticache describe-events", "--duration 1440"), EventList{List: list("/events", 5), Rows: sampleEvents(), Any: true})},
		{"events-empty", EventsPage(sampleShell(NavEvents, "Events", here("Events")), EventList{})},
		{"settings", StorageSettingsPage(inSettings("/settings/storage"), storage)},
		{"settings-wrong", StorageSettingsPage(inSettings("/settings/storage"), storageGone)},
		{"settings-verify", VerifySettingsPage(inSettings("/settings/verify"), Fields{Values: map[string]string{"verify_every": "7"}})},
		{"settings-imports", ImportsSettingsPage(inSettings("/settings/imports"), true)},
		{"settings-key-names", KeyNamesSettingsPage(inSettings("/settings/key-names"), true)},
		{"settings-failover", FailoverSettingsPage(inSettings("/settings/failover"), Fields{Values: map[string]string{"promote_after": "60"}})},
		{"settings-catalog", CatalogSettingsPage(inSettings("/settings/catalog"), catalogPlace)},
		{"settings-limits", LimitsSettingsPage(inSettings("/settings/limits"), limits)},
		{"settings-account", AccountSettingsPage(inSettings("/settings/account"), passwordWrong)},
		{"settings-sessions", SessionsSettingsPage(inSettings("/settings/sessions"), sessions)},
		{"settings-display", DisplaySettingsPage(inSettings("/settings/display"))},
		{"error-404", ErrorPage(sampleShell("", "Not found", here("Not found")), ErrorInfo{Status: 404})},
		{"error-500", ErrorPage(sampleShell("", "Error", here("Error")), ErrorInfo{Status: 500, RequestID: "req-01JD8-4KXM"})},
		{"error-403-out", ErrorPage(Shell{Title: "Not allowed"}, ErrorInfo{Status: 403, RequestID: "req-01JD8-4KXN"})},
	}...)
}
