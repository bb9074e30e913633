package models

import (
	"database/sql/driver"
	"fmt"
	"hash/fnv"
	"strconv"
	"strings"
	"time"
)

// MinWindowMinutes is the shortest snapshot window, as in ElastiCache.
const MinWindowMinutes = 60

const dayMinutes = 24 * 60

// Window is a daily span of time in UTC in which the automatic snapshot begins. It may cross midnight. The zero value means
// that there is no window.
//
// Source: Amazon ElastiCache API reference, SnapshotWindow ("05:00-09:00").
type Window struct {
	Start  int // minutes after midnight UTC
	Length int // minutes, 60 to 1439
}

// ParseWindow reads "HH:MM-HH:MM" (UTC).
func ParseWindow(s string) (Window, error) {
	from, to, ok := strings.Cut(strings.TrimSpace(s), "-")
	if !ok {
		return Window{}, Refuse(CodeInvalid, "window", fmt.Sprintf("The window must look like 03:00-04:00, not %q.", s))
	}
	start, err := ParseTimeOfDay(from)
	if err != nil {
		return Window{}, err
	}
	end, err := ParseTimeOfDay(to)
	if err != nil {
		return Window{}, err
	}
	return NewWindow(start, (end-start+dayMinutes)%dayMinutes)
}

// NewWindow returns a window that begins this many minutes after midnight UTC, and checks its length.
func NewWindow(start, length int) (Window, error) {
	switch {
	case start < 0 || start >= dayMinutes:
		return Window{}, Refuse(CodeInvalid, "window_start", "The window must begin between 00:00 and 23:59.")
	case length < MinWindowMinutes:
		return Window{}, Refuse(CodeInvalid, "window_length",
			fmt.Sprintf("The window must be at least %d minutes long; this one has %d.", MinWindowMinutes, length))
	case length >= dayMinutes:
		return Window{}, Refuse(CodeInvalid, "window_length", "The window must be shorter than 24 hours.")
	}
	return Window{Start: start, Length: length}, nil
}

// ParseTimeOfDay reads "HH:MM" as minutes after midnight.
func ParseTimeOfDay(s string) (int, error) {
	hours, minutes, ok := strings.Cut(strings.TrimSpace(s), ":")
	h, errH := strconv.ParseUint(hours, 10, 8)
	m, errM := strconv.ParseUint(minutes, 10, 8)
	if !ok || errH != nil || errM != nil || h > 23 || m > 59 || len(hours) != 2 || len(minutes) != 2 {
		return 0, Refuse(CodeInvalid, "window_start",
			fmt.Sprintf("The time of day must look like 03:00 (00:00 to 23:59), not %q.", s))
	}
	return int(h)*60 + int(m), nil
}

// IsZero tells whether there is no window.
func (w Window) IsZero() bool { return w == Window{} }

// String returns ElastiCache's form, "03:00-04:00", or "".
func (w Window) String() string {
	if w.IsZero() {
		return ""
	}
	end := (w.Start + w.Length) % dayMinutes
	return fmt.Sprintf("%02d:%02d-%02d:%02d", w.Start/60, w.Start%60, end/60, end%60)
}

// Occurrence is one day's window: it is open from Opens (inclusive) to Closes (exclusive), and the snapshot begins at
// Begins unless something prevents that.
type Occurrence struct{ Opens, Begins, Closes time.Time }

// On is the window that opens on the UTC day of t. Starts are spread over the window by the cluster's name, so that
// many clusters with the same window do not begin at once, and each begins at the same minute every day. The last
// quarter of the window stays free as a reserve for catching up.
func (w Window) On(t time.Time, cluster string) Occurrence {
	year, month, day := t.UTC().Date()
	opens := time.Date(year, month, day, 0, w.Start, 0, 0, time.UTC)
	hash := fnv.New32a()
	_, _ = hash.Write([]byte(cluster))
	spread := int(hash.Sum32() % uint32(w.Length*3/4))
	return Occurrence{
		Opens:  opens,
		Begins: opens.Add(time.Duration(spread) * time.Minute),
		Closes: opens.Add(time.Duration(w.Length) * time.Minute),
	}
}

// Open returns the occurrence that is open at t, if there is one.
func (w Window) Open(t time.Time, cluster string) (Occurrence, bool) {
	if w.IsZero() {
		return Occurrence{}, false
	}
	for _, day := range []int{-1, 0} { // yesterday's may reach over midnight
		if o := w.On(t.UTC().AddDate(0, 0, day), cluster); !t.Before(o.Opens) && t.Before(o.Closes) {
			return o, true
		}
	}
	return Occurrence{}, false
}

// Next returns the first occurrence that begins after t; without a window it is the zero occurrence.
func (w Window) Next(t time.Time, cluster string) Occurrence {
	if w.IsZero() {
		return Occurrence{}
	}
	for day := -1; ; day++ {
		if o := w.On(t.UTC().AddDate(0, 0, day), cluster); o.Begins.After(t) {
			return o
		}
	}
}

// Closed returns the occurrences that closed in (after, until], oldest first.
func (w Window) Closed(after, until time.Time, cluster string) []Occurrence {
	var closed []Occurrence
	if w.IsZero() {
		return nil
	}
	for day := after.UTC().AddDate(0, 0, -2); !day.After(until.AddDate(0, 0, 1)); day = day.AddDate(0, 0, 1) {
		if o := w.On(day, cluster); o.Closes.After(after) && !o.Closes.After(until) {
			closed = append(closed, o)
		}
	}
	return closed
}

// Value stores a window as ElastiCache's text.
func (w Window) Value() (driver.Value, error) { return w.String(), nil }

// Scan reads what [Window.Value] stored.
func (w *Window) Scan(src any) error {
	var text string
	switch v := src.(type) {
	case string:
		text = v
	case []byte:
		text = string(v)
	case nil:
	default:
		return fmt.Errorf("scan window: unexpected %T", src)
	}
	if text == "" {
		*w = Window{}
		return nil
	}
	parsed, err := ParseWindow(text)
	if err != nil {
		return fmt.Errorf("scan window %q: %w", text, err)
	}
	*w = parsed
	return nil
}

// GormDataType names the column's type.
func (Window) GormDataType() string { return "text" }
