package catalog

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jonboulle/clockwork"

	"rekindle/models"
)

// full is a catalog at this place with something of everything in it.
func full(t *testing.T, place Place) (*DB, *clockwork.FakeClock) {
	t.Helper()
	clock := clockwork.NewFakeClockAt(monday)
	db := open(t, place, clock)
	fill(t, db, clock)
	check(t, db.Keys.Ensure(t.Context(), "KEY1", "0123456789abcdefgh"))
	check(t, db.Events.Add(t.Context(), models.Event{Message: "the last one"}))
	var last models.Event
	check(t, db.with(t.Context()).Last(&last).Error)
	check(t, db.with(t.Context()).Delete(&last).Error) // its number is not to be given again
	var drilled models.Cluster
	check(t, db.with(t.Context()).First(&drilled).Error)
	check(t, db.with(t.Context()).Create(&models.DrillPlan{ClusterID: drilled.ID, Every: models.Weekly, Window: models.Window{Start: 180, Length: 60}, DueAt: db.Now()}).Error)
	check(t, db.with(t.Context()).Create(&models.Drill{RunID: 7, ClusterName: drilled.Name, SnapshotName: "long gone", StartedAt: db.Now(), EndedAt: db.Now(), LoadedIn: time.Second, Outcome: models.DrillPassed}).Error)
	check(t, db.Owners.Leave(t.Context(), "console"))
	return db, clock
}

// everything is each row of each table that is moved, in words that are the same for both databases.
func everything(t *testing.T, db *DB) map[string][]string {
	t.Helper()
	found := make(map[string][]string)
	for table, columns := range columnsOf(t, db) {
		if table == "owners" || table == "locks" || table == "standings" || table == "record_marks" || strings.HasSuffix(table, "_sums") { // the last are kept by triggers
			continue
		}
		var rows []map[string]any
		check(t, db.with(t.Context()).Table(table).Find(&rows).Error)
		for _, row := range rows {
			if text := fmt.Sprint(row["message"]); strings.HasPrefix(text, "The catalog was moved here from ") || row["name"] == movedSetting {
				continue
			}
			var line []string
			for _, column := range columns {
				name := strings.Fields(column)[1]
				value, there := row[name]
				if !there {
					continue // an index
				}
				switch v := value.(type) {
				case time.Time:
					value = v.UTC().Format(time.RFC3339Nano)
				case int64:
					if strings.Contains(column, "boolean") {
						value = v != 0
					}
				}
				line = append(line, fmt.Sprintf("%s=%v", name, value))
			}
			found[table] = append(found[table], strings.Join(line, " "))
		}
		slices.Sort(found[table])
	}
	return found
}

func TestCatalogIsMovedWithEverythingInIt(t *testing.T) {
	t.Parallel()
	once(t)
	places := map[string]func() Place{
		"sqlite":   func() Place { return File(filepath.Join(t.TempDir(), "rekindle.db")) },
		"postgres": func() Place { return postgresPlace(t) },
	}
	for _, way := range [][2]string{{"sqlite", "postgres"}, {"postgres", "sqlite"}, {"sqlite", "sqlite"}, {"postgres", "postgres"}} {
		t.Run(way[0]+" to "+way[1], func(t *testing.T) {
			t.Parallel()
			from, clock := full(t, places[way[0]]())
			target := places[way[1]]()
			to := open(t, target, clock)
			want := everything(t, from)
			for table := range want {
				if len(want[table]) == 0 {
					t.Errorf("there is nothing in %s to move", table)
				}
			}
			moved := must(Move(t.Context(), from, to, models.CatalogHome, models.CatalogHome))(t)
			sum := 0
			for table, rows := range want {
				if got := everything(t, to)[table]; !slices.Equal(got, rows) {
					t.Errorf("%s is\n\t%s\nand was\n\t%s", table, strings.Join(got, "\n\t"), strings.Join(rows, "\n\t"))
				}
				if table != "tallies" {
					sum += len(rows)
				}
			}
			if moved != sum+1 { // and the mark, which is not kept
				t.Errorf("%d rows were moved of %d", moved, sum)
			}
			var last models.Event
			check(t, to.with(t.Context()).Last(&last).Error)
			if before := must(from.kind.lastID(from.with(t.Context()), "events"))(t); last.ID != uint(before)+1 || !strings.HasPrefix(last.Message, "The catalog was moved here from ") {
				t.Errorf("the first new event has the number %d after %d: %s", last.ID, before, last.Message)
			}
			if wrong := wrongStandings(t, to, make(map[models.Standing]int)); wrong != "" {
				t.Error(wrong)
			}
			use(t, to, clock)
			if opened, err := Open(t.Context(), from.place, clock, &fakeHost{}); !errors.Is(err, ErrMoved) || !strings.Contains(err.Error(), to.place.String()) {
				t.Errorf("the first one can still be opened: %v, %v", opened, err)
			}
		})
	}
}

