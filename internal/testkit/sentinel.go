package testkit

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// Sentinel starts a Sentinel that watches these primaries, by their names, with a quorum of one, and returns when it answers. settings are
// lines of its configuration ("requirepass secret"). It is killed when the test ends.
func Sentinel(t testing.TB, primaries map[string]*Server, settings ...string) *Server {
	t.Helper()
	path, err := exec.LookPath("redis-server")
	if err != nil {
		t.Fatalf("no redis-server in PATH: run make setup (%v)", err)
	}
	text, password, host := "", "", ""
	for name, p := range primaries {
		text += fmt.Sprintf("sentinel monitor %s %s %d 1\nsentinel down-after-milliseconds %s 500\nsentinel failover-timeout %s 5000\n", name, p.Host, p.Port, name, name)
		if p.password != "" {
			text += fmt.Sprintf("sentinel auth-pass %s %s\n", name, p.password)
		}
	}
	for _, line := range settings {
		text += line + "\n"
		if secret, found := strings.CutPrefix(line, "requirepass "); found {
			password = secret
		}
		if address, found := strings.CutPrefix(line, "bind "); found {
			host = address
		}
	}
	file := filepath.Join(t.TempDir(), "sentinel.conf")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return launch(t, &Server{binary: path, Host: host, config: file, password: password})
}

// InClusterMode starts nodes in cluster mode that form one cluster, and returns when all of them know it. The first ones are the primaries, which share
// the slots; the others are replicas, of the primaries in turn.
func InClusterMode(t testing.TB, primaries, replicas int, args ...string) []*Server {
	t.Helper()
	nodes := make([]*Server, primaries+replicas)
	for i := range nodes {
		nodes[i] = Redis(t, append([]string{"--cluster-enabled", "yes", "--cluster-node-timeout", "10000"}, args...)...)
	}
	do := func(node *Server, args ...any) string {
		t.Helper()
		answer, err := node.Client().Do(t.Context(), args...).Text()
		if err != nil {
			t.Fatalf("%v at %s: %v", args, node.Addr, err)
		}
		return answer
	}
	const slots = 16384
	ids := make([]string, len(nodes))
	for i, node := range nodes {
		ids[i] = do(node, "CLUSTER", "MYID")
		if i < primaries {
			do(node, "CLUSTER", "SET-CONFIG-EPOCH", i+1)
			do(node, "CLUSTER", "ADDSLOTSRANGE", slots*i/primaries, slots*(i+1)/primaries-1)
		}
		do(node, "CLUSTER", "MEET", nodes[0].Host, nodes[0].Port)
	}
	known := func(node *Server) bool {
		info, err := node.Client().ClusterInfo(t.Context()).Result()
		return err == nil && infoField(info, "cluster_known_nodes") == fmt.Sprint(len(nodes)) && infoField(info, "cluster_state") == "ok"
	}
	for _, node := range nodes {
		WaitFor(t, node.Addr+" knows its cluster", func() bool { return known(node) })
	}
	for i := primaries; i < len(nodes); i++ {
		do(nodes[i], "CLUSTER", "REPLICATE", ids[(i-primaries)%primaries])
		WaitFor(t, nodes[i].Addr+" is in step", func() bool {
			info, err := nodes[i].Client().Info(t.Context(), "replication").Result()
			return err == nil && infoField(info, "master_link_status") == "up"
		})
	}
	for _, node := range nodes {
		WaitFor(t, node.Addr+" knows the replicas", func() bool {
			text, err := node.Client().ClusterNodes(t.Context()).Result()
			return err == nil && strings.Count(text, "slave ") == replicas
		})
	}
	return nodes
}
