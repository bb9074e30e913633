package models

import "time"

// FoundValue is the value of one key, as a node tells it, cut to what people can look at.
type FoundValue struct {
	Type       string
	Engine     Engine // that told it
	Size       int64  // bytes of a string, entries of anything else; -1: not known
	Entries    []ValueEntry
	Cut        bool // there is more
	ExpiresAt  *time.Time
	LastID     string // of a stream: the last id that it has given
	Groups     []StreamGroup
	MoreGroups int    // groups that are not listed
	Unknown    string // a sentence that says why the value cannot be shown; "": the rest is it
}

// ValueEntry is one entry of a value: a piece of a string, a field, a member, an element.
type ValueEntry struct {
	Key     string // what tells it apart from the others of the value, any bytes: a field, a member, an index, an id
	Label   string // a field, a score, an index, an id; any bytes, cut
	Value   string // any bytes
	Bytes   int64  // of the whole entry, of which Value may be the beginning
	Digest  string // of the whole entry; "": not all of it was read
	Expires *time.Time
}

// Cut tells whether only the beginning of the entry is there.
func (e ValueEntry) Cut() bool { return e.Bytes > int64(len(e.Value)) }

// StreamGroup is a consumer group of a stream.
type StreamGroup struct {
	Name      string // any bytes
	LastID    string // the last entry that was delivered to it
	Pending   int64  // entries that were delivered and not acknowledged
	Consumers int
	First     []StreamConsumer // the first of these
	Waiting   []StreamPending  // the first of the entries that are pending
}

// StreamConsumer is a consumer of a group.
type StreamConsumer struct {
	Name    string // any bytes
	Pending int64
	SeenAt  time.Time
}

// StreamPending is an entry that a consumer has got and not acknowledged.
type StreamPending struct {
	ID        string
	Consumer  string    // any bytes
	Delivered time.Time // the last time
	Times     int64     // how often
}
