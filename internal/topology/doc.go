// Package topology finds out, from a few addresses, what a cluster of Redis or Valkey is made of right now.
//
// [Discover] asks the first address that answers what it is: a standalone node, a primary or a replica, a Sentinel, or a node in cluster mode. From
// there it asks whoever knows about the others (INFO replication, SENTINEL REPLICAS, CLUSTER NODES), and asks each of those about itself. Addresses
// that nodes announce can be mapped to ones that can be reached from here. Nothing is ever changed on a node.
package topology
