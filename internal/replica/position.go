package replica

import (
	"context"
	"fmt"

	"rekindle/internal/resp"
)

// At is a place in a history: behind its first Offset bytes.
type At struct {
	ReplicationID string
	Offset        int64
}

// Position is where a node is in its history, and how much of the stream it still has. A Link can follow from each place from First up to Offset.
type Position struct {
	At               // where it is now
	Role      string // "primary" or "replica"
	Linked    bool   // a primary, or a replica whose link to its primary is up
	Backlog   bool   // it keeps a backlog; without one no Link can follow
	Capacity  int64  // of the backlog, in bytes
	First     int64  // first place that the backlog has
	Former    At     // what the history was called before a failover, and up to which place; "": it always had its id
	announced bool   // INFO says so
}

// Current asks a node where it is. Errors are those of [Open].
func Current(ctx context.Context, src Source) (Position, error) {
	c, err := resp.Dial(ctx, src.Options)
	if err == nil {
		defer c.Close()
		var info resp.Info
		if info, err = c.Info(ctx, "replication"); err == nil {
			return position(info), nil
		}
	}
	return Position{}, fmt.Errorf("ask %s for its place in its history: %w", src.Addr, explain(err))
}

func position(info resp.Info) Position {
	p := Position{
		At:       At{info["master_replid"], info.Int("master_repl_offset")},
		Role:     "primary",
		Linked:   true,
		Backlog:  info.Int("repl_backlog_active") == 1,
		Capacity: info.Int("repl_backlog_size"),
	}
	_, p.announced = info["repl_backlog_active"]
	if info["role"] == "slave" {
		p.Role, p.Linked = "replica", info["master_link_status"] == "up"
	}
	if p.Backlog { // INFO counts bytes from 1
		p.First = info.Int("repl_backlog_first_byte_offset") - 1
	}
	if second := info.Int("second_repl_offset"); second > 0 {
		p.Former = At{info["master_replid2"], second - 1}
	}
	return p
}

// Has says whether a Link can follow from a place.
func (p Position) Has(at At) bool {
	known := at.ReplicationID == p.ReplicationID || at.ReplicationID == p.Former.ReplicationID && at.Offset <= p.Former.Offset
	return p.Backlog && known && p.First <= at.Offset && at.Offset <= p.Offset
}
