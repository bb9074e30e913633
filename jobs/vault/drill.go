package vault

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync/atomic"
	"time"

	"rekindle/internal/archive"
	"rekindle/internal/primary"
	"rekindle/internal/words"
	"rekindle/jobs/queue"
	"rekindle/jobs/reason"
	"rekindle/models"
)

// Driller shows that what is stored can be loaded: it loads a snapshot, part by part, into a node that exists only for this, counts the keys, compares a
// sample of the values, and removes the node. One node at a time bounds the memory. It listens on the loopback address only, nobody else knows its
// password, and it never saves. As with a trial, it has a folder under a name that no cluster can have, and goes at the latest at the next start.
type Driller struct {
	kit
	trials   *trials
	verifier *Verifier // its store is read slowly while snapshots and restores go on
}

// ask is the minute tick that queues due drills.
func (d *Driller) ask(ctx context.Context) {
	queued, err := d.DB.Drills.QueueDue(ctx)
	if err != nil && ctx.Err() == nil {
		d.Logger.Error("ask for drills", "error", err)
	}
	if queued > 0 {
		d.Wake()
	}
}

// May keeps drills out of the way: one at a time, none while anything else moves data or waits to, and only when the host has memory for the node and,
// beside it, for the fork of its largest node. A drill that can never begin may: it then says why.
func (d *Driller) May(ctx context.Context, run models.Run, moving int) bool {
	if args, err := models.Args[models.DrillArgs](run); err != nil || d.late(run, args) {
		return true
	} else if moving > 0 {
		return false
	}
	may, err := d.DB.Drills.MayRun(ctx, run, d.Lease.Owner())
	if err == nil && may {
		may, err = d.memoryAllows(ctx, run)
	}
	if err != nil && ctx.Err() == nil {
		d.Logger.Error("look whether a drill may begin", "run", run.ID, "error", err)
	}
	return err == nil && may
}

// late tells whether the window has closed before the drill began.
func (d *Driller) late(run models.Run, args models.DrillArgs) bool {
	return args.WindowCloses != nil && run.StartedAt == nil && !d.DB.Now().Before(*args.WindowCloses)
}

func (d *Driller) memoryAllows(ctx context.Context, run models.Run) (bool, error) {
	row, err := d.DB.Snapshots.Get(ctx, run.SnapshotName)
	if err != nil {
		return models.HasCode(err, models.CodeSnapshotNotFound), nil
	}
	memory, err := d.Launcher.Memory(ctx)
	if err != nil {
		return false, fmt.Errorf("read memory of host: %w", err)
	}
	need := row.DrillMemory()
	if need > memory.Available && need <= memory.Total {
		return false, nil
	}
	fork, err := d.DB.Drills.LargestFork(ctx, d.Host.Home())
	return need+fork <= memory.Available || need+fork > memory.Total, err
}

// drilling is one drill.
type drilling struct {
	*Driller
	run      models.Run
	row      models.Snapshot
	manifest archive.Manifest
	engine   models.Engine
	report   *queue.Report
	result   models.Drill
	differ   []string // names of keys
}

// Drill is the body of a run that is a drill. What comes out is its result, also when the snapshot cannot be loaded. It fails when it could not find
// out, for example because the store is away.
func (d *Driller) Drill(ctx context.Context, run models.Run, args models.DrillArgs, report *queue.Report) error {
	if closes := args.WindowCloses; closes != nil && run.Attempts == 1 && !d.DB.Now().Before(*closes) {
		return reason.Because(nil, "Its window closed at %s UTC before it could begin: other work took too long, or the host did not have enough memory free. "+
			"It is made up for in the next window.", closes.UTC().Format("15:04"))
	}
	row, err := d.DB.Snapshots.Get(ctx, run.SnapshotName)
	if err != nil && !models.HasCode(err, models.CodeSnapshotNotFound) {
		return err
	}
	one := &drilling{Driller: d, run: run, row: row, report: report, result: models.Drill{SnapshotID: row.ID, StartedAt: d.DB.Now(), Expected: row.Keys, Host: hostname()}}
	if err == nil && row.Usable() {
		if err := one.judge(ctx, one.load(ctx)); err != nil {
			return err
		}
	}
	return d.DB.Drills.Settle(context.WithoutCancel(ctx), run, one.result)
}

// hostname is the name of this host for people; "" if it has none.
func hostname() string {
	name, _ := os.Hostname()
	return name
}

// load loads all parts, one after the other.
func (d *drilling) load(ctx context.Context) error {
	d.report.Stage("Looking at the snapshot", nil)
	if err := d.health.Present(ctx); err != nil {
		return err
	}
	manifest, err := (&Reader{d.kit}).Manifest(ctx, d.row)
	if err != nil {
		return err
	}
	d.manifest = manifest
	if err := d.chooseEngine(ctx); err != nil {
		return err
	}
	for i, part := range manifest.Parts {
		if err := d.trials.waitForMemory(ctx, part, 0, memoryPatience, d.report); err != nil {
			return err
		}
		if err := d.loadPart(ctx, i, part); err != nil {
			return fmt.Errorf("load part %d of %s: %w", part.Number, d.row.Name, err)
		}
	}
	return nil
}

// chooseEngine chooses what the parts are loaded with.
func (d *drilling) chooseEngine(ctx context.Context) (err error) {
	d.engine, err = d.trials.engineOf(ctx, d.row, d.manifest)
	d.result.Engine, d.result.EngineVersion = d.engine.Name, d.engine.Version
	return err
}

