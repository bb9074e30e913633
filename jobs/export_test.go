package jobs

import (
	"context"
	"time"

	"rekindle/internal/drain"
	"rekindle/models"
)

// Settle is how a run ends whose body returned err.
func (m *Manager) Settle(ctx context.Context, run models.Run, err error) error {
	return m.queue.Settle(ctx, run, err)
}

// Freeze has the lease not be renewed any more, as in a process that is stopped by a signal.
func (m *Manager) Freeze() {
	ctx, cancel := context.WithCancel(context.Background())
	cancel() // so that it is not given back either
	_ = m.lease.Stop(ctx)
}

// Hold is what is asked before anything is committed or removed.
func (m *Manager) Hold(ctx context.Context) error { return m.lease.Hold(ctx) }

// Settled waits until this console does not work on a run any more.
func (m *Manager) Settled(run uint) {
	for m.queue.Working(run) {
		drain.Pause(context.Background(), time.Millisecond)
	}
}

// Sweep is the hourly sweep of the store.
func (m *Manager) Sweep(ctx context.Context) { m.vault.Sweeper.SweepStore(ctx) }

// Recover is the tick that settles what was cut off, after the first one.
func (m *Manager) Recover(ctx context.Context) {
	<-m.vault.Sweeper.Looked()
	m.vault.Sweeper.Recover(ctx)
}

// TakeBack is the hourly tick for what was left in other stores.
func (m *Manager) TakeBack(ctx context.Context) { m.vault.Sweeper.TakeBack(ctx) }

// What people read of a restore that has ended in its middle.
var (
	HalfWritten = halfWritten
	Sentence    = sentence
)

// Tune changes the settings of a node for a run, and returns what puts them back.
func (m *Manager) Tune(ctx context.Context, run models.Run, cluster models.Cluster, node models.Node) (putBack func()) {
	return m.tuner.Tune(ctx, run, cluster, node)
}

// Rescue is the tick that puts back what was left changed on nodes.
func (m *Manager) Rescue(ctx context.Context) { m.tuner.Rescue(ctx) }
