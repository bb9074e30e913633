package main

import (
	"bytes"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"

	"rekindle/internal/testkit"
)

// image is what the Dockerfile says about containers.
type image struct {
	env     map[string]string
	command []string // what is run without arguments, after the program
	health  []string
}

var (
	envLine     = regexp.MustCompile(`(?m)^ENV (.+)$`)
	commandLine = regexp.MustCompile(`(?m)^CMD (\[.+\])$`)
	healthLine  = regexp.MustCompile(`(?m)^  CMD (\[.+\])$`)
)

func readImage(t *testing.T) image {
	t.Helper()
	text, err := os.ReadFile("../../Dockerfile")
	if err != nil {
		t.Fatal(err)
	}
	read := image{env: make(map[string]string)}
	for _, line := range envLine.FindAllStringSubmatch(string(text), -1) {
		for pair := range strings.FieldsSeq(line[1]) {
			name, value, _ := strings.Cut(pair, "=")
			read.env[name] = value
		}
	}
	for pattern, into := range map[*regexp.Regexp]*[]string{commandLine: &read.command, healthLine: &read.health} {
		found := pattern.FindStringSubmatch(string(text))
		if found == nil {
			t.Fatalf("the Dockerfile has no line like %s", pattern)
		}
		if err := json.Unmarshal([]byte(found[1]), into); err != nil {
			t.Fatal(err)
		}
	}
	return read
}

// settings are the variables that serve reads.
func settings(t *testing.T) []string {
	t.Helper()
	var names []string
	if _, err := readServeConfig(nil, func(name string) string { names = append(names, name); return "" }, io.Discard); err != nil {
		t.Fatal(err)
	}
	return names
}

