package main

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"rekindle/internal/testkit"
	"rekindle/models"
)

func writeFile(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestAClustersFileIsCheckedByACommand(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "clusters.yaml")
	command := func(args ...string) (code int, out, said string) {
		var stdout, stderr bytes.Buffer
		code = run(t.Context(), append([]string{"clusters"}, args...), func(name string) string { return map[string]string{"PW": "s3cret"}[name] }, &stdout, &stderr)
		return code, stdout.String(), stderr.String()
	}
	writeFile(t, path, "clusters:\n  orders: {addresses: [10.0.0.5], password: {env: PW}}\n")
	if code, out, said := command("check", path); code != exitOK || out != "The clusters file "+path+" is good: it declares 1 cluster.\n" || said != "" {
		t.Errorf("a good one: %d, %q, %q", code, out, said)
	}
	writeFile(t, path, "clusters:\n  orders: {addresses: [10.0.0.5], password: s3cret}\n  -: {}\n")
	code, out, said := command("check", path)
	if code != exitUsage || out != "" || !strings.Contains(said, "3 mistakes in the clusters file:\n"+path+":2: cluster orders, password: ") || !strings.Contains(said, "\n"+path+":3: ") || strings.Contains(said, "s3cret") {
		t.Errorf("a bad one: %d, %q, %q", code, out, said)
	}
	for _, args := range [][]string{nil, {"check"}, {"check", path + "x"}, {"other"}} {
		if code, _, said := command(args...); code != exitUsage || said == "" {
			t.Errorf("%q: %d, %q", args, code, said)
		}
	}

	var stdout, stderr bytes.Buffer
	data := filepath.Join(t.TempDir(), "data")
	if code := run(t.Context(), []string{"serve", "--data", data, "--clusters", path}, func(string) string { return "" }, &stdout, &stderr); code != exitUsage || !strings.Contains(stderr.String(), path+":2: ") {
		t.Errorf("served with a bad one: %d, %q", code, stderr.String())
	}
	if _, err := os.Stat(data); err == nil {
		t.Error("something was written nevertheless")
	}
}

func TestSIGHUPHasTheClustersFileReadAgain(t *testing.T) {
	t.Parallel()
	const first, second = "s3cret-of-before", "s3cret-of-after"
	p := newProcess(t).racing()
	orders, sessions := testkit.Redis(t, "--requirepass", first), testkit.Redis(t)
	folder := t.TempDir()
	path, password := filepath.Join(folder, "clusters.yaml"), filepath.Join(folder, "password")
	text := func(days int) string {
		return fmt.Sprintf("clusters:\n  orders: {addresses: [%s], password: {file: password}, backups: {retention: %d}, drills: {every: weekly, window: \"05:00-06:00\", day: %s}}\n", orders.Addr, days,
			[]string{"monday", "sunday"}[days/7])
	}
	withSessions := fmt.Sprintf("  sessions: {addresses: [%s]}\n", sessions.Addr)
	writeFile(t, password, first+"\n")
	writeFile(t, path, text(7)+withSessions)
	p.env = []string{"REKINDLE_CLUSTERS=" + path}
	p.start()
	db := p.catalog()
	await := func(what string, is func(orders, sessions models.Cluster) bool) {
		t.Helper()
		testkit.WaitFor(t, what, func() bool {
			o, err := db.Clusters.Get(t.Context(), "orders")
			s, other := db.Clusters.Get(t.Context(), "sessions")
			return err == nil && other == nil && is(o, s)
		})
	}
	hangUp := func() {
		t.Helper()
		if err := p.cmd.Process.Signal(syscall.SIGHUP); err != nil {
			t.Fatal(err)
		}
	}
	await("both are attached", func(o, s models.Cluster) bool {
		return o.Declared == path && s.Declared == path && o.RetentionLimit == 7
	})

	drilledOn := func(day string) {
		t.Helper()
		testkit.WaitFor(t, "drills on "+day, func() bool {
			plans, err := db.Drills.PlansOf(t.Context(), must(db.Clusters.Get(t.Context(), "orders"))(t).ID)
			return err == nil && len(plans) == 1 && slices.Collect(maps.Values(plans))[0].On() == day
		})
	}
	drilledOn("Sunday")

	client := orders.Client()
	if err := client.ConfigSet(t.Context(), "requirepass", second).Err(); err != nil {
		t.Fatal(err)
	}
	writeFile(t, password, second+"\n")
	writeFile(t, path, text(3)+withSessions)
	hangUp()
	await("one is changed", func(o, _ models.Cluster) bool {
		return o.RetentionLimit == 3 && o.Password == second && o.Status == models.ClusterAvailable
	})
	drilledOn("Monday")

	writeFile(t, path, "clusters: [")
	hangUp()
	testkit.WaitFor(t, "an event of the mistake", func() bool {
		events, err := db.Events.List(t.Context(), models.List{Text: "The clusters file was not applied"})
		return err == nil && len(events.Rows) == 1
	})
	writeFile(t, path, text(3))
	hangUp()
	await("one is released", func(o, s models.Cluster) bool { return o.Declared == path && s.Declared == "" })

	p.signIn()
	for _, page := range []string{"/clusters", "/clusters/orders", "/events"} {
		if status, body := p.get(page); status != 200 || strings.Contains(body, first) || strings.Contains(body, second) {
			t.Errorf("%s answers %d, or tells a password", page, status)
		}
	}
	if code := p.end(syscall.SIGTERM); code != exitOK {
		t.Errorf("it ended with %d", code)
	}
	if log := p.output.tail(1 << 20); strings.Contains(log, first) || strings.Contains(log, second) {
		t.Error("the log tells a password")
	} else if read := strings.Count(log, `msg="read again, because of SIGHUP"`); read != 2 || !strings.Contains(log, `msg="the clusters file was not applied"`) {
		t.Errorf("the file was read again %d times, want 2: once it had a mistake\n%s", read, log)
	}

	var stdout, stderr bytes.Buffer
	code := run(context.Background(), []string{"clusters", "release", "--data", p.data}, func(string) string { return "" }, &stdout, &stderr)
	if code != exitOK || stdout.String() != "1 cluster can be changed in the console again.\n" {
		t.Errorf("released: %d, %q, %q", code, stdout.String(), stderr.String())
	}
	await("none is declared", func(o, s models.Cluster) bool { return o.Declared+s.Declared == "" })
}
