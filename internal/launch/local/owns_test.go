package local_test

import (
	"os"
	"path/filepath"
	"testing"

	"rekindle/internal/launch/local"
)

func TestOwnsWhatLiesInTheFolderOfTheNodesByWhateverName(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	nodes := filepath.Join(data, "nodes")
	for _, folder := range []string{"nodes/orders", "nodes-not", "exports"} {
		if err := os.MkdirAll(filepath.Join(data, folder), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	for link, to := range map[string]string{"link": nodes, "deeper": filepath.Join(nodes, "orders"), "around": data} {
		if err := os.Symlink(to, filepath.Join(data, "exports", link)); err != nil {
			t.Fatal(err)
		}
	}
	for path, want := range map[string]bool{
		"nodes": true, "nodes/": true, "nodes/orders": true, "nodes/none/yet": true, "exports/link": true, "exports/link/none/yet": true,
		"exports/deeper": true, "exports/around/nodes": true, "exports/../nodes/x": true,
		".": false, "nodes-not": false, "nodes-not/x": false, "exports": false, "exports/around": false, "exports/none/yet": false, "exports/nodes": false,
	} {
		// Also where the launcher's own folder is named by a link.
		for _, dir := range []string{nodes, filepath.Join(data, "exports", "link")} {
			if got := local.New(dir, nil, local.Options{}).Owns(filepath.Join(data, path)); got != want {
				t.Errorf("%s with the nodes in %s: %t", path, dir, got)
			}
		}
	}
	if fresh := local.New(filepath.Join(data, "none", "yet"), nil, local.Options{}); !fresh.Owns(filepath.Join(data, "none", "yet", "x")) || fresh.Owns(data) {
		t.Error("a folder of nodes that is not there yet")
	}
}
