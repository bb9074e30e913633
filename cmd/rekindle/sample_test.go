package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jonboulle/clockwork"

	"rekindle/models"
	"rekindle/models/catalog"
)

func TestASampleIsANewCatalogOfASize(t *testing.T) {
	t.Parallel()
	data := filepath.Join(t.TempDir(), "sized")
	sample := func(args ...string) (int, string) {
		var output bytes.Buffer
		code := run(t.Context(), append([]string{"catalog", "sample", "--data", data}, args...), func(string) string { return "" }, &output, &output)
		return code, output.String()
	}
	for _, args := range [][]string{{"--clusters", "0"}, {"--clusters", "-1"}, {"--snapshots", "-1"}, {"--snapshots", "1001"}, {"--clusters", "many"}} {
		if code, output := sample(args...); code != exitUsage {
			t.Errorf("%v ends with %d: %s", args, code, output)
		}
	}
	if _, err := os.Stat(data); err == nil {
		t.Error("something was made for a size that cannot be")
	}
	code, output := sample("--clusters", "30", "--snapshots", "4")
	if code != exitOK || !strings.Contains(output, "has 30 clusters and 120 snapshots now") || !strings.Contains(output, "rekindle serve --data "+data) {
		t.Fatalf("it ends with %d: %s", code, output)
	}
	db, err := catalog.Open(t.Context(), catalog.File(filepath.Join(data, catalogFile)), clockwork.NewRealClock(), nil)
	if err != nil {
		t.Fatal(err)
	}
	clusters, err := db.Clusters.List(t.Context(), models.List{})
	sum, failed := db.Snapshots.Storage(t.Context())
	if clusters.Total != 30 || sum.Snapshots != 120 || err != nil || failed != nil {
		t.Errorf("%d clusters, %+v: %v, %v", clusters.Total, sum, err, failed)
	}
	if err := db.Close(); err != nil {
		t.Error(err)
	}
	before, _ := os.ReadFile(filepath.Join(data, catalogFile))
	if code, output := sample("--clusters", "1"); code != exitFailed || !strings.Contains(output, "there is already a file") {
		t.Errorf("over a catalog it ends with %d: %s", code, output)
	}
	if after, _ := os.ReadFile(filepath.Join(data, catalogFile)); !bytes.Equal(before, after) {
		t.Error("the catalog that was there has changed")
	}
}
