package views

import (
	"strings"
	"time"

	"github.com/a-h/templ"

	"rekindle/static"
)

// Icon draws a lucide icon, hidden from screen readers: the words beside it say the same.
func Icon(name string) templ.Component {
	address, ok := static.Icon(name)
	if !ok {
		address, _ = static.Icon("square")
	}
	return templ.Raw(`<svg class="icon" width="16" height="16" aria-hidden="true"><use href="` + address + `"/></svg>`)
}

// state is how a status is shown: a colour, and words that say it without the colour.
type state struct {
	tone  string // "ok", "warn", "bad", "busy", "idle"
	label string
}

var states = map[string]state{
	// clusters and nodes
	"available": {"ok", "Available"}, "creating": {"busy", "Creating"}, "modifying": {"busy", "Modifying"},
	"migrating": {"busy", "Migrating"}, "snapshotting": {"busy", "Snapshotting"}, "rebooting cluster nodes": {"busy", "Rebooting cluster nodes"}, "deleting": {"busy", "Deleting"}, "restoring": {"busy", "Restoring"},
	"copying": {"busy", "Copying"}, "restore-failed": {"bad", "Restore failed"}, "create-failed": {"bad", "Create failed"},
	"unreachable": {"bad", "Unreachable"}, "failed": {"bad", "Failed"}, "starting": {"busy", "Starting"},
	"stopped": {"bad", "Stopped"}, "refusing": {"bad", "Refuses commands"}, "planned": {"idle", "Planned"}, "loading": {"busy", "Loading"}, "syncing": {"busy", "Syncing"},
	// runs
	"queued": {"idle", "Waiting"}, "running": {"busy", "Running"}, "succeeded": {"ok", "Succeeded"}, DamageFound: {"bad", "Damage found"},
	Cancelled: {"idle", "Cancelled"}, "canceled": {"idle", "Cancelled"},
	// drills
	DrillPassed: {"ok", "Passed"}, DrillUndone: {"warn", "Not carried out"}, DrillNever: {"idle", "None"},
	// journals
	"journal-" + JournalFollowing: {"ok", "Recording"}, "journal-" + JournalWaiting: {"warn", "Waiting"},
	"compared-same": {"ok", "The same"}, "compared-differs": {"bad", "Differs"}, "compared-none": {"warn", "Not compared"},
	// events
	"info": {"idle", "Info"}, "warning": {"warn", "Warning"}, "error": {"bad", "Error"},
	// messages
	"message-waiting": {"busy", "Waiting"}, MessageRetried: {"warn", "Tried again"}, "message-delivered": {"ok", "Delivered"}, "message-given-up": {"bad", "Given up"},
	// protection
	Protected: {"ok", "Protected"}, NoSchedule: {"warn", "No schedule"}, LastFailed: {"bad", "Last failed"},
	Overdue: {"bad", "Overdue"}, FirstPending: {"warn", "No snapshot yet"}, CacheOnly: {"idle", "Nothing to back up"}, NothingInIt: {"idle", "Nothing to back up"},
}

func stateOf(status string) state {
	if s, ok := states[status]; ok {
		return s
	}
	if status == "" {
		return state{"idle", "Unknown"}
	}
	return state{"idle", sentenceCase(status)}
}

func sentenceCase(s string) string {
	if s == "" {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:]
}

func bannerIcon(kind string) string {
	switch kind {
	case "success":
		return "circle-check"
	case "warning":
		return "triangle-alert"
	case "error":
		return "circle-alert"
	}
	return "info"
}

func bannerRole(kind string) string {
	if kind == "error" {
		return "alert"
	}
	return "status"
}

// daySpan is a part of a day in minutes, on the 24-hour strip.
type daySpan struct{ from, length int }

// spans cuts a window at midnight.
func spans(start, length int) []daySpan {
	const day = 24 * 60
	start = ((start % day) + day) % day
	length = max(0, min(length, day))
	if start+length <= day {
		return []daySpan{{start, length}}
	}
	return []daySpan{{start, day - start}, {0, start + length - day}}
}

