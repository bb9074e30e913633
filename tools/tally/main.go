// Command tally shows the output of `go test -json` as `go test` would have printed it, and counts what was skipped, so that no skip is silent.
//
//	go test -json ./... | tally -to FILE   shows the output, and records what was skipped
//	tally -sum FILE...                     prints one line about everything recorded
//
// A test that is only a part of another test, which runs it in its own way, is skipped otherwise with "run by" and the other test's name. That does
// not count as a skip.
package main

import (
	"bufio"
	"cmp"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
)

func main() {
	to := flag.String("to", "", "`file` to which the skips are added")
	sum := flag.Bool("sum", false, "say what is in the files that are named")
	verbose := flag.Bool("v", false, "show everything, as go test -v does")
	flag.Parse()
	var err error
	if *sum {
		err = sumUp(os.Stdout, flag.Args())
	} else {
		err = watch(os.Stdin, os.Stdout, *to, *verbose)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "tally:", err)
		os.Exit(1)
	}
}

func watch(from io.Reader, show io.Writer, to string, verbose bool) error {
	skips := io.Discard
	if to != "" {
		file, err := os.OpenFile(to, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
		if err != nil {
			return err
		}
		defer file.Close()
		skips = file
	}
	s := &shown{to: show, skips: skips, verbose: verbose, said: make(map[test]*strings.Builder)}
	lines := bufio.NewReader(from)
	for {
		line, err := lines.ReadString('\n')
		if line != "" {
			var e event
			if json.Unmarshal([]byte(line), &e) != nil {
				fmt.Fprint(show, line) // not an event of go test: it is shown as it is
			} else if failure := s.add(e); failure != nil {
				return failure
			}
		}
		if err == io.EOF {
			return nil
		} else if err != nil {
			return err
		}
	}
}

// event is an event as in `go doc test2json`.
type event struct {
	Action, Package, Test, Output string
}

type test struct{ pkg, name string }

// shown shows the results of the tests.
type shown struct {
	to, skips io.Writer
	verbose   bool
	said      map[test]*strings.Builder // output of the tests that have not ended
}

func (s *shown) add(e event) error {
	at := test{e.Package, e.Test}
	switch e.Action {
	case "build-output":
		return s.print(e.Output)
	case "output":
		return s.output(at, e.Output)
	case "pass":
		delete(s.said, at)
	case "skip":
		said := s.take(at)
		if e.Test == "" { // no test files
			return nil
		}
		if _, err := fmt.Fprintf(s.skips, "%s\t%s %s\n", reason(said), e.Package, e.Test); err != nil {
			return err
		}
	case "fail":
		if s.verbose { // it has been shown already
			return nil
		}
		if e.Test != "" {
			return s.print(s.take(at))
		}
		// About a test that never ended, go test only has what the test had printed: that may tell why.
		for _, open := range slices.SortedFunc(maps.Keys(s.said), func(a, b test) int { return cmp.Compare(a.name, b.name) }) {
			if open.pkg == e.Package {
				if err := s.print(s.take(open)); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

func (s *shown) output(at test, text string) error {
	if s.verbose || at.name == "" && text != "PASS\n" {
		if err := s.print(text); err != nil {
			return err
		}
	}
	if at.name == "" || strings.HasPrefix(text, "=== ") {
		return nil
	}
	if s.said[at] == nil {
		s.said[at] = &strings.Builder{}
	}
	s.said[at].WriteString(text)
	return nil
}

// take returns the output of a test that has ended, and forgets it.
func (s *shown) take(at test) string {
	said := s.said[at]
	delete(s.said, at)
	if said == nil {
		return ""
	}
	return said.String()
}

func (s *shown) print(text string) error {
	_, err := io.WriteString(s.to, text)
	return err
}

var skipping = regexp.MustCompile(`(?m)^\s*\S+\.go:\d+: (.*)`)

// reason is the first line of the last message of a skipped test.
func reason(said string) string {
	found := skipping.FindAllStringSubmatch(said, -1)
	if len(found) == 0 {
		return "no reason"
	}
	text := strings.TrimPrefix(found[len(found)-1][1], "SKIPPED, NOT TESTED: ")
	return strings.ReplaceAll(text, "\t", " ")
}

// sumUp prints one line: how many tests were skipped, and for which reasons.
func sumUp(to io.Writer, files []string) error {
	count, all := make(map[string]int), 0
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		for line := range strings.Lines(string(text)) {
			if why, _, _ := strings.Cut(line, "\t"); !strings.HasPrefix(why, "run by ") {
				count[why]++
				all++
			}
		}
	}
	if all == 0 {
		_, err := fmt.Fprintln(to, "no test was skipped")
		return err
	}
	reasons := slices.SortedFunc(maps.Keys(count), func(a, b string) int { return cmp.Or(count[b]-count[a], cmp.Compare(a, b)) })
	for i, why := range reasons {
		reasons[i] = fmt.Sprintf("%d (%s)", count[why], why)
	}
	_, err := fmt.Fprintf(to, "%d skipped: %s\n", all, strings.Join(reasons, ", "))
	return err
}
