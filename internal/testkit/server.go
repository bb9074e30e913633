package testkit

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
)

// Ports come from a range below the kernel's ephemeral ports, so that an outgoing connection does
// not take them, and low enough that the cluster bus port (10000 above) exists.
const (
	firstPort = 27000
	lastPort  = 31999
)

// Server is a real server process that belongs to one test.
type Server struct {
	Addr string // host:port
	Host string // 127.0.0.1, unless "--bind" among its arguments says another address
	Port int
	Dir  string // its working directory: dump.rdb appears here

	t        testing.TB
	binary   string
	args     []string
	password string
	config   string // of a Sentinel: its file, which it rewrites

	mu     sync.Mutex
	cmd    *exec.Cmd
	done   chan struct{} // closed once the process has been waited for
	client *redis.Client
}

// Redis starts the redis-server found in PATH and returns when it answers. It does not save by
// itself, has no append-only file, allows DEBUG and answers a replica without delay; args, in the
// form of redis-server's command line ("--save", "60 1"), override that. The server is killed
// when the test ends; the end of its log is printed if the test failed.
func Redis(t testing.TB, args ...string) *Server {
	t.Helper()
	if _, path := Chosen(t); path != "" {
		return Engine(t, path, args...)
	}
	path, err := exec.LookPath("redis-server")
	if err != nil {
		t.Fatalf("no redis-server in PATH: run make setup (%v)", err)
	}
	return Engine(t, path, args...)
}

// Engine is Redis for another program: a redis-server or valkey-server of any version from 6.0.
func Engine(t testing.TB, path string, args ...string) *Server {
	t.Helper()
	return launch(t, &Server{binary: path, args: args, password: argument(args, "--requirepass")})
}

// launch starts a server at a free port.
func launch(t testing.TB, s *Server) *Server {
	t.Helper()
	s.Host, s.Dir, s.t = cmp.Or(argument(s.args, "--bind"), s.Host, "127.0.0.1"), t.TempDir(), t
	path := s.binary
	t.Cleanup(func() {
		if s.client != nil {
			_ = s.client.Close()
		}
		s.Kill()
		if t.Failed() {
			t.Logf("log of %s %s:\n%s", filepath.Base(path), s.Addr, lastLines(s.Log(), 25))
		}
	})
	for attempt := 1; ; attempt++ {
		s.Port = FreePort(t)
		s.Addr = net.JoinHostPort(s.Host, strconv.Itoa(s.Port))
		err := s.start()
		if err == nil {
			return s
		}
		// Between our look and the server's bind somebody else may have taken the port.
		taken := strings.Contains(s.Log(), "already in use")
		if !taken || attempt == 20 {
			t.Fatalf("start %s: %v\n%s", path, err, lastLines(s.Log(), 25))
		}
		_ = os.Remove(s.logFile())
	}
}

// Restart starts the server again on the same port and directory, after Kill or Stop.
func (s *Server) Restart() {
	s.t.Helper()
	s.Kill()
	if err := s.start(); err != nil {
		s.t.Fatalf("restart %s: %v\n%s", s.Addr, err, lastLines(s.Log(), 25))
	}
}

// TryRestart is Restart for a server that may not be able to: the error says that.
func (s *Server) TryRestart() error {
	s.Kill()
	return s.start()
}

// Client returns a go-redis client for db 0 that knows the server's password. It is made once and
// closed when the test ends.
func (s *Server) Client() *redis.Client {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.client == nil {
		s.client = newClient(s.Addr, "", s.password, 0)
	}
	return s.client
}

// Password is the value of --requirepass, or "".
func (s *Server) Password() string { return s.password }

// PID is the process id of the server that was started last.
func (s *Server) PID() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.cmd.Process.Pid
}

// Kill ends the server with SIGKILL and waits until it is gone. Killing a dead server is fine.
func (s *Server) Kill() { s.end(syscall.SIGKILL) }

// Stop ends the server as a service manager does, with SIGTERM, and waits until it is gone: it
// saves first if it was started with save points.
func (s *Server) Stop() { s.end(syscall.SIGTERM) }

// Signal sends a signal such as SIGSTOP or SIGCONT, for servers that hang.
func (s *Server) Signal(sig syscall.Signal) {
	s.t.Helper()
	if err := s.cmd.Process.Signal(sig); err != nil {
		s.t.Fatalf("signal %v to %s: %v", sig, s.Addr, err)
	}
}

// Log returns everything that the server has printed so far.
func (s *Server) Log() string {
	text, err := os.ReadFile(s.logFile())
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		s.t.Logf("read log of %s: %v", s.Addr, err)
	}
	return string(text)
}

func (s *Server) logFile() string { return filepath.Join(s.Dir, "server.log") }

