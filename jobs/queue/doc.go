// Package queue works on the runs that the catalog has queued: it claims them for as long as this console holds its [Lease], carries them out
// within the limits, settles them however they end, and goes on with those that other consoles left in their middle. What a run is about comes
// from a table with a [Kind] for each kind of run.
package queue
