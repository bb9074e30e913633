package models

import (
	"go/ast"
	"go/parser"
	"go/token"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// kindsInSource are the constants of the type RunKind, as run.go has them.
func kindsInSource(t *testing.T) []RunKind {
	t.Helper()
	file := must(parser.ParseFile(token.NewFileSet(), "run.go", nil, 0))(t)
	var kinds []RunKind
	ast.Inspect(file, func(n ast.Node) bool {
		spec, isValue := n.(*ast.ValueSpec)
		if !isValue {
			return true
		}
		if of, named := spec.Type.(*ast.Ident); named && of.Name == "RunKind" {
			kinds = append(kinds, RunKind(must(strconv.Unquote(spec.Values[0].(*ast.BasicLit).Value))(t)))
		}
		return true
	})
	return kinds
}

func TestEveryKindOfRunHasACompleteEntry(t *testing.T) {
	t.Parallel()
	kinds := RunKinds()
	want := kindsInSource(t)
	if slices.Sort(kinds); len(want) == 0 || !slices.Equal(kinds, slices.Sorted(slices.Values(want))) {
		t.Fatalf("the table has %v; the kinds are %v", kinds, want)
	}
	titles := map[string]RunKind{}
	for _, k := range runKinds {
		row := reflect.ValueOf(k)
		for i := range row.NumField() {
			if row.Field(i).Kind() != reflect.Bool && row.Field(i).IsZero() {
				t.Errorf("%s has no %s", k.kind, row.Type().Field(i).Name)
			}
		}
		run := Run{Kind: k.kind, ClusterName: "orders", SnapshotName: "one", Options: `{"source":"one","target":"two"}`}
		if other, taken := titles[run.Title()]; taken || run.Title() == "" {
			t.Errorf("%s and %s are both called %q", k.kind, other, run.Title())
		}
		titles[run.Title()] = k.kind
	}
}

func TestRunsHaveTitles(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		kind          RunKind
		options, want string
	}{
		{RunReboot, `{}`, "Reboot orders"},
		{RunReboot, `{"reboot_nodes":["orders-001"]}`, "Reboot orders-001 of orders"},
		{RunReboot, `{"reboot_nodes":["orders-001","orders-002"]}`, "Reboot 2 nodes of orders"},
		{RunCopy, `{"source":"one","target":"two"}`, "Copy one to two"},
		{RunCopy, `{"source":"one","target":"two","store":"dir:/far"}`, "Copy one to dir:/far"},
		{RunCopy, `?`, "Copy one"},
		{RunExport, `{"source":"one","target":"two","store":"dir:/far"}`, "Export one to dir:/far"},
		{RunExport, `?`, "Export one"},
		{RunStraight, `{"cluster":"pay","moment":"2026-11-27T10:41:07Z"}`, "Restore pay as it was at 2026-11-27 10:41:07 UTC into orders"},
		{RunStraight, `?`, "Restore a moment into orders"},
		{"of tomorrow", `{}`, "of tomorrow orders"},
	} {
		if got := (Run{Kind: test.kind, ClusterName: "orders", SnapshotName: "one", Options: test.options}).Title(); strings.TrimSpace(got) != test.want {
			t.Errorf("a %s with %s is called %q", test.kind, test.options, got)
		}
	}
}
