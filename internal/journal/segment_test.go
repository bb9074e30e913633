package journal

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"rekindle/internal/store/dir"
)

var day = time.Date(2026, 11, 29, 10, 41, 7, 123e6, time.UTC)

const (
	runA = "6c1f0de2b49a8857"
	runB = "0123456789abcdef"
	id1  = "1111111111111111111111111111111111111111"
	id2  = "2222222222222222222222222222222222222222"
)

// piece is a segment of a run, at some second after day.
func piece(run string, from, to int64, second int) Segment {
	begin := day.Add(time.Duration(second) * time.Second)
	s := Segment{Place: Place{"orders", 1}, Run: run, ReplicationID: id1, From: from, To: to, Begin: begin, End: begin.Add(5 * time.Second), Size: 10}
	s.Key = s.Name()
	return s
}

func TestAKeySaysEverything(t *testing.T) {
	t.Parallel()
	s := piece(runA, 14, 9_000_000_000_000, 0)
	want := "orders/journal/2026-11-29/shard-0001/20261129T104107.123Z-6c1f0de2b49a8857-0000000000000000014-0000009000000000000-" + id1 + "-20261129T104112.123Z.resp.zst"
	if s.Key != want {
		t.Errorf("key %s", s.Key)
	}
	got, err := ParseKey(s.Key, 10)
	if err != nil || got != s {
		t.Errorf("read as %+v, %v", got, err)
	}
	for _, change := range [][2]string{
		{"orders", "Orders"}, {"2026-11-29", "2026-11-28"}, {"shard-0001", "shard-0000"}, {"shard-0001", "shard-1"}, {"20261129T104107", "20261329T104107"},
		{runA, "x"}, {"0000000000000000014", "14"}, {"0000009000000000000", "0000000000000000014"}, {id1, "1"}, {"T104112", "T104106"}, {".zst", ".gz"},
		{"0000009000000000000", "9999999999999999999"}, {"orders/", "orders/x/"}, {"orders", strings.Repeat("o", 41)},
	} {
		key := strings.Replace(s.Key, change[0], change[1], 1)
		if got, err := ParseKey(key, 10); !errors.Is(err, ErrInvalid) {
			t.Errorf("%s is read as %+v, %v", key, got, err)
		}
	}
}

func FuzzParseKey(f *testing.F) {
	f.Add(piece(runA, 0, 1, 0).Key)
	f.Add("orders/journal/2026-11-29/shard-0001/x.resp.zst")
	f.Fuzz(func(t *testing.T, key string) {
		if s, err := ParseKey(key, 1); err == nil && s.Name() != key {
			t.Fatalf("%q is read as %+v", key, s)
		}
	})
}

func TestListCoversEachDayFromATimeOn(t *testing.T) {
	t.Parallel()
	for _, since := range []string{"2026-11-29", "2026-09-30", "2027-12-31", "2026-01-01", "2029-02-28", "2099-12-31"} {
		at, err := time.Parse(time.DateOnly, since)
		if err != nil {
			t.Fatal(err)
		}
		parts := daysFrom(at.Add(longest))
		if !slices.IsSorted(parts) || len(parts) > 45 {
			t.Errorf("%s: %q", since, parts)
		}
		for d := time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC); d.Year() < 2100; d = d.AddDate(0, 0, 1) {
			text, times := d.Format(time.DateOnly), 0
			for _, p := range parts {
				if strings.HasPrefix(text, p) {
					times++
				}
			}
			if want := text >= since; want != (times == 1) || times > 1 {
				t.Fatalf("since %s, %s is listed %d times", since, text, times)
			}
		}
	}
}

func TestListYieldsSegmentsInOrder(t *testing.T) {
	t.Parallel()
	st, err := dir.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for i := range 6 {
		s := piece(runA, int64(i), int64(i+1), i*12*3600) // over midnights
		all = append(all, s.Key)
	}
	others := []string{"orders/journal/2026-11-29/shard-0001/notes.txt", "orders/nightly/manifest.json", "orders2/journal" + strings.TrimPrefix(all[0], "orders/journal")}
	for _, key := range append(others, all...) {
		if _, err := st.Put(t.Context(), key, strings.NewReader("0123456789")); err != nil {
			t.Fatal(err)
		}
	}
	list := func(since time.Time) (keys []string) {
		for s, err := range List(t.Context(), st, "orders", since) {
			if err != nil || s.Size != 10 {
				t.Fatal(s, err)
			}
			keys = append(keys, s.Key)
		}
		return keys
	}
	if got := list(time.Time{}); !slices.Equal(got, all) {
		t.Errorf("all: %q", got)
	}
	for i := range all { // each ends 5 s after it begins
		end := day.Add(time.Duration(i*12)*time.Hour + 5*time.Second)
		if got := list(end); !slices.Equal(got, all[i:]) {
			t.Errorf("since %s: %q", end, got)
		}
		if got := list(end.Add(time.Millisecond)); !slices.Equal(got, all[i+1:]) {
			t.Errorf("after %s: %q", end, got)
		}
	}
}

func TestChainFindsTheSegmentsOrTheFirstGap(t *testing.T) {
	t.Parallel()
	a, b, c := piece(runA, 0, 100, 0), piece(runA, 100, 200, 10), piece(runA, 200, 300, 20)
	over, short, far := piece(runA, 50, 180, 5), piece(runA, 100, 120, 11), piece(runA, 400, 500, 40)
	other := piece(runB, 0, 1000, 0)
	under := func(id string, s Segment) Segment {
		s.ReplicationID = strings.Repeat(id, 40)
		s.Key = s.Name()
		return s
	}
	cut := func(s Segment, to int64) Segment { s.To = to; return s }
	behind, last, gone := under("e", piece(runA, 90, 150, 10)), under("e", piece(runA, 150, 300, 20)), piece(runA, 100, 260, 25)
	for name, test := range map[string]struct {
		have     []Segment
		from, to int64
		want     []Segment
		gap      string
	}{
		"all":               {[]Segment{c, a, b}, 0, 300, []Segment{a, b, c}, ""},
		"a part":            {[]Segment{a, b, c}, 100, 101, []Segment{b}, ""},
		"nothing":           {nil, 7, 7, nil, ""},
		"overlaps":          {[]Segment{a, over, short, b, c}, 10, 250, []Segment{a, b, c}, ""},
		"over an overlap":   {[]Segment{a, over, c}, 0, 180, []Segment{a, over}, ""},
		"a gap":             {[]Segment{a, c, far}, 0, 500, nil, "100-200"},
		"a gap behind all":  {[]Segment{a, b}, 50, 250, nil, "200-250"},
		"a gap before all":  {[]Segment{b}, 0, 200, nil, "0-100"},
		"not there at all":  {[]Segment{other}, 0, 10, nil, "0-10"},
		"a failover":        {[]Segment{a, behind, last}, 0, 300, []Segment{cut(a, 90), behind, last}, ""},
		"what it has lost":  {[]Segment{a, behind, last, gone}, 0, 300, []Segment{cut(a, 90), behind, last}, ""},
		"a gap of one byte": {[]Segment{a, piece(runA, 101, 200, 9)}, 0, 200, nil, "100-101"},
	} {
		got, err := Chain(test.have, runA, test.from, test.to)
		gap := ""
		if missing, ok := errors.AsType[*GapError](err); ok {
			gap = fmt.Sprintf("%d-%d", missing.From, missing.To)
		}
		if !slices.Equal(got, test.want) || gap != test.gap {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
}