// clockText writes minutes after midnight as HH:MM.
func clockText(minutes int) string {
	const day = 24 * 60
	minutes = ((minutes % day) + day) % day
	return time.Date(2000, 1, 1, 0, minutes, 0, 0, time.UTC).Format("15:04")
}

// offsetMinutes is how far the viewer's zone is ahead of UTC at an instant.
func offsetMinutes(t time.Time, zone *time.Location) int {
	if zone == nil {
		return 0
	}
	_, offset := t.In(zone).Zone()
	return offset / 60
}

// at is the instant whose zone offset counts for a schedule: its next start, or now.
func (c Schedule) at(now time.Time) time.Time {
	if c.Next.IsZero() {
		return now
	}
	return c.Next
}

// window writes the window in UTC: "03:00-04:00".
func (c Schedule) window() string { return clockText(c.Start) + "-" + clockText(c.Start+c.Length) }

// localWindow writes the window in the viewer's zone, or nothing if that is the same.
func (c Schedule) localWindow(now time.Time, zone *time.Location) string {
	off := offsetMinutes(c.at(now), zone)
	if off == 0 {
		return ""
	}
	return clockText(c.Start+off) + "-" + clockText(c.Start+c.Length+off)
}

func twoDigits(n int) string {
	if n < 10 {
		return "0" + itoa(n)
	}
	return itoa(n)
}

// stripText says what the strip draws.
func stripText(label string, enabled bool, start, length, now int) string {
	text := label + ": it is " + clockText(now) + " now; "
	if !enabled {
		return text + "no snapshot window."
	}
	return text + "the snapshot window is open from " + clockText(start) + " to " + clockText(start+length) + "."
}

// lastText is the end of the sentence about the newest snapshot: ", 1.2 GB in 14 s, from replica orders-002."
func lastText(l LastSnapshot) string {
	text := ", " + SizeText(l.Bytes)
	if l.Took > 0 {
		text += " in " + DurationText(l.Took)
	}
	if l.From != "" {
		text += ", from " + l.From
	}
	return text + "."
}

// everyDay is the first sentence about a schedule.
func (c Schedule) everyDay(now time.Time, zone *time.Location) string {
	text := "Every day between " + clockText(c.Start) + " and " + clockText(c.Start+c.Length) + " UTC"
	if local := c.localWindow(now, zone); local != "" {
		text += " (" + local + " your time)"
	}
	return text + ", kept " + Plural(c.Retention, "day") + "."
}

func failedEnd(reason string) string {
	if reason == "" {
		return "."
	}
	return ": " + sentence(reason)
}

// finishedEnd is the end of the sentence about a successful run.
func finishedEnd(r Run, now time.Time) string {
	if r.Result == "" {
		return ", after " + DurationText(r.took(now)) + "."
	}
	return ": " + r.Result
}

// moreText says how much of the work is not shown.
func (w Work) moreText() string {
	var more []string
	if w.Waiting > 0 {
		more = append(more, Plural(w.Waiting, "more run")+" "+waits(w.Waiting))
	}
	if w.Ended > 0 {
		more = append(more, Count(w.Ended)+" more "+hasHave(w.Ended)+" just ended")
	}
	return strings.Join(more, ", ") + ": all of them in the activity"
}

// tokenText says what Amazon asks of a password that a command sets; "" for a command that sets none.
func tokenText(command string) string {
	if !strings.Contains(command, "--auth-token ") {
		return ""
	}
	text := "AUTH_TOKEN stands for the password: a variable of your shell. Amazon takes 16 to 128 printable characters without spaces, and of the special ones only !&#$^<>-"
	if strings.Contains(command, "create-") && !strings.Contains(command, "--transit-encryption-enabled") {
		return text + ". It refuses --auth-token without --transit-encryption-enabled; Rekindle does not."
	}
	return text + ", and only for clusters with encryption in transit."
}
