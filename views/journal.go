package views

import (
	"fmt"
	"time"

	"github.com/a-h/templ"
)

// Journal is the page about the journal of a cluster: the time that it can be brought back to, and what happened in it. Its address has at, an instant,
// and zoom. Form: POST /clusters/{id}/journal, fields kept, days, promise (seconds), lone, synthetic; and POST
// /clusters/{id}/journal/compare.
type Journal struct {
	ID       string
	Kept     bool
	Days     int
	Shards   []JournalShard
	Window   []JournalSpan // that it can be brought back to, the oldest first
	Gaps     []JournalSpan // between those, with what they come from
	Behind   time.Duration // how old the newest second is that is stored; -1: nothing is
	Size     int64         // stored bytes
	Cost     string        // of that in a month
	Requests string        // what requests to the store cost, in a sentence
	Promises []JournalPromise
	Timeline JournalTimeline
	Events   []JournalEvent // in the span of the timeline, the newest first
	More     bool           // there are more events in it
	Moment   JournalMoment
	Wrong    string        // what somebody typed that is no instant
	Refusal  string        // why it cannot be kept; "": it can
	Attached bool          // its backlogs are somebody else's
	Daily    *JournalDaily // nil: no snapshots are made from it
	Fields
}

// JournalPromise is what one promise costs.
type JournalPromise struct {
	Promise    time.Duration // after which a piece is stored
	Puts, Gets int64         // requests in 30 days of steady writes
	Cost       string        // of them
	Chosen     bool
}

// JournalDaily is about the daily snapshots that are made from the journal.
type JournalDaily struct {
	Stopped    bool               // until somebody has looked, because the journal differs from the cluster
	Next       time.Time          // from when on the next snapshot is taken of the cluster, and compared; zero: the next one is
	Comparison *JournalComparison // the last one; nil: there was none
}

// JournalComparison is what came out when a snapshot was compared with what the journal makes of the same place.
type JournalComparison struct {
	Snapshot string
	Verdict  string // "same", "differs", "none"
	Text     string // in sentences
	At       time.Time
}

// pill is the state that the verdict is shown as.
func (c JournalComparison) pill() string { return "compared-" + c.Verdict }

// sentence says how the daily snapshots are made.
func (d JournalDaily) sentence(now time.Time) string {
	switch {
	case d.Stopped:
		return "Daily snapshots are taken of the cluster itself."
	case !d.Next.After(now):
		return "The next daily snapshot is taken of the cluster itself, and compared with what the journal makes of the same place. When they are the same, the ones behind it are made from the journal, for a week."
	}
	return fmt.Sprintf("Daily snapshots are made from the journal, so the cluster does not fork for them. The first one from %s UTC on is taken of the cluster itself, and compared.", d.Next.UTC().Format("2006-01-02 15:04"))
}

// JournalShard is the link to one shard.
type JournalShard struct {
	Number int
	State  string // "following", "waiting"
	Reason string // why it waits
	Node   string
	Role   string
	Stored time.Time // up to when; zero: nothing is
	Begins string    // the sentence about a snapshot that it still waits for; "": it waits for none
}

// JournalSpan is a span of time.
type JournalSpan struct {
	From, To time.Time
	Why      string
}

// JournalTimeline is a span of time in bars.
type JournalTimeline struct {
	From, To time.Time
	Bar      time.Duration // how long each is
	Zoom     string        // "window", "day", "hour", "minute"
	By       string        // "bytes": their length is those; "": writes
	Chosen   bool          // somebody has chosen the instant
	Bars     []JournalBar
	Outside  []JournalSpan // it cannot be brought back to
	Marks    []JournalMark
	At       time.Time // the instant that is looked at
	Wrong    string    // why there are no bars, in a sentence
}

// JournalBar is how much was written in a stretch of time.
type JournalBar struct {
	At     time.Time
	Writes int64
	Bytes  int64
	Href   templ.SafeURL // closer, or to that second; "": nowhere
}

// JournalMoment is a second that somebody has chosen, with what is before and after it.
type JournalMoment struct {
	At             time.Time // zero: none was chosen
	Recover        templ.SafeURL
	Before, After  int64  // writes in the minute, up to it and from it on
	LastEvent      string // the last thing before it that may be undone; "": there is none
	LastAt, NextAt time.Time
	NextEvent      string
}

