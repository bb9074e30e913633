package models

import (
	"strconv"
	"strings"
	"testing"
	"time"
)

func entry(key, value, digest string) ValueEntry {
	return ValueEntry{Key: key, Label: key, Value: value, Bytes: int64(len(value)), Digest: digest}
}

func side(kind string, size int64, entries ...ValueEntry) KeySide {
	return KeySide{There: true, FoundValue: FoundValue{Type: kind, Size: size, Entries: entries, Cut: kind != "string" && size > int64(len(entries))}}
}

func TestOnlyWhatWasLookedAtIsCalledTheSame(t *testing.T) {
	t.Parallel()
	later := time.Unix(1, 0)
	mortal := entry("f", "1", "d1")
	mortal.Expires = &later
	long := ValueEntry{Value: "begin", Bytes: 9000}
	grouped := func(s KeySide, groups ...StreamGroup) KeySide { s.Groups = groups; return s }
	more := grouped(side("stream", 0), StreamGroup{Name: "g"})
	more.MoreGroups = 1
	last := side("stream", 0)
	last.LastID = "2-1"
	unknown := side("hash", 1)
	unknown.Unknown = "It is too large."
	for name, test := range map[string]struct {
		then, now KeySide
		also      map[string]ValueEntry
		notRead   string
		want      KeyVerdict
		changes   string
	}{
		"equal":                        {then: side("hash", 1, entry("f", "1", "d1")), now: side("hash", 1, entry("f", "1", "d1")), want: KeySame, changes: "f the same"},
		"another order":                {then: side("set", 2, entry("a", "a", "d1"), entry("b", "b", "d2")), now: side("set", 2, entry("b", "b", "d2"), entry("a", "a", "d1")), want: KeySame, changes: "a the same, b the same"},
		"another value":                {then: side("hash", 1, entry("f", "1", "d1")), now: side("hash", 1, entry("f", "2", "d2")), want: KeyChanged, changes: "f changed"},
		"another end of a long entry":  {then: side("hash", 1, entry("f", "1", "d1")), now: side("hash", 1, entry("f", "1", "d2")), want: KeyChanged, changes: "f changed"},
		"another expiry of a field":    {then: side("hash", 1, mortal), now: side("hash", 1, entry("f", "1", "d1")), want: KeyChanged, changes: "f changed"},
		"what has changed comes first": {then: side("hash", 2, entry("a", "1", "d1"), entry("z", "1", "d1")), now: side("hash", 2, entry("a", "1", "d1"), entry("b", "1", "d1")), want: KeyChanged, changes: "b added, z removed, a the same"},
		"a list keeps its order":       {then: side("list", 2, entry("0", "1", "d1"), entry("1", "1", "d1")), now: side("list", 2, entry("0", "1", "d1"), entry("1", "2", "d2")), want: KeyChanged, changes: "0 the same, 1 changed"},
		"ids are in order":             {then: side("stream", 2, entry("2-1", "1", "d1"), entry("10-1", "1", "d1")), now: side("stream", 2, entry("9-1", "1", "d1"), entry("10-1", "1", "d1")), want: KeyChanged, changes: "2-1 removed, 9-1 added, 10-1 the same"},
		"another last id":              {then: side("stream", 0), now: last, want: KeyChanged},
		"cut, and the same":            {then: side("hash", 300, entry("f", "1", "d1")), now: side("hash", 300, entry("f", "1", "d1")), want: KeySameShown, changes: "f the same"},
		"cut, and of another size":     {then: side("hash", 300, entry("f", "1", "d1")), now: side("hash", 301, entry("f", "1", "d1")), want: KeyBeyond, changes: "f the same"},
		"cut, and looked up":           {then: side("set", 300, entry("a", "a", "d1")), now: side("set", 300, entry("b", "b", "d2")), also: map[string]ValueEntry{"a": entry("a", "a", "d1"), "b": entry("b", "b", "d2")}, want: KeySameShown, changes: "a the same, b the same"},
		"the beginning of a string":    {then: side("string", 9000, long), now: side("string", 9000, long), want: KeySameShown, changes: " the same"},
		"another type":                 {then: side("hash", 1, entry("f", "1", "d1")), now: side("list", 1, entry("0", "1", "d1")), want: KeyChanged},
		"gone":                         {then: side("hash", 1, entry("f", "1", "d1")), now: KeySide{}, want: KeyGone},
		"nobody answered":              {then: side("hash", 1, entry("f", "1", "d1")), now: KeySide{}, notRead: "It is away.", want: KeyUnknown},
		"too large":                    {then: side("hash", 1, entry("f", "1", "d1")), now: unknown, want: KeyUnknown},
		"too large, of another type":   {then: side("list", 1, entry("0", "1", "d1")), now: unknown, want: KeyChanged},
		"groups": {then: grouped(side("stream", 0), StreamGroup{Name: "a", Pending: 1}, StreamGroup{Name: "b"}, StreamGroup{Name: "d"}),
			now: grouped(side("stream", 0), StreamGroup{Name: "a"}, StreamGroup{Name: "c"}, StreamGroup{Name: "d"}), want: KeyChanged, changes: "group a changed, group b removed, group d the same, group c added"},
		"pending entries that are not shown": {then: grouped(side("stream", 0), StreamGroup{Name: "a", Pending: 50}), now: grouped(side("stream", 0), StreamGroup{Name: "a", Pending: 50}), want: KeySameShown, changes: "group a the same"},
		"groups that are not shown":          {then: more, now: grouped(side("stream", 0), StreamGroup{Name: "g"}, StreamGroup{Name: "h"}), want: KeySameShown, changes: "group g the same"},
	} {
		c := KeyComparison{Then: test.then, Now: test.now, NotRead: test.notRead}
		c.Compare(test.also, test.also)
		var changes []string
		for _, one := range c.Changes {
			changes = append(changes, one.key()+" "+string(one.Change))
		}
		for _, g := range c.Groups {
			changes = append(changes, "group "+g.Name+" "+string(g.Change))
		}
		if got := strings.Join(changes, ", "); c.Verdict != test.want || got != test.changes {
			t.Errorf("%s: %s (%s), want %s (%s)", name, c.Verdict, got, test.want, test.changes)
		}
	}
}

