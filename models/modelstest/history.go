// Package modelstest has what tests of the rules and tests of the catalog's queries share.
package modelstest

import (
	"testing"
	"time"

	"rekindle/models"
)

// History is what a simulation knows of one cluster's windows, kept by the test itself and compared with what the schedule did.
type History struct {
	Window  models.Window
	cluster string
	since   time.Time
	last    time.Time // the latest instant that any tick saw
	windows map[int64]*Past
}

// Past is what happened to one window.
type Past struct {
	models.Occurrence
	chance    bool // a tick fell between its minute and its end
	Begun     int  // attempts
	Succeeded int
	Reported  int // as missed
}

// NewHistory begins one of a cluster that has this window since then.
func NewHistory(w models.Window, cluster string, since time.Time) *History {
	return &History{Window: w, cluster: cluster, since: since, last: since, windows: make(map[int64]*Past)}
}

// At is what is known of the window that this is.
func (h *History) At(o models.Occurrence) *Past {
	p, ok := h.windows[o.Opens.Unix()]
	if !ok {
		p = &Past{Occurrence: o}
		h.windows[o.Opens.Unix()] = p
	}
	return p
}

// Tick notes that the schedule was asked at this instant.
func (h *History) Tick(now time.Time) {
	if now.After(h.last) {
		h.last = now
	}
	if o, ok := h.Window.Open(now, h.cluster); ok && !now.Before(o.Begins) {
		h.At(o).chance = true
	}
}

// Begin notes a start and checks that it is within its window.
func (h *History) Begin(t *testing.T, now time.Time, o models.Occurrence) *Past {
	t.Helper()
	if now.Before(o.Begins) || !now.Before(o.Closes) || o.Begins.Before(o.Opens) || o.Closes.Sub(o.Opens) != time.Duration(h.Window.Length)*time.Minute {
		t.Errorf("%s: begun at %v, outside of %v", h.cluster, now, o)
	}
	p := h.At(o)
	p.Begun++
	return p
}

// Verify goes through all days since the beginning: each window that passed was either used or reported as missed.
func (h *History) Verify(t *testing.T, failures, back bool) (days, begun, missed int) {
	t.Helper()
	for day := h.since.AddDate(0, 0, -2); day.Before(h.last.AddDate(0, 0, 2)); day = day.AddDate(0, 0, 1) {
		o := h.Window.On(day, h.cluster)
		p := h.At(o)
		if !p.chance && (!o.Closes.After(h.since) || o.Closes.After(h.last)) {
			if p.Begun+p.Reported > 0 {
				t.Errorf("%s: a window that does not count was begun %d times, reported %d times: %v", h.cluster, p.Begun, p.Reported, o)
			}
			continue
		}
		days++
		begun += p.Begun
		missed += p.Reported
		switch {
		case p.Succeeded > 1:
			t.Errorf("%s: doubled: %d snapshots in %v", h.cluster, p.Succeeded, o)
		case p.Begun > models.MaxAttempts || !failures && p.Begun > 1:
			t.Errorf("%s: %d attempts in %v", h.cluster, p.Begun, o)
		case p.chance && p.Begun == 0:
			t.Errorf("%s: missed although the console ran: %v", h.cluster, o)
		case !p.chance && p.Begun > 0:
			t.Errorf("%s: begun without a tick: %v", h.cluster, o)
		case p.Begun == 0 && p.Reported != 1:
			t.Errorf("%s: passed and reported %d times: %v", h.cluster, p.Reported, o)
		case p.Reported > 1 || p.Reported == 1 && p.Begun > 0 && !back: // only a clock that stood wrong can have done both
			t.Errorf("%s: begun %d times, reported %d times: %v", h.cluster, p.Begun, p.Reported, o)
		}
	}
	for _, p := range h.windows {
		if p.Opens.Hour()*60+p.Opens.Minute() != h.Window.Start {
			t.Errorf("%s: a window that does not exist: %v", h.cluster, p.Occurrence)
		}
	}
	return days, begun, missed
}
