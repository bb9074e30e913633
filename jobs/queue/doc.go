// Package queue works on the runs that the catalog has queued: it claims them for as long as this console holds its [Lease], carries them out within
// the limits, settles them however they end, and takes over those that other consoles left unfinished. A table with a [Kind] for each kind of run
// says what is to be done.
package queue
