package logical

import (
	"errors"
	"fmt"
	"maps"
	"strconv"
	"strings"

	"rekindle/internal/resp"
)

// What may become of a node while it is read. What was read then is nothing that anybody wants to have back, so the RDB gets no end.
var (
	// ErrWiped says that whole databases were deleted or exchanged.
	ErrWiped = errors.New("whole databases were deleted or exchanged while their keys were read (FLUSHALL, FLUSHDB or SWAPDB)")
	// ErrReplaced says that the node was restarted, or has another role or another primary than before.
	ErrReplaced = errors.New("the node was restarted, or changed its role or its primary, while its keys were read")
	// ErrShrunk says that most keys went, of a node that does not tell how often a command was called.
	ErrShrunk = errors.New("more than half of a database's keys went while they were read")
)

// wipes are the commands that delete or exchange whole databases.
var wipes = []string{"flushall", "flushdb", "swapdb"}

// fewKeys may go without a reason.
const fewKeys = 100

// marks tell at the end whether the node is still what it was at the beginning.
type marks struct {
	identity [2]string        // its run and its role; "": it does not say
	history  string           // that its data has
	calls    map[string]int64 // how often commands were called
	lasting  map[int]int64    // how many keys of each database have no expiry
}

func marksOf(info resp.Info) marks {
	m := marks{identity: [2]string{info["run_id"], info["role"]}, history: historyOf(info), calls: make(map[string]int64), lasting: info.Lasting()}
	for name, value := range info {
		if command, is := strings.CutPrefix(name, "cmdstat_"); is {
			calls, _, _ := strings.Cut(strings.TrimPrefix(value, "calls="), ",")
			m.calls[command], _ = strconv.ParseInt(calls, 10, 64)
		}
	}
	return m
}

// historyOf is where the data comes from: for a replica its primary, for a primary the one that it was a replica of last. A primary's own history also begins
// anew when its first replica comes.
func historyOf(info resp.Info) string {
	history := info["master_replid"]
	if info["role"] != "slave" {
		history = info["master_replid2"]
	}
	return strings.TrimLeft(history, "0") // nothing but zeros: there is none
}

// compare says what became of the node, of which so many pages of names were asked for and so many keys without an expiry were read
// of each database.
func (m marks) compare(now marks, pages int64, read map[int]int64) error {
	for i, was := range m.identity {
		if is := now.identity[i]; is != was && is != "" && was != "" {
			return fmt.Errorf("%w: %s, before %s", ErrReplaced, is, was)
		}
	}
	if now.history != m.history && now.history != "" {
		return fmt.Errorf("%w: its history is %s, before %s", ErrReplaced, now.history, m.history)
	}
	for _, command := range wipes {
		if now.calls[command] > m.calls[command] {
			return fmt.Errorf("%w: %s", ErrWiped, command)
		}
	}
	if now.calls["scan"]-m.calls["scan"] >= pages { // so it does count, and did not begin anew
		return nil
	}
	for db, lasting := range m.lasting {
		left := min(read[db], now.lasting[db])
		if lasting-left > max(lasting/2, fewKeys) {
			return fmt.Errorf("%w: database %d had %d keys without an expiry, of which at most %d are left", ErrShrunk, db, lasting, left)
		}
	}
	return nil
}

// look asks for what is needed of INFO. Sections that the node does not have, or does not give away, are empty.
func (n *node) look() (resp.Info, error) {
	info, err := n.conn.Info(n.ctx, "server", "replication", "memory", "cluster", "keyspace")
	if err != nil {
		return nil, err
	}
	counted, err := n.conn.Info(n.ctx, "commandstats")
	if _, refused := errors.AsType[resp.Error](err); err != nil && !refused {
		return nil, err
	}
	maps.Copy(info, counted)
	return info, nil
}

// same makes sure that the node is still what it was.
func (t *taking) same() error {
	info, err := t.look()
	if err != nil {
		return err
	}
	return t.marks.compare(marksOf(info), t.pages, t.lasting)
}
