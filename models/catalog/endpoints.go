package catalog

import (
	"context"
	"errors"
	"fmt"

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
	var known []models.Endpoint
	if err := q.db.with(ctx).Model(&models.Node{}).Select("host", "port").Find(&known).Error; err != nil {
		return endpointPicker{}, fmt.Errorf("list endpoints: %w", err)
	}
	p := endpointPicker{host: q.db.host, taken: make(map[models.Endpoint]bool, len(known))}
	for _, e := range known {
		p.taken[e] = true
	}
	return p, nil
}

// at finds an endpoint with this port, and tells whether there is one.
func (p endpointPicker) at(ctx context.Context, port int) (models.Endpoint, bool, error) {
	address, err := p.host.FreeAddress(ctx, port, func(a string) bool { return p.taken[models.Endpoint{Host: a, Port: port}] })
	if err != nil || address == "" {
		return models.Endpoint{}, false, err
	}
	found := models.Endpoint{Host: address, Port: port}
	p.taken[found] = true
	return found, true, nil
}

// any finds an endpoint with any port.
func (p endpointPicker) any(ctx context.Context) (models.Endpoint, error) {
	address := p.host.Address()
	port, err := p.host.FreePort(ctx, func(port int) bool { return p.taken[models.Endpoint{Host: address, Port: port}] })
	if err != nil {
		return models.Endpoint{}, fmt.Errorf("find a free port: %w", err)
	}
	found := models.Endpoint{Host: address, Port: port}
	p.taken[found] = true
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
		moved.Host, moved.Port = found.Host, found.Port
		return q.writeEndpoint(ctx, cluster, node, moved)
	})
	if err != nil || !could {
		return node, false, err
	}
	return moved, true, nil
}

func (q Nodes) writeEndpoint(ctx context.Context, cluster models.Cluster, before, node models.Node) error {
	return q.db.transaction(ctx, func(tx *DB) error {
		err := tx.with(ctx).Model(&models.Node{ID: node.ID}).UpdateColumns(map[string]any{"host": node.Host, "port": node.Port}).Error
		if err != nil {
			return fmt.Errorf("move node %s to %s: %w", node.Name, node.Address(), err)
		}
		if before.Role != models.RoleReplica && before.Port == cluster.Port {
			return tx.with(ctx).Model(&models.Cluster{ID: cluster.ID}).UpdateColumn("port", node.Port).Error
		}
		return nil
	})
}
