package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jonboulle/clockwork"

	"rekindle/internal/testkit"
	"rekindle/models/catalog"
)

func TestAClusterIsAttachedByACommand(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	db, err := catalog.Open(t.Context(), catalog.File(filepath.Join(data, catalogFile)), clockwork.NewRealClock(), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	node := testkit.Redis(t, "--requirepass", "s3cret-of-the-node")
	passwordFile := filepath.Join(data, "password")
	if err := os.WriteFile(passwordFile, []byte("s3cret-of-the-node\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	command := func(env map[string]string, args ...string) (code int, out, said string) {
		var stdout, stderr bytes.Buffer
		code = run(t.Context(), append([]string{"attach"}, append(args, "--data", data)...), func(name string) string { return env[name] }, &stdout, &stderr)
		if strings.Contains(stdout.String()+stderr.String(), "s3cret") {
			t.Errorf("%v tells the password", args)
		}
		return code, stdout.String(), stderr.String()
	}
	for _, c := range []struct {
		name string
		args []string
		says string
	}{
		{"no name", []string{"--address", node.Addr}, "name the cluster"},
		{"no address", []string{"orders"}, "Enter the address"},
		{"no password", []string{"orders", "--address", node.Addr}, "require a password"},
		{"a bad schedule", []string{"orders", "--address", node.Addr, "--retention", "99"}, "between 1 and 35"},
		{"a bad window", []string{"orders", "--address", node.Addr, "--window", "25:00-26:00"}, "--window"},
		{"a file that is not there", []string{"orders", "--address", node.Addr, "--ca", "/nowhere/ca.pem"}, "--ca"},
	} {
		if code, out, said := command(nil, c.args...); code != exitUsage || !strings.Contains(said, c.says) || out != "" {
			t.Errorf("%s: %d, %q, %q", c.name, code, out, said)
		}
	}
	if n, err := db.Clusters.All(t.Context()); err != nil || len(n) != 0 {
		t.Fatalf("%d clusters after refusals: %v", len(n), err)
	}

	if code, out, said := command(map[string]string{attachPassword: "s3cret-of-the-node"}, "--test", "--address", node.Addr); code != exitOK || !strings.Contains(out, "would serve snapshots") || said != "" {
		t.Errorf("the test: %d, %q, %q", code, out, said)
	}
	code, out, said := command(nil, "orders", "--address", node.Addr, "--password-file", passwordFile, "--retention", "7", "--window", "03:00-04:00")
	if code != exitOK || !strings.Contains(out, "The cluster orders is attached: 1 node of redis") || !strings.Contains(out, "every day in 03:00-04:00 UTC, kept for 7 days") || said != "" {
		t.Fatalf("%d, %q, %q", code, out, said)
	}
	cluster, err := db.Clusters.Get(t.Context(), "orders")
	if err != nil || !cluster.Attached() || cluster.Password.Reveal() != "s3cret-of-the-node" || cluster.RetentionLimit != 7 || cluster.Nodes[0].Address() != node.Addr {
		t.Errorf("attached %+v: %v", cluster, err)
	}
	if code, _, said := command(nil, "orders", "--address", node.Addr, "--password-file", passwordFile); code != exitUsage || !strings.Contains(said, "already a cluster orders") {
		t.Errorf("again: %d, %q", code, said)
	}
}
