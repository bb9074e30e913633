package main

import (
	"net"
	"strconv"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/redis/go-redis/v9"

	"rekindle/internal/authority"
	"rekindle/internal/launch/local"
)

const terraformEncrypted = `
terraform {
  required_providers {
    aws = { source = "hashicorp/aws" }
  }
}
variable "token" { default = "the-first-of-the-tokens" }
variable "strategy" { default = "ROTATE" }
provider "aws" {
  region     = "eu-central-1"
  access_key = "` + apiKeyID + `"
  secret_key = "` + apiSecret + `"
  endpoints {
    elasticache = "ENDPOINT"
    sts         = "ENDPOINT"
  }
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
  auth_token_update_strategy = var.strategy
  apply_immediately          = true
}
`

func TestTerraformEncryptsAndRotatesTokens(t *testing.T) {
	t.Parallel()
	a := newAPIConsole(t, "--data-encrypted")
	run := a.terraform(strings.ReplaceAll(terraformEncrypted, "ENDPOINT", a.url))
	const first, second = "the-first-of-the-tokens", "the-second-of-the-tokens"
	takes := func(token string) bool {
		t.Helper()
		trusted := must(local.New(a.data+"/"+nodesFolder, nil, local.Options{}).Authority(t.Context()))(t)
		endpoint := a.group("secret").NodeGroups[0].PrimaryEndpoint
		client := redis.NewClient(&redis.Options{Addr: net.JoinHostPort(aws.ToString(endpoint.Address), strconv.Itoa(int(aws.ToInt32(endpoint.Port)))), Password: token,
			TLSConfig: must(authority.Trust(trusted))(t)})
		defer func() { _ = client.Close() }()
		return client.Ping(t.Context()).Err() == nil
	}
	for _, one := range []struct {
		token, strategy string
		first, second   bool
	}{{first, "ROTATE", true, false}, {second, "ROTATE", true, true}} { // each apply takes the provider half a minute
		variables := []string{"-var", "token=" + one.token, "-var", "strategy=" + one.strategy, "-input=false"}
		if code, out := run(append([]string{"apply", "-auto-approve"}, variables...)...); code != 0 {
			t.Fatalf("apply of %s with %s ended with %d:\n%s", one.token, one.strategy, code, out)
		}
		if code, out := run(append([]string{"plan", "-detailed-exitcode"}, variables...)...); code != 0 {
			t.Errorf("after %s with %s a plan has changes:\n%s", one.token, one.strategy, out)
		}
		if takes(first) != one.first || takes(second) != one.second {
			t.Errorf("after %s with %s the tokens are taken: %v, %v", one.token, one.strategy, takes(first), takes(second))
		}
	}
}
