package views

import (
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"
)

// sampleHistory is that of a cluster to which everything has happened.
func sampleHistory() ClusterHistory {
	outcomes := []string{WindowTaken, WindowTaken, WindowRetried, WindowFailed, WindowMissed, WindowTaken, WindowIdle}
	var h ClusterHistory
	today := sampleNow.UTC().Truncate(24 * time.Hour)
	for i := range 35 {
		day := WindowDay{Date: today.AddDate(0, 0, i-34), Outcome: outcomes[i%len(outcomes)], Href: Link("runs", itoa(i))}
		switch {
		case i == 33:
			day.Outcome = WindowBusy
		case i == 34:
			day.Outcome, day.Href = WindowAhead, ""
		case day.Outcome == WindowIdle:
			day.Href = ""
		case day.Outcome == WindowFailed:
			day.Note = `The replica said "<b>no</b>".`
		}
		h.Days = append(h.Days, day)
	}
	var points []PlotPoint
	for i := range 30 {
		at := today.AddDate(0, 0, i-33).Add(3 * time.Hour)
		if i == 11 || i == 12 {
			continue
		}
		bytes := int64(1_100_000_000 + 23_000_000*i + 40_000_000*(i%5))
		point := PlotPoint{At: at, Value: float64(bytes), Text: SizeText(bytes), Name: "automatic.orders-" + at.Format("2006-01-02"), Other: i%9 == 4}
		if i > 7 {
			point.Href = Link("snapshots", point.Name)
		}
		points = append(points, point)
	}
	for i, title := range []string{"Size", "Stored size", "Duration", "Rate"} {
		plot := Plot{ID: "plot-" + itoa(i), Title: title, What: "Snapshot", From: today.AddDate(0, 0, -35), To: sampleNow, Points: points, Scale: PlotBytes, Gap: 36 * time.Hour}
		if i == 3 {
			plot.Points, plot.Empty = nil, "How fast they were taken is not known."
		}
		h.Plots = append(h.Plots, plot)
	}
	return h
}

// sampleImpact is that of a part that took twelve seconds to read.
func sampleImpact() *Impact {
	began := ago(time.Minute)
	plot := func(id, title string, scale PlotScale, value func(i int) (float64, string)) Plot {
		p := Plot{ID: id, Title: title, From: began.Add(-time.Second), To: began.Add(15 * time.Second), Zero: began, Scale: scale, Dense: true,
			Span: PlotSpan{began, began.Add(12 * time.Second), "While it was read"}}
		for i := range 60 {
			v, text := value(i)
			p.Points = append(p.Points, PlotPoint{At: began.Add(time.Duration(i-4) * 266 * time.Millisecond), Value: v, Text: text})
		}
		return p
	}
	ping := func(i int) (float64, string) {
		d := time.Duration(180+i*37%90) * time.Microsecond
		if i == 4 {
			d = 14 * time.Millisecond
		}
		return d.Seconds(), LatencyText(d)
	}
	rate := func(i int) (float64, string) { v := 8000 + i*911%1500; return float64(v), Count(v) }
	memory := func(i int) (float64, string) {
		v := int64(1_100_000_000 + 400_000*min(i, 48))
		return float64(v), SizeText(v)
	}
	return &Impact{
		Sentences: []string{"The fork took 14 ms; the replica orders-002 answered PING in 0.25 ms while it was read, at the slowest in 14 ms (in 0.22 ms before); copy-on-write needed 12 MB.",
			"The primary orders-001 answered PING in 0.24 ms while it was read, at the slowest in 0.9 ms (in 0.21 ms before)."},
		Parts:  []ImpactPart{{"Part 1: orders-002", "/runs/7?part=1#impact", true}, {"Part 2: orders-004", "/runs/7?part=2#impact", false}},
		More:   3,
		Lagged: true, Waited: true,
		Rows: []ImpactRow{{"replica orders-002", "Before", "0.22 ms", "0.3 ms", "8,113", "1.1 GB", "0 B", "0"}, {"replica orders-002", "While it was read", "0.25 ms", "14 ms", "8,420", "1.1 GB", "12 KB", "3"},
			{"primary orders-001", "Before", "0.21 ms", "0.24 ms", "", "", "0 B", "0"}},
		Plots: []Plot{plot("impact-ping-1", "PING, replica orders-002", PlotLatency, ping), plot("impact-rate-1", "Commands a second, replica orders-002", PlotPace, rate), plot("impact-memory-1", "Memory, replica orders-002", PlotBytes, memory)},
	}
}

