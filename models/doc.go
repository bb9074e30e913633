// Package models has what Rekindle keeps, as types, and every rule about it.
//
// It knows what a valid name, window or retention is, who is due for a snapshot, which snapshots have outlived
// their retention, and in which state a cluster, a snapshot or a run may be changed. Rules are functions of what
// they are given: models makes no query and does no I/O. Package catalog asks them inside its transactions, so that
// the console and the ElastiCache API apply the same checks and give the same messages.
//
// A refused request is a [Faults] value: one sentence per field, with a code that a machine understands.
package models
