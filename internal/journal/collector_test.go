package journal

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"
)

// gathering feeds a collector like a recorder does.
type gathering struct {
	t *testing.T
	c *collector
}

func gather(t *testing.T, burst int64) *gathering {
	g := &gathering{t: t, c: newCollector(Resume{Database: Unknown}, burst)}
	g.c.begin()
	return g
}

// at adds commands that come at a time, in milliseconds after day's second, and returns the place behind them.
func (g *gathering) at(ms int, commands ...string) int64 {
	g.t.Helper()
	if err := g.c.add([]byte(strings.Join(commands, "")), day.Truncate(time.Second).Add(time.Duration(ms)*time.Millisecond)); err != nil {
		g.t.Fatal(err)
	}
	return g.c.scanner.Offset()
}

func (g *gathering) take(last bool) Index {
	x := Index{To: g.c.scanner.Offset()}
	g.c.take(&x, last)
	g.c.begin()
	return x
}

func ms(t time.Time) int { return int(t.Sub(day.Truncate(time.Second)).Milliseconds()) }

func TestMarksAreTheLastSafeBoundariesOfSeconds(t *testing.T) {
	t.Parallel()
	g := gather(t, 10)
	g.at(100, command("SET", "a", "b"))
	first := g.at(900, command("SELECT", "4"))
	second := g.at(1100, command("SET", "a", "b"))
	g.at(1200, command("MULTI"), command("SET", "a", "b"))
	set := command("SET", "a", "b")
	g.at(2500, set) // still within the transaction: nothing to mark
	third := g.at(3000, command("EXEC"), "\n")
	end := g.at(3999, set[:5])
	want := []string{fmt.Sprint(900, first, 4), fmt.Sprint(1100, second, 4), fmt.Sprint(3000, third, 4)}
	x := g.take(false)
	if got := marks(x); !slices.Equal(got, want) {
		t.Errorf("marks %q, want %q", got, want)
	}
	if x.Start != (Start{0, Unknown, -1}) || x.Safe != (Start{third, 4, -1}) {
		t.Errorf("start %+v, safe %+v", x.Start, x.Safe)
	}

	// The next segment begins within a command, which ends in it.
	fourth := g.at(5000, set[5:])
	x = g.take(false)
	if got := marks(x); !slices.Equal(got, []string{fmt.Sprint(5000, fourth, 4)}) || x.Start != (Start{fourth, 4, -1}) || fourth <= end {
		t.Errorf("marks %q, start %+v", got, x.Start)
	}

	// One that has nothing but the middle of a command has no place to start.
	g.at(6000, set[:9])
	_ = g.take(false)
	to := g.at(7000, set[9:12])
	if x = g.take(false); len(x.Marks) != 0 || x.Start != (Start{to, Unknown, -1}) || x.Safe.Offset != fourth {
		t.Errorf("%+v", x)
	}
}

func marks(x Index) (all []string) {
	for _, m := range x.Marks {
		all = append(all, fmt.Sprint(ms(m.At), m.Offset, m.Database))
	}
	return all
}

func TestWritesAreCountedBySecondAndCommand(t *testing.T) {
	t.Parallel()
	g := gather(t, 10)
	set, ping := command("SET", "a", "b"), command("PING")
	g.at(100, set, set, command("INCR", "a"), ping, command("SELECT", "0"), command("REPLCONF", "GETACK", "*"))
	g.at(900, command("MULTI"), set, command("EXEC"))
	g.at(1000, ping)
	var many []string
	for i := range 100 {
		many = append(many, command(fmt.Sprintf("CMD%02d", i)))
	}
	g.at(2000, many...)
	x := g.take(false)
	if len(x.Counts) != 2 || ms(x.Counts[0].Second) != 0 || ms(x.Counts[1].Second) != 2000 {
		t.Fatalf("%+v", x.Counts)
	}
	want := map[string]Count{"SET": {3, 3 * int64(len(set))}, "INCR": {1, int64(len(command("INCR", "a")))}}
	if got := x.Counts[0].Commands; !maps.Equal(got, want) {
		t.Errorf("%v", got)
	}
	if got := x.Counts[1].Commands; len(got) != maxNames+1 || got[Other].Commands != 100-maxNames || got["CMD00"].Commands != 1 {
		t.Errorf("%v", got)
	}
	g.at(2100, set)
	if x = g.take(false); len(x.Counts) != 1 || ms(x.Counts[0].Second) != 2000 || len(x.Counts[0].Commands) != 1 {
		t.Errorf("the rest of a second: %+v", x.Counts)
	}
}

