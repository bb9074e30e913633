package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestVariableThatIsNearlyASettingIsRefused(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ set, meant, note string }{
		{set: "REKINDLE_LISTN=x", meant: "REKINDLE_LISTEN"},
		{set: "REKINDLE_STOER=x", meant: "REKINDLE_STORE"},
		{set: "REKINDLE_NODE_ADRESS=x", meant: "REKINDLE_NODE_ADDRESS"},
		{set: "REKINDLE_ADMIN_PASWORD=x", meant: "REKINDLE_ADMIN_PASSWORD"},
		{set: "REKINDLE_LISTN="},             // empty is as good as not set, as for all others
		{set: "REKINDLE_LISTEN=127.0.0.1:0"}, // known
		{set: "REKINDLE_ATTACH_PASSWORD=x"},  // of another command
		{set: "REKINDLE_URL=http://a"},
		{set: "REKINDLE_SERVICE_HOST=10.0.0.1"}, // Kubernetes, of a service rekindle
		{set: "REKINDLE_PORT_8080_TCP_ADDR=10.0.0.1"},
		{set: "REKINDLE_ORDERS_PASSWORD=x", note: "REKINDLE_ORDERS_PASSWORD is not known"},
		{set: "REKINDLE_TEST_CATALOG=x", note: "REKINDLE_TEST_CATALOG is not known"},
		{set: "LISTN=x"},
	} {
		w := watch(func(string) string { return "" })
		if _, err := readServeConfig(nil, w.get, &bytes.Buffer{}); err != nil {
			t.Fatal(err)
		}
		notes, err := w.unknown([]string{"PATH=/bin", test.set})
		if (err != nil) != (test.meant != "") || err != nil && !strings.HasSuffix(err.Error(), "Did you mean "+test.meant+"?") {
			t.Errorf("%s: %v", test.set, err)
		}
		if strings.Join(notes, "") != "" != (test.note != "") || !strings.Contains(strings.Join(notes, ""), test.note) {
			t.Errorf("%s: noted %q", test.set, notes)
		}
	}
}

// What a clusters file names is asked for, whatever its name.
func TestVariablesOfAClustersFileAreKnown(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "clusters.yaml")
	writeFile(t, path, "clusters:\n  orders: {addresses: [10.0.0.5], password: {env: REKINDLE_STORED}}\n")
	env := map[string]string{"REKINDLE_CLUSTERS": path, "REKINDLE_STORED": "x"}
	w := watch(func(name string) string { return env[name] })
	c, err := readServeConfig(nil, w.get, &bytes.Buffer{})
	fine(t, err)
	if _, err := w.unknown([]string{"REKINDLE_STORED=x"}); err == nil {
		t.Error("known before anything has asked for it")
	}
	_, err = loadClusters(c.clusters)
	fine(t, err)
	if notes, err := w.unknown([]string{"REKINDLE_STORED=x"}); err != nil || len(notes) != 0 {
		t.Errorf("%q, %v", notes, err)
	}
}

func TestConsoleDoesNotStartWithAVariableThatIsNearlyASetting(t *testing.T) {
	t.Parallel()
	data := filepath.Join(t.TempDir(), "data")
	command := exec.Command(plain(t), "serve", "--listen", "127.0.0.1:0", "--data", data)
	command.Env = append(os.Environ(), "REKINDLE_LISTN=127.0.0.1:1", "REKINDLE_STOR=dir:/x")
	output, err := command.CombinedOutput()
	if command.ProcessState.ExitCode() != exitUsage || !strings.Contains(string(output), "REKINDLE_LISTN is not known. Did you mean REKINDLE_LISTEN?") || !strings.Contains(string(output), "Did you mean REKINDLE_STORE?") {
		t.Errorf("it ended with %v: %s", err, output)
	}
	if _, err := os.Stat(data); err == nil {
		t.Error("something was written nevertheless")
	}
}

func TestDistanceOfWords(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		a, b string
		want int
	}{{"", "", 0}, {"", "AB", 2}, {"STORE", "STORE", 0}, {"STOER", "STORE", 1}, {"STOR", "STORE", 1}, {"STORES", "STORE", 1}, {"STARE", "STORE", 1}, {"DATA", "STORE", 5}} {
		if got := distance(test.a, test.b); got != test.want {
			t.Errorf("%q and %q: %d, not %d", test.a, test.b, got, test.want)
		}
	}
	if known := []string{"REKINDLE_DATA"}; closest("REKINDLE_DATE", known) != known[0] || closest("REKINDLE_DIRT", known) != "" || !slices.Contains(known, "REKINDLE_DATA") {
		t.Error("the wrong one is the closest")
	}
}
