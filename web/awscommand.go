package web

import (
	"fmt"
	"net"
	"net/http"
	"strconv"
	"strings"

	"rekindle/models"
)

// This file writes the commands of the AWS command line that do what the console does. They are shown and never run here. Each works when it is
// pasted into a shell: it names Rekindle as the endpoint, because otherwise it would go to Amazon. awsdescribe.go has the commands that only look.

// awsCLI writes commands for a person who reaches the API at this endpoint.
type awsCLI struct{ endpoint string }

// aws writes commands for the person who asks.
func (s *site) aws(r *http.Request) awsCLI { return awsCLI{s.endpoint(r)} }

// awsTarget is a cluster as a command has to name it: as a replication group or as a cache cluster. Those made by the console are replication groups.
type awsTarget struct {
	ID      string
	Grouped bool
}

func awsTargetOf(c models.Cluster) awsTarget { return awsTarget{ID: c.Name, Grouped: c.Grouped} }

// option is how a command names the cluster.
func (t awsTarget) option() string { return "--" + t.noun() + "-id" }

func (t awsTarget) noun() string {
	if t.Grouped {
		return "replication-group"
	}
	return "cache-cluster"
}

// awsCommand is one command: each call adds a line.
type awsCommand struct{ lines []string }

// do begins a command, such as "elasticache create-snapshot".
func (a awsCLI) do(operation string) *awsCommand {
	c := &awsCommand{lines: []string{"aws " + operation}}
	return c.with("--endpoint-url", a.endpoint)
}

// with adds an option with its value, quoted for a shell.
func (c *awsCommand) with(option, value string) *awsCommand {
	return c.flag(option + " " + shellQuote(value))
}

// flag adds text that must reach the shell unchanged.
func (c *awsCommand) flag(text string) *awsCommand {
	c.lines = append(c.lines, text)
	return c
}

func (c *awsCommand) String() string { return strings.Join(c.lines, " \\\n  ") }

// forEach repeats commands for each of the words, which a variable holds.
func forEach(variable string, words []string, commands string) string {
	quoted := make([]string, len(words))
	for i, word := range words {
		quoted[i] = shellQuote(word)
	}
	return "for " + variable + " in " + strings.Join(quoted, " ") + "; do\n" + commands + "\ndone"
}

