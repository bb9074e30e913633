package jobs

import (
	"context"
	"errors"

	"rekindle/internal/launch"
	"rekindle/internal/rdb"
	"rekindle/models"
)

// Host tells the rules in models what the place is like where nodes are launched.
type Host struct {
	nodes launch.Placer
	home  string
}

// NewHost describes the host on which these nodes run. home names the data folder: [models.Owner.Home].
func NewHost(nodes launch.Placer, home string) *Host { return &Host{nodes: nodes, home: home} }

// Home names the data folder.
func (h *Host) Home() string { return h.home }

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

// Address is the first of those that nodes may be bound to.
func (h *Host) Address() string { return h.nodes.Address() }

// FreePort finds a port for a node at the first address.
func (h *Host) FreePort(ctx context.Context, avoid func(int) bool) (int, error) {
	free, err := h.nodes.Place(ctx, 0, func(e launch.Endpoint) bool { return avoid(e.Port) })
	return free.Port, err
}

// FreeAddress finds an address for a node with this port; "" when there is none.
func (h *Host) FreeAddress(ctx context.Context, port int, avoid func(string) bool) (string, error) {
	free, err := h.nodes.Place(ctx, port, func(e launch.Endpoint) bool { return avoid(e.Host) })
	if errors.Is(err, launch.ErrNoPort) {
		return "", nil
	}
	return free.Host, err
}

// CanLoad tells whether this engine can load an RDB of this version.
func (h *Host) CanLoad(engine models.Engine, rdbVersion int) bool {
	return rdb.CanLoad(engine.Name, engine.Version, rdbVersion)
}
