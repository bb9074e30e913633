package nodes

import (
	"context"
	"fmt"
	"sync"
	"time"

	"rekindle/jobs/reason"
	"rekindle/models"
)

// certifyEvery is the pause between two checks of a cluster's certificates: they are renewed months before they expire.
const certifyEvery = time.Minute

// Trusted returns the cluster with the authority of its nodes' certificates, and records the authority in the catalog, so that every console can
// connect to the nodes.
func (o *Operator) Trusted(ctx context.Context, cluster models.Cluster) (models.Cluster, error) {
	if !cluster.TransitEncryption || cluster.Attached() {
		return cluster, nil
	}
	trusted, err := o.Launcher.Authority(ctx)
	if err != nil {
		return cluster, reason.Because(err, "The certificate authority of the nodes on this host cannot be used.")
	}
	if trusted == cluster.CA {
		return cluster, nil
	}
	cluster.CA = trusted
	return cluster, o.DB.Clusters.Trust(ctx, cluster.ID, trusted)
}

// certify keeps the certificates of the nodes of an encrypting cluster valid.
func (s *Supervisor) certify(ctx context.Context, cluster models.Cluster) models.Cluster {
	if !cluster.TransitEncryption || !s.memory.may(cluster.Name+" certify", certifyEvery) {
		return cluster
	}
	var renewals sync.WaitGroup
	for _, node := range cluster.Nodes { // at once, so that a node that hangs does not delay the others
		renewals.Go(func() { s.renew(ctx, cluster, node) })
	}
	renewals.Wait()
	trusted, err := s.Trusted(ctx, cluster)
	if err != nil && ctx.Err() == nil {
		s.Logger.Error("look whose certificates the nodes have", "cluster", cluster.Name, "error", err)
	}
	return trusted
}

func (s *Supervisor) renew(ctx context.Context, cluster models.Cluster, node models.Node) {
	renewed, err := s.Launcher.Renew(ctx, cluster.Name, node.Name)
	if err != nil && ctx.Err() == nil {
		s.Logger.Error("renew the certificate of a node", "cluster", cluster.Name, "node", node.Name, "error", err)
	}
	if !renewed {
		return
	}
	event := models.Event{Severity: models.SeverityInfo, ClusterName: cluster.Name, Message: fmt.Sprintf("The certificate of the node %s was renewed. It was not restarted for that.", node.Name)}
	if err := s.DB.Events.Add(ctx, event); err != nil {
		s.Logger.Error("write event", "message", event.Message, "error", err)
	}
}
