package vault

import (
	"context"
	"errors"
	"fmt"
	"io"

	"rekindle/internal/archive"
	"rekindle/internal/slots"
	"rekindle/models"
)

// Reader reads snapshots for whoever needs what is in them.
type Reader struct{ kit }

// Manifest reads the manifest of a snapshot that the catalog has as whole. If it is not the manifest that the catalog remembers, the error is
// ErrDamaged.
func (r *Reader) Manifest(ctx context.Context, row models.Snapshot) (archive.Manifest, error) {
	manifest, err := r.archive.Manifest(ctx, refOf(row))
	if err == nil && row.ManifestSHA256 != "" && manifest.Hash != row.ManifestSHA256 {
		err = fmt.Errorf("the manifest of %s is %w: its hash is %s instead of %s", refOf(row), archive.ErrDamaged, manifest.Hash, row.ManifestSHA256)
	}
	return manifest, err
}

// Open opens a part as a plain RDB.
func (r *Reader) Open(ctx context.Context, row models.Snapshot, part archive.Part) (io.ReadCloser, error) {
	return r.archive.OpenPart(ctx, refOf(row), part)
}

// OpenPart opens a part that the catalog knows, as a plain RDB or as it is stored.
func (r *Reader) OpenPart(ctx context.Context, row models.Snapshot, part models.Part, plain bool) (io.ReadCloser, error) {
	if plain {
		return r.Open(ctx, row, archivePart(part))
	}
	return r.archive.OpenStored(ctx, refOf(row), archivePart(part))
}

// Verify fails when a part is not what was written.
func (r *Reader) Verify(ctx context.Context, row models.Snapshot, part archive.Part) error {
	return r.archive.VerifyPart(ctx, refOf(row), part, nil)
}

// Without tells whether a part has no key of these names, by its slots and its filter, so that it need not be read.
func (r *Reader) Without(ctx context.Context, row models.Snapshot, part archive.Part, names ...[]byte) bool {
	return r.without(ctx, r.archive, row, part, names...)
}

// without is Without by this archive. Where there is no filter nobody knows.
func (k *kit) without(ctx context.Context, from *archive.Archive, row models.Snapshot, part archive.Part, names ...[]byte) bool {
	if sets, err := slots.NewMap([]string{part.Slots}); part.Slots != "" && err == nil {
		var here [][]byte
		for _, name := range names {
			if sets.Find(slots.Of(name)) >= 0 {
				here = append(here, name)
			}
		}
		names = here
	}
	if len(names) == 0 {
		return true
	}
	may, err := from.MayHave(ctx, refOf(row), part, names...)
	if err != nil && ctx.Err() == nil && !errors.Is(err, archive.ErrMissing) {
		k.Logger.Warn("the filter of a part cannot be used, so the part is read", "snapshot", row.Name, "part", part.Number, "error", err)
	}
	return err == nil && !may
}
