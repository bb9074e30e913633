package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/elasticache"
	"github.com/redis/go-redis/v9"

	"rekindle/internal/testkit"
)

// The ElastiCache API through clients that know nothing of Rekindle: the AWS command line, and Terraform with its AWS provider.

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

// TestTheDocumentedTourWorksAsItIsWritten pastes the tour of docs/api.md into a shell, but for the console's address and key.
func TestTheDocumentedTourWorksAsItIsWritten(t *testing.T) {
	t.Parallel()
	page := string(must(os.ReadFile("../../docs/api.md"))(t))
	_, tour, _ := strings.Cut(page, "## A tour to copy and paste")
	_, tour, _ = strings.Cut(tour, "In another terminal")
	tour, _, _ = strings.Cut(tour, "Every page of the console")
	var script []string
	for line := range strings.Lines(tour) {
		if command, ok := strings.CutPrefix(line, "    "); ok && !strings.HasPrefix(command, "export AWS_ACCESS_KEY_ID=") {
			script = append(script, command)
		}
	}
	if len(script) < 20 {
		t.Fatalf("there are only %d lines of a tour in docs/api.md", len(script))
	}
	server := testkit.S3(t)
	for _, bucket := range []string{"snapshots", "my-exports"} {
		server.Bucket(bucket)
	}
	a := newAPIConsole(t, "--store", "s3://snapshots/console?path_style=true&region="+testkit.S3Region+"&endpoint="+server.Endpoint)
	text := strings.ReplaceAll(strings.Join(script, ""), "http://127.0.0.1:8080", a.url)
	cmd := exec.CommandContext(t.Context(), "bash", "-euo", "pipefail", "-c", text)
	cmd.Env = append(os.Environ(), "AWS_ACCESS_KEY_ID="+apiKeyID, "AWS_SECRET_ACCESS_KEY="+apiSecret, "AWS_DEFAULT_REGION="+apiRegion, "AWS_PAGER=",
		"AWS_EC2_METADATA_DISABLED=true", "AWS_CONFIG_FILE=/dev/null", "AWS_SHARED_CREDENTIALS_FILE=/dev/null")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	a.group("orders-test")
	a.group("seeded")
	a.snapshot("orders-last")
}

// terraformMirrors are folders in which somebody may have put Terraform's providers for use without a network.
var terraformMirrors = []string{"/usr/share/terraform/*", "/usr/local/share/terraform/*", "/opt/*"}

// terraform prepares a folder for Terraform, with the AWS provider, and returns what runs it there.
func (a *apiConsole) terraform(config string) func(args ...string) (int, string) {
	a.t.Helper()
	program, err := exec.LookPath("terraform")
	if err != nil {
		a.t.Skip("no Terraform on this machine")
	}
	folder := a.t.TempDir()
	settings := ""
	for _, place := range terraformMirrors {
		found, err := filepath.Glob(filepath.Join(place, "*", "hashicorp", "aws"))
		if err != nil {
			a.t.Fatal(err)
		}
		for _, provider := range found {
			settings = fmt.Sprintf("provider_installation {\n  filesystem_mirror {\n    path = %q\n  }\n}\n", filepath.Join(provider, "../../.."))
		}
	}
	a.write(filepath.Join(folder, "terraformrc"), settings)
	a.write(filepath.Join(folder, "main.tf"), config)
	run := func(args ...string) (int, string) {
		a.t.Helper()
		cmd := exec.CommandContext(a.t.Context(), program, append(args, "-no-color")...)
		cmd.Dir = folder
		cmd.Env = append(os.Environ(), "TF_CLI_CONFIG_FILE="+filepath.Join(folder, "terraformrc"), "CHECKPOINT_DISABLE=1", "TF_IN_AUTOMATION=1", "AWS_EC2_METADATA_DISABLED=true")
		out, err := cmd.CombinedOutput()
		if err != nil && cmd.ProcessState == nil {
			a.t.Fatalf("terraform %s: %v", strings.Join(args, " "), err)
		}
		return cmd.ProcessState.ExitCode(), string(out)
	}
	if code, out := run("init", "-input=false"); code != 0 {
		a.t.Skipf("no AWS provider of Terraform on this machine:\n%s", out)
	}
	return run
}

func (a *apiConsole) write(path, text string) {
	a.t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		a.t.Fatal(err)
	}
}

