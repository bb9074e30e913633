// Package jobs does the work that takes time: it says what each kind of run is about, keeps an eye on the nodes, and asks the schedule every
// minute who is due.
//
// A [Manager] has three loops. The scheduler (gocron, on an injected clock) only ever puts runs into the queue. The
// dispatcher (package queue) claims runs, as many at once as the limits allow, and gives each a goroutine. The supervisor
// (package nodes) compares the nodes as they are with the nodes as the catalog wants them, brings back what died and promotes
// a replica where a primary is gone.
//
// Each kind of run has a thin body in a file of its own (snapshot.go, create.go, modify.go, delete.go); the engine beneath is in
// internal/. kinds.go has the table that the queue works by; what a console that was killed has left in the store is put right in recover.go.
package jobs
