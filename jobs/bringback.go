package jobs

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"

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
	sought := newSought(keys)
	choice := restore.Choice{Database: keys.Database, Matches: sought.matches, Deadlines: deadlinesOf(args.Deadlines), Into: engineOf(cluster), Now: b.Clock.Now}
	if keys.Renames() {
		choice.Rename = keys.Rename
	}
	chosen, err := b.look(ctx, row, manifest, choice, !args.Rehearse, report)
	if err != nil {
		return err
	}
	target, err := b.bringTarget(ctx, cluster, chosen, args)
	if err != nil {
		return err
	}
	target.options.Choice = choice
	brought, err := b.carry(ctx, target, row, manifest, chosen, report)
	outcome := outcomeOf(chosen, brought, sought)
	if err != nil {
		return b.broken(ctx, run, args, outcome, err)
	}
	message := ""
	if !args.Rehearse {
		message = b.broughtMessage(ctx, run, outcome) + target.evictions(ctx, b) + behindText(b.behind(ctx, cluster), b.ReplicaWait)
	}
	return b.DB.BringBacks.Settle(context.WithoutCancel(ctx), run, outcome, message)
}

// look reads the snapshot once before anything is written, and counts the chosen keys.
func (b *bringer) look(ctx context.Context, row models.Snapshot, manifest archive.Manifest, choice restore.Choice, verify bool, report *queue.Report) (restore.Chosen, error) {
	var chosen restore.Chosen
	for i, part := range manifest.Parts {
		report.Stage(fmt.Sprintf("Looking for the keys in the snapshot (part %d of %d)", i+1, len(manifest.Parts)), nil)
		if verify {
			if err := b.reader.Verify(ctx, row, part); err != nil {
				return chosen, fmt.Errorf("bring back keys of %s: %w", row.Name, err)
			}
		}
		plain, err := b.reader.Open(ctx, row, part)
		if err != nil {
			return chosen, err
		}
		found, err := restore.Count(plain, choice)
		_ = plain.Close() // it was only read
		if err != nil {
			return chosen, fmt.Errorf("look for keys in part %d of %s: %w", part.Number, row.Name, err)
		}
		chosen.Add(found)
	}
	if chosen.Keys == 0 {
		return chosen, because(nil, "The snapshot %s has none of these keys. Nothing was written.", row.Name)
	}
	return chosen, nil
}

// carry brings the keys of all parts back.
func (b *bringer) carry(ctx context.Context, t bringTarget, row models.Snapshot, manifest archive.Manifest, chosen restore.Chosen, report *queue.Report) (restore.Brought, error) {
	w := restore.OpenBringer(ctx, t.primaries, t.options)
	defer w.Close()
	stage := "Bringing keys back into " + t.cluster.Name
	if t.options.Rehearse {
		stage = "Comparing with " + t.cluster.Name
	}
	var read atomic.Int64
	for _, part := range manifest.Parts {
		report.Step(1, 1, stage, func() models.Progress {
			return models.Progress{BytesDone: read.Load(), BytesTotal: manifest.Bytes(), KeysDone: w.Brought().Done(), KeysTotal: chosen.Keys}
		})
		if err := writePart(ctx, b.reader, w, row, part, &read); err != nil {
			return w.Brought(), fmt.Errorf("bring back keys of part %d of %s into %s: %w", part.Number, row.Name, t.cluster.Name, err)
		}
	}
	return w.Brought(), nil
}

// broken writes down how far it came, and says that.
func (b *bringer) broken(ctx context.Context, run models.Run, args models.BringBackArgs, outcome models.Brought, err error) error {
	if ctx.Err() != nil { // whichever step that cut off
		err = errors.Join(context.Cause(ctx), err)
	}
	err = errors.Join(err, b.DB.BringBacks.Note(context.WithoutCancel(ctx), run, outcome))
	if args.Rehearse {
		return err
	}
	holds := " " + soFar(outcome)
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
	options restore.BringOptions
}

// bringTarget finds out whether and how a cluster can take the keys. It changes nothing.
func (b *bringer) bringTarget(ctx context.Context, cluster models.Cluster, chosen restore.Chosen, args models.BringBackArgs) (bringTarget, error) {
	t := bringTarget{fillTarget{cluster: cluster}, restore.BringOptions{Replace: args.Replace, Rehearse: args.Rehearse}}
	var room room
	var sets []string
	for _, primary := range cluster.Primaries() {
		o, err := reach.Node(cluster, primary)
		if err != nil {
			return t, err
		}
		if err := room.ask(ctx, o, chosen.Databases); err != nil {
			return t, because(err, "The primary %s cannot take the keys. %s", primary.Name, whyNoKeys(err, cluster))
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
		t.options.Route = where.Find
		if t.options.Reach, err = reaching(cluster, t.primaries[0]); err != nil {
			return t, err
		}
	}
	t.evicted = room.evicted
	return t, room.takes(cluster, chosen)
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
