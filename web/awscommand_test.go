package web

import (
	"os/exec"
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

func TestEquivalentCommands(t *testing.T) {
	t.Parallel()
	spec := models.ClusterSpec{Name: "orders", Engine: models.Engine{Name: "redis", Version: "7.0.15"}, NodeType: "cache.t4g.micro", Auth: models.AuthNone}
	change := func(f func(*models.ClusterSpec)) models.ClusterSpec { s := spec; f(&s); return s }
	cluster := models.Cluster{Name: "orders", Engine: "redis", Replicas: 2, NodeType: "cache.t4g.micro", RetentionLimit: 7}
	ptr := func(n int) *int { return &n }
	larger, description := "cache.r7g.large", "Bob's orders"
	for name, one := range map[string]struct{ got, want string }{
		"one node": {awsCreate(spec), "aws elasticache create-cache-cluster --cache-cluster-id orders --engine redis --engine-version 7.0 " +
			"--cache-node-type cache.t4g.micro --num-cache-nodes 1 --snapshot-retention-limit 0"},
		"replicas": {awsCreate(change(func(s *models.ClusterSpec) {
			s.Replicas, s.Description, s.Retention, s.Window, s.Port = 2, "Bob's orders", 7, models.Window{Start: 1410, Length: 60}, 7000
		})), `aws elasticache create-replication-group --replication-group-id orders --replication-group-description 'Bob'\''s orders' --engine redis --engine-version 7.0 ` +
			"--cache-node-type cache.t4g.micro --num-cache-clusters 3 --port 7000 --snapshot-retention-limit 7 --snapshot-window 23:30-00:30"},
		"a password is not written out": {awsCreate(change(func(s *models.ClusterSpec) { s.Auth, s.Password = models.AuthGiven, "this-is-the-password" })),
			`aws elasticache create-replication-group --replication-group-id orders --replication-group-description orders --engine redis --engine-version 7.0 ` +
				`--cache-node-type cache.t4g.micro --num-cache-clusters 1 --transit-encryption-enabled --auth-token "$AUTH_TOKEN" --snapshot-retention-limit 0`},
		"valkey is a replication group": {awsCreate(change(func(s *models.ClusterSpec) { s.Engine = models.Engine{Name: "valkey", Version: "8.1.1"} })),
			"aws elasticache create-replication-group --replication-group-id orders --replication-group-description orders --engine valkey --engine-version 8.1 " +
				"--cache-node-type cache.t4g.micro --num-cache-clusters 1 --snapshot-retention-limit 0"},
		"restore": {awsCreate(change(func(s *models.ClusterSpec) { s.Snapshot = "orders-1" })),
			"aws elasticache create-cache-cluster --cache-cluster-id orders --engine redis --engine-version 7.0 --cache-node-type cache.t4g.micro " +
				"--num-cache-nodes 1 --snapshot-retention-limit 0 --snapshot-name orders-1"},
		"restore into several": {awsCreate(change(func(s *models.ClusterSpec) { s.Snapshot, s.Copies = "orders-1", 2 })),
			`for id in orders-1 orders-2; do aws elasticache create-cache-cluster --cache-cluster-id "$id" --engine redis --engine-version 7.0 ` +
				"--cache-node-type cache.t4g.micro --num-cache-nodes 1 --snapshot-retention-limit 0 --snapshot-name orders-1 done"},
		"nothing filled in":     {awsCreate(models.ClusterSpec{}), "aws elasticache create-cache-cluster --cache-cluster-id NAME --engine '' --engine-version '' --cache-node-type '' --num-cache-nodes 1 --snapshot-retention-limit 0"},
		"snapshot of a group":   {awsCreateSnapshot(awsTargetOf(cluster), "now"), "aws elasticache create-snapshot --snapshot-name now --replication-group-id orders"},
		"snapshot of a node":    {awsCreateSnapshot(awsTarget{ID: "one", Engine: "redis"}, "now"), "aws elasticache create-snapshot --snapshot-name now --cache-cluster-id one"},
		"modify nothing":        {awsModify(cluster, models.ModifySpec{}), ""},
		"modify the schedule":   {awsModify(cluster, models.ModifySpec{Retention: ptr(3), Window: &models.Window{Start: 60, Length: 90}}), "aws elasticache modify-replication-group --replication-group-id orders --snapshot-retention-limit 3 --snapshot-window 01:00-02:30 --apply-immediately"},
		"modify a node":         {awsModify(models.Cluster{Name: "one", Engine: "redis"}, models.ModifySpec{NodeType: &larger, Description: &description}), "aws elasticache modify-cache-cluster --cache-cluster-id one --cache-node-type cache.r7g.large --apply-immediately"},
		"more replicas":         {awsModify(cluster, models.ModifySpec{Replicas: ptr(4)}), "aws elasticache increase-replica-count --replication-group-id orders --new-replica-count 4 --apply-immediately"},
		"fewer, and described":  {awsModify(cluster, models.ModifySpec{Replicas: ptr(1), Description: &description}), `aws elasticache modify-replication-group --replication-group-id orders --replication-group-description 'Bob'\''s orders' --apply-immediately aws elasticache decrease-replica-count --replication-group-id orders --new-replica-count 1 --apply-immediately`},
		"delete":                {awsDeleteCluster(awsTargetOf(cluster), ""), "aws elasticache delete-replication-group --replication-group-id orders"},
		"delete with a last":    {awsDeleteCluster(awsTarget{ID: "one"}, "last"), "aws elasticache delete-cache-cluster --cache-cluster-id one --final-snapshot-identifier last"},
		"delete a snapshot":     {awsDeleteSnapshots([]string{"a"}), "aws elasticache delete-snapshot --snapshot-name a"},
		"delete some snapshots": {awsDeleteSnapshots([]string{"a", "b"}), `for name in a b; do aws elasticache delete-snapshot --snapshot-name "$name" done`},
		"describe":              {awsDescribeSnapshot("automatic.orders-2026-11-22-03-00"), "aws elasticache describe-snapshots --snapshot-name automatic.orders-2026-11-22-03-00"},
		"old version":           {awsVersion("5.0.6"), "5.0.6"},
		"no version":            {awsVersion(""), ""},
	} {
		if got := strings.Join(strings.Fields(strings.ReplaceAll(one.got, "\\\n", " ")), " "); got != one.want {
			t.Errorf("%s:\n got %s\nwant %s", name, got, one.want)
		}
		if err := exec.CommandContext(t.Context(), "sh", "-n", "-c", one.got).Run(); err != nil {
			t.Errorf("%s: a shell does not take it: %v\n%s", name, err, one.got)
		}
	}
}
