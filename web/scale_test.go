package web

import (
	"database/sql"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"rekindle/internal/secret"
	"rekindle/internal/testkit"
	"rekindle/models"
	"rekindle/models/catalog"
)

// scaled are pages that people look at, of a catalog that [catalog.DB.Sample] made.
var scaled = []struct{ name, path string }{
	{"overview", "/"},
	{"clusters", "/clusters"},
	{"clusters by memory", "/clusters?sort=-memory"},
	{"clusters by newest snapshot", "/clusters?sort=newest"},
	{"clusters, searched", "/clusters?q=shop-00042"},
	{"cluster", "/clusters/shop-00042"},
	{"cluster's snapshots", "/clusters/shop-00042?tab=snapshots"},
	{"cluster's history", "/clusters/shop-00042?tab=history"},
	{"protected clusters", "/clusters?standing=protected"},
	{"cost", "/cost"},
	{"windows", "/windows"},
	{"failed runs of a day", "/runs?since=day&status=failed"},
	{"snapshots", "/snapshots"},
	{"snapshots of a cluster", "/snapshots?cluster=shop-00042"},
	{"snapshots, last page", "/snapshots?page=999999"},
	{"taking a snapshot", "/snapshots/-/new"},
	{"importing", "/snapshots/-/import"},
	{"new cluster", "/clusters/-/new"},
	{"runs", "/runs"},
	{"events", "/events"},
	{"settings", "/settings/storage"},
}

// BenchmarkPages prints what each page of a large catalog costs. REKINDLE_BENCH_CLUSTERS and REKINDLE_BENCH_SNAPSHOTS say how large it is.
func BenchmarkPages(b *testing.B) {
	size := func(name string, otherwise int) int {
		if n, err := strconv.Atoi(os.Getenv(name)); err == nil {
			return n
		}
		return otherwise
	}
	clusters, snapshots := size("REKINDLE_BENCH_CLUSTERS", 10_000), size("REKINDLE_BENCH_SNAPSHOTS", 35)
	fmt.Printf("%d clusters, %d snapshots\n", clusters, clusters*snapshots)
	fmt.Println("\nSQLite")
	pages(b, sampled(b, newConsole(b), clusters, snapshots))

	server := testkit.Postgres(b)
	database, err := server.Database("")
	if err != nil {
		b.Fatal(err)
	}
	c := sampled(b, newConsoleOn(b, catalog.Place{URL: secret.Text(database), Folder: b.TempDir()}), clusters, snapshots)
	if err := server.Settle(database); err != nil {
		b.Fatal(err)
	}
	fmt.Println("\nPostgreSQL")
	pages(b, c)
	b.ReportMetric(0, "ns/op")
}

