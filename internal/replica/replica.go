package replica

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"

	"rekindle/internal/resp"
)

const (
	defaultStartTimeout = 120 * time.Second
	defaultIdleTimeout  = 60 * time.Second
	defaultReplTimeout  = 60 * time.Second // the node's own default
)

// Source is the node to read from.
type Source struct {
	resp.Options
	// PSYNC is what the command is called there (rename-command); "" means PSYNC. A server compares the name, so it treats a renamed PSYNC as SYNC:
	// the data is the same, but nobody says where in the history it is.
	PSYNC string
}

// Options are limits of time; their zero values mean the defaults.
type Options struct {
	// StartTimeout covers everything until the node has begun a synchronisation for us (default 120 s). It includes the node's
	// repl-diskless-sync-delay (5 s) and waiting for the end of another synchronisation.
	StartTimeout time.Duration
	// IdleTimeout is how long the node may be silent after that (default 60 s). A node that prepares its RDB on disk sends a sign of life every
	// second meanwhile.
	IdleTimeout time.Duration
	// OnStall is called at most once, from a goroutine of its own, when nobody has read the stream for three quarters of the node's repl-timeout. The
	// connection is closed then, before the node does so. Its argument wraps [ErrStalled].
	OnStall func(error)
	// Acknowledge tells the node of a Link, each second, what has been stored, so that WAIT and min-replicas-to-write count this replica. Without it
	// the node hears just enough to keep the link, each half of its repl-timeout: WAIT never counts it then, and min-replicas-to-write only for the first
	// seconds (min-replicas-max-lag) after each sign of life.
	Acknowledge bool
}

// Origin says where the data comes from.
type Origin struct {
	ReplicationID string // of the node's history; "": the node did not say, and Offset is 0
	Offset        int64  // place in that history; the data contains everything before it
	Engine        string // "redis" or "valkey"
	Version       string // of the engine: "7.0.15"
	Role          string // "primary" or "replica"
	Keys          int64  // in all databases, from INFO just before
	UsedMemory    int64  // bytes, from INFO just before
	Length        int64  // bytes of the RDB; -1: the node marks the end instead

	ReplTimeout time.Duration // after this long without a read the node cuts us off; 60 s if it does not say
}

// Open starts a full synchronisation and returns when the node is about to send its RDB. ctx covers the Stream's whole life: when it ends, the
// connection closes at once.
//
// Errors wrap [ErrNoMasterLink], [ErrLoading], [ErrAuth] or [ErrRefused] if the node said so, the cause of ctx, os.ErrDeadlineExceeded if the node
// took too long, or a network error.
func Open(ctx context.Context, src Source, o Options) (*Stream, error) {
	if o.StartTimeout <= 0 {
		o.StartTimeout = defaultStartTimeout
	}
	if o.IdleTimeout <= 0 {
		o.IdleTimeout = defaultIdleTimeout
	}
	s, err := open(ctx, src, o)
	if err != nil {
		return nil, fmt.Errorf("synchronise with %s: %w", src.Addr, explain(err))
	}
	return s, nil
}

func open(ctx context.Context, src Source, o Options) (*Stream, error) {
	start := time.Now().Add(o.StartTimeout)
	startCtx, cancel := context.WithDeadline(ctx, start)
	defer cancel()
	c, err := resp.Dial(startCtx, src.Options)
	if err != nil {
		return nil, err
	}
	origin, _, err := introduce(startCtx, c, []string{"rdb-only", "1"}) // spares the node the output buffer (7.0 and later)
	if err == nil {
		err = c.Send(startCtx, cmp.Or(src.PSYNC, "PSYNC"), "?", "-1")
	}
	if err != nil {
		c.Close()
		return nil, err
	}
	s := newStream(ctx, c, o.IdleTimeout)
	s.origin, s.renamed = origin, src.PSYNC != ""
	if err := s.begin(start); err != nil {
		s.Close()
		return nil, err
	}
	s.watch(o.OnStall)
	return s, nil
}

