package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

const module = "module example\n\ngo 1.24\n"

// run is what tally makes of the tests of a module with this one test file.
func run(t *testing.T, source string, verbose bool) (shown, skips string) {
	t.Helper()
	folder := t.TempDir()
	for name, text := range map[string]string{"go.mod": module, "a_test.go": "package a\n\nimport \"testing\"\n\n" + source, "b/b.go": "package b\n"} {
		path := filepath.Join(folder, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command("go", "test", "-json", "./...")
	cmd.Dir, cmd.Env = folder, append(os.Environ(), "GOFLAGS=", "GOWORK=off")
	said, _ := cmd.Output() // it fails when a test does
	var b bytes.Buffer
	file := filepath.Join(folder, "skips")
	if err := watch(bytes.NewReader(said), &b, file, verbose); err != nil {
		t.Fatal(err)
	}
	var sum bytes.Buffer
	if err := sumUp(&sum, []string{file}); err != nil {
		t.Fatal(err)
	}
	return b.String(), sum.String()
}

func TestSkipsAreCountedByTheirReason(t *testing.T) {
	shown, skips := run(t, `
func TestGood(t *testing.T) { t.Log("fine") }
func TestOne(t *testing.T) { t.Log("before"); t.Skipf("SKIPPED, NOT TESTED: no %s here", "hammer") }
func TestMany(t *testing.T) {
	t.Run("a", func(t *testing.T) { t.Skip("no hammer here") })
	t.Run("b", func(t *testing.T) { t.Skip("for make saw") })
	t.Run("c", func(t *testing.T) { t.Skip("run by TestGood") })
	t.Run("d", func(t *testing.T) { t.SkipNow() })
}
`, false)
	if want := "4 skipped: 2 (no hammer here), 1 (for make saw), 1 (no reason)\n"; skips != want {
		t.Errorf("got  %swant %s", skips, want)
	}
	if !strings.Contains(shown, "ok  \texample\t") || strings.Count(shown, "\n") != 2 || !strings.Contains(shown, "[no test files]") {
		t.Errorf("shown is\n%s", shown)
	}
}

func TestOnlyWhatFailedIsShown(t *testing.T) {
	source := `
func TestGood(t *testing.T) { t.Log("fine") }
func TestBad(t *testing.T) {
	t.Run("good", func(t *testing.T) { t.Log("fine") })
	t.Run("bad", func(t *testing.T) { t.Error("broken") })
}
`
	shown, skips := run(t, source, false)
	for _, want := range []string{"--- FAIL: TestBad", "--- FAIL: TestBad/bad", "broken", "FAIL\texample"} {
		if !strings.Contains(shown, want) {
			t.Errorf("%q is not in\n%s", want, shown)
		}
	}
	if strings.Contains(shown, "fine") || strings.Contains(shown, "===") || skips != "no test was skipped\n" {
		t.Errorf("%s%s", skips, shown)
	}
	if shown, _ := run(t, source, true); !strings.Contains(shown, "fine") || strings.Count(shown, "broken") != 1 {
		t.Errorf("with -v:\n%s", shown)
	}
}

func TestPanicsAndBrokenBuildsAreShown(t *testing.T) {
	for source, want := range map[string]string{
		"func TestPanic(t *testing.T) { t.Log(\"before\"); panic(\"oh\") }\n": "panic: oh",
		"func TestNoSuch(t *testing.T) { noSuch() }\n":                        "undefined: noSuch",
	} {
		if shown, _ := run(t, source, false); !strings.Contains(shown, want) || !strings.Contains(shown, "FAIL\texample") {
			t.Errorf("%q is not in\n%s", want, shown)
		}
	}
}
