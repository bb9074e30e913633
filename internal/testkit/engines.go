package testkit

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Engines are the servers that `make engines` fetches, by the names that it has for them: an engine and the first two numbers of its version.
var Engines = []string{"redis-6.0", "redis-7.0", "redis-8.0", "valkey-8.0", "valkey-8.1", "valkey-9.1"}

// Fetched is the program of one of [Engines]. Where it has not been fetched, the test is skipped and says so.
func Fetched(t testing.TB, engine string) string {
	t.Helper()
	path := FetchedOrNot(t, engine)
	if path == "" {
		t.Skipf("SKIPPED, NOT TESTED: no %s here (make engines)", engine)
	}
	return path
}

// FetchedOrNot is the program of an engine, or "" where it has not been fetched.
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
