// Command mutants plants mistakes in the program, one at a time, and tells which of them the tests notice.
//
// The mistakes are in the tables next to this file (*.txt); see [readTable] for their form. The working tree is copied first and
// never touched. Each mistake is planted in the copy, the tests that should notice it are run, and the copy is restored.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"time"
)

// options are the options of a run.
type options struct {
	root    string // the checkout
	only    string
	workers int
	limit   time.Duration
	check   bool
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	var o options
	flag.StringVar(&o.root, "root", ".", "the checkout's `folder`")
	flag.StringVar(&o.only, "only", "", "only the mutations whose table, file or name matches this `pattern`")
	flag.IntVar(&o.workers, "jobs", 2, "`number` of mutations at a time")
	flag.DurationVar(&o.limit, "timeout", 90*time.Second, "how long the tests of one mutation may take")
	flag.BoolVar(&o.check, "check", false, "only see whether the tables still fit the code")
	flag.Parse()
	if err := run(ctx, os.Stdout, o); err != nil {
		fmt.Fprintln(os.Stderr, "mutants:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, to io.Writer, o options) error {
	pattern, err := regexp.Compile(o.only)
	if err != nil {
		return err
	}
	all, err := readTables(filepath.Join(o.root, "tools", "mutants"))
	if err != nil {
		return err
	}
	var chosen []mutation
	for _, m := range all {
		if pattern.MatchString(m.table) || pattern.MatchString(m.file) || pattern.MatchString(m.name) {
			chosen = append(chosen, m)
		}
	}
	if len(chosen) == 0 {
		return fmt.Errorf("no mutation matches %q", o.only)
	}
	began := time.Now()
	report := newReport(to)
	var fitting []mutation
	for _, m := range chosen {
		if err := m.fits(o.root); err != nil {
			report.add(m, result{outcome: stale, detail: err.Error()})
		} else {
			fitting = append(fitting, m)
		}
	}
	if !o.check {
		if err := plantAll(ctx, o, fitting, report); err != nil {
			return err
		}
	}
	return report.end(time.Since(began), len(chosen), o.check)
}

// plantAll hands the mutations to the workers, each of which has a copy of the tree.
func plantAll(ctx context.Context, o options, mutations []mutation, report *report) error {
	scratch, err := os.MkdirTemp("", "rekindle-mutants-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(scratch)
	queue := make(chan []mutation)
	failures := make(chan error, max(1, o.workers))
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var work sync.WaitGroup
	for n := range max(1, o.workers) {
		work.Go(func() {
			g, err := newGarden(o.root, filepath.Join(scratch, fmt.Sprint(n)), o.limit)
			for bed := range queue {
				if err == nil {
					err = g.plantBed(ctx, bed, report)
				}
			}
			if err != nil {
				failures <- err
				cancel()
			}
		})
	}
	for _, bed := range byPackage(mutations) {
		select {
		case queue <- bed:
		case <-ctx.Done():
		}
	}
	close(queue)
	work.Wait()
	select {
	case err := <-failures:
		return err
	default:
		return ctx.Err()
	}
}

// maxBed is how many mutations one worker takes at most at a time, so that all workers have something to do until the end.
const maxBed = 8

// byPackage groups mutations whose tests are in the same package, because these tests are run once without any mutation.
func byPackage(mutations []mutation) (beds [][]mutation) {
	at := map[string]int{}
	for _, m := range mutations {
		i, known := at[m.pkg]
		if !known || len(beds[i]) == maxBed {
			i = len(beds)
			at[m.pkg] = i
			beds = append(beds, nil)
		}
		beds[i] = append(beds[i], m)
	}
	return beds
}

// firstFailure is the name of the first test that failed in go test's output.
func firstFailure(output string) string {
	for line := range strings.Lines(output) {
		if name, found := strings.CutPrefix(strings.TrimSpace(line), "--- FAIL: "); found {
			name, _, _ = strings.Cut(name, " ")
			return name
		}
		if strings.HasPrefix(line, "panic: ") || strings.HasPrefix(line, "fatal error: ") {
			return strings.TrimSpace(line)
		}
	}
	return "it ended without a word"
}
