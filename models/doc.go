// Package models is the catalog: the rows that Rekindle keeps and every rule about them.
//
// It knows what a valid name, window or retention is, who is due for a snapshot, which snapshots have outlived
// their retention, and in which state a cluster, a snapshot or a run may be changed. The console and the
// ElastiCache API are two doors to the functions here, so that both apply the same checks and give the same
// messages.
//
// What models does not do: it never talks to Redis or to the object store, and it never waits. Work that takes time is
// written down as a [Run] and done by package jobs. Claims and locks are rows, never memory of one process.
//
// A refused request is a [Faults] value: one sentence per field, with a code that a machine understands.
package models
