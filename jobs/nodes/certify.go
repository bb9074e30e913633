package nodes

import (
	"context"
	"fmt"
	"sync"
	"time"

	"rekindle/jobs/reason"
	"rekindle/models"
)

// certifyEvery is the pause between two looks at the certificates of a cluster: they are renewed months before they end.
const certifyEvery = time.Minute

// Trusted is a cluster that knows whose certificates its nodes have, and with it the catalog, so that every console can connect to them.
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

// certify sees to it that the nodes of a cluster which encrypts can go on proving who they are.
func (s *Supervisor) certify(ctx context.Context, cluster models.Cluster) models.Cluster {
	if !cluster.TransitEncryption || !s.memory.may(cluster.Name+" certify", certifyEvery) {
		return cluster
	}
	var renewals sync.WaitGroup
	for _, node := range cluster.Nodes { // one that hangs does not keep the others waiting
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
