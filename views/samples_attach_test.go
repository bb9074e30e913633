package views

import "time"

// Samples of attached clusters, for the tests and the preview.

func sampleAttach() AttachForm {
	return AttachForm{Action: AttachPath, CancelHref: "/clusters", Schedule: Schedule{Enabled: true, Retention: 7, Start: 180, Length: 60, Next: time.Date(2026, 11, 23, 3, 12, 0, 0, time.UTC)},
		Fields: Fields{Values: map[string]string{"id": "shop", "description": "The shop's sessions", "addresses": "db1.example:6379\ndb2.example:6379", "username": "rekindle",
			"backups": "on", "retention": "7", "window_preference": "none", "window_start": "03:00", "window_length": "60"}}}
}

func sampleFindings() *Findings {
	node := func(address string, shard int, role string, used, keys, lag int64) FoundNode {
		return FoundNode{Node: Node{Shard: shard, Role: role, Endpoint: address, Status: "available", UsedMemory: used, MaxMemory: 8 * gb, Keys: keys, LinkUp: true, LagBytes: lag, LagSeconds: -1},
			Version: "Redis 7.2.5", Persistence: "RDB and AOF", ForkMemory: used, HostMemory: 16 * gb}
	}
	primary, replica, gone := node("db1.example:6379", 1, "primary", 3*gb, 4_211_090, 0), node("db2.example:6379", 1, "replica", 3*gb, 4_211_088, 1402), node("db3.example:6379", 1, "replica", 0, -1, 0)
	replica.Source, replica.Announced = true, "10.0.3.7:6379"
	gone.Status, gone.Problem, gone.Version, gone.Persistence = "unreachable", "db3.example:6379 does not answer. Check the address, and that firewalls let the console through.", "", ""
	return &Findings{At: sampleNow, Engine: "redis", Version: "7.2.5", Topology: TopologyText("sentinel", "mymaster", 1, 3), Shards: 1, Nodes: []FoundNode{primary, replica, gone},
		Tuning: "The user is not allowed to, which does no harm.", TuningRight: "ACL SETUSER rekindle +config|get +config|set"}
}

func sampleAttachTested() AttachForm {
	f := sampleAttach()
	f.Values["primary_name"], f.Findings = "mymaster", sampleFindings()
	f.Again = map[string]bool{"password": true}
	return f
}

// sampleAttachHindered is a cluster of which no snapshot could be taken.
func sampleAttachHindered() AttachForm {
	f := sampleAttach()
	f.Values["tls"] = "on"
	found := sampleFindings()
	found.Topology, found.Shards = TopologyText("cluster", "", 2, 3), 2
	found.Nodes[1].Shard, found.Nodes[1].Role = 2, "primary"
	found.Modules = []string{"ReJSON", "search"}
	found.Hindrances = []string{"The user is not allowed to read the data like a replica: it needs +psync and +replconf.", "No node of shard 2 can serve a snapshot now: its primary does not answer, and no replica is in step."}
	found.Notes = []string{"The node db1.example:6379 holds 9.0 GB on a host with 16.0 GB of memory: a fork under heavy writes may need more than there is."}
	found.Rights = "ACL SETUSER rekindle on +ping +info +psync +replconf +config|get +cluster|shards"
	f.Findings = found
	return f
}

func sampleAttachWrong() AttachForm {
	f := sampleAttach()
	f.Values["mapped"] = `<b>10.0.0.1`
	f.Again = map[string]bool{"password": true, "private_key": true}
	f.Errors = map[string]string{"addresses": "Nothing listens at db1.example:6379. Check the address and the port.", "mapped": "It does not map an address.", "ca": "This is not a certificate."}
	return f
}

func sampleAccess() AttachForm {
	f := sampleAttach()
	f.ID, f.Status, f.Action, f.CancelHref = "shop", "unreachable", "/clusters/shop/access", "/clusters/shop"
	f.Stored = map[string]bool{"password": true, "private_key": true}
	for name, value := range map[string]string{"keep_password": "on", "keep_private_key": "on", "tls": "on", "certificate": "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"} {
		f.Values[name] = value
	}
	f.Errors = map[string]string{"password": "Addresses, mapping, primary or TLS have changed, and a stored secret is never sent to a new place. Type it again, or do not keep it."}
	return f
}

