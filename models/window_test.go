package models

import (
	"testing"
	"time"
)

func TestParseWindow(t *testing.T) {
	t.Parallel()
	right := map[string]Window{
		"03:00-04:00": {180, 60}, "00:00-01:00": {0, 60}, "23:30-00:30": {1410, 60}, "23:59-00:59": {1439, 60}, "00:00-23:59": {0, 1439},
		"00:01-00:00": {1, 1439}, " 05:00 - 09:00 ": {300, 240},
	}
	for text, want := range right {
		if got, err := ParseWindow(text); err != nil || got != want {
			t.Errorf("%q became %+v, %v", text, got, err)
		}
	}
	wrong := []string{"", "-", "03:00", "03:00-", "-03:00", "03:00-03:59", "03:00-03:00", "23:30-00:29", "24:00-01:00", "03:60-05:00", "3:00-5:00",
		"03:00-05:00-07:00", "03:00:00-05:00:00", "sun:03:00-sun:05:00", "+3:00-05:00", "03:0a-05:00", "03:00–05:00", "０３:00-05:00", "03:00-05:00Z",
		"-1:00-05:00", "\x00", "03:00-05:00'; DROP TABLE clusters", "1e:00-05:00", "0x:00-05:00"}
	for _, text := range wrong {
		got, err := ParseWindow(text)
		if err == nil {
			t.Errorf("%q was accepted as %v", text, got)
			continue
		}
		refused(t, err, CodeInvalid)
	}
	for _, w := range []Window{{-1, 60}, {1440, 60}, {0, 59}, {0, 1440}, {0, -60}} {
		if _, err := NewWindow(w.Start, w.Length); err == nil {
			t.Errorf("%+v was accepted", w)
		}
	}
}

func FuzzParseWindow(f *testing.F) {
	for _, s := range []string{"03:00-04:00", "23:30-00:30", "00:00-23:59", "03:00-03:59", "", "-", "24:00-25:00", " 03:00 - 04:00", "03:00-04:00-05:00", "\xff"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		window, err := ParseWindow(s)
		if err != nil {
			if _, ok := AsFaults(err); !ok || !window.IsZero() {
				t.Errorf("%q: %v, %v", s, window, err)
			}
			return
		}
		if window.Start < 0 || window.Start >= dayMinutes || window.Length < MinWindowMinutes || window.Length >= dayMinutes {
			t.Errorf("%q became %+v", s, window)
		}
		again, err := ParseWindow(window.String())
		var scanned Window
		if value, _ := window.Value(); err != nil || again != window || scanned.Scan(value) != nil || scanned != window {
			t.Errorf("%q became %v, then %v and %v", s, window, again, scanned)
		}
	})
}

func TestWindowsOverAllDaysOfTwoYears(t *testing.T) {
	t.Parallel()
	for _, w := range []Window{{0, 60}, {1439, 60}, {1410, 90}, {0, 1439}, {720, 1439}} {
		var last Occurrence
		for day := range 731 {
			now := time.Date(2027, 12, 30, 12, 30, 30, 5, time.UTC).AddDate(0, 0, day)
			next := w.Next(now, "orders")
			if !next.Begins.After(now) || next.Begins.Sub(now) > 24*time.Hour {
				t.Fatalf("%v: next after %v begins at %v", w, now, next.Begins)
			}
			if day > 0 && next.Begins.Sub(last.Begins) != 24*time.Hour {
				t.Fatalf("%v: %v follows %v", w, next, last)
			}
			if _, open := w.Open(next.Opens.Add(-time.Nanosecond), "orders"); open && w.Length < 1439 {
				t.Fatalf("%v is open before it opens", w)
			}
			for _, instant := range []time.Time{next.Opens, next.Begins, next.Closes.Add(-time.Nanosecond)} {
				// Any time zone: only the instant counts.
				if o, open := w.Open(instant.In(time.FixedZone("x", 13*3600)), "orders"); !open || o != next {
					t.Fatalf("%v: at %v it is open: %t, %v", w, instant, open, o)
				}
			}
			if closed := w.Closed(next.Closes.Add(-time.Nanosecond), next.Closes, "orders"); len(closed) != 1 || closed[0] != next {
				t.Fatalf("%v: closed %v", w, closed)
			}
			if closed := w.Closed(next.Closes, next.Closes.Add(time.Minute-time.Nanosecond), "orders"); len(closed) != 0 {
				t.Fatalf("%v: closed twice %v", w, closed)
			}
			last = next
		}
	}
}

func TestTheZeroWindowIsNeverOpen(t *testing.T) {
	t.Parallel()
	var w Window
	if _, open := w.Open(monday, "orders"); open || w.String() != "" || len(w.Closed(monday, monday.AddDate(1, 0, 0), "orders")) != 0 {
		t.Error("the zero window is a window")
	}
	if next := w.Next(monday, "orders"); !next.Begins.IsZero() {
		t.Errorf("next is %v", next)
	}
	if err := w.Scan(42); err == nil {
		t.Error("a number was scanned")
	}
	if err := w.Scan([]byte("05:00-06:00")); err != nil || w.String() != "05:00-06:00" {
		t.Error(w, err)
	}
	if err := w.Scan(nil); err != nil || !w.IsZero() {
		t.Error(w, err)
	}
}

func TestPickedWindowsAreInTheQuietHoursAndSpread(t *testing.T) {
	t.Parallel()
	seen := make(map[Window]int)
	for i := range 400 {
		w := PickWindow(NodeName("cluster", i))
		seen[w]++
		if _, err := NewWindow(w.Start, w.Length); err != nil {
			t.Error(err)
		}
		if end := (w.Start + 120) % dayMinutes; end > 8*60 { // 22:00 becomes 0
			t.Errorf("%v is not between 22:00 and 06:00", w)
		}
	}
	if len(seen) != 14 {
		t.Errorf("only %d different windows", len(seen))
	}
}
