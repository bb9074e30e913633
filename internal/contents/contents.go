package contents

import (
	"cmp"
	"slices"
	"time"
)

// Contents is what an RDB holds, or the RDBs of all shards together. Bytes are bytes within the RDB: a key's type, its name and its value.
type Contents struct {
	// Unknown says why nothing is known: the RDB has something that is newer than this program. Everything else is empty then.
	Unknown       string    `json:"unknown,omitempty"`
	Holdings      []Holding `json:"holdings"`
	WrittenAt     time.Time `json:"written_at,omitzero"` // the first of the RDBs, by the clock of its server; zero: it does not say
	Expiries      []Expiry  `json:"expiries,omitempty"`  // of the keys that have an expiry, how long they had left when it was written
	Libraries     int64     `json:"libraries"`           // of functions
	Functions     []Library `json:"functions,omitempty"` // the first of those libraries
	Named         bool      `json:"named"`               // names of keys were written down; else Prefixes is empty and Biggest has no names
	Biggest       []BigKey  `json:"biggest"`
	Prefixes      []Prefix  `json:"prefixes"`
	WithoutPrefix Sum       `json:"without_prefix"` // keys whose names have none
	Unlisted      Sum       `json:"unlisted"`       // the most that a prefix which is not in Prefixes can have; 0: there is none
}

// Sum is a number of keys and what they take.
type Sum struct {
	Keys  int64 `json:"keys"`
	Bytes int64 `json:"bytes"`
}

func (s *Sum) add(o Sum) {
	s.Keys += o.Keys
	s.Bytes += o.Bytes
}

// Holding are the keys of one type that one database stores in one way.
type Holding struct {
	Database int    `json:"database"` // OtherDatabases: all that are not listed
	Type     string `json:"type"`     // as TYPE names it, or "module"
	Encoding string `json:"encoding"` // as OBJECT ENCODING names it; strings that the server has compressed are "lzf"
	Sum
	Expires int64 `json:"expires"` // how many of the keys have an expiry
}

// OtherDatabases stands for the databases that are counted together because there are so many.
const OtherDatabases = -1

// Expiry is how many keys had about the same time left. Those before it had less.
type Expiry struct {
	AtMost int64 `json:"at_most_seconds"` // 0: they had expired already; -1: more than any of the others
	Keys   int64 `json:"keys"`
}

// Library is a library of functions.
type Library struct {
	Engine string `json:"engine"` // "LUA"; "": not found out
	Name   string `json:"name"`
}

// BigKey is one of the biggest keys.
type BigKey struct {
	Name     Name   `json:"name"`
	Database int    `json:"database"`
	Type     string `json:"type"`
	Encoding string `json:"encoding"`
	Bytes    int64  `json:"bytes"`
}

// Prefix is what keys that begin in the same way come to. It includes those of longer prefixes that begin with it.
type Prefix struct {
	Name  Name `json:"name"`
	Level int  `json:"level"` // 1 to 3: how many parts of a name it has
	Sum        // at least
	Over  Sum  `json:"over"` // how much more it can be: at most 1/1024 of all keys, and of their bytes
}

// Total is all keys, and what they take.
func (c Contents) Total() (all Sum, expires int64) {
	for _, h := range c.Holdings {
		all.add(h.Sum)
		expires += h.Expires
	}
	return all, expires
}

// Group adds up the holdings that have the same words, the largest first.
func (c Contents) Group(words func(Holding) Holding) []Holding {
	sums := map[Holding]*Holding{}
	var all []*Holding
	for _, h := range c.Holdings {
		key := words(Holding{Database: h.Database, Type: h.Type, Encoding: h.Encoding})
		if sums[key] == nil {
			of := key
			sums[key] = &of
			all = append(all, &of)
		}
		sums[key].add(h.Sum)
		sums[key].Expires += h.Expires
	}
	groups := make([]Holding, len(all))
	for i, h := range all {
		groups[i] = *h
	}
	slices.SortStableFunc(groups, func(a, b Holding) int {
		return cmp.Or(cmp.Compare(b.Bytes, a.Bytes), cmp.Compare(a.Type, b.Type), cmp.Compare(a.Encoding, b.Encoding), cmp.Compare(a.Database, b.Database))
	})
	return groups
}

// ByType adds up the keys of each type.
func (c Contents) ByType() []Holding {
	return c.Group(func(h Holding) Holding { return Holding{Type: h.Type} })
}

// ByEncoding adds up the keys of each type that are stored in the same way.
func (c Contents) ByEncoding() []Holding {
	return c.Group(func(h Holding) Holding { return Holding{Type: h.Type, Encoding: h.Encoding} })
}

// ByDatabase adds up the keys of each database, in their order, the other databases last.
func (c Contents) ByDatabase() []Holding {
	all := c.Group(func(h Holding) Holding { return Holding{Database: h.Database} })
	slices.SortFunc(all, func(a, b Holding) int { return cmp.Compare(uint(a.Database), uint(b.Database)) })
	return all
}

// WithoutNames is the same without any name of a key.
func (c Contents) WithoutNames() Contents {
	c.Named, c.Prefixes, c.WithoutPrefix, c.Unlisted = false, nil, Sum{}, Sum{}
	c.Biggest = slices.Clone(c.Biggest)
	for i := range c.Biggest {
		c.Biggest[i].Name = Name{}
	}
	return c
}