func samplePlan() DayPlan {
	plan := DayPlan{Hour: 3, Clusters: 417}
	for hour := range 24 {
		plan.Hours = append(plan.Hours, HourLoad{Starts: hour * 7 % 31 * 2, Open: hour * 3})
	}
	return plan
}

func sampleLanes() DayPlan {
	plan := DayPlan{Hour: -1, Clusters: 3, Hours: make([]HourLoad, 24), Lanes: []Lane{{"orders", 180, 60, 192}, {"sessions", 1380, 120, 1400}, {"carts", 200, 300, 260}}}
	plan.Hours[3], plan.Hours[23], plan.Hours[4] = HourLoad{1, 2}, HourLoad{1, 1}, HourLoad{1, 1}
	return plan
}

func sampleHistoryPages() []samplePage {
	cluster := sampleCluster()
	cluster.Tab, cluster.History = "history", sampleHistory()
	cluster.Cost = &ClusterCost{Stored: 21_000_000_000, Charged: 19_000_000_000, Rate: "$1.50", Month: "November", SoFar: "$0.92", Forecast: "7 days of retention will cost about $1.50 a month: 7 snapshots of 1.2 GB, the newest one free. 3 days would save $1.00."}
	strip := cluster
	strip.Tab = ""
	starts := []ComingStart{{"orders", ago(-2 * time.Hour), "03:00-04:00", 14 * time.Second, []string{"10.0.0.5", "10.0.0.6", "10.0.0.7", "10.0.0.8"}, false}, {"sessions", ago(-3 * time.Hour), "03:00-05:00", 0, nil, false},
		{"stock", ago(-3 * time.Hour), "03:00-05:00", 0, nil, true}}
	clash := []HostClash{{"10.0.0.5", ago(-2 * time.Hour), []string{"orders", "sessions"}}}
	cost := CostPage{Stored: 21_000_000_000, Charged: 19_000_000_000, Price: "$0.085", Rate: "$1.50", Month: "November", SoFar: "$0.92", Expected: "about $1.48", Growth: "grows by 120 MB a day", Plot: sampleHistory().Plots[0],
		Months:  []MonthCost{{"November 2026", "$0.92", "so far"}, {"October 2026", "$1.40", "the record begins on 4 October"}},
		Largest: []CostRow{{"orders", true, 7, 9_000_000_000, 7_000_000_000, "$0.71", "about $0.80"}, {"former", false, 1, 5_000_000, 5_000_000, "less than $0.01", ""}}}
	empty := CostPage{Price: "$0.085", Rate: "$0.00", SoFar: "$0.00", Expected: "$0.00", Month: "November", Plot: Plot{ID: "p", Title: "Stored", Empty: "Nothing yet."}, Months: []MonthCost{{"November 2026", "$0.00", ""}}}
	busy := Overview{Standings: []Standing{{Protected, false, true, 400}, {Overdue, false, true, 2}}, Oldest: ago(49 * time.Hour), Plan: samplePlan(), Starts: starts, Clashes: clash,
		Attention: []Attention{{"bad", "2 clusters have missed their last window.", "/clusters?standing=overdue"}, {"warn", "1 run failed in the last 24 hours.", "/runs?since=day&status=failed"}},
		Worst:     []Protection{{Cluster: "orders", State: Overdue, Promise: 25 * time.Hour, Newest: &LastSnapshot{Name: "a", At: ago(49 * time.Hour)}}},
		Growth:    "grows by 120 MB a day", FullAt: ago(-9 * 24 * time.Hour), DiskFree: 1, DiskTotal: 9, Stored: Sparkline{"What was stored", []float64{1, 2, 3, 3.5, 3.2, 5}}, Month: "November", MonthSoFar: "$0.92", MonthlyCost: "$1.50"}
	lanes := busy
	lanes.Plan = sampleLanes()
	shell := sampleShell(NavClusters, "orders", Crumb{Text: "Clusters", Href: "/clusters"}, Crumb{Text: "orders"})
	home := sampleShell(NavOverview, "Overview", Crumb{Text: "Overview"})
	hour := Windows{Plan: samplePlan(), Starts: starts, Clashes: clash, List: List{Path: WindowsPath, Query: url.Values{"hour": {"3"}}, Page: 1, Size: 2, Total: 9}}
	return []samplePage{
		{"cluster-history", ClusterPage(shell, cluster)},
		{"cluster-strip", ClusterPage(shell, strip)},
		{"run-impact", RunPage(home, RunDetail{Run: sampleRuns()[3], AskedBy: "the schedule", Impact: sampleImpact()})},
		{"cost", CostsPage(home, cost)},
		{"cost-empty", CostsPage(home, empty)},
		{"windows", WindowsPage(home, Windows{Plan: sampleLanes(), Starts: starts})},
		{"windows-hour", WindowsPage(home, hour)},
		{"windows-none", WindowsPage(home, Windows{Plan: DayPlan{Hour: -1, Hours: make([]HourLoad, 24)}})},
		{"overview-many", OverviewPage(home, busy)},
		{"overview-lanes", OverviewPage(home, lanes)},
	}
}

