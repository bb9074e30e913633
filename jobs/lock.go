package jobs

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"rekindle/internal/drain"
	"rekindle/jobs/queue"
	"rekindle/models/catalog"
)

// locks are the locks on the nodes of clusters, shared by all consoles.
type locks struct {
	db     *catalog.DB
	lease  *queue.Lease
	logger *slog.Logger
}

// lock takes the lock on the nodes of this cluster, and waits while somebody else has it.
func (l *locks) lock(ctx context.Context, cluster string) (unlock func(), err error) {
	for {
		unlock, taken, err := l.try(ctx, cluster)
		if err != nil || taken {
			return unlock, err
		}
		if !drain.Pause(ctx, 50*time.Millisecond) {
			return nil, fmt.Errorf("lock %s: %w", cluster, context.Cause(ctx))
		}
	}
}

// try takes the lock on the nodes of a cluster if nobody has it.
func (l *locks) try(ctx context.Context, cluster string) (unlock func(), taken bool, err error) {
	owner := l.lease.Owner()
	if taken, err = l.db.Locks.Try(ctx, cluster, owner); err != nil || !taken {
		return nil, false, err
	}
	return func() {
		if err := l.db.Locks.Release(context.WithoutCancel(ctx), cluster, owner); err != nil {
			l.logger.Error("unlock", "cluster", cluster, "error", err)
		}
	}, true, nil
}
