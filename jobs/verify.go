package jobs

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"rekindle/internal/archive"
	"rekindle/internal/drain"
	"rekindle/internal/primary"
	"rekindle/internal/store"
	"rekindle/jobs/queue"
	"rekindle/models"
)

// askVerifications is the minute's tick of the scrub.
func (m *Manager) askVerifications(ctx context.Context) {
	queued, err := m.DB.Verifications.Queue(ctx)
	if err != nil && ctx.Err() == nil {
		m.Logger.Error("ask for verifications", "error", err)
	}
	if queued > 0 {
		m.Wake()
	}
}

// verifyMayRun keeps verifications from getting in the way: one at a time, and the schedule's wait until nothing moves.
func (m *Manager) verifyMayRun(ctx context.Context, run models.Run, moving int) bool {
	if run.RequestedBy == models.VerifyBySchedule && moving > 0 {
		return false
	}
	may, err := m.DB.Verifications.MayRun(ctx, run)
	if err != nil && ctx.Err() == nil {
		m.Logger.Error("look for other verifications", "error", err)
	}
	return err == nil && may
}

// verify is the body of a run that reads every byte of a snapshot back. What it finds is its result; it fails when it could not look,
// as when the store is away, and then the snapshot stays as it is.
func (m *Manager) verify(ctx context.Context, run models.Run, report *queue.Report) error {
	row, err := m.DB.Snapshots.Get(ctx, run.SnapshotName)
	if err != nil && !models.HasCode(err, models.CodeSnapshotNotFound) {
		return err
	}
	var damage string
	if err == nil && row.Verifiable() {
		if damage, err = m.inspect(ctx, &row, report); err != nil {
			return err
		}
	}
	if damage != "" {
		m.Logger.Error("snapshot is damaged", "cluster", row.ClusterName, "snapshot", row.Name, "damage", damage)
	}
	return m.DB.Settle.Verify(context.WithoutCancel(ctx), run, row, damage)
}

// inspect compares everything that is stored of a snapshot with what the catalog says, and says what is wrong. An error tells nothing
// about the snapshot. A manifest that the catalog did not remember yet is remembered in row.
func (m *Manager) inspect(ctx context.Context, row *models.Snapshot, report *queue.Report) (damage string, err error) {
	report.Stage("Comparing the manifest with the catalog", nil)
	if err := m.present(ctx); err != nil {
		return "", err
	}
	ref := refOf(*row)
	manifest, err := m.quiet.Manifest(ctx, ref)
	var wrong []string
	switch {
	case err == nil:
		if text := differs(manifest, *row); text != "" {
			wrong = append(wrong, text)
		}
		row.ManifestSHA256 = manifest.Hash
	case errors.Is(err, archive.ErrMissing):
		wrong = append(wrong, "The manifest is missing in the store.")
	case errors.Is(err, archive.ErrInvalid):
		wrong = append(wrong, "The manifest in the store is damaged, or another snapshot's.")
	default:
		return "", m.away(err)
	}
	var before, total int64
	for _, p := range row.Parts {
		total += p.Bytes
	}
	for i, p := range row.Parts {
		part := archivePart(p)
		if i < len(manifest.Parts) {
			part.RDBVersion = manifest.Parts[i].RDBVersion
		}
		var progress archive.Progress
		done := before
		report.Stage(fmt.Sprintf("Reading part %d of %d", i+1, len(row.Parts)), func() models.Progress {
			return models.Progress{BytesDone: done + progress.Bytes(), BytesTotal: total}
		})
		err := m.quiet.VerifyPart(ctx, ref, part, &progress)
		switch {
		case err == nil:
		case ctx.Err() != nil:
			return "", context.Cause(ctx)
		case errors.Is(err, archive.ErrMissing), errors.Is(err, archive.ErrDamaged), errors.Is(err, archive.ErrInvalid):
			m.Logger.Warn("part is not what was written", "snapshot", row.Name, "part", p.Number, "error", err)
			wrong = append(wrong, partSentence(p.Number, err))
		default:
			return "", m.away(err)
		}
		before += p.Bytes
	}
	if len(wrong) == 0 {
		return "", nil
	}
	// Before anything is said about the snapshot: is it the store that is gone?
	if err := m.present(ctx); err != nil {
		return "", err
	}
	if err := m.emptied(ctx); err != nil {
		return "", err
	}
	if missing := len(wrong) == 1+len(row.Parts) && !strings.Contains(strings.Join(wrong, " "), "damaged"); missing {
		return "Its manifest and all its parts are missing in the store.", nil
	}
	if more := len(wrong) - 5; more > 0 {
		wrong = append(wrong[:5], fmt.Sprintf("And so on: %d more.", more))
	}
	return strings.Join(wrong, " "), nil
}

