package vault

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"rekindle/internal/archive"
	"rekindle/internal/digest"
	"rekindle/internal/drain"
	"rekindle/internal/primary"
	"rekindle/internal/resp"
	"rekindle/internal/words"
	"rekindle/jobs/queue"
	"rekindle/jobs/reason"
	"rekindle/models"
)

// Comparer compares a snapshot that was taken of a cluster with what the journal makes of the same place in the stream. Shard after shard, a node that
// exists only for this is brought to the place from an earlier snapshot, and another one loads the part; both stay replicas, so that both keep the keys
// whose time has passed, and both are asked for a digest of everything they have.
type Comparer struct{ *Recoverer }

// May keeps comparisons out of the way of what moves data.
func (c *Comparer) May(ctx context.Context, run models.Run, moving int) bool {
	return moving == 0 && c.Recoverer.May(ctx, run, moving)
}

// Compare is the body of a comparison. What comes out is its result. It fails when it could not find out.
func (c *Comparer) Compare(ctx context.Context, run models.Run, report *queue.Report) error {
	row, err := c.DB.Snapshots.Get(ctx, run.SnapshotName)
	if err != nil && !models.HasCode(err, models.CodeSnapshotNotFound) {
		return err
	}
	result := models.JournalComparison{SnapshotID: row.ID}
	if err == nil && row.Usable() && row.StartedAt != nil {
		if result, err = c.compare(ctx, run, row, report); err != nil {
			return err
		}
	}
	return c.DB.Comparisons.Settle(context.WithoutCancel(ctx), run, result)
}

func (c *Comparer) compare(ctx context.Context, run models.Run, row models.Snapshot, report *queue.Report) (result models.JournalComparison, err error) {
	report.Stage("Waiting until the journal is stored up to the snapshot", nil)
	places, err := c.places(ctx, run, row)
	if err != nil {
		return result, err
	}
	manifest, err := c.reader.Manifest(ctx, row)
	if err != nil {
		return result, err
	}
	one := &recovery{Recoverer: c.Recoverer, run: run, args: models.RecoverArgs{Moment: *row.StartedAt, Places: places}, report: report, patience: memoryPatience, debug: true}
	if one.base, one.spans, err = one.plan(ctx); err != nil {
		return result, err
	}
	if err := one.open(ctx); err != nil {
		return result, one.doubt(ctx, err)
	}
	if one.engine, err = c.trials.engineOf(ctx, row, manifest); err != nil {
		return result, err
	}
	if len(one.spans) != len(manifest.Parts) {
		return result, reason.Because(nil, "The snapshot %s, behind which the journal would be replayed, has other shards.", one.base.Name)
	}
	result = models.JournalComparison{SnapshotID: row.ID, SnapshotName: row.Name, Base: one.base.Name, Verdict: models.VerdictSame}
	var differences []string
	for i := range one.spans {
		difference, err := one.comparePart(ctx, i, row, manifest.Parts[i])
		if err != nil {
			return result, one.doubt(ctx, fmt.Errorf("compare part %d of %s: %w", i+1, row.Name, err))
		}
		if difference != "" {
			differences = append(differences, fmt.Sprintf("In shard %d, %s.", manifest.Parts[i].Number, difference))
		}
	}
	if len(differences) > 0 {
		result.Verdict, result.Reason = models.VerdictDiffers, strings.Join(differences, " ")
	}
	return result, nil
}

// journalPatience is how long the journal may take to be stored up to a snapshot, beyond what its plan promises. While nothing is written, it is stored
// once a minute.
const journalPatience = 3 * time.Minute

// places are the places of the parts of a snapshot in the streams, as soon as the journal has them.
func (c *Comparer) places(ctx context.Context, run models.Run, row models.Snapshot) ([]models.RecoverFrom, error) {
	cluster, err := c.DB.Clusters.ByID(ctx, run.ClusterID)
	if err != nil {
		return nil, err
	}
	plan, err := c.DB.Recording.Plan(ctx, cluster)
	if err != nil {
		return nil, err
	}
	for until := time.Now().Add(plan.Promise + journalPatience); ; { // of real time: the stream is recorded in it
		bases, err := c.DB.Journal.Bases(ctx, cluster)
		if err != nil {
			return nil, err
		}
		var places []models.RecoverFrom
		for _, b := range bases {
			if b.SnapshotID == row.ID {
				places = append(places, models.RecoverFrom{Shard: b.Shard, Offset: b.Offset}) // any recording that leads there
			}
		}
		if len(places) == len(row.Parts) {
			return places, nil
		}
		if time.Now().After(until) {
			return nil, reason.Because(nil, "The journal does not have the place in the stream at which it was taken.")
		}
		if !drain.Pause(ctx, time.Second) {
			return nil, context.Cause(ctx)
		}
	}
}

