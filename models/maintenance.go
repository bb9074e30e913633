package models

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
)

// The maintenance window of a cluster is stored and given back, and nothing happens in it. But as in ElastiCache it must not overlap the snapshot
// window.

const weekMinutes = 7 * dayMinutes

var maintenancePattern = regexp.MustCompile(`^(sun|mon|tue|wed|thu|fri|sat):([01]\d|2[0-3]):([0-5]\d)-(sun|mon|tue|wed|thu|fri|sat):([01]\d|2[0-3]):([0-5]\d)$`)

// readMaintenanceWindow reads ElastiCache's form, "ddd:hh24:mi-ddd:hh24:mi". start is in minutes after the beginning of Sunday.
func readMaintenanceWindow(text string) (start, length int, ok bool) {
	m := maintenancePattern.FindStringSubmatch(text)
	if m == nil {
		return 0, 0, false
	}
	days := []string{"sun", "mon", "tue", "wed", "thu", "fri", "sat"}
	minute := func(day, hour, minute string) int {
		h, _ := strconv.Atoi(hour) // cannot fail: the pattern has matched
		m, _ := strconv.Atoi(minute)
		return slices.Index(days, day)*dayMinutes + h*60 + m
	}
	start = minute(m[1], m[2], m[3])
	return start, (minute(m[4], m[5], m[6]) - start + weekMinutes) % weekMinutes, true
}

// checkMaintenanceWindow says what is wrong with a maintenance window: it must have ElastiCache's form and at least 60 minutes.
func checkMaintenanceWindow(text string) string {
	_, length, ok := readMaintenanceWindow(text)
	if !ok {
		return fmt.Sprintf("The maintenance window must look like sun:05:00-sun:06:00, not %.40q.", text)
	}
	if length < MinWindowMinutes {
		return fmt.Sprintf("The maintenance window must be at least %d minutes long; this one has %d.", MinWindowMinutes, length)
	}
	return ""
}

// Overlaps tells whether the window has, on any day, a minute in common with a weekly maintenance window.
func (w Window) Overlaps(maintenance string) bool {
	start, length, ok := readMaintenanceWindow(maintenance)
	if !ok || w.IsZero() {
		return false
	}
	for day := -1; day <= 14; day++ { // either may extend into the next week
		if opens := day*dayMinutes + w.Start; opens < start+length && start < opens+w.Length {
			return true
		}
	}
	return false
}

// CheckOverlap refuses windows that overlap, in ElastiCache's words and naming both.
func CheckOverlap(window Window, maintenance string) Faults {
	var faults Faults
	if window.Overlaps(maintenance) {
		faults.Add(CodeInvalid, "window_start", fmt.Sprintf("The snapshot window and maintenance window must not overlap. They would be %s and %s UTC.", window, maintenance))
	}
	return faults
}

// PickMaintenanceWindow chooses a window for a cluster whose owner has no preference: an hour on a Sunday, outside its snapshot window if that leaves
// an hour.
func PickMaintenanceWindow(window Window) string {
	free := dayMinutes - window.Length - MinWindowMinutes
	start := (window.Start + window.Length + max(0, min(60, free/2))) % dayMinutes
	end := start + MinWindowMinutes
	day := "sun"
	if end >= dayMinutes {
		day = "mon"
	}
	return fmt.Sprintf("sun:%02d:%02d-%s:%02d:%02d", start/60, start%60, day, end%dayMinutes/60, end%60)
}

// PickWindowBeside is [PickWindow] for a cluster that has a maintenance window: the picked window, or the first one later in the day that does not
// overlap. If the maintenance window leaves no room on any day, it is the picked one.
func PickWindowBeside(cluster, maintenance string) Window {
	picked := PickWindow(cluster)
	for moved := 0; moved < dayMinutes; moved += 30 {
		window := Window{Start: (picked.Start + moved) % dayMinutes, Length: picked.Length}
		if !window.Overlaps(maintenance) {
			return window
		}
	}
	return picked
}