func TestAPlotHasItsFiguresInATable(t *testing.T) {
	t.Parallel()
	plot := sampleHistory().Plots[0]
	html := render(t, PlotFigure(sampleShell(NavClusters, "orders"), plot))
	for _, point := range plot.Points {
		if n := strings.Count(html, point.Text); n < 3 { // its name, its figure, the table
			t.Errorf("%s is there %d times", point.Text, n)
		}
	}
	if rows := strings.Count(html, "<tr>") - 1; rows != len(plot.Points) {
		t.Errorf("the table has %d rows of %d points", rows, len(plot.Points))
	}
	if lines := strings.Count(html, `class="plot-line"`); lines != len(plot.Points)-2 {
		t.Errorf("%d points are joined by %d lines, over a gap", len(plot.Points), lines)
	}
	if squares := strings.Count(html, "plot-square"); squares != 3 {
		t.Errorf("%d points are square", squares)
	}
}

func TestTicksAreRoundAndReachAboveAllPoints(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		scale    PlotScale
		greatest float64
		want     string
	}{
		{PlotBytes, 1_250_000_000, "0 500 MB 1.0 GB 1.5 GB"}, {PlotBytes, 3_100_000, "0 2.0 MB 4.0 MB"}, {PlotBytes, 0, "0 1 B"},
		{PlotDuration, 14, "0 5 s 10 s 15 s"}, {PlotDuration, .25, "0 100 ms 200 ms 300 ms"}, {PlotDuration, 400, "0 5 min 10 min"}, {PlotDuration, 40_000, "0 4 h 8 h 12 h"},
		{PlotRate, 90_000_000, "0 50 MB/s 100 MB/s"}, {PlotLatency, .0003, "0 0.1 ms 0.2 ms 0.3 ms"}, {PlotLatency, .014, "0 5 ms 10 ms 15 ms"}, {PlotPace, 8900, "0 5,000 10,000"}, {PlotPace, .4, "0 1"},
	} {
		plot := Plot{Scale: test.scale, Points: []PlotPoint{{Value: test.greatest}}}
		var texts []string
		for _, tick := range plot.valueTicks() {
			texts = append(texts, tick.text)
		}
		if got := strings.Join(texts, " "); got != test.want || plot.top() < test.greatest {
			t.Errorf("for %g: %q up to %g, want %q", test.greatest, got, plot.top(), test.want)
		}
	}
}

func TestSecondsAreCountedFromWhereAPlotSays(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		before, after time.Duration
		want          string
	}{
		{time.Second, 14 * time.Second, "0 5 s 10 s"}, {100 * time.Millisecond, 500 * time.Millisecond, "0 200 ms 400 ms"}, {3 * time.Second, 3 * time.Second, "−2 s 0 2 s"}, {time.Second, time.Hour, "0 30 min 1 h"},
	} {
		plot := Plot{From: sampleNow.Add(-test.before), To: sampleNow.Add(test.after), Zero: sampleNow}
		var texts []string
		for _, tick := range plot.timeTicks() {
			texts = append(texts, tick.text)
		}
		if got := strings.Join(texts, " "); got != test.want {
			t.Errorf("from %s before to %s after: %q, want %q", test.before, test.after, got, test.want)
		}
	}
	html := render(t, PlotFigure(sampleShell(NavActivity, "Run"), sampleImpact().Plots[0]))
	for want, n := range map[string]int{"plot-span": 1, "plot-dot": 60, "plot-point": 0, "tabindex": 1, `role="img"`: 1, "14 ms</td>": 1, "−1.1 s</th>": 1, "60 values, between 0.18 ms and 14 ms": 1} {
		if got := strings.Count(html, want); got != n {
			t.Errorf("%q is there %d times, want %d", want, got, n)
		}
	}
}

