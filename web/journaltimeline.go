package web

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/a-h/templ"

	"rekindle/models"
	"rekindle/views"
)

// journalTime is the timeline and what happened in it.
func (h journalPages) journalTime(ctx context.Context, cluster models.Cluster, window models.RecoveryWindow, stretches []models.JournalStretch, l look, v *views.Journal) error {
	now := h.clock.Now()
	span, bar := l.zoom.Span(l.at)
	if l.zoom == models.ZoomWindow {
		span, bar = models.WholeWindow(oldestOf(stretches, now), now)
	}
	t := views.JournalTimeline{From: span.From, To: span.To, Bar: bar, Zoom: string(l.zoom), By: l.by, At: l.at, Chosen: l.given}
	if newest := window.Newest(); !l.given && !newest.IsZero() {
		t.At = newest
	}
	writes, err := h.journalWrites(ctx, cluster, span, bar, l.zoom, &t)
	if err != nil {
		return err
	}
	in, closer := l.zoom.In()
	if !closer {
		in = l.zoom // a second is chosen
	}
	for _, each := range writes {
		href := views.JournalAddress(cluster.Name, each.At, string(in), l.by)
		t.Bars = append(t.Bars, views.JournalBar{At: each.At, Writes: each.Writes, Bytes: each.Bytes, Href: href})
		if each.Events > 0 { // in times so long that there may be any number of them
			t.Marks = append(t.Marks, views.JournalMark{At: each.At.Add(bar / 2), Text: views.Plural(int(each.Events), "thing") + " that may be undone", Href: href})
		}
	}
	past := models.RecoverySpan{From: span.From, To: earlierOf(span.To, now)}
	for _, o := range window.Outside(past) {
		t.Outside = append(t.Outside, views.JournalSpan{From: o.From, To: o.To})
	}
	if err := h.journalEvents(ctx, cluster, window, span, bar < models.JournalTallied, &t, v); err != nil {
		return err
	}
	v.Timeline = t
	if l.given && l.zoom == models.ZoomMinute {
		v.Moment, err = h.journalMoment(ctx, cluster, window, l.at.Truncate(time.Second), writes)
	}
	return err
}

// oldestOf is when what is stored begins; now without anything.
func oldestOf(stretches []models.JournalStretch, now time.Time) time.Time {
	for _, s := range stretches {
		now = earlierOf(now, s.Begin)
	}
	return now
}

// journalEvents lists what happened in a span. Where the bars are short, each has a mark of its own.
func (h journalPages) journalEvents(ctx context.Context, cluster models.Cluster, window models.RecoveryWindow, span models.RecoverySpan, marks bool, t *views.JournalTimeline, v *views.Journal) error {
	events, err := h.db.Journal.Events(ctx, cluster.ID, span.From, span.To, shownEvents+1)
	if err != nil {
		return err
	}
	if v.More = len(events) > shownEvents; v.More {
		events = events[:shownEvents]
	}
	for _, e := range events {
		shown := views.JournalEvent{ID: strconv.FormatUint(uint64(e.ID), 10), At: e.At, Shard: e.Shard, Text: e.Text()}
		if window.Contains(e.At) {
			shown.Recover = beforeEvent(cluster, e)
		}
		v.Events = append(v.Events, shown)
		if !marks {
			continue
		}
		mark := views.JournalMark{At: e.At, Text: e.Text(), Href: shown.Recover}
		if mark.Href == "" {
			mark.Href = views.JournalAddress(cluster.Name, e.At, string(models.ZoomMinute), t.By)
		}
		t.Marks = append(t.Marks, mark)
	}
	return nil
}

// beforeEvent is the recovery to just before something that happened.
func beforeEvent(cluster models.Cluster, e models.JournalEvent) templ.SafeURL {
	return views.RecoverAddress(cluster.Name, e.At, fmt.Sprintf("%d:%s:%d", e.Shard, e.Run, e.Before))
}

// journalWrites is how much was written in each bar. Single seconds are in the segments, everything else in the catalog.
func (h journalPages) journalWrites(ctx context.Context, cluster models.Cluster, span models.RecoverySpan, bar time.Duration, zoom models.JournalZoom, t *views.JournalTimeline) ([]models.JournalWrites, error) {
	switch zoom {
	case models.ZoomWindow, models.ZoomDay:
		return h.db.Journal.Tallied(ctx, cluster.ID, span, bar)
	case models.ZoomMinute:
		writes, err := h.jobs.JournalSeconds(ctx, cluster, span)
		if err == nil {
			return writes, nil
		}
		t.Wrong = "The seconds of this minute cannot be read from the store now. Try again, or look at the hour."
	}
	return h.db.Journal.Writes(ctx, cluster.ID, span, bar)
}

// journalMoment says what is before and after a second.
func (h journalPages) journalMoment(ctx context.Context, cluster models.Cluster, window models.RecoveryWindow, at time.Time, seconds []models.JournalWrites) (views.JournalMoment, error) {
	m := views.JournalMoment{At: at}
	if window.Contains(at) {
		m.Recover = views.RecoverAddress(cluster.Name, at, "")
	}
	for _, s := range seconds {
		if s.At.Before(at) {
			m.Before += s.Writes
		} else {
			m.After += s.Writes
		}
	}
	before, after, err := h.db.Journal.Beside(ctx, cluster.ID, at)
	if before != nil {
		m.LastEvent, m.LastAt = before.Text(), before.At
	}
	if after != nil {
		m.NextEvent, m.NextAt = after.Text(), after.At
	}
	return m, err
}

func earlierOf(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}
