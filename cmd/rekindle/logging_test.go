package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"rekindle/internal/testkit"
	"rekindle/models"
)

// lines has the lines of a JSON log, and fails if one is none.
func lines(t *testing.T, text string) (all []map[string]any) {
	t.Helper()
	for line := range strings.Lines(text) {
		var fields map[string]any
		if err := json.Unmarshal([]byte(line), &fields); err != nil || fields["time"] == nil || fields["level"] == nil || fields["msg"] == nil {
			t.Errorf("not a line of a JSON log: %s", line)
		}
		all = append(all, fields)
	}
	return all
}

// A store of a library's making warns, and somebody sends what is not HTTP.
func TestEveryLineOfAConsoleIsJSON(t *testing.T) {
	t.Parallel()
	metadata := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusForbidden) // which the SDK takes for an old version, and says so
	}))
	defer metadata.Close()
	data := t.TempDir()
	command := exec.Command(plain(t), "serve", "--listen", "127.0.0.1:0", "--data", data, "--log-format", "json", "--node-address", testkit.Loopback(t)[0].String(),
		"--store", "s3://snapshots/x?region=us-east-1&path_style=true&endpoint="+metadata.URL)
	command.Env = append(os.Environ(), "AWS_EC2_METADATA_SERVICE_ENDPOINT="+metadata.URL, "AWS_EC2_METADATA_DISABLED=false", "AWS_ACCESS_KEY_ID=", "AWS_SECRET_ACCESS_KEY=", "AWS_PROFILE=",
		"AWS_CONFIG_FILE="+filepath.Join(data, "none"), "AWS_SHARED_CREDENTIALS_FILE="+filepath.Join(data, "none"), "REKINDLE_NOBODY_KNOWS=1")
	var stdout, stderr safeBuffer
	command.Stdout, command.Stderr = &stdout, &stderr
	fine(t, command.Start())
	t.Cleanup(func() { _ = command.Process.Kill() })
	says := func(text string) bool { return strings.Contains(stderr.tail(1<<20), text) }
	testkit.WaitFor(t, "the start, and a warning of the SDK", func() bool { return says(`"msg":"started"`) && says("the AWS SDK says: falling back to IMDSv1") })
	fine(t, command.Process.Signal(syscall.SIGTERM))
	if err := command.Wait(); err != nil {
		t.Errorf("it ended with %v", err)
	}
	said := lines(t, stderr.tail(1<<20))
	if last := said[len(said)-1]; last["msg"] != "stopped" {
		t.Errorf("the last line is %v", last)
	}
	for _, line := range said {
		if line["msg"] != "started" {
			continue
		}
		for _, key := range []string{"version", "address", "pid", "store", "catalog", "data", "clusters", "engines", "took"} {
			if line[key] == nil {
				t.Errorf("%s is missing in %v", key, line)
			}
		}
	}
	if !says("REKINDLE_NOBODY_KNOWS is not known") {
		t.Error("nothing is said about an unknown variable")
	}
	if printed := lines(t, stdout.tail(1<<20)); len(printed) != 1 || printed[0]["msg"] != "serves" || printed[0]["user"] != "admin" || len(printed[0]["password"].(string)) < 12 {
		t.Errorf("it printed %v", printed)
	} else if says(printed[0]["password"].(string)) {
		t.Error("the log has the password")
	}
}

func TestWhyAConsoleDoesNotStartIsJSONToo(t *testing.T) {
	t.Parallel()
	for name, args := range map[string][]string{
		"a wrong setting":  {"--bandwidth", "-1", "--log-format", "json"},
		"no such flag":     {"--log-format", "json", "--nonsense"},
		"no such file":     {"--log-format", "json", "--clusters", "/nonexistent"},
		"a port in use":    {"--log-format", "json", "--listen", testkit.Redis(t).Addr},
		"a moved database": {"--log-format", "json", "--catalog", "postgres://127.0.0.1:1/x"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			command := exec.Command(plain(t), append([]string{"serve", "--data", t.TempDir()}, args...)...)
			var stdout, stderr bytes.Buffer
			command.Stdout, command.Stderr = &stdout, &stderr
			if err := command.Run(); err == nil {
				t.Error("it has started")
			}
			if said := lines(t, stderr.String()); len(said) == 0 || said[len(said)-1]["error"] == nil || stdout.Len() > 0 {
				t.Errorf("%s%s", stdout.String(), stderr.String())
			}
		})
	}
}

func TestLogLevel(t *testing.T) {
	t.Parallel()
	p := newProcess(t)
	p.start("--log-level", "error")
	p.end(os.Interrupt)
	if said := p.output.tail(1 << 20); strings.Contains(said, "level=INFO") || strings.Contains(said, "level=WARN") {
		t.Errorf("it says more than was asked for:\n%s", said)
	}
}

func TestMissingEnginesAndFewFilesAreSaid(t *testing.T) {
	t.Parallel()
	binary, data := plain(t), t.TempDir()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	command := exec.CommandContext(ctx, "/bin/sh", "-c", "ulimit -n 512 && exec "+binary+" serve --listen 127.0.0.1:0 --data "+data)
	command.Env = []string{"PATH=/nonexistent", "REKINDLE_ADMIN_PASSWORD=" + adminPassword}
	out, err := command.StderrPipe()
	fine(t, err)
	fine(t, command.Start())
	want := []string{"a process may have only 512 open files here (ulimit -Hn)", "no redis-server or valkey-server was found in PATH"}
	log := bufio.NewScanner(out)
	for len(want) > 0 && log.Scan() {
		if strings.Contains(log.Text(), want[0]) {
			want = want[1:]
		}
	}
	if len(want) > 0 {
		t.Errorf("it did not say %q", want)
	}
	_ = command.Process.Signal(syscall.SIGTERM)
	_, _ = io.Copy(io.Discard, out)
	if err := command.Wait(); err != nil {
		t.Errorf("it ended with %v", err)
	}
}

// A low soft limit does not matter: engines raise their own.
func TestNodesHaveTheirFilesWithALowSoftLimit(t *testing.T) {
	t.Parallel()
	p := newProcess(t)
	script := filepath.Join(t.TempDir(), "limited")
	writeFile(t, script, "#!/bin/sh\nulimit -Sn 256 && exec "+p.binary+" \"$@\"\n")
	fine(t, os.Chmod(script, 0o755))
	p.binary = script
	p.start()
	p.signIn()
	p.must("/clusters/-/new", createForm("orders", "0"))
	db := p.catalog()
	testkit.WaitFor(t, "the cluster", func() bool {
		orders, err := db.Clusters.Get(t.Context(), "orders")
		return err == nil && orders.Status == models.ClusterAvailable
	})
	orders, err := db.Clusters.Get(t.Context(), "orders")
	fine(t, err)
	primary, _ := orders.Shards()[0].Primary()
	if set, err := client(t, orders, primary).ConfigGet(t.Context(), "maxclients").Result(); err != nil || set["maxclients"] != "10000" {
		t.Errorf("the node takes %v, %v", set, err)
	}
	if said := p.output.tail(1 << 20); strings.Contains(said, "open files") {
		t.Errorf("it complains:\n%s", said)
	}
}
