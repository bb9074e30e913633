package web

import (
	"flag"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"rekindle/models"
)

var update = flag.Bool("update", false, "write the golden files anew")

func TestRateAndTimeLeft(t *testing.T) {
	t.Parallel()
	started := noon.Add(-10 * time.Second)
	for name, one := range map[string]struct {
		run  models.Run
		rate int64
		left time.Duration
	}{
		"half way":                   {models.Run{Status: models.RunRunning, StartedAt: &started, BytesDone: 500, BytesTotal: 1000}, 50, 10 * time.Second},
		"total unknown":              {models.Run{Status: models.RunRunning, StartedAt: &started, BytesDone: 500}, 50, 0},
		"more than was estimated":    {models.Run{Status: models.RunRunning, StartedAt: &started, BytesDone: 1500, BytesTotal: 1000}, 150, 0},
		"nothing yet":                {models.Run{Status: models.RunRunning, StartedAt: &started, BytesTotal: 1000}, 0, 0},
		"just begun":                 {models.Run{Status: models.RunRunning, StartedAt: &noon, BytesDone: 500, BytesTotal: 1000}, 0, 0},
		"waiting":                    {models.Run{Status: models.RunQueued, BytesTotal: 1000}, 0, 0},
		"over":                       {models.Run{Status: models.RunFailed, StartedAt: &started, EndedAt: &noon, BytesDone: 500, BytesTotal: 1000}, 0, 0},
		"more than fits into an int": {models.Run{Status: models.RunRunning, StartedAt: &started, BytesDone: 1 << 30, BytesTotal: 1 << 50}, 107374182, 10485750 * time.Second},
	} {
		got := presentRun(one.run, noon)
		if got.Rate != one.rate || got.Left != one.left {
			t.Errorf("%s: %d bytes a second, %s left; want %d, %s", name, got.Rate, got.Left, one.rate, one.left)
		}
	}
}

func TestMoneyAndBrowsers(t *testing.T) {
	t.Parallel()
	for currency, want := range map[string]string{"$": "$1.50", "EUR": "EUR 1.50", "€": "€1.50", "US$": "US$1.50"} {
		if got := money(models.Settings{Currency: currency}, 1.5); got != want {
			t.Errorf("money in %s: %q, want %q", currency, got, want)
		}
	}
	for agent, want := range map[string]string{
		"Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0":                                         "Firefox on Linux",
		"Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0 Safari/537.36 Edg/140.0":      "Edge on Windows",
		"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18 Safari/605": "Safari on macOS",
		"curl/8.5.0": "curl", "": "", "own client": "own client",
	} {
		if got := agentName(agent); got != want {
			t.Errorf("agentName(%q) = %q, want %q", agent, got, want)
		}
	}
}

func TestTheExportHasItsDocumentedSchemaAndNoSecrets(t *testing.T) {
	t.Parallel()
	c := signedIn(t)
	answer := c.get("/export.json").is(http.StatusOK)
	if answer.header.Get("Content-Type") != "application/json" {
		t.Errorf("Content-Type %q", answer.header.Get("Content-Type"))
	}
	answer.says(`"clusters": []`, `"snapshots": []`)

	password := c.launch("orders", func(s *models.ClusterSpec) { s.Auth, s.Description = models.AuthGenerate, `<all> the "orders"` }).Password.Reveal()
	c.launch("quiet", func(s *models.ClusterSpec) { s.Retention, s.Replicas, s.Window = 0, 0, models.Window{} })
	c.backUp("orders", "first")
	_, err := c.db.Snapshots.Request(t.Context(), "orders", "broken", false, "admin")
	c.check(err)
	c.check(c.db.Settle.Fail(t.Context(), c.claim(), models.RunFailed, "The disk is full."))
	c.backUp("quiet", "last")
	c.check(c.db.Clusters.Delete(t.Context(), "quiet", models.DeleteSpec{RequestedBy: "admin"}))
	c.check(c.db.Settle.ClusterDeletion(t.Context(), c.claim()))

	answer = c.get("/export.json").is(http.StatusOK).doesNotSay(password)
	golden := filepath.Join("testdata", "export.json")
	if *update {
		c.check(os.MkdirAll("testdata", 0o755))
		c.check(os.WriteFile(golden, []byte(answer.raw), 0o644))
	}
	want, err := os.ReadFile(golden)
	c.check(err)
	if answer.raw != string(want) {
		t.Errorf("the export is not as in %s; when the schema was changed on purpose, change docs/export.md and run with -update.\n%s", golden, answer.raw)
	}
}

func TestTheActivityIsFilteredByEachKindOfRun(t *testing.T) {
	t.Parallel()
	c := signedIn(t)
	c.launch("orders")
	page := c.get("/runs")
	for _, kind := range models.RunKinds() {
		page.says(`<option value="`+runKindName(kind)+`"`, kind.Label())
	}
	c.get("/runs?kind=create").says("Create orders")
	c.get("/runs?kind=delete-cluster").doesNotSay("Create orders")
}
