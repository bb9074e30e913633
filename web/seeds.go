package web

import (
	"context"
	"fmt"

	"rekindle/models"
	"rekindle/views"
)

// maxSeeds is how many snapshots a form offers to fill a new cluster from. Others are found by typing.
const maxSeeds = 100

// offerSeeds lists the snapshots from which a new cluster can be filled, the newest first.
func (h formPages) offerSeeds(ctx context.Context, f *clusterForm, props *views.ClusterForm) error {
	found, err := h.db.Snapshots.List(ctx, models.List{Equal: map[string]string{"status": string(models.SnapshotAvailable)}, Size: maxSeeds})
	if err != nil {
		return err
	}
	props.SnapshotCount = found.Total
	chosen := f.values["snapshot"]
	if err := h.findSeed(ctx, f); err != nil {
		return err
	}
	listed := false
	for _, snapshot := range found.Rows {
		listed = listed || snapshot.Name == chosen
		props.Snapshots = append(props.Snapshots, seedOption(snapshot))
	}
	if f.snapshot.Name != "" && !listed {
		props.Snapshots = append([]views.Option{seedOption(f.snapshot)}, props.Snapshots...)
	}
	return nil
}

// findSeed looks up the snapshot that a new cluster is to be filled from. Whether there is one is for the catalog to judge.
func (h formPages) findSeed(ctx context.Context, f *clusterForm) error {
	if f.mode != modeCreate || f.values["snapshot"] == "" {
		return nil
	}
	snapshot, err := h.db.Snapshots.Get(ctx, f.values["snapshot"])
	if models.HasCode(err, models.CodeSnapshotNotFound) {
		return nil
	}
	f.snapshot = snapshot
	return err
}

func seedOption(snapshot models.Snapshot) views.Option {
	label := fmt.Sprintf("%s · %s · %s", snapshot.Name, views.SizeText(snapshot.Bytes), views.MinuteText(snapshot.CreatedAt))
	if snapshot.Logical {
		label += " · not point in time"
	}
	return views.Option{Value: snapshot.Name, Label: label}
}