func sampleAttached() Cluster {
	c := sampleCluster()
	c.ID, c.Kind, c.Status, c.NodeType, c.ARN, c.Running, c.AuthEnabled, c.PasswordKnown = "shop", KindAttached, "available", "", "", Work{}, true, false
	c.CanReboot, c.CanFailOver, c.Host, c.Port, c.Description, c.MaxMemory = false, false, "db1.example", 6379, "The shop's sessions", 0
	c.Nodes = []Node{
		{Name: "shop-001", Shard: 1, Role: "primary", Endpoint: "db1.example:6379", Status: "available", UsedMemory: 2 * gb, Keys: 4_000_000},
		{Name: "shop-002", Shard: 1, Role: "replica", Endpoint: "db2.example:6379", Status: "available", UsedMemory: 2 * gb, Keys: 4_000_000, LinkUp: true, LagBytes: 1402},
	}
	c.Reach = &Reach{Topology: TopologyText("sentinel", "mymaster", 1, 2), Addresses: []string{"sentinel1.example:26379", "sentinel2.example:26379"}, User: "rekindle", Password: true, PrimaryName: "mymaster", TLS: true,
		ServerName: "redis.example", Mapped: []string{"10.0.3.7:6379=db2.example:6379"}, Tuned: true}
	return c
}

// sampleAttachedAway is one in cluster mode that cannot be reached.
func sampleAttachedAway() Cluster {
	c := sampleAttached()
	c.Status, c.StatusReason, c.CanSnapshot, c.Shards, c.Replicas = "unreachable", "db1.example:7000 does not answer. Check the address, and that firewalls let the console through.", false, 3, 1
	c.Refusal, c.NodeCount = "The cluster shop is unreachable.", 6
	c.Nodes = nil
	for i, slots := range []string{"0-5460", "5461-10922,12000", "10923-11999,12001-16383"} {
		port := string(rune('0' + i))
		c.Nodes = append(c.Nodes, Node{Name: "shop-000" + itoa(i+1) + "-001", Shard: i + 1, Role: "primary", Endpoint: "db1.example:700" + port, Slots: slots, Status: "unreachable", UsedMemory: gb, MaxMemory: 2 * gb, Keys: 400_000},
			Node{Name: "shop-000" + itoa(i+1) + "-002", Shard: i + 1, Role: "replica", Endpoint: "db2.example:700" + port, Status: "available", UsedMemory: gb, MaxMemory: 2 * gb, Keys: 400_000})
	}
	c.Reach = &Reach{Topology: TopologyText("cluster", "", 3, 6), Addresses: []string{"db1.example:7000"}, Since: ago(11 * time.Minute)}
	return c
}

