package views

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"rekindle/static"
)

// What the content security policy refuses: such a page would look or behave differently from what is tested here.
var forbidden = map[string]*regexp.Regexp{
	"inline style":        regexp.MustCompile(`(?i)<[^>]*\sstyle\s*=`),
	"style element":       regexp.MustCompile(`(?i)<style\b`),
	"inline script":       regexp.MustCompile(`(?i)<script(\s[^>]*)?>[^<]`),
	"script without src":  regexp.MustCompile(`(?i)<script\s*>`),
	"event attribute":     regexp.MustCompile(`(?i)<[a-z][^>]*\son[a-z]+\s*=`),
	"javascript address":  regexp.MustCompile(`(?i)javascript:`),
	"htmx evaluation":     regexp.MustCompile(`(?i)\shx-on|js:\{|hx-vals="js`),
	"address from afar":   regexp.MustCompile(`(?i)(src|href|action|formaction)="(https?:)?//`),
	"refused address":     regexp.MustCompile(`about:invalid`),
	"lonely dash":         regexp.MustCompile(`>\s*[-–—]\s*<`),
	"Go value":            regexp.MustCompile(`%!|<nil>|\{\{`),
	"zero time":           regexp.MustCompile(`0001-01-01`),
	"target without form": regexp.MustCompile(`(?i)target="_blank"`),
}

func TestAnEndpointInIPv6HasBrackets(t *testing.T) {
	p := Cluster{Host: "fd00::5", Port: 6379, Engine: "redis"}
	if p.endpoint() != "[fd00::5]:6379" || p.url() != "redis://[fd00::5]:6379/0" || p.cliCommand() != "redis-cli -h fd00::5 -p 6379" {
		t.Errorf("%s, %s, %s", p.endpoint(), p.url(), p.cliCommand())
	}
}

func TestPagesAreCleanUnderTheContentSecurityPolicy(t *testing.T) {
	for _, p := range samplePages() {
		html := render(t, p.page)
		for what, pattern := range forbidden {
			if found := pattern.FindString(html); found != "" {
				t.Errorf("%s: %s: %s", p.name, what, found)
			}
		}
		if !strings.HasPrefix(html, "<!doctype html>") && !strings.HasPrefix(html, "<!DOCTYPE html>") {
			t.Errorf("%s does not begin with a doctype: %.40q", p.name, html)
		}
	}
}

var (
	ids        = regexp.MustCompile(`\sid="([^"]+)"`)
	references = regexp.MustCompile(`\s(?:for|aria-labelledby|data-couple)="([^"]+)"`)
	described  = regexp.MustCompile(`\saria-describedby="([^"]+)"`)
	regions    = regexp.MustCompile(`role="region" aria-label="([^"]+)"`)
	posts      = regexp.MustCompile(`<form[^>]*method="post"[^>]*>`)
)

func TestLabelsAndHelpsLeadSomewhere(t *testing.T) {
	for _, p := range samplePages() {
		html := render(t, p.page)
		seen := map[string]bool{}
		for _, m := range ids.FindAllStringSubmatch(html, -1) {
			if seen[m[1]] {
				t.Errorf("%s: the id %s is there twice", p.name, m[1])
			}
			seen[m[1]] = true
		}
		for _, m := range references.FindAllStringSubmatch(html, -1) {
			if !seen[m[1]] {
				t.Errorf("%s: nothing has the id %s", p.name, m[1])
			}
		}
		for _, m := range described.FindAllStringSubmatch(html, -1) {
			for _, id := range strings.Fields(m[1]) {
				if !seen[id] {
					t.Errorf("%s: aria-describedby names %s, which is not there", p.name, id)
				}
			}
		}
		labels := map[string]bool{}
		for _, m := range regions.FindAllStringSubmatch(html, -1) {
			if labels[m[1]] {
				t.Errorf("%s: two regions are called %s", p.name, m[1])
			}
			labels[m[1]] = true
		}
		if strings.Count(html, "<h1") != 1 {
			t.Errorf("%s has %d main headings", p.name, strings.Count(html, "<h1"))
		}
		for _, form := range posts.FindAllString(html, -1) {
			if !strings.Contains(form, `action="/`) {
				t.Errorf("%s: a form without an action: %s", p.name, form)
			}
		}
	}
}

