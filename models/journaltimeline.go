package models

import "time"

// JournalZoom is how much time the timeline of a recovery window shows.
type JournalZoom string

// The zooms, each inside of the one before.
const (
	ZoomWindow JournalZoom = "window"
	ZoomDay    JournalZoom = "day"
	ZoomHour   JournalZoom = "hour"
	ZoomMinute JournalZoom = "minute"
)

// Known tells whether it is one of the zooms.
func (z JournalZoom) Known() bool {
	return z == ZoomWindow || z == ZoomDay || z == ZoomHour || z == ZoomMinute
}

// JournalTallied is what a day and more are summed by: bars of them are some times as long.
const JournalTallied = 10 * time.Minute

// windowBars are the lengths of the bars of the whole window: the first of which there are not too many.
var windowBars = []time.Duration{time.Hour, 2 * time.Hour, 3 * time.Hour, 6 * time.Hour, 12 * time.Hour}

// mostBars is how many bars of the whole window there may be.
const mostBars = 150

// WholeWindow is the span of whole days from an instant to another, and the length of one bar in it.
func WholeWindow(oldest, newest time.Time) (RecoverySpan, time.Duration) {
	const day = 24 * time.Hour
	span := RecoverySpan{oldest.UTC().Truncate(day), newest.UTC().Truncate(day).Add(day)}
	for _, bar := range windowBars {
		if span.To.Sub(span.From) <= mostBars*bar {
			return span, bar
		}
	}
	return span, day
}

// Span is the span around an instant that is shown, and the length of one bar in it. That of the whole window is [WholeWindow].
func (z JournalZoom) Span(at time.Time) (RecoverySpan, time.Duration) {
	at = at.UTC()
	switch z {
	case ZoomHour:
		from := at.Truncate(10 * time.Minute).Add(-30 * time.Minute) // with what was before and after
		return RecoverySpan{from, from.Add(time.Hour)}, time.Minute
	case ZoomMinute:
		from := at.Truncate(time.Minute)
		return RecoverySpan{from, from.Add(time.Minute)}, time.Second
	}
	from := at.Truncate(24 * time.Hour)
	return RecoverySpan{from, from.Add(24 * time.Hour)}, 10 * time.Minute
}

// In is the zoom that shows one bar of this one; false for a second, which is a moment.
func (z JournalZoom) In() (JournalZoom, bool) {
	switch z {
	case ZoomWindow:
		return ZoomDay, true
	case ZoomDay:
		return ZoomHour, true
	case ZoomHour:
		return ZoomMinute, true
	}
	return z, false
}

// Out is the zoom that this one is in; false for the widest.
func (z JournalZoom) Out() (JournalZoom, bool) {
	switch z {
	case ZoomMinute:
		return ZoomHour, true
	case ZoomHour:
		return ZoomDay, true
	case ZoomDay:
		return ZoomWindow, true
	}
	return z, false
}

// JournalWrites is how much was written within a stretch of time.
type JournalWrites struct {
	At     time.Time
	Writes int64
	Bytes  int64 // of the stream
	Events int64 // that people may want to undo; 0 in bars below ten minutes, whose events are read one by one
}

// Within is the part of a window that lies in a span.
func (w RecoveryWindow) Within(span RecoverySpan) RecoveryWindow { return w.and(RecoveryWindow{span}) }

// Outside are the parts of a span to which a cluster cannot be brought back.
func (w RecoveryWindow) Outside(span RecoverySpan) []RecoverySpan {
	var outside []RecoverySpan
	from := span.From
	for _, inside := range w.Within(span) {
		if inside.From.After(from) {
			outside = append(outside, RecoverySpan{from, inside.From})
		}
		from = later(from, inside.To)
	}
	if span.To.After(from) {
		outside = append(outside, RecoverySpan{from, span.To})
	}
	return outside
}