// start runs the process once and waits until it answers or has ended.
func (s *Server) start() error {
	args := s.arguments()
	log, err := os.OpenFile(s.logFile(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer func() { _ = log.Close() }()
	cmd := exec.Command(s.binary, args...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = s.Dir, log, log
	done, err := startBound(cmd)
	if err != nil {
		return err
	}
	s.mu.Lock()
	s.cmd, s.done = cmd, done
	s.mu.Unlock()
	return s.awaitAnswer()
}

// arguments are what the process is started with.
func (s *Server) arguments() []string {
	if s.config != "" {
		return []string{s.config, "--sentinel", "--bind", s.Host, "--port", strconv.Itoa(s.Port), "--dir", s.Dir, "--logfile", ""}
	}
	args := []string{
		"--bind", s.Host, "--port", strconv.Itoa(s.Port), "--dir", s.Dir,
		"--daemonize", "no", "--logfile", "", "--save", "", "--appendonly", "no",
		"--repl-diskless-sync", "yes", "--repl-diskless-sync-delay", "0",
	}
	if knowsDebugSwitch(s.binary) {
		args = append(args, "--enable-debug-command", "local")
	}
	return append(args, s.args...)
}

// awaitAnswer waits until the server answers, and as the process that was started: another one
// may own the port.
func (s *Server) awaitAnswer() error {
	client := newClient(s.Addr, "", s.password, 0)
	defer func() { _ = client.Close() }()
	var last error
	ended := false
	answered := poll(patience, func() bool {
		select {
		case <-s.done:
			ended = true
			return true
		default:
		}
		info, err := client.Info(context.Background()).Result()
		if err != nil {
			last = err
			return false
		}
		last = fmt.Errorf("another server answers on port %d", s.Port)
		return infoField(info, "process_id") == strconv.Itoa(s.cmd.Process.Pid) && infoField(info, "loading") != "1"
	})
	switch {
	case ended:
		return fmt.Errorf("the process ended: %s", s.cmd.ProcessState)
	case !answered:
		s.Kill()
		return fmt.Errorf("no answer within %s: %w", patience, last)
	}
	return nil
}

func (s *Server) end(sig syscall.Signal) {
	s.mu.Lock()
	cmd, done := s.cmd, s.done
	s.mu.Unlock()
	if cmd == nil {
		return
	}
	_ = cmd.Process.Signal(sig)
	ended := poll(patience, func() bool {
		select {
		case <-done:
			return true
		default:
			return false
		}
	})
	if !ended {
		s.t.Errorf("%s did not end within %s after %v", s.Addr, patience, sig)
	}
}

func newClient(addr, user, password string, db int) *redis.Client {
	return redis.NewClient(clientOptions(addr, user, password, db))
}

func clientOptions(addr, user, password string, db int) *redis.Options {
	return &redis.Options{
		Addr: addr, Username: user, Password: password, DB: db,
		// RESP2 and no introduction of the client, so that replies look the same on every engine and version.
		Protocol: 2, DisableIdentity: true, MaxRetries: -1,
		MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
	}
}

// sibling is a client for another database of the same server, with more patience: on a busy machine tens of megabytes take seconds.
func sibling(client *redis.Client, db int) *redis.Client {
	of := client.Options()
	o := clientOptions(of.Addr, of.Username, of.Password, db)
	o.ReadTimeout, o.WriteTimeout, o.TLSConfig = patience, patience, of.TLSConfig
	return redis.NewClient(o)
}

// Loopback returns a range of 254 loopback addresses that only this test uses, so that all ports at them are free. A listener at the last
// address reserves the range.
func Loopback(t testing.TB) []netip.Prefix {
	t.Helper()
	for range 1000 {
		a, b := byte(1+rand.IntN(254)), byte(1+rand.IntN(254))
		held, err := net.Listen("tcp", netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, a, b, 254}), lastPort).String())
		if err != nil {
			continue
		}
		t.Cleanup(func() { _ = held.Close() })
		return []netip.Prefix{netip.PrefixFrom(netip.AddrFrom4([4]byte{127, a, b, 0}), 24)}
	}
	t.Fatal("no range of loopback addresses is free")
	return nil
}

// FreePort returns a port of 127.0.0.1 on which nobody listens now. Somebody may take it before the
// test does.
func FreePort(t testing.TB) int {
	t.Helper()
	port, err := freePort()
	if err != nil {
		t.Fatal(err)
	}
	return port
}

// handed are the ports that this process was given: one that is not bound yet is not free for another test.
var handed sync.Map

func freePort() (int, error) {
	for try := range 1000 {
		port := firstPort + rand.IntN(lastPort-firstPort+1)
		l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
		if err != nil {
			continue
		}
		_ = l.Close()
		if _, before := handed.LoadOrStore(port, true); before && try < 500 {
			continue
		}
		return port, nil
	}
	return 0, fmt.Errorf("no free port between %d and %d on 127.0.0.1", firstPort, lastPort)
}

// argument returns the value after the last occurrence of name in args.
func argument(args []string, name string) string {
	value := ""
	for i := 0; i+1 < len(args); i++ {
		if args[i] == name {
			value = args[i+1]
		}
	}
	return value
}

var (
	versionPattern = regexp.MustCompile(`v=(\d+)`)
	debugSwitches  sync.Map // path -> bool
)

// knowsDebugSwitch tells whether the program needs, and knows, enable-debug-command (7.0 and later).
func knowsDebugSwitch(path string) bool {
	if known, ok := debugSwitches.Load(path); ok {
		return known.(bool)
	}
	out, _ := exec.Command(path, "--version").Output()
	match := versionPattern.FindSubmatch(out)
	known := false
	if match != nil {
		major, _ := strconv.Atoi(string(match[1]))
		known = major >= 7
	}
	debugSwitches.Store(path, known)
	return known
}

func infoField(info, name string) string {
	for line := range strings.Lines(info) {
		if value, ok := strings.CutPrefix(strings.TrimSpace(line), name+":"); ok {
			return value
		}
	}
	return ""
}

func lastLines(text string, n int) string {
	lines := strings.Split(strings.TrimRight(text, "\n"), "\n")
	if len(lines) > n {
		lines = lines[len(lines)-n:]
	}
	return strings.Join(lines, "\n")
}