func TestWhatPeopleTypedIsEscapedAndKept(t *testing.T) {
	html := render(t, ClusterFormPage(sampleShell(NavClusters, "Create"), sampleFormWrong()))
	if strings.Contains(html, "<script>alert") {
		t.Error("a script got through")
	}
	for _, want := range []string{
		`value="Orders--&#34;&lt;script&gt;alert(1)&lt;/script&gt;"`, `value="lots"`, `value="36"`,
		"3 fields need another look", `id="e-retention"`, `aria-invalid="true"`, `href="#f-id"`,
		"A name starts with a letter and holds only a-z, 0-9 and single hyphens.",
	} {
		if !strings.Contains(html, want) {
			t.Errorf("%s is missing", want)
		}
	}
	list := List{Path: "/snapshots", Query: map[string][]string{"q": {`"><img src=x>`}}, Page: 1, Size: 10}
	html = render(t, SnapshotsPage(sampleShell(NavSnapshots, "Snapshots"), Snapshots{List: list, Any: true}))
	if strings.Contains(html, "<img") {
		t.Error("an image got through")
	}
	if !strings.Contains(html, "Nothing matches") {
		t.Error("the list does not say that nothing matches")
	}
}

func TestPasswordsAreNeverWrittenIntoForms(t *testing.T) {
	f := sampleForm("create")
	f.Values["password"] = "do-not-show-this-one"
	s := sampleShell(NavClusters, "x")
	if strings.Contains(render(t, ClusterFormPage(s, f)), "do-not-show-this-one") {
		t.Error("the form carries the password that was typed")
	}
	if strings.Contains(render(t, AccountSettingsPage(s, Fields{Values: map[string]string{"current": "do-not-show-this-one"}})), "do-not-show-this-one") {
		t.Error("the settings carry the password that was typed")
	}
}

func TestPollingIsLeftOutWhenNothingRuns(t *testing.T) {
	s := sampleShell(NavClusters, "orders")
	if html := render(t, ClusterPage(s, sampleCluster())); strings.Contains(html, "every ") && strings.Contains(html, "hx-get") {
		t.Error("a page without Poll asks for itself")
	}
	s.Live = true
	if html := render(t, ClusterPage(s, sampleCluster())); !strings.Contains(html, `hx-trigger="every 15000ms, awake"`) || strings.Contains(html, "data-work") {
		t.Error("a page that lives does not ask for itself now and then, or says that it follows work")
	}
	s.Poll = 1500 * time.Millisecond
	html := render(t, ClusterPage(s, sampleCluster()))
	for _, want := range []string{`hx-trigger="every 1500ms, awake"`, " data-work", `hx-get="/clusters?q=a&amp;sort=-created"`, `hx-select="#main"`, `hx-swap="outerMorph"`} {
		if !strings.Contains(html, want) {
			t.Errorf("%s is missing", want)
		}
	}
}

func TestEmptyListsOfferTheNextStep(t *testing.T) {
	s := sampleShell("", "x")
	for name, html := range map[string]string{
		"overview":  render(t, OverviewPage(s, Overview{})),
		"clusters":  render(t, ClustersPage(s, Clusters{})),
		"snapshots": render(t, SnapshotsPage(s, Snapshots{})),
		"runs":      render(t, RunsPage(s, RunList{})),
		"events":    render(t, EventsPage(s, EventList{})),
	} {
		if !strings.Contains(html, `class="empty"`) || !strings.Contains(html, `class="button`) {
			t.Errorf("%s: no empty state with a next step", name)
		}
	}
	if !strings.Contains(render(t, OverviewPage(s, Overview{})), "Create your first cluster") {
		t.Error("the empty overview does not offer the first cluster")
	}
}

var tags = regexp.MustCompile(`<[^>]*>`)

