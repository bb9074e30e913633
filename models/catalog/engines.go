package catalog

import (
	"context"
	"fmt"
	"strings"

	"rekindle/models"
)

// Engines finds the server programs of this host.
type Engines struct{ db *DB }

// Find returns the newest installed engine of this name whose version begins with the given one: "7", "7.0", "7.0.15", "6.x" or ""
// for any. A refusal says what is installed.
func (q Engines) Find(ctx context.Context, name, version string) (models.Engine, error) {
	engines, err := q.db.host.Engines(ctx)
	if err != nil {
		return models.Engine{}, fmt.Errorf("list engines: %w", err)
	}
	wanted := strings.TrimSuffix(version, ".x")
	var installed []string
	var best models.Engine
	for _, e := range engines {
		if e.Name != name {
			continue
		}
		installed = append(installed, e.Version)
		if (wanted == "" || e.Version == wanted || strings.HasPrefix(e.Version, wanted+".")) && (best.Name == "" || models.Newer(e.Version, best.Version)) {
			best = e
		}
	}
	switch {
	case best.Name != "":
		return best, nil
	case len(installed) == 0:
		return best, models.Refuse(models.CodeInvalid, "engine", fmt.Sprintf("The engine %.40q is not installed on this host.", name))
	}
	return best, models.Refuse(models.CodeInvalid, "engine", fmt.Sprintf("%s %.40q is not installed on this host. These are: %s.", name, version, strings.Join(installed, ", ")))
}

// Match is Find for whoever names versions as ElastiCache has them: where none of them is installed, another one stands in for it, and asked is the
// version that is to be shown. It is "" otherwise.
func (q Engines) Match(ctx context.Context, name, version string) (engine models.Engine, asked string, err error) {
	engine, err = q.Find(ctx, name, version)
	if _, refused := models.AsFaults(err); !refused {
		return engine, "", err
	}
	if asked = models.AskedVersion(version); asked == "" {
		return engine, "", err
	}
	installed, failed := q.All(ctx)
	if failed != nil {
		return engine, "", failed
	}
	if stand, found := models.StandIn(installed, models.Engine{Name: name, Version: asked}); found {
		return stand, asked, nil
	}
	return engine, "", err
}

// All lists the installed engines.
func (q Engines) All(ctx context.Context) ([]models.Engine, error) {
	engines, err := q.db.host.Engines(ctx)
	if err != nil {
		return nil, fmt.Errorf("list engines: %w", err)
	}
	return engines, nil
}
