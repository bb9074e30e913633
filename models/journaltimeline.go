package models

import "time"

// JournalZoom is how much time the timeline of a recovery window shows.
type JournalZoom string

// The zooms, each inside of the one before.
const (
	ZoomDay    JournalZoom = "day"
	ZoomHour   JournalZoom = "hour"
	ZoomMinute JournalZoom = "minute"
)

// Known tells whether it is one of the zooms.
func (z JournalZoom) Known() bool { return z == ZoomDay || z == ZoomHour || z == ZoomMinute }

// Span is the span around an instant that is shown, and the length of one bar in it.
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
	}
	return z, false
}

// JournalWrites is how much was written within a stretch of time.
type JournalWrites struct {
	At     time.Time
	Writes int64
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
