package catalog

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"rekindle/models"
)

// filled is a catalog with this many snapshots, of three clusters.
func filled(t testing.TB, n int) *DB {
	t.Helper()
	db, _ := catalog(t)
	rows := make([]models.Snapshot, n)
	for i := range rows {
		rows[i] = models.Snapshot{Name: fmt.Sprintf("s-%05d", i), ClusterName: fmt.Sprintf("c%d", i%3), ClusterID: 0, Source: []string{models.SourceAutomatic, models.SourceManual}[i%2],
			Status: []models.SnapshotStatus{models.SnapshotAvailable, models.SnapshotFailed, models.SnapshotRestoring, models.SnapshotCreating}[i%4], Bytes: int64(i % 7), Stored: int64(i), Keys: int64(-i),
			CreatedAt: monday.Add(time.Duration(i) * time.Minute)}
	}
	check(t, db.with(t.Context()).CreateInBatches(rows, 500).Error)
	return db
}

func TestListSnapshots(t *testing.T) {
	t.Parallel()
	db := filled(t, 120)
	for _, test := range []struct {
		list  models.List
		total int
		first string
		rows  int
	}{
		{models.List{}, 120, "s-00119", 120},
		{models.List{Size: 25}, 120, "s-00119", 25},
		{models.List{Size: 25, Page: 5}, 120, "s-00019", 20},
		{models.List{Size: 25, Page: 6}, 120, "", 0},
		{models.List{Size: 25, Page: -3}, 120, "s-00119", 25},
		{models.List{Size: 25, Page: math.MaxInt}, 120, "", 0},
		{models.List{Equal: map[string]string{"cluster": "c1", "source": "manual"}}, 20, "s-00115", 20},
		{models.List{Equal: map[string]string{"status": "failed", "cluster": ""}}, 30, "s-00117", 30},
		{models.List{Equal: map[string]string{"status": "failed'--"}}, 0, "", 0},
		{models.List{Equal: map[string]string{"name": "s-00001", "1=1 OR status": "x", "id; DROP TABLE snapshots": "1"}}, 120, "s-00119", 120},
		{models.List{Text: "S-0001"}, 10, "s-00019", 10},
		{models.List{Text: " c2 ", Size: 1}, 40, "s-00119", 1},
		{models.List{Sort: "name"}, 120, "s-00000", 120},
		{models.List{Sort: "name", Desc: true}, 120, "s-00119", 120},
		{models.List{Sort: "size", Desc: true}, 120, "s-00118", 120},
		{models.List{Sort: "keys"}, 120, "s-00119", 120},
		{models.List{Sort: "stored"}, 120, "s-00000", 120},
		{models.List{Sort: "id"}, 120, "s-00119", 120},
		{models.List{Sort: "name; DROP TABLE snapshots; --"}, 120, "s-00119", 120},
		{models.List{Sort: "(SELECT password FROM clusters)"}, 120, "s-00119", 120},
		{models.List{Text: "' OR 1=1 --"}, 0, "", 0},
		{models.List{Text: "%"}, 0, "", 0},
		{models.List{Text: "_"}, 0, "", 0},
		{models.List{Text: `\`}, 0, "", 0},
		{models.List{Text: strings.Repeat("%", 200000)}, 0, "", 0},
	} {
		got, err := db.Snapshots.List(t.Context(), test.list)
		if err != nil || got.Total != test.total || len(got.Rows) != test.rows || test.rows > 0 && got.Rows[0].Name != test.first {
			first := ""
			if len(got.Rows) > 0 {
				first = got.Rows[0].Name
			}
			t.Errorf("%.200v: %d rows of %d beginning with %q, %v", test.list, len(got.Rows), got.Total, first, err)
		}
	}
	// Pages are cut from one order: nothing is on two of them and nothing is left out.
	for _, sort := range []string{"", "source", "status", "cluster", "size", "created"} {
		seen := make(map[uint]bool)
		for page := 1; page <= 12; page++ {
			for _, s := range must(db.Snapshots.List(t.Context(), models.List{Sort: sort, Page: page, Size: 11}))(t).Rows {
				seen[s.ID] = true
			}
		}
		if len(seen) != 120 {
			t.Errorf("sorted by %q, %d different rows are on the pages", sort, len(seen))
		}
	}
}

func TestSearchTextIsTakenLiterally(t *testing.T) {
	t.Parallel()
	db, _ := catalog(t)
	for i, description := range []string{"100% sure", "100 sure", `back\slash`, "a_b", "axb", "ÄÖÜ", "O'Hara"} {
		c := spec(fmt.Sprintf("c%d", i))
		c.Description = description
		must(db.Clusters.Create(t.Context(), c))(t)
	}
	for text, want := range map[string][]string{"100%": {"c0"}, "%": {"c0"}, `\`: {"c2"}, "a_b": {"c3"}, "_": {"c3"}, "ÄÖ": {"c5"}, "o'h": {"c6"}, "SURE": {"c0", "c1"}, "c4": {"c4"}} {
		var names []string
		page := must(db.Clusters.List(t.Context(), models.List{Text: text, Sort: "name"}))(t)
		for _, c := range page.Rows {
			names = append(names, c.Name)
			if len(c.Nodes) != 1 {
				t.Error("without its nodes")
			}
		}
		if !slices.Equal(names, want) || page.Total != len(want) {
			t.Errorf("%q finds %v of %d, want %v", text, names, page.Total, want)
		}
	}
}

func TestEveryListSortsAndFiltersByAllThatItOffers(t *testing.T) {
	t.Parallel()
	db, _ := catalog(t)
	launched(t, db, spec("orders"))
	taken(t, db, "orders", "one")
	for _, desc := range []bool{false, true} {
		for _, sort := range []string{"name", "status", "engine", "node_type", "nodes", "created", "cluster", "source", "size", "stored", "keys", "started", "kind",
			"time", "severity", "nonsense"} {
			l := models.List{Sort: sort, Desc: desc, Text: "o", Size: 10, Page: 1}
			if n := must(db.Clusters.List(t.Context(), l))(t).Total; n != 1 {
				t.Errorf("%s: %d clusters", sort, n)
			}
			if n := must(db.Snapshots.List(t.Context(), l))(t).Total; n != 1 {
				t.Errorf("%s: %d snapshots", sort, n)
			}
			if n := must(db.Runs.List(t.Context(), l))(t).Total; n != 2 {
				t.Errorf("%s: %d runs", sort, n)
			}
			if n := must(db.Events.List(t.Context(), l))(t).Total; n != 2 {
				t.Errorf("%s: %d events", sort, n)
			}
		}
	}
	for _, filter := range []string{"status", "engine", "cluster", "source", "kind", "snapshot", "severity"} {
		l := models.List{Equal: map[string]string{filter: "no such value"}}
		clusters, snapshots := must(db.Clusters.List(t.Context(), l))(t).Total, must(db.Snapshots.List(t.Context(), l))(t).Total
		runs, events := must(db.Runs.List(t.Context(), l))(t).Total, must(db.Events.List(t.Context(), l))(t).Total
		if clusters+snapshots+runs+events == 6 {
			t.Errorf("no list filters by %s", filter)
		}
	}
}

func TestStorage(t *testing.T) {
	t.Parallel()
	db, clock := catalog(t)
	if got := must(db.Snapshots.Storage(t.Context()))(t); got != (models.Storage{}) {
		t.Errorf("%+v", got)
	}
	for _, name := range []string{"a", "b"} {
		launched(t, db, spec(name))
		for i := range 3 {
			clock.Advance(time.Minute)
			taken(t, db, name, fmt.Sprintf("%s%d", name, i))
		}
	}
	run := must(db.Snapshots.Request(t.Context(), "a", "failed", false, "admin"))(t)
	check(t, db.Runs.Cancel(t.Context(), run.ID))
	if got := must(db.Snapshots.Storage(t.Context()))(t); got != (models.Storage{Snapshots: 6, Stored: 1800, Billable: 1200}) {
		t.Errorf("%+v", got)
	}
	if n, stored, err := db.Snapshots.StorageOf(t.Context(), "a"); n != 3 || stored != 900 || err != nil {
		t.Error(n, stored, err)
	}
	if newest := must(db.Snapshots.Newest(t.Context(), "a", "b", "c", "gone"))(t); newest["a"].Name != "a2" || newest["b"].Name != "b2" || len(newest) != 2 {
		t.Error(newest)
	}
	check(t, db.Clusters.Delete(t.Context(), "b", models.DeleteSpec{RequestedBy: "admin"}))
	check(t, db.Settle.ClusterDeletion(t.Context(), claim(t, db)))
	if got := must(db.Snapshots.Storage(t.Context()))(t); got != (models.Storage{Snapshots: 6, Stored: 1800, Billable: 1500}) {
		t.Errorf("nothing is free for a cluster that is gone: %+v", got)
	}
}

func TestClustersByNameAndNumber(t *testing.T) {
	t.Parallel()
	db, _ := catalog(t)
	b, a := launched(t, db, spec("b")), launched(t, db, spec("a"))
	all := must(db.Clusters.All(t.Context()))(t)
	if len(all) != 2 || all[0].ID != a.ID || len(all[0].Nodes) != 1 {
		t.Errorf("%+v", all)
	}
	if got := must(db.Clusters.ByID(t.Context(), b.ID))(t); got.Name != "b" {
		t.Errorf("%+v", got)
	}
	_, err := db.Clusters.ByID(t.Context(), 99)
	refused(t, err, models.CodeClusterNotFound)
	_, err = db.Clusters.Get(t.Context(), "a' OR '1'='1")
	refused(t, err, models.CodeClusterNotFound)
	if err := db.Check(cancelled(t)); err == nil {
		t.Error("no error")
	}
}

func TestThousandsOfSnapshots(t *testing.T) {
	t.Parallel()
	db := filled(t, 2000)
	page := must(db.Snapshots.List(t.Context(), models.List{Text: "s-", Equal: map[string]string{"cluster": "c1"}, Sort: "size", Size: 50, Page: 12}))(t)
	if page.Total != 667 || len(page.Rows) != 50 {
		t.Errorf("%d of %d", len(page.Rows), page.Total)
	}
	if newest := must(db.Snapshots.Newest(t.Context(), "c0", "c1", "c2", "gone"))(t); len(newest) != 3 {
		t.Error(newest)
	}
}

func BenchmarkListTenThousandSnapshots(b *testing.B) {
	db := filled(b, 10000)
	for name, l := range map[string]models.List{"newest": {Size: 50}, "last page": {Size: 50, Page: 200}, "search": {Text: "9", Size: 50}, "sorted by size": {Sort: "size", Size: 50}} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				must(db.Snapshots.List(b.Context(), l))(b)
			}
		})
	}
	b.Run("storage", func(b *testing.B) {
		for b.Loop() {
			must(db.Snapshots.Storage(b.Context()))(b)
		}
	})
}

// A page that lies deep is looked for differently, and from the nearer end: it is the same page.
func TestDeepPagesAreThePagesOfTheWholeList(t *testing.T) {
	t.Parallel()
	db, _ := catalog(t)
	check(t, db.Sample(t.Context(), 150, 20))
	check(t, db.with(t.Context()).Model(&models.Snapshot{}).Where("id % 3 = 0").UpdateColumn("verified_at", nil).Error)
	check(t, db.with(t.Context()).Model(&models.Snapshot{}).Where("id % 7 = 0").UpdateColumn("status", models.SnapshotFailed).Error)
	const size = 70
	for name, list := range map[string]models.List{
		"by creation":       {},
		"by name":           {Sort: "name"},
		"by name, reversed": {Sort: "name", Desc: true},
		"by verification":   {Sort: "verified"},
		"the last verified": {Sort: "verified", Desc: true},
		"of a status":       {Equal: map[string]string{"status": string(models.SnapshotAvailable)}},
		"of a source":       {Equal: map[string]string{"source": models.SourceAutomatic}},
		"found":             {Text: "shop"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			all := must(db.Snapshots.List(t.Context(), list))(t)
			if all.Total != len(all.Rows) || all.Total < 2*deep {
				t.Fatalf("%d rows, and it says %d", len(all.Rows), all.Total)
			}
			last := (all.Total + size - 1) / size
			for _, number := range []int{1, deep / size, deep/size + 2, all.Total/2/size + 1, all.Total/2/size + 2, last - 1, last, last + 1} {
				page := list
				page.Size, page.Page = size, number
				got := must(db.Snapshots.List(t.Context(), page))(t)
				want := all.Rows[min((number-1)*size, all.Total):min(number*size, all.Total)]
				if !slices.EqualFunc(got.Rows, want, func(a, b models.Snapshot) bool { return a.ID == b.ID }) || got.Total != all.Total {
					t.Errorf("page %d has %d rows of %d, want %d: or others", number, len(got.Rows), got.Total, len(want))
				}
			}
		})
	}
}

func TestSnapshotsOfAClusterAreCountedAsTheyAre(t *testing.T) {
	t.Parallel()
	db, _ := catalog(t)
	check(t, db.Sample(t.Context(), 3, 12))
	for i, status := range []models.SnapshotStatus{models.SnapshotCreating, models.SnapshotDeleting, models.SnapshotFailed, models.SnapshotRestoring, models.SnapshotCopying} {
		check(t, db.with(t.Context()).Model(&models.Snapshot{}).Where("id = ?", i+1).UpdateColumn("status", status).Error)
	}
	for _, cluster := range append(must(db.Clusters.Names(t.Context(), &models.Snapshot{}))(t), "", "nobody") {
		list := must(db.Snapshots.List(t.Context(), models.List{Equal: map[string]string{"cluster": cluster}}))(t)
		if list.Total != len(list.Rows) || (list.Total == 0) != (cluster == "nobody") {
			t.Errorf("of %q there are %d, and it says %d", cluster, len(list.Rows), list.Total)
		}
	}
}

// A snapshot from the future comes from a clock that was wrong.
func TestNewestSnapshotIsNoneFromTheFuture(t *testing.T) {
	t.Parallel()
	db, clock := catalog(t)
	launched(t, db, spec("orders"))
	taken(t, db, "orders", "first")
	clock.Advance(time.Hour)
	taken(t, db, "orders", "second")
	check(t, db.with(t.Context()).Model(&models.Snapshot{}).Where("name = ?", "second").UpdateColumns(map[string]any{"created_at": db.Now().Add(48 * time.Hour), "stored": 7}).Error)
	newest := func(want string, at time.Time, free int64) {
		t.Helper()
		if found := must(db.Snapshots.Newest(t.Context(), "orders"))(t)["orders"]; found.Name != want {
			t.Errorf("the newest one is %s, want %s", found.Name, want)
		}
		if all := must(db.Schedule.Guarded(t.Context(), []uint{1}))(t); len(all) != 1 || !all[0].NewestAt.Equal(at) {
			t.Errorf("the newest one is of %v, want %v", all[0].NewestAt, at)
		}
		if sum := must(db.Snapshots.Storage(t.Context()))(t); sum.Stored-sum.Billable != free {
			t.Errorf("%d bytes are free, want %d", sum.Stored-sum.Billable, free)
		}
	}
	newest("first", monday, 300)
	check(t, db.Schedule.Judge(t.Context()))
	newest("first", monday, 300)
	check(t, db.Snapshots.Delete(t.Context(), []string{"first"}, "admin"))
	check(t, db.Settle.SnapshotDeletion(t.Context(), claim(t, db)))
	newest("second", db.Now().Add(48*time.Hour), 7) // there is no other
	clock.Advance(49 * time.Hour)
	newest("second", db.Now().Add(-time.Hour), 7)
	check(t, db.Schedule.Judge(t.Context()))
	newest("second", db.Now().Add(-time.Hour), 7)
}