// away says that the store does not answer as it should, unless the cause says more.
func (m *Manager) away(err error) error {
	if text := sentence(err); text != unexpected {
		return err
	}
	return because(err, "The snapshot store does not answer, so nothing can be said about the snapshot. It stays as it is.")
}

// present fails when the store is away, so that nothing that is not found now counts as lost.
func (m *Manager) present(ctx context.Context) error {
	var err error
	if s, can := m.Store.(interface{ Present(context.Context) error }); can {
		err = s.Present(ctx)
	} else {
		for _, err = range m.Store.List(ctx, "") { // writes nothing, and needs no more than what reading needs
			break
		}
	}
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case errors.Is(err, store.ErrDenied), errors.Is(err, store.ErrNoBucket), errors.Is(err, store.ErrRegion): // it is there, and says why
		return err
	case err != nil:
		return because(err, "The snapshot store is away, so nothing can be said about the snapshots in it. They stay as they are.")
	}
	return nil
}

// emptied fails when the store has nothing at all although the catalog knows several snapshots in it: then it is more likely another
// store, or one that was not mounted, than so many losses at once.
func (m *Manager) emptied(ctx context.Context) error {
	for _, err := range m.archive.List(ctx) {
		if err != nil {
			return m.away(err)
		}
		return nil
	}
	known, err := m.DB.Snapshots.Storage(ctx)
	if err != nil || known.Snapshots < 2 {
		return err
	}
	return because(nil, "The snapshot store is empty, although the catalog knows %d snapshots. Is it the right one, and is it mounted? The snapshots stay as they are.", known.Snapshots)
}

// partSentence says what is wrong with a part; the log has the details.
func partSentence(number int, err error) string {
	if errors.Is(err, archive.ErrMissing) {
		return fmt.Sprintf("Part %d is missing in the store.", number)
	}
	text := err.Error()
	_, detail, _ := strings.Cut(text, archive.ErrDamaged.Error()+": ")
	switch {
	case strings.HasPrefix(detail, "zstd:"):
		detail = "it cannot be decompressed"
	case strings.HasPrefix(detail, "the RDB in it:"):
		detail = "the RDB in it is not whole"
	case strings.HasPrefix(detail, "the SHA-256"), strings.HasPrefix(detail, "the hash"), strings.HasPrefix(detail, "the CRC64"):
		detail = "its checksum is not the one that was written down"
	case detail == "":
		detail = "it is not what was written"
	}
	return fmt.Sprintf("Part %d is damaged: %s.", number, detail)
}

// differs says in what the manifest is not the one of this snapshot.
func differs(manifest archive.Manifest, row models.Snapshot) string {
	measured := measuredBy(manifest)
	if row.ManifestSHA256 != "" && manifest.Hash != row.ManifestSHA256 {
		return "The manifest in the store is not the one that was written."
	}
	if len(measured.Parts) != len(row.Parts) {
		return fmt.Sprintf("The manifest in the store names %d parts, and the catalog %d.", len(measured.Parts), len(row.Parts))
	}
	for i, p := range measured.Parts {
		if archivePart(p) != archivePart(row.Parts[i]) {
			return fmt.Sprintf("The manifest in the store is not the one that was written: it describes another part %d.", p.Number)
		}
	}
	if measured.RDBVersion != row.RDBVersion {
		return "The manifest in the store is not the one that was written."
	}
	return ""
}

// suspect has a snapshot verified whose restore failed because of what is stored.
func (m *Manager) suspect(ctx context.Context, run models.Run, err error) {
	if !(errors.Is(err, archive.ErrDamaged) || errors.Is(err, archive.ErrMissing) || errors.Is(err, archive.ErrInvalid) || errors.Is(err, primary.ErrHash)) {
		return
	}
	if _, err := m.DB.Verifications.Request(ctx, run.SnapshotName, "restore"); err != nil {
		m.Logger.Warn("verify a snapshot whose restore failed", "snapshot", run.SnapshotName, "error", err)
		return
	}
	m.Wake()
}

// quietStore reads slowly as long as snapshots or restores go on, so that a verification does not take their bandwidth.
type quietStore struct {
	store.Store
	queue *queue.Queue
}

// quietPause is what each read waits then. Reads are of some 128 KiB.
const quietPause = 20 * time.Millisecond

func (s quietStore) Open(ctx context.Context, key string) (io.ReadCloser, error) {
	r, err := s.Store.Open(ctx, key)
	if err != nil {
		return nil, err
	}
	return quietReader{r, ctx, s.queue}, nil
}

type quietReader struct {
	io.ReadCloser
	ctx   context.Context
	queue *queue.Queue
}

func (r quietReader) Read(p []byte) (int, error) {
	if r.queue.Moving() > 0 {
		drain.Pause(r.ctx, quietPause)
	}
	return r.ReadCloser.Read(p)
}
