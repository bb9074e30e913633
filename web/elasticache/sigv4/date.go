package sigv4

import (
	"net/http"
	"strings"
	"time"
)

// Window is how far the sender's clock may be off, either way. That is also how long a request can be replayed.
const Window = 15 * time.Minute

const (
	isoBasic = "20060102T150405Z"
	isoDay   = "20060102"
)

// readDate returns when the request was signed, in UTC, and the name of the header that says so, in lower case.
// X-Amz-Date takes precedence over Date, which some clients cannot set.
func readDate(h http.Header) (time.Time, string, error) {
	if values := h.Values("X-Amz-Date"); len(values) > 0 {
		at, ok := parseISO(values[0])
		if !ok || len(values) > 1 {
			return time.Time{}, "", refuse(IncompleteSignature, "X-Amz-Date must be given once, in ISO-8601 'basic format' such as 20150830T123600Z, got "+quote(strings.Join(values, ","))+".")
		}
		return at, "x-amz-date", nil
	}
	values := h.Values("Date")
	if len(values) == 0 {
		return time.Time{}, "", refuse(IncompleteSignature, "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header.")
	}
	at, ok := parseDate(values[0])
	if !ok || len(values) > 1 {
		return time.Time{}, "", refuse(IncompleteSignature, "Date must be given once, such as Sun, 30 Aug 2015 12:36:00 GMT or 20150830T123600Z, got "+quote(strings.Join(values, ","))+".")
	}
	return at, "date", nil
}

// parseISO accepts only what it would write itself: time.Parse would accept fractions of a second, which are not signed.
func parseISO(text string) (time.Time, bool) {
	at, err := time.Parse(isoBasic, text)
	return at, err == nil && at.Format(isoBasic) == text
}

// parseDate accepts the dates of HTTP, also with the numeric zone that botocore writes, and the format of X-Amz-Date.
func parseDate(text string) (time.Time, bool) {
	if at, ok := parseISO(text); ok {
		return at, true
	}
	for _, layout := range []string{http.TimeFormat, time.RFC1123Z} {
		if at, err := time.Parse(layout, text); err == nil {
			return at.UTC(), true
		}
	}
	return time.Time{}, false
}

// checkClock refuses what was signed too long ago, or in the future. The words are AWS's, which clients know.
func checkClock(at, now time.Time) error {
	now = now.UTC()
	if earliest := now.Add(-Window); at.Before(earliest) {
		return refuse(RequestExpired, "Signature expired: "+at.Format(isoBasic)+" is now earlier than "+earliest.Format(isoBasic)+" ("+now.Format(isoBasic)+" - 15 min.)")
	}
	if latest := now.Add(Window); at.After(latest) {
		return refuse(SignatureDoesNotMatch, "Signature not yet current: "+at.Format(isoBasic)+" is still later than "+latest.Format(isoBasic)+" ("+now.Format(isoBasic)+" + 15 min.)")
	}
	return nil
}
