package models

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// KeySide is a key at one moment.
type KeySide struct {
	FoundValue
	From  string // a snapshot, or the node that was asked
	At    time.Time
	There bool
}

// KeyComparison is a key as it was in a snapshot beside the key at another moment.
type KeyComparison struct {
	Name    []byte // the whole of it
	Then    KeySide
	Now     KeySide
	Cluster string // that was asked; "": Now is of a snapshot too
	Primary bool   // it was asked at a primary, because no replica is in step
	Changes []EntryChange
	Groups  []GroupChange
	Verdict KeyVerdict
	// NotRead is a sentence that says why the cluster was not asked, or did not answer; "": Now is its answer.
	NotRead string
}

// KeyVerdict says what a comparison has come to.
type KeyVerdict string

// The verdicts.
const (
	KeySame      KeyVerdict = "the same"
	KeySameShown KeyVerdict = "the same as far as it is shown"
	KeyChanged   KeyVerdict = "changed"
	KeyBeyond    KeyVerdict = "changed beyond what is shown"
	KeyGone      KeyVerdict = "not there now"
	KeyUnknown   KeyVerdict = "not compared"
)

// Change says what has become of a piece of a value.
type Change string

// The changes.
const (
	Unchanged Change = "the same"
	Added     Change = "added"
	Removed   Change = "removed"
	Changed   Change = "changed"
)

// EntryChange is what has become of one entry.
type EntryChange struct {
	Change
	Then, Now *ValueEntry // nil: it is not there
}

// GroupChange is what has become of a consumer group of a stream.
type GroupChange struct {
	Change
	Name      string
	Then, Now *StreamGroup
}

// Strangers are the entries of one side that are not among those that are shown of the other, by their keys. Only a value that is not shown wholly can have them there all the
// same, so that they have to be looked up.
func (s KeySide) Strangers(other KeySide) (keys []string) {
	if !other.There || !other.Cut || other.Type != s.Type || s.Type == "list" || s.Type == "string" {
		return nil
	}
	known := entriesByKey(other.Entries)
	for _, e := range s.Entries {
		if _, is := known[e.Key]; !is {
			keys = append(keys, e.Key)
		}
	}
	return keys
}

func entriesByKey(entries []ValueEntry) map[string]*ValueEntry {
	byKey := make(map[string]*ValueEntry, len(entries))
	for i := range entries {
		byKey[entries[i].Key] = &entries[i]
	}
	return byKey
}

// Compare compares what is shown of both sides. alsoThen and alsoNow are entries that were looked up because only the other side shows them.
func (c *KeyComparison) Compare(alsoThen, alsoNow map[string]ValueEntry) {
	switch {
	case c.NotRead != "":
		c.Verdict = KeyUnknown
		return
	case !c.Now.There:
		c.Verdict = KeyGone
		return
	case c.Then.Unknown != "" || c.Now.Unknown != "":
		c.Verdict = KeyUnknown
		if c.Then.Type != c.Now.Type {
			c.Verdict = KeyChanged
		}
		return
	case c.Then.Type != c.Now.Type:
		c.Verdict = KeyChanged
		return
	}
	c.Changes = entryChanges(c.Then.FoundValue, c.Now.FoundValue, alsoThen, alsoNow)
	c.Groups = groupChanges(c.Then.FoundValue, c.Now.FoundValue)
	c.Verdict = c.judge()
}

// judge never calls the same what was not looked at.
func (c *KeyComparison) judge() KeyVerdict {
	whole := !c.Then.Cut && !c.Now.Cut && c.Then.MoreGroups+c.Now.MoreGroups == 0
	for _, one := range c.Changes {
		if one.Change != Unchanged {
			return KeyChanged
		}
		whole = whole && one.Then.Digest != "" && one.Now.Digest != ""
	}
	for _, group := range c.Groups {
		if group.Change != Unchanged {
			return KeyChanged
		}
		whole = whole && group.Now.shownWholly()
	}
	switch {
	case c.Then.LastID != c.Now.LastID:
		return KeyChanged
	case c.Then.Size != c.Now.Size:
		return KeyBeyond
	case whole:
		return KeySame
	}
	return KeySameShown
}

// Settle takes in what is known of the whole values, where what is shown of them is the same.
func (c *KeyComparison) Settle(same bool) {
	switch {
	case c.Verdict != KeySameShown:
	case same:
		c.Verdict = KeySame
	default:
		c.Verdict = KeyBeyond
	}
}

