// Package journal is the replication stream behind a snapshot, at rest: what a node's replicas get, kept so that a cluster can be brought back to any
// second.
//
// The stream is a history of bytes, counted by offsets: the place N is behind its first N bytes, as in replica.Origin. A [Segment] holds the bytes
// from one place to another, and is one object of the store:
//
//	<cluster>/journal/2026-11-29/shard-0001/20261129T104107.123Z-<run>-<from>-<to>-<replication id>-20261129T104117.020Z.resp.zst
//
// A zstd skippable frame with the [Index] comes first, then zstd over the plain bytes as the node sent them. So a listing alone says which segments
// there are, the first few kilobytes of an object say what is in it, and `zstd -dc` gives what `redis-cli --pipe` takes.
//
// A run is one unbroken recording: segments of one run whose places meet or overlap belong together, also over a failover, where the replication id
// changes and the offsets go on, and over a restart of the console. [Chain] finds the segments between two places, or the first gap; [Open] reads
// their bytes, none of which is handed out before the hash of its segment was right.
//
// A state that the server was in lies only at a safe boundary: between two commands, and not within MULTI and EXEC. The Index has the last one of each
// second ([Mark]), and [SafePlace] finds the one that belongs to a moment.
//
// A [Scanner] finds the commands in the stream. [Record] reads from a link to a node, and stores segments; it never makes the node wait for the store.
//
// The format is described in docs/journal-format.md, for those who have to recover their data without Rekindle.
package journal
