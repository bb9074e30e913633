package jobs_test

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"testing"

	"github.com/redis/go-redis/v9"

	"rekindle/internal/launch"
	"rekindle/internal/launch/local"
	"rekindle/internal/testkit"
	"rekindle/models"
)

// TestParametersAreWhatTheInstalledEnginesTake holds the list of parameters against the engines that are here: each default is the engine's
// own, and each parameter can be set when a node starts, without which a node with such a group would never come up.
func TestParametersAreWhatTheInstalledEnginesTake(t *testing.T) {
	t.Parallel()
	nodes := local.New(t.TempDir(), nil, local.Options{})
	engines, err := nodes.Engines(t.Context())
	if err != nil || len(engines) == 0 {
		t.Fatalf("no engine is installed: run make setup (%v)", err)
	}
	for _, name := range []string{"redis", "valkey", models.EngineMemcached} {
		if !slices.ContainsFunc(engines, func(e launch.Engine) bool { return e.Name == name }) {
			t.Run(name, func(t *testing.T) { t.Skipf("no %s on this machine", name) })
		}
	}
	for i, engine := range engines {
		family := models.Engine{Name: engine.Name, Version: engine.Version}.Family()
		parameters := models.Parameters(family)
		if len(parameters) == 0 {
			t.Errorf("%s %s has no parameters: there is no family %s", engine.Name, engine.Version, family)
			continue
		}
		defaults := make(map[string]string)
		for _, p := range parameters {
			if !p.Fixed {
				defaults[p.Name] = p.Default
			}
		}
		for name, config := range map[string]map[string]string{"plain": nil, "set": defaults} {
			node := launch.Node{Cluster: "parameters", Name: fmt.Sprintf("%s-%d", name, i), Engine: engine.Name, Version: engine.Version, Port: testkit.FreePort(t), MaxMemory: 256 << 20, Config: config}
			t.Cleanup(func() { _ = nodes.Stop(context.Background(), node.Cluster, node.Name, launch.Kill) })
			if err := nodes.Start(t.Context(), node); err != nil {
				t.Errorf("%s with %v: %v", engine.Name, config, err)
				continue
			}
			if engine.Name == models.EngineMemcached {
				continue
			}
			client := redis.NewClient(&redis.Options{Addr: "127.0.0.1:" + strconv.Itoa(node.Port)})
			for _, p := range parameters {
				if got, err := client.ConfigGet(t.Context(), p.Name).Result(); err != nil || got[p.Name] != p.Default {
					t.Errorf("%s %s, %s: %s is %q (%v), the list says %q", engine.Name, engine.Version, name, p.Name, got[p.Name], err, p.Default)
				}
			}
			_ = client.Close()
			if err := nodes.Stop(t.Context(), node.Cluster, node.Name, launch.Kill); err != nil {
				t.Error(err)
			}
		}
	}
}
