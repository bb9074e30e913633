package web

import (
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"rekindle/models"
)

func TestShellQuoting(t *testing.T) {
	t.Parallel()
	texts := map[string]string{
		"orders": "orders", "cache.t4g.micro": "cache.t4g.micro", "03:00-04:00": "03:00-04:00",
		"": "''", "two words": "'two words'", "it's": `'it'\''s'`, "$HOME": "'$HOME'", "`id`": "'`id`'", `a"b`: `'a"b'`, `a\b`: `'a\b'`,
		"line\nbreak": "'line\nbreak'", "~root": "'~root'", "*": "'*'", "a;b&c|d": "'a;b&c|d'", "größe": "'größe'", "!x": "'!x'", "#x": "'#x'", "a=b": "a=b",
	}
	for text, want := range texts {
		got := shellQuote(text)
		if got != want {
			t.Errorf("shellQuote(%q) = %s, want %s", text, got, want)
		}
		// What a shell makes of it is what counts.
		if out, err := exec.CommandContext(t.Context(), "sh", "-c", "printf %s "+got).Output(); err != nil || string(out) != text {
			t.Errorf("a shell reads %s as %q (%v)", got, out, err)
		}
	}
}

// endpointed is how every command begins: the endpoint comes right after the operation.
var endpointed = regexp.MustCompile(`aws (?:sts|elasticache) (?:wait )?[a-z-]+ \\\n  --endpoint-url http://127\.0\.0\.1:8080`)

