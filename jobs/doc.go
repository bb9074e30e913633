// Package jobs does the work that takes time: it takes runs from the queue in the catalog and carries them out, keeps an eye on
// the nodes, and asks the schedule every minute who is due.
//
// A [Manager] has three loops. The scheduler (gocron, on an injected clock) only ever puts runs into the queue. The
// dispatcher claims runs from the queue, as many at once as the limits allow, and gives each a goroutine. The supervisor
// (package nodes) compares the nodes as they are with the nodes as the catalog wants them, brings back what died and promotes
// a replica where a primary is gone.
//
// Each kind of run has a thin body in a file of its own (snapshot.go, create.go, modify.go, delete.go); the engine beneath is in
// internal/. What was left behind by a console that was killed is put right in recover.go before the loops begin.
package jobs
