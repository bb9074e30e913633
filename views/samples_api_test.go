package views

import (
	"strings"
	"time"
)

// Samples of what came with the ElastiCache API: access keys, memcached clusters, reboots and failovers.

// sampleAWS is a command as the pages get it.
func sampleAWS(operation string, options ...string) string {
	lines := append([]string{"aws " + operation, "--endpoint-url http://127.0.0.1:8080"}, options...)
	return strings.Join(lines, " \\\n  ")
}

// commanded is a shell whose page shows a command at its end.
func commanded(s Shell, operation string, options ...string) Shell {
	s.AWS = sampleAWS(operation, options...)
	return s
}

func sampleAccessKeys() AccessKeys {
	return AccessKeys{
		Fields: Fields{Values: map[string]string{"role": "operate"}}, Endpoint: "http://127.0.0.1:8080", Try: sampleAWS("sts get-caller-identity"),
		Rows: []AccessKey{
			{ID: "3", KeyID: "RKIAQ7ZK2M4XW5P9LD3T", Role: "operate", Description: "Terraform of the shop", CreatedBy: "admin", CreatedAt: ago(2 * time.Hour)},
			{ID: "2", KeyID: "RKIA4N8VJ6HC1RB0YEUS", Role: "read", Description: "Reports: every cluster has a fresh snapshot", CreatedBy: "admin", CreatedAt: ago(40 * 24 * time.Hour), UsedAt: ago(4 * time.Minute)},
			{ID: "1", KeyID: "RKIAFROMENVIRONMENT1", Role: "administer", CreatedBy: "environment", CreatedAt: ago(90 * 24 * time.Hour), UsedAt: ago(30 * 24 * time.Hour)},
		},
	}
}

func sampleCache() Cluster {
	node := func(name, endpoint string, used, keys int64) Node {
		return Node{Name: name, Shard: 1, Role: "cache", Endpoint: endpoint, Status: "available", UsedMemory: used, MaxMemory: 512 << 20, Keys: keys}
	}
	return Cluster{
		ID: "pages", Description: "Pages of the shop", Kind: "launched", Status: "available", Engine: "memcached", Version: "1.6.18", NodeType: "cache.t4g.micro",
		Host: "127.0.0.1", Port: 11211, Shards: 1, UsedMemory: 411_000_000, MaxMemory: 3 * 512 << 20, Keys: 91_204, CreatedAt: ago(3 * 24 * time.Hour), NodeCount: 3,
		CacheOnly: true, CanReboot: true, Refusal: "Clusters of memcached cannot be backed up: their nodes only cache, and nothing of it is kept.",
		Nodes: []Node{node("pages-001", "127.0.0.1:11211", 140_000_000, 30_870), node("pages-002", "127.0.0.1:6405", 133_000_000, 29_993), node("pages-003", "127.0.0.1:6406", 138_000_000, 30_341)},
	}
}

func sampleReboot() RebootCluster {
	return RebootCluster{ID: "orders", Status: "available", Nodes: []RebootNode{{"orders-001", "primary", true}, {"orders-002", "replica", true}}, Chosen: []string{"orders-001", "orders-002"},
		AWS: "for id in orders-001 orders-002; do\n" + sampleAWS("elasticache reboot-cache-cluster", `--cache-cluster-id "$id"`, "--cache-node-ids-to-reboot 0001") +
			" &&\n" + sampleAWS("elasticache wait cache-cluster-available", `--cache-cluster-id "$id"`) + "\ndone"}
}

