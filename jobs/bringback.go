package jobs

import (
	"context"
	"errors"
	"fmt"

	"rekindle/internal/archive"
	"rekindle/internal/find"
	"rekindle/internal/resp"
	"rekindle/internal/restore"
	"rekindle/internal/slots"
	"rekindle/internal/topology"
	"rekindle/jobs/queue"
	"rekindle/jobs/reach"
	"rekindle/models"
)

// bringer brings keys of snapshots back into running clusters.
type bringer struct {
	*filler
	prepare func(ctx context.Context, cluster models.Cluster, report *queue.Report) (models.Cluster, func(context.Context) error, error)
}

// may tells whether the snapshot that is taken beforehand has ended.
func (b *bringer) may(ctx context.Context, run models.Run, _ int) bool {
	args, err := models.Args[models.BringBackArgs](run)
	if err != nil {
		return true // it fails with that when it begins
	}
	begin, err := b.DB.Fills.MayBegin(ctx, run, args.Safety)
	return err == nil && begin
}

// bringing is one run that brings keys back, or rehearses that.
type bringing struct {
	*bringer
	run      models.Run
	args     models.BringBackArgs
	row      models.Snapshot
	manifest archive.Manifest
	names    [][]byte // nil: a pattern is looked for
	sought   sought
	choice   restore.Choice
	target   bringTarget
	report   *queue.Report
}

// bring is the body of a run that brings keys back, or rehearses that. It takes no lock on the nodes: a primary that fails meanwhile is replaced as ever.
func (b *bringer) bring(ctx context.Context, run models.Run, args models.BringBackArgs, report *queue.Report) error {
	keys, _, _, err := b.DB.BringBacks.Of(ctx, run)
	if err != nil {
		return err
	}
	cluster, row, err := b.DB.Fills.Begin(ctx, run, args.Safety, models.Cluster.NoBringBack)
	if err != nil {
		return err
	}
	if why := cluster.NoBringBack(); why != "" && args.Rehearse { // nothing has kept it as it was
		return models.Refuse(models.CodeClusterState, "cluster", why)
	}
	if cluster, _, err = b.prepare(ctx, cluster, report); err != nil {
		return err
	}
	manifest, err := b.reader.Manifest(ctx, row)
	if err != nil {
		return fmt.Errorf("bring back keys of %s: %w", row.Name, err)
	}
	one := &bringing{bringer: b, run: run, args: args, row: row, manifest: manifest, names: keys.Names, sought: newSought(keys), report: report}
	if one.target, err = b.bringTarget(ctx, cluster, args); err != nil {
		return err
	}
	one.choice = restore.Choice{Database: keys.Database, Matches: one.sought.matches, Deadlines: deadlinesOf(args.Deadlines), Into: engineOf(cluster), Route: one.target.route, Now: b.Clock.Now}
	if keys.Renames() {
		one.choice.Rename = keys.Rename
	}
	if args.Rehearse {
		return one.rehearse(ctx)
	}
	return one.write(ctx)
}

// write brings the keys back, once all of them could be read and there is room for them.
func (b *bringing) write(ctx context.Context) error {
	selection := restore.NewSelection(b.choice, keptBytes)
	defer selection.Close()
	parts, err := b.look(ctx, selection)
	if err != nil {
		return err
	}
	chosen := selection.Chosen()
	if err := b.fits(ctx, selection, parts); err != nil {
		return err
	}
	brought, err := b.carry(ctx, selection, parts, false)
	outcome := outcomeOf(chosen, brought, b.sought)
	if err != nil {
		return b.broken(ctx, outcome, err)
	}
	message := b.broughtMessage(ctx, b.run, outcome) + b.target.evictions(ctx, b.bringer) + behindText(b.behind(ctx, b.target.cluster), b.ReplicaWait)
	return b.DB.BringBacks.Settle(context.WithoutCancel(ctx), b.run, outcome, message)
}

