package main

import (
	"fmt"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"rekindle/internal/testkit"
	"rekindle/models"
)

func TestNothingIsAttachedOutsideOfTheAllowedAddresses(t *testing.T) {
	t.Parallel()
	const refusal = " is not among the addresses that --attach-allow names: this console connects to no node there."
	p := newProcess(t)
	node, replica := testkit.Redis(t), testkit.Redis(t)
	path := filepath.Join(t.TempDir(), "clusters.yaml")
	writeFile(t, path, fmt.Sprintf("clusters:\n  parcels: {addresses: [%q]}\n", fmt.Sprintf("127.0.0.2:%d", node.Port)))
	p.start("--attach-allow", "127.0.0.1,10.1.0.0/16", "--clusters", path)
	p.signIn()
	attach := func(id, host string) (int, string) {
		return p.post("/clusters/-/attach", url.Values{"id": {id}, "addresses": {fmt.Sprintf("%s:%d", host, node.Port)}})
	}
	if status, body := attach("elsewhere", "127.0.0.2"); status != http.StatusUnprocessableEntity || !strings.Contains(body, "127.0.0.2"+refusal) {
		t.Errorf("the form answered %d:\n%.3000s", status, body)
	}
	testkit.WaitFor(t, "the clusters page to say why one of the file is not attached", func() bool {
		_, body := p.get("/clusters")
		return strings.Contains(body, "127.0.0.2"+refusal)
	})
	if status, body := attach("orders", "localhost"); status != http.StatusOK {
		t.Fatalf("an allowed one, by its name: %d:\n%.3000s", status, body)
	}

	// A node that announces another address is reported, and not connected to.
	for _, command := range [][]any{{"CONFIG", "SET", "replica-announce-ip", "127.0.0.2"}, {"REPLICAOF", "127.0.0.1", node.Port}} {
		if err := replica.Client().Do(t.Context(), command...).Err(); err != nil {
			t.Fatal(err)
		}
	}
	db := p.catalog()
	testkit.WaitFor(t, "an event about the replica", func() bool {
		events, err := db.Events.List(t.Context(), models.List{Text: fmt.Sprintf("(127.0.0.2:%d) has joined orders as a replica. 127.0.0.2"+refusal, replica.Port)})
		return err == nil && len(events.Rows) == 1
	})
	if cluster, err := db.Clusters.Get(t.Context(), "orders"); err != nil || len(cluster.Nodes) != 2 || cluster.Nodes[1].State != "unreachable" || cluster.Status != models.ClusterAvailable {
		t.Errorf("the cluster is %+v: %v", cluster, err)
	}

	// The command minds its own list, or that of the environment.
	for _, allowed := range []string{"10.0.0.0/8", "127.0.0.1"} {
		command := exec.Command(p.binary, "attach", "--test", "--address", node.Addr)
		command.Env = append(os.Environ(), consoleEnv+"=1", "REKINDLE_ATTACH_ALLOW="+allowed)
		output, err := command.CombinedOutput()
		if refused := strings.Contains(string(output), "127.0.0.1"+refusal); refused != (allowed == "10.0.0.0/8") || refused == (err == nil) {
			t.Errorf("with %s: %v\n%s", allowed, err, output)
		}
	}
}
