package web

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"time"

	"rekindle/internal/secret"
	"rekindle/models"
)

const metricsToken = "d1rty-l1ttle-s3cret"

// metricsOf asks like Prometheus does.
func (c *console) metricsOf(token string) (status int, body string) {
	c.t.Helper()
	request, err := http.NewRequestWithContext(c.t.Context(), http.MethodGet, c.server.URL+"/metrics", nil)
	if err != nil {
		c.t.Fatal(err)
	}
	if token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}
	response, err := c.server.Client().Do(request)
	if err != nil {
		c.t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	var text bytes.Buffer
	if _, err := text.ReadFrom(response.Body); err != nil {
		c.t.Fatal(err)
	}
	return response.StatusCode, text.String()
}

func withToken(c *Config) { c.MetricsToken = secret.Text(metricsToken) }

func TestMetricsAreForWhoeverHasTheToken(t *testing.T) {
	t.Parallel()
	open, closed := newConsole(t, withToken), newConsole(t)
	for name, test := range map[string]struct {
		c      *console
		token  string
		status int
		says   string
	}{
		"nothing is set": {closed, metricsToken, http.StatusForbidden, "Metrics are off here."},
		"no token":       {open, "", http.StatusUnauthorized, "Send the token"},
		"a wrong one":    {open, metricsToken + "x", http.StatusUnauthorized, "Send the token"},
		"the right one":  {open, metricsToken, http.StatusOK, "rekindle_build_info{"},
	} {
		if status, body := test.c.metricsOf(test.token); status != test.status || !strings.Contains(body, test.says) {
			t.Errorf("%s: %d %.300s", name, status, body)
		}
	}
}

func TestMetricsSayHowBackupsAre(t *testing.T) {
	t.Parallel()
	c := newConsole(t, withToken)
	orders := c.launch("orders")
	taken := c.backUp("orders", "morning")
	c.launch("parcels")
	c.clock.Advance(90 * time.Minute)
	c.check(c.db.Recording.Save(t.Context(), "orders", models.JournalPlan{Kept: true, Days: 1, Promise: models.DefaultPromise}, "admin"))
	link := c.follow(orders, "run1", "history")
	c.check(c.db.Recording.Stored(t.Context(), link, models.JournalSegment{ClusterID: orders.ID, Shard: 1, Run: "run1", To: 10, Begin: c.clock.Now(), End: c.clock.Now(), Key: "one"}, nil, ""))
	age := c.clock.Now().Sub(taken.CreatedAt)
	_, body := c.metricsOf(metricsToken)
	for _, line := range []string{
		`rekindle_build_info{goversion="go`, "rekindle_catalog_up 1", "rekindle_store_up 1", "rekindle_clusters 2", "rekindle_clusters_omitted 0",
		`rekindle_cluster_restorable{cluster="orders"} 1`, `rekindle_cluster_restorable{cluster="parcels"} 0`, fmt.Sprintf(`rekindle_cluster_recovery_point_age_seconds{cluster="orders"} %v`, age.Seconds()),
		`rekindle_cluster_reachable{cluster="orders"} 1`, `rekindle_snapshots{status="available"} 1`, `rekindle_runs_active{kind="verify",status="queued"} 0`, "rekindle_lease_held 1",
		`rekindle_journal_recording{cluster="orders"} 1`, fmt.Sprintf(`rekindle_journal_stored_timestamp_seconds{cluster="orders"} %v`, float64(c.clock.Now().Unix())),
	} {
		if !strings.Contains(body, "\n"+line) {
			t.Errorf("there is no line %s", line)
		}
	}
	if strings.Contains(body, "cluster_last_success_timestamp_seconds{cluster=\"parcels\"}") || strings.Contains(body, "morning") {
		t.Errorf("they tell of what is not there, or of a snapshot by its name:\n%s", body)
	}

	c.jobs.change(func(a *answers) {
		a.checkStore = func() error { return models.Refuse(models.CodeInvalid, "", "It is away.") }
	})
	if err := c.db.Close(); err != nil {
		t.Fatal(err)
	}
	status, body := c.metricsOf(metricsToken)
	if status != http.StatusOK || !strings.Contains(body, "\nrekindle_catalog_up 0") || !strings.Contains(body, "\nrekindle_store_up 0") || strings.Contains(body, "cluster=") {
		t.Errorf("without catalog and store: %d\n%s", status, body)
	}
}

// Prometheus's own tool judges the metrics and the rules, and every metric that rules and dashboard use exists.
func TestPromtoolTakesMetricsAndRules(t *testing.T) {
	t.Parallel()
	c := newConsole(t, withToken)
	c.launch("orders")
	c.backUp("orders", "morning")
	_, metrics := c.metricsOf(metricsToken)
	promtool := func(input string, args ...string) {
		t.Helper()
		command := exec.CommandContext(t.Context(), "promtool", args...)
		command.Stdin, command.Dir = strings.NewReader(input), "../docs/monitoring"
		if output, err := command.CombinedOutput(); err != nil {
			t.Errorf("promtool %s: %v\n%s", strings.Join(args, " "), err, output)
		}
	}
	promtool(metrics, "check", "metrics")
	promtool("", "check", "rules", "alerts.yaml")
	promtool("", "test", "rules", "alerts_test.yaml")

	var known strings.Builder
	known.WriteString(metrics)
	for _, desc := range gauges {
		known.WriteString(desc.String())
	}
	known.WriteString("rekindle_runs_total rekindle_run_failures_total rekindle_run_duration_seconds_bucket") // of jobs/measure
	for _, file := range []string{"alerts.yaml", "dashboard.json"} {
		text, err := os.ReadFile("../docs/monitoring/" + file)
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasSuffix(file, ".json") && !json.Valid(text) {
			t.Errorf("%s is not JSON", file)
		}
		used := regexp.MustCompile(`\brekindle_[a-z_]+`).FindAllString(string(text), -1)
		if len(used) < 10 {
			t.Errorf("%s uses %d metrics", file, len(used))
		}
		for _, name := range used {
			if !strings.Contains(known.String(), name) {
				t.Errorf("%s uses %s, which there is not", file, name)
			}
		}
	}
	documented, err := os.ReadFile("../docs/monitoring.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, desc := range gauges {
		name := regexp.MustCompile(`"rekindle_([a-z_]+)"`).FindStringSubmatch(desc.String())[1]
		if !strings.Contains(string(documented), "`"+name+"`") {
			t.Errorf("docs/monitoring.md does not have %s", name)
		}
	}
}

func TestMetricsAtTheirOwnAddressNeedNoToken(t *testing.T) {
	t.Parallel()
	c := newConsole(t)
	answer := httptest.NewRecorder()
	Metrics(Config{DB: c.db, Jobs: c.jobs, Clock: c.clock, Logger: slog.New(slog.DiscardHandler), Version: "1.2.3"}).ServeHTTP(answer, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/metrics", nil))
	if answer.Code != http.StatusOK || !strings.Contains(answer.Body.String(), `rekindle_build_info{goversion="go`) {
		t.Errorf("%d %s", answer.Code, answer.Body)
	}
}
