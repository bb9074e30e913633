package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestReadTable(t *testing.T) {
	t.Parallel()
	all, err := readTable("sums", "A remark.\n\n=== it adds\nfile a/sum.go\ntest ./a TestSum|TestMore\n--- old\n\treturn a - b\n\n\t// twice\n+++ new\n\treturn a + b\n\n"+
		"=== it says nothing\nfile a/sum.go\ntest ./a TestSum\n--- old\nsay()\n+++ new\n")
	want := []mutation{
		{"sums", 3, "it adds", "a/sum.go", "\treturn a - b\n\n\t// twice", "\treturn a + b", "./a", "TestSum|TestMore"},
		{"sums", 13, "it says nothing", "a/sum.go", "say()", "", "./a", "TestSum"},
	}
	if err != nil || len(all) != 2 || all[0] != want[0] || all[1] != want[1] {
		t.Errorf("got %+v, %v; want %+v", all, err, want)
	}
	for name, text := range map[string]string{
		"no file":         "=== x\ntest ./a T\n--- old\na\n+++ new\nb\n",
		"no test":         "=== x\nfile a\n--- old\na\n+++ new\nb\n",
		"no pattern":      "=== x\nfile a\ntest ./a\n--- old\na\n+++ new\nb\n",
		"no change":       "=== x\nfile a\ntest ./a T\n--- old\na\n+++ new\na\n",
		"something else":  "=== x\nfiles a\ntest ./a T\n--- old\na\n+++ new\nb\n",
		"nothing is gone": "=== x\nfile a\ntest ./a T\n+++ new\nb\n",
	} {
		if _, err := readTable("x", text); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

// A module with a function, a test that looks at half of it, and a mutation for each way in which one can end.
func TestEachOutcome(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	code := "package sum\n\nfunc Sum(a, b int) int { return a + b }\n\nfunc Twice(a int) int { return 2 * a }\n"
	for name, text := range map[string]string{
		"go.mod":       "module sum\n\ngo 1.24\n",
		"sum.go":       code,
		"sum_test.go":  "package sum\n\nimport \"testing\"\n\nfunc TestSum(t *testing.T) {\n\tif Sum(1, 2) != 3 {\n\t\tt.Error()\n\t}\n}\n\nfunc TestRed(t *testing.T) { t.Error() }\n",
		"bin/x":        "built",
		".cache/bin/x": "built",
		"tools/mutants/t.txt": strings.Join([]string{
			"=== caught one\nfile sum.go\ntest . TestSum\n--- old\na + b\n+++ new\na - b",
			"=== survivor\nfile sum.go\ntest . TestSum\n--- old\n2 * a\n+++ new\n3 * a",
			"=== old one\nfile sum.go\ntest . TestSum\n--- old\na / b\n+++ new\na",
			"=== nonsense\nfile sum.go\ntest . TestSum\n--- old\na + b\n+++ new\na +",
			"=== red before\nfile sum.go\ntest . TestRed\n--- old\na + b\n+++ new\na",
			"=== no test\nfile sum.go\ntest . TestNone\n--- old\na + b\n+++ new\na",
			"=== hangs\nfile sum.go\ntest . TestSum\n--- old\nreturn a + b\n+++ new\nfor {\n}", ""}, "\n"),
	} {
		file := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var out bytes.Buffer
	err := run(t.Context(), &out, options{root: root, workers: 1, limit: 2 * time.Second})
	if err == nil || !strings.Contains(err.Error(), "5 of 7") {
		t.Errorf("run: %v\n%s", err, &out)
	}
	for _, want := range []string{"caught     sum.go: caught one (TestSum)", "SURVIVED   sum.go: survivor (t.txt:8, TestSum in .)", "STALE      sum.go: old one (its text is there 0 times)",
		"NO BUILD   sum.go: nonsense", "NO VERDICT sum.go: red before (without it, TestRed fails already)", "NO VERDICT sum.go: no test (no test of . matches TestNone)",
		"caught     sum.go: hangs (panic: test timed out", "caught 2 of 7 planted: 1 survived, 1 stale, 1 that do not compile, 2 without a verdict"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is not in\n%s", want, &out)
		}
	}
	if after, err := os.ReadFile(filepath.Join(root, "sum.go")); err != nil || string(after) != code {
		t.Errorf("the tree itself was changed: %s, %v", after, err)
	}
	out.Reset()
	if err := run(t.Context(), &out, options{root: root, only: "survivor|caught", check: true}); err != nil || !strings.Contains(out.String(), "2 of 2 mutations fit the code") {
		t.Errorf("check: %v\n%s", err, &out)
	}
}
