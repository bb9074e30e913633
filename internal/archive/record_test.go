package archive_test

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"rekindle/internal/archive"
)

// exampleRecords are those in docs/snapshot-format.md.
func exampleRecords(t *testing.T) (cluster, console string) {
	t.Helper()
	page, err := os.ReadFile("../../docs/snapshot-format.md")
	if err != nil {
		t.Fatal(err)
	}
	_, after, _ := strings.Cut(string(page), "\n## Records")
	blocks := strings.Split(after, "```json\n")
	if len(blocks) != 3 {
		t.Fatalf("%d examples of records in docs/snapshot-format.md", len(blocks)-1)
	}
	cluster, _, _ = strings.Cut(blocks[1], "```")
	console, _, _ = strings.Cut(blocks[2], "```")
	return cluster, console
}

func TestDocumentedRecordsAreRead(t *testing.T) {
	t.Parallel()
	a, _, folder := setUp(t)
	clusterText, consoleText := exampleRecords(t)
	if err := errors.Join(os.MkdirAll(filepath.Join(folder, "orders"), 0o700), os.WriteFile(filepath.Join(folder, "orders", "cluster.json"), []byte(clusterText), 0o600),
		os.WriteFile(filepath.Join(folder, "console.json"), []byte(consoleText), 0o600)); err != nil {
		t.Fatal(err)
	}
	cluster, err := a.Cluster(t.Context(), "orders")
	console, failure := a.Console(t.Context())
	if err != nil || failure != nil {
		t.Fatal(err, failure)
	}
	for _, value := range []any{cluster, console} {
		v := reflect.ValueOf(value)
		for i := range v.NumField() {
			if v.Field(i).IsZero() {
				t.Errorf("%s.%s is not in the documented example", v.Type().Name(), v.Type().Field(i).Name)
			}
		}
	}
	// They are not snapshots, and what is written is what is read.
	for entry, err := range a.List(t.Context()) {
		t.Errorf("List yields %+v, %v", entry, err)
	}
	sum := cluster.Sum()
	cluster.WrittenAt = cluster.WrittenAt.Add(time.Hour)
	if err := errors.Join(a.WriteCluster(t.Context(), cluster), a.WriteConsole(t.Context(), console)); err != nil {
		t.Fatal(err)
	}
	again, err := a.Cluster(t.Context(), "orders")
	if err != nil || again.Sum() != sum || !again.WrittenAt.Equal(cluster.WrittenAt) {
		t.Errorf("written and read it is %+v, %v", again, err)
	}
	again.Configuration.RetentionLimit++
	if again.Sum() == sum {
		t.Error("another retention has the same sum")
	}
	if names, err := a.Clusters(t.Context()); err != nil || len(names) != 1 || names[0] != "orders" {
		t.Errorf("clusters: %v, %v", names, err)
	}
	if err := errors.Join(a.RemoveCluster(t.Context(), "orders"), a.RemoveCluster(t.Context(), "orders")); err != nil {
		t.Error(err)
	}
	if _, err := a.Cluster(t.Context(), "orders"); !errors.Is(err, archive.ErrMissing) {
		t.Errorf("removed: %v", err)
	}
}

func TestRecordsThatAreNoneAreRefused(t *testing.T) {
	t.Parallel()
	a, _, folder := setUp(t)
	text, _ := exampleRecords(t)
	path := filepath.Join(folder, "orders", "cluster.json")
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		text string
		want error
	}{
		"nothing":        {"", archive.ErrInvalid},
		"half of it":     {text[:len(text)/2], archive.ErrInvalid},
		"a newer one":    {strings.Replace(text, `"format_version": 1`, `"format_version": 2`, 1), archive.ErrNewer},
		"no version":     {strings.Replace(text, `"format_version": 1,`, "", 1), archive.ErrInvalid},
		"another's":      {strings.Replace(text, `"cluster": "orders"`, `"cluster": "bills"`, 1), archive.ErrInvalid},
		"bad numbers":    {strings.Replace(text, `"replicas": 1`, `"replicas": -1`, 1), archive.ErrInvalid},
		"no time":        {strings.Replace(text, "2026-01-15", "1026-01-15", 1), archive.ErrInvalid},
		"something else": {"[]", archive.ErrInvalid},
	} {
		if err := os.WriteFile(path, []byte(test.text), 0o600); err != nil {
			t.Fatal(err)
		}
		if r, err := a.Cluster(t.Context(), "orders"); !errors.Is(err, test.want) {
			t.Errorf("%s: %+v, %v", name, r, err)
		}
	}
	if err := a.WriteCluster(t.Context(), archive.ClusterRecord{Cluster: "../x"}); !errors.Is(err, archive.ErrInvalid) {
		t.Errorf("written with a bad name: %v", err)
	}
}
