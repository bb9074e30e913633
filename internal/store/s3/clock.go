package s3

import (
	"net/http"
	"sync/atomic"
	"time"
)

// told is a moment of another clock.
type told struct{ at, heard time.Time }

// toldLately is how old an answer may be to tell the time by.
const toldLately = 10 * time.Minute

// dated remembers the Date of the last answer.
type dated struct {
	inner httpClient
	last  *atomic.Pointer[told]
}

func (d dated) Do(r *http.Request) (*http.Response, error) {
	response, err := d.inner.Do(r)
	if err == nil {
		if at, err := http.ParseTime(response.Header.Get("Date")); err == nil {
			d.last.Store(&told{at, time.Now()})
		}
	}
	return response, err
}

// Now is the time by AWS's clock, or zero if AWS has not answered lately. Other servers are no witness: they may well run on this host, and read the
// same clock.
func (s *Store) Now() time.Time {
	last := s.told.Load()
	if last == nil || s.client.Options().BaseEndpoint != nil {
		return time.Time{}
	}
	ago := time.Since(last.heard)
	if ago > toldLately {
		return time.Time{}
	}
	return last.at.Add(ago)
}
