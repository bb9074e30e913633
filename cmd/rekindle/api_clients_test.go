package main

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"strings"
	"testing"

	"rekindle/internal/testkit"
)

// The ElastiCache API through a client that knows nothing of Rekindle: the AWS command line.

// aws runs the AWS command line and returns what it prints, or what it says in its error.
func (a *apiConsole) aws(args ...string) (stdout, stderr string) {
	a.t.Helper()
	program, err := exec.LookPath("aws")
	if err != nil {
		a.t.Fatal("the AWS command line is missing: run make setup-test, which installs awscli")
	}
	args = append(args, "--endpoint-url", a.url, "--output", "json")
	cmd := exec.CommandContext(a.t.Context(), program, args...)
	cmd.Env = append(os.Environ(), "AWS_ACCESS_KEY_ID="+apiKeyID, "AWS_SECRET_ACCESS_KEY="+apiSecret, "AWS_DEFAULT_REGION="+apiRegion, "AWS_PAGER=",
		"AWS_EC2_METADATA_DISABLED=true", "AWS_CONFIG_FILE=/dev/null", "AWS_SHARED_CREDENTIALS_FILE=/dev/null", "AWS_MAX_ATTEMPTS=1")
	var out, fault bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &fault
	if err := cmd.Run(); err != nil && fault.Len() == 0 {
		a.t.Fatalf("aws %s: %v", strings.Join(args, " "), err)
	}
	return out.String(), fault.String()
}

// query runs a command of aws elasticache that has to succeed, and returns what --query picks, as text.
func (a *apiConsole) query(query string, args ...string) string {
	a.t.Helper()
	out, fault := a.aws(append(append([]string{"elasticache"}, args...), "--query", query)...)
	if fault != "" {
		a.t.Fatalf("aws elasticache %s: %s", strings.Join(args, " "), fault)
	}
	var value any
	if err := json.Unmarshal([]byte(out), &value); err != nil {
		a.t.Fatalf("aws elasticache %s printed %s", strings.Join(args, " "), out)
	}
	if text, ok := value.(string); ok {
		return text
	}
	return strings.Join(strings.Fields(out), "")
}

func TestTheAWSCommandLineTour(t *testing.T) {
	t.Parallel()
	a := serveAPI(newProcess(t).racing())
	if who, fault := a.aws("sts", "get-caller-identity"); !strings.Contains(who, apiKeyID) {
		t.Errorf("%s%s", who, fault)
	}
	if got := a.query("ReplicationGroups", "describe-replication-groups"); got != "[]" {
		t.Errorf("an empty list is printed as %s", got)
	}
	status := a.query("ReplicationGroup.Status", "create-replication-group", "--replication-group-id", "orders", "--replication-group-description", "the orders",
		"--engine", "redis", "--cache-node-type", "cache.t4g.micro", "--num-cache-clusters", "2", "--snapshot-retention-limit", "7", "--snapshot-window", "03:00-04:00",
		"--tags", "Key=team,Value=shop")
	if status != "creating" {
		t.Error(status)
	}
	g := a.group("orders") // `aws elasticache wait` looks every 15 s
	source := a.redis(primaryOf(g), "")
	testkit.Fill(t, source, 100)
	if arn := a.query("ReplicationGroups[0].ARN", "describe-replication-groups", "--replication-group-id", "orders"); a.query("TagList[0].Value", "list-tags-for-resource", "--resource-name", arn) != "shop" {
		t.Errorf("no tag at %s", arn)
	}
	a.query("Snapshot", "create-snapshot", "--snapshot-name", "by-hand", "--replication-group-id", "orders")
	a.snapshot("by-hand")
	if got := a.query("Snapshots[].[SnapshotName,SnapshotSource,SnapshotStatus]", "describe-snapshots", "--snapshot-source", "user"); got != `[["by-hand","manual","available"]]` {
		t.Error(got)
	}
	a.query("Snapshot", "copy-snapshot", "--source-snapshot-name", "by-hand", "--target-snapshot-name", "copied")
	a.snapshot("copied")
	a.query("ReplicationGroup", "create-replication-group", "--replication-group-id", "restored", "--replication-group-description", "d", "--snapshot-name", "copied")
	if testkit.Fingerprint(t, a.redis(primaryOf(a.group("restored")), "")) != testkit.Fingerprint(t, source) {
		t.Error("what was restored is other data")
	}
	if got := a.query("ReplicationGroup.[SnapshotRetentionLimit,SnapshotWindow]", "modify-replication-group", "--replication-group-id", "orders", "--snapshot-retention-limit", "1",
		"--snapshot-window", "05:00-06:30", "--apply-immediately"); got != `[1,"05:00-06:30"]` {
		t.Error(got)
	}
	if got := a.query("Events[?SourceIdentifier=='restored'].SourceType", "describe-events", "--duration", "60"); got != `["replication-group"]` {
		t.Error(got)
	}
	if got := a.query("CacheClusters[].CacheClusterId", "describe-cache-clusters", "--show-cache-node-info"); got != `["orders-001","orders-002","restored-001"]` {
		t.Error(got)
	}
	for command, want := range map[string]string{
		"delete-snapshot --snapshot-name nothing":                                            "(SnapshotNotFoundFault)",
		"create-snapshot --snapshot-name by-hand --replication-group-id orders":              "(SnapshotAlreadyExistsFault)",
		"describe-cache-clusters --cache-cluster-id nothing":                                 "(CacheClusterNotFound)",
		"purchase-reserved-cache-nodes-offering --reserved-cache-nodes-offering-id x":        "(InvalidAction)",
		"modify-replication-group --replication-group-id orders --snapshot-window 1:00-2:00": "(InvalidParameterValue)",
	} {
		if _, fault := a.aws(append([]string{"elasticache"}, strings.Fields(command)...)...); !strings.Contains(fault, want) {
			t.Errorf("%s: %s", command, fault)
		}
	}
	if status := a.query("Snapshot.SnapshotStatus", "delete-snapshot", "--snapshot-name", "copied"); status != "deleting" {
		t.Error(status)
	}
	if status := a.query("ReplicationGroup.Status", "delete-replication-group", "--replication-group-id", "orders", "--final-snapshot-identifier", "orders-last"); status != "deleting" {
		t.Error(status)
	}
	a.snapshot("orders-last")
}

