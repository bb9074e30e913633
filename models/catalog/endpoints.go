package catalog

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"gorm.io/gorm"

	"rekindle/models"
)

// retryEndpoints repeats a function that picks endpoints and writes them down. Two people may be handed the same free one; then the unique index
// decides, and the loser looks again. Each time that somebody loses, somebody else was served.
func retryEndpoints(fn func() error) error {
	for attempt := 1; ; attempt++ {
		if err := fn(); !errors.Is(err, gorm.ErrDuplicatedKey) || attempt == 50 {
			return err
		}
	}
}

// endpointPicker finds endpoints that nobody has and that it has not returned before.
type endpointPicker struct {
	host  Host
	taken map[models.Endpoint]bool
}

func (q Nodes) picker(ctx context.Context) (endpointPicker, error) {
	var known []models.Node
	if err := q.db.with(ctx).Select("host", "port", "announced").Find(&known).Error; err != nil {
		return endpointPicker{}, fmt.Errorf("list endpoints: %w", err)
	}
	p := endpointPicker{host: q.db.host, taken: make(map[models.Endpoint]bool, len(known))}
	for _, n := range known {
		p.take(models.Endpoint{Host: n.Host, Port: n.Port, Announced: n.Announced})
	}
	return p, nil
}

// take has an endpoint count as taken: where the node listens, and where applications are told that it does.
func (p endpointPicker) take(e models.Endpoint) {
	p.taken[models.Endpoint{Host: e.Host, Port: e.Port}] = true
	if e.Announced != "" {
		p.taken[models.Endpoint{Host: e.Announced, Port: e.Port}] = true
	}
}

// told reports whether applications are already told that a node is at this port of the announced host.
func (p endpointPicker) told(port int) bool {
	host := p.host.Announced()
	return host != "" && p.taken[models.Endpoint{Host: host, Port: port}]
}

// at finds an endpoint with this port, and tells whether there is one.
func (p endpointPicker) at(ctx context.Context, port int) (models.Endpoint, bool, error) {
	if p.told(port) {
		return models.Endpoint{}, false, nil
	}
	address, err := p.host.FreeAddress(ctx, port, func(a string) bool { return p.taken[models.Endpoint{Host: a, Port: port}] })
	if err != nil || address == "" {
		return models.Endpoint{}, false, err
	}
	found := models.Endpoint{Host: address, Port: port, Announced: p.host.Announced()}
	p.take(found)
	return found, true, nil
}

// any finds an endpoint with any port.
func (p endpointPicker) any(ctx context.Context) (models.Endpoint, error) {
	address := p.host.Address()
	port, err := p.host.FreePort(ctx, func(port int) bool { return p.taken[models.Endpoint{Host: address, Port: port}] || p.told(port) })
	if err != nil {
		return models.Endpoint{}, fmt.Errorf("find a free port: %w", err)
	}
	found := models.Endpoint{Host: address, Port: port, Announced: p.host.Announced()}
	p.take(found)
	return found, nil
}

// beside finds an endpoint for a node of a cluster with this port: with the same port, if any address has it free.
func (p endpointPicker) beside(ctx context.Context, port int) (models.Endpoint, error) {
	found, ok, err := p.at(ctx, port)
	if err != nil || ok {
		return found, err
	}
	return p.any(ctx)
}

// cluster finds endpoints for the nodes of a new cluster. The first one has the chosen port, unless that is 0.
func (p endpointPicker) cluster(ctx context.Context, chosen, nodes int) ([]models.Endpoint, error) {
	var first models.Endpoint
	var err error
	if chosen == 0 {
		first, err = p.any(ctx)
	} else {
		var ok bool
		if first, ok, err = p.at(ctx, chosen); err == nil && !ok {
			return nil, models.Refuse(models.CodeInvalid, "port", fmt.Sprintf("The port %d is in use at each address of this host. Choose another one or leave it empty.", chosen))
		}
	}
	if err != nil {
		return nil, err
	}
	found := []models.Endpoint{first}
	for len(found) < nodes {
		next, err := p.beside(ctx, first.Port)
		if err != nil {
			return nil, err
		}
		found = append(found, next)
	}
	return found, nil
}

// endpointsBeside finds endpoints for additional nodes of a cluster.
func (q Nodes) endpointsBeside(ctx context.Context, cluster models.Cluster, more int) ([]models.Endpoint, error) {
	p, err := q.picker(ctx)
	if err != nil {
		return nil, err
	}
	found := make([]models.Endpoint, more)
	for i := range found {
		if found[i], err = p.beside(ctx, cluster.Port); err != nil {
			return nil, err
		}
	}
	return found, nil
}

// FreeEndpoint finds an endpoint for a node that is in no catalog.
func (q Nodes) FreeEndpoint(ctx context.Context) (models.Endpoint, error) {
	p, err := q.picker(ctx)
	if err != nil {
		return models.Endpoint{}, err
	}
	return p.any(ctx)
}

