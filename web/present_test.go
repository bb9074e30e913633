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

// The numbers are those of what a run is doing at present: nothing is said of a step that has none, and nothing of a whole run from its last step.
func TestNumbersOfARunAreThoseOfItsStep(t *testing.T) {
	t.Parallel()
	started, since := noon.Add(-time.Minute), noon.Add(-4*time.Second)
	back := models.Run{Status: models.RunRunning, StartedAt: &started, StepSince: &since, Stage: "Reading back", Step: 2, Steps: 2, BytesDone: 400, BytesTotal: 800}
	waiting, ended, plain := back, back, back
	waiting.StepSince = nil
	ended.Status, ended.EndedAt = models.RunSucceeded, &noon
	plain.Status, plain.EndedAt, plain.Step, plain.Steps = models.RunSucceeded, &noon, 1, 1
	for name, one := range map[string]struct {
		run                     models.Run
		number                  int
		done, total, rate, left int64
		result                  string
	}{
		"reading back":          {run: back, number: 2, done: 400, total: 800, rate: 100, left: 4},
		"without numbers":       {run: waiting},
		"over, of two steps":    {run: ended},
		"over, of only one":     {run: plain, done: 400, result: "400 B in 1 min."},
		"waits for its turn":    {run: models.Run{Status: models.RunQueued, BytesDone: 5}},
		"from an older version": {run: models.Run{Status: models.RunFailed, StartedAt: &started, EndedAt: &noon, BytesDone: 5}, done: 5},
	} {
		got := presentRun(one.run, noon)
		if got.Number != one.number || got.Done != one.done || got.Total != one.total || got.Rate != one.rate || got.Left != time.Duration(one.left)*time.Second || got.Result != one.result {
			t.Errorf("%s: step %d, %d of %d, %d bytes a second, %s left, %q", name, got.Number, got.Done, got.Total, got.Rate, got.Left, got.Result)
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
	c.check(c.db.Drills.SavePlan(t.Context(), "orders", models.DrillPlan{Every: models.Weekly, Window: models.Window{Start: 300, Length: 60}, Day: 3}, "admin"))
	c.drill("first", models.Drill{Outcome: models.DrillPassed})
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