func TestEquivalentCommands(t *testing.T) {
	t.Parallel()
	spec := models.ClusterSpec{Name: "orders", Engine: models.Engine{Name: "redis", Version: "7.0.15"}, NodeType: "cache.t4g.micro", Auth: models.AuthNone}
	change := func(f func(*models.ClusterSpec)) models.ClusterSpec { s := spec; f(&s); return s }
	nodes := func(names ...string) (nodes []models.Node) {
		for _, name := range names {
			nodes = append(nodes, models.Node{Name: name})
		}
		return nodes
	}
	group := models.Cluster{Name: "orders", Configuration: models.Configuration{Grouped: true, Engine: "redis", Replicas: 2, NodeType: "cache.t4g.micro", RetentionLimit: 7}}
	alone := models.Cluster{Name: "one", Configuration: models.Configuration{Engine: "redis"}, Nodes: nodes("one-001", "one-002", "one-003")}
	ptr := func(n int) *int { return &n }
	larger, description := "cache.r7g.large", "Bob's orders"
	a := awsCLI{"http://127.0.0.1:8080"}
	for name, one := range map[string]struct{ got, want string }{
		"one node": {a.create(spec), "aws elasticache create-replication-group --replication-group-id orders --replication-group-description orders --engine redis " +
			"--engine-version 7.0 --cache-node-type cache.t4g.micro --num-cache-clusters 1 --snapshot-retention-limit 0"},
		"replicas": {a.create(change(func(s *models.ClusterSpec) {
			s.Replicas, s.Description, s.Retention, s.Window, s.Port = 2, "Bob's orders", 7, models.Window{Start: 1410, Length: 60}, 7000
		})), `aws elasticache create-replication-group --replication-group-id orders --replication-group-description 'Bob'\''s orders' --engine redis --engine-version 7.0 ` +
			"--cache-node-type cache.t4g.micro --num-cache-clusters 3 --port 7000 --snapshot-retention-limit 7 --snapshot-window 23:30-00:30"},
		"a password is not written out": {a.create(change(func(s *models.ClusterSpec) { s.Auth, s.Password = models.AuthGiven, "this-is-the-password" })),
			`aws elasticache create-replication-group --replication-group-id orders --replication-group-description orders --engine redis --engine-version 7.0 ` +
				`--cache-node-type cache.t4g.micro --num-cache-clusters 1 --auth-token "${AUTH_TOKEN:?}" --snapshot-retention-limit 0`},
		"valkey": {a.create(change(func(s *models.ClusterSpec) { s.Engine = models.Engine{Name: "valkey", Version: "8.1.1"} })),
			"aws elasticache create-replication-group --replication-group-id orders --replication-group-description orders --engine valkey --engine-version 8.1 " +
				"--cache-node-type cache.t4g.micro --num-cache-clusters 1 --snapshot-retention-limit 0"},
		"restore": {a.create(change(func(s *models.ClusterSpec) { s.Snapshot = "orders-1" })),
			"aws elasticache create-replication-group --replication-group-id orders --replication-group-description orders --engine redis --engine-version 7.0 " +
				"--cache-node-type cache.t4g.micro --num-cache-clusters 1 --snapshot-retention-limit 0 --snapshot-name orders-1"},
		"restore into several": {a.create(change(func(s *models.ClusterSpec) { s.Snapshot, s.Copies = "orders-1", 2 })),
			`for id in orders-1 orders-2; do aws elasticache create-replication-group --replication-group-id "$id" --replication-group-description orders --engine redis ` +
				"--engine-version 7.0 --cache-node-type cache.t4g.micro --num-cache-clusters 1 --snapshot-retention-limit 0 --snapshot-name orders-1 done"},
		"in cluster mode": {a.create(change(func(s *models.ClusterSpec) { s.ClusterMode, s.Shards, s.Replicas = true, 3, 2 })),
			"aws elasticache create-replication-group --replication-group-id orders --replication-group-description orders --engine redis --engine-version 7.0 " +
				"--cache-node-type cache.t4g.micro --cluster-mode enabled --num-node-groups 3 --replicas-per-node-group 2 --snapshot-retention-limit 0"},
		"nothing filled in": {a.create(models.ClusterSpec{}), "aws elasticache create-replication-group --replication-group-id NAME --replication-group-description NAME " +
			"--engine '' --engine-version '' --cache-node-type '' --num-cache-clusters 1 --snapshot-retention-limit 0"},
		"import": {a.createFromFiles("orders", []string{" s3://bucket/folder/it's.rdb?region=eu-west-1", "arn:aws:s3:::bucket/b.rdb", "dir:/srv/c.rdb", ""}),
			"aws elasticache create-replication-group --replication-group-id orders --replication-group-description orders --engine redis --cache-node-type NODE_TYPE " +
				`--snapshot-arns 'arn:aws:s3:::bucket/folder/it'\''s.rdb' arn:aws:s3:::bucket/b.rdb`},
		"import of nothing": {a.createFromFiles("", nil), "aws elasticache create-replication-group --replication-group-id CLUSTER --replication-group-description CLUSTER " +
			"--engine redis --cache-node-type NODE_TYPE --snapshot-arns arn:aws:s3:::BUCKET/FILE.rdb"},
		"snapshot of a group":   {a.createSnapshot(awsTargetOf(group), "now"), "aws elasticache create-snapshot --snapshot-name now --replication-group-id orders"},
		"snapshot of a node":    {a.createSnapshot(awsTargetOf(alone), "now"), "aws elasticache create-snapshot --snapshot-name now --cache-cluster-id one"},
		"modify nothing":        {a.modify(group, models.ModifySpec{}), ""},
		"describe a cache":      {a.modify(alone, models.ModifySpec{Description: &description}), ""},
		"modify the schedule":   {a.modify(group, models.ModifySpec{Retention: ptr(3), Window: &models.Window{Start: 60, Length: 90}}), "aws elasticache modify-replication-group --replication-group-id orders --snapshot-retention-limit 3 --snapshot-window 01:00-02:30 --apply-immediately"},
		"no preference":         {a.modify(group, models.ModifySpec{Window: &models.Window{}}), "aws elasticache modify-replication-group --replication-group-id orders --snapshot-window " + models.PickWindow("orders").String() + " --apply-immediately"},
		"modify a node":         {a.modify(alone, models.ModifySpec{NodeType: &larger, Description: &description}), "aws elasticache modify-cache-cluster --cache-cluster-id one --cache-node-type cache.r7g.large --apply-immediately"},
		"more replicas":         {a.modify(group, models.ModifySpec{Replicas: ptr(4)}), "aws elasticache increase-replica-count --replication-group-id orders --new-replica-count 4 --apply-immediately"},
		"fewer, and described":  {a.modify(group, models.ModifySpec{Replicas: ptr(1), Description: &description}), `aws elasticache modify-replication-group --replication-group-id orders --replication-group-description 'Bob'\''s orders' --apply-immediately && aws elasticache decrease-replica-count --replication-group-id orders --new-replica-count 1 --apply-immediately`},
		"larger, and more":      {a.modify(group, models.ModifySpec{Replicas: ptr(3), NodeType: &larger}), "aws elasticache modify-replication-group --replication-group-id orders --cache-node-type cache.r7g.large --apply-immediately && aws elasticache wait replication-group-available --replication-group-id orders && aws elasticache increase-replica-count --replication-group-id orders --new-replica-count 3 --apply-immediately"},
		"delete":                {a.deleteCluster(awsTargetOf(group), ""), "aws elasticache delete-replication-group --replication-group-id orders"},
		"delete with a last":    {a.deleteCluster(awsTargetOf(alone), "last"), "aws elasticache delete-cache-cluster --cache-cluster-id one --final-snapshot-identifier last"},
		"reboot a group":        {a.reboot(group, []string{"orders-001", "orders-002"}), `for id in orders-001 orders-002; do aws elasticache reboot-cache-cluster --cache-cluster-id "$id" --cache-node-ids-to-reboot 0001 && aws elasticache wait cache-cluster-available --cache-cluster-id "$id" done`},
		"reboot a member":       {a.reboot(group, []string{"orders-002"}), "aws elasticache reboot-cache-cluster --cache-cluster-id orders-002 --cache-node-ids-to-reboot 0001"},
		"reboot caches":         {a.reboot(alone, []string{"one-001", "one-003"}), "aws elasticache reboot-cache-cluster --cache-cluster-id one --cache-node-ids-to-reboot 0001 0003"},
		"failover":              {a.failOver("orders", models.Shard{Number: 1}), "aws elasticache test-failover --replication-group-id orders --node-group-id 0001"},
		"move in":               {a.startMigration("orders", "[fd00::5]:7000"), "aws elasticache start-migration --replication-group-id orders --customer-node-endpoint-list Address=fd00::5,Port=7000"},
		"move in from nowhere":  {a.startMigration("orders", "a b"), "aws elasticache start-migration --replication-group-id orders --customer-node-endpoint-list Address=HOST,Port=6379"},
		"complete a move":       {a.completeMigration("orders", false), "aws elasticache complete-migration --replication-group-id orders"},
		"give a move up":        {a.completeMigration("orders", true), "aws elasticache complete-migration --replication-group-id orders --force"},
		"copy":                  {a.copySnapshot("a", "b", ""), "aws elasticache copy-snapshot --source-snapshot-name a --target-snapshot-name b"},
		"export":                {a.copySnapshot("a", "", "exports"), "aws elasticache copy-snapshot --source-snapshot-name a --target-snapshot-name NAME --target-bucket exports"},
		"delete a snapshot":     {a.deleteSnapshots([]string{"a"}), "aws elasticache delete-snapshot --snapshot-name a"},
		"delete some snapshots": {a.deleteSnapshots([]string{"a", "b"}), `for name in a b; do aws elasticache delete-snapshot --snapshot-name "$name" done`},
		"who am I":              {a.whoAmI(), "aws sts get-caller-identity"},
		"clusters":              {a.clusters(), "aws elasticache describe-replication-groups aws elasticache describe-cache-clusters --show-cache-clusters-not-in-replication-groups"},
		"a group":               {a.cluster(awsTargetOf(group)), "aws elasticache describe-replication-groups --replication-group-id orders"},
		"a cache cluster":       {a.cluster(awsTargetOf(alone)), "aws elasticache describe-cache-clusters --cache-cluster-id one --show-cache-node-info"},
		"a snapshot":            {a.snapshot("automatic.orders-2026-11-22-03-00"), "aws elasticache describe-snapshots --snapshot-name automatic.orders-2026-11-22-03-00"},
		"all snapshots":         {a.snapshots(awsTarget{}, "", ""), "aws elasticache describe-snapshots"},
		"filtered snapshots":    {a.snapshots(awsTargetOf(group), "automatic", "failed"), `aws elasticache describe-snapshots --replication-group-id orders --snapshot-source system --query 'Snapshots[?SnapshotStatus=='\''failed'\'']'`},
		"manual snapshots":      {a.snapshots(awsTargetOf(alone), "manual", ""), "aws elasticache describe-snapshots --cache-cluster-id one --snapshot-source user"},
		"no such filters":       {a.snapshots(awsTarget{}, "x", "') || `true"), "aws elasticache describe-snapshots"},
		"all events":            {a.events(awsTarget{}), "aws elasticache describe-events --duration 1440"},
		"events of a group":     {a.events(awsTargetOf(group)), "aws elasticache describe-events --source-type replication-group --source-identifier orders --duration 1440"},
		"events of a node":      {a.events(awsTarget{ID: "$(id)"}), "aws elasticache describe-events --source-type cache-cluster --source-identifier '$(id)' --duration 1440"},
		"old version":           {awsVersion("5.0.6"), "5.0.6"},
		"no version":            {awsVersion(""), ""},
	} {
		got := strings.Join(strings.Fields(strings.ReplaceAll(strings.ReplaceAll(one.got, "\\\n", " "), "--endpoint-url http://127.0.0.1:8080", "")), " ")
		if got != one.want {
			t.Errorf("%s:\n got %s\nwant %s", name, got, one.want)
		}
		if commands := strings.Count(one.got, "aws sts") + strings.Count(one.got, "aws elasticache"); len(endpointed.FindAllString(one.got, -1)) != commands {
			t.Errorf("%s: not every command names the endpoint:\n%s", name, one.got)
		}
		if err := exec.CommandContext(t.Context(), "sh", "-n", "-c", one.got).Run(); err != nil {
			t.Errorf("%s: a shell does not take it: %v\n%s", name, err, one.got)
		}
	}
}