// comparePart says how a part differs from what the journal makes of the same place; "": it does not.
func (d *recovery) comparePart(ctx context.Context, index int, row models.Snapshot, part archive.Part) (string, error) {
	from, s := d.manifest.Parts[index], &d.spans[index]
	if from.Number != part.Number || s.to != part.ReplicationOffset {
		return "", reason.Because(nil, "The snapshot %s, behind which the journal would be replayed, has other shards.", d.base.Name)
	}
	report := queue.Part(d.report, index, len(d.spans))
	made, err := d.contentOf(ctx, d.base, from, s, report, 1)
	if err != nil {
		return "", err
	}
	taken, err := d.contentOf(ctx, row, part, &span{shard: part.Number, id: part.ReplicationID, from: part.ReplicationOffset, to: part.ReplicationOffset}, report, 2)
	if err != nil {
		return "", err
	}
	d.Logger.Info("compared a snapshot with the journal", "snapshot", row.Name, "part", part.Number, "base", d.base.Name, "same", made == taken, "taken", taken.digest, "made", made.digest)
	return taken.differs(made), nil
}

// contentOf brings a node to the end of a span behind a part, and asks it what it has.
func (d *recovery) contentOf(ctx context.Context, of models.Snapshot, part archive.Part, s *span, report queue.Stager, step int) (content, error) {
	t, err := d.node(ctx, part, s.bytes(), report)
	if err != nil {
		return content{}, err
	}
	defer t.end(ctx)
	var sent progress
	text := fmt.Sprintf("Loading part %d of %s", part.Number, of.Name)
	if s.bytes() > 0 {
		text += " and replaying the journal behind it"
	}
	report.Step(step, 2, text, func() models.Progress {
		return models.Progress{BytesDone: sent.Load(), BytesTotal: part.Bytes + s.bytes()}
	})
	held, err := d.hold(ctx, t, of, part, s, sent.Store)
	if err != nil && of.Name == d.base.Name {
		return content{}, d.explain(ctx, t.id(), part, s, err)
	} else if err != nil {
		return content{}, reason.Because(err, "Part %d of it could not be loaded into a node. The log says why.", part.Number)
	}
	defer func() { _ = held.Close() }()
	report.Stage("Comparing", nil)
	return t.content(ctx)
}

// digestPatience is how long a node may take to read through everything that it has.
const digestPatience = time.Hour

// content is everything that a node has, as far as it can be compared.
type content struct {
	digest    string // of all keys and values of all databases
	keys      string // how many each database has, and how many of them expire
	functions string // a digest
}

// content asks a node what it has. The digest comes last: while it is made, the node answers nobody, not even its primary.
func (t *trial) content(ctx context.Context) (c content, err error) {
	conn, err := resp.Dial(ctx, resp.Options{Addr: t.node.Address(), Password: t.cluster.Password, Timeout: digestPatience})
	if err != nil {
		return c, fmt.Errorf("ask a node what it has: %w: %w", primary.ErrGone, err)
	}
	defer func() { _ = conn.Close() }()
	keyspace, err := conn.Info(ctx, "keyspace")
	if err != nil {
		return c, fmt.Errorf("ask a node how many keys it has: %w", err)
	}
	c.keys = keysOf(keyspace)
	functions, err := conn.Do(ctx, "FUNCTION", "LIST", "WITHCODE")
	if _, refused := errors.AsType[resp.Error](err); err != nil && !refused { // before 7.0 there are none
		return c, fmt.Errorf("ask a node for its functions: %w", err)
	}
	c.functions = functionsOf(functions)
	value, err := conn.Do(ctx, "DEBUG", "DIGEST")
	if err != nil {
		return c, fmt.Errorf("ask a node for a digest: %w", err)
	}
	c.digest = value.Str
	return c, nil
}

// keysOf says how many keys each database has, and how many of them expire.
func keysOf(keyspace resp.Info) string {
	var all []string
	for name, stat := range keyspace { // "db0": "keys=1,expires=0,avg_ttl=0"
		if _, is := strings.CutPrefix(name, "db"); is {
			fields := resp.ParseInfo(strings.NewReplacer(",", "\n", "=", ":").Replace(stat))
			all = append(all, fmt.Sprintf("%s in database %s (%s with a time to live)", words.Plural(fields.Int("keys"), "key"), name[2:], words.Number(fields.Int("expires"))))
		}
	}
	if len(all) == 0 {
		return "no key"
	}
	slices.Sort(all)
	return strings.Join(all, ", ")
}

// functionsOf is a digest of libraries, whatever their order.
func functionsOf(list resp.Value) string {
	var all []string
	for _, library := range list.Array {
		for i := 0; i+1 < len(library.Array); i += 2 {
			if library.Array[i].Str == "library_code" {
				all = append(all, library.Array[i+1].Str)
			}
		}
	}
	slices.Sort(all)
	h := digest.New()
	for _, code := range all {
		_, _ = io.WriteString(h, fmt.Sprintf("%d:%s", len(code), code))
	}
	return string(h.Digest())
}

// differs says how what was taken differs from what was made; "": it does not.
func (c content) differs(made content) string {
	switch {
	case c == made:
		return ""
	case c.keys != made.keys:
		return fmt.Sprintf("the snapshot has %s, and the journal makes %s", c.keys, made.keys)
	case c.digest != made.digest:
		return "both have the same number of keys, but not the same values"
	}
	return "the keys and values are the same, but not the functions"
}