// JournalMark is something in the timeline that people may want to undo.
type JournalMark struct {
	At   time.Time
	Text string
	Href templ.SafeURL
}

// JournalEvent is the same in the list.
type JournalEvent struct {
	ID      string
	At      time.Time
	Shard   int
	Text    string
	Recover templ.SafeURL // to just before it; "": that is outside of the window
}

const journalHeight = 92 // pixels

func (t JournalTimeline) x(at time.Time) float64 {
	return min(100, max(0, 100*float64(at.Sub(t.From))/float64(t.To.Sub(t.From))))
}

func (t JournalTimeline) place(at time.Time) string { return percents(t.x(at)) }

func (t JournalTimeline) width(s JournalSpan) string { return percents(max(.2, t.x(s.To)-t.x(s.From))) }

func (t JournalTimeline) barWidth() string { return percents(100 / float64(max(1, len(t.Bars))) * .8) }

// length is how long a bar is, in pixels. Something is never nothing.
func (t JournalTimeline) length(b JournalBar) float64 {
	most := int64(1)
	for _, other := range t.Bars {
		most = max(most, t.amount(other))
	}
	if t.amount(b) == 0 {
		return 0
	}
	return max(2, float64(t.amount(b))/float64(most)*(journalHeight-14))
}

// amount is what the length of a bar stands for.
func (t JournalTimeline) amount(b JournalBar) int64 {
	if t.By == "bytes" {
		return b.Bytes
	}
	return b.Writes
}

// chosen tells whether a bar has the instant that somebody has chosen.
func (t JournalTimeline) chosen(b JournalBar) bool {
	return t.Chosen && !t.At.Before(b.At) && t.At.Before(b.At.Add(t.Bar))
}

func (t JournalTimeline) top(b JournalBar) string { return pixels(journalHeight - t.length(b)) }

func (t JournalTimeline) label(b JournalBar) string {
	text := fmt.Sprintf("%s UTC: %s", t.clock(b.At), Plural(int(b.Writes), "write"))
	if b.Bytes > 0 {
		text += ", " + SizeText(b.Bytes)
	}
	return text
}

func (t JournalTimeline) clock(at time.Time) string {
	switch t.Zoom {
	case "minute":
		return at.UTC().Format("15:04:05")
	case "window":
		return at.UTC().Format("Mon 2 Jan 15:04")
	}
	return at.UTC().Format("15:04")
}

// ticks are some round times below the bars.
func (t JournalTimeline) ticks() []plotTick {
	every := map[string]time.Duration{"hour": 10 * time.Minute, "minute": 10 * time.Second}[t.Zoom]
	if every == 0 {
		every = 4 * time.Hour
	}
	text := t.clock
	if t.Zoom == "window" {
		const day = 24 * time.Hour
		every = max(1, (t.To.Sub(t.From)/day+5)/6) * day // at most six
		text = func(at time.Time) string { return at.UTC().Format("2 Jan") }
	}
	var ticks []plotTick
	for at := t.From; at.Before(t.To); at = at.Add(every) {
		ticks = append(ticks, plotTick{t.place(at), text(at)})
	}
	return ticks
}

// title names the span.
func (t JournalTimeline) title() string {
	switch t.Zoom {
	case "window":
		if t.To.Sub(t.From) > 24*time.Hour {
			return fmt.Sprintf("%s to %s (UTC)", t.From.UTC().Format("Monday 2 January"), t.To.UTC().Add(-time.Second).Format("Monday 2 January 2006"))
		}
	case "minute":
		return t.From.UTC().Format("Monday 2 January 2006, 15:04 UTC")
	case "hour":
		return fmt.Sprintf("%s, %s to %s UTC", t.From.UTC().Format("Monday 2 January 2006"), t.From.UTC().Format("15:04"), t.To.UTC().Format("15:04"))
	}
	return t.From.UTC().Format("Monday 2 January 2006") + " (UTC)"
}

// summary is what the timeline shows, in a sentence.
func (t JournalTimeline) summary() string {
	var all int64
	for _, b := range t.Bars {
		all += b.Writes
	}
	return fmt.Sprintf("%s: %s, %s that may be undone, %s in which it cannot be brought back", t.title(), Plural(int(all), "write"), Plural(len(t.Marks), "thing"), Plural(len(t.Outside), "span"))
}

