package jobs

import (
	"context"
	"errors"
	"fmt"
	"time"

	"rekindle/internal/drain"
	"rekindle/internal/words"
	"rekindle/jobs/nodes"
	"rekindle/jobs/queue"
	"rekindle/models"
)

// catchUpTimeout bounds how long a cluster may take to receive what its source had when completion was requested.
const catchUpTimeout = 10 * time.Second

// migrator moves the data of running servers into launched clusters. A cluster follows the server until it takes over. Between the two
// runs, the supervisor looks after it.
type migrator struct {
	Config
	locks *locks
}

// TestMigration checks, without changing anything, whether the data of the server at this address can be moved into a cluster. If not, it
// returns [models.Faults].
func (m *Manager) TestMigration(ctx context.Context, name, source string) (models.MigrationSource, error) {
	cluster, err := m.DB.Clusters.Get(ctx, name)
	if err != nil {
		return models.MigrationSource{}, err
	}
	if source, err = models.CheckMigration(cluster, source); err != nil {
		return models.MigrationSource{}, err
	}
	primary, err := onlyPrimary(cluster)
	if err != nil {
		return models.MigrationSource{}, err
	}
	found, err := m.migrator.examine(ctx, cluster, primary, source)
	if err != nil {
		return found, err
	}
	info, err := nodes.Ask(ctx, cluster, primary, "keyspace")
	if err != nil {
		return found, m.migrator.silent(cluster, primary, err)
	}
	return found, models.CheckEmpty(cluster, info.Keys())
}

// begin is the body of a run that makes a cluster follow an outside server. Each step can be repeated. On failure the cluster's primary
// is left as it was.
func (m *migrator) begin(ctx context.Context, run models.Run, args models.MigrateArgs, report *queue.Report) error {
	unlock, cluster, primary, err := m.take(ctx, run)
	if err != nil {
		return err
	}
	defer unlock()
	address, follows, err := nodes.Follows(ctx, cluster, primary)
	if err != nil {
		return because(err, "The primary %s does not answer.", primary.Name)
	}
	cluster.Migration = models.Migration{Source: args.Source, Address: address}
	if !follows || nodes.IsHeld(address) { // otherwise an interrupted run has already made the primary follow
		if cluster.Migration.Address, err = m.lead(ctx, cluster, primary, report); err != nil && ctx.Err() == nil {
			return errors.Join(err, m.release(ctx, cluster, primary))
		} else if err != nil {
			return err // the console is stopping: the run will start over
		}
	}
	return m.DB.Migrations.Began(context.WithoutCancel(ctx), run, cluster.Migration,
		fmt.Sprintf("The cluster %s follows %s and is receiving its data. It accepts no writes until the migration is completed.", cluster.Name, args.Source))
}

// take locks the nodes of a cluster and finds its primary.
func (m *migrator) take(ctx context.Context, run models.Run) (unlock func(), cluster models.Cluster, primary models.Node, err error) {
	if unlock, err = m.locks.lock(ctx, run.ClusterName); err != nil {
		return nil, cluster, primary, err
	}
	if cluster, err = m.DB.Clusters.ByID(ctx, run.ClusterID); err == nil {
		primary, err = onlyPrimary(cluster)
	}
	if err != nil {
		unlock()
		return nil, cluster, primary, err
	}
	return unlock, cluster, primary, nil
}

func onlyPrimary(cluster models.Cluster) (models.Node, error) {
	primaries := cluster.Primaries()
	if len(primaries) != 1 {
		return models.Node{}, models.Refuse(models.CodeClusterState, "", fmt.Sprintf("The cluster %s has no primary.", cluster.Name))
	}
	return primaries[0], nil
}

// lead makes an empty primary follow the source, and returns the address that it follows. Writes are blocked before it checks that the
// primary is empty.
func (m *migrator) lead(ctx context.Context, cluster models.Cluster, primary models.Node, report *queue.Report) (string, error) {
	source := cluster.Migration.Source
	report.Stage("Looking at "+source, nil)
	found, err := m.examine(ctx, cluster, primary, source)
	if err != nil {
		return "", err
	}
	report.Stage(fmt.Sprintf("Making %s follow %s", primary.Name, source), nil)
	if err := nodes.Hold(ctx, cluster, primary); err != nil {
		return "", err
	}
	info, err := nodes.Ask(ctx, cluster, primary, "keyspace")
	if err != nil {
		return "", err
	}
	if err := models.CheckEmpty(cluster, info.Keys()); err != nil {
		return "", err
	}
	cluster.Migration.Address = found.Address
	return found.Address, nodes.FollowSource(ctx, cluster, primary)
}