// Move gives a node of a cluster that is being created another endpoint, because somebody else took the intended one. It tells whether it could: a
// port that was asked for is not changed.
func (q Nodes) Move(ctx context.Context, cluster models.Cluster, node models.Node) (models.Node, bool, error) {
	keep := cluster.PortChosen && node.Port == cluster.Port && node.Role != models.RoleReplica
	moved, could := node, true
	err := retryEndpoints(func() error {
		p, err := q.picker(ctx)
		if err != nil {
			return err
		}
		var found models.Endpoint
		if keep {
			found, could, err = p.at(ctx, node.Port)
		} else {
			found, err = p.beside(ctx, node.Port)
		}
		if err != nil || !could {
			return err
		}
		moved.Host, moved.Port, moved.Announced = found.Host, found.Port, found.Announced
		return q.writeEndpoint(ctx, cluster, node, moved)
	})
	if err != nil || !could {
		return node, false, err
	}
	return moved, true, nil
}

func (q Nodes) writeEndpoint(ctx context.Context, cluster models.Cluster, before, node models.Node) error {
	return q.db.transaction(ctx, func(tx *DB) error { return tx.Nodes.setEndpoint(ctx, cluster, before, node) })
}

// setEndpoint writes down where a node is from now on. The cluster's port follows the primary of the first shard.
func (q Nodes) setEndpoint(ctx context.Context, cluster models.Cluster, before, node models.Node) error {
	err := q.db.with(ctx).Model(&models.Node{ID: node.ID}).UpdateColumns(map[string]any{"host": node.Host, "port": node.Port, "announced": node.Announced}).Error
	if err == nil && before.Role != models.RoleReplica && before.Shard <= 1 && before.Port == cluster.Port {
		err = q.db.with(ctx).Model(&models.Cluster{ID: cluster.ID}).UpdateColumn("port", node.Port).Error
	}
	if err != nil {
		return fmt.Errorf("move node %s to %s: %w", node.Name, node.Address(), err)
	}
	return nil
}

// mostNamed is how many nodes an event about places names.
const mostNamed = 12

// Relocate gives nodes of a cluster that do not run, and that cannot be started any more where they were, other endpoints on this host, if possible
// with the same port. An event says where they are now. It returns these nodes as they are from now on.
func (q Nodes) Relocate(ctx context.Context, cluster models.Cluster, nodes []models.Node) (moved []models.Node, err error) {
	err = retryEndpoints(func() error {
		p, err := q.picker(ctx)
		if err != nil {
			return err
		}
		for _, n := range nodes { // what they leave, and what they announced there, is free again
			delete(p.taken, models.Endpoint{Host: n.Announced, Port: n.Port})
		}
		moved = make([]models.Node, len(nodes))
		for i, n := range nodes {
			found, err := p.beside(ctx, n.Port)
			if err != nil {
				return err
			}
			moved[i] = n
			moved[i].Host, moved[i].Port, moved[i].Announced = found.Host, found.Port, found.Announced
		}
		return q.db.transaction(ctx, func(tx *DB) error {
			for i := range moved {
				if err := tx.Nodes.setEndpoint(ctx, cluster, nodes[i], moved[i]); err != nil {
					return err
				}
			}
			return tx.Events.Add(ctx, models.Event{Severity: models.SeverityWarning, ClusterName: cluster.Name, Message: relocated(cluster, nodes, moved)})
		})
	})
	return moved, err
}

func relocated(cluster models.Cluster, before, after []models.Node) string {
	var places []string
	for i := range after[:min(len(after), mostNamed)] {
		places = append(places, fmt.Sprintf("%s is at %s (before: %s)", after[i].Name, after[i].Endpoint(), before[i].Endpoint()))
	}
	if more := len(after) - len(places); more > 0 {
		places = append(places, fmt.Sprintf("%d more are on the cluster's page", more))
	}
	return fmt.Sprintf("The endpoints of %s have changed, because its console was started with other addresses for nodes: %s.", cluster.Name, strings.Join(places, ", "))
}

// Announce says by which host applications are to reach these nodes; "" is the address that each is bound to. A node whose port another one has at that
// host keeps its own address, so that applications do not find the other one in its place. It returns the nodes as they are from now on.
func (q Nodes) Announce(ctx context.Context, host string, nodes []models.Node) ([]models.Node, error) {
	p, err := q.picker(ctx)
	if err != nil {
		return nil, err
	}
	told := make([]models.Node, len(nodes))
	for i, n := range nodes {
		if told[i] = n; n.Announced == host {
			continue
		}
		if told[i].Announced = host; host != n.Host && p.taken[models.Endpoint{Host: host, Port: n.Port}] {
			told[i].Announced = ""
		}
		p.take(models.Endpoint{Host: n.Host, Port: n.Port, Announced: told[i].Announced})
	}
	return told, nil
}

// Announced writes down by which host applications reach nodes of a cluster from now on. An event says so.
func (q Nodes) Announced(ctx context.Context, cluster models.Cluster, before, after []models.Node) error {
	return q.db.transaction(ctx, func(tx *DB) error {
		for _, n := range after {
			if err := tx.with(ctx).Model(&models.Node{ID: n.ID}).UpdateColumn("announced", n.Announced).Error; err != nil {
				return fmt.Errorf("write down how %s is reached: %w", n.Name, err)
			}
		}
		return tx.Events.Add(ctx, models.Event{Severity: models.SeverityInfo, ClusterName: cluster.Name, Message: relocated(cluster, before, after)})
	})
}
