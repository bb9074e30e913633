package vault

import (
	"context"
	"errors"

	"rekindle/internal/archive"
	"rekindle/internal/contents"
	"rekindle/models"
)

// What is in a snapshot is written beside its manifest, for people to look at. A snapshot is whole without it, so a failure is only logged: the next
// verification makes it anew.

// gathering gathers what is in a snapshot, with the names of keys unless somebody has chosen to hide them.
func (k *kit) gathering(ctx context.Context) *archive.Gathering {
	return k.archive.NewGathering(!k.hidesNames(ctx))
}

// hidesNames tells whether names of keys are to be hidden. When that cannot be found out, they are.
func (k *kit) hidesNames(ctx context.Context) bool {
	hide, err := k.DB.Settings.HidesKeyNames(ctx)
	if err != nil && ctx.Err() == nil {
		k.Logger.Error("find out whether names of keys are hidden", "error", err)
	}
	return hide || err != nil
}

// describe writes what was gathered of a snapshot that is about to be committed.
func (k *kit) describe(ctx context.Context, manifest archive.Manifest, into *archive.Gathering) {
	k.undescribed(ctx, manifest.Snapshot, k.archive.WriteContents(ctx, manifest, into))
}

func (k *kit) undescribed(ctx context.Context, snapshot string, err error) {
	if err != nil && ctx.Err() == nil {
		k.Logger.Warn("write what is in a snapshot; its next verification does it", "snapshot", snapshot, "error", err)
	}
}

// describeCopy copies what is known of a snapshot to a copy of it that is about to be committed.
func (k *kit) describeCopy(ctx context.Context, from, manifest archive.Manifest, to *archive.Archive) {
	k.undescribed(ctx, manifest.Snapshot, k.archive.CopyFilters(ctx, from.Ref(), from.Parts, to, manifest.At()))
	found, err := k.archive.Contents(ctx, from.At(), from.Parts)
	if errors.Is(err, archive.ErrMissing) {
		return
	}
	if err == nil {
		if k.hidesNames(ctx) {
			found = found.WithoutNames()
		}
		err = to.PutContents(ctx, manifest, found)
	}
	k.undescribed(ctx, manifest.Snapshot, err)
}

// undescribedYet returns what gathers the contents of a snapshot while it is verified; nil when they are known already. Names that are to be hidden by now
// are taken out.
func (v *Verifier) undescribedYet(ctx context.Context, manifest archive.Manifest) *archive.Gathering {
	if len(manifest.Parts) == 0 { // it could not be read
		return nil
	}
	hide := v.hidesNames(ctx)
	found, err := v.archive.Contents(ctx, manifest.At(), manifest.Parts)
	switch {
	case err == nil && hide && found.Named:
		v.undescribed(ctx, manifest.Snapshot, v.archive.ReplaceContents(ctx, manifest, found.WithoutNames()))
		return nil
	case err == nil && found.Unknown == "" && (hide || found.Named) && v.filtered(ctx, manifest):
		return nil
	case err == nil, errors.Is(err, archive.ErrMissing), errors.Is(err, archive.ErrInvalid):
		return v.archive.NewGathering(!hide)
	}
	v.undescribed(ctx, manifest.Snapshot, err)
	return nil
}

// filtered tells whether each part has its filter. When that cannot be found out, making them would fail too.
func (v *Verifier) filtered(ctx context.Context, manifest archive.Manifest) bool {
	err := v.quiet.CheckFilters(ctx, manifest.Ref(), manifest.Parts)
	return !errors.Is(err, archive.ErrMissing) && !errors.Is(err, archive.ErrDamaged)
}

// described writes what was gathered of a snapshot that has turned out to be whole.
func (v *Verifier) described(ctx context.Context, manifest archive.Manifest, into *archive.Gathering) {
	if into != nil {
		v.undescribed(ctx, manifest.Snapshot, v.archive.AddContents(ctx, manifest, into))
	}
}

// Contents reads what is in a snapshot, without names if they are hidden. The error is [archive.ErrMissing] when nothing was written down yet.
func (r *Reader) Contents(ctx context.Context, row models.Snapshot) (contents.Contents, error) {
	parts := make([]archive.Part, len(row.Parts))
	for i, p := range row.Parts {
		parts[i] = archivePart(p)
	}
	found, err := r.archive.Contents(ctx, attemptOf(row), parts)
	if err == nil && r.hidesNames(ctx) {
		found = found.WithoutNames()
	}
	return found, err
}
