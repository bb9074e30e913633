package archive_test

import (
	"context"
	"fmt"
	"iter"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"rekindle/internal/archive"
	"rekindle/internal/store"
	"rekindle/internal/store/dir"
	"rekindle/internal/store/s3"
	"rekindle/internal/testkit"
)

// counted is a store that counts what its lists yield.
type counted struct {
	store.Store
	objects int
}

func (c *counted) ListAfter(ctx context.Context, prefix, after string) iter.Seq2[store.Object, error] {
	return func(yield func(store.Object, error) bool) {
		for object, err := range store.ListAfter(ctx, c.Store, prefix, after) {
			c.objects++
			if !yield(object, err) {
				return
			}
		}
	}
}

// A snapshot may be called journal, and lies beside the segments then.
func TestListPassesOverJournals(t *testing.T) {
	t.Parallel()
	st, err := dir.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { st.Close() })
	keys := []string{"a/cluster.json", "a/nightly/manifest.json", "a/journal/manifest.json", "a/journal/part-0001.rdb.zst", "a/weekly/manifest.json", "b/cluster.json", "b/journal/part-0001.rdb.zst", "c/nightly/manifest.json"}
	for _, cluster := range []string{"a", "b", "d"} {
		for day := range 5 {
			for n := range 20 {
				keys = append(keys, fmt.Sprintf("%s/journal/2026-07-0%d/shard-0001/segment-%02d.resp.zst", cluster, day+1, n))
			}
		}
	}
	for _, key := range keys {
		if _, err := st.Put(t.Context(), key, strings.NewReader("x")); err != nil {
			t.Fatal(err)
		}
	}
	for name, s := range map[string]store.Store{"behind keys": &counted{Store: st}, "all of it": struct{ store.Store }{st}} {
		var recorded []string
		got := []archive.Entry{}
		for entry, err := range archive.New(s).ListWith(t.Context(), func(cluster string) { recorded = append(recorded, cluster) }) {
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, entry)
		}
		entry := func(cluster, snapshot string, committed bool) archive.Entry {
			return archive.Entry{Ref: archive.Ref{Cluster: cluster, Snapshot: snapshot}, Committed: committed}
		}
		want := []archive.Entry{entry("a", "journal", true), entry("a", "nightly", true), entry("a", "weekly", true), entry("b", "journal", false), entry("c", "nightly", true)}
		if !slices.Equal(got, want) || !slices.Equal(recorded, []string{"a", "b"}) {
			t.Errorf("%s: %+v, records %q", name, got, recorded)
		}
		if c, is := s.(*counted); is && c.objects != 8+3 { // and one for each journal
			t.Errorf("%d objects were listed", c.objects)
		}
	}
}

// BenchmarkListBesideJournals lists the snapshots of a store that has a month of a journal, as the sweep does each hour: in a folder, and in a bucket, of
// which it counts the requests. For comparison, it lists everything.
func BenchmarkListBesideJournals(b *testing.B) {
	objects := 10_000
	if text := os.Getenv("REKINDLE_BENCH_OBJECTS"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil {
			b.Fatal(err)
		}
		objects = n
	}
	folder := b.TempDir()
	fillJournal(b, folder, objects)
	st, err := dir.Open(folder)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { st.Close() })
	listed(b, "dir", st, func() int { return 0 })

	server := testkit.S3(b)
	server.Bucket("snapshots")
	fillJournal(b, server.Folder("snapshots"), objects)
	faulty := testkit.Faulty(b, server.Endpoint)
	config, err := s3.ParseURL("s3://snapshots?path_style=true&region=" + testkit.S3Region + "&endpoint=" + faulty.Endpoint)
	if err != nil {
		b.Fatal(err)
	}
	config.Credentials = server.Credentials()
	bucket, err := s3.Open(b.Context(), config)
	if err != nil {
		b.Fatal(err)
	}
	listed(b, "bucket", bucket, func() int { return faulty.Count("ListObjectsV2") })
}

// fillJournal writes empty segments of 35 days, and a snapshot of each, without the store, which would take hours.
func fillJournal(b *testing.B, folder string, objects int) {
	const days = 35
	for day := range days {
		date := time.Date(2026, 7, 1+day, 0, 0, 0, 0, time.UTC)
		below := filepath.Join(folder, "orders", "journal", date.Format(time.DateOnly), "shard-0001")
		snapshot := filepath.Join(folder, "orders", "automatic.orders-"+date.Format("2006-01-02-15-04"))
		for _, each := range []string{below, snapshot} {
			if err := os.MkdirAll(each, 0o755); err != nil {
				b.Fatal(err)
			}
		}
		files := []string{filepath.Join(snapshot, "manifest.json"), filepath.Join(snapshot, "part-0001.rdb.zst")}
		for n := range objects / days {
			at := date.Add(time.Duration(n) * 10 * time.Second).Format("20060102T150405.000Z")
			files = append(files, filepath.Join(below, fmt.Sprintf("%s-6c1f0de2b49a8857-%019d-%019d-%040d-%s.resp.zst", at, n*1000, n*1000+1000, 1, at)))
		}
		for _, file := range files {
			if err := os.WriteFile(file, nil, 0o644); err != nil {
				b.Fatal(err)
			}
		}
	}
}

// listed measures both ways to list a store.
func listed(b *testing.B, name string, st store.Store, requests func() int) {
	measure := func(b *testing.B, list func() int) {
		before, found := requests(), 0
		var m runtime.MemStats
		var peak uint64
		for b.Loop() {
			found = list()
			runtime.ReadMemStats(&m)
			peak = max(peak, m.HeapInuse)
		}
		b.ReportMetric(float64(found), "found")
		b.ReportMetric(float64(requests()-before)/float64(b.N), "requests")
		b.ReportMetric(float64(peak)/(1<<20), "heap-MiB")
	}
	b.Run(name+"/snapshots", func(b *testing.B) {
		measure(b, func() (n int) {
			for _, err := range archive.New(st).List(b.Context()) {
				if err != nil {
					b.Fatal(err)
				}
				n++
			}
			return n
		})
	})
	b.Run(name+"/everything", func(b *testing.B) {
		measure(b, func() (n int) {
			for _, err := range st.List(b.Context(), "") {
				if err != nil {
					b.Fatal(err)
				}
				n++
			}
			return n
		})
	})
}
