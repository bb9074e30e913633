package web

import (
	"context"
	"fmt"
	"net/http"

	"rekindle/models"
	"rekindle/views"
)

// drillPages have snapshots loaded into nodes that exist only for this, and show what came out.
type drillPages struct{ *site }

// drill has a snapshot loaded.
func (h drillPages) drill(w http.ResponseWriter, r *http.Request) error {
	name := r.PathValue("name")
	run, err := h.db.Drills.Request(r.Context(), name, visitOf(r).user.Name)
	if models.HasCode(err, models.CodeSnapshotState) {
		return h.done(w, r, snapshotAddress(name), "info", err.Error())
	} else if err != nil {
		return err
	}
	h.jobs.Wake()
	text := fmt.Sprintf("A restore drill of the snapshot %s is held as soon as nothing else moves data and there is memory for it. The snapshot can be used meanwhile.", name)
	return h.begun(w, r, snapshotAddress(name), run.ID, text)
}

// lastDrill is the last drill of a snapshot; nil if there was none.
func (p presenter) lastDrill(ctx context.Context, snapshot models.Snapshot) (*views.Drill, error) {
	last, held, err := p.db.Drills.Last(ctx, snapshot.ID)
	if err != nil || !held {
		return nil, err
	}
	shown := presentDrill(last)
	return &shown, nil
}

func presentDrill(d models.Drill) views.Drill {
	return views.Drill{Run: runID(d.RunID), Outcome: string(d.Outcome), Finding: d.Finding(), At: d.EndedAt, Host: d.Host}
}
