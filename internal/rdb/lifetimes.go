package rdb

import (
	"slices"
	"strconv"
	"strings"
	"time"
)

// Lifetimes say how long the keys of an RDB that have a deadline had left when it was written, so that one can tell later how many have expired. The text
// is when that was, in seconds since 1970, and words such as 3600=12: twelve keys had more left than the number before says, and at most 3600 seconds;
// "0" had expired already, and "more" had more than a year. "" says that it is not known.
type Lifetimes string

// lifetimeBounds are the numbers that there are.
var lifetimeBounds = []time.Duration{0, time.Minute, 10 * time.Minute, time.Hour, 3 * time.Hour, 6 * time.Hour, 12 * time.Hour, day, 2 * day, 3 * day, 5 * day, 7 * day,
	10 * day, 14 * day, 21 * day, 30 * day, 60 * day, 90 * day, 180 * day, 365 * day}

const day = 24 * time.Hour

const lifetimeMore = "more" // than the last of them

// lifetimes counts keys by the index of their bound.
type lifetimes [21]int64

func (l *lifetimes) count(left time.Duration) {
	i, _ := slices.BinarySearch(lifetimeBounds, left)
	l[i]++
}

// text is what is counted, of an RDB that was written then.
func (l *lifetimes) text(written time.Time) Lifetimes {
	if written.IsZero() {
		return ""
	}
	words := []string{strconv.FormatInt(written.Unix(), 10)}
	for i, n := range l {
		if n > 0 {
			words = append(words, boundText(i)+"="+strconv.FormatInt(n, 10))
		}
	}
	return Lifetimes(strings.Join(words, " "))
}

func boundText(i int) string {
	if i == len(lifetimeBounds) {
		return lifetimeMore
	}
	return strconv.FormatInt(int64(lifetimeBounds[i]/time.Second), 10)
}

// Valid tells whether it is such a text.
func (l Lifetimes) Valid() bool {
	_, _, ok := l.read()
	return ok
}

// Expired says how many of the keys have expired at a time: at least, and at most. known is false when that cannot be told.
func (l Lifetimes) Expired(at time.Time) (least, most int64, known bool) {
	written, counts, ok := l.read()
	if l == "" || !ok {
		return 0, 0, false
	}
	passed := at.Sub(written)
	for i, n := range counts {
		switch {
		case i < len(lifetimeBounds) && lifetimeBounds[i] <= passed:
			least, most = least+n, most+n
		case i > 0 && lifetimeBounds[i-1] < passed:
			most += n
		}
	}
	return least, most, true
}

// Span is how many keys had about the same time left.
type Span struct {
	AtMost time.Duration // 0: they had expired already
	More   bool          // they had more left than any bound; AtMost is the last of those then
	Keys   int64
}

// Spans are the spans that have keys, the shortest first, and when the RDB was written. known is false when there is nothing to tell.
func (l Lifetimes) Spans() (written time.Time, spans []Span, known bool) {
	written, counts, ok := l.read()
	if l == "" || !ok {
		return written, nil, false
	}
	last := len(lifetimeBounds) - 1
	for i, n := range counts {
		if n > 0 {
			spans = append(spans, Span{lifetimeBounds[min(i, last)], i > last, n})
		}
	}
	return written, spans, true
}

func (l Lifetimes) read() (written time.Time, counts lifetimes, ok bool) {
	if l == "" {
		return written, counts, true
	}
	words := strings.Split(string(l), " ")
	seconds, err := strconv.ParseInt(words[0], 10, 64)
	if err != nil || seconds <= 0 || seconds > 1<<40 {
		return written, counts, false
	}
	next := 0
	for _, word := range words[1:] {
		bound, count, _ := strings.Cut(word, "=")
		n, err := strconv.ParseInt(count, 10, 64)
		for next < len(counts) && boundText(next) != bound {
			next++
		}
		if err != nil || n <= 0 || n > 1<<50 || next == len(counts) {
			return written, counts, false
		}
		counts[next] = n
		next++
	}
	return time.Unix(seconds, 0), counts, true
}
