package vault

import (
	"context"
	"fmt"
	"io"

	"rekindle/internal/archive"
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
