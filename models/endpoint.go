package models

// Endpoint is where a node listens. The nodes of a cluster have one port and differ in their addresses, as in ElastiCache, as long as the host
// has addresses enough; on one with a single address they differ in their ports.
type Endpoint struct {
	Host string
	Port int
}
