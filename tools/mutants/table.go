package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// mutation is one mistake.
type mutation struct {
	table    string
	line     int
	name     string // what the mistake does
	file     string
	old, new string
	pkg, run string // the package and the pattern of the tests that should notice
}

// readTables reads all tables of a folder.
func readTables(folder string) ([]mutation, error) {
	files, err := filepath.Glob(filepath.Join(folder, "*.txt"))
	if err != nil {
		return nil, err
	}
	var all []mutation
	var failures []error
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		some, err := readTable(strings.TrimSuffix(filepath.Base(file), ".txt"), string(text))
		all, failures = append(all, some...), append(failures, err)
	}
	return all, errors.Join(failures...)
}

// readTable reads one table. Lines before the first mutation are comments. A mutation is
//
//	=== what the mistake does
//	file internal/rdb/source.go
//	test ./internal/rdb TestOneOf|TestThese
//	--- old
//	the present text, which must occur exactly once
//	+++ new
//	the text that replaces it
func readTable(table, text string) ([]mutation, error) {
	var all []mutation
	var part *string
	for i, line := range strings.Split(strings.TrimRight(text, "\n"), "\n") {
		wrong := func(what string) error { return fmt.Errorf("%s.txt:%d: %s: %q", table, i+1, what, line) }
		if name, begins := strings.CutPrefix(line, "=== "); begins {
			all, part = append(all, mutation{table: table, line: i + 1, name: name}), nil
			continue
		}
		if len(all) == 0 {
			continue
		}
		m := &all[len(all)-1]
		word, rest, _ := strings.Cut(line, " ")
		switch {
		case line == "--- old":
			part = &m.old
		case line == "+++ new":
			part = &m.new
		case part != nil:
			*part += line + "\n"
		case word == "file":
			m.file = rest
		case word == "test":
			m.pkg, m.run, _ = strings.Cut(rest, " ")
		case strings.TrimSpace(line) != "":
			return nil, wrong("this is neither a file nor a test")
		}
	}
	for i := range all {
		m := &all[i]
		m.old, m.new = strings.TrimRight(m.old, "\n"), strings.TrimRight(m.new, "\n")
		if m.name == "" || m.file == "" || m.pkg == "" || m.run == "" || m.old == "" || m.old == m.new {
			return nil, fmt.Errorf("%s.txt:%d: the mutation is not complete", table, m.line)
		}
	}
	return all, nil
}

// fits tells whether the text that a mutation changes occurs exactly once in its file.
func (m mutation) fits(root string) error {
	text, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(m.file)))
	if err != nil {
		return errors.New("there is no such file")
	}
	if n := strings.Count(string(text), m.old); n != 1 {
		return fmt.Errorf("its text is there %d times", n)
	}
	return nil
}
