package main

import (
	"crypto/tls"
	"fmt"
	"maps"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/elasticache"
	"github.com/aws/aws-sdk-go-v2/service/elasticache/types"
	"github.com/redis/go-redis/v9"

	"rekindle/internal/authority"
	"rekindle/internal/launch/local"
	"rekindle/internal/testkit"
)

// These tests use the ElastiCache API through Terraform and its AWS provider. Go begins with the files that come first: other tests run in the
// pauses of these.

// terraformMirrors are the folders that may hold Terraform's providers, for use without a network.
var terraformMirrors = []string{"/usr/share/terraform/*", "/usr/local/share/terraform/*", "/opt/*"}

// terraform prepares a folder with the AWS provider, and returns a function that runs Terraform in it.
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

const (
	firstToken     = "the-first-of-the-tokens"
	secondToken    = "the-second-of-the-tokens"
	alicesPassword = "the-password-of-alice"
)

// terraformConfig has every kind of resource at once, because the provider pauses for half a minute after each step, for all of them
// together.
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
variable "token" { default = "` + firstToken + `" }
variable "rights" { default = "+@read" }
variable "snapshot" { default = "" }
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
resource "aws_elasticache_replication_group" "secret" {
  replication_group_id       = "secret"
  description                = "encrypted"
  engine                     = "redis"
  node_type                  = "cache.t4g.micro"
  num_cache_clusters         = 2
  transit_encryption_enabled = true
  transit_encryption_mode    = "required"
  at_rest_encryption_enabled = true
  auth_token                 = var.token
  auth_token_update_strategy = "ROTATE"
  apply_immediately          = true
}
resource "aws_elasticache_user" "nobody" {
  user_id              = "nobody"
  user_name            = "default"
  engine               = "redis"
  access_string        = "off -@all"
  no_password_required = true
}
resource "aws_elasticache_user" "alice" {
  user_id       = "alice"
  user_name     = "alice"
  engine        = "redis"
  access_string = "on ~app:* +ping +cluster +command ${var.rights}"
  authentication_mode {
    type      = "password"
    passwords = ["` + alicesPassword + `"]
  }
  tags = { team = "shop" }
}
resource "aws_elasticache_user_group" "staff" {
  user_group_id = "staff"
  engine        = "redis"
  user_ids      = [aws_elasticache_user.nobody.user_id, aws_elasticache_user.alice.user_id]
}
resource "aws_elasticache_replication_group" "fleet" {
  replication_group_id       = "fleet"
  description                = "shards, and users of theirs"
  engine                     = "redis"
  node_type                  = "cache.t4g.micro"
  num_node_groups            = 3
  replicas_per_node_group    = 0
  port                       = PORT
  transit_encryption_enabled = true
  user_group_ids             = [aws_elasticache_user_group.staff.user_group_id]
  apply_immediately          = true
}
resource "aws_elasticache_replication_group" "restored" {
  count                   = var.snapshot == "" ? 0 : 1
  replication_group_id    = "restored"
  description             = "another number of shards"
  engine                  = "redis"
  node_type               = "cache.t4g.micro"
  num_node_groups         = 3
  replicas_per_node_group = 0
  port                    = ANOTHER
  snapshot_name           = var.snapshot
}
`

func TestTerraformAppliesPlansNothingModifiesAndDestroys(t *testing.T) {
	t.Parallel()
	a := newAPIConsole(t, "--data-encrypted")
	engines := must(a.sdk.DescribeCacheEngineVersions(t.Context(), &elasticache.DescribeCacheEngineVersionsInput{Engine: aws.String("redis"), DefaultOnly: aws.Bool(true)}))(t).CacheEngineVersions
	run := a.terraform(strings.NewReplacer("ENDPOINT", a.url, "FAMILY", aws.ToString(engines[0].CacheParameterGroupFamily), "PORT", strconv.Itoa(testkit.FreePort(t)), "ANOTHER", strconv.Itoa(testkit.FreePort(t))).Replace(terraformConfig))
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
		if aws.ToInt32(endpoint.Port) != 6379 { // the configuration has no port
			t.Errorf("the group is at %s:%d", aws.ToString(endpoint.Address), aws.ToInt32(endpoint.Port))
		}
		client := redis.NewClient(&redis.Options{Addr: net.JoinHostPort(aws.ToString(endpoint.Address), strconv.Itoa(int(aws.ToInt32(endpoint.Port))))})
		t.Cleanup(func() { _ = client.Close() })
		return client
	}
	node := primary()
	for i := range 100 {
		if err := node.Set(t.Context(), fmt.Sprint("order:", i), i, 0).Err(); err != nil {
			t.Fatal(err)
		}
	}
	want := testkit.Digests(t, node)
	must(a.sdk.CreateSnapshot(t.Context(), &elasticache.CreateSnapshotInput{ReplicationGroupId: aws.String("shop"), SnapshotName: aws.String("evening")}))(t)
	a.snapshot("evening")
	testkit.Fill(t, node, 50)
	a.wantTokens(true, false)
	a.wantFleet(false)
	change := []string{"-var", "retention=9", "-var", "nodes=3", "-var", "policy=allkeys-lfu", "-var", "team=shop2", "-var", "token=" + secondToken, "-var", "rights=+@all", "-var", "snapshot=evening"}
	good(0, append(apply, change...)...)
	if policy := node.ConfigGet(t.Context(), "maxmemory-policy").Val()["maxmemory-policy"]; policy != "allkeys-lfu" {
		t.Errorf("the nodes have the policy %q", policy)
	}
	if g := a.group("shop"); len(g.MemberClusters) != 3 || aws.ToInt32(g.SnapshotRetentionLimit) != 9 {
		t.Errorf("%+v", g)
	}
	a.wantTokens(true, true)
	a.wantFleet(true)
	a.wantShards("restored", 3, want)
	must(a.sdk.TestFailover(t.Context(), &elasticache.TestFailoverInput{ReplicationGroupId: aws.String("shop"), NodeGroupId: aws.String("0001")}))(t)
	testkit.WaitFor(t, "the failover", func() bool { return aws.ToString(a.group("shop").Status) == "available" })
	if after := primary(); after.Options().Addr == node.Options().Addr {
		t.Errorf("after the failover the group is still at %s", after.Options().Addr)
	}
	good(0, append(plan, change...)...) // all is as requested, and another address with the same port is not drift
	good(0, append([]string{"destroy", "-auto-approve", "-input=false"}, change...)...)
	a.snapshot("shop-final")
	if left := must(a.sdk.DescribeCacheClusters(t.Context(), &elasticache.DescribeCacheClustersInput{}))(t).CacheClusters; len(left) != 0 {
		t.Errorf("left behind: %+v", left)
	}
	groups := must(a.sdk.DescribeUserGroups(t.Context(), &elasticache.DescribeUserGroupsInput{}))(t).UserGroups
	users := must(a.sdk.DescribeUsers(t.Context(), &elasticache.DescribeUsersInput{}))(t).Users
	if len(groups) != 0 || len(users) != 1 { // the default one
		t.Errorf("left behind: %+v, %+v", groups, users)
	}
}

// wantShards fails the test unless a group has so many shards, and together they have these keys.
func (a *apiConsole) wantShards(group string, shards int, want map[string]string) {
	a.t.Helper()
	got := make(map[string]string)
	groups := a.group(group).NodeGroups
	for _, shard := range groups {
		members := must(a.sdk.DescribeCacheClusters(a.t.Context(), &elasticache.DescribeCacheClustersInput{
			CacheClusterId: shard.NodeGroupMembers[0].CacheClusterId, ShowCacheNodeInfo: aws.Bool(true)}))(a.t).CacheClusters
		client := redis.NewClient(&redis.Options{Addr: addressOf(members[0].CacheNodes[0].Endpoint)})
		maps.Copy(got, testkit.Digests(a.t, client))
		_ = client.Close()
	}
	if diff := testkit.Diff(want, got); diff != "" || len(groups) != shards {
		a.t.Errorf("%s has %d shards, and other keys:\n%s", group, len(groups), diff)
	}
}

// wantTokens fails the test unless the group secret accepts exactly these tokens, over TLS.
func (a *apiConsole) wantTokens(first, second bool) {
	a.t.Helper()
	for token, want := range map[string]bool{firstToken: first, secondToken: second} {
		client := redis.NewClient(&redis.Options{Addr: addressOf(a.group("secret").NodeGroups[0].PrimaryEndpoint), Password: token, TLSConfig: a.trusted()})
		a.t.Cleanup(func() { _ = client.Close() })
		if err := client.Ping(a.t.Context()).Err(); (err == nil) != want {
			a.t.Errorf("%s: %v; accepted is to be %v", token, err, want)
		}
	}
}

// wantFleet fails the test unless the group fleet has three shards, and lets in only alice, with these rights.
func (a *apiConsole) wantFleet(writes bool) {
	a.t.Helper()
	ctx, g := a.t.Context(), a.group("fleet")
	if len(g.NodeGroups) != 3 || !aws.ToBool(g.ClusterEnabled) || !aws.ToBool(g.TransitEncryptionEnabled) || aws.ToBool(g.AuthTokenEnabled) || !slices.Equal(g.UserGroupIds, []string{"staff"}) {
		a.t.Errorf("%+v", g)
	}
	as := func(user, password string) *redis.ClusterClient {
		client := redis.NewClusterClient(&redis.ClusterOptions{Addrs: []string{addressOf(g.ConfigurationEndpoint)}, Username: user, Password: password, TLSConfig: a.trusted()})
		a.t.Cleanup(func() { _ = client.Close() })
		return client
	}
	alice := as("alice", alicesPassword)
	testkit.WaitFor(a.t, "alice to have her rights", func() bool { // they reach the nodes in the background
		err := alice.Set(ctx, "app:1", "one", 0).Err()
		return writes && err == nil || !writes && err != nil && strings.Contains(err.Error(), "NOPERM")
	})
	if err := alice.Set(ctx, "other", "one", 0).Err(); err == nil || !strings.Contains(err.Error(), "NOPERM") {
		a.t.Errorf("alice writes elsewhere: %v", err)
	}
	if err := as("", "").Ping(ctx).Err(); err == nil {
		a.t.Error("anybody is let in")
	}
}

// trusted returns the TLS configuration for clients of encrypted clusters.
func (a *apiConsole) trusted() *tls.Config {
	a.t.Helper()
	certificate := must(local.New(a.data+"/"+nodesFolder, nil, local.Options{}).Authority(a.t.Context()))(a.t)
	return must(authority.Trust(certificate))(a.t)
}

func addressOf(e *types.Endpoint) string {
	return net.JoinHostPort(aws.ToString(e.Address), strconv.Itoa(int(aws.ToInt32(e.Port))))
}
