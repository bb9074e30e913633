// Package resp speaks RESP2, the wire format of Redis and Valkey, from both ends.
//
// As a client, [Dial] opens a [Conn] (and signs in), [Conn.Do] sends one command and returns its reply,
// [Conn.Info] reads INFO into a map. As a server, [Reader.ReadCommand] reads what a client or a replica
// sends. Packages replica and primary build the replication handshakes on these.
//
// Everything that is read is bounded: a peer that sends absurd lengths, endless lines or unlimited nesting
// gets [ErrTooLarge] or [ErrProtocol], and costs no more memory than what it really sent. Bulk data such as
// the RDB of a replication handshake is not read here: the caller reads the bytes that follow the handshake
// straight from the [Reader].
package resp
