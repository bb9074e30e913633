// Package jobs does the work that takes time. A [Manager] wires the parts together: the queue claims runs, as many at once as the limits allow, and
// gives each a goroutine; the supervisor compares the nodes with what the catalog wants, brings back nodes that died and promotes a replica when a
// primary is gone; the vault knows what is in the store; and a scheduler ticks for all of them.
//
// Each kind of run has a thin body in a file of its own (snapshot.go, create.go, modify.go, delete.go), or in the vault if it is only about
// snapshots; the engine beneath is in internal/. The table in kinds.go tells the queue about each kind.
package jobs
