package views

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/a-h/templ"
)

// What became of a window, as WindowDay.Outcome.
const (
	WindowIdle    = "idle"
	WindowTaken   = "taken"
	WindowRetried = "retried"
	WindowFailed  = "failed"
	WindowMissed  = "missed"
	WindowBusy    = "busy"
	WindowAhead   = "ahead"
)

// WindowDay is what became of a cluster's window on one day.
type WindowDay struct {
	Date    time.Time // UTC
	Outcome string    // one of the constants
	Note    string    // a sentence, such as why it failed; may be empty
	Href    templ.SafeURL
}

// ClusterHistory is what a cluster's schedule did lately.
type ClusterHistory struct {
	Days  []WindowDay // the oldest first
	Plots []Plot      // only where they are shown
}

// outcome is how the outcome of a window is shown: an icon, a tone, and words that say it without either.
type outcome struct{ icon, tone, text, short string }

var outcomes = map[string]outcome{
	WindowIdle:    {"", "idle", "no window", "no window"},
	WindowTaken:   {"check", "ok", "a snapshot was taken", "taken"},
	WindowRetried: {"rotate-cw", "warn", "a snapshot was taken, but not at the first attempt", "taken after a retry"},
	WindowFailed:  {"x", "bad", "the snapshot failed", "failed"},
	WindowMissed:  {"circle-alert", "bad", "the window passed without an attempt", "missed"},
	WindowBusy:    {"activity", "busy", "a snapshot is being taken", "under way"},
	WindowAhead:   {"history", "idle", "the snapshot is still to come", "still to come"},
}

func (d WindowDay) outcome() outcome {
	if o, known := outcomes[d.Outcome]; known {
		return o
	}
	return outcomes[WindowIdle]
}

// label says which day it was and what happened on it.
func (d WindowDay) label() string {
	text := d.Date.Format("2 January") + ": " + d.outcome().text
	if d.Note != "" {
		text += ". " + d.Note
	}
	return text
}

// legendEntry is how many windows had one outcome, and by which sign they are known.
type legendEntry struct {
	outcome

	count int
}

// legend has the outcomes that there are.
func (h ClusterHistory) legend() []legendEntry {
	var legend []legendEntry
	for _, name := range []string{WindowTaken, WindowRetried, WindowFailed, WindowMissed, WindowBusy, WindowAhead} {
		n := 0
		for _, d := range h.Days {
			if d.Outcome == name {
				n++
			}
		}
		if n > 0 {
			legend = append(legend, legendEntry{outcomes[name], n})
		}
	}
	return legend
}

// blank tells that there was no window on any of the days.
func (h ClusterHistory) blank() bool {
	return !slices.ContainsFunc(h.Days, func(d WindowDay) bool { return d.Outcome != WindowIdle })
}

// sentence sums up the windows that have passed.
func (h ClusterHistory) sentence() string {
	good, all := 0, 0
	for _, d := range h.Days {
		switch d.Outcome {
		case WindowTaken, WindowRetried:
			good, all = good+1, all+1
		case WindowFailed, WindowMissed:
			all++
		}
	}
	switch {
	case all == 0:
		return "No window has passed yet."
	case all == 1 && good == 0:
		return "The one window so far has no snapshot."
	case good == all && all == 1:
		return "The one window so far has a snapshot."
	case good == all:
		return fmt.Sprintf("All of the last %d windows have a snapshot.", all)
	}
	return fmt.Sprintf("%d of the last %d windows %s a snapshot.", good, all, hasHave(good))
}

func (l legendEntry) words() string { return strings.TrimSpace(itoa(l.count) + " " + l.short) }