func TestTheImageSetsByTheEnvironmentWhatAContainerNeeds(t *testing.T) {
	t.Parallel()
	container := readImage(t)
	known := settings(t)
	for name := range container.env {
		if !slices.Contains(known, name) {
			t.Errorf("the image sets %s, which serve does not know", name)
		}
	}
	if !slices.Equal(container.command, []string{"serve"}) {
		t.Errorf("the command is %v: its flags would win over the environment", container.command)
	}
	read := func(args []string, more map[string]string) config {
		c, err := readServeConfig(args, func(name string) string {
			if value, set := more[name]; set {
				return value
			}
			return container.env[name]
		}, io.Discard)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	if c := read(nil, nil); c.listen != "0.0.0.0:8080" || c.place.data != "/data" || c.store != "dir:/data/snapshots" || !c.stopNodes {
		t.Errorf("a container is served with %+v", c)
	}
	if c := read([]string{"--store", "dir:/backup"}, nil); c.listen != "0.0.0.0:8080" || c.place.data != "/data" || c.store != "dir:/backup" {
		t.Errorf("with another store it is %+v", c)
	}
	if c := read(nil, map[string]string{"REKINDLE_LISTEN": "0.0.0.0:9000"}); c.listen != "0.0.0.0:9000" {
		t.Errorf("with another address it listens on %s", c.listen)
	}
}

func TestAContainerServesAndItsHealthCheckFindsIt(t *testing.T) {
	t.Parallel()
	container := readImage(t)
	container.env["REKINDLE_LISTEN"], container.env["REKINDLE_DATA"] = "127.0.0.1:0", t.TempDir()
	environment := func() []string {
		all := append(os.Environ(), consoleEnv+"=1")
		for name, value := range container.env {
			all = append(all, name+"="+value)
		}
		return all
	}
	command := exec.CommandContext(t.Context(), os.Args[0], container.command...)
	command.Env = environment()
	var output safeBuffer
	command.Stdout, command.Stderr = &output, &output
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	testkit.WaitFor(t, "the console to serve", func() bool { return strings.Contains(output.tail(4000), "user      admin") })
	_, address, _ := strings.Cut(output.tail(4000), " serves http://")
	container.env["REKINDLE_LISTEN"], _, _ = strings.Cut(address, "\n")
	health := exec.CommandContext(t.Context(), os.Args[0], container.health[1:]...)
	health.Env = environment()
	if said, err := health.CombinedOutput(); err != nil {
		t.Errorf("the health check of %s: %v: %s", container.env["REKINDLE_LISTEN"], err, said)
	}
	_ = command.Process.Signal(syscall.SIGTERM)
	if err := command.Wait(); err != nil {
		t.Errorf("it ended with %v: %s", err, output.tail(4000))
	}
}

func TestHealthIsAskedWhereTheConsoleListens(t *testing.T) {
	t.Parallel()
	for listen, want := range map[string]string{
		"127.0.0.1:8080": "http://127.0.0.1:8080/healthz",
		"0.0.0.0:9000":   "http://127.0.0.1:9000/healthz",
		":8081":          "http://127.0.0.1:8081/healthz",
		"[::]:8080":      "http://[::1]:8080/healthz",
		"[fd00::7]:8080": "http://[fd00::7]:8080/healthz",
		"console:80":     "http://console:80/healthz",
	} {
		if got := healthOf(listen); got != want {
			t.Errorf("%s: %s, want %s", listen, got, want)
		}
	}
}

// TestTheBuildOfTheImageHasItsFilesAndNoOthers compares .dockerignore with what the compiler reads.
func TestTheBuildOfTheImageHasItsFilesAndNoOthers(t *testing.T) {
	t.Parallel()
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	sent := readIgnored(t, filepath.Join(root, ".dockerignore"))
	list := exec.CommandContext(t.Context(), "go", "list", "-deps", "-json=Dir,Standard,Module,GoFiles,CgoFiles,EmbedFiles,HFiles,CFiles", ".")
	listed, err := list.Output()
	if err != nil {
		t.Fatal(err)
	}
	type built struct {
		Dir                                           string
		Standard                                      bool
		Module                                        struct{ Main bool }
		GoFiles, CgoFiles, EmbedFiles, HFiles, CFiles []string
	}
	files := []string{"go.mod", "go.sum"}
	for decoder := json.NewDecoder(bytes.NewReader(listed)); decoder.More(); {
		var p built
		if err := decoder.Decode(&p); err != nil {
			t.Fatal(err)
		}
		folder, err := filepath.Rel(root, p.Dir)
		if err != nil || !p.Module.Main {
			continue
		}
		for _, file := range slices.Concat(p.GoFiles, p.CgoFiles, p.EmbedFiles, p.HFiles, p.CFiles) {
			files = append(files, path.Join(folder, file))
		}
	}
	if len(files) < 300 {
		t.Errorf("only %d files are compiled", len(files))
	}
	for _, file := range files {
		if !sent(file) {
			t.Errorf("%s is compiled, and not sent to the build", file)
		}
	}
	for _, file := range []string{".git/config", ".cache/bin/versitygw", "bin/rekindle", "data/rekindle.db", "deploy/compose.yaml", "Dockerfile", "docs/running.md",
		"rekindle.db", "tools/go.mod", "cmd/rekindle/image_test.go", "internal/rdb/testdata/one.rdb"} {
		if sent(file) {
			t.Errorf("%s is sent to the build", file)
		}
	}
}

// readIgnored reads a .dockerignore with the few forms of patterns that ours has: * alone, !/name, and **/ before the pattern of a name. The last one
// that a file, or a folder that it is in, matches decides.
func readIgnored(t *testing.T, file string) (sent func(file string) bool) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var patterns []string
	for line := range strings.Lines(string(text)) {
		if line = strings.TrimSpace(line); line != "" && line[0] != '#' {
			patterns = append(patterns, line)
		}
	}
	return func(file string) bool {
		sent := true
		elements := strings.Split(file, "/")
		for _, pattern := range patterns {
			rest, again := strings.CutPrefix(pattern, "!")
			anywhere, deep := strings.CutPrefix(rest, "**/")
			matches := func(element string) bool {
				found, err := path.Match(anywhere, element)
				return found && err == nil
			}
			switch {
			case rest == "*", !deep && "/"+elements[0] == rest, deep && slices.ContainsFunc(elements, matches):
				sent = again
			}
		}
		return sent
	}
}