func TestTheWholeValuesDecideOnlyWhatIsOpen(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		before KeyVerdict
		same   bool
		after  KeyVerdict
	}{{KeySameShown, true, KeySame}, {KeySameShown, false, KeyBeyond}, {KeyChanged, true, KeyChanged}, {KeyGone, true, KeyGone}} {
		c := KeyComparison{Verdict: test.before}
		if c.Settle(test.same); c.Verdict != test.after {
			t.Errorf("%s, %t: %s", test.before, test.same, c.Verdict)
		}
	}
}

func TestWhatTheOtherSideDoesNotShowIsLookedUp(t *testing.T) {
	t.Parallel()
	var entries []ValueEntry
	for i := range 3 {
		entries = append(entries, entry(strconv.Itoa(i), "v", "d"))
	}
	for name, test := range map[string]struct {
		of, among KeySide
		want      string
	}{
		"what is cut":       {side("set", 3, entries...), side("set", 9, entries[1]), "0 2"},
		"what is not cut":   {side("set", 3, entries...), side("set", 1, entries[1]), ""},
		"elements of lists": {side("list", 3, entries...), side("list", 9, entries[1]), ""},
		"another type":      {side("set", 3, entries...), side("hash", 9, entries[1]), ""},
		"what is not there": {side("set", 3, entries...), KeySide{}, ""},
	} {
		if got := strings.Join(test.of.Strangers(test.among), " "); got != test.want {
			t.Errorf("%s: %s, want %s", name, got, test.want)
		}
	}
}
