package contents

import (
	"cmp"
	"slices"
)

// Change is what something was and what it has become. Each is at least its Sum, and at most that and what it may be over.
type Change struct {
	Before, After         Sum
	BeforeOver, AfterOver Sum
}

// Grown is by how much it has grown at least, as far as it was counted; negative if it has shrunk.
func (c Change) Grown() Sum { return Sum{c.After.Keys - c.Before.Keys, c.After.Bytes - c.Before.Bytes} }

// Exact tells whether both were counted exactly.
func (c Change) Exact() bool { return c.BeforeOver == (Sum{}) && c.AfterOver == (Sum{}) }

// TypeChange is what has become of the keys of a type.
type TypeChange struct {
	Type string
	Change
}

// PrefixChange is what has become of the keys with a prefix.
type PrefixChange struct {
	Name  Name
	Level int
	Change
	New, Gone bool // it was, or is, not among the prefixes that are listed; what it may have been is BeforeOver or AfterOver
}

// Certain tells whether a prefix that is new or gone really is. It may also have been too rare to be listed.
func (p PrefixChange) Certain() bool {
	return !p.New && !p.Gone || p.New && p.BeforeOver == (Sum{}) || p.Gone && p.AfterOver == (Sum{})
}

// Comparison is what has changed between two snapshots.
type Comparison struct {
	All      Change
	Types    []TypeChange   // those that have changed most come first
	Named    bool           // both have names
	Prefixes []PrefixChange // likewise; those that have not changed are left out
}

// Compare says what has changed from before to after.
func Compare(before, after Contents) Comparison {
	c := Comparison{Named: before.Named && after.Named}
	c.All.Before, _ = before.Total()
	c.All.After, _ = after.Total()
	types := map[string]*TypeChange{}
	of := func(name string) *TypeChange {
		if types[name] == nil {
			types[name] = &TypeChange{Type: name}
		}
		return types[name]
	}
	for _, h := range before.Holdings {
		of(h.Type).Before.add(h.Sum)
	}
	for _, h := range after.Holdings {
		of(h.Type).After.add(h.Sum)
	}
	for _, change := range types {
		c.Types = append(c.Types, *change)
	}
	slices.SortFunc(c.Types, func(a, b TypeChange) int { return cmp.Or(byGrowth(a.Change, b.Change), cmp.Compare(a.Type, b.Type)) })
	if c.Named {
		c.Prefixes = comparePrefixes(before, after)
	}
	return c
}

func comparePrefixes(before, after Contents) (all []PrefixChange) {
	changes := map[string]*PrefixChange{}
	for _, p := range before.Prefixes {
		changes[p.Name.text] = &PrefixChange{Name: p.Name, Level: p.Level, Change: Change{Before: p.Sum, BeforeOver: p.Over, AfterOver: after.Unlisted}, Gone: true}
	}
	for _, p := range after.Prefixes {
		change := changes[p.Name.text]
		if change == nil {
			change = &PrefixChange{Name: p.Name, Level: p.Level, Change: Change{BeforeOver: before.Unlisted}, New: true}
			changes[p.Name.text] = change
		}
		change.Gone, change.After, change.AfterOver = false, p.Sum, p.Over
	}
	for _, change := range changes {
		if change.Grown() != (Sum{}) {
			all = append(all, *change)
		}
	}
	slices.SortFunc(all, func(a, b PrefixChange) int {
		return cmp.Or(byGrowth(a.Change, b.Change), cmp.Compare(a.Name.text, b.Name.text))
	})
	return all
}

// byGrowth orders what has changed most first, whether it has grown or shrunk.
func byGrowth(a, b Change) int {
	x, y := a.Grown(), b.Grown()
	return cmp.Or(cmp.Compare(size(y.Bytes), size(x.Bytes)), cmp.Compare(size(y.Keys), size(x.Keys)))
}

func size(n int64) int64 { return max(n, -n) }
