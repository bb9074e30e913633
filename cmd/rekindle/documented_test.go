package main

import (
	"bytes"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"rekindle/internal/testkit"
)

// documented is a block of commands in README.md or a page of docs/, as it is written there.
type documented struct {
	page string
	line int
	text string
	run  bool
}

// documentation is all blocks of commands, and remembers which of them were run.
type documentation struct {
	mu     sync.Mutex
	blocks []*documented
}

// programs are what a line of a block begins with if the block is one of commands, not of output.
var programs = []string{"apt", "aws", "bin/rekindle", "createuser", "docker", "export", "head", "ls", "make", "mkdir", "openssl", "redis-cli", "rekindle", "sudo", "systemctl"}

// readDocumentation reads every page. Indented lines are left out: those with commands are the tour of docs/api.md, which has a test of its own.
func readDocumentation(t *testing.T) *documentation {
	t.Helper()
	pages := must(filepath.Glob("../../docs/*.md"))(t)
	d := &documentation{}
	for _, path := range append(pages, "../../README.md") {
		text := string(must(os.ReadFile(path))(t))
		var block *documented
		for i, line := range strings.Split(text, "\n") {
			fence, found := strings.CutPrefix(strings.TrimSpace(line), "```")
			switch {
			case found && block != nil:
				d.add(block)
				block = nil
			case found:
				block = &documented{page: filepath.Base(path), line: i + 1, run: fence != "" && fence != "sh"}
			case block != nil:
				block.text += line + "\n"
			}
		}
	}
	return d
}

func (d *documentation) add(b *documented) {
	for line := range strings.Lines(b.text) {
		words := strings.Fields(line)
		for len(words) > 0 && strings.Contains(words[0], "=") { // a variable
			words = words[1:]
		}
		if len(words) == 0 || words[0] == "#" {
			continue
		}
		if !b.run && slices.Contains(programs, words[0]) {
			d.blocks = append(d.blocks, b)
		}
		return
	}
}

// block is the one on a page with this part, which counts as run from now on.
func (d *documentation) block(t *testing.T, page, part string) *documented {
	t.Helper()
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, b := range d.blocks {
		if b.page == page && strings.Contains(b.text, part) {
			b.run = true
			return b
		}
	}
	t.Fatalf("%s has no commands with %q", page, part)
	return nil
}

// shell is where somebody pastes what is documented. A place that a page names, a host or a folder, stands for one of the test's.
type shell struct {
	t      *testing.T
	folder string
	env    []string
	input  string // what is typed when a command asks
	places []string
}

func newShell(t *testing.T, env ...string) *shell {
	t.Helper()
	s := &shell{t: t, folder: t.TempDir()}
	bin := filepath.Join(s.folder, "bin")
	fine(t, os.Mkdir(bin, 0o700))
	fine(t, os.Symlink(plain(t), filepath.Join(bin, "rekindle")))
	s.env = append(os.Environ(), "PATH="+bin+":"+os.Getenv("PATH"), "AWS_PAGER=", "AWS_EC2_METADATA_DISABLED=true", "AWS_CONFIG_FILE=/dev/null", "AWS_SHARED_CREDENTIALS_FILE=/dev/null",
		"AWS_ACCESS_KEY_ID="+apiKeyID, "AWS_SECRET_ACCESS_KEY="+apiSecret, "AWS_DEFAULT_REGION="+apiRegion, "REKINDLE_TEST_BINARY=", "REKINDLE_NODE_ADDRESS="+testkit.Loopback(t)[0].String())
	s.env = append(s.env, env...)
	return s
}

// stands has what a page says stand for something of this test.
func (s *shell) stands(documented, actual string) { s.places = append(s.places, documented, actual) }

// file puts a file where a page has one.
func (s *shell) file(name, text string) {
	s.t.Helper()
	path := filepath.Join(s.folder, name)
	fine(s.t, os.MkdirAll(filepath.Dir(path), 0o700))
	fine(s.t, os.WriteFile(path, []byte(text), 0o600))
}

// program puts a program of the test in the place of one that only a whole system has.
func (s *shell) program(name, script string) {
	s.t.Helper()
	fine(s.t, os.WriteFile(filepath.Join(s.folder, "bin", name), []byte("#!/bin/bash\n"+script), 0o700))
}

