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
		if faults := CheckRestore(ClusterSpec{Engine: testEngine, NodeType: test.to}, snapshot, ""); len(faults) > 0 {
			got = faults.Error()
		}
		if got != test.want && (test.want == "" || !strings.HasPrefix(got, test.want)) {
			t.Errorf("%s: %q, want %q", name, got, test.want)
		}
	}
}

func TestRestoreIntoShardsIsCheckedAgainstAllOfThem(t *testing.T) {
	t.Parallel()
	micro, _ := FindNodeType("cache.t4g.micro")
	whole := Snapshot{Name: "s1", Status: SnapshotAvailable, Configuration: Configuration{ClusterMode: true, ShardCount: 3, NodeType: micro.Name}, ServedBy: "orders-0003-002",
		UsedMemory: 3 * micro.Memory, Parts: []Part{{Databases: 1}, {Databases: 0}, {Databases: 1}}}
	for name, test := range map[string]struct {
		spec   ClusterSpec
		change func(*Snapshot)
		want   string // "": it is taken
	}{
		"as many shards":          {spec: ClusterSpec{ClusterMode: true, Shards: 3}},
		"more of them":            {spec: ClusterSpec{ClusterMode: true, Shards: 5}},
		"fewer":                   {spec: ClusterSpec{ClusterMode: true, Shards: 2}, want: "The data needs 1.6 GB of memory, and 2 shards of cache.t4g.micro have 1.1 GB. Choose a larger node type or more shards."},
		"one, outside of it":      {spec: ClusterSpec{}, want: "The data needs 1.6 GB of memory, and cache.t4g.micro has 537 MB."},
		"fewer, with little data": {spec: ClusterSpec{ClusterMode: true, Shards: 1}, change: func(s *Snapshot) { s.UsedMemory = micro.Memory / 2 }},
		"several databases":       {spec: ClusterSpec{ClusterMode: true, Shards: 3}, change: func(s *Snapshot) { s.Parts[1].Databases = 4 }, want: "databases up to number 3"},
		"the same, outside of it": {spec: ClusterSpec{}, change: func(s *Snapshot) { s.Parts[1].Databases, s.UsedMemory = 4, 1 }},
	} {
		s := whole
		s.Parts = append([]Part(nil), whole.Parts...)
		if test.change != nil {
			test.change(&s)
		}
		test.spec.NodeType = micro.Name
		faults := CheckRestore(test.spec, s, "")
		if got := faults.Error(); test.want == "" && len(faults) > 0 || !strings.Contains(got, test.want) {
			t.Errorf("%s: %q, want %q", name, got, test.want)
		}
	}
}

func TestSlotsHaveToBeInOneShardEach(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		spec ClusterSpec
		want string // "": it is taken
	}{
		"each once":          {ClusterSpec{ClusterMode: true, Shards: 2, Slots: []string{"0-99,200-16383", "100-199"}}, ""},
		"one in none":        {ClusterSpec{ClusterMode: true, Shards: 2, Slots: []string{"0-99", "101-16383"}}, "in none, or in several: 100."},
		"one in two":         {ClusterSpec{ClusterMode: true, Shards: 2, Slots: []string{"0-99", "99-16383"}}, "in none, or in several: 99."},
		"nonsense":           {ClusterSpec{ClusterMode: true, Shards: 2, Slots: []string{"0-99", "all others"}}, `"all others" is not a set of slots`},
		"of too few shards":  {ClusterSpec{ClusterMode: true, Shards: 3, Slots: []string{"0-99", "100-16383"}}, "for 2 shards, but there are to be 3"},
		"outside of it":      {ClusterSpec{Shards: 2}, "Only a cluster in cluster mode has several shards."},
		"too many":           {ClusterSpec{ClusterMode: true, Shards: 91}, "1 to 90 shards, not 91"},
		"of memcached":       {ClusterSpec{ClusterMode: true, Engine: Engine{Name: EngineMemcached}}, "Only a replication group of Redis or Valkey"},
		"of a cache cluster": {ClusterSpec{ClusterMode: true, CacheCluster: true}, "Only a replication group of Redis or Valkey"},
		"without a bus":      {ClusterSpec{ClusterMode: true, Port: 55536}, "must not be above 55535"},
	} {
		faults := checkShards(test.spec)
		if got := faults.Error(); test.want == "" && len(faults) > 0 || !strings.Contains(got, test.want) {
			t.Errorf("%s: %q, want %q", name, got, test.want)
		}
	}
}