// shellQuote makes any text one word for sh and its relatives.
func shellQuote(s string) string {
	plain := s != ""
	for _, r := range s {
		if !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("-_.:/=,+@%", r)) {
			plain = false
		}
	}
	if plain {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

// awsVersion is the version in the form that ElastiCache takes: since version 6 without the patch level.
func awsVersion(version string) string {
	parts := strings.SplitN(version, ".", 3)
	if major, err := strconv.Atoi(parts[0]); err != nil || major < 6 || len(parts) < 2 {
		return version
	}
	return parts[0] + "." + parts[1]
}

// create creates the clusters of a specification, empty or from a snapshot. A password is never written out, and the shell refuses the command while
// the variable for it is empty.
func (a awsCLI) create(spec models.ClusterSpec) string {
	names := models.NumberedNames(orPlaceholder(spec.Name, "NAME"), max(spec.Copies, 1))
	c := a.do("elasticache create-replication-group")
	if len(names) == 1 {
		c.with("--replication-group-id", names[0])
	} else {
		c.flag(`--replication-group-id "$id"`)
	}
	description := orPlaceholder(spec.Description, spec.Name) // ElastiCache requires one
	c.with("--replication-group-description", orPlaceholder(description, "NAME"))
	c.with("--engine", spec.Engine.Name).with("--engine-version", awsVersion(spec.Engine.Version)).with("--cache-node-type", spec.NodeType)
	if spec.ClusterMode {
		c.with("--cluster-mode", "enabled").with("--num-node-groups", strconv.Itoa(spec.ShardCount())).with("--replicas-per-node-group", strconv.Itoa(spec.Replicas))
	} else {
		c.with("--num-cache-clusters", strconv.Itoa(spec.Replicas+1))
	}
	if spec.Port != 0 {
		c.with("--port", strconv.Itoa(spec.Port))
	}
	if spec.Encrypted {
		c.flag("--transit-encryption-enabled").with("--transit-encryption-mode", "required")
	}
	if spec.Auth != models.AuthNone && spec.Auth != "" {
		c.flag(`--auth-token "${AUTH_TOKEN:?}"`)
	}
	c.with("--snapshot-retention-limit", strconv.Itoa(spec.Retention))
	if spec.Retention > 0 && !spec.Window.IsZero() {
		c.with("--snapshot-window", spec.Window.String())
	}
	if spec.Snapshot != "" {
		c.with("--snapshot-name", spec.Snapshot)
	}
	if len(names) == 1 {
		return c.String()
	}
	return forEach("id", names, c.String())
}

// createFromFiles creates a cluster from RDB files in S3, which is how ElastiCache imports.
func (a awsCLI) createFromFiles(cluster string, sources []string) string {
	cluster = orPlaceholder(cluster, "CLUSTER")
	c := a.do("elasticache create-replication-group").with("--replication-group-id", cluster).with("--replication-group-description", cluster).
		flag("--engine redis").flag("--cache-node-type NODE_TYPE")
	var arns []string
	for _, source := range sources {
		source = strings.TrimSpace(source)
		if at, ok := models.ParseS3Address(source); ok {
			arns = append(arns, shellQuote("arn:aws:s3:::"+at.Bucket+"/"+at.Key))
		} else if strings.HasPrefix(source, "arn:aws:s3:::") {
			arns = append(arns, shellQuote(source))
		}
	}
	if len(arns) == 0 {
		arns = []string{"arn:aws:s3:::BUCKET/FILE.rdb"}
	}
	return c.flag("--snapshot-arns " + strings.Join(arns, " ")).String()
}

// modify changes a cluster; nil means no change. If nothing changes there is no command.
func (a awsCLI) modify(cluster models.Cluster, spec models.ModifySpec) string {
	target := awsTargetOf(cluster)
	var commands []string
	c := a.do("elasticache modify-"+target.noun()).with(target.option(), target.ID)
	before := len(c.lines)
	if spec.Description != nil && target.Grouped { // a cache cluster has none
		c.with("--replication-group-description", orPlaceholder(*spec.Description, target.ID))
	}
	if spec.NodeType != nil {
		c.with("--cache-node-type", *spec.NodeType)
	}
	if spec.Retention != nil {
		c.with("--snapshot-retention-limit", strconv.Itoa(*spec.Retention))
	}
	if spec.Window != nil {
		window := *spec.Window
		if window.IsZero() { // "no preference", which a command cannot express
			window = models.PickWindowBeside(cluster.Name, cluster.Attributes.MaintenanceWindow)
		}
		c.with("--snapshot-window", window.String())
	}
	if len(c.lines) > before {
		commands = append(commands, c.flag("--apply-immediately").String())
	}
	if spec.Replicas != nil && *spec.Replicas != cluster.Replicas {
		if spec.NodeType != nil {
			commands = append(commands, a.await(target))
		}
		action := "increase-replica-count"
		if *spec.Replicas < cluster.Replicas {
			action = "decrease-replica-count"
		}
		commands = append(commands, a.do("elasticache "+action).with("--replication-group-id", target.ID).
			with("--new-replica-count", strconv.Itoa(*spec.Replicas)).flag("--apply-immediately").String())
	}
	return strings.Join(commands, " &&\n")
}

// changePassword gives a cluster another password, beside the one that it may have.
func (a awsCLI) changePassword(target awsTarget, has bool) string {
	strategy := models.PasswordSet
	if has {
		strategy = models.PasswordRotate
	}
	return a.do("elasticache modify-"+target.noun()).with(target.option(), target.ID).flag(`--auth-token "${AUTH_TOKEN:?}"`).
		with("--auth-token-update-strategy", strategy).flag("--apply-immediately").String()
}

// await waits until a cluster is available: only then it takes the next command.
func (a awsCLI) await(target awsTarget) string {
	return a.do("elasticache wait "+target.noun()+"-available").with(target.option(), target.ID).String()
}

func (a awsCLI) deleteCluster(target awsTarget, finalSnapshot string) string {
	c := a.do("elasticache delete-"+target.noun()).with(target.option(), target.ID)
	if finalSnapshot != "" {
		c.with("--final-snapshot-identifier", finalSnapshot)
	}
	return c.String()
}

// deleteClusters deletes several clusters. Unless finalEnd is empty, those that allow it get final snapshots, whose names end with it.
func (a awsCLI) deleteClusters(clusters []models.Cluster, finalEnd string) string {
	return a.forClusters(clusters, func(c models.Cluster) string {
		if finalEnd != "" && c.NoFinalSnapshot() == "" {
			return `--final-snapshot-identifier "$id"` + shellQuote(finalEnd)
		}
		return ""
	}, func(target awsTarget, option string) *awsCommand {
		c := a.do("elasticache delete-" + target.noun()).flag(target.option() + ` "$id"`)
		if option != "" {
			c.flag(option)
		}
		return c
	})
}

// snapshotClusters takes a snapshot of each of several clusters.
func (a awsCLI) snapshotClusters(clusters []models.Cluster, suffix string) string {
	return a.forClusters(clusters, func(models.Cluster) string { return "" }, func(target awsTarget, _ string) *awsCommand {
		return a.do("elasticache create-snapshot").flag(`--snapshot-name "$id"-` + shellQuote(orPlaceholder(suffix, "NAME"))).flag(target.option() + ` "$id"`)
	})
}

// forClusters writes a loop for each kind of command that is needed: for replication groups and cache clusters, and for each option.
func (a awsCLI) forClusters(clusters []models.Cluster, option func(models.Cluster) string, command func(awsTarget, string) *awsCommand) string {
	type kind struct {
		grouped bool
		option  string
	}
	var kinds []kind
	ids := make(map[kind][]string)
	for _, c := range clusters {
		k := kind{c.Grouped, option(c)}
		if _, seen := ids[k]; !seen {
			kinds = append(kinds, k)
		}
		ids[k] = append(ids[k], c.Name)
	}
	loops := make([]string, len(kinds))
	for i, k := range kinds {
		loops[i] = forEach("id", ids[k], command(awsTarget{Grouped: k.grouped}, k.option).String())
	}
	return strings.Join(loops, "\n")
}

// reboot restarts some nodes of a cluster. Nodes of a replication group count as cache clusters of one node each, and are restarted one after the
// other.
func (a awsCLI) reboot(cluster models.Cluster, nodes []string) string {
	if !cluster.Grouped {
		var ids []string
		for i, n := range cluster.Nodes {
			for _, name := range nodes {
				if n.Name == name {
					ids = append(ids, fmt.Sprintf("%04d", i+1))
				}
			}
		}
		return a.do("elasticache reboot-cache-cluster").with("--cache-cluster-id", cluster.Name).flag("--cache-node-ids-to-reboot " + strings.Join(ids, " ")).String()
	}
	if len(nodes) == 1 {
		return a.do("elasticache reboot-cache-cluster").with("--cache-cluster-id", nodes[0]).flag("--cache-node-ids-to-reboot 0001").String()
	}
	one := a.do("elasticache reboot-cache-cluster").flag(`--cache-cluster-id "$id"`).flag("--cache-node-ids-to-reboot 0001").String()
	return forEach("id", nodes, one+" &&\n"+a.do("elasticache wait cache-cluster-available").flag(`--cache-cluster-id "$id"`).String())
}

func (a awsCLI) failOver(cluster string, shard models.Shard) string {
	return a.do("elasticache test-failover").with("--replication-group-id", cluster).with("--node-group-id", shard.ID()).String()
}

// startMigration has a cluster follow a server. Where its address is not known yet, a placeholder stands for it.
func (a awsCLI) startMigration(cluster, source string) string {
	host, port := "HOST", "6379"
	if endpoint, problem := models.CheckEndpoint(source); problem == "" {
		if h, p, err := net.SplitHostPort(endpoint); err == nil {
			host, port = h, p
		}
	}
	return a.do("elasticache start-migration").with("--replication-group-id", cluster).with("--customer-node-endpoint-list", "Address="+host+",Port="+port).String()
}

func (a awsCLI) completeMigration(cluster string, force bool) string {
	c := a.do("elasticache complete-migration").with("--replication-group-id", cluster)
	if force {
		c.flag("--force")
	}
	return c.String()
}

func (a awsCLI) createSnapshot(target awsTarget, name string) string {
	return a.do("elasticache create-snapshot").with("--snapshot-name", orPlaceholder(name, "NAME")).with(target.option(), orPlaceholder(target.ID, "CLUSTER")).String()
}

// copySnapshot copies a snapshot, or exports it if there is a bucket.
func (a awsCLI) copySnapshot(source, name, bucket string) string {
	c := a.do("elasticache copy-snapshot").with("--source-snapshot-name", source).with("--target-snapshot-name", orPlaceholder(name, "NAME"))
	if bucket != "" {
		c.with("--target-bucket", bucket)
	}
	return c.String()
}

func (a awsCLI) deleteSnapshots(names []string) string {
	if len(names) == 1 {
		return a.do("elasticache delete-snapshot").with("--snapshot-name", names[0]).String()
	}
	return forEach("name", names, a.do("elasticache delete-snapshot").flag(`--snapshot-name "$name"`).String())
}

func orPlaceholder(s, placeholder string) string {
	if s == "" {
		return placeholder
	}
	return s
}
