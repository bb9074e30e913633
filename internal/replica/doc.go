// Package replica acts as a replica of a Redis or Valkey node in order to receive its data as an RDB.
//
// [Open] connects, signs in, asks INFO what the node is, and starts a full synchronisation with PSYNC, as a real replica does. The node forks a child
// that writes its memory as an RDB into the connection. The [Stream] returns those bytes and nothing else. Its io.EOF is a promise: the node has
// marked the end (or the announced length has arrived). Any other end is io.ErrUnexpectedEOF.
//
// [Follow] asks for the stream of writes behind a place in the node's history instead, without any RDB, and returns a [Link]. [Current] says which places
// a node has.
//
// A node that supports it (7.0 and later) is asked for the RDB only; otherwise the stream of later writes is left unread. Nothing is
// acknowledged unless [Options] say so, so the node does not count this replica as one that has the data.
package replica
