package local

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"rekindle/internal/launch"
	"rekindle/internal/testkit"
)

func TestOnlyOurDefaultsCanBeSetByAnAdministrator(t *testing.T) {
	t.Parallel()
	n := launch.Node{Host: "127.0.0.1", Port: 1, Password: "x", PrimaryHost: "127.0.0.1", PrimaryPort: 2, SavePoints: true}
	for line := range strings.Lines(renderConfig("/data", n, launch.Engine{Name: "redis", Version: "7.0.15"})) {
		name, _, _ := strings.Cut(line, " ")
		if name == "#" {
			continue
		}
		err := checkDirectives(map[string]string{name: "x"})
		if open := name == "maxmemory-policy" || name == "tcp-keepalive"; open != (err == nil) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, name := range []string{
		"include", "loadmodule", "rename-command", "slaveof", "replica-read-only", "slave-ignore-maxmemory", "primaryauth", "masteruser", "user", "aclfile", "tls-port", "unixsocket",
		"enable-protected-configs", "replica-announce-port", "replica-announced", "slave-announce-ip", "repl-diskless-sync-max-replicas",
		"shutdown-on-sigint", "cluster-enabled", "cluster-announce-ip", "appendfilename", "rdbchecksum", "rdb-del-sync-files",
		"", "Timeout", "DIR", "-timeout", "time out", "timeout\n", "timeout\ndir", "9", `"dir"`, "dir\x00", "#",
	} {
		if err := checkDirectives(map[string]string{name: "x"}); err == nil {
			t.Errorf("%q is let through", name)
		}
	}
	for _, name := range []string{"timeout", "maxmemory-samples", "repl-backlog-size", "notify-keyspace-events", "min-replicas-to-write", "shutdown-timeout"} {
		if err := checkDirectives(map[string]string{name: "x"}); err != nil {
			t.Error(err)
		}
	}
}

func TestDirectivesAreWrittenSortedAndInWords(t *testing.T) {
	t.Parallel()
	got := renderDirectives(map[string]string{
		"timeout": "5", "notify-keyspace-events": "", "proc-title-template": "a \"b\"\nport 1",
		"client-output-buffer-limit": " replica 0 0 0\tpubsub 32mb 8mb 60 ", "latency-tracking-info-percentiles": "",
	})
	want := `client-output-buffer-limit "replica" "0" "0" "0"
client-output-buffer-limit "pubsub" "32mb" "8mb" "60"
latency-tracking-info-percentiles ""
notify-keyspace-events ""
proc-title-template "a \"b\"\x0aport 1"
timeout "5"
`
	if got != want {
		t.Errorf("written\n%swant\n%s", got, want)
	}
}

func TestDirectivesReachTheServer(t *testing.T) {
	t.Parallel()
	const limits = "normal 0 0 0 slave 268435456 67108864 60 pubsub 33554432 8388608 60" // Redis's own
	tests := map[string]struct{ config, want map[string]string }{
		"none": {nil, map[string]string{"maxmemory-policy": "volatile-lru", "tcp-keepalive": "60", "client-output-buffer-limit": limits}},
		"one word each": {
			map[string]string{"maxmemory-policy": "allkeys-lfu", "tcp-keepalive": "300", "notify-keyspace-events": "Ex", "repl-backlog-size": "2mb"},
			map[string]string{"maxmemory-policy": "allkeys-lfu", "tcp-keepalive": "300", "notify-keyspace-events": "xE", "repl-backlog-size": "2097152"}},
		"an empty word": {
			map[string]string{"notify-keyspace-events": "", "latency-tracking-info-percentiles": ""},
			map[string]string{"notify-keyspace-events": "", "latency-tracking-info-percentiles": ""}},
		"one of spaces": {
			map[string]string{"proc-title-template": "{title} port 1 {listen-addr}"},
			map[string]string{"proc-title-template": "{title} port 1 {listen-addr}"}},
		"several words": {
			map[string]string{"client-output-buffer-limit": "replica 0 0 0", "latency-tracking-info-percentiles": "50 99.9"},
			map[string]string{"client-output-buffer-limit": strings.Replace(limits, "268435456 67108864 60", "0 0 0", 1), "latency-tracking-info-percentiles": "50 99.9"}},
		"several times several words": {
			map[string]string{"client-output-buffer-limit": "replica 0 0 0 pubsub 1048576 0 0"},
			map[string]string{"client-output-buffer-limit": "normal 0 0 0 slave 0 0 0 pubsub 1048576 0 0"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := newLocal(t, t.TempDir())
			n := start(t, l, launch.Node{Password: "geheim", Config: test.config})
			for directive, want := range test.want {
				got, err := client(t, n).ConfigGet(t.Context(), directive).Result()
				if err != nil || got[directive] != want {
					t.Errorf("%s is %q, %v; want %q", directive, got[directive], err, want)
				}
			}
		})
	}
}

func TestDirectiveThatTheServerRefusesIsReportedInItsWords(t *testing.T) {
	t.Parallel()
	for directive, words := range map[string]string{
		"no-such-thing": "Bad directive", "maxmemory-policy": "argument(s) must be one of", "client-output-buffer-limit": "number of arguments",
	} {
		t.Run(directive, func(t *testing.T) {
			t.Parallel()
			l := newLocal(t, t.TempDir())
			n := launch.Node{Cluster: "shop", Name: "shop-001", Port: testkit.FreePort(t), Config: map[string]string{directive: "replica"}}
			if err := l.Start(t.Context(), n); err == nil || !strings.Contains(err.Error(), words) {
				t.Errorf("%v, want %q", err, words)
			}
			requireRunning(t, l, n, false)
		})
	}
}

func TestNodeIsDescribedAsItWasStarted(t *testing.T) {
	t.Parallel()
	l := newLocal(t, t.TempDir())
	n := start(t, l, launch.Node{Password: "geheim", MaxMemory: 64<<20 + 1, Config: map[string]string{"maxmemory-policy": "noeviction"}})
	found, err := l.Describe(t.Context(), n.Cluster, n.Name)
	if err != nil || found.MaxMemory != n.MaxMemory || found.Password != n.Password || found.Port != n.Port || found.Config["maxmemory-policy"] != "noeviction" {
		t.Errorf("%+v, %v", found, err)
	}

	// Earlier releases wrote the memory limit into the configuration only.
	record := filepath.Join(dirOf(l, n), recordFile)
	if err := os.WriteFile(record, []byte(`{"engine": "redis", "version": "7.0.15", "host": "127.0.0.1", "port": 6379}`), 0o600); err != nil {
		t.Fatal(err)
	}
	if found, err := l.Describe(t.Context(), n.Cluster, n.Name); err != nil || found.MaxMemory != n.MaxMemory {
		t.Errorf("with an earlier record: %+v, %v", found, err)
	}
	if err := l.Stop(t.Context(), n.Cluster, n.Name, launch.Kill); err != nil {
		t.Fatal(err)
	}
	for _, file := range []string{confFile, recordFile} {
		if err := os.Remove(filepath.Join(dirOf(l, n), file)); err != nil {
			t.Fatal(err)
		}
		if _, err := l.Describe(t.Context(), n.Cluster, n.Name); err == nil {
			t.Errorf("described without %s", file)
		}
	}
}
