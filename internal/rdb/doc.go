// Package rdb reads RDB, the snapshot format of Redis and Valkey, without building a single value.
//
// An RDB is a 9-byte header ("REDIS0010", "VALKEY080"), then a row of one-byte opcodes and object types,
// each followed by what belongs to it, then the end mark 0xFF and the CRC64 of everything before. A [Scanner]
// walks over it as it streams by: it finds where keys begin and end, counts them, and judges the checksum.
// [ReadHeader] looks at the start only; [PeekVersion] and [CanLoad] say beforehand who can load the file.
//
// The checksum decides whether an RDB is whole; the walk only yields statistics. Engines keep adding object types, so an unknown type costs the
// statistics ([Summary].StatsKnown), never the backup. What streams by may also be damaged or hostile: memory stays at one buffer whatever lengths it
// claims.
//
// An RDB from elsewhere, which may have been made to harm the server that loads it, is scanned with [Strict].
//
// The format has no specification: the facts here come from rdb.h and rdb.c in redis and valkey.
package rdb
