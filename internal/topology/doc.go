// Package topology finds out, from a few addresses, what a cluster of Redis or Valkey is made of right now.
//
// [Discover] asks the first address that answers what it is: a node by itself, a primary or a replica, a Sentinel, or a node in cluster
// mode. From there it asks whoever knows for the others (INFO replication, SENTINEL REPLICAS, CLUSTER NODES), and each of those for what it
// says of itself. Addresses that nodes announce can be mapped to such that are reached from here. Nothing is ever changed on a node.
package topology