// broken writes down how far it came, and says that.
func (b *bringing) broken(ctx context.Context, outcome models.Brought, err error) error {
	if ctx.Err() != nil { // whichever step that cut off
		err = errors.Join(context.Cause(ctx), err)
	}
	err = errors.Join(err, b.DB.BringBacks.Note(context.WithoutCancel(ctx), b.run, outcome))
	if b.args.Rehearse {
		return err
	}
	holds := " " + soFar(outcome, b.target.mayLose(err))
	return because(halfError{err, holds}, "%s%s", sentence(err), holds)
}

// settle ends a run that did not succeed. The snapshot may be to blame.
func (b *bringer) settle(ctx context.Context, run models.Run, failure queue.Failure) error {
	return b.filler.settle(ctx, run, failure)
}

// recover ends a run whose console was killed in the middle. What its row says is what was last written down.
func (b *bringer) recover(ctx context.Context, run models.Run) error {
	reason := fmt.Sprintf("Rekindle was stopped in the middle of it: at least %s had been seen to by then, of %s. %s",
		keysText(run.KeysDone), keysText(run.KeysTotal), repeatBring)
	return queue.Failure{Status: models.RunFailed, Reason: reason}.Settle(ctx, b.DB, run)
}

// rehearsal tells whether a run writes nothing, so that it can begin again.
func rehearsal(run models.Run) bool {
	args, err := models.Args[models.BringBackArgs](run)
	return err == nil && args.Rehearse
}

// recovering is what is done about a run that was cut off.
func (b *bringer) recovering(run models.Run) queue.Recovery {
	if rehearsal(run) {
		return nil
	}
	return b.recover
}

// sought are the names that are looked for, and which of them were found.
type sought struct {
	query *find.Query
	found map[string]bool
}

func newSought(keys models.KeyChoice) sought {
	s := sought{found: make(map[string]bool)}
	if len(keys.Pattern) > 0 {
		query := find.Pattern(string(keys.Pattern))
		s.query = &query
	}
	for _, name := range keys.Names {
		s.found[string(name)] = false
	}
	return s
}

func (s sought) matches(name []byte) bool {
	if s.query != nil {
		return s.query.Matches(name)
	}
	_, is := s.found[string(name)]
	if is {
		s.found[string(name)] = true
	}
	return is
}

// bringTarget is the cluster that keys are brought back into.
type bringTarget struct {
	fillTarget
	room  room
	route func(slot int) int
	reach func(addr string) resp.Options
}

// bringTarget finds out whether and how a cluster can take keys. It changes nothing.
func (b *bringer) bringTarget(ctx context.Context, cluster models.Cluster, args models.BringBackArgs) (bringTarget, error) {
	t := bringTarget{fillTarget: fillTarget{cluster: cluster}}
	var sets []string
	for _, primary := range cluster.Primaries() {
		o, err := reach.Node(cluster, primary)
		if err != nil {
			return t, err
		}
		if err := t.room.ask(ctx, o, 0); err != nil {
			return t, because(err, "The primary %s cannot take the keys. %s", primary.Name, whyNot(err, cluster))
		}
		if err := mayBring(ctx, o, args); err != nil {
			return t, err
		}
		t.primaries, sets = append(t.primaries, o), append(sets, primary.Slots)
	}
	if len(t.primaries) == 0 {
		return t, because(nil, "The cluster %s has no primary that could take the keys.", cluster.Name)
	}
	if cluster.Sharded() {
		where, err := slots.NewMap(sets)
		if err != nil {
			return t, fmt.Errorf("read slots of %s: %w", cluster.Name, err)
		}
		t.route = where.Find
		if t.reach, err = reaching(cluster, t.primaries[0]); err != nil {
			return t, err
		}
	}
	t.evicted = t.room.evicted
	return t, nil
}

// reaching is how a node is connected to whose address another one has named.
func reaching(cluster models.Cluster, like resp.Options) (func(addr string) resp.Options, error) {
	var access topology.Access
	if cluster.Attached() {
		var err error
		if access, err = reach.Access(cluster.Attachment.Access, cluster.Password); err != nil {
			return nil, err
		}
	}
	return func(addr string) resp.Options {
		o := like
		o.Addr = access.Reach(addr)
		return o
	}, nil
}
