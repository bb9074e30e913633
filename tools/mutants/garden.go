package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// garden is a copy of the tree in which mutations are planted.
type garden struct {
	root   string // of the copy
	binary string // the compiled tests of a package, with or without a mutation
	tmp    string // where the tests have their files
	limit  time.Duration
}

// newGarden copies the working tree, committed or not, except for what was built and for data folders.
func newGarden(tree, scratch string, limit time.Duration) (*garden, error) {
	g := &garden{root: filepath.Join(scratch, "tree"), binary: filepath.Join(scratch, "tests"), tmp: filepath.Join(scratch, "tmp"), limit: limit}
	tree, err := filepath.Abs(tree)
	if err != nil {
		return nil, err
	}
	skip := map[string]bool{".git": true, ".cache": true, "bin": true, "data": true, "screenshots": true}
	err = filepath.WalkDir(tree, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, _ := filepath.Rel(tree, path)
		to := filepath.Join(g.root, name)
		switch {
		case skip[name] && entry.IsDir():
			return fs.SkipDir
		case skip[name]:
			return nil
		case entry.IsDir():
			return os.MkdirAll(to, 0o700)
		case !entry.Type().IsRegular():
			return nil
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		return os.WriteFile(to, data, info.Mode().Perm())
	})
	if err != nil {
		return nil, err
	}
	// Programs that were built for the tests.
	if err := os.Symlink(filepath.Join(tree, ".cache"), filepath.Join(g.root, ".cache")); err != nil {
		return nil, err
	}
	return g, nil
}

// plantBed runs the tests of one package without a mutation, then with each.
func (g *garden) plantBed(ctx context.Context, bed []mutation, report *report) error {
	if output, err := g.build(ctx, bed[0].pkg); err != nil {
		return errors.Join(fmt.Errorf("%s does not compile as it is:\n%s", bed[0].pkg, output), ctx.Err())
	}
	tried := map[string]string{}
	for _, m := range bed {
		if _, known := tried[m.run]; known {
			continue
		}
		output, err := g.test(ctx, m)
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case strings.Contains(output, "no tests to run"):
			tried[m.run] = "no test of " + m.pkg + " matches " + m.run
		case err != nil:
			tried[m.run] = "without it, " + firstFailure(output) + " fails already"
		default:
			tried[m.run] = ""
		}
	}
	for _, m := range bed {
		r := result{outcome: unproved, detail: tried[m.run]}
		if r.detail == "" {
			var err error
			if r, err = g.plant(ctx, m); err != nil {
				return err
			}
		}
		report.add(m, r)
	}
	return nil
}

// plant runs the tests with one mutation, and puts the file back.
func (g *garden) plant(ctx context.Context, m mutation) (r result, err error) {
	file := filepath.Join(g.root, filepath.FromSlash(m.file))
	before, err := os.ReadFile(file)
	if err != nil {
		return r, err
	}
	began := time.Now()
	defer func() {
		r.took = time.Since(began)
		err = errors.Join(err, os.WriteFile(file, before, 0o600))
	}()
	if err := os.WriteFile(file, bytes.Replace(before, []byte(m.old), []byte(m.new), 1), 0o600); err != nil {
		return r, err
	}
	output, err := g.build(ctx, m.pkg)
	if ctx.Err() != nil {
		return r, ctx.Err()
	} else if err != nil {
		return result{outcome: broken, detail: output}, nil
	}
	output, err = g.test(ctx, m)
	switch {
	case ctx.Err() != nil:
		return r, ctx.Err()
	case err == nil:
		return result{outcome: survived}, nil
	}
	return result{outcome: caught, detail: firstFailure(output)}, nil
}

// build compiles the tests of a package.
func (g *garden) build(ctx context.Context, pkg string) (string, error) {
	command := exec.CommandContext(ctx, "go", "test", "-c", "-trimpath", "-ldflags=-s -w", "-o", g.binary, pkg)
	command.Dir = g.root
	output, err := command.CombinedOutput()
	return string(output), err
}

// test runs the tests that should notice a mutation. It ends the processes that they leave behind if they are cut off.
func (g *garden) test(ctx context.Context, m mutation) (string, error) {
	if err := os.MkdirAll(g.tmp, 0o700); err != nil {
		return "", err
	}
	defer func() {
		endLeftovers(g.tmp)
		_ = os.RemoveAll(g.tmp)
	}()
	command := exec.CommandContext(ctx, g.binary, "-test.run", m.run, "-test.timeout", g.limit.String(), "-test.failfast")
	command.Dir = filepath.Join(g.root, filepath.FromSlash(m.pkg))
	command.Env = append(os.Environ(), "TMPDIR="+g.tmp)
	command.WaitDelay = 5 * time.Second
	var output bytes.Buffer
	command.Stdout, command.Stderr = &output, &output
	err := command.Run()
	return output.String(), err
}

// endLeftovers kills the processes that work in a folder: nodes outlive their console, and thus a test that has died.
func endLeftovers(folder string) {
	all, _ := filepath.Glob("/proc/[0-9]*/cwd")
	for _, link := range all {
		at, err := os.Readlink(link)
		if err != nil || !strings.HasPrefix(at, folder+string(filepath.Separator)) {
			continue
		}
		if pid, err := strconv.Atoi(filepath.Base(filepath.Dir(link))); err == nil {
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
	}
}
