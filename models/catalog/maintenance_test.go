package catalog

import (
	"strings"
	"testing"

	"rekindle/models"
)

func TestOverlappingWindowsAreRefusedAndPickedOnesGiveWay(t *testing.T) {
	t.Parallel()
	db, _ := catalog(t)
	const words = "The snapshot window and maintenance window must not overlap."
	refused := func(err error) {
		t.Helper()
		if !models.HasCode(err, models.CodeInvalid) || !strings.Contains(err.Error(), words) {
			t.Errorf("not refused as overlapping: %v", err)
		}
	}
	wanted := spec("orders")
	wanted.Window, wanted.Attributes.MaintenanceWindow = models.Window{Start: 180, Length: 60}, "tue:03:30-tue:05:00"
	_, err := db.Clusters.Create(t.Context(), wanted)
	refused(err)
	wanted.Window, wanted.Attributes.MaintenanceWindow = models.Window{}, "sun:00:00-sat:00:00"
	_, err = db.Clusters.Create(t.Context(), wanted) // there is no room for a picked one
	refused(err)

	wanted.Attributes.MaintenanceWindow = "sun:22:00-mon:06:00" // where windows are picked
	launched(t, db, wanted)
	if c := must(db.Clusters.Get(t.Context(), "orders"))(t); c.SnapshotWindow.Overlaps("sun:22:00-mon:06:00") || c.WindowChosen {
		t.Errorf("picked %s", c.SnapshotWindow)
	}
	overlapping, beside, none := models.Window{Start: 5 * 60, Length: 90}, models.Window{Start: 12 * 60, Length: 60}, models.Window{}
	_, err = db.Changes.Modify(t.Context(), "orders", models.ModifySpec{Window: &overlapping})
	refused(err)
	must(db.Changes.Modify(t.Context(), "orders", models.ModifySpec{Window: &beside}))(t)
	_, err = db.Changes.Modify(t.Context(), "orders", models.ModifySpec{Attributes: func(a *models.Attributes) { a.MaintenanceWindow = "fri:11:30-fri:12:30" }})
	refused(err)
	c := must(db.Changes.Modify(t.Context(), "orders", models.ModifySpec{Window: &overlapping, Attributes: func(a *models.Attributes) { a.MaintenanceWindow = "fri:11:30-fri:12:30" }}))(t)
	if c.SnapshotWindow != overlapping || c.Attributes.MaintenanceWindow != "fri:11:30-fri:12:30" {
		t.Errorf("%s %s", c.SnapshotWindow, c.Attributes.MaintenanceWindow)
	}
	if c := must(db.Changes.Modify(t.Context(), "orders", models.ModifySpec{Window: &none}))(t); c.SnapshotWindow.Overlaps(c.Attributes.MaintenanceWindow) {
		t.Errorf("picked %s", c.SnapshotWindow)
	}

	// A window that nobody has chosen gives way.
	c = must(db.Changes.Modify(t.Context(), "orders", models.ModifySpec{Attributes: func(a *models.Attributes) { a.MaintenanceWindow = "sun:22:00-mon:06:00" }}))(t)
	if c.SnapshotWindow.Overlaps("sun:22:00-mon:06:00") || c.WindowChosen {
		t.Errorf("picked %s", c.SnapshotWindow)
	}
	plain := spec("plain")
	plain.Window = models.Window{Start: 180, Length: 60}
	launched(t, db, plain)
	before := must(db.Clusters.Get(t.Context(), "plain"))(t).Described().MaintenanceWindow
	window := models.Window{Start: 5 * 60, Length: 60}
	if !window.Overlaps(before) {
		t.Fatalf("%s does not overlap %s, so this tests nothing", window, before)
	}
	after := must(db.Changes.Modify(t.Context(), "plain", models.ModifySpec{Window: &window}))(t)
	if after.SnapshotWindow != window || window.Overlaps(after.Described().MaintenanceWindow) {
		t.Errorf("%s and %s", after.SnapshotWindow, after.Described().MaintenanceWindow)
	}
}
