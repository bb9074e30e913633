package launch

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestLastWords(t *testing.T) {
	t.Parallel()
	for log, want := range map[string]string{
		"": "",
		"17:C 25 Nov 2026 16:32:37.943 * first\n17:M 25 Nov 2026 16:32:37.943 # Out of memory\n\n":             "Out of memory",
		"*** FATAL CONFIG FILE ERROR ***\nReading the configuration file, at line 3\n>>> 'foo'\nBad directive": "Bad directive",
		"[offset 10] Invalid object type: 103\n[additional info] While doing: read-type\n[info] 0 keys read":   "[offset 10] Invalid object type: 103",
		strings.Repeat("ü", 300): strings.Repeat("ü", 200) + "…",
	} {
		l := newLocal(t, t.TempDir())
		dir := filepath.Join(l.dir, "shop", "shop-001")
		if err := os.MkdirAll(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, logFile), []byte(log), 0o600); err != nil {
			t.Fatal(err)
		}
		if got := l.LastWords("shop", "shop-001"); got != want {
			t.Errorf("%q: got %q, want %q", log, got, want)
		}
	}
	if got := newLocal(t, t.TempDir()).LastWords("shop", "shop-001"); got != "" {
		t.Errorf("of a node without a log: %q", got)
	}
}
