package impact

import (
	"context"
	"errors"
	"math"
	"sync"
	"time"

	"rekindle/internal/resp"
	"rekindle/jobs/reach"
	"rekindle/models"
)

// watch looks at one node, by a connection of its own.
type watch struct {
	part    *Part
	cluster models.Cluster
	node    models.Node
	ready   chan struct{} // closed when there are enough samples from before the reading, or there will be none
	now     chan struct{} // has it looked at out of turn
	seen    series
	note    string
	forks   forks
	count   int   // samples
	last    int64 // when commands were last counted, in milliseconds since measuring began
	done    int64 // commands that the node had carried out by then; -1: not known
	asked   int64 // samples since then, and the next
}

func newWatch(p *Part, cluster models.Cluster, node models.Node) *watch {
	return &watch{part: p, cluster: cluster, node: node, ready: make(chan struct{}), now: make(chan struct{}, 1), done: -1}
}

// pause is how long a node is left alone between two samples: what is short needs close ones, what is long must not be disturbed by many.
func pause(phaseFor time.Duration) time.Duration {
	switch {
	case phaseFor < 500*time.Millisecond:
		return 30 * time.Millisecond
	case phaseFor < 15*time.Second:
		return 250 * time.Millisecond
	}
	return time.Second
}

// look samples the node until there is nothing more to see.
func (w *watch) look(ctx context.Context) {
	enough := sync.OnceFunc(func() { close(w.ready) })
	defer enough()
	conn, err := w.dial(ctx)
	if err != nil {
		w.fail(ctx, err)
		return
	}
	defer conn.Close()
	for {
		over := isDone(w.part.done)
		if err := w.sample(ctx, conn); err != nil {
			w.fail(ctx, err)
			return
		}
		if w.count++; w.count >= seenFirst {
			enough()
		}
		if over {
			return
		}
		_, phaseFor := w.part.phase()
		timer := time.NewTimer(pause(phaseFor))
		select {
		case <-timer.C:
		case <-w.now:
		case <-w.part.done:
		case <-ctx.Done():
		}
		timer.Stop()
	}
}

func isDone(done <-chan struct{}) bool {
	select {
	case <-done:
		return true
	default:
		return false
	}
}

func (w *watch) dial(ctx context.Context) (*resp.Conn, error) {
	o, err := reach.Node(w.cluster, w.node)
	if err != nil {
		return nil, err
	}
	o.Timeout = patience
	return resp.Dial(ctx, o)
}

const (
	own      = 2  // commands that a sample is
	shortest = 20 // milliseconds over which commands are counted: the figure of fewer is chance
)

// rate is how many commands a second the node has carried out since they were last counted; -1: not known. done are all that it ever did, and start
// anew when somebody resets its statistics.
func (w *watch) rate(at, done int64) float64 {
	span, more := at-w.last, done-w.done-own*w.asked
	if w.done >= 0 && span < shortest {
		w.asked++
		return -1
	}
	known := w.done >= 0 && done >= w.done
	w.last, w.done, w.asked = at, done, 1
	if !known {
		return -1
	}
	return float64(max(0, more)) / float64(span) * 1000
}

// sample asks the node how it is. What a sample is of is decided by when it began: a PING that waits for a fork belongs to the reading.
func (w *watch) sample(ctx context.Context, conn *resp.Conn) error {
	phase, _ := w.part.phase()
	asked := time.Now()
	if _, err := conn.Do(ctx, "PING"); err != nil {
		return err
	}
	ping := time.Since(asked)
	info, err := conn.Info(ctx)
	if err != nil {
		return err
	}
	s := models.ImpactSample{At: w.part.elapsed(), Phase: phase, Ping: ping.Microseconds(), Memory: info.Int("used_memory_rss"), Waits: info.Int("blocked_clients")}
	s.Rate = w.rate(s.At, info.Int("total_commands_processed"))
	replica := info["role"] == "slave"
	if offset := info.Int("master_repl_offset"); !replica {
		w.part.behind(true, offset)
	} else if w.node.Role == models.RoleReplica {
		s.Lag = w.part.behind(false, info.Int("slave_repl_offset"))
	}
	w.forks.add(phase, info)
	w.seen.add(s)
	return nil
}

// fail writes down why there will be no more samples, unless the snapshot has ended anyway.
func (w *watch) fail(ctx context.Context, err error) {
	refused, answered := errors.AsType[resp.Error](err)
	switch {
	case ctx.Err() != nil:
	case answered && refused.PasswordRefused():
		w.note = "Not measured: the node does not accept the console's password."
	case answered && refused.Code() == "NOPERM":
		w.note = "Not measured: the console's user lacks the right to PING or INFO."
	case answered:
		w.note = "Not measured: the node did not answer PING or INFO."
	case w.count == 0:
		w.note = "Not measured: no connection for that could be made."
	default:
		w.note = "Not measured to the end: the node broke off the connection, or did not answer in time."
	}
}

func (w *watch) result(byKey bool) models.NodeImpact {
	n := models.NodeImpact{Name: w.node.Name, Role: w.node.Role, Note: w.note, Samples: w.seen.samples}
	for i := range n.Samples {
		n.Samples[i].Rate = math.Round(n.Samples[i].Rate*10) / 10 // more digits only take room
	}
	if w == w.part.watches[0] && !byKey {
		n.Forked, n.ForkMicros, n.CopyOnWrite = w.forks.result()
	}
	return n
}
