package jobs_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/jonboulle/clockwork"

	"rekindle/internal/launch"
	"rekindle/internal/testkit"
	"rekindle/models"
)

// foreign are RDB files that broke something once, with what is right for each.
var foreign = []struct {
	file    string
	keys    int64  // of the snapshot that it becomes
	refused string // or a part of the sentence with which it is refused
	byNode  bool   // what refuses it is the node that it is tried out in
}{
	{file: "keydb-expire.rdb", keys: 1},
	{file: "aux-between-freq-and-key.rdb", keys: 1},
	{file: "db20.rdb", keys: 1},
	{file: "rdb3-hash-zipmap.rdb", keys: 1},
	{file: "resize-lies-2m.rdb", keys: 1},
	{file: "bad-st-pel-no-consumer.rdb", refused: "damaged"},
	{file: "bad-st-pel-consumer-only.rdb", refused: "damaged"},
	{file: "bad-st-pel-shared.rdb", refused: "damaged"},
	{file: "bad-zipmap-255.rdb", refused: "damaged"},
	{file: "bad-ql2-plain-empty.rdb", refused: "damaged"},
	{file: "8-bad-ttl-ht-huge.rdb", refused: "damaged"},
	{file: "8-bad-ttl-ht-min-huge.rdb", refused: "damaged"},
	{file: "8-bad-ttl-lp-negative.rdb", refused: "damaged"},
	{file: "8-bad-ttl-lp-string.rdb", refused: "damaged"},
	{file: "t23-lpex-no-ttl.rdb", refused: "damaged"},
	{file: "bad-function-code.rdb", refused: "'=' expected near 'is'", byNode: true},
	{file: "dup-key.rdb", refused: "twice", byNode: true},
	{file: "function-preGA.rdb", refused: "release candidates of Redis 7.0"},
	{file: "module-rejson.rdb", refused: "the module ReJSON-RL"},
	{file: "module-aux-only.rdb", refused: "the module ReJSON-RL"},
	{file: "bad-module2-key.rdb", refused: "the module ReJSON-RL"},
	{file: "trailing-newline.rdb", refused: "continues after its end"},
}

func foreignFile(t *testing.T, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("../internal/rdb/testdata/foreign", name))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func TestForeignFilesGetTheirRightAnswer(t *testing.T) {
	t.Parallel()
	c := newConsole(t, clockwork.NewRealClock())
	files, err := filepath.Glob("../internal/rdb/testdata/foreign/*.rdb")
	if err != nil || len(files) != len(foreign) {
		t.Errorf("%d files, %d answers (%v)", len(files), len(foreign), err)
	}
	for i, f := range foreign {
		name := fmt.Sprintf("f%d", i)
		err := c.upload(name, name, foreignFile(t, f.file))
		switch {
		case f.refused == "" && err != nil:
			t.Errorf("%s: %v", f.file, err)
		case f.refused == "":
			if s := mustSnapshot(c, name); s.Keys != f.keys || s.Status != models.SnapshotAvailable || s.Warning != "" {
				t.Errorf("%s: %+v", f.file, s)
			}
		case err == nil || !strings.Contains(strings.ToLower(err.Error()), strings.ToLower(f.refused)):
			t.Errorf("%s: %v, want a sentence with %q", f.file, err, f.refused)
		case f.byNode != strings.Contains(err.Error(), "It was tried out"):
			t.Errorf("%s: %v, by a node: %t", f.file, err, f.byNode)
		}
	}
	c.noTrials()
	clusters, err := c.db.Clusters.All(t.Context())
	if err != nil || len(clusters) != 0 {
		t.Errorf("clusters %v, %v", clusters, err)
	}
}

// noTrials fails when a node that tried something out is still there.
func (c *console) noTrials() {
	c.t.Helper()
	nodes, err := c.nodes.List(c.t.Context())
	if err != nil || len(nodes) != 0 {
		c.t.Errorf("nodes that are left: %v, %v", nodes, err)
	}
}

// Without the trial what only a node can see gets through, and it is the administrator's choice.
func TestTrialsCanBeTurnedOff(t *testing.T) {
	t.Parallel()
	c := newConsole(t, clockwork.NewRealClock())
	must(t, c.db.Settings.SaveTriesImports(t.Context(), false))
	if err := c.upload("elsewhere", "dup", foreignFile(t, "dup-key.rdb")); err != nil {
		t.Error(err)
	}
	if err := c.upload("elsewhere", "pel", foreignFile(t, "bad-st-pel-shared.rdb")); err == nil {
		t.Error("the walk has let something through")
	}
}

// A file that no installed engine can load is taken, and the snapshot says what was not done.
func TestTrialNeedsAnEngineAndSaysSo(t *testing.T) {
	t.Parallel()
	c := newConsole(t, clockwork.NewRealClock())
	if err := c.upload("elsewhere", "newer", fakeRDB("REDIS0014", oneKey...)); err != nil {
		t.Fatal(err)
	}
	if s := mustSnapshot(c, "newer"); !strings.Contains(s.Warning, "no engine is installed that can load RDB version 14") {
		t.Errorf("%+v", s)
	}
	c.noTrials()
}

