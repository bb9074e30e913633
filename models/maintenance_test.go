package models

import (
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
