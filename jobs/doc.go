// Package jobs does the work that takes time. A [Manager] wires what works: the queue claims runs, as many at once as the limits allow, and gives
// each a goroutine; the supervisor of the nodes compares them with what the catalog wants, brings back what died and promotes a replica where a
// primary is gone; the vault knows what is in the store; and a scheduler ticks for all of them.
//
// Each kind of run has a thin body in a file of its own (snapshot.go, create.go, modify.go, delete.go), or in the vault when it is about
// snapshots only; the engine beneath is in internal/. kinds.go has the table that the queue works by.
package jobs
