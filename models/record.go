package models

// Lost tells whether the cluster was brought back from the store without its nodes. Its snapshots are all that is left of it, so neither
// retention nor its deletion takes one of them.
func (c Cluster) Lost() bool { return len(c.Nodes) == 0 }
