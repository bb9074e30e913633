package vault

import (
	"context"
	"database/sql"
	"errors"
	"io"
	"log/slog"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jonboulle/clockwork"

	"rekindle/internal/archive"
	"rekindle/internal/store"
	"rekindle/internal/store/dir"
	"rekindle/models"
	"rekindle/models/catalog"
)

// busyStore is a store that counts what is asked of it, and that can be full.
type busyStore struct {
	store.Store
	times atomic.Int32
	full  atomic.Bool
}

func (s *busyStore) Put(ctx context.Context, key string, r io.Reader) (store.Object, error) {
	s.times.Add(1)
	if s.full.Load() {
		return store.Object{}, errors.New("full")
	}
	return s.Store.Put(ctx, key, r)
}

func (s *busyStore) Open(ctx context.Context, key string) (io.ReadCloser, error) {
	s.times.Add(1)
	return s.Store.Open(ctx, key)
}

// Clusters at rest cost a few queries, however many there are. No change is missed, whether it was noted or not.
func TestRecordsOfClustersAtRestCostNextToNothing(t *testing.T) {
	t.Parallel()
	folder, err := dir.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer folder.Close()
	st := &busyStore{Store: folder}
	path := filepath.Join(t.TempDir(), "rekindle.db")
	clock := clockwork.NewFakeClockAt(time.Date(2026, 1, 5, 10, 0, 0, 0, time.UTC))
	db, err := catalog.Open(t.Context(), catalog.File(path), clock, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if err := db.Sample(t.Context(), 20, 0); err != nil {
		t.Fatal(err)
	}
	vault := New(Config{DB: db, Store: st, Lease: alone{}, Clock: clock, Logger: slog.New(slog.DiscardHandler), Life: t.Context()})
	rec := vault.Recorder
	var queries, rows atomic.Int64
	db.Watch(func(_ string, n int64) { queries.Add(1); rows.Add(n) })
	keep := func() error {
		st.times.Store(0)
		queries.Store(0)
		rows.Store(0)
		return rec.keep(t.Context())
	}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	retentionOf := func(cluster string) int {
		t.Helper()
		record, err := archive.New(folder).Cluster(t.Context(), cluster)
		must(err)
		return record.Configuration.RetentionLimit
	}
	set := func(cluster string, days int) {
		t.Helper()
		_, err := db.Changes.Modify(t.Context(), cluster, models.ModifySpec{Retention: &days})
		must(err)
	}
	must(keep()) // the first one looks at all
	if got := retentionOf("shop-00019"); got != 35 {
		t.Errorf("the last one is kept for %d days", got)
	}
	atRest := func() {
		t.Helper()
		must(keep())
		if q, r, s := queries.Load(), rows.Load(), st.times.Load(); q > 4 || r > 2 || s > 0 {
			t.Errorf("at rest it asks %d queries, reads %d rows and asks the store %d times", q, r, s)
		}
	}
	atRest()

	set("shop-00007", 7)
	st.full.Store(true)
	if keep() == nil {
		t.Error("it can write into a store that is full")
	}
	st.full.Store(false)
	must(keep())
	if got := retentionOf("shop-00007"); got != 7 {
		t.Errorf("after a failure it is kept for %d days", got)
	}
	atRest()

	raw, err := sql.Open("sqlite3", path)
	must(err)
	defer raw.Close()
	set("shop-00008", 8)
	_, err = raw.ExecContext(t.Context(), "DELETE FROM record_marks") // as if it had not been noted
	must(err)
	atRest()
	clock.Advance(time.Hour)
	must(keep())
	if got := retentionOf("shop-00008"); got != 8 {
		t.Errorf("what was not noted is not found within the hour: %d days", got)
	}

	_, err = raw.ExecContext(t.Context(), "DELETE FROM nodes WHERE cluster_id = 4; DELETE FROM clusters WHERE name = 'shop-00003'")
	must(err)
	must(keep())
	if _, err := archive.New(folder).Cluster(t.Context(), "shop-00003"); !errors.Is(err, archive.ErrMissing) {
		t.Errorf("the record of a cluster that has gone: %v", err)
	}
	atRest()

	// The hourly sweep lists the store anyway, so it notices what vanished from it, and that comes back.
	must(archive.New(folder).RemoveCluster(t.Context(), "shop-00011"))
	other := archive.ClusterRecord{Cluster: "shop-00012", CreatedAt: clock.Now(), Configuration: archive.Configuration{Engine: "redis", NodeType: "cache.t4g.micro"}}
	must(archive.New(folder).WriteCluster(t.Context(), other)) // by another console
	atRest()
	vault.Sweeper.SweepStore(t.Context())
	must(keep())
	if got := retentionOf("shop-00011"); got != 35 {
		t.Errorf("the one that had vanished is kept for %d days", got)
	}
	if got := retentionOf("shop-00012"); got != 0 {
		t.Errorf("another console's record was replaced: %d days", got)
	}
	atRest()
}
