package jobs_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jonboulle/clockwork"

	"rekindle/internal/archive"
	"rekindle/internal/launch/local"
	"rekindle/internal/store"
	"rekindle/internal/store/dir"
	"rekindle/jobs"
	"rekindle/models"
	"rekindle/models/catalog"
)

// manyClusters have so many snapshots; as many as that take the race detector minutes, so every day it is a fifth of them, which is still more
// than goes into one statement, or one page.
const manySnapshots, manyClusters = 10_000, 50

// manyNight is when the n-th automatic snapshot of each of many clusters was taken.
func manyNight(n int) time.Time { return time.Date(2026, 1, 1, 3, 0, 0, 0, time.UTC).AddDate(0, 0, n) }

// manyStore is a store with automatic snapshots of many clusters.
func manyStore(tb testing.TB, many int) store.Store {
	tb.Helper()
	folder := tb.TempDir()
	manifest := archive.Manifest{FormatVersion: 1, Source: archive.Automatic, Engine: "redis", EngineVersion: "7.0.15", RDBVersion: 10,
		Configuration: archive.Configuration{NodeType: "cache.t4g.micro", Engine: "redis", Version: "7.0.15", Shards: 1, RetentionLimit: 35, SnapshotWindow: "03:00-04:00"},
		Parts: []archive.Part{{Number: 1, Object: archive.Attempt{}.Part(1), RDBVersion: 10, Bytes: 3, StoredBytes: 3, Keys: 1, SourceNode: "n-001", SourceRole: "primary",
			SHA256: strings.Repeat("0a", 32), StoredSHA256: strings.Repeat("0b", 32), CRC64: strings.Repeat("c", 16)}}}
	for i := range many {
		at := manyNight(i / manyClusters)
		m := manifest
		m.Cluster = fmt.Sprintf("cluster-%d", i%manyClusters)
		m.Snapshot = models.AutomaticName(m.Cluster, at)
		m.CreatedAt, m.CompletedAt = at, at.Add(time.Second)
		m.Parts = []archive.Part{manifest.Parts[0]}
		m.Parts[0].StartedAt, m.Parts[0].CompletedAt = at, at
		path := filepath.Join(folder, m.Cluster, m.Snapshot)
		if err := os.MkdirAll(path, 0o700); err != nil {
			tb.Fatal(err)
		}
		text, err := json.Marshal(m)
		if err != nil {
			tb.Fatal(err)
		}
		if err := errors.Join(os.WriteFile(filepath.Join(path, "manifest.json"), text, 0o600), os.WriteFile(filepath.Join(path, m.Parts[0].Object), []byte("abc"), 0o600)); err != nil {
			tb.Fatal(err)
		}
	}
	full, err := dir.Open(folder)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = full.Close() })
	return full
}

// emptyCatalog is a manager that is not started, with a catalog that knows nothing.
func emptyCatalog(tb testing.TB, st store.Store) (*jobs.Manager, *catalog.DB) {
	tb.Helper()
	data := tb.TempDir()
	nodes := local.New(filepath.Join(data, "nodes"), nil, local.Options{})
	host := jobs.NewHost(nodes, models.CatalogHome)
	clock := clockwork.NewRealClock()
	db, err := catalog.Open(context.Background(), catalog.File(filepath.Join(data, "rekindle.db")), clock, host)
	if err != nil {
		tb.Fatal(err)
	}
	manager, err := jobs.New(jobs.Config{DB: db, Store: st, Launcher: nodes, Host: host, Clock: clock, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		tb.Fatal(err)
	}
	return manager, db
}

func TestManySnapshotsAreRebuilt(t *testing.T) {
	t.Parallel()
	many := manySnapshots / 5
	if os.Getenv("REKINDLE_SOAK_ROUNDS") != "" {
		many = manySnapshots
	}
	manager, db := emptyCatalog(t, manyStore(t, many))
	defer db.Close()
	done, err := manager.RebuildCatalog(t.Context(), func(string) {})
	if err != nil || done.Found != many || done.Adopted != many || len(done.Lost) != manyClusters || done.Warnings+done.Missing != 0 {
		t.Fatalf("%+v, %v", done, err)
	}
	clusters, err := db.Clusters.All(t.Context())
	if err != nil || len(clusters) != manyClusters {
		t.Fatalf("%d clusters: %v", len(clusters), err)
	}
	newest := manyNight(many/manyClusters - 1)
	for _, c := range clusters {
		if c.RetentionLimit != 35 || c.SnapshotWindow != (models.Window{Start: 3 * 60, Length: 60}) || !strings.Contains(c.StatusReason, models.AutomaticName(c.Name, newest)) {
			t.Errorf("%s came back as %+v", c.Name, c)
		}
		names, err := db.Snapshots.Automatic(t.Context(), c.ID)
		if err != nil || len(names) != many/manyClusters {
			t.Errorf("%s has %d snapshots: %v", c.Name, len(names), err)
		}
	}
	for n := range many / manyClusters {
		name := models.AutomaticName("cluster-7", manyNight(n))
		s, err := db.Snapshots.Get(t.Context(), name)
		if err != nil || s.Status != models.SnapshotAvailable || !s.CreatedAt.Equal(manyNight(n)) || len(s.Parts) != 1 || s.Parts[0].Stored != 3 || s.VerifiedAt != nil {
			t.Fatalf("%s came back as %+v: %v", name, s, err)
		}
	}
	again, err := manager.RebuildCatalog(t.Context(), func(string) {})
	if err != nil || again.Agreed != many || again.Adopted+len(again.Lost)+again.Warnings != 0 {
		t.Errorf("again: %+v, %v", again, err)
	}
}

// 10,000 snapshots have to be in the catalog again in under a minute.
func BenchmarkRebuild(b *testing.B) {
	full := manyStore(b, manySnapshots)
	for name, st := range map[string]store.Store{"folder": full, "20ms-away": farStore{full, 20 * time.Millisecond}} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				manager, db := emptyCatalog(b, st)
				for _, adopted := range []int{manySnapshots, 0} { // the second time all is known
					began := time.Now()
					done, err := manager.RebuildCatalog(context.Background(), func(string) {})
					if err != nil || done.Found != manySnapshots || done.Adopted != adopted {
						b.Fatalf("%+v, %v", done, err)
					}
					b.ReportMetric(time.Since(began).Seconds(), map[int]string{manySnapshots: "s/lost", 0: "s/known"}[adopted])
				}
				if err := db.Close(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// farStore answers as late as one behind a network.
type farStore struct {
	store.Store
	late time.Duration
}

func (s farStore) Open(ctx context.Context, key string) (io.ReadCloser, error) {
	time.Sleep(s.late)
	return s.Store.Open(ctx, key)
}
