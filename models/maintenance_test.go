package models

import (
	"strings"
	"testing"
)

func TestWindowsThatOverlap(t *testing.T) {
	t.Parallel()
	for _, one := range []struct {
		window, maintenance string
		overlap             bool
	}{
		{"03:00-04:00", "sun:03:30-sun:04:30", true},
		{"03:00-04:00", "wed:02:30-wed:03:30", true},
		{"03:00-04:00", "wed:03:10-wed:03:50", false}, // too short to be one
		{"03:00-04:00", "sun:04:00-sun:05:00", false}, // it begins where the other ends
		{"03:00-04:00", "sun:02:00-sun:03:00", false},
		{"23:30-00:30", "mon:00:00-mon:01:00", true},
		{"23:30-00:30", "sun:00:00-sun:01:00", true}, // Saturday's goes on into Sunday
		{"23:30-00:30", "sat:23:00-sun:00:00", true},
		{"00:00-01:00", "sat:23:30-sun:00:30", true},
		{"01:00-02:00", "sat:23:30-sun:00:30", false},
		{"05:00-06:00", "mon:00:00-fri:00:00", true},
		{"", "sun:03:30-sun:04:30", false},
		{"03:00-04:00", "", false},
	} {
		var window Window
		check(t, window.Scan(one.window))
		maintenance := one.maintenance
		if checkMaintenanceWindow(maintenance) != "" {
			maintenance = ""
		}
		if window.Overlaps(maintenance) != one.overlap {
			t.Errorf("%s and %s: %v", one.window, one.maintenance, !one.overlap)
		}
	}
}

func TestPickedWindowsDoNotOverlap(t *testing.T) {
	t.Parallel()
	for start := 0; start < dayMinutes; start += 7 {
		for _, length := range []int{60, 90, 600, 1260, 1380} {
			window := Window{Start: start, Length: length}
			if maintenance := PickMaintenanceWindow(window); window.Overlaps(maintenance) || checkMaintenanceWindow(maintenance) != "" {
				t.Errorf("%s beside %s", maintenance, window)
			}
		}
	}
	for _, maintenance := range []string{"sun:22:00-mon:06:00", "wed:23:00-thu:00:00", "sat:00:00-sat:23:00"} {
		for i := range 50 {
			if window := PickWindowBeside(NodeName("cluster", i), maintenance); window.Overlaps(maintenance) {
				t.Errorf("%s beside %s", window, maintenance)
			}
		}
	}
}

func TestOverlappingWindowsAreRefusedAndPickedOnesGiveWay(t *testing.T) {
	t.Parallel()
	db, _ := catalog(t)
	const words = "The snapshot window and maintenance window must not overlap."
	refused := func(err error) {
		t.Helper()
		if !HasCode(err, CodeInvalid) || !strings.Contains(err.Error(), words) {
			t.Errorf("not refused as overlapping: %v", err)
		}
	}
	wanted := spec("orders")
	wanted.Window, wanted.Attributes.MaintenanceWindow = Window{Start: 180, Length: 60}, "tue:03:30-tue:05:00"
	_, err := db.CreateCluster(t.Context(), wanted)
	refused(err)
	wanted.Window, wanted.Attributes.MaintenanceWindow = Window{}, "sun:00:00-sat:00:00"
	_, err = db.CreateCluster(t.Context(), wanted) // there is no room for a picked one
	refused(err)

	wanted.Attributes.MaintenanceWindow = "sun:22:00-mon:06:00" // where windows are picked
	launched(t, db, wanted)
	if c := must(db.Cluster(t.Context(), "orders"))(t); c.SnapshotWindow.Overlaps("sun:22:00-mon:06:00") || c.WindowChosen {
		t.Errorf("picked %s", c.SnapshotWindow)
	}
	overlapping, beside, none := Window{Start: 5 * 60, Length: 90}, Window{Start: 12 * 60, Length: 60}, Window{}
	_, err = db.ModifyCluster(t.Context(), "orders", ModifySpec{Window: &overlapping})
	refused(err)
	must(db.ModifyCluster(t.Context(), "orders", ModifySpec{Window: &beside}))(t)
	_, err = db.ModifyCluster(t.Context(), "orders", ModifySpec{Attributes: func(a *Attributes) { a.MaintenanceWindow = "fri:11:30-fri:12:30" }})
	refused(err)
	c := must(db.ModifyCluster(t.Context(), "orders", ModifySpec{Window: &overlapping, Attributes: func(a *Attributes) { a.MaintenanceWindow = "fri:11:30-fri:12:30" }}))(t)
	if c.SnapshotWindow != overlapping || c.Attributes.MaintenanceWindow != "fri:11:30-fri:12:30" {
		t.Errorf("%s %s", c.SnapshotWindow, c.Attributes.MaintenanceWindow)
	}
	if c := must(db.ModifyCluster(t.Context(), "orders", ModifySpec{Window: &none}))(t); c.SnapshotWindow.Overlaps(c.Attributes.MaintenanceWindow) {
		t.Errorf("picked %s", c.SnapshotWindow)
	}

	// A window that nobody has chosen gives way.
	c = must(db.ModifyCluster(t.Context(), "orders", ModifySpec{Attributes: func(a *Attributes) { a.MaintenanceWindow = "sun:22:00-mon:06:00" }}))(t)
	if c.SnapshotWindow.Overlaps("sun:22:00-mon:06:00") || c.WindowChosen {
		t.Errorf("picked %s", c.SnapshotWindow)
	}
	plain := spec("plain")
	plain.Window = Window{Start: 180, Length: 60}
	launched(t, db, plain)
	before := must(db.Cluster(t.Context(), "plain"))(t).Described().MaintenanceWindow
	window := Window{Start: 5 * 60, Length: 60}
	if !window.Overlaps(before) {
		t.Fatalf("%s does not overlap %s, so this tests nothing", window, before)
	}
	after := must(db.ModifyCluster(t.Context(), "plain", ModifySpec{Window: &window}))(t)
	if after.SnapshotWindow != window || window.Overlaps(after.Described().MaintenanceWindow) {
		t.Errorf("%s and %s", after.SnapshotWindow, after.Described().MaintenanceWindow)
	}
}
