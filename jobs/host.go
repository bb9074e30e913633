package jobs

import (
	"context"

	"rekindle/internal/launch"
	"rekindle/internal/rdb"
	"rekindle/models"
)

// Host tells the rules in models what the place is like where nodes are launched.
type Host struct {
	nodes   *launch.Local
	address string
}

// NewHost describes the host on which these nodes run, bound to this address.
func NewHost(nodes *launch.Local, address string) *Host { return &Host{nodes: nodes, address: address} }

// Engines lists the installed server programs.
func (h *Host) Engines(ctx context.Context) ([]models.Engine, error) {
	found, err := h.nodes.Engines(ctx)
	if err != nil {
		return nil, err
	}
	engines := make([]models.Engine, len(found))
	for i, e := range found {
		engines[i] = models.Engine{Name: e.Name, Version: e.Version}
	}
	return engines, nil
}

// Address is where nodes are bound.
func (h *Host) Address() string { return h.address }

// PortFree tells whether nothing listens on this port.
func (h *Host) PortFree(port int) bool { return h.nodes.PortFree(port) }

// FreePort finds a port for a node.
func (h *Host) FreePort(ctx context.Context, avoid func(int) bool) (int, error) {
	return h.nodes.FreePort(ctx, avoid)
}

// CanLoad tells whether this engine can load an RDB of this version.
func (h *Host) CanLoad(engine models.Engine, rdbVersion int) bool {
	return rdb.CanLoad(engine.Name, engine.Version, rdbVersion)
}