func pages(b *testing.B, c *console) {
	fmt.Printf("| page | median ms | p99 ms | KB |\n|---|---:|---:|---:|\n")
	for _, page := range scaled {
		if only := os.Getenv("REKINDLE_BENCH_PAGE"); only != "" && only != page.name {
			continue
		}
		times := make([]time.Duration, 0, 40)
		kilobytes := 0
		for range cap(times) {
			began := time.Now()
			answer := c.get(page.path)
			times = append(times, time.Since(began))
			if answer.status != http.StatusOK {
				b.Fatalf("%s answers %d", page.path, answer.status)
			}
			kilobytes = len(answer.raw) / 1000
			if began := times[len(times)-1]; began > 2*time.Second && len(times) > 2 {
				break
			}
		}
		slices.Sort(times)
		fmt.Printf("| %s | %.1f | %.1f | %d |\n", page.name, ms(times[len(times)/2]), ms(times[len(times)*99/100]), kilobytes)
	}
	if os.Getenv("REKINDLE_BENCH_PAGE") != "" {
		return
	}
	c.browser.Timeout = 0 // it takes what it takes
	began := time.Now()
	answer := c.get("/export.json")
	fmt.Printf("| export | %.0f | | %d |\n", ms(time.Since(began)), len(answer.raw)/1000)
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// sampled is a console on such a catalog, with the admin signed in.
func sampled(tb testing.TB, c *console, clusters, snapshots int) *console {
	tb.Helper()
	c.signIn()
	if err := c.db.Sample(tb.Context(), clusters, snapshots); err != nil {
		tb.Fatal(err)
	}
	return c
}

// A page that lists everything would grow with the catalog. These are as large with four hundred clusters as with two hundred, except for the digits,
// and name no more of the clusters than fit on a page.
func TestPagesDoNotGrowWithTheCatalog(t *testing.T) {
	t.Parallel()
	few, many := sampled(t, newConsole(t), 200, 3), sampled(t, newConsole(t), 400, 3)
	for _, page := range scaled {
		path := strings.ReplaceAll(page.path, "shop-00042", "shop-00142")
		a, b := few.get(path).is(http.StatusOK), many.get(path).is(http.StatusOK)
		if grown := len(b.raw) - len(a.raw); grown > 200 {
			t.Errorf("%s (%s) has %d bytes with 200 clusters and %d with 400", page.name, path, len(a.raw), len(b.raw))
		}
	}
}

func TestAmongManyClustersOneIsFoundByTyping(t *testing.T) {
	t.Parallel()
	c := sampled(t, newConsole(t), maxChoices+1, 1)
	for _, path := range []string{"/snapshots", "/snapshots/-/new", "/snapshots/-/import", "/runs", "/events"} {
		if path == "/runs" || path == "/events" {
			c.backUp("shop-00042", "by-hand-of"+strings.ReplaceAll(path, "/", "-"))
			c.check(c.db.Events.Add(t.Context(), models.Event{ClusterName: "shop-00042", Severity: models.SeverityInfo, Message: "Something."}))
		}
		answer := c.get(path).is(http.StatusOK).says(`hx-get="/clusters/-/names"`, `<option value="shop-00001">`)
		if n := strings.Count(answer.raw, "<option value=\"shop-"); n != maxSuggestions {
			t.Errorf("%s offers %d clusters", path, n)
		}
	}
	c.get("/clusters/-/names?cluster=0004").is(http.StatusOK).says(`<option value="shop-00040">`, `<option value="shop-00049">`).doesNotSay("shop-00050")
	c.get("/clusters/-/names?cluster=" + url.QueryEscape(`%_"<`)).is(http.StatusOK).doesNotSay("option")
	c.get("/snapshots?cluster=shop-00042").is(http.StatusOK).says("automatic.shop-00042-", `value="shop-00042"`).doesNotSay("automatic.shop-00043-")
	c.get("/snapshots/-/new?cluster=shop-00042").is(http.StatusOK).says(`value="shop-00042"`, "From replica")
	c.post("/snapshots/-/new", "cluster", "shop-99999", "name", "x").is(http.StatusUnprocessableEntity).says("There is no cluster shop-99999.")
	c.another().get("/clusters/-/names?cluster=shop").redirects("/sign-in?next=%2Fclusters%2F-%2Fnames%3Fcluster%3Dshop")
}

func TestAnExportOfManyHasThemAllInOrder(t *testing.T) {
	t.Parallel()
	const snapshots = 3
	c := sampled(t, newConsole(t), exportBatch+7, snapshots)
	var all struct {
		Clusters []struct {
			ID       string
			Schedule struct {
				Newest string `json:"newest_good_snapshot"`
			}
			Nodes []struct{ Name string }
		}
		Snapshots []struct {
			Name      string
			CreatedAt time.Time `json:"created_at"`
			Exists    bool      `json:"cluster_exists"`
		}
	}
	c.check(json.Unmarshal([]byte(c.get("/export.json").is(http.StatusOK).raw), &all))
	if len(all.Clusters) != exportBatch+7 || len(all.Snapshots) != (exportBatch+7)*snapshots {
		t.Fatalf("%d clusters, %d snapshots", len(all.Clusters), len(all.Snapshots))
	}
	seen := make(map[string]bool)
	for i, s := range all.Snapshots {
		if seen[s.Name] || !s.Exists || i > 0 && s.CreatedAt.Before(all.Snapshots[i-1].CreatedAt) {
			t.Fatalf("snapshot %d is %+v", i, s)
		}
		seen[s.Name] = true
	}
	for i, cluster := range all.Clusters {
		if cluster.ID != fmt.Sprintf("shop-%05d", i) || len(cluster.Nodes) != 2 || !seen[cluster.Schedule.Newest] {
			t.Fatalf("cluster %d is %+v", i, cluster)
		}
	}
}

func TestAnExportThatFailsInItsMiddleIsCut(t *testing.T) {
	t.Parallel()
	c := sampled(t, newConsole(t), 3, 1)
	raw, err := sql.Open("sqlite3", c.path)
	c.check(err)
	defer raw.Close()
	_, err = raw.ExecContext(t.Context(), "ALTER TABLE snapshots RENAME TO elsewhere") // what comes after the clusters' names
	c.check(err)
	response, err := c.browser.Get(c.server.URL + "/export.json")
	c.check(err)
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err == nil || response.StatusCode != http.StatusOK || !strings.Contains(string(body), `"format_version": 1`) || json.Valid(body) {
		t.Errorf("it answered %d, ended with %v, and gave %s", response.StatusCode, err, body)
	}
	if said := c.log.String(); !strings.Contains(said, "msg=export") {
		t.Errorf("the log has nothing of it:\n%s", said)
	}
}

func TestNoPageOfALargeCatalogIsLarge(t *testing.T) {
	t.Parallel()
	const most = 150 << 10 // before compression
	c := sampled(t, newConsole(t), 120, 3)
	for _, page := range scaled {
		if size := len(c.get(page.path).body); size > most || size < 1000 {
			t.Errorf("%s has %d bytes", page.name, size)
		}
	}
}

// What a page asks of the catalog, and what it gets, does not grow with the catalog: no more queries than given here, and no more rows with many
// clusters than with fewer.
func TestPagesAskNoMoreOfALargeCatalog(t *testing.T) {
	t.Parallel()
	most := map[string]int{"overview": 38, "clusters": 15, "clusters by memory": 15, "clusters by newest snapshot": 15, "clusters, searched": 15, "cluster": 25, "cluster's snapshots": 28, "cluster's history": 28, "protected clusters": 17, "cost": 24, "windows": 14, "failed runs of a day": 14,
		"snapshots": 12, "snapshots of a cluster": 14, "snapshots, last page": 14, "taking a snapshot": 16, "importing": 10, "new cluster": 14, "runs": 12, "events": 10, "settings": 22}
	asked := make([]map[string]int64, 2)
	for i, clusters := range []int{200, 400} {
		c := sampled(t, newConsole(t), clusters, 3)
		var mutex sync.Mutex
		var queries []string
		rows := int64(0)
		c.db.Watch(func(query string, n int64) {
			mutex.Lock()
			defer mutex.Unlock()
			queries, rows = append(queries, query), rows+n
		})
		asked[i] = make(map[string]int64)
		for _, page := range scaled {
			queries, rows = nil, 0
			c.get(strings.ReplaceAll(page.path, "shop-00042", "shop-00142")).is(http.StatusOK)
			asked[i][page.name] = rows
			if len(queries) > most[page.name] {
				t.Errorf("%s asks %d queries, more than %d:\n%s", page.name, len(queries), most[page.name], strings.Join(queries, "\n"))
			}
		}
	}
	for page, rows := range asked[0] {
		if more := asked[1][page]; more > rows || rows > 600 {
			t.Errorf("%s reads %d rows with 200 clusters and %d with 400", page, rows, more)
		}
	}
}
