package nodes

import (
	"math"
	"strings"
	"testing"
	"time"

	"rekindle/internal/launch"
	"rekindle/models"
)

// member is a node of a shard as it is when all is well; the first one is the primary.
func member(n int, change func(*seen)) seen {
	v := seen{node: models.Node{Name: models.NodeName("orders", n), Role: models.RoleReplica, Host: "127.0.0.1", Port: 7000 + n}, running: true, answers: true, lives: true,
		state: State{Replica: true, LinkUp: true, Primary: "127.0.0.1:7001", History: "h", Offset: 100, Keys: 1}}
	if n == 1 {
		v.node.Role, v.state = models.RolePrimary, State{History: "h", Offset: 100, Keys: 1}
	}
	if change != nil {
		change(&v)
	}
	return v
}

func dead(v *seen) { v.running, v.answers, v.lives, v.state = false, false, false, State{} }

func TestSuccessorIsTheReplicaThatHasTheMost(t *testing.T) {
	t.Parallel()
	at := func(offset int64) func(*seen) { return func(v *seen) { v.state.Offset = offset } }
	empty := func(offset int64) func(*seen) { return func(v *seen) { v.state.Offset, v.state.Keys = offset, 0 } }
	mute := func(v *seen) { v.answers = false }
	for name, test := range map[string]struct {
		replicas []seen
		want     string // the step: "appoint orders-002", for one
	}{
		"the further one":                       {[]seen{member(2, at(100)), member(3, at(200))}, "appoint orders-003"},
		"one that never had a copy":             {[]seen{member(2, empty(0))}, ""},
		"one that has just been attached":       {[]seen{member(2, empty(1))}, ""},
		"one with an earlier copy":              {[]seen{member(2, empty(1)), member(3, at(1))}, "appoint orders-003"},
		"not yet, when one was being copied to": {[]seen{member(2, func(v *seen) { v.state.Syncing = true })}, "await orders-002"},
		"with what it had before, if that took": {[]seen{member(2, func(v *seen) { v.state.Syncing, v.waited = true, 29 }), member(3, at(1))}, "appoint orders-003"},
		"none at offset 0 beside one with":      {[]seen{member(2, at(0)), member(3, at(2))}, "appoint orders-003"},
		"none in the middle of a sync":          {[]seen{member(2, func(v *seen) { v.state.Syncing, v.state.Offset = true, 500 }), member(3, at(2))}, "appoint orders-003"},
		"one that was promoted before":          {[]seen{member(2, at(500)), member(3, func(v *seen) { v.state = State{Offset: 1} })}, "appoint orders-003"},
		"none that has ended":                   {[]seen{member(2, dead)}, ""},
		"not yet, when one does not answer":     {[]seen{member(2, mute)}, "await orders-002"},
		"nor when it loads":                     {[]seen{member(2, func(v *seen) { v.state.Loading = true })}, "await orders-002"},
		"nobody, when it was waited for":        {[]seen{member(2, func(v *seen) { mute(v); v.waited = 29 })}, ""},
		"one that answers beside a silent one":  {[]seen{member(2, mute), member(3, at(7))}, "appoint orders-003"},
	} {
		steps := plan(models.Cluster{Name: "orders"}, look{nodes: append([]seen{member(1, dead)}, test.replicas...)})
		got := ""
		if first := texts(steps)[0]; strings.HasPrefix(first, "appoint") || strings.HasPrefix(first, "await") {
			got = first
		}
		if got != test.want || strings.HasPrefix(got, "appoint") && !strings.Contains(steps[1].(say).text, "The primary orders-001 had stopped") {
			t.Errorf("%s: the plan is %v, want %q", name, texts(steps), test.want)
		}
	}
}

func TestFreshestRDBIsToldByItsOffsetWithinAHistoryElseByTheClock(t *testing.T) {
	t.Parallel()
	noon := time.Date(2026, 1, 5, 12, 0, 0, 0, time.UTC)
	rdb := func(index int, history string, offset int64, minutes int) leftover {
		return leftover{index, launch.Saved{Exists: true, ReplicationID: history, Offset: offset, At: noon.Add(time.Duration(minutes) * time.Minute)}}
	}
	for name, test := range map[string]struct {
		found []leftover
		want  []int
	}{
		"of one history, the offset against the clock": {[]leftover{rdb(0, "h", 100, 5), rdb(1, "h", 200, 1)}, []int{1, 0}},
		"and the other way round":                      {[]leftover{rdb(0, "h", 200, 1), rdb(1, "h", 100, 5)}, []int{0, 1}},
		"of two histories, the clock":                  {[]leftover{rdb(0, "h", 900, 1), rdb(1, "i", 100, 5)}, []int{1, 0}},
		"without a history, the clock":                 {[]leftover{rdb(0, "", 900, 1), rdb(1, "", 100, 5)}, []int{1, 0}},
		"the primary's at a draw":                      {[]leftover{rdb(0, "h", 100, 1), rdb(1, "h", 100, 9)}, []int{0, 1}},
		"three":                                        {[]leftover{rdb(0, "h", 100, 9), rdb(1, "i", 5, 4), rdb(2, "h", 200, 1)}, []int{2, 0, 1}},
		"none":                                         {nil, nil},
	} {
		var got []int
		for _, l := range freshestFirst(test.found) {
			got = append(got, l.index)
		}
		if len(got) != len(test.want) {
			t.Fatalf("%s: %v", name, got)
		}
		for i := range got {
			if got[i] != test.want[i] {
				t.Errorf("%s: the order is %v, want %v", name, got, test.want)
				break
			}
		}
	}
}

