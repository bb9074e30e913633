package vault

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"rekindle/internal/archive"
	"rekindle/internal/primary"
	"rekindle/jobs/queue"
	"rekindle/models"
)

// Verifier reads back what is stored.
type Verifier struct {
	kit
	quiet *archive.Archive // the same store, read slowly while snapshots and restores go on
}

// ask is the minute tick that queues due verifications.
func (v *Verifier) ask(ctx context.Context) {
	queued, err := v.DB.Verifications.Queue(ctx)
	if err != nil && ctx.Err() == nil {
		v.Logger.Error("ask for verifications", "error", err)
	}
	if queued > 0 {
		v.Wake()
	}
}

// MayRun keeps verifications out of the way: one at a time, and scheduled ones wait until nothing moves data.
func (v *Verifier) MayRun(ctx context.Context, run models.Run, moving int) bool {
	if run.RequestedBy == models.VerifyBySchedule && moving > 0 {
		return false
	}
	may, err := v.DB.Verifications.MayRun(ctx, run)
	if err != nil && ctx.Err() == nil {
		v.Logger.Error("look for other verifications", "error", err)
	}
	return err == nil && may
}

// Verify is the body of a run that reads every byte of a snapshot back. What it finds is its result. It fails when it could not look, for example
// because the store is away; then the snapshot stays as it is.
func (v *Verifier) Verify(ctx context.Context, run models.Run, report *queue.Report) error {
	row, err := v.DB.Snapshots.Get(ctx, run.SnapshotName)
	if err != nil && !models.HasCode(err, models.CodeSnapshotNotFound) {
		return err
	}
	var damage string
	if err == nil && row.Verifiable() {
		if damage, err = v.inspect(ctx, &row, report); err != nil {
			return err
		}
	}
	if damage != "" {
		v.Logger.Error("snapshot is damaged", "cluster", row.ClusterName, "snapshot", row.Name, "damage", damage)
	}
	return v.DB.Settle.Verify(context.WithoutCancel(ctx), run, row, damage)
}

// inspect compares all that is stored of a snapshot with what the catalog says, and says what is wrong. An error says nothing about the snapshot. A
// manifest hash that the catalog did not have yet is noted in row.
func (v *Verifier) inspect(ctx context.Context, row *models.Snapshot, report *queue.Report) (damage string, err error) {
	report.Stage("Comparing the manifest with the catalog", nil)
	if err := v.health.Present(ctx); err != nil {
		return "", err
	}
	wrong, manifest, err := v.compare(ctx, row)
	if err != nil {
		return "", err
	}
	into := v.undescribedYet(ctx, manifest)
	unreadable, err := v.read(ctx, *row, manifest, into, report)
	if err != nil {
		return "", err
	}
	wrong = append(wrong, unreadable...)
	if len(wrong) == 0 {
		v.described(ctx, manifest, into)
		return "", nil
	}
	// Before anything is said about the snapshot: has the store gone away?
	if err := v.health.Present(ctx); err != nil {
		return "", err
	}
	if err := v.health.emptied(ctx); err != nil {
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

// compare says where the manifest in the store differs from the catalog, and notes its hash.
func (v *Verifier) compare(ctx context.Context, row *models.Snapshot) (wrong []string, manifest archive.Manifest, err error) {
	manifest, err = v.quiet.Manifest(ctx, refOf(*row))
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
		return nil, manifest, v.health.away(err)
	}
	return wrong, manifest, nil
}

// read reads all parts back and says what is wrong with each. What is in them is gathered, unless into is nil.
func (v *Verifier) read(ctx context.Context, row models.Snapshot, manifest archive.Manifest, into *archive.Gathering, report *queue.Report) (wrong []string, err error) {
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
		report.Step(1, 1, fmt.Sprintf("Reading part %d of %d", i+1, len(row.Parts)), func() models.Progress {
			return models.Progress{BytesDone: done + progress.Bytes(), BytesTotal: total}
		})
		err := v.quiet.VerifyPart(ctx, refOf(row), part, &progress, archive.Into(into))
		switch {
		case err == nil:
		case ctx.Err() != nil:
			return nil, context.Cause(ctx)
		case errors.Is(err, archive.ErrMissing), errors.Is(err, archive.ErrDamaged), errors.Is(err, archive.ErrInvalid):
			v.Logger.Warn("part is not what was written", "snapshot", row.Name, "part", p.Number, "error", err)
			wrong = append(wrong, partSentence(p.Number, err))
		default:
			return nil, v.health.away(err)
		}
		before += p.Bytes
	}
	return wrong, nil
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

// differs says how the manifest is not the one of this snapshot.
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

// Suspect has a snapshot verified whose restore failed because of what is stored.
func (v *Verifier) Suspect(ctx context.Context, run models.Run, err error) {
	if !(errors.Is(err, archive.ErrDamaged) || errors.Is(err, archive.ErrMissing) || errors.Is(err, archive.ErrInvalid) || errors.Is(err, primary.ErrHash)) {
		return
	}
	v.request(ctx, run.SnapshotName, "restore")
}

// request has a snapshot verified after something failed that was to be done with it.
func (v *Verifier) request(ctx context.Context, snapshot, failed string) {
	if _, err := v.DB.Verifications.Request(ctx, snapshot, failed); err != nil {
		v.Logger.Warn("verify a snapshot whose "+failed+" failed", "snapshot", snapshot, "error", err)
		return
	}
	v.Wake()
}
