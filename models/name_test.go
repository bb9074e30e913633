package models

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

var rightName = regexp.MustCompile(`^[a-z](-?[a-z0-9])*$`)

func TestCheckName(t *testing.T) {
	t.Parallel()
	right := map[string]string{"a": "a", "Orders": "orders", " orders-1 ": "orders-1", "a1-b2-c3": "a1-b2-c3", strings.Repeat("a", 40): strings.Repeat("a", 40)}
	for name, want := range right {
		if got, problem := CheckName("cluster id", name); got != want || problem != "" {
			t.Errorf("%q became %q: %s", name, got, problem)
		}
	}
	wrong := []string{"", " ", "-", "1a", "-a", "a-", "a--b", "a_b", "a.b", "a b", "a/b", "../x", "a\x00b", "ä", "aä", "a\xff", "a\n", "a'b", `a"b`, "a;b",
		"<b>", "{{.}}", "%s", "a\u200b", "а", strings.Repeat("a", 41), strings.Repeat("ü", 40), strings.Repeat("x", 1<<20)}
	for _, name := range wrong {
		if name == "a\n" {
			continue // spaces around are cut off
		}
		if got, problem := CheckName("cluster id", name); problem == "" || !strings.HasSuffix(problem, ".") || len(problem) > 200 {
			t.Errorf("%.50q was accepted as %.50q, or the sentence is bad: %.300s", name, got, problem)
		}
	}
	if _, problem := CheckName("cluster id", strings.Repeat("ü", 41)); !strings.Contains(problem, "has 41 characters") {
		t.Errorf("counted bytes: %s", problem)
	}
	if name, problem := CheckSnapshotName(strings.Repeat("a", 255)); len(name) != 255 || problem != "" {
		t.Error(problem)
	}
	for _, name := range []string{strings.Repeat("a", 256), "automatic.orders-2026-01-01-00-00"} {
		if _, problem := CheckSnapshotName(name); problem == "" {
			t.Errorf("snapshot name %q was accepted", name)
		}
	}
}

func FuzzCheckName(f *testing.F) {
	for _, s := range []string{"orders", "Orders-1", "a--b", "-", "ä", "\xff", "K", "İ", "a\x00", strings.Repeat("a", 41)} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		name, problem := CheckName("cluster id", s)
		if (problem == "") != (rightName.MatchString(name) && len(name) <= maxNameLength) {
			t.Errorf("%q became %q: %q", s, name, problem)
		}
		if again, more := CheckName("cluster id", name); problem == "" && (again != name || more != "") {
			t.Errorf("%q became %q when checked again: %q", name, again, more)
		}
		if _, longer := CheckSnapshotName(s); problem == "" && longer != "" {
			t.Errorf("right for a cluster and wrong for a snapshot: %q", s)
		}
	})
}

func TestNamesThatAreMadeAreRight(t *testing.T) {
	t.Parallel()
	longest := strings.Repeat("a", maxNameLength)
	berlin := time.Date(2026, 7, 1, 1, 30, 5, 0, time.FixedZone("CEST", 7200))
	if got := AutomaticName("orders", berlin); got != "automatic.orders-2026-06-30-23-30" {
		t.Error(got)
	}
	if got := AutomaticName(longest, berlin); len(got) > maxSnapshotNameLength {
		t.Errorf("%d characters", len(got))
	}
	if got, problem := CheckSnapshotName(SuggestSnapshotName(longest, berlin)); problem != "" || got != longest+"-2026-06-30-23-30-05" {
		t.Error(got, problem)
	}
	for _, test := range []struct {
		copies int
		want   []string
	}{{1, []string{"x"}}, {2, []string{"x-1", "x-2"}}, {3, []string{"x-1", "x-2", "x-3"}}} {
		if got := NumberedNames("x", test.copies); !slices.Equal(got, test.want) {
			t.Errorf("%d copies: %v", test.copies, got)
		}
	}
	names := NumberedNames("orders", 20)
	if names[0] != "orders-01" || names[19] != "orders-20" || !slices.IsSorted(names) {
		t.Error(names)
	}
	for _, name := range names {
		if _, problem := CheckName("cluster id", name); problem != "" {
			t.Error(problem)
		}
	}
	// Nodes of different clusters never have the same name, whatever the clusters are called.
	seen := make(map[string]string)
	for _, cluster := range []string{"a", "a-001", "a-001-001", "a-0", "a0", "a001"} {
		for n := 1; n <= 6; n++ {
			if other, twice := seen[NodeName(cluster, n)]; twice {
				t.Errorf("%s and %s have a node %s", cluster, other, NodeName(cluster, n))
			}
			seen[NodeName(cluster, n)] = cluster
		}
	}
}

func TestNodeTypes(t *testing.T) {
	t.Parallel()
	seen := make(map[string]bool)
	for _, nodeType := range NodeTypes() {
		if seen[nodeType.Name] || nodeType.Memory < 100<<20 || nodeType.Memory > 1<<40 || nodeType.NoSnapshots != (nodeType.Name == "cache.t1.micro") {
			t.Errorf("%+v", nodeType)
		}
		seen[nodeType.Name] = true
		if found, ok := FindNodeType(nodeType.Name); !ok || found != nodeType {
			t.Errorf("%s is not found", nodeType.Name)
		}
	}
	for _, name := range []string{"", "cache.t1.Micro", "cache.t4g.micro ", "' OR 1=1"} {
		if _, ok := FindNodeType(name); ok {
			t.Errorf("%q was found", name)
		}
	}
	if small, _ := FindNodeType("cache.t4g.micro"); small.Memory != 512<<20 {
		t.Errorf("cache.t4g.micro has %d bytes", small.Memory)
	}
}

func TestFaults(t *testing.T) {
	t.Parallel()
	var none Faults
	if none.OrNil() != nil || none.Code() != "" {
		t.Error("an empty list is an error")
	}
	faults := Faults{{CodeInvalid, "id", "First."}, {CodeCombination, "id", "Second."}, {CodeClusterState, "", "Third."}}
	err := fmt.Errorf("wrapped: %w", error(faults))
	if got, ok := AsFaults(err); !ok || got.Code() != CodeInvalid || got.Error() != "First. Second. Third." {
		t.Error(got)
	}
	if fields := faults.Fields(); fields["id"] != "First." || fields[""] != "Third." {
		t.Error(fields)
	}
	if !HasCode(err, CodeClusterState) || HasCode(err, CodeRunState) || HasCode(nil, CodeInvalid) || HasCode(fmt.Errorf("x"), CodeInvalid) {
		t.Error("codes")
	}
}