// sampleAPIPages are the pages of what the API brought.
func sampleAPIPages() []samplePage {
	clusters, settings := Crumb{"Clusters", "/clusters"}, Crumb{"Settings", "/settings"}
	orders, pages := Crumb{"orders", "/clusters/orders"}, Crumb{"pages", "/clusters/pages"}
	here := func(text string) Crumb { return Crumb{Text: text} }
	keyShell := commanded(sampleShell(NavSettings, "Access keys", settings, here("Access keys")), "sts get-caller-identity")
	revokeShell := commanded(sampleShell(NavSettings, "Revoke", settings, Crumb{"Access keys", "/settings/access-keys"}, here("Revoke")), "sts get-caller-identity")
	created, wrong, none := sampleAccessKeys(), sampleAccessKeys(), sampleAccessKeys()
	created.NewKeyID, created.NewSecret = created.Rows[0].KeyID, "not-a-real-secret-K7LD2QF5XWZN9TB3VHRM"
	wrong.Errors = map[string]string{"role": "Choose what the key may do: read, operate or administer."}
	none.Rows = nil
	keys := sampleAccessKeys().Rows

	cacheShell := commanded(sampleShell(NavClusters, "pages", clusters, here("pages")), "elasticache describe-cache-clusters", "--cache-cluster-id pages", "--show-cache-node-info")
	connect := sampleCache()
	connect.Tab = "connect"
	cacheForm, alone := sampleForm("modify"), sampleForm("modify")
	cacheForm.ID, cacheForm.CacheOnly, cacheForm.NoReplicas = "pages", true, true
	cacheForm.Summary.Nodes, cacheForm.Summary.Total, cacheForm.Summary.Schedule = 3, 3*512<<20, Schedule{}
	cacheForm.Summary.Changes, cacheForm.Summary.AWS = []string{"The description changes."}, cacheShell.AWS
	alone.ID, alone.NoReplicas, alone.Values["replicas"] = "lonely", true, "0"
	deleteCache := DeleteCluster{ID: "pages", Action: "/clusters/pages/delete", Status: "available", Kind: "launched", Nodes: 3, Keys: 91_204, CacheOnly: true, NoFinalReason: sampleCache().Refusal,
		AWS: sampleAWS("elasticache delete-cache-cluster", "--cache-cluster-id pages")}

	rebootShell := sampleShell(NavClusters, "Reboot", clusters, orders, here("Reboot"))
	refused, unchosen, caches := sampleReboot(), sampleReboot(), sampleReboot()
	refused.Status, refused.Refusal = "rebooting cluster nodes", "The cluster orders is rebooting cluster nodes; its nodes can be restarted when it is available."
	unchosen.Nodes = []RebootNode{{"orders-001", "primary", false}, {"orders-002", "replica", false}}
	unchosen.Errors, unchosen.Chosen = map[string]string{"nodes": "Choose the nodes that are to be restarted."}, nil
	caches.ID, caches.CacheOnly = "pages", true
	caches.Nodes = []RebootNode{{"pages-001", "cache", true}, {"pages-002", "cache", true}, {"pages-003", "cache", true}}
	caches.AWS = sampleAWS("elasticache reboot-cache-cluster", "--cache-cluster-id pages", "--cache-node-ids-to-reboot 0001 0002 0003")
	failover := FailoverCluster{ID: "orders", Status: "available", Primary: "orders-001", Endpoint: "127.0.0.1:6401", Replicas: []string{"orders-002"},
		AWS: sampleAWS("elasticache test-failover", "--replication-group-id orders", "--node-group-id 0001")}
	several := failover
	several.Replicas = []string{"orders-002", "orders-003"}
	several.Errors = map[string]string{"": "The cluster orders is snapshotting; a failover can be tried when it is available."}
	several.Refusal = several.Errors[""]

	moving := sampleCluster()
	moving.Schedule.Next, moving.Running = time.Time{}, Work{}
	moving.Status, moving.CanSnapshot, moving.Migration = "migrating", false, &Migration{Source: "db1.example:6379", Since: ago(time.Hour), Link: "the data is being copied, 312 MB left", CanEnd: true}
	moveIn := MigrateCluster{ID: "orders", Status: "available", AWS: sampleAWS("elasticache start-migration", "--replication-group-id orders", "--customer-node-endpoint-list Address=HOST,Port=6379")}
	found, wrongSource := moveIn, moveIn
	found.Found = "Nothing is in the way: db1.example:6379 is redis 6.2.7 with 412 keys, 52 MB."
	wrongSource.Fields = Fields{Values: map[string]string{"source": "db1"}, Errors: map[string]string{"source": "The source asks for a password."}}
	endMove := EndMigration{ID: "orders", Status: "migrating", Migration: *moving.Migration, AWS: sampleAWS("elasticache complete-migration", "--replication-group-id orders")}
	giveUp := endMove
	giveUp.Force = true
	moveShell := sampleShell(NavClusters, "Move data in", clusters, orders, here("Move data in"))

	return []samplePage{
		{"migrating", ClusterPage(sampleShell(NavClusters, "orders", clusters, here("orders")), moving)},
		{"migration", MigrateClusterPage(moveShell, moveIn)},
		{"migration-tried", MigrateClusterPage(moveShell, found)},
		{"migration-wrong", MigrateClusterPage(moveShell, wrongSource)},
		{"migration-complete", EndMigrationPage(moveShell, endMove)},
		{"migration-give-up", EndMigrationPage(moveShell, giveUp)},
		{"access-keys", AccessKeysPage(keyShell, sampleAccessKeys())},
		{"access-keys-empty", AccessKeysPage(keyShell, none)},
		{"access-keys-new", AccessKeysPage(keyShell, created)},
		{"access-keys-wrong", AccessKeysPage(keyShell, wrong)},
		{"access-key-revoke", RevokeAccessKeyPage(revokeShell, RevokeAccessKey{ID: keys[1].ID, KeyID: keys[1].KeyID, Description: keys[1].Description, UsedAt: keys[1].UsedAt,
			Fields: Fields{Values: map[string]string{"confirm": "RKIA"}, Errors: map[string]string{"confirm": "Type the key's id " + keys[1].KeyID + " to confirm that it is to be revoked."}}})},
		{"access-key-revoke-unused", RevokeAccessKeyPage(revokeShell, RevokeAccessKey{ID: keys[0].ID, KeyID: keys[0].KeyID})},
		{"cache", ClusterPage(cacheShell, sampleCache())},
		{"cache-connect", ClusterPage(cacheShell, connect)},
		{"cache-modify", ClusterFormPage(sampleShell(NavClusters, "Modify", clusters, pages, here("Modify")), cacheForm)},
		{"cache-delete", DeleteClusterPage(sampleShell(NavClusters, "Delete", clusters, pages, here("Delete")), deleteCache)},
		{"cache-reboot", RebootClusterPage(sampleShell(NavClusters, "Reboot", clusters, pages, here("Reboot")), caches)},
		{"cache-only-overview", OverviewPage(commanded(sampleShell(NavOverview, "Overview", here("Overview")), "elasticache describe-cache-clusters"),
			Overview{Standings: []Standing{{State: CacheOnly, Clusters: 1}}, Worst: []Protection{{Cluster: "pages", Status: "available", State: CacheOnly}}, MonthlyCost: "$0.00"})},
		{"single-modify", ClusterFormPage(sampleShell(NavClusters, "Modify", clusters, Crumb{"lonely", "/clusters/lonely"}, here("Modify")), alone)},
		{"reboot", RebootClusterPage(rebootShell, sampleReboot())},
		{"reboot-refused", RebootClusterPage(rebootShell, refused)},
		{"reboot-none-chosen", RebootClusterPage(rebootShell, unchosen)},
		{"failover", FailoverClusterPage(sampleShell(NavClusters, "Test failover", clusters, orders, here("Test failover")), failover)},
		{"failover-refused", FailoverClusterPage(sampleShell(NavClusters, "Test failover", clusters, orders, here("Test failover")), several)},
	}
}