// Answers that are larger than what is read of one are no reason against a file.
func TestTrialTakesLargeValues(t *testing.T) {
	t.Parallel()
	c := newConsole(t, clockwork.NewRealClock())
	megabyte := append([]byte{0x80, 0x00, 0x10, 0x00, 0x00}, bytes.Repeat([]byte("x"), 1<<20)...)
	body := []byte{0xFE, 0x00, 0x04, 0x01, 'h', 20}
	for i := range byte(20) {
		body = append(append(body, 0x01, 'a'+i), megabyte...)
	}
	body = append(body, 0xFE, 0x03, 0x01, 0x01, 'l', 20)
	for range 20 {
		body = append(body, megabyte...)
	}
	body = append(body, 0x00, 0x01, 's', 0x01, 'v')
	if err := c.upload("elsewhere", "large", fakeRDB("REDIS0010", body...)); err != nil {
		t.Fatal(err)
	}
	if s := mustSnapshot(c, "large"); s.Keys != 3 || s.Warning != "" {
		t.Errorf("%d keys, warning %q", s.Keys, s.Warning)
	}
	c.noTrials()
}

// What redis-server loads from a file of an old version, a node has after an import and a restore.
func TestOldAndForeignVersionsAreRestoredAsRedisLoadsThem(t *testing.T) {
	t.Parallel()
	c := newConsole(t, clockwork.NewRealClock())
	for i, file := range []string{"rdb3-hash-zipmap.rdb", "aux-between-freq-and-key.rdb", "keydb-expire.rdb"} {
		data := foreignFile(t, file)
		server := testkit.Redis(t)
		must(t, os.WriteFile(filepath.Join(server.Dir, "dump.rdb"), data, 0o600))
		server.Restart()
		want := testkit.Fingerprint(t, server.Client())
		name := fmt.Sprintf("old%d", i)
		if err := c.upload("elsewhere", name, data); err != nil {
			t.Errorf("%s: %v", file, err)
			continue
		}
		if got := c.restored(name, name); got != want {
			t.Errorf("%s: restored %s, redis-server loads %s", file, got, want)
		}
	}
}

// Before version 5 there was no checksum, and no value was packed as it is today.
func TestEveryOldVersionIsRestoredAsRedisLoadsIt(t *testing.T) {
	t.Parallel()
	c := newConsole(t, clockwork.NewRealClock())
	text := func(s string) []byte { return append([]byte{byte(len(s))}, s...) }
	var body []byte
	add := func(parts ...any) {
		for _, p := range parts {
			switch p := p.(type) {
			case int:
				body = append(body, byte(p))
			case string:
				body = append(body, text(p)...)
			case []byte:
				body = append(body, p...)
			}
		}
	}
	add(0xFE, 0, 0, "text", "hello", 0, "int", 0xC1, 0x39, 0x30, 0, "lzf", 0xC3, 5, 0x41, 0x09, []byte("\x00a\xE0\xFF\x00")) // 265 times a
	add(0xFD, []byte("\xFF\xFF\xFF\x7E"), 0, "expiring", "v")                                                                // in seconds
	add(1, "list", 2, "a", 0xC0, 5, 2, "set", 2, "m", "n", 3, "zset", 3, "a", "1.5", "b", 254, "c", 255, 4, "hash", 1, "f", "v")
	add(9, "zipmap", "\x01\x01f\x01\x00v\xff", 11, "intset", "\x02\x00\x00\x00\x02\x00\x00\x00\x01\x00\x02\x00", 0xFE, 5, 0, "other", "v")
	for version := 1; version <= 4; version++ {
		data := append(fmt.Appendf(nil, "REDIS%04d", version), append(slices.Clone(body), 0xFF)...)
		server := testkit.Redis(t)
		must(t, os.WriteFile(filepath.Join(server.Dir, "dump.rdb"), data, 0o600))
		server.Restart()
		want := testkit.Fingerprint(t, server.Client())
		name := fmt.Sprintf("v%d", version)
		if err := c.upload(name, name, data); err != nil {
			t.Errorf("version %d: %v", version, err)
			continue
		}
		if s := mustSnapshot(c, name); s.Keys != 11 || s.RDBVersion != version || !strings.Contains(s.Origin, "no checksum") {
			t.Errorf("version %d: %d keys, RDB version %d, %q", version, s.Keys, s.RDBVersion, s.Origin)
		}
		if got := c.restored(name, name+"-again"); got != want {
			t.Errorf("version %d: restored %s, redis-server loads %s", version, got, want)
		}
	}
}

// A console that was killed while it tried something out removes the node when it is started again.
func TestStartRemovesTheNodesOfCutTrials(t *testing.T) {
	t.Parallel()
	c := newConsole(t, clockwork.NewRealClock())
	c.stop()
	left := launch.Node{Cluster: "0-trial-7", Name: "part-0001", Engine: c.spec("x", 0).Engine.Name, Port: 6379, Password: "secret"}
	must(t, c.nodes.Start(t.Context(), left))
	c.start()
	c.noTrials()
	if running, err := c.nodes.Running(t.Context(), left.Cluster, left.Name); err != nil || running {
		t.Errorf("running %t, %v", running, err)
	}
}