func (s *shell) command(text string) (*exec.Cmd, *safeBuffer) {
	for i := 0; i < len(s.places); i += 2 {
		if !strings.Contains(text, s.places[i]) {
			continue
		}
		text = strings.ReplaceAll(text, s.places[i], s.places[i+1])
	}
	output := &safeBuffer{}
	command := exec.CommandContext(s.t.Context(), "bash", "-euo", "pipefail", "-c", text)
	command.Dir, command.Env, command.Stdin, command.Stdout, command.Stderr = s.folder, s.env, strings.NewReader(s.input), output, output
	command.SysProcAttr = &syscall.SysProcAttr{Setsid: true} // without a terminal, so that passwords are read from the input
	return command, output
}

// runs pastes a block, whose commands must all succeed, and returns what they print.
func (s *shell) runs(b *documented) string {
	s.t.Helper()
	return s.pastes(b, b.text)
}

// pastes is runs for a part of a block.
func (s *shell) pastes(b *documented, text string) string {
	s.t.Helper()
	command, output := s.command(text)
	if err := command.Run(); err != nil {
		s.t.Fatalf("%s:%d: %v\n%s\n%s", b.page, b.line, err, text, output.tail(4000))
	}
	return output.tail(1 << 20)
}

// serves pastes a block that ends with a console, at the address where it is documented to be, and stops the console again when it is ready.
func (s *shell) serves(b *documented, ready func(url string)) {
	s.t.Helper()
	address := fmt.Sprintf("127.0.0.1:%d", testkit.FreePort(s.t))
	s.env = append(s.env, "REKINDLE_LISTEN="+address)
	s.stands("127.0.0.1:8080", address)
	command, output := s.command(b.text)
	fine(s.t, command.Start())
	ended := make(chan error, 1)
	go func() { ended <- command.Wait() }()
	defer func() {
		_ = syscall.Kill(-command.Process.Pid, syscall.SIGTERM)
		if err := <-ended; err != nil && !strings.Contains(err.Error(), "signal: terminated") {
			s.t.Errorf("%s:%d: it ended with %v:\n%s", b.page, b.line, err, output.tail(4000))
		}
	}()
	testkit.WaitFor(s.t, fmt.Sprintf("%s:%d: the console", b.page, b.line), func() bool {
		select {
		case err := <-ended:
			ended <- err
			s.t.Fatalf("%s:%d: %v\n%s", b.page, b.line, err, output.tail(4000))
		default:
		}
		answer, err := http.Get("http://" + address + "/healthz")
		if err != nil {
			return false
		}
		answer.Body.Close()
		return answer.StatusCode == http.StatusOK
	})
	if ready != nil {
		ready("http://" + address)
	}
}

// notHere are blocks that are not run by these tests, by a part of them and with what runs them.
var notHere = map[string]string{
	"apt install ./rekindle": "make test-deb installs the package in a clean Debian",
	"docker run":             "there may be no Docker: the tests of the Dockerfile start the console with its environment and command",
}

// TestEveryDocumentedCommandIsRunAsItIsWritten pastes the blocks of README.md and docs/ into a shell. Only places are others: addresses, folders, names
// of buckets and databases. A block that nobody runs fails the test.
func TestEveryDocumentedCommandIsRunAsItIsWritten(t *testing.T) {
	t.Parallel()
	d := readDocumentation(t)
	if len(d.blocks) < 30 {
		t.Fatalf("only %d blocks of commands were found", len(d.blocks))
	}
	t.Run("pages", func(t *testing.T) {
		for name, test := range documentedPages {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				test(t, d)
			})
		}
	})
	for _, b := range d.blocks {
		if b.run {
			continue
		}
		elsewhere := false
		for part := range notHere {
			elsewhere = elsewhere || strings.Contains(b.text, part)
		}
		if !elsewhere {
			t.Errorf("%s:%d: nobody runs this:\n%s", b.page, b.line, b.text)
		}
	}
}

// lines are the commands of a block, one by one.
func (b *documented) lines() []string {
	return slices.Collect(strings.Lines(strings.ReplaceAll(b.text, "\\\n", "")))
}

// typed is what somebody types at prompts.
func typed(lines ...string) string {
	var b bytes.Buffer
	for _, line := range lines {
		b.WriteString(line + "\n")
	}
	return b.String()
}