func TestEventsHaveTheSafePlacesAroundThem(t *testing.T) {
	t.Parallel()
	g := gather(t, 5)
	a := g.at(0, command("SELECT", "2"), command("SET", "a", "b"))
	b := g.at(100, command("flushdb", "async"))
	c := g.at(200, command("PING"))
	g.at(300, command("MULTI"), command("SET", "a", "b"), command("FLUSHALL"))
	x := g.take(false)
	if got, want := events(x), []string{fmt.Sprint("FLUSHDB ", 100, a, b, 2, 0, 1)}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	d := g.at(1300, command("SWAPDB", "0", "1"), command("EXEC"))
	e := g.at(1400, command("FUNCTION", "restore", "x"))
	g.at(1500, command("FUNCTION", "LOAD", "x"))
	want := []string{fmt.Sprint("FLUSHALL ", 300, c, d, -1, 0, 1), fmt.Sprint("SWAPDB ", 1300, c, d, -1, 0, 1), fmt.Sprint("FUNCTION RESTORE ", 1400, d, e, -1, 0, 1)}
	if got := events(g.take(false)); !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestSecondsInWhichManyKeysGoAreEvents(t *testing.T) {
	t.Parallel()
	g := gather(t, 5)
	g.at(0, command("DEL", "a", "b", "c"), command("UNLINK", "d", "e")) // 5 are not more than 5
	a := g.at(1000, command("PING"))
	g.at(1100, command("DEL", "a", "b", "c"))
	if got := events(g.take(false)); len(got) != 0 { // the second is not over
		t.Errorf("%q", got)
	}
	b := g.at(1200, command("DEL", "a", "b", "c"))
	c := g.at(2000, command("MULTI"), command("DEL", "1", "2", "3", "4", "5", "6"))
	g.at(3000, command("UNLINK", "1", "2", "3", "4", "5", "6"))
	d := g.at(3500, command("EXEC"))
	g.at(4000, command("PING"))
	want := []string{fmt.Sprint("DELETE ", 1100, a, b, -1, 6, 2), fmt.Sprint("DELETE ", 2000, b, d, -1, 6, 1), fmt.Sprint("DELETE ", 3000, b, d, -1, 6, 1)}
	if got := events(g.take(false)); !slices.Equal(got, want) {
		t.Errorf("%q, want %q (%d)", got, want, c)
	}
	g.at(5000, command("DEL", "1", "2", "3", "4", "5", "6"))
	if got := events(g.take(true)); len(got) != 1 {
		t.Errorf("in the last segment: %q", got)
	}
}

func TestEventsAreBounded(t *testing.T) {
	t.Parallel()
	g := gather(t, 5)
	for range 1000 {
		g.at(0, command("FLUSHDB"), command("SWAPDB", "0", "1"))
	}
	x := g.take(false)
	var flushed int64
	for _, e := range x.Events {
		if e.Kind == FlushDB {
			flushed += e.Times
		}
	}
	if len(x.Events) != maxEvents || flushed != 1000 {
		t.Errorf("%d events, %d times FLUSHDB", len(x.Events), flushed)
	}
}

func events(x Index) (all []string) {
	for _, e := range x.Events {
		all = append(all, e.Kind+" "+fmt.Sprint(ms(e.At), e.Before, e.After, e.Database, e.Keys, e.Times))
	}
	return all
}
