// Package models has the types of what Rekindle stores, and every rule about it.
//
// It knows what a valid name, window or retention is, which clusters are due for a snapshot, which snapshots have outlived
// their retention, and in which state a cluster, a snapshot or a run may be changed. Rules depend only on their
// arguments: models makes no query and does no I/O. Package catalog calls them inside its transactions, so that
// the console and the ElastiCache API apply the same checks and give the same messages.
//
// A refused request is a [Faults] value: one sentence per field, with a code for machines.
package models
