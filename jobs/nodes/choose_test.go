package nodes

import (
	"log/slog"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/jonboulle/clockwork"

	"rekindle/internal/launch"
	"rekindle/models"
)

// member is a view of a node of a shard; the first one is its primary.
func member(n int, change func(*view)) view {
	v := view{node: models.Node{Name: models.NodeName("orders", n), Role: models.RoleReplica, Host: "127.0.0.1", Port: 7000 + n}, running: true, answers: true,
		state: State{Replica: true, LinkUp: true, Primary: "127.0.0.1:7001", History: "h", Offset: 100}}
	if n == 1 {
		v.node.Role, v.state = models.RolePrimary, State{History: "h", Offset: 100}
	}
	if change != nil {
		change(&v)
	}
	return v
}

func TestSuccessorIsTheReplicaThatHasTheMost(t *testing.T) {
	t.Parallel()
	dead := member(1, func(v *view) { v.running, v.answers, v.state = false, false, State{} })
	at := func(offset int64) func(*view) { return func(v *view) { v.state.Offset = offset } }
	for name, test := range map[string]struct {
		replicas []view
		want     int // -1: none of them
		waits    bool
	}{
		"the further one":                      {[]view{member(2, at(100)), member(3, at(200))}, 2, false},
		"one that never had a copy":            {[]view{member(2, at(0))}, -1, false},
		"one that has just been attached":      {[]view{member(2, at(1))}, -1, false},
		"none at offset 0 beside one with":     {[]view{member(2, at(0)), member(3, at(2))}, 2, false},
		"none in the middle of a sync":         {[]view{member(2, func(v *view) { v.state.Syncing, v.state.Offset = true, 500 }), member(3, at(2))}, 2, false},
		"one that was promoted before":         {[]view{member(2, at(500)), member(3, func(v *view) { v.state = State{Offset: 1} })}, 2, false},
		"none that has ended":                  {[]view{member(2, func(v *view) { v.running, v.answers = false, false })}, -1, false},
		"not yet, when one does not answer":    {[]view{member(2, func(v *view) { v.answers = false })}, 0, true},
		"one that answers beside a silent one": {[]view{member(2, func(v *view) { v.answers = false }), member(3, at(7))}, 2, false},
	} {
		m := New(Config{Clock: clockwork.NewFakeClock(), Logger: slog.New(slog.DiscardHandler)})
		got, how, err := m.successor(t.Context(), models.Cluster{Name: "orders"}, append([]view{dead}, test.replicas...), 0)
		if test.waits != (err != nil) || !test.waits && (got != test.want || (got >= 0) != strings.Contains(how.text, "The primary orders-001 had stopped.")) {
			t.Errorf("%s: chosen is %d (%q, %v), want %d", name, got, how.text, err, test.want)
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
	stopped := func(v *view) { v.answers, v.state = false, State{} }
	unheard := func(v *view) { v.state.Heard = limit }
	for name, test := range map[string]struct {
		primary func(*view)
		replica func(*view)
		more    []view
		silent  time.Duration
		want    bool
	}{
		"it hangs":                             {primary: stopped, replica: unheard, silent: limit, want: true},
		"its link is down":                     {primary: stopped, replica: func(v *view) { v.state.LinkUp, v.state.Heard = false, math.MaxInt64 }, silent: limit, want: true},
		"not long enough":                      {primary: stopped, replica: unheard, silent: limit - time.Second},
		"it answers":                           {replica: unheard, silent: limit},
		"it refuses the console":               {primary: func(v *view) { stopped(v); v.lives = true }, replica: unheard, silent: limit},
		"its process has ended":                {primary: func(v *view) { stopped(v); v.running = false }, replica: unheard, silent: limit},
		"a replica has heard of it":            {primary: stopped, replica: func(v *view) { v.state.Heard = limit - 1 }, silent: limit},
		"another replica has heard of it":      {primary: stopped, replica: unheard, more: []view{member(3, nil)}, silent: limit},
		"the replica has nothing":              {primary: stopped, replica: func(v *view) { unheard(v); v.state.Offset = 0 }, silent: limit},
		"the replica is in the middle of it":   {primary: stopped, replica: func(v *view) { unheard(v); v.state.Syncing = true }, silent: limit},
		"the replica does not answer":          {primary: stopped, replica: func(v *view) { unheard(v); v.answers = false }, silent: limit},
		"the replica is another's":             {primary: stopped, replica: func(v *view) { unheard(v); v.state.Primary = "10.0.0.1:6379" }, silent: limit},
		"one replica is ready, one is not yet": {primary: stopped, replica: unheard, more: []view{member(3, func(v *view) { unheard(v); v.state.Syncing = true })}, silent: limit, want: true},
	} {
		views := append([]view{member(1, test.primary), member(2, test.replica)}, test.more...)
		if got := hung(views, silentFor(test.silent), limit); got != test.want {
			t.Errorf("%s: hung is %t, want %t", name, got, test.want)
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
	if s := m.note("n", true, now); s.probes != 0 || m.silence("n").probes != 0 {
		t.Error("an answer does not end it")
	}
}
