package views

import (
	"fmt"
	"math"
	"rekindle/internal/words"
	"strconv"
	"strings"
	"time"
)

func itoa[T ~int | ~int32 | ~int64](n T) string { return strconv.FormatInt(int64(n), 10) }

// Count writes a number with separated thousands: 4,000,000.
func Count[T ~int | ~int32 | ~int64](n T) string { return words.Number(n) }

// Plural writes a number and its noun: "1 node", "3 nodes".
func Plural[T ~int | ~int32 | ~int64](n T, noun string) string { return words.Plural(n, noun) }

// SizeText writes bytes for people. Amazon gives the memory of node types in GiB instead; see [MemoryText].
func SizeText(bytes int64) string { return words.Size(bytes) }

// MemoryText writes the memory of a node type, with the number that people know from Amazon's list: "6.9 GB (6.38 GiB)".
func MemoryText(bytes int64) string {
	return fmt.Sprintf("%s (%s GiB)", SizeText(bytes), strconv.FormatFloat(math.Round(float64(bytes)/(1<<30)*1000)/1000, 'f', -1, 64))
}

// ExactBytes writes bytes to the last one, for tooltips.
func ExactBytes(bytes int64) string {
	if bytes < 0 {
		return "not known"
	}
	return Plural(bytes, "byte")
}

// DurationText writes a duration with the one or two units that matter: "850 ms", "14 s", "2 min 5 s".
func DurationText(d time.Duration) string { return words.Duration(d) }

// LatencyText writes how long an answer took: "0.25 ms", "3.1 ms", "120 ms".
func LatencyText(d time.Duration) string {
	digits := 0
	switch {
	case d < 0:
		return "0 ms"
	case d < time.Millisecond:
		digits = 2
	case d < 10*time.Millisecond:
		digits = 1
	case d >= time.Second:
		return DurationText(d)
	}
	scale := math.Pow(10, float64(digits))
	return strconv.FormatFloat(math.Round(float64(d)/float64(time.Millisecond)*scale)/scale, 'f', -1, 64) + " ms"
}

// span writes a rough length of time in words: "9 hours", "3 days".
func span(d time.Duration) string {
	switch {
	case d < time.Minute:
		return Plural(int(d/time.Second), "second")
	case d < time.Hour:
		return Plural(int(d/time.Minute), "minute")
	case d < 48*time.Hour:
		return Plural(int(d/time.Hour), "hour")
	case d < 60*24*time.Hour:
		return Plural(int(d/(24*time.Hour)), "day")
	}
	return Plural(int(d/(30*24*time.Hour)), "month")
}

// RelativeText says how far t is from now: "just now", "9 hours ago", "in 3 hours".
func RelativeText(t, now time.Time) string {
	d := now.Sub(t)
	switch {
	case d > -time.Second && d < 5*time.Second:
		return "just now"
	case d < 0:
		return "in " + span(-d)
	}
	return span(d) + " ago"
}

// MomentText is the time of day to the tenth of a second.
func MomentText(t time.Time) string { return t.UTC().Format("15:04:05.0") }

// ExactText writes an instant to the second in UTC and, if that differs, in the viewer's zone.
func ExactText(t time.Time, zone *time.Location) string {
	utc := t.UTC()
	text := utc.Format("2006-01-02 15:04:05") + " UTC"
	if zone == nil {
		return text
	}
	local := t.In(zone)
	if _, offset := local.Zone(); offset == 0 {
		return text
	}
	if local.Format("2006-01-02") == utc.Format("2006-01-02") {
		return text + " (" + local.Format("15:04:05") + " your time)"
	}
	return text + " (" + local.Format("2006-01-02 15:04:05") + " your time)"
}

// MinuteText writes an instant to the minute: "2026-11-22 03:12 UTC".
func MinuteText(t time.Time) string { return t.UTC().Format("2006-01-02 15:04") + " UTC" }

// NextText names a coming instant in everyday words: "today at 03:12 UTC", "tomorrow at 03:12 UTC".
func NextText(t, now time.Time) string {
	day := func(t time.Time) time.Time { return t.UTC().Truncate(24 * time.Hour) }
	at := " at " + t.UTC().Format("15:04") + " UTC"
	switch day(t).Sub(day(now)) / (24 * time.Hour) {
	case 0:
		return "today" + at
	case 1:
		return "tomorrow" + at
	case -1:
		return "yesterday" + at
	}
	return "on " + t.UTC().Format("2006-01-02") + at
}

// fullText says when something will be full: "in 9 days, on 2026-12-08".
func fullText(t, now time.Time) string {
	return "in " + span(t.Sub(now)) + ", on " + t.UTC().Format("2006-01-02") + ","
}

// percent is the share of done in total in whole percent, 0 to 100.
func percent(done, total int64) int64 {
	if done <= 0 {
		return 0
	}
	return min(100, share(done, total))
}

// share is how much of whole part is, in whole percent; more than 100 where part is larger.
func share(part, whole int64) int64 {
	if whole <= 0 {
		return 0
	}
	return int64(float64(part) * 100 / float64(whole))
}

// short cuts a hash to what can be compared by eye.
func short(hash string) string {
	algorithm, digits, found := strings.Cut(hash, ":")
	if !found {
		algorithm, digits = "", hash
	}
	if len(digits) > 12 {
		digits = digits[:12]
	}
	if found {
		return algorithm + ":" + digits
	}
	return digits
}

// zoneName is the name of a zone in a sentence: its abbreviation, or its offset.
func zoneName(t time.Time, zone *time.Location) string {
	name, _ := t.In(zone).Zone()
	if name == "" || name[0] == '+' || name[0] == '-' {
		return "UTC" + t.In(zone).Format("-07:00")
	}
	return name
}

// sentence adds a full stop. What begins without a capital is an address, a folder or a name, and stays as it is.
func sentence(s string) string {
	s = strings.TrimSpace(s)
	if s == "" {
		return s
	}
	if !strings.ContainsAny(s[len(s)-1:], ".!?") {
		s += "."
	}
	return s
}

// permille is the share of done in total in whole thousandths, 0 to 1000.
func permille(done, total int64) int64 {
	if done <= 0 {
		return 0
	}
	return min(1000, int64(float64(done)/float64(total)*1000))
}

// lowerFirst fits a label into a sentence, but leaves abbreviations alone.
func lowerFirst(s string) string {
	if len(s) > 1 && s[1] >= 'A' && s[1] <= 'Z' {
		return s
	}
	return strings.ToLower(s[:min(1, len(s))]) + s[min(1, len(s)):]
}
