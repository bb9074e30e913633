package models

import (
	"testing"
)

func TestMaintenanceWindows(t *testing.T) {
	t.Parallel()
	for text, good := range map[string]bool{
		"sun:05:00-sun:06:00": true, "sat:23:30-sun:00:30": true, "mon:00:00-tue:23:59": true,
		"sun:05:00-sun:05:30": false, "sun:24:00-mon:01:00": false, "Sun:05:00-sun:06:00": false, "05:00-06:00": false, "sun:05:00-sun:05:00": false, "": false,
	} {
		if problem := checkMaintenanceWindow(text); (problem == "") != good {
			t.Errorf("%q: %q", text, problem)
		}
	}
	for start := range dayMinutes {
		window := Window{Start: start, Length: 60 + start}
		if window.Length >= dayMinutes {
			break
		}
		if problem := checkMaintenanceWindow(PickMaintenanceWindow(window)); problem != "" {
			t.Errorf("%v: %s", window, problem)
		}
	}
}

func TestParametersOfEveryFamilyAreWellFormed(t *testing.T) {
	t.Parallel()
	for _, family := range Families() {
		seen := map[string]bool{}
		for _, p := range Parameters(family) {
			if problem := p.check(p.Default); problem != "" || seen[p.Name] || p.Description == "" || p.Allowed == "" {
				t.Errorf("%s: %+v: %s", family, p, problem)
			}
			if problem := p.check("\n requirepass x"); problem == "" {
				t.Errorf("%s: %s takes anything", family, p.Name)
			}
			seen[p.Name] = true
		}
		if len(seen) == 0 {
			t.Errorf("%s has no parameters", family)
		}
	}
	if Parameters("redis99") != nil {
		t.Error("parameters of a family that does not exist")
	}
}
