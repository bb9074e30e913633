// Command arrows checks which packages import which: it applies depguard's rules in depguard.yaml to a module.
//
//	arrows DIR
//
// It differs from depguard's own command in three ways. Paths in the rules start at the module's root, so a checkout
// below a folder named "web" does no harm. Every file is read, whatever its build tags and whether or not it
// compiles. And without rules it fails instead of passing everything.
package main

import (
	_ "embed"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"strconv"
	"strings"

	"github.com/OpenPeeDeeP/depguard/v2"
	"go.yaml.in/yaml/v3"
	"golang.org/x/tools/go/analysis"
)

//go:embed depguard.yaml
var rules []byte

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: arrows DIR")
		os.Exit(2)
	}
	violations, files, err := check(os.DirFS(os.Args[1]), rules)
	if err == nil && files == 0 {
		err = fmt.Errorf("no Go files in %s", os.Args[1])
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "arrows:", err)
		os.Exit(2)
	}
	for _, v := range violations {
		fmt.Fprintln(os.Stderr, v)
	}
	if len(violations) > 0 {
		os.Exit(1)
	}
}

// check returns a line per forbidden import below root, and the number of files that it has read.
func check(root fs.FS, rules []byte) (violations []string, files int, err error) {
	settings := depguard.LinterSettings{}
	if err := yaml.Unmarshal(rules, &settings); err != nil {
		return nil, 0, fmt.Errorf("depguard.yaml: %w", err)
	}
	if len(settings) == 0 {
		return nil, 0, fmt.Errorf("depguard.yaml: no rules")
	}
	analyzer, err := depguard.NewAnalyzer(&settings)
	if err != nil {
		return nil, 0, fmt.Errorf("depguard.yaml: %w", err)
	}

	pass := &analysis.Pass{Analyzer: analyzer, Fset: token.NewFileSet()}
	pass.Report = func(d analysis.Diagnostic) {
		at := pass.Fset.Position(d.Pos)
		violations = append(violations, fmt.Sprintf("%s:%d: %s", strings.TrimPrefix(at.Filename, "/"), at.Line, d.Message))
	}
	err = fs.WalkDir(root, ".", func(name string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && skipped(root, name):
			return fs.SkipDir
		case entry.IsDir() || path.Ext(name) != ".go":
			return nil
		}
		source, err := fs.ReadFile(root, name)
		if err != nil {
			return err
		}
		file, err := parser.ParseFile(pass.Fset, "/"+name, source, parser.ImportsOnly)
		if err != nil {
			return err
		}
		plainQuotes(file)
		pass.Files = append(pass.Files, file)
		return nil
	})
	if err != nil {
		return nil, 0, err
	}
	_, err = analyzer.Run(pass)
	return violations, len(pass.Files), err
}

// skipped tells whether a folder is not one of the module's packages.
func skipped(root fs.FS, dir string) bool {
	base := path.Base(dir)
	switch {
	case dir == ".":
		return false
	case dir == "bin", dir == "data", base == "testdata", base == "vendor", base[0] == '.', base[0] == '_':
		return true
	}
	_, err := fs.Stat(root, dir+"/go.mod")
	return err == nil
}

// plainQuotes rewrites imports in back quotes, which depguard does not read.
func plainQuotes(file *ast.File) {
	for _, spec := range file.Imports {
		if p, err := strconv.Unquote(spec.Path.Value); err == nil {
			spec.Path.Value = strconv.Quote(p)
		}
	}
}
