package jobs

import (
	"context"
	"errors"
	"fmt"
	"io"

	"rekindle/internal/drain"
	"rekindle/jobs/queue"
	"rekindle/models"
)

// errUploadCut is why an upload ends when the browser goes away.
var errUploadCut = errors.New("the upload was cut off")

// Upload is an import whose files come from a browser. It returns when the snapshot is available or refused. The files stream into the
// store; next returns one after the other and ends with io.EOF. size is roughly how many bytes will come.
func (m *Manager) Upload(ctx context.Context, spec models.ImportSpec, size int64, next func() (name string, body io.ReadCloser, err error)) (models.Run, error) {
	run, err := m.queue.Upload(ctx, errUploadCut, func(owner string) (models.Run, error) {
		return m.DB.Copies.BeginUpload(ctx, spec, owner)
	}, func(ctx context.Context, run models.Run, report *queue.Report) error {
		return m.vault.Importer.Receive(ctx, run, report, size, next)
	})
	switch {
	case err == nil:
		return run, nil
	case run.ID != 0:
		return run, models.Faults{{Code: models.CodeInvalid, Field: "file", Message: sentence(err)}}
	case errors.Is(err, drain.ErrStopping):
		err = models.Faults{{Code: models.CodeRunState, Message: "Rekindle is being stopped. Try again when it runs."}}
	case errors.Is(err, queue.ErrNotReady):
		err = models.Faults{{Code: models.CodeRunState, Message: "The snapshot store does not answer yet. Try again in a minute."}}
	case errors.Is(err, queue.ErrFull):
		err = models.Faults{{Code: models.CodeRunState, Message: fmt.Sprintf(
			"%d snapshots, restores, copies or uploads are under way, which is the limit. Try again when one of them has ended.", m.Transfers)}}
	}
	return run, err
}
