package local

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"rekindle/internal/launch"
	"rekindle/internal/testkit"
)

// The programs that `make engines` writes start a server by its own loader. To the launcher its process has to be the node all the same: it finds
// that by its lock and its folder, after a crash too, and may end it.
func TestFetchedEnginesAreLaunchedAsAnyOther(t *testing.T) {
	t.Parallel()
	for _, engine := range testkit.Engines {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			found, err := FindEngines(filepath.Dir(filepath.Dir(testkit.Fetched(t, engine))))
			if err != nil {
				t.Fatal(err)
			}
			name, version, _ := strings.Cut(engine, "-")
			l := newLocal(t, filepath.Join(t.TempDir(), "nodes"))
			l.opts.EnginePaths = found
			n := start(t, l, launch.Node{Engine: name, Version: version, SavePoints: true})
			set(t, n, "key", "value")
			info := client(t, n).Info(t.Context(), "server").Val()
			if pid := server(t, l, n); !strings.Contains(info, fmt.Sprintf("process_id:%d\r", pid)) || !strings.Contains(info, name+"_version:"+version+".") {
				t.Errorf("process %d has the lock, and the server says\n%s", pid, info)
			}
			again := newLocal(t, l.dir) // as after a crash of the console; it has no such engine, and needs none for a node that runs
			if err := again.Start(t.Context(), n); err != nil {
				t.Error(err)
			}
			if err := again.Stop(t.Context(), n.Cluster, n.Name, launch.Save); err != nil {
				t.Error(err)
			}
			requireRunning(t, l, n, false)
			if err := l.Start(t.Context(), n); err != nil {
				t.Fatal(err)
			}
			if got := get(t, n, "key"); got != "value" {
				t.Errorf("it came back with %q", got)
			}
			if err := l.Stop(t.Context(), n.Cluster, n.Name, launch.Kill); err != nil {
				t.Error(err)
			}
			requireRunning(t, l, n, false)
		})
	}
}

func TestEnginesAreFoundInAFolderAndInThoseInIt(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, path := range []string{"redis-server", "a/valkey-server", "a/redis-server", "b/deep/redis-server", "b/other", "c/memcached"} {
		write(t, filepath.Join(dir, path))
	}
	found, err := FindEngines(dir)
	want := []string{"redis-server", "a/redis-server", "a/valkey-server", "c/memcached"}
	for i, path := range want {
		want[i] = filepath.Join(dir, path)
	}
	if err != nil || fmt.Sprint(found) != fmt.Sprint(want) {
		t.Errorf("found %v (%v), want %v", found, err, want)
	}
	if _, err := FindEngines(filepath.Join(dir, "absent")); err == nil {
		t.Error("a folder that is not there is no mistake")
	}
}

// write makes an empty program.
func write(t *testing.T, path string) {
	t.Helper()
	if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, nil, 0o700)); err != nil {
		t.Fatal(err)
	}
}