func sampleAttachPages() []samplePage {
	clusters, shop := Crumb{"Clusters", "/clusters"}, Crumb{"shop", "/clusters/shop"}
	attach := sampleShell(NavClusters, "Attach", clusters, Crumb{Text: "Attach"})
	shell := sampleShell(NavClusters, "shop", clusters, Crumb{Text: "shop"})
	connect := sampleAttached()
	connect.Tab = "connect"
	detach := DeleteCluster{Fields: Fields{Values: map[string]string{"final": "on", "final_name": "shop-final-2026-11-22"}}, ID: "shop", Action: "/clusters/shop/delete", Status: "available", Kind: KindAttached, Nodes: 3, Keys: 4_000_000,
		Left: Legacy{Automatic: 7}, CanFinal: true, AWS: sampleAWS("elasticache delete-replication-group", "--replication-group-id shop")}
	modify := sampleForm("modify")
	modify.ID, modify.Attached, modify.Action = "shop", true, "/clusters/shop/modify"
	take := TakeSnapshot{Fields: Fields{Values: map[string]string{"name": "shop-2026-11-22-12-08"}}, Action: "/clusters/shop/snapshot", CancelHref: "/clusters/shop", Cluster: "shop",
		Source: &TakeSource{Node: "shop-001", Role: "primary", UsedMemory: 2 * gb, FreeMemory: -1, Fits: true}, AWS: sampleAWS("elasticache create-snapshot")}
	into := sampleShell(NavSnapshots, "Restore into a cluster", Crumb{Text: "Snapshots", Href: "/snapshots"}, Crumb{Text: "Restore into a cluster"})
	fill := FillCluster{Snapshot: "shop-before-migration", Keys: 4_211_090, Bytes: 2 * gb, Deadlines: Deadlines{Keys: 1_900_000}}
	bringBack := BringBack{Snapshot: "shop-before-migration", Keys: 4_211_090, Deadlines: fill.Deadlines, Clusters: Choices{Options: []Option{{Value: "shop", Label: "shop"}}},
		Fields: Fields{Values: map[string]string{"existing": "skip", "prefix": "restored:", "cluster": "shop"}, Errors: map[string]string{"names": "Enter the names of keys, one a line, or a pattern."}}}
	fillNone, fillChoose, fillEmpty, fillWrong := fill, fill, fill, fill
	fillChoose.Clusters = Choices{Options: []Option{{Value: "shop", Label: "shop"}}}
	fillEmpty.Deadlines.Fields = true
	fillEmpty.Target = &FillTarget{ID: "shop", Status: "available", Topology: TopologyText("replicated", "", 1, 2)}
	fillWrong.Target = &FillTarget{ID: "shop", Status: "available", Topology: TopologyText("cluster", "", 3, 6), Keys: 4_000_000, Used: 3 * gb}
	fillWrong.Fields = Fields{Values: map[string]string{"safety": "on", "safety_name": "shop-before-restore-2026-11-22"}, Errors: map[string]string{"existing": "Choose what becomes of the keys that the cluster has.", "confirm": "Type the name shop to confirm."}}
	fillBusy := fillWrong
	fillBusy.Fields.Errors = nil
	busy := *fillWrong.Target
	busy.Status, busy.Refusal = "snapshotting", "The cluster shop is snapshotting; a snapshot can be restored into it when it is available."
	fillBusy.Target = &busy
	declared := sampleAttached()
	declared.Declared, declared.Elsewhere = "/etc/rekindle/clusters.yaml", "The cluster shop comes from the clusters file /etc/rekindle/clusters.yaml: change it there, and send the console SIGHUP."
	outstanding := Clusters{List: List{Path: "/clusters", Sort: "name", Page: 1, Size: 25, Total: 1}, Any: true, Rows: []ClusterRow{{ID: "shop", Status: "available", Kind: KindAttached, Declared: true, Engine: "redis", EngineVersion: "7.2.5", Nodes: 2, CanSnapshot: true}},
		File: ClustersFile{Path: "/etc/rekindle/clusters.yaml", Refused: `/etc/rekindle/clusters.yaml:7: cluster carts: There is no key "adresses" here.`, Outstanding: []Outstanding{
			{Name: "parcels", Reason: "Nothing listens at 10.0.0.5:6379. Check the address and the port.", Since: ago(3 * time.Hour), Tried: ago(40 * time.Second)},
			{Name: "shop", Attached: true, Reason: "The nodes do not accept this user and password.", Since: ago(time.Minute), Tried: ago(time.Second)}}}}
	return []samplePage{
		{"attached-declared", ClusterPage(shell, declared)},
		{"clusters-outstanding", ClustersPage(sampleShell(NavClusters, "Clusters", Crumb{Text: "Clusters"}), outstanding)},
		{"bring-back", BringBackPage(into, bringBack)},
		{"bring-back-confirm", ConfirmBringBackPage(into, ConfirmBringBack{Fields: Fields{Values: map[string]string{"safety": "on", "safety_name": "shop-before"}, Errors: map[string]string{"confirm": "Type the name shop."}}, Run: "7", Snapshot: "good", Cluster: "shop", Brought: BroughtBack{Added: 4, Replaced: 1}})},
		{"fill-none", FillClusterPage(into, fillNone)},
		{"fill-choose", FillClusterPage(into, fillChoose)},
		{"fill-empty", FillClusterPage(into, fillEmpty)},
		{"fill-wrong", FillClusterPage(into, fillWrong)},
		{"fill-busy", FillClusterPage(into, fillBusy)},
		{"attach", AttachPage(attach, sampleAttach())},
		{"attach-tested", AttachPage(attach, sampleAttachTested())},
		{"attach-hindered", AttachPage(attach, sampleAttachHindered())},
		{"attach-wrong", AttachPage(attach, sampleAttachWrong())},
		{"attached-access", AttachPage(sampleShell(NavClusters, "Access", clusters, shop, Crumb{Text: "Access"}), sampleAccess())},
		{"attached", ClusterPage(shell, sampleAttached())},
		{"attached-away", ClusterPage(shell, sampleAttachedAway())},
		{"attached-connect", ClusterPage(shell, connect)},
		{"attached-modify", ClusterFormPage(sampleShell(NavClusters, "Modify shop", clusters, shop, Crumb{Text: "Modify"}), modify)},
		{"attached-detach", DeleteClusterPage(sampleShell(NavClusters, "Detach", clusters, shop, Crumb{Text: "Detach"}), detach)},
		{"attached-take", TakeSnapshotPage(sampleShell(NavClusters, "Take a snapshot", clusters, shop, Crumb{Text: "Take a snapshot"}), take)},
	}
}