func text(html string) string {
	return strings.Join(strings.Fields(tags.ReplaceAllString(html, "")), " ")
}

func TestTheSentenceAboutTheSchedule(t *testing.T) {
	s := sampleShell("", "x")
	east := time.FixedZone("", 9*3600)
	midnight := Schedule{Enabled: true, Retention: 1, Start: 23*60 + 30, Length: 60}
	failed := sampleSchedule()
	failed.Last, failed.Failed, failed.FailedReason = nil, ago(time.Hour), "The link was cut"
	for _, c := range []struct {
		name     string
		zone     *time.Location
		schedule Schedule
		want     string
	}{
		{"usual", sampleZone, sampleSchedule(), "Every day between 03:00 and 04:00 UTC (04:00-05:00 your time), kept 7 days. Next: tomorrow at 03:12 UTC. Last: 9 hours ago, 1.2 GB in 14 s, from replica orders-002."},
		{"in UTC", nil, sampleSchedule(), "Every day between 03:00 and 04:00 UTC, kept 7 days. Next: tomorrow at 03:12 UTC. Last: 9 hours ago, 1.2 GB in 14 s, from replica orders-002."},
		{"across midnight", east, midnight, "Every day between 23:30 and 00:30 UTC (08:30-09:30 your time), kept 1 day. No next snapshot is planned. There is no good snapshot yet."},
		{"off", sampleZone, Schedule{}, "Automatic snapshots are off: nothing is taken unless somebody asks for it. There is no good snapshot yet."},
		{"failed", nil, failed, "Every day between 03:00 and 04:00 UTC, kept 7 days. Next: tomorrow at 03:12 UTC. There is no good snapshot yet. The last attempt failed 60 minutes ago: The link was cut."},
	} {
		s.Zone = c.zone
		got := text(render(t, ScheduleSentence(s, c.schedule)))
		want := strings.Replace(c.want, "60 minutes ago", "1 hour ago", 1)
		if got != want {
			t.Errorf("%s:\n got %s\nwant %s", c.name, got, want)
		}
	}
}

func TestTheStripCutsAtMidnight(t *testing.T) {
	if got := spans(23*60+30, 60); len(got) != 2 || got[0] != (daySpan{1410, 30}) || got[1] != (daySpan{0, 30}) {
		t.Errorf("across midnight: %v", got)
	}
	if got := spans(180-600, 60); len(got) != 1 || got[0] != (daySpan{1020, 60}) {
		t.Errorf("a zone behind: %v", got)
	}
	if got := spans(0, 1440); len(got) != 1 || got[0] != (daySpan{0, 1440}) {
		t.Errorf("all day: %v", got)
	}
}

// An address, a folder or a name that begins a sentence is written as it is.
func TestASentenceLeavesNamesAsTheyAre(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"dir:/proc/nothing cannot be used: the folder does not exist and cannot be created.": "dir:/proc/nothing cannot be used: the folder does not exist and cannot be created.",
		"s3://bucket/file is full":           "s3://bucket/file is full.",
		"orders-002 stopped answering":       "orders-002 stopped answering.",
		"maxmemory at 10.0.0.1:6379 is 0":    "maxmemory at 10.0.0.1:6379 is 0.",
		" Try again now? ":                   "Try again now?",
		"The cluster orders has no primary.": "The cluster orders has no primary.",
		"":                                   "",
	} {
		if got := sentence(text); got != want {
			t.Errorf("%q becomes %q, want %q", text, got, want)
		}
	}
	failed := RunDetail{Run: Run{Error: "dir:/proc/nothing cannot be used.", Status: "failed", Title: "Copy good of orders"}}
	if said := failed.wentWrong() + failed.ending(); strings.Contains(said, "Dir:") {
		t.Error(said)
	}
}

