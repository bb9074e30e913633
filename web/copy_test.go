package web

import (
	"net/http"
	"testing"

	"rekindle/models"
)

func TestCopyAndExportFormsNameEveryMistakeAndKeepWhatWasTyped(t *testing.T) {
	t.Parallel()
	c := signedIn(t)
	c.launch("orders")
	c.backUp("orders", "one")
	c.get("/snapshots/one").says("/snapshots/one/copy", "/snapshots/one/export")
	c.get("/snapshots").says(importPath)
	c.get("/snapshots/nobody/copy").is(http.StatusNotFound)
	c.get("/snapshots/nobody/export").is(http.StatusNotFound)

	c.get("/snapshots/one/copy").is(http.StatusOK).says("copy-snapshot", "--target-snapshot-name one-copy", `value="one-copy"`)
	c.post("/snapshots/one/copy", "name", "a--b", "store", "nowhere").is(http.StatusUnprocessableEntity).
		says("2 fields need another look", "two hyphens in a row", "It must look like s3://bucket/prefix", `value="a--b"`, `value="nowhere"`)
	c.post("/snapshots/one/copy", "name", "one").is(http.StatusUnprocessableEntity).says("There is already a snapshot one.")
	c.post("/snapshots/one/copy", "name", "x", "store", "s3://key:secret@bucket").is(http.StatusUnprocessableEntity).says("Keep access keys out")

	c.get("/snapshots/one/export").is(http.StatusOK).says("--target-bucket BUCKET", "one-0001.rdb")
	c.post("/snapshots/one/export", "name", "", "store", "").is(http.StatusUnprocessableEntity).says("Enter a name.", "Say where the files are to go")
	c.post("/snapshots/one/export", "name", "x", "store", "dir:relative").is(http.StatusUnprocessableEntity).says("the whole path of the folder", `value="dir:relative"`)
	c.post("/snapshots/one/export", "name", "x", "store", "s3://exports/daily").redirects("/snapshots/one")
	c.post("/snapshots/one/copy", "name", "two").redirects("/snapshots/two")
	c.get("/snapshots/two").says("Copy one to two", "Copied from one")
	c.get("/snapshots/one").says("Copying", "Export one to s3://exports/daily", "Copy one to two")
	snapshot, err := c.db.Snapshots.Get(t.Context(), "two")
	if err != nil || snapshot.Source != models.SourceManual || snapshot.Status != models.SnapshotCreating {
		t.Errorf("the copy is %+v (%v)", snapshot, err)
	}
	// What is made cannot be copied.
	c.get("/snapshots/two/copy").is(http.StatusConflict)
	c.post("/snapshots/two/export", "name", "x", "store", "dir:/x").is(http.StatusConflict)
	// A copy that waits can be cancelled; its source is let go.
	runs, err := c.db.Runs.Active(t.Context())
	if err != nil || len(runs) != 2 {
		t.Fatalf("%d runs (%v)", len(runs), err)
	}
	for _, run := range runs {
		if err := c.db.Runs.Cancel(t.Context(), run.ID); err != nil {
			t.Fatal(err)
		}
	}
	if snapshot, err = c.db.Snapshots.Get(t.Context(), "one"); err != nil || snapshot.Status != models.SnapshotAvailable {
		t.Errorf("the source is %s (%v)", snapshot.Status, err)
	}
}
