package jobs_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jonboulle/clockwork"
	"github.com/redis/go-redis/v9"

	"rekindle/internal/testkit"
	"rekindle/models"
)

// search looks for keys and waits for the end.
func (c *console) search(spec models.FindSpec) (models.Run, models.Find, []models.FindSnapshot, []models.FoundKey) {
	c.t.Helper()
	spec.RequestedBy = "test"
	run, err := c.db.Finds.Request(c.t.Context(), spec)
	must(c.t, err)
	c.manager.Wake()
	run = c.ended(run.ID)
	search, _, err := c.db.Finds.Get(c.t.Context(), run.ID)
	must(c.t, err)
	rows, _, err := c.db.Finds.Snapshots(c.t.Context(), run.ID, 0, 100)
	must(c.t, err)
	keys, err := c.db.Finds.Keys(c.t.Context(), run.ID, 0, 100)
	must(c.t, err)
	return run, search, rows, keys
}

func TestAKeyIsFoundInAllSnapshotsThatHaveIt(t *testing.T) {
	t.Parallel()
	c := newConsole(t, clockwork.NewRealClock())
	client := c.primary(c.create(c.spec("orders", 0))[0])
	ctx := t.Context()
	must(t, client.MSet(ctx, "cart:1", "apples", "cart:2", "nuts").Err())
	c.snapshot("orders", "one")
	must(t, client.Set(ctx, "cart:1", "pears", time.Hour).Err())
	c.snapshot("orders", "two")
	must(t, client.Del(ctx, "cart:1").Err())
	c.snapshot("orders", "three")

	run, search, rows, keys := c.search(models.FindSpec{Cluster: "orders", Sought: "cart:1"})
	if run.Status != models.RunSucceeded || search.Matches != 2 || len(rows) != 3 || len(keys) != 2 {
		t.Fatalf("%s (%s): %+v, %+v, %+v", run.Status, run.Error, search, rows, keys)
	}
	if rows[0].SnapshotName != "three" || rows[0].Matches != 0 || rows[1].Matches != 1 || rows[2].Matches != 1 || rows[0].State != models.FindDone {
		t.Errorf("the snapshots are %+v", rows)
	}
	if two, one := keys[0], keys[1]; two.ExpiresAt == nil || one.ExpiresAt != nil || two.Digest == one.Digest || two.Type != "string" || one.Bytes != 7 || len(one.Name) != 0 {
		t.Errorf("the keys are %+v", keys)
	}
	testkit.WaitFor(t, "how much was read", func() bool { // it is written down last
		run, err := c.db.Runs.Get(ctx, run.ID)
		return err == nil && run.BytesDone == run.BytesTotal && run.BytesTotal > 0
	})

	_, search, rows, keys = c.search(models.FindSpec{Snapshot: "one", Sought: "cart:*", Pattern: true, Keep: 1})
	if search.Matches != 2 || len(rows) != 1 || len(keys) != 1 || !strings.HasPrefix(string(keys[0].Name), "cart:") {
		t.Errorf("a pattern: %+v, %+v, %+v", search, rows, keys)
	}
	if events := c.events(); strings.Contains(events, "cart:") {
		t.Errorf("an event names a key:\n%s", events)
	}
}

// Of 300 names that are not there the filter denies nearly all, and then nothing is read.
func TestAFilterSparesTheReading(t *testing.T) {
	t.Parallel()
	c := newConsole(t, clockwork.NewRealClock())
	testkit.Fill(t, c.primary(c.create(c.spec("orders", 0))[0]), 300)
	snapshot := c.snapshot("orders", "one")
	excluded := 0
	for i := range 6 {
		_, _, rows, _ := c.search(models.FindSpec{Cluster: "orders", Sought: fmt.Sprintf("absent:%d", i)})
		excluded += rows[0].Excluded
	}
	if excluded < 4 {
		t.Errorf("the part was read in %d of 6 searches", 6-excluded)
	}
	filters, err := filepath.Glob(filepath.Join(c.data, "snapshots", "orders", "one", "keys-*.fuse"))
	if err != nil || len(filters) != 1 {
		t.Fatalf("the filters are %q, %v", filters, err)
	}
	before, err := os.ReadFile(filters[0])
	must(t, err)
	for name, spoiled := range map[string][]byte{"damaged": bytes.ToUpper(before), "cut": before[:len(before)/2]} {
		must(t, os.WriteFile(filters[0], spoiled, 0o600))
		if run, search, rows, _ := c.search(models.FindSpec{Cluster: "orders", Sought: "absent:1"}); run.Status != models.RunSucceeded || rows[0].Excluded != 0 || search.Matches != 0 || rows[0].State != models.FindDone {
			t.Errorf("%s: %s, %+v", name, run.Status, rows)
		}
	}
	must(t, os.Remove(filters[0]))
	if _, search, rows, _ := c.search(models.FindSpec{Cluster: "orders", Sought: "*", Pattern: true}); search.Matches != snapshot.Keys || rows[0].Excluded != 0 {
		t.Errorf("without a filter: %+v, %+v", search, rows)
	}
	_, err = c.db.Verifications.Request(t.Context(), "one", "test")
	must(t, err)
	c.manager.Wake()
	testkit.WaitFor(t, "the verification to make the filter", func() bool {
		again, err := os.ReadFile(filters[0])
		return err == nil && len(again) == len(before)
	})
}