// href is another span of the timeline.
func (p Journal) href(at time.Time, zoom string) templ.SafeURL {
	return JournalAddress(p.ID, at, zoom, p.Timeline.By)
}

// href of the same with the other kind of bars.
func (p Journal) byHref(by string) templ.SafeURL {
	return JournalAddress(p.ID, p.Timeline.At, p.Timeline.Zoom, by)
}

// JournalAddress is the page about a cluster's journal, at an instant. The bars are bytes or else writes.
func JournalAddress(cluster string, at time.Time, zoom, by string) templ.SafeURL {
	address, instant := string(Link("clusters", cluster, "journal")), at.UTC().Format(time.RFC3339)
	if by == "" {
		return LinkQuery(address, "at", instant, "zoom", zoom)
	}
	return LinkQuery(address, "at", instant, "zoom", zoom, "by", by)
}

// journalZooms are the zooms, and what people call them.
var journalZooms = []Option{{Value: "window", Label: "Whole window"}, {Value: "day", Label: "Day"}, {Value: "hour", Label: "Hour"}, {Value: "minute", Label: "Minute"}}

// before and after say in words what is on each side of the second.
func (m JournalMoment) before() string {
	return momentSide(m.Before, "Before it, and so in what is recovered", m.LastEvent, m.LastAt, "The last thing before it that may be undone")
}

func (m JournalMoment) after() string {
	return momentSide(m.After, "From it on, and so not in what is recovered", m.NextEvent, m.NextAt, "The next thing that may be undone")
}

func momentSide(writes int64, side, event string, at time.Time, which string) string {
	text := fmt.Sprintf("%s: %s in this minute.", side, Plural(int(writes), "write"))
	if event == "" {
		return text + " " + which + ": there is none."
	}
	return fmt.Sprintf("%s %s, at %s UTC: %s.", text, which, at.UTC().Format("2006-01-02 15:04:05"), event)
}

// before is an instant that is seen when the time before this is looked at.
func (p Journal) before() time.Time { return p.Timeline.From.Add(-time.Second) }

var journalSwitch = []Option{{Value: "", Label: "No"}, {Value: "on", Label: "Yes"}}

// windowText is the recovery window in a sentence.
func (p Journal) windowText() string {
	if len(p.Window) == 0 {
		return "There is no second that it can be brought back to yet."
	}
	return fmt.Sprintf("It can be brought back to any second from %s to %s UTC.", p.Window[0].From.UTC().Format("2006-01-02 15:04:05"), p.Window[len(p.Window)-1].To.UTC().Format("2006-01-02 15:04:05"))
}

// JournalLine is what a cluster's page says of its journal.
type JournalLine struct {
	Kept   bool
	Oldest time.Time // zero: there is no second yet
	Newest time.Time
}

func journalStatus(p Journal) string {
	if !p.Kept {
		return ""
	}
	for _, shard := range p.Shards {
		if shard.State != JournalFollowing {
			return "journal-" + shard.State
		}
	}
	if len(p.Shards) == 0 {
		return "journal-" + JournalWaiting
	}
	return "journal-" + JournalFollowing
}

// The states of a link.
const (
	JournalFollowing = "following"
	JournalWaiting   = "waiting"
)

// RecoverAddress is the form that recovers a cluster to a moment. place is an exact place in the stream of a shard, "shard:run:offset"; "": the moment
// says it all.
func RecoverAddress(cluster string, at time.Time, place string) templ.SafeURL {
	address, moment := string(Link("clusters", cluster, "recover")), at.UTC().Format(time.RFC3339Nano)
	if place == "" {
		return LinkQuery(address, "moment", moment)
	}
	return LinkQuery(address, "moment", moment, "place", place)
}

func (p Journal) sizeText() string {
	if p.Cost == "" {
		return SizeText(p.Size) + " stored"
	}
	return fmt.Sprintf("%s stored, %s a month", SizeText(p.Size), p.Cost)
}

func (g JournalSpan) text() string {
	return fmt.Sprintf("Not from %s to %s UTC. %s", g.From.UTC().Format("2006-01-02 15:04:05"), g.To.UTC().Format("2006-01-02 15:04:05"), g.Why)
}
