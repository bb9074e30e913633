package models

import (
	"slices"
	"strings"
	"time"
)

// Contents is what is in a snapshot, as it was found out while it was taken, imported or verified. Bytes are bytes within the RDB: a key's type, its name and
// its value.
type Contents struct {
	Unknown string // a sentence that says why nothing is known; "": the rest is
	Later   bool   // a verification finds it out

	Keys          Amount
	Expires       int64     // how many of the keys have an expiry
	WrittenAt     time.Time // when the first of the RDBs was; zero: not known
	Types         []Holding
	Databases     []Holding // in their order
	Encodings     []Holding
	Expiries      []Expiry // the shortest first
	Libraries     int64    // of functions
	Functions     []FunctionLibrary
	Named         bool // there are names of keys; else Prefixes is empty
	Biggest       []BigKey
	Prefixes      []Prefix // those with the most keys first
	WithoutPrefix Amount   // keys whose names have none
	Unlisted      Amount   // the most that a prefix which is not in Prefixes can have
	Loaders       []Loader
}

// Amount is a number of keys and what they take in the RDB.
type Amount struct{ Keys, Bytes int64 }

// OtherDatabases is the number of a [Holding] of databases that are counted together because there are so many.
const OtherDatabases = -1

// Holding are the keys of a type, a database or an encoding; what it is not about is empty.
type Holding struct {
	Database       int
	Type, Encoding string
	Amount
	Expires int64
}

// Expiry is how many keys had about the same time left when the RDB was written.
type Expiry struct {
	AtMost time.Duration // and more than the one before; 0: they had expired
	More   bool          // more than any other
	Keys   int64
}

// FunctionLibrary is a library of functions.
type FunctionLibrary struct{ Engine, Name string }

// KeyName is the name of a key, or what names begin with: any bytes.
type KeyName struct {
	Text   string // at most the first 256 bytes
	Length int64  // of all of it
	Hidden bool
}

// BigKey is one of the biggest keys.
type BigKey struct {
	Name           KeyName
	Database       int
	Type, Encoding string
	Bytes          int64
}

// PrefixPrecision is the bound of a prefix's error: at most one in so many of all keys, and of their bytes.
const PrefixPrecision = 1024

// Prefix is what the keys that begin in the same way come to: at least Amount, and at most Over more.
type Prefix struct {
	Name  KeyName
	Level int
	Amount
	Over Amount
}

// Loader says from which of its versions on an engine can have a snapshot; "": none.
type Loader struct {
	Engine string
	Loads  string // the RDB as it is
	Takes  string // the data, written key by key
}

// ContentsChange is what has changed from one snapshot to another.
type ContentsChange struct {
	Unknown  string // a sentence that says why nothing is known
	All      Growth
	Types    []TypeGrowth   // those that have changed most come first
	Named    bool           // both have names of keys
	Prefixes []PrefixGrowth // likewise
}

// Growth is what something was and has become: each at least so much, and at most that and what it may be over.
type Growth struct{ Before, BeforeOver, After, AfterOver Amount }

// TypeGrowth is the growth of the keys of a type.
type TypeGrowth struct {
	Type string
	Growth
}

// PrefixGrowth is the growth of the keys with a prefix.
type PrefixGrowth struct {
	Name KeyName
	Growth
	New, Gone bool // it was, or is, not among the prefixes that were counted
	Certain   bool // that it is new or gone; else there may have been or be as many as it may be over
}

// WithoutKeyNames is the snapshot without the names of keys that its parts were written down with.
func (s Snapshot) WithoutKeyNames() Snapshot {
	s.Parts = slices.Clone(s.Parts)
	for i := range s.Parts {
		words := strings.Fields(s.Parts[i].Kinds)
		for j, word := range words {
			words[j], _, _ = strings.Cut(word, "=") // rdb.Kinds
		}
		s.Parts[i].Kinds = strings.Join(words, " ")
	}
	return s
}
