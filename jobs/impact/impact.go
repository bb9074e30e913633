// Package impact measures what a snapshot costs the nodes that it is taken from: how long they fork, what copy-on-write takes, and how fast they
// answer before, during and after. It only sends PING and INFO, never delays the end of a snapshot, and never makes one fail.
package impact

import (
	"context"
	"sync"
	"time"

	"rekindle/models"
)

const (
	parts     = 8                      // that are measured at most
	before    = 250 * time.Millisecond // the longest that a reading waits for samples from before it
	after     = 3 * time.Second        // how long a node is looked at when it has sent all
	lastLook  = 300 * time.Millisecond // that the last samples may take
	patience  = 10 * time.Second       // for one sample: a node that forks answers late
	seenFirst = 4                      // samples from before a reading that it waits for
)

// Meter measures the parts of one snapshot, the first ones in detail.
type Meter struct {
	cluster models.Cluster
	now     func() time.Time
	ctx     context.Context // of all samples
	cancel  context.CancelFunc
	looking sync.WaitGroup
	mu      sync.Mutex
	parts   []*Part
	more    int
}

// New makes a meter for a snapshot of this cluster. Nothing is measured yet. [Meter.Close] must be called.
func New(ctx context.Context, cluster models.Cluster, now func() time.Time) *Meter {
	m := &Meter{cluster: cluster, now: now}
	m.ctx, m.cancel = context.WithCancel(ctx)
	return m
}

// Part begins to measure the nodes of a shard that is about to be read. [Part.End] must be called. It returns nil when enough is measured already.
func (m *Meter) Part(source models.SnapshotSource) *Part {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.parts) == parts {
		m.more++
		return nil
	}
	p := &Part{start: time.Now(), done: make(chan struct{})}
	p.seen = models.PartImpact{Shard: source.Shard.Number, Since: m.now(), ByKey: m.cluster.ReadByKey()}
	p.watches = []*watch{newWatch(p, m.cluster, source.Node)}
	if primary, found := source.Shard.Primary(); found && primary.Name != source.Node.Name {
		p.watches = append(p.watches, newWatch(p, m.cluster, primary))
	}
	for _, w := range p.watches {
		m.looking.Go(func() { w.look(m.ctx) })
	}
	m.parts = append(m.parts, p)
	return p
}

// Close takes a last sample of what is still being looked at, and returns all that was seen.
func (m *Meter) Close() models.Impact {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, p := range m.parts {
		p.close()
	}
	overdue := time.AfterFunc(lastLook, m.cancel)
	m.looking.Wait()
	overdue.Stop()
	m.cancel()
	all := models.Impact{More: m.more}
	for _, p := range m.parts {
		all.Parts = append(all.Parts, p.result())
	}
	return all
}

// Part is one reading of a shard. A nil Part measures nothing.
type Part struct {
	start   time.Time // on the steady clock, which samples are timed by
	watches []*watch
	done    chan struct{} // closed when there is nothing more to see
	once    sync.Once
	mu      sync.Mutex
	seen    models.PartImpact
	head    int64 // the primary's offset, as last seen; 0: not yet
}

// Begin says that the node begins to serve now. It first waits a moment for samples from before that.
func (p *Part) Begin(ctx context.Context) {
	if p == nil {
		return
	}
	timer := time.NewTimer(before)
	defer timer.Stop()
	for _, w := range p.watches {
		select {
		case <-w.ready:
		case <-timer.C:
			timer.Reset(0) // for the next one
		case <-ctx.Done():
		}
	}
	p.mu.Lock()
	p.seen.Begun = max(1, p.elapsed())
	p.mu.Unlock()
	p.poke()
}

// End says that the node has sent all, or will not. It may be called again.
func (p *Part) End() {
	if p == nil {
		return
	}
	p.mu.Lock()
	first := p.seen.Ended == 0
	if first {
		p.seen.Ended = max(1, p.elapsed())
	}
	p.mu.Unlock()
	if first {
		p.poke()
		time.AfterFunc(after, p.close)
	}
}

func (p *Part) close() { p.once.Do(func() { close(p.done) }) }

// poke has each node looked at now.
func (p *Part) poke() {
	for _, w := range p.watches {
		select {
		case w.now <- struct{}{}:
		default:
		}
	}
}

func (p *Part) elapsed() int64 { return time.Since(p.start).Milliseconds() }

// phase returns what goes on at present, and for how long.
func (p *Part) phase() (models.SamplePhase, time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	phase, since := models.PhaseBefore, int64(0)
	if p.seen.Ended > 0 {
		phase, since = models.PhaseAfter, p.seen.Ended
	} else if p.seen.Begun > 0 {
		phase, since = models.PhaseDuring, p.seen.Begun
	}
	return phase, time.Duration(p.elapsed()-since) * time.Millisecond
}

// behind is how many bytes a replica with this offset is behind its primary, as far as that was seen. A primary's offset is remembered.
func (p *Part) behind(primary bool, offset int64) int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	if primary {
		p.head = offset
	}
	return max(0, p.head-offset)
}

// result is what was seen. Nobody looks any more.
func (p *Part) result() models.PartImpact {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, w := range p.watches {
		p.seen.Nodes = append(p.seen.Nodes, w.result(p.seen.ByKey))
	}
	return p.seen
}
