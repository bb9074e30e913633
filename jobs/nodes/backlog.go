package nodes

import (
	"context"
	"fmt"
	"strconv"

	"rekindle/models"
)

// Limits of a launched node's backlog while its journal is kept, in bytes. A link that is away for less than it holds continues without a gap.
const (
	leastBacklog = 16 << 20
	mostBacklog  = 256 << 20
)

// Widen makes the backlog of a launched node as large as its journal needs: an eighth of its memory. A backlog that is larger already stays.
func Widen(ctx context.Context, cluster models.Cluster, node models.Node) error {
	ctx, cancel := context.WithTimeout(ctx, 2*ProbeTimeout)
	defer cancel()
	conn, err := Dial(ctx, cluster, node)
	if err != nil {
		return fmt.Errorf("look at the backlog of %s: %w", node.Name, err)
	}
	defer conn.Close()
	info, err := conn.Info(ctx, "replication")
	if err != nil {
		return fmt.Errorf("look at the backlog of %s: %w", node.Name, err)
	}
	want := min(max(cluster.MaxMemory()/8, leastBacklog), mostBacklog)
	if info.Int("repl_backlog_size") >= want {
		return nil
	}
	if _, err := conn.Do(ctx, "CONFIG", "SET", "repl-backlog-size", strconv.FormatInt(want, 10)); err != nil {
		return fmt.Errorf("widen the backlog of %s: %w", node.Name, err)
	}
	return nil
}
