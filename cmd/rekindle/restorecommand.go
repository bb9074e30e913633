package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/elasticache"
)

const restoreUse = "rekindle restore SNAPSHOT --as NAME [--wait]"

// restorePassword is the variable with the password of the new cluster.
const restorePassword = "REKINDLE_RESTORE_PASSWORD"

// runRestore is "rekindle restore SNAPSHOT --as NAME".
func runRestore(ctx context.Context, args []string, getenv func(string) string, stdout, stderr io.Writer) error {
	flags := newFlags("restore", `Restore a snapshot into a new cluster, by a running console: `+restoreUse+`. The cluster's name is printed.
Its password, if it is to have one, comes from `+restorePassword+`: that of the snapshot's cluster is in no snapshot.
`+accessHelp, getenv, stdout)
	connect := declareClient(flags)
	input, read := declareRestore(flags)
	wait := flags.Bool("wait", false, waitUsage)
	asJSON := flags.Bool("json", false, jsonUsage)
	snapshot, err := flags.parseWith(args)
	if err != nil {
		return err
	}
	if snapshot == "" {
		return misuse("say which snapshot: %s", restoreUse)
	}
	if err := read(); err != nil {
		return err
	}
	input.SnapshotName = &snapshot
	if *input.ReplicationGroupDescription == "" {
		input.ReplicationGroupDescription = aws.String("restored from " + snapshot)
	}
	c, err := connect()
	if err != nil {
		return err
	}
	answer, err := c.CreateReplicationGroup(ctx, input)
	if err != nil {
		return c.explain(err)
	}
	made := clusterOfGroup(*answer.ReplicationGroup)
	if !*asJSON {
		fmt.Fprintln(stdout, made.Name)
	}
	if *wait {
		if made, err = c.awaitCluster(ctx, made, terminalOf(stderr)); err != nil {
			return err
		}
	}
	if *asJSON {
		return printJSON(stdout, map[string]any{"format_version": listingVersion, "cluster": made})
	}
	return nil
}

// declareRestore declares the flags that say what the new cluster is to be like.
func declareRestore(flags *flagSet) (*elasticache.CreateReplicationGroupInput, declaration) {
	name := flags.string("as", "", "`name` of the new cluster")
	description := flags.string("description", "", "`text` that says what it is for (default: which snapshot it was restored from)")
	nodeType := flags.string("node-type", "", "`type` of its nodes, such as cache.t4g.micro (default: that of the snapshot's cluster)")
	version := flags.string("engine-version", "", "`version` of the engine (default: the newest installed one)")
	var shards, replicas, port, retention count
	flags.Var(&shards, "shards", "how `many` shards (default: as many as the snapshot has)")
	flags.Var(&replicas, "replicas", "how `many` replicas each shard has (default: none)")
	flags.Var(&port, "node-port", "`port` of its nodes (default: 6379)")
	flags.Var(&retention, "retention", "`days` for which its automatic snapshots are kept, 1 to 35 (default: none are taken)")
	input := &elasticache.CreateReplicationGroupInput{}
	return input, func() error {
		if *name == "" {
			return misuse("say what the new cluster is called: %s", restoreUse)
		}
		input.ReplicationGroupId = name
		input.ReplicationGroupDescription = description
		input.CacheNodeType, input.EngineVersion, input.AuthToken = given(*nodeType), given(*version), given(flags.getenv(restorePassword))
		input.NumNodeGroups, input.ReplicasPerNodeGroup, input.Port, input.SnapshotRetentionLimit = shards.number(), replicas.number(), port.number(), retention.number()
		return nil
	}
}

// given is a text for a request; nil leaves it out.
func given(text string) *string {
	if text == "" {
		return nil
	}
	return &text
}

// count is a number that a flag gives; 0 leaves it out.
type count uint16

func (c *count) String() string {
	if *c == 0 {
		return ""
	}
	return strconv.Itoa(int(*c))
}

// Set reads the number.
func (c *count) Set(text string) error {
	n, err := strconv.ParseUint(text, 10, 16)
	if err != nil {
		return errors.New("it must be a number from 0 to 65535")
	}
	*c = count(n)
	return nil
}

// number is the number for a request; nil leaves it out.
func (c *count) number() *int32 {
	if *c == 0 {
		return nil
	}
	return aws.Int32(int32(*c))
}

// awaitCluster waits until a new cluster is available; an end in any other state is an error with the console's sentence.
func (c *apiClient) awaitCluster(ctx context.Context, l listedCluster, terminal io.Writer) (listedCluster, error) {
	status, err := c.await(ctx, "the cluster "+l.Name, terminal, func(ctx context.Context) (string, error) {
		found, err := c.DescribeReplicationGroups(ctx, &elasticache.DescribeReplicationGroupsInput{ReplicationGroupId: &l.Name})
		if err != nil {
			return "", err
		}
		l = clusterOfGroup(found.ReplicationGroups[0])
		return l.Status, nil
	})
	switch {
	case err != nil || status == available:
		return l, err
	case status == "deleting":
		return l, fmt.Errorf("the cluster %s is being deleted", l.Name)
	}
	said := c.said(ctx, l.Name, l.sourceType, "The cluster "+l.Name+" ")
	return l, errors.New(cmp.Or(strings.TrimSpace(said), fmt.Sprintf("the cluster %s could not be restored; its page in the console says why", l.Name)))
}