// loadPart loads one part into a node of its own.
func (d *drilling) loadPart(ctx context.Context, index int, part archive.Part) error {
	t := d.trials.node(drillPrefix, d.run, part, d.engine)
	defer t.end(ctx)
	text := fmt.Sprintf("Loading part %d of %d into a node of %s", index+1, len(d.manifest.Parts), words.Engine(d.engine.Name, d.engine.Version))
	d.report.Stage(text, nil)
	if err := t.start(ctx, part, nil); err != nil {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		return reason.Because(err, "The node for it could not be started. The log says why.")
	}
	var sent atomic.Int64
	d.report.Step(index+1, len(d.manifest.Parts), text, func() models.Progress {
		return models.Progress{BytesDone: sent.Load(), BytesTotal: part.Bytes, KeysTotal: part.Keys}
	})
	sample := newSampler(string(part.Digest()))
	began := time.Now() // of real time: it is measured
	loaded, err := t.load(ctx, part, func(ctx context.Context) (io.ReadCloser, error) {
		r, err := d.verifier.quiet.OpenPart(ctx, refOf(d.row), part)
		if err != nil {
			return nil, err
		}
		return sample.watch(r), nil
	}, sent.Store)
	if err != nil {
		return d.explain(ctx, t, part, err)
	}
	d.result.LoadedIn += time.Since(began)
	d.result.Keys += loaded.Keys + loaded.Expired
	d.result.Expired += max(loaded.Expired, sample.expired) // a node has some of them until somebody asks for them
	return d.compare(ctx, t, sample, part)
}

// compare compares the sample of a part with what the node has loaded.
func (d *drilling) compare(ctx context.Context, t *trial, sample *sampler, part archive.Part) error {
	d.report.Stage(fmt.Sprintf("Comparing values of part %d with what is stored", part.Number), nil)
	compared, err := t.compare(ctx, sample.keys)
	if err != nil {
		return d.explain(ctx, t, part, err)
	}
	d.result.Sampled += compared.compared
	d.result.Differing += int64(len(compared.differ))
	d.differ = append(d.differ, compared.differ...)
	return nil
}

// errUnloadable is why a drill finds that a snapshot cannot be loaded.
var errUnloadable = errors.New("the snapshot cannot be loaded")

// explain finds out what a failure of the node means: the part is damaged, the engine does not take it, or nothing.
func (d *drilling) explain(ctx context.Context, t *trial, part archive.Part, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	why, named := t.Launcher.LastWords(ctx, t.cluster.Name, t.node.Name)
	switch {
	case errors.Is(err, primary.ErrCount):
		return reason.Because(errors.Join(errUnloadable, err), "The node ended up with another number of keys than part %d has.", part.Number)
	case !errors.Is(err, primary.ErrGone):
		return err
	}
	d.report.Stage(fmt.Sprintf("Reading part %d again, because the node has ended", part.Number), nil)
	if damage := d.verifier.quiet.VerifyPart(ctx, refOf(d.row), part, nil); damage != nil {
		return errors.Join(damage, err)
	}
	if named {
		return reason.Because(errors.Join(errUnloadable, err), "The node could not load part %d, although every byte of it is as it was written. %s", part.Number, why)
	}
	return reason.Because(err, "The node ended, or stopped answering, while it was loading part %d. %s", part.Number, why)
}

// judge makes the result. An error says nothing about the snapshot.
func (d *drilling) judge(ctx context.Context, err error) error {
	damaged := errors.Is(err, archive.ErrDamaged) || errors.Is(err, archive.ErrMissing) || errors.Is(err, archive.ErrInvalid) || errors.Is(err, primary.ErrHash)
	switch {
	case err == nil && len(d.differ) == 0:
		d.result.Outcome = models.DrillPassed
		return nil
	case err == nil:
		d.failDiffering(ctx)
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case damaged:
		if err := errors.Join(d.health.Present(ctx), d.health.emptied(ctx)); err != nil { // has the store gone away?
			return err
		}
		d.Logger.Error("a drill found damage", "snapshot", d.row.Name, "error", err)
		d.fail("What is stored is missing, or is not what was written. A verification was asked for, which says more.")
		d.verifier.request(ctx, d.row.Name, "drill")
	case errors.Is(err, errUnloadable):
		d.Logger.Error("a drill failed", "snapshot", d.row.Name, "error", err)
		text, _ := reason.Text(err)
		d.fail(text)
	default:
		return err
	}
	return nil
}

// failDiffering says that the node has loaded other values than are stored. The log has the names of their keys, unless names are hidden.
func (d *drilling) failDiffering(ctx context.Context) {
	text := fmt.Sprintf("Of %s that were compared, %s not the value that is stored.", words.Plural(d.result.Sampled, "key"), hasNot(d.result.Differing))
	details := []any{"snapshot", d.row.Name, "compared", d.result.Sampled, "differing", d.result.Differing}
	if !d.hidesNames(ctx) {
		details, text = append(details, "keys", d.differ), text+" The log names them."
	}
	d.Logger.Error("values that a drill loaded are not those in the snapshot", details...)
	d.fail(text)
}

func (d *drilling) fail(why string) {
	d.result.Outcome, d.result.Reason = models.DrillFailed, why
}

func hasNot(keys int64) string {
	if keys == 1 {
		return "1 has"
	}
	return words.Number(keys) + " have"
}
