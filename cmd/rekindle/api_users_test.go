package main

import (
	"crypto/tls"
	"net"
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

const terraformUsers = `
terraform {
  required_providers {
    aws = { source = "hashicorp/aws" }
  }
}
variable "rights" { default = "+@read" }
provider "aws" {
  region     = "eu-central-1"
  access_key = "` + apiKeyID + `"
  secret_key = "` + apiSecret + `"
  endpoints {
    elasticache = "ENDPOINT"
    sts         = "ENDPOINT"
  }
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
`

const alicesPassword = "the-password-of-alice"

func TestTerraformLetsUsersInAtShards(t *testing.T) {
	t.Parallel()
	a := newAPIConsole(t)
	run := a.terraform(strings.NewReplacer("ENDPOINT", a.url, "PORT", strconv.Itoa(testkit.FreePort(t))).Replace(terraformUsers))
	good := func(args ...string) {
		t.Helper()
		if code, out := run(append(args, "-input=false")...); code != 0 {
			t.Fatalf("terraform %s ended with %d:\n%s", args[0], code, out)
		}
	}
	good("apply", "-auto-approve")
	good("plan", "-detailed-exitcode") // nothing has to be changed
	a.wantFleet(false)
	good("apply", "-auto-approve", "-var", "rights=+@all")
	a.wantFleet(true)
	good("destroy", "-auto-approve")
	groups := must(a.sdk.DescribeUserGroups(t.Context(), &elasticache.DescribeUserGroupsInput{}))(t).UserGroups
	users := must(a.sdk.DescribeUsers(t.Context(), &elasticache.DescribeUsersInput{}))(t).Users
	if len(groups) != 0 || len(users) != 1 { // the default one
		t.Errorf("left behind: %+v, %+v", groups, users)
	}
}

// wantFleet fails unless the group fleet has three shards, and lets alice in with these rights and nobody else.
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
	testkit.WaitFor(a.t, "alice to have her rights", func() bool { // an event says when all nodes have them
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

// trusted is what a client of encrypted clusters trusts.
func (a *apiConsole) trusted() *tls.Config {
	a.t.Helper()
	certificate := must(local.New(a.data+"/"+nodesFolder, nil, local.Options{}).Authority(a.t.Context()))(a.t)
	return must(authority.Trust(certificate))(a.t)
}

func addressOf(e *types.Endpoint) string {
	return net.JoinHostPort(aws.ToString(e.Address), strconv.Itoa(int(aws.ToInt32(e.Port))))
}