// introduce asks the node what it is and tells it what this replica can do: what every one of them can, and options.
func introduce(ctx context.Context, c *resp.Conn, options ...[]string) (Origin, resp.Info, error) {
	info, err := c.Info(ctx, "server", "replication", "memory", "keyspace")
	if err != nil {
		return Origin{}, nil, err
	}
	o := Origin{Role: "primary", Keys: info.Keys(), UsedMemory: info.Int("used_memory"), Length: -1}
	o.Engine, o.Version = info.Engine()
	if info["role"] == "slave" {
		o.Role = "replica"
	}
	if o.ReplTimeout, err = replTimeout(ctx, c); err != nil {
		return Origin{}, nil, err
	}
	// This makes CLIENT LIST say who this is. It does no harm if the node does not know the command, or does not allow it.
	if _, err := c.Do(ctx, "CLIENT", "SETNAME", "rekindle"); err != nil {
		if _, isReply := errors.AsType[resp.Error](err); !isReply {
			return Origin{}, nil, err
		}
	}
	for _, words := range append([][]string{
		// Valkey 9 writes for an old version unless the replica states its own, and then fails on newer data.
		{"version", o.Version},
		{"capa", "eof", "capa", "psync2"}, // without eof the node writes a file first; with psync2 it goes on after a failover
	}, options...) {
		_, err := c.Do(ctx, append([]string{"REPLCONF"}, words...)...)
		reply, isReply := errors.AsType[resp.Error](err)
		// An option that the node does not know does no harm. If it does not know REPLCONF at all, that is an error.
		if isReply && reply.Code() == "ERR" && !reply.UnknownCommand() {
			continue
		}
		if err != nil {
			return Origin{}, nil, err
		}
	}
	return o, info, nil
}

// replTimeout asks for the node's repl-timeout, which the node need not tell.
func replTimeout(ctx context.Context, c *resp.Conn) (time.Duration, error) {
	v, err := c.Do(ctx, "CONFIG", "GET", "repl-timeout")
	if _, isReply := errors.AsType[resp.Error](err); err != nil && !isReply {
		return 0, err
	}
	if pair := v.Strings(); len(pair) == 2 {
		if seconds, err := strconv.Atoi(pair[1]); err == nil && seconds > 0 {
			return time.Duration(seconds) * time.Second, nil
		}
	}
	return defaultReplTimeout, nil
}

// begin reads the answers to PSYNC up to the RDB's first byte: "+FULLRESYNC <id> <offset>", then "$EOF:<mark>" or "$<length>". Empty lines are signs
// of life. start is when the first line must have arrived.
func (s *Stream) begin(start time.Time) error {
	line, err := s.line(func() time.Time { return start })
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return fmt.Errorf("the node did not begin in time; another synchronisation may be under way there: %w", err)
	}
	if err != nil {
		return err
	}
	words := strings.Fields(line)
	switch {
	case strings.HasPrefix(line, "-"):
		return fmt.Errorf("PSYNC: %w", resp.Error(line[1:]))
	case s.renamed && strings.HasPrefix(line, "$"):
		return s.announced(line)
	case len(words) != 3 || words[0] != "+FULLRESYNC":
		return fmt.Errorf("PSYNC was answered with %.80q: %w", line, resp.ErrProtocol)
	}
	s.origin.ReplicationID = words[1]
	if s.origin.Offset, err = strconv.ParseInt(words[2], 10, 64); err != nil {
		return fmt.Errorf("PSYNC was answered with %.80q: %w", line, resp.ErrProtocol)
	}
	line, err = s.line(func() time.Time { return time.Now().Add(s.idle) })
	if err != nil {
		return fmt.Errorf("the node ended the synchronisation before its data: %w", err)
	}
	return s.announced(line)
}

// announced reads how the RDB will end: "$EOF:<mark>" or "$<length>".
func (s *Stream) announced(line string) (err error) {
	size, ok := strings.CutPrefix(line, "$")
	mark, marked := strings.CutPrefix(size, "EOF:")
	switch {
	case strings.HasPrefix(line, "-"):
		return fmt.Errorf("PSYNC: %w", resp.Error(line[1:]))
	case ok && marked && len(mark) == markSize:
		s.mark = []byte(mark)
		return nil
	case ok && !marked:
		s.left, err = strconv.ParseInt(size, 10, 64)
		if err == nil && s.left >= 0 {
			s.origin.Length = s.left
			return nil
		}
	}
	return fmt.Errorf("the RDB was announced with %.80q: %w", line, resp.ErrProtocol)
}

// line returns the next line that is not empty. deadline is called again for each line, even an empty one.
func (s *Stream) line(deadline func() time.Time) (string, error) {
	for {
		line, err := nextLine(s.conn, deadline())
		if err != nil {
			return "", s.failure(err)
		}
		if line != "" {
			return line, nil
		}
	}
}

// nextLine returns the next line, which may be empty.
func nextLine(c *resp.Conn, deadline time.Time) (string, error) {
	_ = c.NetConn().SetReadDeadline(deadline) // fails on a closed connection, as the read will
	line, err := c.Reader().ReadLine()
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return line, err
}