func TestInClusterModeOnlyTheShardOfTheKeyIsRead(t *testing.T) {
	t.Parallel()
	c := newConsole(t, clockwork.NewRealClock())
	c.fillShards(c.create(c.inClusterMode("orders", 3, 0))[0])
	c.snapshot("orders", "one")
	_, search, rows, keys := c.search(models.FindSpec{Snapshot: "one", Sought: "*", Pattern: true, Keep: 5})
	if search.Matches != 600 || rows[0].Searched != 3 || len(keys) != 5 {
		t.Fatalf("a pattern: %+v, %+v", search, rows)
	}
	must(t, removeAll(filepath.Join(c.data, "snapshots", "orders", "one", "keys-*.fuse")))
	_, search, rows, found := c.search(models.FindSpec{Snapshot: "one", Sought: string(keys[0].Name)})
	if search.Matches != 1 || rows[0].Excluded != 2 || found[0].Part != keys[0].Part {
		t.Errorf("a name: %+v, %+v", search, rows)
	}
}

func removeAll(pattern string) error {
	names, err := filepath.Glob(pattern)
	for _, name := range names {
		if err == nil {
			err = os.Remove(name)
		}
	}
	return err
}

func TestNamesThatAreHiddenAreNotKept(t *testing.T) {
	t.Parallel()
	c := newConsole(t, clockwork.NewRealClock())
	client := c.primary(c.create(c.spec("orders", 0))[0])
	must(t, client.MSet(t.Context(), "cart:1", "apples", "cart:2", "nuts").Err())
	c.snapshot("orders", "one")
	must(t, c.db.Settings.SaveHidesKeyNames(t.Context(), true))
	if _, search, rows, keys := c.search(models.FindSpec{Cluster: "orders", Sought: "cart:*", Pattern: true}); search.Matches != 2 || rows[0].Matches != 2 || len(keys) != 0 {
		t.Errorf("a pattern: %+v, %+v, %+v", search, rows, keys)
	}
	if _, _, _, keys := c.search(models.FindSpec{Cluster: "orders", Sought: "cart:1"}); len(keys) != 1 || len(keys[0].Name) != 0 {
		t.Errorf("a name: %+v", keys)
	}
}

func TestASearchSaysWhichSnapshotIsDamagedAndGoesOn(t *testing.T) {
	t.Parallel()
	c := newConsole(t, clockwork.NewRealClock())
	client := c.primary(c.create(c.spec("orders", 0))[0])
	must(t, client.Set(t.Context(), "cart:1", strings.Repeat("apples", 100), 0).Err())
	c.snapshot("orders", "one")
	c.snapshot("orders", "two")
	parts, err := filepath.Glob(filepath.Join(c.data, "snapshots", "orders", "two", "part-*"))
	must(t, err)
	data, err := os.ReadFile(parts[0])
	must(t, err)
	data[len(data)/2] ^= 0x40
	must(t, os.WriteFile(parts[0], data, 0o600))
	run, search, rows, _ := c.search(models.FindSpec{Cluster: "orders", Sought: "cart:1"})
	if run.Status != models.RunSucceeded || search.Matches < 1 || rows[0].State != models.FindFailed || !strings.Contains(rows[0].Reason, "Part 1 is damaged") || rows[1].State != models.FindDone || rows[1].Matches != 1 {
		t.Errorf("%s (%s): %+v", run.Status, run.Error, rows)
	}
	must(t, os.Remove(parts[0]))
	if _, _, rows, _ := c.search(models.FindSpec{Cluster: "orders", Sought: "cart:1"}); rows[0].Reason != "Part 1 is missing in the store." || rows[1].Matches != 1 {
		t.Errorf("missing: %+v", rows)
	}
}

// valueOf looks for a key and reads its value.
func (c *console) valueOf(snapshot, name string) models.FoundValue {
	c.t.Helper()
	_, _, rows, keys := c.search(models.FindSpec{Snapshot: snapshot, Sought: name})
	if len(keys) != 1 {
		c.t.Fatalf("%s was found %d times", name, len(keys))
	}
	keys[0].Name = []byte(name)
	value, err := c.manager.FoundValue(c.t.Context(), keys[0], rows[0])
	must(c.t, err)
	return value
}