func TestLatenciesAreAsExactAsTheyMatter(t *testing.T) {
	t.Parallel()
	for d, want := range map[time.Duration]string{0: "0 ms", 250 * time.Microsecond: "0.25 ms", 256_500: "0.26 ms", 3_140 * time.Microsecond: "3.1 ms", 14_200 * time.Microsecond: "14 ms", 1200 * time.Millisecond: "1.2 s", -1: "0 ms"} {
		if got := LatencyText(d); got != want {
			t.Errorf("%s is %q, want %q", d, got, want)
		}
	}
}

func TestTheLocalHoursOfADayAreThoseOfTheViewer(t *testing.T) {
	t.Parallel()
	s := sampleShell(NavOverview, "Overview")
	s.Zone = time.FixedZone("", 5*3600+1800)
	if got := localHour(s, 20); got != "01:30" {
		t.Errorf("20:00 UTC is %s there", got)
	}
	html := render(t, DayTimeline(s, sampleLanes()))
	for _, want := range []string{"UTC+05:30", "<th scope=\"col\">Your time</th>", "03:00 to 04:00 UTC: 1 snapshot begins, 2 windows open", "sessions: window 23:00 to 01:00 UTC, begins at 23:20"} {
		if !strings.Contains(html, want) {
			t.Errorf("it does not say %q", want)
		}
	}
	if n := strings.Count(html, "lane-window"); n != 4 { // the one over midnight in two parts
		t.Errorf("%d parts of windows", n)
	}
}

func TestAStripSaysInWordsWhatItsColoursSay(t *testing.T) {
	t.Parallel()
	html := render(t, DayStrip(sampleHistory()))
	for _, want := range []string{"the snapshot failed. The replica said &#34;&lt;b&gt;no&lt;/b&gt;&#34;.", "the window passed without an attempt", "a snapshot was taken, but not at the first attempt", "still to come"} {
		if !strings.Contains(html, want) {
			t.Errorf("it does not say %q", want)
		}
	}
	if n := strings.Count(html, "<li>"); n != 35 {
		t.Errorf("%d cells", n)
	}
	for _, test := range []struct {
		days []string
		want string
	}{
		{nil, "No window has passed yet."}, {[]string{WindowTaken}, "The one window so far has a snapshot."}, {[]string{WindowTaken, WindowRetried}, "All of the last 2 windows have a snapshot."},
		{[]string{WindowTaken, WindowMissed, WindowFailed}, "1 of the last 3 windows has a snapshot."}, {[]string{WindowMissed, WindowAhead}, "The one window so far has no snapshot."},
	} {
		var h ClusterHistory
		for _, outcome := range test.days {
			h.Days = append(h.Days, WindowDay{Outcome: outcome})
		}
		if got := h.sentence(); got != test.want {
			t.Errorf("of %v it says %q, want %q", test.days, got, test.want)
		}
	}
}

func TestNamesAreJoinedAsPeopleDo(t *testing.T) {
	t.Parallel()
	names := []string{"a", "b", "c", "d"}
	for n, want := range []string{"", "a", "a and b", "a, b and c", "a, b, c and 1 more"} {
		if got := andList(names[:n], 3); got != want {
			t.Errorf("%d names: %q, want %q", n, got, want)
		}
	}
	if got := fmt.Sprint(Sparkline{Values: []float64{0, 0}}.points()); got != "" {
		t.Errorf("nothing is drawn as %q", got)
	}
}

func TestNumbersFitUnderBars(t *testing.T) {
	t.Parallel()
	for n, want := range map[int]string{0: "0", 999: "999", 1250: "1.2k", 10_000: "10.0k", 123_456: "123k"} {
		if got := briefCount(n); got != want {
			t.Errorf("%d is written %q, want %q", n, got, want)
		}
	}
}
