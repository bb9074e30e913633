package elasticache

import (
	"context"

	"rekindle/models"
)

// straight reads of which moment of another cluster a new one is to be made: RecoverFrom and RecoverTo, which are Rekindle's own. It returns that cluster,
// which the new one is like where the request says nothing; false when it is not to be made of a moment.
func (a clusterChanges) straight(ctx context.Context, c *call, spec *models.ClusterSpec) (source models.Cluster, is bool, err error) {
	moment, given := c.instant("RecoverTo")
	name := c.id("RecoverFrom")
	if name == "" && !given {
		return source, false, nil
	}
	if name == "" || !given {
		c.mistake(models.CodeCombination, "A cluster is made of a moment by RecoverFrom, which names a cluster, and RecoverTo, a time such as 2026-11-27T10:41:07Z.")
		return source, false, nil
	}
	spec.Straight = &models.StraightFrom{Cluster: name, Moment: moment}
	source, err = a.db.Clusters.Get(ctx, name)
	if faults, refused := models.AsFaults(err); refused {
		c.faults = append(c.faults, faults...)
		return source, false, nil
	}
	return source, err == nil, err
}

// asSeed is a cluster as a snapshot that were taken of it would describe it.
func asSeed(source models.Cluster) models.Snapshot {
	s := models.Snapshot{ClusterName: source.Name, Configuration: source.Configuration}
	s.NodeType, s.ClusterMode, s.TransitEncryption, s.ShardCount = source.ShownNodeType(), source.Sharded(), source.Encrypted(), max(1, len(source.Shards()))
	return s
}

// replicasLike gives a cluster that is made of a moment as many replicas as the other one has, unless the request says how many.
func (c *call) replicasLike(spec *models.ClusterSpec, seed models.Snapshot) {
	if spec.Straight != nil && seed.ClusterName != "" && c.text("ReplicasPerNodeGroup") == "" && c.text("NumCacheClusters") == "" && len(c.structs("NodeGroupConfiguration")) == 0 {
		spec.Replicas = min(seed.Replicas, models.MaxReplicas)
	}
}
