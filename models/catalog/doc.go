// Package catalog keeps what package models describes, in SQLite or in PostgreSQL.
//
// [DB] opens a catalog and has a small type for each thing that is kept: db.Clusters, db.Snapshots, db.Runs. A change to several of them is one
// transaction, and what a rule of models refuses changes nothing.
//
// The catalog never talks to Redis or to the object store, and it never waits. Work that takes time is written down as a run and done by package
// jobs. Claims and locks are rows, never in the memory of one process.
package catalog