func TestClustersOfAHomeAreMovedToItsNewName(t *testing.T) {
	t.Parallel()
	from, clock := full(t, newPlace(t))
	to := open(t, newPlace(t), clock)
	must(from.Clock.Look(t.Context(), time.Time{}))(t)
	must(Move(t.Context(), from, to, models.CatalogHome, "elsewhere"))(t)
	homes := must(to.Owners.HomeClusters(t.Context()))(t)
	if homes["elsewhere"] == 0 || homes[models.CatalogHome] != 0 {
		t.Errorf("the clusters are at home in %v", homes)
	}
	if n := count(t, to, &models.Setting{}, "name = ?", clockSetting("elsewhere")); n != 1 {
		t.Error("what the clock said is not remembered")
	}
}

func TestMoveThatCannotBeLeavesBothAsTheyAre(t *testing.T) {
	t.Parallel()
	from, clock := full(t, newPlace(t))
	another, _ := full(t, newPlace(t))
	before := everything(t, from)
	unchanged := func() {
		t.Helper()
		for table, rows := range everything(t, from) {
			if !slices.Equal(rows, before[table]) {
				t.Errorf("%s was changed", table)
			}
		}
		check(t, must(Open(t.Context(), from.place, clock, &fakeHost{}))(t).Close())
	}
	if _, err := Move(t.Context(), from, another, models.CatalogHome, models.CatalogHome); err == nil || !strings.Contains(err.Error(), "there is already a catalog at") {
		t.Errorf("into another catalog: %v", err)
	}
	unchanged()

	to := open(t, newPlace(t), clock)
	room := noRoom(t, to, "INSERT ON parameter_values")
	if _, err := Move(t.Context(), from, to, models.CatalogHome, models.CatalogHome); err == nil || !strings.Contains(err.Error(), "copy each ParameterValue") {
		t.Errorf("without room: %v", err)
	}
	room()
	unchanged()
	if n := count(t, to, &models.Cluster{}) + count(t, to, &models.Event{}); n != 0 {
		t.Errorf("%d rows stayed", n)
	}

	// A console that is at work on it renews its lease meanwhile.
	owner := must(from.Owners.Enroll(t.Context(), "host", time.Minute))(t)
	failed := make(chan error)
	go func() {
		_, err := Move(context.WithoutCancel(t.Context()), from, to, models.CatalogHome, models.CatalogHome)
		failed <- err
	}()
	check(t, clock.BlockUntilContext(t.Context(), 1))
	check(t, from.Owners.Renew(t.Context(), owner.ID))
	clock.Advance(time.Minute)
	if err := <-failed; err == nil || !strings.Contains(err.Error(), "is at work on the catalog") {
		t.Errorf("under a console: %v", err)
	}
	// One that was killed does not.
	go func() {
		_, err := Move(context.WithoutCancel(t.Context()), from, to, models.CatalogHome, models.CatalogHome)
		failed <- err
	}()
	check(t, clock.BlockUntilContext(t.Context(), 1))
	clock.Advance(time.Minute)
	check(t, <-failed)
}
