package local

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"rekindle/internal/launch"
	"rekindle/internal/secret"
)

// nodeWithLog is a launcher with a node shop-001 that has printed this.
func nodeWithLog(t *testing.T, log string) *Launcher {
	t.Helper()
	l := newLocal(t, t.TempDir())
	dir := filepath.Join(l.dir, "shop", "shop-001")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, logFile), []byte(log), 0o600); err != nil {
		t.Fatal(err)
	}
	return l
}

func TestLastWords(t *testing.T) {
	t.Parallel()
	const start = "17:C 25 Nov 2026 16:32:37.943 # oO0OoO0OoO0Oo Redis is starting oO0OoO0OoO0Oo\n"
	for log, want := range map[string]string{
		"": "",
		"17:C 25 Nov 2026 16:32:37.943 * first\n17:M 25 Nov 2026 16:32:37.943 # Out of memory\n\n":                                                                                               "Its log ends: “Out of memory”.",
		"*** FATAL CONFIG FILE ERROR ***\nReading the configuration file, at line 3\n>>> 'foo'\nBad directive":                                                                                   "Its log ends: “Bad directive”.",
		"[offset 10] Invalid object type: 103\n[additional info] While doing: read-type\n[info] 0 keys read":                                                                                     "The data is damaged at byte 10: Invalid object type: 103.",
		"17:M 28 Nov 2026 15:21:16.953 # Can't handle foreign type or opcode 103 in RDB with version 9\n17:M 28 Nov 2026 15:21:16.953 # Fatal error loading the DB, check server logs. Exiting.": "The data is damaged, or another engine's: the engine does not know the type 103 in RDB version 9.",
		strings.Repeat("ü", 300): "Its log ends: “" + strings.Repeat("ü", 200) + "…”.",
		// What an earlier life of the node complained of is not why it has ended now.
		start + "17:M 25 Nov 2026 16:32:37.943 # Can't handle RDB format version 12\n" + start +
			"18:M 25 Nov 2026 16:32:38.943 # Server initialized\n18:M 25 Nov 2026 16:32:38.943 # Bad thing\n18:M 25 Nov 2026 16:32:38.943 * MASTER MODE enabled\n": "Its log ends: “Bad thing”.",
		"17:M 25 Nov 2026 16:32:37.943 # Out Of Memory allocating 1048576 bytes!\n17:M 25 Nov 2026 16:32:37.943 # Guru Meditation: Redis aborting for OUT OF MEMORY. Allocating 1048576 bytes! #server.c:6474": "Its host had too little memory: 1048576 more bytes could not be allocated.",
	} {
		got, named := nodeWithLog(t, log).LastWords(t.Context(), "shop", "shop-001")
		if got != want || named != (want != "" && !strings.HasPrefix(want, "Its log ends")) {
			t.Errorf("%q: got %q, want %q", log, got, want)
		}
	}
	if got, _ := newLocal(t, t.TempDir()).LastWords(t.Context(), "shop", "shop-001"); got != "" {
		t.Errorf("of a node without a log: %q", got)
	}
}

// The logs under testdata are what real servers printed when they were started on, or fed with, data of these kinds.
func TestLastWordsNameTheCauseInTheLogsOfRealServers(t *testing.T) {
	t.Parallel()
	const early = "The data ends early, or the engine does not understand what is in it."
	wants := map[string]string{
		"checksum.start":                    "The data is damaged: its checksum is 2e10b7d7593b2e20, but 3837363534333231 is written at its end.",
		"checksum.feed":                     "The data is damaged: its checksum is 2e10b7d7593b2e20, but 3837363534333231 is written at its end.",
		"short.start":                       early,
		"short.feed":                        early,
		"type.start":                        "The data is damaged at byte 3671: Invalid object type: 103.",
		"type.feed":                         early, // a server says no more of it
		"signature.start":                   "The data does not begin as an RDB does.",
		"signature.feed":                    "The data does not begin as an RDB does.",
		"bad-function-code.start":           "A function library in the data cannot be loaded: user_function:2: '=' expected near 'is'.",
		"bad-function-code.feed":            "A function library in the data cannot be loaded: user_function:2: '=' expected near 'is'.",
		"bad-module2-key.start":             "The data needs the module ReJSON-RL, which the engine does not have.",
		"bad-module2-key.feed":              "The data needs the module ReJSON-RL, which the engine does not have.",
		"module-aux-only.start":             "The data needs the module ReJSON-RL, which the engine does not have.",
		"module-aux-only.feed":              "The data needs the module ReJSON-RL, which the engine does not have.",
		"db20.start":                        "The data uses more than 16 databases.",
		"db20.feed":                         "The data uses more than 16 databases.",
		"bad-st-pel-shared.start":           "The data is damaged: Stream consumer PEL entry already has a consumer assigned.",
		"bad-st-pel-shared.feed":            "The data is damaged: Stream consumer PEL entry already has a consumer assigned.",
		"bad-ql2-plain-empty.feed":          early,
		"bad-ql2-plain-empty.start":         early,
		"dup-key.start":                     "The data has the key “a” twice, in database 0.",
		"dup-key.feed":                      "The data has the key “a” twice, in database 0.",
		"bad-ttl-lp-string.start":           "The engine came upon something impossible: t_hash.c:379 'lpGetIntegerValue(fptr, &expireAt)' is not true.",
		"bad-ttl-ht-huge.feed":              "The data is damaged: invalid expireAt time: 1152925607051646975.",
		"function-preGA.feed":               "The data has functions in a format from before Redis 7.0's release, which no engine loads.",
		"version.start":                     "The engine is too old for the data, which has RDB version 12.",
		"version.feed":                      "The engine is too old for the data, which has RDB version 12.",
		"redis6.0 version.start":            "The engine is too old for the data, which has RDB version 10.",
		"valkey8.1 bad-st-pel-shared.start": "The data is damaged: NACK already assigned to a different consumer, shared NACKs across consumers are not valid.",
		"valkey8.1 bad-st-pel-shared.feed":  "The data is damaged: NACK already assigned to a different consumer, shared NACKs across consumers are not valid.",
	}
	files, err := filepath.Glob("testdata/logs/*.txt")
	if err != nil || len(files) < 4 {
		t.Fatalf("logs of %d engines (%v)", len(files), err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		engine := strings.TrimSuffix(filepath.Base(file), ".txt")
		for _, part := range strings.Split("\n"+string(text), "\n@@ ")[1:] {
			name, log, _ := strings.Cut(part, "\n")
			want, particular := wants[engine+" "+name]
			if !particular {
				want = wants[name]
			}
			if got, _ := nodeWithLog(t, log).LastWords(t.Context(), "shop", "shop-001"); want == "" || got != want {
				t.Errorf("%s %s: got %q, want %q", engine, name, got, want)
			}
		}
	}
}

func TestLastWordsHideThePassword(t *testing.T) {
	t.Parallel()
	l := nodeWithLog(t, "*** FATAL CONFIG FILE ERROR ***\n>>> 'requirepass \"open sesame\"'\n")
	dir := filepath.Join(l.dir, "shop", "shop-001")
	if err := writeFiles(dir, launch.Node{Engine: "redis", Host: "127.0.0.1", Port: 1, Password: secret.Text("open sesame")}, launch.Engine{Name: "redis", Version: "7.0.15"}); err != nil {
		t.Fatal(err)
	}
	if got, _ := l.LastWords(t.Context(), "shop", "shop-001"); got == "" || strings.Contains(got, "sesame") {
		t.Errorf("got %q", got)
	}
}
