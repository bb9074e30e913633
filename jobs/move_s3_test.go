package jobs_test

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/jonboulle/clockwork"

	"rekindle/internal/store"
	"rekindle/internal/store/s3"
	"rekindle/internal/testkit"
	"rekindle/models"
)

func TestExportCopyAndImportThroughS3(t *testing.T) {
	t.Parallel()
	server := testkit.S3(t)
	server.Bucket("exports")
	c := newConsole(t, clockwork.NewRealClock())
	c.stop()
	c.open = func(ctx context.Context, url string) (store.Store, error) {
		config, err := s3.ParseURL(url)
		if err != nil {
			return nil, err
		}
		config.Credentials = server.Credentials()
		return s3.Open(ctx, config)
	}
	c.start()
	source := c.primary(c.create(c.spec("orders", 0))[0])
	testkit.Fill(t, source, 100)
	want := testkit.Fingerprint(t, source)
	c.snapshot("orders", "s1")

	options := "?region=" + testkit.S3Region + "&path_style=true&endpoint=" + server.Endpoint
	for _, run := range []models.Run{
		c.must(c.db.Copies.Export(t.Context(), models.ExportSpec{Snapshot: "s1", Name: "orders", Store: "s3://exports/daily" + options})),
		c.must(c.db.Copies.Copy(t.Context(), models.CopySpec{Snapshot: "s1", Name: "s1", Store: "s3://exports/archive" + options})),
	} {
		if run = c.awaitRun(run); run.Status != models.RunSucceeded {
			t.Fatalf("the %s is %s: %s", run.Kind, run.Status, run.Error)
		}
	}
	objects := testkit.Undescribed(server.Objects("exports", ""))
	slices.Sort(objects)
	if want := "archive/orders/s1/manifest.json archive/orders/s1/part-0001.rdb.zst daily/orders-0001.rdb"; strings.Join(anyAttempt(objects), " ") != want {
		t.Errorf("the bucket has %v", objects)
	}
	for name, object := range map[string]string{"from-export": "daily/orders-0001.rdb", "from-archive": objects[1]} {
		run := c.awaitRun(c.must(c.db.Copies.Import(t.Context(), models.ImportSpec{Cluster: "elsewhere", Name: name, Sources: []string{"s3://exports/" + object + options}})))
		if run.Status != models.RunSucceeded {
			t.Fatalf("the import of %s is %s: %s", object, run.Status, run.Error)
		}
		if c.restored(name, "r-"+name) != want {
			t.Errorf("%s brings other data back", object)
		}
	}
	again := c.awaitRun(c.must(c.db.Copies.Export(t.Context(), models.ExportSpec{Snapshot: "s1", Name: "orders", Store: "s3://exports/daily" + options})))
	if again.Status != models.RunFailed || !strings.Contains(again.Error, "already a file") {
		t.Errorf("exported over an object: %s %q", again.Status, again.Error)
	}
	for url, reason := range map[string]string{"s3://exports/daily/none.rdb": "no file", "s3://nowhere/x.rdb": ""} {
		run := c.awaitRun(c.must(c.db.Copies.Import(t.Context(), models.ImportSpec{Cluster: "elsewhere", Name: "x" + reason[:min(1, len(reason))], Sources: []string{url + options}})))
		if run.Status != models.RunFailed || !strings.Contains(run.Error, reason) {
			t.Errorf("import of %s: %s %q", url, run.Status, run.Error)
		}
	}
	if open := server.OpenUploads("exports", ""); len(open) != 0 {
		t.Errorf("open uploads: %v", open)
	}
}
