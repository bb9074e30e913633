package elasticache

import (
	"rekindle/models"
)

// readShape reads how many shards there are to be and how many replicas each has, in whichever way the request says it.
//
// As in ElastiCache, cluster mode is requested by a parameter group for it, by ClusterMode, or by several node groups. A restore that says nothing
// about it gets the cluster mode of the snapshot's cluster.
func (c *call) readShape(spec *models.ClusterSpec, restored models.Snapshot) {
	configured := c.nodeGroups()
	shards, givenShards := c.number("NumNodeGroups")
	if len(configured) > 0 && givenShards && shards != len(configured) {
		c.mistake(models.CodeCombination, "NumNodeGroups is %d, but NodeGroupConfiguration has %d node groups.", shards, len(configured))
	} else if len(configured) > 0 {
		shards = len(configured)
	}
	nodes, givenNodes := c.number("NumCacheClusters")
	mode := c.text("ClusterMode")
	switch {
	case mode == "compatible":
		c.mistake(models.CodeCombination, "ClusterMode can be enabled or disabled here; a cluster does not change from one to the other.")
	case mode == "enabled" || shards > 1 || models.ForClusterMode(spec.ParameterGroup):
		spec.ClusterMode = true
	case mode == "" && !givenShards && !givenNodes && len(configured) == 0 && spec.ParameterGroup == "":
		spec.ClusterMode = restored.ClusterMode
	}
	if spec.ClusterMode && mode == "disabled" {
		c.mistake(models.CodeCombination, "ClusterMode is disabled, but several node groups or a parameter group for cluster mode were requested.")
	}
	if spec.ClusterMode && shards == 0 {
		shards = max(1, restored.ShardCount)
	}
	spec.Shards = shards
	var given bool
	if spec.Replicas, given = c.replicas(configured); !spec.ClusterMode && givenNodes {
		if nodes < 1 || nodes > models.MaxReplicas+1 {
			c.mistake(models.CodeInvalid, "NumCacheClusters must be between 1 and %d, not %d.", models.MaxReplicas+1, nodes)
		} else if given && nodes != spec.Replicas+1 {
			c.mistake(models.CodeCombination, "NumCacheClusters %d and ReplicasPerNodeGroup %d contradict each other.", nodes, spec.Replicas)
		}
		spec.Replicas = nodes - 1
	} else if givenNodes && nodes != spec.Nodes() {
		c.mistake(models.CodeCombination, "NumCacheClusters is %d, but %d node groups with %d replicas each have %d. Leave it out in cluster mode.", nodes, spec.ShardCount(), spec.Replicas, spec.Nodes())
	}
	for _, g := range configured {
		spec.Attributes.Zones = append(spec.Attributes.Zones, g.zones...)
		if g.slots != "" {
			spec.Slots = append(spec.Slots, g.slots)
		}
	}
}

// askedGroup is a node group as a request configures it.
type askedGroup struct {
	slots    string
	replicas int
	given    bool // ReplicaCount was given
	zones    []string
}

func (c *call) nodeGroups() []askedGroup {
	var groups []askedGroup
	for _, in := range c.structs("NodeGroupConfiguration") {
		g := askedGroup{slots: in.text("Slots")}
		g.replicas, g.given = in.number("ReplicaCount")
		if primary := in.text("PrimaryAvailabilityZone"); primary != "" {
			g.zones = append([]string{primary}, in.list("ReplicaAvailabilityZones")...)
		}
		c.faults = append(c.faults, in.faults...)
		groups = append(groups, g)
	}
	return groups
}

// replicas returns how many replicas each shard is to have, and whether the request says so.
func (c *call) replicas(configured []askedGroup) (count int, given bool) {
	count, given = c.number("ReplicasPerNodeGroup")
	for _, g := range configured {
		if !g.given {
			continue
		}
		if given && g.replicas != count {
			c.mistake(models.CodeCombination, "All node groups have the same number of replicas here, not %d and %d.", count, g.replicas)
		}
		count, given = g.replicas, true
	}
	return count, given
}
