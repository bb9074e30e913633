package main

import (
	"context"
	"fmt"
	"io"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/elasticache"
	"github.com/aws/smithy-go/middleware"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"rekindle/models"
)

const recoverUse = "rekindle recover CLUSTER --to MOMENT --as NAME|--into NAME [--wait]"

// runRecover is "rekindle recover CLUSTER --to MOMENT", which makes a snapshot --as NAME, or a new cluster --into NAME.
func runRecover(ctx context.Context, args []string, getenv func(string) string, stdout, stderr io.Writer) error {
	flags := newFlags("recover", `Make a snapshot of a cluster as it was at a moment, or a new cluster, by a running console: `+recoverUse+`. Its name is printed.
A new cluster is like the other one where nothing else is said. It needs no snapshot in between, so it is there sooner, and has as many shards.
Its password, if it is to have one, comes from `+restorePassword+`.
`+accessHelp, getenv, stdout)
	connect := declareClient(flags)
	to := flags.string("to", "", "`moment` in UTC, such as 2026-11-27T10:41:07Z")
	name := flags.string("as", "", "`name` of the snapshot")
	into := flags.string("into", "", "`name` of the new cluster")
	nodeType := flags.string("node-type", "", "`type` of the new cluster's nodes, such as cache.t4g.micro (default: that of the cluster)")
	replicas := flags.string("replicas", "", "how `many` replicas each of its shards has (default: as many as the cluster's)")
	wait := flags.Bool("wait", false, waitUsage)
	asJSON := flags.Bool("json", false, jsonUsage)
	cluster, err := flags.parseWith(args)
	if err != nil {
		return err
	}
	moment, understood := models.ParseMoment(*to)
	switch {
	case cluster == "":
		return misuse("say which cluster: %s", recoverUse)
	case *name == "" && *into == "":
		return misuse("say what the snapshot is called, or the new cluster: %s", recoverUse)
	case *name != "" && *into != "":
		return misuse("make either a snapshot (--as) or a new cluster (--into): %s", recoverUse)
	case *into == "" && (*nodeType != "" || *replicas != ""):
		return misuse("--node-type and --replicas are about a new cluster (--into): %s", recoverUse)
	case !understood:
		return misuse("--to must be a moment such as 2026-11-27T10:41:07Z, not %q", *to)
	}
	number, err := replicaCount(*replicas)
	if err != nil {
		return err
	}
	c, err := connect()
	if err != nil {
		return err
	}
	said := saying{*wait, *asJSON, stdout, stderr}
	if *into != "" {
		return c.recoverInto(ctx, cluster, moment, &elasticache.CreateReplicationGroupInput{ReplicationGroupId: into, CacheNodeType: given(*nodeType), ReplicasPerNodeGroup: number,
			AuthToken: given(getenv(restorePassword)), ReplicationGroupDescription: aws.String(cluster + " as it was at " + moment.Format(time.DateTime) + " UTC")}, said)
	}
	made, err := c.takeSnapshot(ctx, cluster, *name, with("RecoverTo", moment.Format(time.RFC3339Nano)))
	if err != nil {
		return c.explain(err)
	}
	if !*asJSON {
		fmt.Fprintln(stdout, made.Name)
	}
	if *wait {
		if made, err = c.awaitSnapshot(ctx, made, terminalOf(stderr)); err != nil {
			return err
		}
	}
	if *asJSON {
		return printJSON(stdout, map[string]any{"format_version": listingVersion, "snapshot": made})
	}
	return nil
}

// replicaCount reads how many replicas there are to be, 0 among them; nil leaves it to the console.
func replicaCount(text string) (*int32, error) {
	if text == "" {
		return nil, nil
	}
	n, err := strconv.ParseUint(text, 10, 8)
	if err != nil {
		return nil, misuse("--replicas must be a number from 0 to %d, not %q", models.MaxReplicas, text)
	}
	return aws.Int32(int32(n)), nil
}

// saying is how a command says what it has done.
type saying struct {
	wait, asJSON   bool
	stdout, stderr io.Writer
}

// recoverInto has a new cluster made of a moment.
func (c *apiClient) recoverInto(ctx context.Context, cluster string, moment time.Time, input *elasticache.CreateReplicationGroupInput, said saying) error {
	answer, err := c.CreateReplicationGroup(ctx, input, with("RecoverFrom", cluster, "RecoverTo", moment.Format(time.RFC3339Nano)))
	if err != nil {
		return c.explain(err)
	}
	made := clusterOfGroup(*answer.ReplicationGroup)
	if !said.asJSON {
		fmt.Fprintln(said.stdout, made.Name)
	}
	if said.wait {
		if made, err = c.awaitCluster(ctx, made, terminalOf(said.stderr)); err != nil {
			return err
		}
	}
	if said.asJSON {
		return printJSON(said.stdout, map[string]any{"format_version": listingVersion, "cluster": made})
	}
	return nil
}

// with adds parameters that ElastiCache does not have, names and values in turn: the request is written by then, and not yet signed.
func with(pairs ...string) func(*elasticache.Options) {
	parameters := ""
	for pair := range slices.Chunk(pairs, 2) {
		parameters += "&" + pair[0] + "=" + url.QueryEscape(pair[1])
	}
	add := middleware.SerializeMiddlewareFunc("RekindlesOwn", func(ctx context.Context, in middleware.SerializeInput, next middleware.SerializeHandler) (middleware.SerializeOutput, middleware.Metadata, error) {
		request, ok := in.Request.(*smithyhttp.Request)
		if !ok {
			return middleware.SerializeOutput{}, middleware.Metadata{}, fmt.Errorf("unknown kind of request %T", in.Request)
		}
		body, err := io.ReadAll(request.GetStream())
		if err == nil {
			request, err = request.SetStream(strings.NewReader(string(body) + parameters))
		}
		if err != nil {
			return middleware.SerializeOutput{}, middleware.Metadata{}, err
		}
		in.Request = request
		return next.HandleSerialize(ctx, in)
	})
	return elasticache.WithAPIOptions(func(stack *middleware.Stack) error { return stack.Serialize.Add(add, middleware.After) })
}
