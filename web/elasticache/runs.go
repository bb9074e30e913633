package elasticache

import (
	"context"
	"fmt"
	"strconv"

	"rekindle/models"
	"rekindle/models/catalog"
)

// The actions that begin with Rekindle are its own: ElastiCache has none like them, and SDKs do not know them. Names of keys come as the values of
// parameters, which are in the body of a request, and go into no log.

type (
	run struct {
		RunId         string // Rekindle's own names, as ElastiCache would write them
		Kind          string
		Status        string
		ClusterName   string `xml:",omitempty"`
		SnapshotName  string `xml:",omitempty"`
		Stage         string `xml:",omitempty"`
		Message       string `xml:",omitempty"` // why it did not succeed
		BytesDone     int64
		BytesTotal    int64
		KeysDone      int64
		KeysTotal     int64
		RunCreateTime *stamp
		RunEndTime    *stamp
		Brought       *brought
	}
	oneRun struct{ Run run }
)

func presentRun(r models.Run) run {
	shown := run{RunId: strconv.FormatUint(uint64(r.ID), 10), Kind: string(r.Kind), Status: string(r.Status), ClusterName: r.ClusterName, SnapshotName: r.SnapshotName,
		Message: r.Error, BytesDone: r.BytesDone, BytesTotal: r.BytesTotal, KeysDone: r.KeysDone, KeysTotal: r.KeysTotal, RunCreateTime: at(r.CreatedAt)}
	if r.Status == models.RunRunning {
		shown.Stage = r.Stage
	}
	if r.EndedAt != nil {
		shown.RunEndTime = at(*r.EndedAt)
	}
	return shown
}

// runActions look at runs that this API has begun, and cancel them.
type runActions struct{ db *catalog.DB }

// shownHere tells whether this API shows runs of this kind.
func shownHere(kind models.RunKind) bool {
	return kind == models.RunFind || kind == models.RunBringBack
}

// theRun finds the run that a request names.
func theRun(ctx context.Context, db *catalog.DB, c *call) (models.Run, error) {
	text := c.required("RunId")
	if err := c.wrong(); err != nil {
		return models.Run{}, err
	}
	none := fault{404, "RunNotFoundFault", fmt.Sprintf("There is no run %.20s that looks for keys or brings them back.", text)}
	id, err := strconv.ParseUint(text, 10, 32)
	if err != nil {
		return models.Run{}, none
	}
	found, err := db.Runs.Get(ctx, uint(id))
	if models.HasCode(err, models.CodeRunNotFound) || err == nil && !shownHere(found.Kind) {
		return found, none
	}
	return found, err
}

func (a runActions) describe(ctx context.Context, c *call) (any, error) {
	found, err := theRun(ctx, a.db, c)
	if err != nil {
		return nil, err
	}
	return a.present(ctx, found)
}

func (a runActions) present(ctx context.Context, r models.Run) (any, error) {
	shown := presentRun(r)
	if r.Kind == models.RunBringBack {
		var err error
		if shown.Brought, err = broughtBy(ctx, a.db, r); err != nil {
			return nil, err
		}
	}
	return oneRun{shown}, nil
}

// cancel asks for a run to be stopped. One that has ended meanwhile is no mistake.
func (a runActions) cancel(ctx context.Context, c *call) error {
	found, err := theRun(ctx, a.db, c)
	if err != nil || found.Status.Ended() {
		return err
	}
	return a.db.Runs.Cancel(ctx, found.ID)
}

// begun finds the run that this request has begun, perhaps at an earlier attempt.
func begun(ctx context.Context, db *catalog.DB, c *call, kind models.RunKind) (models.Run, error) {
	if c.run != 0 {
		return db.Runs.Get(ctx, c.run)
	}
	found, is, err := db.Runs.Begun(ctx, kind, c.key.KeyID, c.invocation)
	if err == nil && !is {
		err = fault{404, "RunNotFoundFault", "The run that this request has begun is no longer kept."}
	}
	return found, err
}