func TestValuesOfEveryTypeAreRead(t *testing.T) {
	t.Parallel()
	c := newConsole(t, clockwork.NewRealClock())
	client, ctx := c.primary(c.create(c.spec("orders", 0))[0]), t.Context()
	_, err := client.Pipelined(ctx, func(p redis.Pipeliner) error {
		p.Set(ctx, "text", "apples", time.Hour)
		p.Set(ctx, "binary", "\x00\xff"+strings.Repeat("x", 9000), 0)
		p.Set(ctx, "number", "42", 0)
		p.Set(ctx, "empty", "", 0)
		p.HSet(ctx, "hash", "field", "value")
		for i := range 300 {
			p.RPush(ctx, "list", fmt.Sprint("item ", i))
			p.SAdd(ctx, "set", fmt.Sprint("member ", i))
			p.HSet(ctx, "long", fmt.Sprint("field ", i), strings.Repeat("v", 2000))
		}
		p.ZAdd(ctx, "zset", redis.Z{Score: 1.5, Member: "one"}, redis.Z{Score: 7, Member: "two"})
		p.XAdd(ctx, &redis.XAddArgs{Stream: "stream", ID: "1-1", Values: []string{"temperature", "21"}})
		return nil
	})
	must(t, err)
	c.snapshot("orders", "one")
	for _, want := range []struct {
		key, kind string
		size      int64
		entries   int
		label     string
		value     string
		cut       bool
	}{
		{"text", "string", 6, 1, "", "apples", false},
		{"binary", "string", 9002, 1, "", "\x00\xffxx", true},
		{"number", "string", 2, 1, "", "42", false},
		{"empty", "string", 0, 0, "", "", false},
		{"hash", "hash", 1, 1, "field", "value", false},
		{"list", "list", 300, 100, "0", "item 0", true},
		{"set", "set", 300, 100, "1", "member ", true},
		{"long", "hash", 300, 100, "field ", "vvvv", true},
		{"zset", "zset", 2, 2, "1.5", "one", false},
		{"stream", "stream", 1, 1, "1-1", "temperature: 21", false},
	} {
		got := c.valueOf("one", want.key)
		if got.Unknown != "" || got.Type != want.kind || got.Size != want.size || len(got.Entries) != want.entries {
			t.Errorf("%s: %d entries of %+v", want.key, len(got.Entries), got)
			continue
		}
		if want.entries == 0 {
			continue
		}
		first := got.Entries[0]
		if !strings.HasPrefix(first.Label, want.label) || !strings.HasPrefix(first.Value, want.value) || want.cut != (got.Cut || first.Bytes > int64(len(first.Value))) || len(first.Value) > 4096 {
			t.Errorf("%s: %.100q: %.100q, cut %t", want.key, first.Label, first.Value, got.Cut)
		}
	}
	if got := c.valueOf("one", "text"); got.ExpiresAt == nil || got.Engine.Name == "" {
		t.Errorf("%+v", got)
	}
	c.noDrills()
}

func TestAValueThatIsNotThereAnyMoreIsSaidToBe(t *testing.T) {
	t.Parallel()
	c := newConsole(t, clockwork.NewRealClock())
	client := c.primary(c.create(c.spec("orders", 0))[0])
	must(t, client.Set(t.Context(), "cart:1", "apples", 0).Err())
	c.snapshot("orders", "one")
	_, _, rows, keys := c.search(models.FindSpec{Snapshot: "one", Sought: "cart:1"})
	keys[0].Name = []byte("cart:1")
	for what, change := range map[string]func(*models.FoundKey){
		"another value": func(k *models.FoundKey) { k.Digest = "xxh128:00" },
		"another name":  func(k *models.FoundKey) { k.Name = []byte("cart:2") },
		"too large":     func(k *models.FoundKey) { k.Bytes = 1 << 30 },
		"a module's":    func(k *models.FoundKey) { k.Type = "module" },
	} {
		key := keys[0]
		change(&key)
		if value, err := c.manager.FoundValue(t.Context(), key, rows[0]); err != nil || value.Unknown == "" || len(value.Entries) != 0 {
			t.Errorf("%s: %+v, %v", what, value, err)
		}
	}
	other := rows[0]
	other.SnapshotID++
	if _, err := c.manager.FoundValue(t.Context(), keys[0], other); !models.HasCode(err, models.CodeSnapshotState) {
		t.Errorf("another snapshot of that name: %v", err)
	}
	c.noDrills()
}
