package testkit

import (
	"database/sql"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib" // database/sql's "pgx"
)

const (
	postgresUser     = "rekindle"
	postgresPassword = "a secret / of the tests" // must be escaped in a URL
	nobody           = 65534
)

// PostgresServer is a real PostgreSQL server from Debian's packages. It sorts text as people do, which differs from the order of bytes.
type PostgresServer struct {
	folder string
	port   int
	cmd    *exec.Cmd
	done   chan struct{}
	pool   *sql.DB
	made   atomic.Int64 // databases
}

// Postgres starts a PostgreSQL server that ends with the test.
func Postgres(t testing.TB) *PostgresServer {
	t.Helper()
	s, err := StartPostgres()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("log of PostgreSQL:\n%s", lastLines(s.Log(), 25))
		}
		if err := s.Stop(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// StartPostgres starts a PostgreSQL server for a whole test binary, which must stop it. It ends with the binary in any case.
func StartPostgres() (*PostgresServer, error) {
	programs, err := postgresPrograms()
	if err != nil {
		return nil, err
	}
	s := &PostgresServer{}
	if s.folder, err = os.MkdirTemp(publicFolder(), "rekindle-postgres-"); err != nil {
		return nil, err
	}
	if err := errors.Join(s.create(programs), s.Start()); err != nil {
		return nil, errors.Join(fmt.Errorf("start PostgreSQL: %w\n%s", err, lastLines(s.Log(), 20)), s.Stop())
	}
	return s, nil
}

// publicFolder is a folder for temporary files that the user nobody can reach, who runs the server if root runs the tests.
func publicFolder() string {
	if os.Geteuid() != 0 {
		return ""
	}
	for _, folder := range []string{os.TempDir(), "/dev/shm", "/tmp"} {
		if public(folder) {
			return folder
		}
	}
	return ""
}

// public tells whether everybody can pass through a folder and all above it.
func public(folder string) bool {
	for {
		info, err := os.Stat(folder)
		if err != nil || info.Mode().Perm()&0o001 == 0 {
			return false
		}
		above := filepath.Dir(folder)
		if above == folder {
			return true
		}
		folder = above
	}
}

// postgresPrograms is the folder of the server's programs: $REKINDLE_POSTGRES, or Debian's newest.
func postgresPrograms() (string, error) {
	if folder := os.Getenv("REKINDLE_POSTGRES"); folder != "" {
		return folder, nil
	}
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/postgres")
	if err != nil || len(found) == 0 {
		return "", errors.Join(errors.New("there is no PostgreSQL: run make setup-test"), err)
	}
	version := func(path string) int {
		n, _ := strconv.Atoi(filepath.Base(filepath.Dir(filepath.Dir(path))))
		return n
	}
	return filepath.Dir(slices.MaxFunc(found, func(a, b string) int { return version(a) - version(b) })), nil
}

func (s *PostgresServer) path(name string) string { return filepath.Join(s.folder, name) }

// command prepares a program. Root runs it as the user nobody, because PostgreSQL refuses to run as root.
func (s *PostgresServer) command(program string, args ...string) *exec.Cmd {
	cmd := exec.Command(program, args...)
	cmd.Dir = s.folder
	cmd.Env = []string{"LC_ALL=C", "PATH=" + os.Getenv("PATH")}
	if os.Geteuid() == 0 {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	}
	return cmd
}

func (s *PostgresServer) create(programs string) error {
	if err := os.WriteFile(s.path("password"), []byte(postgresPassword+"\n"), 0o600); err != nil {
		return err
	}
	if os.Geteuid() == 0 {
		if err := errors.Join(os.Chown(s.folder, nobody, nobody), os.Chown(s.path("password"), nobody, nobody)); err != nil {
			return err
		}
	}
	said, err := s.command(filepath.Join(programs, "initdb"), "--pgdata", s.path("data"), "--username", postgresUser, "--pwfile", s.path("password"),
		"--auth", "scram-sha-256", "--encoding", "UTF8", "--locale", "C", "--locale-provider", "icu", "--icu-locale", "en-US", "--no-sync").CombinedOutput()
	if err != nil {
		return fmt.Errorf("initdb: %w\n%s", err, said)
	}
	s.cmd = s.command(filepath.Join(programs, "postgres")) // Start has the rest
	return nil
}

// Start starts the server again after a Kill, at the same port.
func (s *PostgresServer) Start() (err error) {
	if s.cmd == nil {
		return nil // it could not be created
	}
	if s.port == 0 {
		if s.port, err = freePort(); err != nil {
			return err
		}
	}
	log, err := os.OpenFile(s.path("log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	cmd := s.command(s.cmd.Path, "-D", s.path("data"), "-p", strconv.Itoa(s.port), "-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories=",
		"-c", "fsync=off", "-c", "full_page_writes=off", "-c", "max_connections=500", "-c", "shared_buffers=32MB", "-c", "jit=off")
	cmd.Stdout, cmd.Stderr = log, log
	done, err := startBound(cmd)
	if err != nil {
		return err
	}
	s.cmd, s.done = cmd, done
	if s.pool == nil {
		if s.pool, err = sql.Open("pgx", s.URL("postgres")); err != nil {
			return err
		}
	}
	if !poll(patience, func() bool {
		select {
		case <-done:
			err = errors.New("it ended")
			return true
		default:
			return s.pool.Ping() == nil
		}
	}) {
		return errors.New("it does not answer")
	}
	return err
}

// URL names a database, with the user and the password.
func (s *PostgresServer) URL(database string) string {
	return (&url.URL{Scheme: "postgres", User: url.UserPassword(postgresUser, postgresPassword), Host: net.JoinHostPort("127.0.0.1", strconv.Itoa(s.port)),
		Path: database, RawQuery: "sslmode=disable"}).String()
}

// Database creates a database, as a copy of another one that nobody is using, or empty without one, and returns its URL.
func (s *PostgresServer) Database(template string) (string, error) {
	name := fmt.Sprintf("test%d", s.made.Add(1))
	if template == "" {
		template = "template0"
	}
	if _, err := s.pool.Exec("CREATE DATABASE " + name + " TEMPLATE " + template); err != nil {
		return "", fmt.Errorf("create a database: %w", err)
	}
	return s.URL(name), nil
}

// Settle does what the server would do by itself a while after many writes: it updates the statistics and the visibility map.
func (s *PostgresServer) Settle(database string) error {
	pool, err := sql.Open("pgx", database)
	if err != nil {
		return err
	}
	_, err = pool.Exec("VACUUM ANALYZE")
	return errors.Join(err, pool.Close())
}

// Drop removes the database of this URL, even if somebody is using it.
func (s *PostgresServer) Drop(database string) error {
	u, err := url.Parse(database)
	if err != nil {
		return err
	}
	_, err = s.pool.Exec("DROP DATABASE " + strings.TrimPrefix(u.Path, "/") + " WITH (FORCE)")
	return err
}

// Signal sends a signal to the server's first process.
func (s *PostgresServer) Signal(signal syscall.Signal) error { return s.cmd.Process.Signal(signal) }

// SignalAll sends a signal to the first process, and to those that serve connections.
func (s *PostgresServer) SignalAll(signal syscall.Signal) error {
	if err := s.Signal(signal); err != nil {
		return err
	}
	children, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%[1]d/children", s.cmd.Process.Pid))
	if err != nil {
		return err
	}
	for _, child := range strings.Fields(string(children)) {
		pid, err := strconv.Atoi(child)
		if err == nil {
			err = syscall.Kill(pid, signal)
		}
		if err != nil && !errors.Is(err, syscall.ESRCH) {
			return err
		}
	}
	return nil
}

// Kill ends the server at once, as if its host had lost power.
func (s *PostgresServer) Kill() error {
	if s.done == nil {
		return nil
	}
	// SIGQUIT: the first process takes all others with it.
	if err := s.cmd.Process.Signal(syscall.SIGQUIT); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	select {
	case <-s.done:
	case <-time.After(patience):
		return errors.Join(errors.New("PostgreSQL did not end"), s.cmd.Process.Kill())
	}
	return nil
}

// Stop ends the server for good.
func (s *PostgresServer) Stop() error {
	var failures []error
	if s.pool != nil {
		failures = append(failures, s.pool.Close())
	}
	return errors.Join(append(failures, s.Kill(), os.RemoveAll(s.folder))...)
}

// Log is everything that the server has printed.
func (s *PostgresServer) Log() string {
	text, _ := os.ReadFile(s.path("log"))
	return string(text)
}
