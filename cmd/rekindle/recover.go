package main

import (
	"context"
	"fmt"
	"io"
	"net/url"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/elasticache"
	"github.com/aws/smithy-go/middleware"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"rekindle/models"
)

const recoverUse = "rekindle recover CLUSTER --to MOMENT --as NAME [--wait]"

// runRecover is "rekindle recover CLUSTER --to MOMENT --as NAME".
func runRecover(ctx context.Context, args []string, getenv func(string) string, stdout, stderr io.Writer) error {
	flags := newFlags("recover", `Make a snapshot of a cluster as it was at a moment, by a running console: `+recoverUse+`. The snapshot's name is printed.
`+accessHelp, getenv, stdout)
	connect := declareClient(flags)
	to := flags.string("to", "", "`moment` in UTC, such as 2026-11-27T10:41:07Z")
	name := flags.string("as", "", "`name` of the snapshot")
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
	case *name == "":
		return misuse("say what the snapshot is called: %s", recoverUse)
	case !understood:
		return misuse("--to must be a moment such as 2026-11-27T10:41:07Z, not %q", *to)
	}
	c, err := connect()
	if err != nil {
		return err
	}
	made, err := c.takeSnapshot(ctx, cluster, *name, asItWas(moment))
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

// asItWas adds to CreateSnapshot a parameter that ElastiCache does not have: the request is written by then, and not yet signed.
func asItWas(moment time.Time) func(*elasticache.Options) {
	parameter := "&RecoverTo=" + url.QueryEscape(moment.UTC().Format(time.RFC3339Nano))
	add := middleware.SerializeMiddlewareFunc("RecoverTo", func(ctx context.Context, in middleware.SerializeInput, next middleware.SerializeHandler) (middleware.SerializeOutput, middleware.Metadata, error) {
		request, ok := in.Request.(*smithyhttp.Request)
		if !ok {
			return middleware.SerializeOutput{}, middleware.Metadata{}, fmt.Errorf("unknown kind of request %T", in.Request)
		}
		body, err := io.ReadAll(request.GetStream())
		if err == nil {
			request, err = request.SetStream(strings.NewReader(string(body) + parameter))
		}
		if err != nil {
			return middleware.SerializeOutput{}, middleware.Metadata{}, err
		}
		in.Request = request
		return next.HandleSerialize(ctx, in)
	})
	return elasticache.WithAPIOptions(func(stack *middleware.Stack) error { return stack.Serialize.Add(add, middleware.After) })
}
