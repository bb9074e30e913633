package main

import (
	"fmt"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"
)

// lag is how far behind a journal was at one moment.
type lag struct {
	at      time.Duration // since the application began
	stored  time.Duration // how old the newest stored second was
	replica int64         // bytes of the stream that the replica had not carried out yet
	link    int64         // and that it had carried out, and that were not stored yet
	waiting int64         // of these, what lay in the replica's output buffer
	memory  consoleMemory
}

// keepingUp is a journal beside a saturated source.
type keepingUp struct {
	length  time.Duration
	lags    []lag
	bytes   int64         // of the stream
	cpu     time.Duration // the console's
	drained time.Duration // from the end of the application until everything was stored
	stored  storedStream
}

// storedStream is a part of a stream in the store.
type storedStream struct{ plain, stored, sets int64 }

func (s storedStream) row(name string) string {
	per := func(n int64) string { return fmt.Sprintf("%.1f", float64(n)/float64(max(1, s.sets))) }
	return fmt.Sprintf("| %s | %s | %s | %.2f |\n", name, per(s.plain), per(s.stored), float64(s.stored)/float64(max(1, s.plain)))
}

// consoleMemory is what the console had, in MiB.
type consoleMemory struct {
	own  int // anonymous memory of the process: Go's heap and stacks, and what zstd has
	heap int // Go's own, in use after the last collection
}

type linksMemory struct {
	links int
	peak  consoleMemory
}

// journalCost is what the application had with a journal and without it, a pair for each two rounds.
type journalCost struct {
	from          string
	load          load
	with, without []pressure
}

func (c journalCost) row() string {
	rate, p99 := func(p pressure) float64 { return p.rate }, func(p pressure) float64 { return p.p99 }
	cell := func(of func(pressure) float64, digits int) string {
		without, with := medianPressure(c.without, of), medianPressure(c.with, of)
		return fmt.Sprintf("%.*f | %.*f | %+.1f %%", digits, without, digits, with, (with/without-1)*100)
	}
	return fmt.Sprintf("| %s | %d | %s | %s |\n", c.from, c.load.pipeline, cell(rate, 0), cell(p99, 2))
}

func medianPressure(rounds []pressure, of func(pressure) float64) float64 {
	var values []float64
	for _, p := range rounds {
		values = append(values, of(p))
	}
	slices.Sort(values)
	if n := len(values); n%2 == 0 {
		return (values[n/2-1] + values[n/2]) / 2
	}
	return values[len(values)/2]
}

// slope is by how much a figure grows in a minute, by least squares over what came after the warm-up.
func slope(lags []lag, of func(lag) float64) float64 {
	var n, sumX, sumY, sumXY, sumXX float64
	for _, l := range lags {
		if l.at < warmUp {
			continue
		}
		x, y := l.at.Minutes(), of(l)
		n, sumX, sumY, sumXY, sumXX = n+1, sumX+x, sumY+y, sumXY+x*y, sumXX+x*x
	}
	if d := n*sumXX - sumX*sumX; d != 0 {
		return (n*sumXY - sumX*sumY) / d
	}
	return 0
}

// around are the samples of the ten seconds before an instant.
func around(lags []lag, at time.Duration) (some []lag) {
	for _, l := range lags {
		if l.at <= at+time.Second/2 && l.at > at-10*time.Second {
			some = append(some, l)
		}
	}
	return some
}

func greatest(lags []lag, of func(lag) float64) float64 {
	most := 0.0
	for _, l := range lags {
		most = max(most, of(l))
	}
	return most
}

var collected = regexp.MustCompile(`(?m)^gc \d+ @.*?(\d+)->(\d+)->(\d+) MB`)

// heapOf is what the last collection left, by the lines of gctrace.
func heapOf(output string) int {
	found := collected.FindAllStringSubmatch(output, -1)
	if len(found) == 0 {
		return 0
	}
	n, _ := strconv.Atoi(found[len(found)-1][3])
	return n
}

