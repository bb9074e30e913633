// Package memcached asks memcached servers how they are.
package memcached

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"time"
)

const (
	maxStatsBytes = 1 << 20         // of an answer to stats, which is some 4 KiB long
	probeTimeout  = 5 * time.Second // for an answer
)

// ErrRefused: a server answers, but not to us.
var ErrRefused = errors.New("the server refuses us")

// State is what a memcached server says about itself.
type State struct {
	UsedMemory int64 // bytes, of the items
	MaxMemory  int64 // bytes
	Items      int64
	PID        int // of its process, on its own host
}

// Probe asks the memcached server at addr (host:port) how it is, within 5 s. The error is one of the network, or the server's own refusal (too many
// connections, for example), or says that it is not memcached that answers.
func Probe(ctx context.Context, addr string) (State, error) {
	state, err := probe(ctx, addr)
	if err != nil {
		return State{}, fmt.Errorf("ask memcached at %s: %w", addr, err)
	}
	return state, nil
}

func probe(ctx context.Context, addr string) (State, error) {
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	var dialer net.Dialer
	conn, err := dialer.DialContext(ctx, "tcp", addr)
	if err != nil {
		return State{}, err
	}
	defer func() { _ = conn.Close() }()
	// When the context ends, so does the wait for an answer.
	defer context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })()
	state, err := askStats(conn)
	if err != nil && ctx.Err() != nil {
		err = ctx.Err()
	}
	return state, err
}

func askStats(conn io.ReadWriter) (State, error) {
	if _, err := io.WriteString(conn, "stats\r\n"); err != nil {
		return State{}, err
	}
	stats := map[string]int64{}
	lines := bufio.NewReader(io.LimitReader(conn, maxStatsBytes))
	for {
		line, err := lines.ReadString('\n')
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		if err != nil {
			return State{}, err
		}
		words := strings.Fields(line)
		switch {
		case len(words) == 1 && words[0] == "END":
			return stateOf(stats)
		case len(words) > 0 && strings.HasSuffix(words[0], "ERROR"): // ERROR, SERVER_ERROR, CLIENT_ERROR
			return State{}, fmt.Errorf("%w: %.100q", ErrRefused, strings.TrimSpace(line))
		case len(words) < 2 || words[0] != "STAT":
			return State{}, fmt.Errorf("that is not memcached: it answers %.100q", strings.TrimSpace(line))
		}
		if len(words) == 3 {
			if n, err := strconv.ParseInt(words[2], 10, 64); err == nil {
				stats[words[1]] = n
			}
		}
	}
}

func stateOf(stats map[string]int64) (State, error) {
	for _, name := range []string{"pid", "bytes", "limit_maxbytes", "curr_items"} {
		if _, there := stats[name]; !there {
			return State{}, errors.New("its answer has no " + name)
		}
	}
	return State{
		UsedMemory: stats["bytes"], MaxMemory: stats["limit_maxbytes"], Items: stats["curr_items"], PID: int(stats["pid"]),
	}, nil
}
