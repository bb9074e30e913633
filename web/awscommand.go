package web

import (
	"strconv"
	"strings"

	"rekindle/models"
)

// This file writes the commands of the AWS command line that would do at ElastiCache what the console does here. They are shown
// beside each action and never run.
//
// ElastiCache has two kinds of what Rekindle calls a cluster: a cache cluster of one node and a replication group. Replicas,
// Valkey and AUTH (which comes with encryption in transit) exist only in replication groups.

// awsTarget is a cluster as far as ElastiCache tells its kinds apart.
type awsTarget struct {
	ID       string
	Engine   string
	Replicas int
	Auth     bool
}

func awsTargetOf(c models.Cluster) awsTarget {
	return awsTarget{ID: c.Name, Engine: c.Engine, Replicas: c.Replicas, Auth: c.Password != ""}
}

func (t awsTarget) group() bool { return t.Replicas > 0 || t.Engine == "valkey" || t.Auth }

// option is how a command names the cluster.
func (t awsTarget) option() string {
	if t.group() {
		return "--replication-group-id"
	}
	return "--cache-cluster-id"
}

func (t awsTarget) noun() string {
	if t.group() {
		return "replication-group"
	}
	return "cache-cluster"
}

// awsCommand is one command: each call adds a line.
type awsCommand struct{ lines []string }

func awsDo(action string) *awsCommand {
	return &awsCommand{lines: []string{"aws elasticache " + action}}
}

// with adds an option with its value, quoted for a shell.
func (c *awsCommand) with(option, value string) *awsCommand {
	c.lines = append(c.lines, option+" "+shellQuote(value))
	return c
}

// flag adds text that is to reach the shell as it is.
func (c *awsCommand) flag(text string) *awsCommand {
	c.lines = append(c.lines, text)
	return c
}

func (c *awsCommand) String() string { return strings.Join(c.lines, " \\\n  ") }

// shellQuote makes one word of any text, for sh and its relatives.
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

// awsVersion is the version as ElastiCache takes it: since version 6 without the patch level.
func awsVersion(version string) string {
	parts := strings.SplitN(version, ".", 3)
	if major, err := strconv.Atoi(parts[0]); err != nil || major < 6 || len(parts) < 2 {
		return version
	}
	return parts[0] + "." + parts[1]
}

// awsCreate creates the clusters of a specification, empty or from a snapshot. A password is never written out.
func awsCreate(spec models.ClusterSpec) string {
	names := models.NumberedNames(orPlaceholder(spec.Name, "NAME"), max(spec.Copies, 1))
	target := awsTarget{Engine: spec.Engine.Name, Replicas: spec.Replicas, Auth: spec.Auth != models.AuthNone && spec.Auth != ""}
	c := awsDo("create-" + target.noun())
	if len(names) == 1 {
		c.with(target.option(), names[0])
	} else {
		c.flag(target.option() + ` "$id"`)
	}
	if target.group() {
		description := spec.Description
		if description == "" {
			description = spec.Name // ElastiCache insists on one
		}
		c.with("--replication-group-description", orPlaceholder(description, "NAME"))
	}
	c.with("--engine", spec.Engine.Name).with("--engine-version", awsVersion(spec.Engine.Version)).with("--cache-node-type", spec.NodeType)
	if target.group() {
		c.with("--num-cache-clusters", strconv.Itoa(spec.Replicas+1))
	} else {
		c.with("--num-cache-nodes", "1")
	}
	if spec.Port != 0 {
		c.with("--port", strconv.Itoa(spec.Port))
	}
	if target.Auth {
		c.flag(`--transit-encryption-enabled --auth-token "$AUTH_TOKEN"`)
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
	return "for id in " + strings.Join(quoteAll(names), " ") + "; do\n" + c.String() + "\ndone"
}

// awsModify changes a cluster; what is nil stays.
func awsModify(cluster models.Cluster, spec models.ModifySpec) string {
	target := awsTargetOf(cluster)
	var commands []string
	c := awsDo("modify-"+target.noun()).with(target.option(), target.ID)
	before := len(c.lines)
	if spec.Description != nil && target.group() {
		c.with("--replication-group-description", orPlaceholder(*spec.Description, target.ID))
	}
	if spec.NodeType != nil {
		c.with("--cache-node-type", *spec.NodeType)
	}
	if spec.Retention != nil {
		c.with("--snapshot-retention-limit", strconv.Itoa(*spec.Retention))
	}
	if spec.Window != nil && !spec.Window.IsZero() {
		c.with("--snapshot-window", spec.Window.String())
	}
	if len(c.lines) > before {
		commands = append(commands, c.flag("--apply-immediately").String())
	}
	if spec.Replicas != nil && *spec.Replicas != cluster.Replicas {
		action := "increase-replica-count"
		if *spec.Replicas < cluster.Replicas {
			action = "decrease-replica-count"
		}
		commands = append(commands, awsDo(action).with("--replication-group-id", target.ID).
			with("--new-replica-count", strconv.Itoa(*spec.Replicas)).flag("--apply-immediately").String())
	}
	return strings.Join(commands, "\n")
}

func awsDeleteCluster(target awsTarget, finalSnapshot string) string {
	c := awsDo("delete-"+target.noun()).with(target.option(), target.ID)
	if finalSnapshot != "" {
		c.with("--final-snapshot-identifier", finalSnapshot)
	}
	return c.String()
}

func awsCreateSnapshot(target awsTarget, name string) string {
	return awsDo("create-snapshot").with("--snapshot-name", orPlaceholder(name, "NAME")).with(target.option(), orPlaceholder(target.ID, "CLUSTER")).String()
}

func awsDescribeSnapshot(name string) string {
	return awsDo("describe-snapshots").with("--snapshot-name", name).String()
}

func awsDeleteSnapshots(names []string) string {
	if len(names) == 1 {
		return awsDo("delete-snapshot").with("--snapshot-name", names[0]).String()
	}
	return "for name in " + strings.Join(quoteAll(names), " ") + "; do\n" + awsDo("delete-snapshot").flag(`--snapshot-name "$name"`).String() + "\ndone"
}

func quoteAll(words []string) []string {
	quoted := make([]string, len(words))
	for i, word := range words {
		quoted[i] = shellQuote(word)
	}
	return quoted
}

func orPlaceholder(s, placeholder string) string {
	if s == "" {
		return placeholder
	}
	return s
}
