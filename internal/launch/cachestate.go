package launch

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

const maxStatsBytes = 1 << 20 // of an answer to stats, which has some 4 KiB

// CacheState is what a memcached server says about itself.
type CacheState struct {
	UsedMemory int64 // bytes, of the items
	MaxMemory  int64 // bytes
	Items      int64
	PID        int // of its process, on its own host
}

// ProbeCache asks the memcached server at addr (host:port) how it is, within 5 s. The error is one of the network, the server's own
// refusal (too many connections, say), or says that what answers is no memcached.
func ProbeCache(ctx context.Context, addr string) (CacheState, error) {
	state, err := probeCache(ctx, addr)
	if err != nil {
		return CacheState{}, fmt.Errorf("ask memcached at %s: %w", addr, err)
	}
	return state, nil
}

func probeCache(ctx context.Context, addr string) (CacheState, error) {
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	var dialer net.Dialer
	conn, err := dialer.DialContext(ctx, "tcp", addr)
	if err != nil {
		return CacheState{}, err
	}
	defer func() { _ = conn.Close() }()
	// Whatever ends the context ends the waiting for an answer.
	defer context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })()
	state, err := askStats(conn)
	if err != nil && ctx.Err() != nil {
		err = ctx.Err()
	}
	return state, err
}

func askStats(conn io.ReadWriter) (CacheState, error) {
	if _, err := io.WriteString(conn, "stats\r\n"); err != nil {
		return CacheState{}, err
	}
	stats := map[string]int64{}
	lines := bufio.NewReader(io.LimitReader(conn, maxStatsBytes))
	for {
		line, err := lines.ReadString('\n')
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		if err != nil {
			return CacheState{}, err
		}
		words := strings.Fields(line)
		switch {
		case len(words) == 1 && words[0] == "END":
			return cacheState(stats)
		case len(words) > 0 && strings.HasSuffix(words[0], "ERROR"): // ERROR, SERVER_ERROR, CLIENT_ERROR
			return CacheState{}, fmt.Errorf("%w: %.100q", errRefused, strings.TrimSpace(line))
		case len(words) < 2 || words[0] != "STAT":
			return CacheState{}, fmt.Errorf("that is no memcached: it answers %.100q", strings.TrimSpace(line))
		}
		if len(words) == 3 {
			if n, err := strconv.ParseInt(words[2], 10, 64); err == nil {
				stats[words[1]] = n
			}
		}
	}
}

func cacheState(stats map[string]int64) (CacheState, error) {
	for _, name := range []string{"pid", "bytes", "limit_maxbytes", "curr_items"} {
		if _, there := stats[name]; !there {
			return CacheState{}, errors.New("its answer has no " + name)
		}
	}
	return CacheState{
		UsedMemory: stats["bytes"], MaxMemory: stats["limit_maxbytes"], Items: stats["curr_items"], PID: int(stats["pid"]),
	}, nil
}
