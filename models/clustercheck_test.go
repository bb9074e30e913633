package models

import (
	"strings"
	"testing"
)

func TestDataThatFilledItsNodeIsNotRefusedForARounding(t *testing.T) {
	t.Parallel()
	micro, _ := FindNodeType("cache.t4g.micro")
	small, _ := FindNodeType("cache.t4g.small")
	for name, test := range map[string]struct {
		from, to string
		used     int64
		imported bool
		want     string // "": it is taken
	}{
		"the same type, by a little":      {from: micro.Name, to: micro.Name, used: micro.Memory + 1000},
		"the same type, by more":          {from: micro.Name, to: micro.Name, used: micro.Memory + 50e6},
		"another type of the same memory": {from: micro.Name, to: "cache.t3.micro", used: micro.Memory + 1000},
		"a larger one":                    {from: micro.Name, to: small.Name, used: micro.Memory + 50e6},
		"a smaller one, by a little":      {from: small.Name, to: micro.Name, used: micro.Memory + 1000, want: "The data needs 536.872 MB of memory, and cache.t4g.micro has 536.871 MB."},
		"a smaller one, by more":          {from: small.Name, to: micro.Name, used: micro.Memory + 300e3, want: "The data needs 537.2 MB of memory, and cache.t4g.micro has 536.9 MB."},
		"a smaller one, by much":          {from: small.Name, to: micro.Name, used: 1e9, want: "The data needs 1.0 GB of memory, and cache.t4g.micro has 537 MB."},
		"what was never in such a node":   {from: micro.Name, to: micro.Name, used: micro.Memory + 1e6, imported: true, want: "The data needs 538 MB of memory, and cache.t4g.micro has 537 MB."},
	} {
		snapshot := Snapshot{Name: "s1", Status: SnapshotAvailable, Configuration: Configuration{Engine: testEngine.Name, EngineVersion: testEngine.Version, NodeType: test.from, ShardCount: 1},
			RDBVersion: 10, UsedMemory: test.used, ServedBy: "orders-002"}
		if test.imported {
			snapshot.ServedBy = ""
		}
		got := ""
		if faults := CheckRestore(ClusterSpec{Engine: testEngine, NodeType: test.to}, snapshot, true); len(faults) > 0 {
			got = faults.Error()
		}
		if got != test.want && (test.want == "" || !strings.HasPrefix(got, test.want)) {
			t.Errorf("%s: %q, want %q", name, got, test.want)
		}
	}
}
