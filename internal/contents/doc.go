// Package contents says what is in an RDB without saying any value: how many keys of which type in which database, how they are stored, what they take, how
// long they have to live, the biggest of them, and the prefixes that most of them begin with.
//
// A [Collector] is told by a scan (rdb.Observe) while the RDB streams by. Its memory is bounded whatever comes: see [Collector]. What it found is a
// [Contents], which package archive keeps beside a snapshot's manifest, and [Compare] tells two of them apart.
package contents