// entryChanges pairs the entries of both sides. What has an order keeps it; of the rest, what has changed comes first.
func entryChanges(then, now FoundValue, alsoThen, alsoNow map[string]ValueEntry) (changes []EntryChange) {
	before, after := entriesByKey(then.Entries), entriesByKey(now.Entries)
	lookUp := func(shown map[string]*ValueEntry, also map[string]ValueEntry, key string) *ValueEntry {
		if e, is := shown[key]; is {
			return e
		} else if e, is := also[key]; is {
			return &e
		}
		return nil
	}
	seen := map[string]bool{}
	for _, e := range slices.Concat(then.Entries, now.Entries) {
		if !seen[e.Key] {
			seen[e.Key] = true
			one := EntryChange{Then: lookUp(before, alsoThen, e.Key), Now: lookUp(after, alsoNow, e.Key)}
			one.Change = one.change()
			changes = append(changes, one)
		}
	}
	if then.Type == "hash" || then.Type == "set" {
		slices.SortFunc(changes, func(a, b EntryChange) int { return cmp.Or(a.rank()-b.rank(), cmp.Compare(a.key(), b.key())) })
	} else if then.Type == "stream" {
		slices.SortStableFunc(changes, func(a, b EntryChange) int { return compareIDs(a.key(), b.key()) })
	}
	return changes
}

// rank puts what has changed first.
func (c EntryChange) rank() int {
	if c.Change == Unchanged {
		return 1
	}
	return 0
}

func (c EntryChange) key() string {
	if c.Then != nil {
		return c.Then.Key
	}
	return c.Now.Key
}

// change says what has become of an entry. Of two that are not read wholly, what is there and the lengths are compared.
func (c EntryChange) change() Change {
	switch then, now := c.Then, c.Now; {
	case then == nil:
		return Added
	case now == nil:
		return Removed
	case then.Digest != now.Digest, then.Value != now.Value, then.Bytes != now.Bytes, !sameTime(then.Expires, now.Expires):
		return Changed
	}
	return Unchanged
}

func sameTime(a, b *time.Time) bool {
	return (a == nil) == (b == nil) && (a == nil || a.Equal(*b))
}

// compareIDs compares the ids of entries of streams, which are two numbers: "1526919030474-55".
func compareIDs(a, b string) int {
	milliA, seqA := idNumbers(a)
	milliB, seqB := idNumbers(b)
	return cmp.Or(cmp.Compare(milliA, milliB), cmp.Compare(seqA, seqB))
}

func groupChanges(then, now FoundValue) (changes []GroupChange) {
	later := map[string]*StreamGroup{}
	for i := range now.Groups {
		later[now.Groups[i].Name] = &now.Groups[i]
	}
	for i := range then.Groups {
		g := &then.Groups[i]
		one := GroupChange{Change: Changed, Name: g.Name, Then: g, Now: later[g.Name]}
		delete(later, g.Name)
		switch {
		case one.Now == nil && now.MoreGroups > 0:
			continue // it may be among those that are not listed
		case one.Now == nil:
			one.Change = Removed
		case g.same(*one.Now):
			one.Change = Unchanged
		}
		changes = append(changes, one)
	}
	for i := range now.Groups {
		if g := &now.Groups[i]; later[g.Name] != nil && then.MoreGroups == 0 {
			changes = append(changes, GroupChange{Change: Added, Name: g.Name, Now: g})
		}
	}
	return changes
}

// shownWholly tells whether all consumers and all entries that are pending are listed.
func (g StreamGroup) shownWholly() bool {
	return len(g.First) == g.Consumers && int64(len(g.Waiting)) == g.Pending
}

// same compares what a group has got and has to acknowledge; when its consumers were last seen is no part of that.
func (g StreamGroup) same(other StreamGroup) bool {
	return g.LastID == other.LastID && g.Pending == other.Pending && g.Consumers == other.Consumers &&
		slices.EqualFunc(g.First, other.First, func(a, b StreamConsumer) bool { return a.Name == b.Name && a.Pending == b.Pending }) &&
		slices.EqualFunc(g.Waiting, other.Waiting, func(a, b StreamPending) bool { return a.ID == b.ID && a.Consumer == b.Consumer })
}

func idNumbers(id string) (milli, sequence uint64) {
	before, after, _ := strings.Cut(id, "-")
	milli, _ = strconv.ParseUint(before, 10, 64)
	sequence, _ = strconv.ParseUint(after, 10, 64)
	return milli, sequence
}