// TestTheDocumentedTourWorksAsItIsWritten pastes the tour of docs/api.md into a shell, but for the console's address and key: the first part with a
// folder as the store, as make run has it, and all of it with S3.
func TestTheDocumentedTourWorksAsItIsWritten(t *testing.T) {
	t.Parallel()
	page := string(must(os.ReadFile("../../docs/api.md"))(t))
	_, tour, _ := strings.Cut(page, "## A tour to copy and paste")
	_, tour, _ = strings.Cut(tour, "In another terminal")
	tour, _, _ = strings.Cut(tour, "Every page of the console")
	anywhere, onlyS3, _ := strings.Cut(tour, "Where the snapshots are kept in S3")
	server := testkit.S3(t)
	for _, bucket := range []string{"snapshots", "my-exports"} {
		server.Bucket(bucket)
	}
	for name, test := range map[string]struct {
		script   string
		flags    []string
		clusters []string
	}{
		"a folder": {pasted(anywhere), nil, []string{"orders-test"}},
		"S3": {pasted(anywhere) + pasted(onlyS3), []string{"--store", "s3://snapshots/console?path_style=true&region=" + testkit.S3Region + "&endpoint=" + server.Endpoint},
			[]string{"orders-test", "seeded"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if strings.Count(test.script, "\n") < 20 {
				t.Fatalf("the tour in docs/api.md is only:\n%s", test.script)
			}
			a := newAPIConsole(t, test.flags...)
			cmd := exec.CommandContext(t.Context(), "bash", "-euo", "pipefail", "-c", strings.ReplaceAll(test.script, "http://127.0.0.1:8080", a.url))
			cmd.Env = append(os.Environ(), "AWS_ACCESS_KEY_ID="+apiKeyID, "AWS_SECRET_ACCESS_KEY="+apiSecret, "AWS_DEFAULT_REGION="+apiRegion, "AWS_PAGER=",
				"AWS_EC2_METADATA_DISABLED=true", "AWS_CONFIG_FILE=/dev/null", "AWS_SHARED_CREDENTIALS_FILE=/dev/null")
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			for _, cluster := range test.clusters {
				a.group(cluster)
			}
			a.snapshot("orders-last")
		})
	}
}

// pasted is what a page has as indented lines, without the keys that the test brings.
func pasted(text string) string {
	var script strings.Builder
	for line := range strings.Lines(text) {
		if command, ok := strings.CutPrefix(line, "    "); ok && !strings.HasPrefix(command, "export AWS_ACCESS_KEY_ID=") {
			script.WriteString(command)
		}
	}
	return script.String()
}