func TestSizesAndTimesInWords(t *testing.T) {
	for bytes, want := range map[int64]string{
		0: "0 B", 999: "999 B", 1000: "1 KB", 900e3: "900 KB", 1e6: "1.0 MB", 412e6: "412 MB", 512 << 20: "537 MB",
		999_600_000: "1.0 GB", 1229e6: "1.2 GB", 1 << 30: "1.1 GB", 1e12: "1,000 GB", -1: "unknown",
	} {
		if got := SizeText(bytes); got != want {
			t.Errorf("SizeText(%d) = %s, want %s", bytes, got, want)
		}
	}
	// What Amazon calls 0.5 and 6.38 GiB; the same unit as in every other sentence, here and in the packages models and jobs.
	for bytes, want := range map[int64]string{1 << 29: "537 MB (0.5 GiB)", 6_850_473_001: "6.9 GB (6.38 GiB)", 228_707_008: "229 MB (0.213 GiB)"} {
		if got := MemoryText(bytes); got != want {
			t.Errorf("MemoryText(%d) = %s, want %s", bytes, got, want)
		}
	}
	for d, want := range map[time.Duration]string{
		0: "just now", time.Minute: "1 minute ago", 9*time.Hour + 59*time.Minute: "9 hours ago", 50 * time.Hour: "2 days ago",
		-90 * time.Minute: "in 1 hour", 70 * 24 * time.Hour: "2 months ago",
	} {
		if got := RelativeText(ago(d), sampleNow); got != want {
			t.Errorf("%s: %s, want %s", d, got, want)
		}
	}
	for d, want := range map[time.Duration]string{
		850 * time.Millisecond: "850 ms", 14 * time.Second: "14 s", 1500 * time.Millisecond: "1.5 s", 125 * time.Second: "2 min 5 s",
		2 * time.Hour: "2 h", 75 * time.Hour: "3 d 3 h",
	} {
		if got := DurationText(d); got != want {
			t.Errorf("%s: %s, want %s", d, got, want)
		}
	}
	if got := ExactText(sampleNow, sampleZone); got != "2026-11-22 12:08:31 UTC (13:08:31 your time)" {
		t.Error(got)
	}
	for got, want := range map[string]string{Count(4_000_000): "4,000,000", Count(-1234): "-1,234", Count(999): "999", Plural(1, "node"): "1 node", Plural(2, "entry"): "2 entries"} {
		if got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}

func TestListAddressesKeepTheFilters(t *testing.T) {
	l := List{Path: "/snapshots", Query: map[string][]string{"cluster": {"orders"}, "page": {"3"}, "q": {""}}, Sort: "-created", Page: 3, Size: 25, Total: 128}
	if got := l.With("sort", "name"); got != "/snapshots?cluster=orders&sort=name" {
		t.Error(got)
	}
	if got := l.With("page", "4"); got != "/snapshots?cluster=orders&page=4" {
		t.Error(got)
	}
	if got := pagesAround(l); len(got) != 6 {
		t.Error(got)
	}
	if got := rangeText(l); got != "51 to 75 of 128" {
		t.Error(got)
	}
	for _, c := range []struct {
		is, descending, greatest bool
		want                     string
	}{{false, false, false, "size"}, {false, false, true, "-size"}, {true, false, false, "-size"}, {true, true, true, "size"}} {
		if got := sortTarget("size", c.is, c.descending, c.greatest); got != c.want {
			t.Errorf("%+v: %s", c, got)
		}
	}
}

// overviewOf is the overview of these clusters.
func overviewOf(clusters []Protection) Overview {
	o := Overview{Worst: clusters[:min(len(clusters), OverviewRows)]}
	for _, c := range clusters {
		o.Standings = append(o.Standings, Standing{State: c.State, Notice: c.Notice != "", Restorable: c.Newest != nil, Clusters: 1})
		if c.Newest != nil && c.State != CacheOnly && (o.Oldest.IsZero() || c.Newest.At.Before(o.Oldest)) {
			o.Oldest = c.Newest.At
		}
	}
	return o
}

func TestTheFirstQuestionIsAnswered(t *testing.T) {
	last := &LastSnapshot{Name: "a", At: ago(9 * time.Hour)}
	good := Protection{Cluster: "a", State: Protected, Newest: last}
	for _, c := range []struct {
		clusters    []Protection
		tone, title string
	}{
		{[]Protection{good}, "ok", "Yes: the cluster can be restored."},
		{[]Protection{good, good}, "ok", "Yes: all 2 clusters can be restored."},
		{[]Protection{good, {State: FirstPending}}, "warn", "1 of 2 clusters can be restored."},
		{[]Protection{good, {State: LastFailed, Newest: last}}, "bad", "Yes: all 2 clusters can be restored."},
		{[]Protection{{State: NoSchedule}}, "warn", "Not yet: the cluster has no good snapshot."},
		{[]Protection{good, {State: NothingInIt}}, "warn", "Yes: the cluster can be restored."}, // it is not there to be protected
		{[]Protection{good, {State: NothingInIt, Newest: last}}, "warn", "Yes: all 2 clusters can be restored."},
		{[]Protection{{State: NothingInIt}}, "warn", "There is nothing to restore."},
		{[]Protection{{State: Protected, Newest: last, Notice: "It was started empty."}}, "warn", "Yes: the cluster can be restored."},
		{[]Protection{{State: CacheOnly}}, "idle", "There is nothing to restore."},
		{slices.Repeat([]Protection{good}, 60), "ok", "Yes: all 60 clusters can be restored."},
	} {
		tone, title, _ := overviewOf(c.clusters).verdict(sampleNow)
		if tone != c.tone || title != c.title {
			t.Errorf("%s %s, want %s %s", tone, title, c.tone, c.title)
		}
	}
}

func TestWhatMustBeTyped(t *testing.T) {
	for want, p := range map[string]DeleteSnapshots{
		"before-migration":   {ChosenSnapshots: ChosenSnapshots{Count: 1, Rows: []ChosenSnapshot{{Name: "before-migration"}}}},
		"delete 3 snapshots": {ChosenSnapshots: ChosenSnapshots{Count: 3, Rows: []ChosenSnapshot{{Name: "a"}, {Name: "b"}}}},
	} {
		if got := p.Phrase(); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}

var iconNames = regexp.MustCompile(`(?:Icon|EmptyState)\("([a-z0-9-]+)"`)

func TestEveryIconIsThere(t *testing.T) {
	files, err := filepath.Glob("*.templ")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	names := []string{verdictIcon("ok"), verdictIcon("bad"), verdictIcon("")}
	for _, kind := range []string{"success", "info", "warning", "error"} {
		names = append(names, bannerIcon(kind), severityIcon(kind))
	}
	for _, e := range navigation {
		names = append(names, e.icon)
	}
	for _, mode := range []string{"create", "restore", "modify"} {
		icon, _ := ClusterForm{Mode: mode}.submit()
		names = append(names, icon)
	}
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range iconNames.FindAllStringSubmatch(string(content), -1) {
			names = append(names, m[1])
		}
	}
	for _, name := range names {
		if _, ok := static.Icon(name); !ok {
			t.Errorf("there is no icon %s", name)
		}
	}
}

// A command that sets a password says what Amazon asks of it; others do not.
func TestACommandSaysWhatAmazonAsksOfAPassword(t *testing.T) {
	t.Parallel()
	const token = ` --auth-token "${AUTH_TOKEN:?}"`
	for command, want := range map[string]string{
		"aws elasticache create-replication-group" + token:                                       "It refuses --auth-token without --transit-encryption-enabled; Rekindle does not.",
		"aws elasticache create-replication-group --transit-encryption-enabled" + token:          "only for clusters with encryption in transit",
		"aws elasticache modify-replication-group" + token + " --auth-token-update-strategy SET": "only for clusters with encryption in transit",
		"aws elasticache modify-replication-group --auth-token-update-strategy DELETE":           "",
	} {
		if text := tokenText(command); !strings.HasSuffix(text, strings.TrimSuffix(want, ".")+".") && want != "" || want == "" && text != "" || text != "" && !strings.Contains(text, "16 to 128") {
			t.Errorf("%s: %q", command, text)
		}
	}
}
