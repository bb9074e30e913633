package testkit

import (
	"cmp"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// Engines are the servers that `make engines` fetches, by its names for them: an engine and the first two numbers of its version.
var Engines = []string{"redis-6.0", "redis-7.0", "redis-8.0", "valkey-8.0", "valkey-8.1", "valkey-9.1"}

// engineVariable names one of [Engines] that replaces the redis-server in PATH in all tests; `make test-engines` sets it.
const engineVariable = "REKINDLE_TEST_ENGINE"

// Chosen is the engine that engineVariable names, with its program; both are "" if there is none.
func Chosen(t testing.TB) (engine, path string) {
	t.Helper()
	if engine = os.Getenv(engineVariable); engine == "" {
		return "", ""
	}
	if path = FetchedOrNot(t, engine); path == "" {
		t.Fatalf("%s=%s: there is no such engine here; `make engines` fetches %s", engineVariable, engine, strings.Join(Engines, ", "))
	}
	return engine, path
}

// EngineName is what [Redis] starts: "redis" or "valkey".
func EngineName(t testing.TB) string {
	t.Helper()
	engine, _ := Chosen(t)
	name, _, _ := strings.Cut(engine, "-")
	return cmp.Or(name, "redis")
}

// CheckRDB checks a file with this host's redis-check-rdb, unless a chosen engine wrote it, whose format the program may not know.
func CheckRDB(t testing.TB, path string) {
	t.Helper()
	if engine, _ := Chosen(t); engine != "" {
		return
	}
	if out, err := exec.Command("redis-check-rdb", path).CombinedOutput(); err != nil {
		t.Errorf("redis-check-rdb: %v\n%s", err, out)
	}
}

// Fetched is the program of one of [Engines]. If it has not been fetched, the test is skipped with that reason.
func Fetched(t testing.TB, engine string) string {
	t.Helper()
	path := FetchedOrNot(t, engine)
	if path == "" {
		t.Skipf("SKIPPED, NOT TESTED: no %s here (make engines)", engine)
	}
	return path
}

// FetchedOrNot is the program of an engine, or "" if it has not been fetched.
func FetchedOrNot(t testing.TB, engine string) string {
	t.Helper()
	cache, err := cacheFolder()
	if err != nil {
		t.Fatal(err)
	}
	name, version, _ := strings.Cut(engine, "-")
	folders, err := filepath.Glob(filepath.Join(cache, "engines", "*", "version"))
	if err != nil {
		t.Fatal(err)
	}
	for _, said := range folders {
		text, err := os.ReadFile(said)
		path := filepath.Join(filepath.Dir(said), name+"-server")
		if _, missing := os.Stat(path); err == nil && missing == nil && strings.Contains(string(text), " v="+version+".") {
			return path
		}
	}
	return ""
}
