package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/jonboulle/clockwork"
	"github.com/redis/go-redis/v9"

	"rekindle/internal/launch"
	"rekindle/internal/launch/local"
	"rekindle/internal/testkit"
	"rekindle/models"
	"rekindle/models/catalog"
)

// consoleEnv turns the test binary into rekindle itself, so that tests can start it as a process and kill it.
const consoleEnv = "REKINDLE_TEST_CONSOLE"

const adminPassword = "correct horse battery"

func TestMain(m *testing.M) {
	if os.Getenv(consoleEnv) != "" {
		main()
	}
	testkit.AtOnce(2)
	code := m.Run()
	if built.folder != "" {
		_ = os.RemoveAll(built.folder)
	}
	os.Exit(code)
}

// built is rekindle without the race detector, for tests in which only the process matters: it takes a fraction of the time.
var built struct {
	once   sync.Once
	folder string
	err    error
}

// builtEnv tells a child where rekindle was built.
const builtEnv = "REKINDLE_TEST_BINARY"

// plain builds rekindle as people run it, once for all tests.
func plain(t testing.TB) string {
	t.Helper()
	if path := os.Getenv(builtEnv); path != "" {
		return path
	}
	built.once.Do(func() {
		if built.folder, built.err = os.MkdirTemp("", "rekindle-test-"); built.err != nil {
			return
		}
		if output, err := exec.Command("go", "build", "-buildvcs=false", "-o", filepath.Join(built.folder, "rekindle"), "rekindle/cmd/rekindle").CombinedOutput(); err != nil {
			built.err = fmt.Errorf("%w\n%s", err, output)
		}
		_ = os.Setenv(builtEnv, filepath.Join(built.folder, "rekindle"))
	})
	if built.err != nil {
		t.Fatalf("build rekindle: %v", built.err)
	}
	return filepath.Join(built.folder, "rekindle")
}

// racing has the race detector look at the console of this process.
func (p *process) racing() *process {
	p.binary = os.Args[0]
	p.t.Cleanup(func() {
		if strings.Contains(p.output.tail(1<<20), "WARNING: DATA RACE") {
			p.t.Errorf("the console has a data race:\n%s", p.output.tail(1<<20))
		}
	})
	return p
}

// process is rekindle as a process of its own, on one data folder, with a browser's cookie jar.
type process struct {
	t      testing.TB
	binary string
	data   string
	nodes  string // addresses, of this test alone
	client *http.Client
	cmd    *exec.Cmd
	url    string
	output safeBuffer
	env    []string            // beside the test's own
	user   *syscall.Credential // nil: the test's own
}

func newProcess(t testing.TB) *process {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	p := &process{t: t, binary: plain(t), data: t.TempDir(), nodes: testkit.Loopback(t)[0].String(), client: &http.Client{Jar: jar}}
	t.Cleanup(func() {
		p.kill()
		killNodes(t, p.data)
		if t.Failed() {
			t.Logf("the console's output:\n%s", p.output.tail(8000))
		}
	})
	return p
}

// killNodes ends the nodes of a data folder, which outlive their console.
func killNodes(t testing.TB, data string) {
	nodes := local.New(filepath.Join(data, nodesFolder), nil, local.Options{})
	ids, err := nodes.List(context.Background())
	if err != nil {
		t.Error(err)
	}
	for _, id := range ids {
		if err := nodes.Stop(context.Background(), id.Cluster, id.Name, launch.Kill); err != nil {
			t.Error(err)
		}
	}
}

// start starts the console and returns when it serves.
func (p *process) start(flags ...string) {
	p.t.Helper()
	args := append([]string{"serve", "--listen", "127.0.0.1:0", "--data", p.data, "--node-address", p.nodes}, flags...)
	p.cmd = exec.Command(p.binary, args...)
	p.cmd.Env = append(os.Environ(), consoleEnv+"=1", "REKINDLE_ADMIN_PASSWORD="+adminPassword, "GOGC=100") // make test saves time with another one
	p.cmd.Env = append(p.cmd.Env, p.env...)
	p.cmd.Stderr = &p.output
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Credential: p.user}
	stdout, err := p.cmd.StdoutPipe()
	if err != nil {
		p.t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		p.t.Fatal(err)
	}
	lines := bufio.NewScanner(stdout)
	for lines.Scan() {
		if _, address, found := strings.Cut(lines.Text(), " serves "); found {
			p.url = strings.TrimSpace(address)
			go io.Copy(&p.output, stdout)
			return
		}
	}
	_ = p.cmd.Wait()
	p.t.Fatalf("the console did not start:\n%s", p.output.tail(4000))
}

// kill is kill -9. Killing a console that does not run does nothing.
func (p *process) kill() { p.end(syscall.SIGKILL) }

// end sends a signal and waits for the end; it returns the exit code.
func (p *process) end(signal os.Signal) int {
	if p.cmd == nil || p.cmd.Process == nil {
		return 0
	}
	_ = p.cmd.Process.Signal(signal)
	_ = p.cmd.Wait()
	code := p.cmd.ProcessState.ExitCode()
	p.cmd = nil
	return code
}

// hangUp sends SIGHUP.
func (p *process) hangUp() error { return p.cmd.Process.Signal(syscall.SIGHUP) }

func (p *process) signIn() {
	p.t.Helper()
	if status, body := p.post("/sign-in", url.Values{"user": {"admin"}, "password": {adminPassword}}); status != http.StatusOK || strings.Contains(body, "do not match") {
		p.t.Fatalf("sign-in answered %d: %s", status, body)
	}
}

func (p *process) post(path string, form url.Values) (int, string) {
	p.t.Helper()
	response, err := p.client.PostForm(p.url+path, form)
	return p.read(path, response, err)
}

func (p *process) get(path string) (int, string) {
	p.t.Helper()
	response, err := p.client.Get(p.url + path)
	return p.read(path, response, err)
}

func (p *process) read(path string, response *http.Response, err error) (int, string) {
	p.t.Helper()
	if err != nil {
		p.t.Fatalf("%s: %v", path, err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		p.t.Fatalf("%s: %v", path, err)
	}
	return response.StatusCode, string(body)
}

// must posts a form that has to be accepted.
func (p *process) must(path string, form url.Values) {
	p.t.Helper()
	if status, body := p.post(path, form); status != http.StatusOK {
		_, main, _ := strings.Cut(body, "<main")
		p.t.Fatalf("POST %s answered %d:\n%.3000s", path, status, main)
	}
}

// catalog opens the console's catalog beside it, to look at.
func (p *process) catalog() *catalog.DB {
	p.t.Helper()
	db, err := catalog.Open(p.t.Context(), catalog.File(filepath.Join(p.data, catalogFile)), clockwork.NewRealClock(), nil)
	if err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(func() { db.Close() })
	return db
}

func client(t testing.TB, cluster models.Cluster, node models.Node) *redis.Client {
	c := redis.NewClient(&redis.Options{Addr: node.Address(), Password: cluster.Password.Reveal()})
	t.Cleanup(func() { c.Close() })
	return c
}

// safeBuffer collects output that several goroutines write.
type safeBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *safeBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *safeBuffer) tail(n int) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	text := s.b.String()
	return text[max(0, len(text)-n):]
}
