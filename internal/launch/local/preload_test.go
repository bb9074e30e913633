package local

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"rekindle/internal/launch"
	"rekindle/internal/testkit"
)

// saved returns the RDB of a server that has one key.
func saved(t *testing.T) []byte {
	t.Helper()
	s := testkit.Redis(t)
	s.Client().Set(t.Context(), "key", "value", 0)
	testkit.Save(t, s.Client())
	data, err := os.ReadFile(filepath.Join(s.Dir, dumpFile))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// preloaded writes a preload for a node.
func preloaded(t *testing.T, l *Launcher, data []byte) launch.Preload {
	t.Helper()
	p, err := l.Preload(t.Context(), "shop", "shop-001")
	if err == nil {
		_, err = p.Write(data)
	}
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestANodeStartsWithItsPreloadAndNobodyWritesUntilItIsOpened(t *testing.T) {
	t.Parallel()
	data := saved(t)
	for name, n := range map[string]launch.Node{
		"with a password":    {Password: "geheim"},
		"with two passwords": {Password: "geheim", OldPassword: "vorher"},
		"without a password": {},
		"in cluster mode":    {Password: "geheim", ClusterMode: true, Config: map[string]string{"cluster-require-full-coverage": "no"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := newLocal(t, t.TempDir())
			p := preloaded(t, l, data)
			if err := p.Commit(); err != nil {
				t.Fatal(err)
			}
			if err := p.Discard(); err != nil {
				t.Error(err)
			}
			n.Preloaded, n.MaxMemory = true, 64<<20
			n := start(t, l, n)
			if got := client(t, n).DBSize(t.Context()).Val(); got != 1 {
				t.Errorf("it has %d keys", got)
			}
			if limit := client(t, n).ConfigGet(t.Context(), "maxmemory").Val()["maxmemory"]; limit != "0" {
				t.Errorf("maxmemory is %s", limit)
			}
			if err := client(t, n).Set(t.Context(), "key", "mine", 0).Err(); err == nil || !strings.HasPrefix(err.Error(), "NOPERM") {
				t.Errorf("a client writes: %v", err)
			}
			if found, err := l.Describe(t.Context(), n.Cluster, n.Name); err != nil || found.MaxMemory != n.MaxMemory {
				t.Errorf("it is described with a limit of %d: %v", found.MaxMemory, err)
			}
			if err := client(t, n).Do(t.Context(), "ACL", "SETUSER", "default", "+@all").Err(); err != nil {
				t.Error(err)
			}
			if !n.ClusterMode {
				set(t, n, "key", "mine")
			}
		})
	}
}

func TestAPreloadReplacesNothing(t *testing.T) {
	t.Parallel()
	data := saved(t)
	l := newLocal(t, t.TempDir())
	late := preloaded(t, l, data)
	n := start(t, l, launch.Node{})
	if _, err := l.Preload(t.Context(), n.Cluster, n.Name); !errors.Is(err, launch.ErrRunning) {
		t.Errorf("for a node that runs: %v", err)
	}
	if err := late.Commit(); !errors.Is(err, launch.ErrRunning) {
		t.Errorf("for a node that runs meanwhile: %v", err)
	}
	if err := late.Discard(); err != nil {
		t.Error(err)
	}
	set(t, n, "key", "of its own")
	if err := l.Stop(t.Context(), n.Cluster, n.Name, launch.Save); err != nil {
		t.Fatal(err)
	}
	if _, err := l.Preload(t.Context(), n.Cluster, n.Name); !errors.Is(err, launch.ErrHasData) {
		t.Errorf("for a node with data: %v", err)
	}
	if n = start(t, l, n); get(t, n, "key") != "of its own" {
		t.Error("its data is gone")
	}
}

func TestWhatIsNotCommittedIsNotLoaded(t *testing.T) {
	t.Parallel()
	data := saved(t)
	for name, end := range map[string]func(p launch.Preload) error{
		"discarded":                launch.Preload.Discard,
		"left by a killed console": func(launch.Preload) error { return nil },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := newLocal(t, t.TempDir())
			if err := end(preloaded(t, l, data)); err != nil {
				t.Fatal(err)
			}
			n := start(t, l, launch.Node{})
			if got := client(t, n).DBSize(t.Context()).Val(); got != 0 {
				t.Errorf("it has %d keys", got)
			}
			if left, _ := filepath.Glob(filepath.Join(dirOf(l, n), "*.rdb")); len(left) > 0 {
				t.Errorf("%v are left", left)
			}
		})
	}
}
