package main

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"time"
)

// outcome is what became of a mutation.
type outcome string

const (
	caught   outcome = "caught"
	survived outcome = "SURVIVED"
	stale    outcome = "STALE"      // the code has changed, but the table has not
	broken   outcome = "NO BUILD"   // the mutation does not compile
	unproved outcome = "NO VERDICT" // the tests fail even without it, or there are none
)

type result struct {
	outcome outcome
	detail  string
	took    time.Duration
}

// report prints each result as it comes, and counts them.
type report struct {
	mu     sync.Mutex
	to     io.Writer
	counts map[outcome]int
	bad    []string
}

func newReport(to io.Writer) *report { return &report{to: to, counts: map[outcome]int{}} }

func (r *report) add(m mutation, got result) {
	line := fmt.Sprintf("%-10s %s: %s (%s)", got.outcome, m.file, m.name, strings.TrimSpace(got.detail))
	if got.outcome == survived {
		line = fmt.Sprintf("%-10s %s: %s (%s.txt:%d, %s in %s)", got.outcome, m.file, m.name, m.table, m.line, m.run, m.pkg)
	}
	if got.took > 0 {
		line += fmt.Sprintf(" %.1f s", got.took.Seconds())
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.counts[got.outcome]++
	if got.outcome != caught {
		r.bad = append(r.bad, line)
	}
	fmt.Fprintln(r.to, line)
}

// end prints the totals. It is an error if a mutation was not caught; in a mere check, if one does not fit the code.
func (r *report) end(took time.Duration, planted int, check bool) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if check {
		fmt.Fprintf(r.to, "\n%d of %d mutations fit the code\n", planted-r.counts[stale], planted)
	} else {
		if len(r.bad) > 0 {
			fmt.Fprintf(r.to, "\n%s\n", strings.Join(r.bad, "\n"))
		}
		fmt.Fprintf(r.to, "\ncaught %d of %d planted: %d survived, %d stale, %d that do not compile, %d without a verdict; %s\n",
			r.counts[caught], planted, r.counts[survived], r.counts[stale], r.counts[broken], r.counts[unproved], took.Round(time.Second))
	}
	if len(r.bad) > 0 {
		return fmt.Errorf("%d of %d mutations were not caught", len(r.bad), planted)
	}
	return nil
}