func TestPrimaryHangsWhenNobodyHasHeardOfItForLongEnough(t *testing.T) {
	t.Parallel()
	const limit = time.Minute
	begin := time.Date(2026, 1, 5, 12, 0, 0, 0, time.UTC)
	silentFor := func(d time.Duration) silence { return silence{probes: 20, since: begin, last: begin.Add(d)} }
	stopped := func(v *seen) { v.answers, v.lives, v.state = false, false, State{} }
	unheard := func(v *seen) { v.state.Heard = limit }
	for name, test := range map[string]struct {
		primary func(*seen)
		replica func(*seen)
		more    []seen
		silent  time.Duration
		want    bool
	}{
		"it hangs":                             {primary: stopped, replica: unheard, silent: limit, want: true},
		"its link is down":                     {primary: stopped, replica: func(v *seen) { v.state.LinkUp, v.state.Heard = false, math.MaxInt64 }, silent: limit, want: true},
		"not long enough":                      {primary: stopped, replica: unheard, silent: limit - time.Second},
		"it answers":                           {replica: unheard, silent: limit},
		"it refuses the console":               {primary: func(v *seen) { stopped(v); v.lives = true }, replica: unheard, silent: limit},
		"its process has ended":                {primary: func(v *seen) { stopped(v); v.running = false }, replica: unheard, silent: limit},
		"a replica has heard of it":            {primary: stopped, replica: func(v *seen) { v.state.Heard = limit - 1 }, silent: limit},
		"another replica has heard of it":      {primary: stopped, replica: unheard, more: []seen{member(3, nil)}, silent: limit},
		"the replica has nothing":              {primary: stopped, replica: func(v *seen) { unheard(v); v.state.Offset = 0 }, silent: limit},
		"the replica is in the middle of it":   {primary: stopped, replica: func(v *seen) { unheard(v); v.state.Syncing = true }, silent: limit},
		"the replica does not answer":          {primary: stopped, replica: func(v *seen) { unheard(v); v.answers = false }, silent: limit},
		"the replica is another's":             {primary: stopped, replica: func(v *seen) { unheard(v); v.state.Primary = "10.0.0.1:6379" }, silent: limit},
		"one replica is ready, one is not yet": {primary: stopped, replica: unheard, more: []seen{member(3, func(v *seen) { unheard(v); v.state.Syncing = true })}, silent: limit, want: true},
	} {
		l := look{nodes: append([]seen{member(1, test.primary), member(2, test.replica)}, test.more...), limit: limit}
		l.nodes[0].silent = silentFor(test.silent)
		if got := hung(l); got != test.want {
			t.Errorf("%s: hung is %t, want %t", name, got, test.want)
		}
		if l.limit = 0; hung(l) {
			t.Errorf("%s: it hangs although nobody is to take over", name)
		}
	}
}

func TestSilenceIsOnlyWhatWasListenedTo(t *testing.T) {
	t.Parallel()
	m, now := newMemory(), time.Date(2026, 1, 5, 12, 0, 0, 0, time.UTC)
	note := func(after time.Duration) time.Duration {
		now = now.Add(after)
		s := m.note("n", false, now)
		return s.last.Sub(s.since)
	}
	for i, step := range []struct{ after, want time.Duration }{
		{0, 0}, {5 * time.Second, 5 * time.Second}, {5 * time.Second, 10 * time.Second},
		{time.Hour, 0}, // the console was asleep, or its clock leapt
		{5 * time.Second, 5 * time.Second}, {-time.Hour, 0}, {time.Second, time.Second},
	} {
		if got := note(step.after); got != step.want {
			t.Errorf("step %d: %s of silence, want %s", i, got, step.want)
		}
	}
	if s := m.note("n", true, now); s.probes != 0 || remembered(m, "n").probes != 0 {
		t.Error("an answer does not end it")
	}
}

func remembered(m *memory, node string) silence {
	silent, _, _ := m.recall(node)
	return silent
}