// release makes a primary independent again after a migration could not begin.
func (m *migrator) release(ctx context.Context, cluster models.Cluster, primary models.Node) error {
	_, follows, err := nodes.Follows(ctx, cluster, primary)
	if err != nil || !follows {
		return err
	}
	return nodes.TakeOver(ctx, cluster, primary)
}

// complete is the body of a run that makes a cluster independent: once it has what the source had when the run began, or at once if
// forced. Each step can be repeated. A node that is already a primary was promoted before the run was interrupted. One that has died since
// starts as a replica of the source again, which still has all of the data.
func (m *migrator) complete(ctx context.Context, run models.Run, args models.CompleteArgs, report *queue.Report) error {
	unlock, cluster, primary, err := m.take(ctx, run)
	if err != nil {
		return err
	}
	defer unlock()
	s, err := nodes.Probe(ctx, cluster, primary)
	if err != nil {
		return because(err, "The node %s does not answer.", primary.Name)
	}
	if s.Replica && !args.Force {
		report.Stage("Waiting for "+primary.Name+" to have all of the data", nil)
		if err := m.catchUp(ctx, cluster, primary); err != nil {
			return err
		}
	}
	report.Stage("Promoting "+primary.Name, nil)
	if err := nodes.TakeOver(ctx, cluster, primary); err != nil {
		return because(err, "The node %s could not be made a primary.", primary.Name)
	}
	for _, node := range cluster.Nodes {
		if err := nodes.Configure(ctx, cluster, node); err != nil {
			m.Logger.Warn("finish a migration; the supervisor tries again", "cluster", cluster.Name, "node", node.Name, "error", err)
		}
	}
	if len(cluster.Nodes) == 1 { // without replicas, nothing else gets replicated data onto a disk
		if err := nodes.Tell(ctx, cluster, primary, "BGSAVE"); err != nil {
			m.Logger.Warn("make a node save its data", "cluster", cluster.Name, "node", primary.Name, "error", err)
		}
	}
	return m.DB.Migrations.Ended(context.WithoutCancel(ctx), run, ended(cluster, args))
}

// ended returns the text of the event that says a migration has ended.
func ended(cluster models.Cluster, args models.CompleteArgs) string {
	if args.Force {
		return fmt.Sprintf("The migration from %s into %s was given up: the cluster no longer follows the source, and has the data that it had received by then.", cluster.Migration.Source, cluster.Name)
	}
	return fmt.Sprintf("The migration from %s into %s is complete: the cluster accepts writes now, and no longer follows the source.", cluster.Migration.Source, cluster.Name)
}

// catchUp waits until a cluster has everything that its source had when this was called.
func (m *migrator) catchUp(ctx context.Context, cluster models.Cluster, primary models.Node) error {
	source := cluster.Migration.Source
	history, want, err := nodes.SourceOffset(ctx, cluster)
	if err != nil {
		return because(err, "The source %s does not answer, so it is not known whether %s has all of its data. To go on with the data that it has, give up the migration.", source, cluster.Name)
	}
	deadline, cancel := context.WithTimeout(ctx, catchUpTimeout)
	defer cancel()
	for {
		s, err := nodes.Probe(deadline, cluster, primary)
		if err == nil && s.LinkUp && !s.Syncing && !s.Loading && s.History == history && s.Offset >= want {
			return fits(cluster, s)
		}
		if !drain.Pause(deadline, 20*time.Millisecond) {
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			return notInStep(cluster, s, want)
		}
	}
}

func notInStep(cluster models.Cluster, s nodes.State, want int64) error {
	switch {
	case s.Syncing || s.Loading:
		return because(nil, "The data of %s is still being copied. Try again when that is done.", cluster.Migration.Source)
	case !s.LinkUp:
		return because(nil, "The link to %s is down, so the cluster may lack some of its data.", cluster.Migration.Source)
	}
	return because(nil, "The cluster is %s behind %s, and did not catch up within %s.", words.Size(max(0, want-s.Offset)), cluster.Migration.Source, catchUpTimeout)
}

// fits refuses a promotion after which keys would be evicted or writes refused. It is needed because a replica accepts whatever its source
// sends, whatever its maxmemory.
func fits(cluster models.Cluster, s nodes.State) error {
	if s.UsedMemory <= cluster.MaxMemory() {
		return nil
	}
	holds, room := models.SizeTexts(s.UsedMemory, cluster.MaxMemory())
	return because(nil, "The cluster now holds %s, but %s has room for %s, so keys would be evicted. Move the data into a cluster with a larger node type.", holds, cluster.NodeType, room)
}