const terraformConfig = `
terraform {
  required_providers {
    aws = { source = "hashicorp/aws" }
  }
}
variable "retention" { default = 7 }
variable "nodes" { default = 2 }
variable "policy" { default = "allkeys-lru" }
variable "team" { default = "shop" }
provider "aws" {
  region     = "eu-central-1"
  access_key = "` + apiKeyID + `"
  secret_key = "` + apiSecret + `"
  endpoints {
    elasticache = "ENDPOINT"
    sts         = "ENDPOINT"
  }
}
resource "aws_elasticache_subnet_group" "net" {
  name       = "shop-net"
  subnet_ids = ["subnet-0001", "subnet-0002"]
}
resource "aws_elasticache_parameter_group" "mine" {
  name   = "shop-parameters"
  family = "FAMILY"
  parameter {
    name  = "maxmemory-policy"
    value = var.policy
  }
}
resource "aws_elasticache_replication_group" "shop" {
  replication_group_id       = "shop"
  description                = "the shop of ${var.team}"
  engine                     = "redis"
  node_type                  = "cache.t4g.micro"
  num_cache_clusters         = var.nodes
  automatic_failover_enabled = true
  parameter_group_name       = aws_elasticache_parameter_group.mine.name
  subnet_group_name          = aws_elasticache_subnet_group.net.name
  security_group_ids         = ["sg-12345678"]
  maintenance_window         = "sun:05:00-sun:06:00"
  snapshot_retention_limit   = var.retention
  snapshot_window            = "01:00-02:00"
  final_snapshot_identifier  = "shop-final"
  apply_immediately          = true
  tags                       = { team = var.team }
}
resource "aws_elasticache_cluster" "cache" {
  cluster_id      = "cache"
  engine          = "memcached"
  node_type       = "cache.t4g.micro"
  num_cache_nodes = 2
  tags            = { team = var.team }
}
resource "aws_elasticache_cluster" "one" {
  cluster_id               = "one"
  engine                   = "redis"
  node_type                = "cache.t4g.micro"
  num_cache_nodes          = 1
  snapshot_retention_limit = 3
  snapshot_window          = "22:00-23:00"
}
`

func TestTerraformAppliesPlansNothingModifiesAndDestroys(t *testing.T) {
	t.Parallel()
	a := newAPIConsole(t)
	engines := must(a.sdk.DescribeCacheEngineVersions(t.Context(), &elasticache.DescribeCacheEngineVersionsInput{Engine: aws.String("redis"), DefaultOnly: aws.Bool(true)}))(t).CacheEngineVersions
	run := a.terraform(strings.NewReplacer("ENDPOINT", a.url, "FAMILY", aws.ToString(engines[0].CacheParameterGroupFamily)).Replace(terraformConfig))
	good := func(want int, args ...string) {
		t.Helper()
		if code, out := run(args...); code != want {
			t.Fatalf("terraform %s ended with %d:\n%s", strings.Join(args, " "), code, out)
		}
	}
	apply := []string{"apply", "-auto-approve", "-input=false"}
	plan := []string{"plan", "-detailed-exitcode", "-input=false"} // 0: nothing to do, 2: changes
	good(0, apply...)
	good(0, plan...)
	primary := func() *redis.Client {
		t.Helper()
		endpoint := a.group("shop").NodeGroups[0].PrimaryEndpoint
		if aws.ToInt32(endpoint.Port) != 6379 { // without a port in the configuration
			t.Errorf("the group is at %s:%d", aws.ToString(endpoint.Address), aws.ToInt32(endpoint.Port))
		}
		client := redis.NewClient(&redis.Options{Addr: net.JoinHostPort(aws.ToString(endpoint.Address), strconv.Itoa(int(aws.ToInt32(endpoint.Port))))})
		t.Cleanup(func() { _ = client.Close() })
		return client
	}
	node := primary()
	testkit.Fill(t, node, 50)
	change := []string{"-var", "retention=9", "-var", "nodes=3", "-var", "policy=allkeys-lfu", "-var", "team=shop2"}
	good(0, append(apply, change...)...)
	if policy := node.ConfigGet(t.Context(), "maxmemory-policy").Val()["maxmemory-policy"]; policy != "allkeys-lfu" {
		t.Errorf("the nodes have the policy %q", policy)
	}
	if g := a.group("shop"); len(g.MemberClusters) != 3 || aws.ToInt32(g.SnapshotRetentionLimit) != 9 {
		t.Errorf("%+v", g)
	}
	must(a.sdk.TestFailover(t.Context(), &elasticache.TestFailoverInput{ReplicationGroupId: aws.String("shop"), NodeGroupId: aws.String("0001")}))(t)
	testkit.WaitFor(t, "the failover", func() bool { return aws.ToString(a.group("shop").Status) == "available" })
	if after := primary(); after.Options().Addr == node.Options().Addr {
		t.Errorf("after the failover the group is still at %s", after.Options().Addr)
	}
	good(0, append(plan, change...)...) // what was changed is as it was asked for, and another address at the same port is no drift
	good(0, append([]string{"destroy", "-auto-approve", "-input=false"}, change...)...)
	a.snapshot("shop-final")
	if left := must(a.sdk.DescribeCacheClusters(t.Context(), &elasticache.DescribeCacheClustersInput{}))(t).CacheClusters; len(left) != 0 {
		t.Errorf("left behind: %+v", left)
	}
}
