package views

// RebootNode is a node that can be restarted.
type RebootNode struct {
	Name   string
	Role   string // "primary", "replica", "cache"
	Chosen bool
}

// RebootCluster is the page that asks before nodes are restarted. Form: POST /clusters/{id}/reboot with nodes, once for each. While boxes are being
// ticked, the page is requested again with the same fields and choose=on, for the command.
type RebootCluster struct {
	Fields
	ID        string
	Status    string
	Refusal   string // a sentence, if it cannot be done now
	CacheOnly bool   // memcached: the nodes come back empty
	Nodes     []RebootNode
	Chosen    []string
	AWS       string
}

// FailoverCluster is the page that asks before a replica takes over from a healthy primary. Form: POST /clusters/{id}/failover.
type FailoverCluster struct {
	Fields
	ID       string
	Status   string
	Refusal  string   // a sentence, if it cannot be done now
	Sharded  bool     // it is in cluster mode
	Shard    string   // the chosen one
	Shards   []string // all of them
	Primary  string
	Endpoint string // of the primary
	Replicas []string
	AWS      string
}

// primary is the one that accepts writes; "" for memcached.
func (p RebootCluster) primary() string {
	for _, n := range p.Nodes {
		if n.Role == "primary" {
			return n.Name
		}
	}
	return ""
}