// journalReport is all of it.
type journalReport struct {
	console, engine, folder string
	length, round           time.Duration
	keepingUp               keepingUp
	small, documents        storedStream
	costs                   []journalCost
	memory                  []linksMemory
}

func (r journalReport) markdown() string {
	head := fmt.Sprintf("%s: %s, %s, %s, on %s. The application and its primary on one core, the replica and the console on the other.\n",
		time.Now().UTC().Format(time.DateOnly), r.console, r.engine, runtime.Version(), machine(r.folder))
	return strings.Join([]string{head, r.keepingUp.markdown(r.length), r.costsTable(), r.storedTable(), r.memoryTable()}, "\n")
}

// markdown says how far behind it was, and what it took.
func (k keepingUp) markdown(length time.Duration) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%.0f s of redis-benchmark, 50 clients, `-P %d`, %s: %.0f SETs and %.1f MB a second. Greatest of the ten seconds before:\n\n", k.length.Seconds(), saturating, jsonLoad(1).name,
		float64(k.stored.sets)/k.length.Seconds(), float64(k.bytes)/1e6/k.length.Seconds())
	b.WriteString("| after | newest stored second, s ago | primary ahead of the replica, MB | replica ahead of the store, MB | waiting in the replica for the console, MB |\n|---|---:|---:|---:|---:|\n")
	figures := []func(lag) float64{
		func(l lag) float64 { return l.stored.Seconds() }, func(l lag) float64 { return float64(l.replica) / 1e6 },
		func(l lag) float64 { return float64(l.link) / 1e6 }, func(l lag) float64 { return float64(l.waiting) / 1e6 },
	}
	row := func(name, format string, figure func(of func(lag) float64) float64) {
		cells := []string{name}
		for _, of := range figures {
			cells = append(cells, fmt.Sprintf(format, figure(of)))
		}
		fmt.Fprintf(&b, "| %s |\n", strings.Join(cells, " | "))
	}
	for i := 1; i <= 5; i++ {
		at := length * time.Duration(i) / 5
		row(at.String(), "%.1f", func(of func(lag) float64) float64 { return greatest(around(k.lags, at), of) })
	}
	row("grows by, in a minute", "%+.2f", func(of func(lag) float64) float64 { return slope(k.lags, of) })
	fmt.Fprintf(&b, "\nEverything was stored %.1f s after the application had ended. The console needed %.1f s of CPU for a GB of the stream (%.0f %% of its core), with reading it back.\n",
		k.drained.Seconds(), k.cpu.Seconds()/(float64(k.bytes)/1e9), 100*k.cpu.Seconds()/k.length.Seconds())
	return b.String()
}

func (r journalReport) costsTable() string {
	var b strings.Builder
	b.WriteString("| read from | -P | SETs/s without | with | | p99 ms without | with | |\n|---|---:|---:|---:|---:|---:|---:|---:|\n")
	for _, c := range r.costs {
		b.WriteString(c.row())
	}
	fmt.Fprintf(&b, "\nMedians of rounds of %s, without, with, with, without.\n", r.round)
	return b.String()
}

func (r journalReport) storedTable() string {
	return "| value | bytes of the stream per SET | stored per SET | ratio |\n|---|---:|---:|---:|\n" +
		r.documents.row("JSON of some 180 bytes, as above") + r.keepingUp.stored.row(jsonLoad(1).name+" of redis-benchmark, nearly all alike") + r.small.row(smallLoad(1).name)
}

func (r journalReport) memoryTable() string {
	var b strings.Builder
	b.WriteString("| links | the console's own memory, MiB | Go's heap in it, MiB | more for each link, MiB |\n|---:|---:|---:|---:|\n")
	for _, m := range r.memory {
		more := ""
		if m.links > 0 {
			more = fmt.Sprintf("%.1f", float64(m.peak.own-r.memory[0].peak.own)/float64(m.links))
		}
		fmt.Fprintf(&b, "| %d | %d | %d | %s |\n", m.links, m.peak.own, m.peak.heap, more)
	}
	return b.String()
}
