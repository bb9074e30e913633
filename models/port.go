package models

import (
	"context"
	"errors"
	"fmt"

	"gorm.io/gorm"
)

// retryPorts repeats what picks ports and writes them down: two people may be handed the same free port; the unique columns
// decide, and an automatic port is looked for again. Each time that one is beaten another one was served.
func retryPorts(fn func() error) error {
	for attempt := 1; ; attempt++ {
		if err := fn(); !errors.Is(err, gorm.ErrDuplicatedKey) || attempt == 50 {
			return err
		}
	}
}

// pickPorts finds so many ports. The first is the chosen one when that is not 0, else the preferred one when that is free.
func (db *DB) pickPorts(ctx context.Context, chosen, preferred, count int) ([]int, error) {
	taken, err := db.takenPorts(ctx)
	if err != nil {
		return nil, err
	}
	ports := make([]int, 0, count)
	if chosen == 0 && preferred != 0 && !taken[preferred] && db.host.PortFree(preferred) {
		taken[preferred] = true
		ports = append(ports, preferred)
	}
	if chosen != 0 {
		if taken[chosen] || !db.host.PortFree(chosen) {
			return nil, refuse(CodeInvalid, "port", fmt.Sprintf("The port %d is in use on %s. Choose another one or leave it empty.", chosen, db.host.Address()))
		}
		taken[chosen] = true
		ports = append(ports, chosen)
	}
	for len(ports) < count {
		port, err := db.host.FreePort(ctx, func(p int) bool { return taken[p] })
		if err != nil {
			return nil, fmt.Errorf("find a free port: %w", err)
		}
		taken[port] = true
		ports = append(ports, port)
	}
	return ports, nil
}

// FreePort finds a port for a node that is in no catalog.
func (db *DB) FreePort(ctx context.Context) (int, error) {
	ports, err := db.pickPorts(ctx, 0, 0, 1)
	if err != nil {
		return 0, err
	}
	return ports[0], nil
}

func (db *DB) takenPorts(ctx context.Context) (map[int]bool, error) {
	var ports []int
	if err := db.with(ctx).Model(&Node{}).Pluck("port", &ports).Error; err != nil {
		return nil, fmt.Errorf("list ports: %w", err)
	}
	taken := make(map[int]bool, len(ports))
	for _, p := range ports {
		taken[p] = true
	}
	return taken, nil
}

// RepickPort gives a node of a cluster that is being created another automatic port, when somebody else took the one it was
// to have. It tells whether it could: a port that was asked for is not changed.
func (db *DB) RepickPort(ctx context.Context, cluster Cluster, node Node) (Node, bool, error) {
	if cluster.PortChosen && node.Port == cluster.Port {
		return node, false, nil
	}
	before := node.Port
	err := retryPorts(func() error {
		ports, err := db.pickPorts(ctx, 0, 0, 1)
		if err != nil {
			return err
		}
		node.Port = ports[0]
		return db.moveNode(ctx, cluster, node, before)
	})
	return node, err == nil, err
}

func (db *DB) moveNode(ctx context.Context, cluster Cluster, node Node, before int) error {
	return db.transaction(ctx, func(tx *DB) error {
		if err := tx.with(ctx).Model(&Node{ID: node.ID}).UpdateColumn("port", node.Port).Error; err != nil {
			return fmt.Errorf("move node %s to port %d: %w", node.Name, node.Port, err)
		}
		if before == cluster.Port {
			return tx.with(ctx).Model(&Cluster{ID: cluster.ID}).UpdateColumn("port", node.Port).Error
		}
		return nil
	})
}
