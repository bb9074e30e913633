// Package logical reads what a Redis or Valkey node holds key by key, where the node does not let anybody act as its replica, and makes an RDB of it.
//
// [Open] asks for the names by SCAN, and for each by DUMP: its answer is the value exactly as it would be in an RDB. The [Stream] returns such an RDB,
// whole, with its checksum. It is not of one point in time: a key is as it was when its turn came. What SCAN promises holds of it: each key that was
// there from the beginning to the end is in it, once; one that was added or removed meanwhile may be or not. A value and its expiry belong together,
// for they are asked for in one transaction; without MULTI and EXEC nothing is read.
//
// Before the RDB ends, the node is asked whether it is still what it was: not restarted, in the same role with the same primary, and without FLUSHALL,
// FLUSHDB or SWAPDB since. Otherwise there is no end. Of a node that does not count its commands, most keys that have no expiry must still be there.
//
// SCAN may name a key twice, and no server loads an RDB with a key twice. So the names that have been are kept, as 16 bytes of their SHA-256, in a
// hash table of at most 64 MiB of memory (2.8 million keys), and of more in a temporary file, of which the system keeps in memory what it can spare.
// A value goes from the node to the reader as it comes, whatever its size.
package logical
