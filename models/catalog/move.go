package catalog

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"rekindle/models"
)

// ErrMoved says that a catalog must no longer be used.
var ErrMoved = errors.New("the catalog has been moved")

// movedSetting is what a moved catalog has: where it went, for people. A console still started with it would work on the same clusters and snapshots
// as one that is started with the other catalog.
const movedSetting = "moved"

// Move copies all of a catalog into another one, which must be new, and marks the first as moved, so that it cannot be opened any more. All of that
// happens or nothing. Clusters of fromHome then belong to toHome, because the same data folder may have another name there. The consoles must have
// stopped. Move returns the number of rows.
func Move(ctx context.Context, from, to *DB, fromHome, toHome string) (rows int, err error) {
	if err := from.wontBeWritten(ctx); err != nil {
		return 0, err
	}
	// Nobody writes to the first one meanwhile. The second is committed first: if something fails in between, only the mark is lost.
	err = from.transaction(ctx, func(source *DB) error {
		if err := source.Settings.set(ctx, movedSetting, fmt.Sprintf("to %s on %s", to.place, from.Now().Format("2006-01-02"))); err != nil {
			return err
		}
		return to.transaction(ctx, func(target *DB) error {
			if err := target.mustBeNew(ctx); err != nil {
				return err
			}
			if rows, err = copyCatalogRows(ctx, source, target, fromHome, toHome); err != nil {
				return err
			}
			return target.Events.Add(ctx, models.Event{Severity: models.SeverityInfo, Message: fmt.Sprintf("The catalog was moved here from %s.", from.place)})
		})
	})
	if err != nil {
		return 0, fmt.Errorf("move catalog %s to %s: %w", from.place, to.place, err)
	}
	return rows, nil
}

// wontBeWritten fails when a console works on the catalog. It watches the leases for as long as they last to find that out.
func (db *DB) wontBeWritten(ctx context.Context) error {
	before, err := db.Owners.All(ctx)
	if err != nil || len(before) == 0 {
		return err
	}
	var longest time.Duration
	for _, owner := range before {
		longest = max(longest, owner.Lease)
	}
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-db.clock.After(longest):
	}
	after, err := db.Owners.All(ctx)
	if err != nil {
		return err
	}
	beats := make(map[string]int64, len(before))
	for _, owner := range before {
		beats[owner.ID] = owner.Beat
	}
	for _, owner := range after {
		if beat, was := beats[owner.ID]; !was || beat != owner.Beat {
			return fmt.Errorf("a console on %s is at work on the catalog %s: stop it first", owner.Host, db.place)
		}
	}
	return nil
}

func (db *DB) mustBeNew(ctx context.Context) error {
	for _, row := range []any{&models.User{}, &models.Cluster{}, &models.Snapshot{}} {
		var n int64
		if err := db.with(ctx).Model(row).Count(&n).Error; err != nil {
			return fmt.Errorf("look whether the catalog is new: %w", err)
		} else if n > 0 {
			return fmt.Errorf("there is already a catalog at %s: name an empty database, or a file that is not there", db.place)
		}
	}
	return nil
}

func copyCatalogRows(ctx context.Context, from, to *DB, fromHome, toHome string) (int, error) {
	if err := to.with(ctx).Where("1 = 1").Delete(&models.SubnetGroup{}).Error; err != nil { // a new catalog has one
		return 0, fmt.Errorf("empty the new catalog: %w", err)
	}
	homeOf := func(home string) string {
		if home == fromHome {
			return toHome
		}
		return home
	}
	// The order is such that each row finds what it refers to. Owners are gone, and their locks with them; tallies and marks are kept by triggers,
	// and a console that starts looks at all records anyway.
	total := 0
	for _, copyTable := range []func(context.Context, *DB, *DB) (int, error){
		rowsOf(func(c *models.Cluster) { c.Home = homeOf(c.Home) }),
		rowsOf[models.Node](nil), rowsOf[models.Attachment](nil), rowsOf[models.Snapshot](nil), rowsOf[models.Part](nil),
		rowsOf(func(r *models.Run) { r.Home = homeOf(r.Home) }),
		rowsOf[models.RunImpact](nil),
		rowsOf[models.WindowMark](nil), rowsOf[models.Loss](nil), rowsOf[models.Event](nil),
		rowsOf(func(s *models.Setting) {
			if s.Name == clockSetting(fromHome) {
				s.Name = clockSetting(toHome)
			}
		}),
		rowsOf[models.User](nil), rowsOf[models.Session](nil), rowsOf[models.SignInFailure](nil), rowsOf[models.AccessKey](nil), rowsOf[models.Invocation](nil), rowsOf[models.Signature](nil),
		rowsOf[models.Tag](nil), rowsOf[models.SubnetGroup](nil), rowsOf[models.ParameterGroup](nil), rowsOf[models.ParameterValue](nil),
		rowsOf[models.AccessUser](nil), rowsOf[models.UserGroup](nil), rowsOf[models.StorageSample](nil), rowsOf[models.PastSnapshot](nil),
		rowsOf[models.Channel](nil), rowsOf[models.Alarm](nil), rowsOf[models.Telling](nil), rowsOf[models.Delivery](nil),
		rowsOf[models.Drill](nil), rowsOf[models.DrillPlan](nil),
		rowsOf[models.JournalPlan](nil), rowsOf(func(l *models.JournalLink) { l.Owner = "" }), rowsOf[models.JournalSegment](nil), rowsOf[models.JournalStretch](nil), rowsOf[models.JournalEvent](nil), rowsOf[models.JournalComparison](nil),
	} {
		n, err := copyTable(ctx, from, to)
		if err != nil {
			return 0, err
		}
		total += n
	}
	return total, to.Settings.unset(ctx, movedSetting)
}

// rowsOf copies a table, changing each row on the way.
func rowsOf[T any](change func(*T)) func(ctx context.Context, from, to *DB) (int, error) {
	return func(ctx context.Context, from, to *DB) (int, error) {
		var batch []T
		total := 0
		err := from.with(ctx).FindInBatches(&batch, 500, func(*gorm.DB, int) error {
			total += len(batch)
			for i := range batch {
				if change != nil {
					change(&batch[i])
				}
			}
			return to.with(ctx).Omit(clause.Associations).Create(&batch).Error
		}).Error
		if err != nil {
			return 0, fmt.Errorf("copy each %s: %w", reflect.TypeFor[T]().Name(), err)
		}
		if _, numbered := reflect.TypeFor[T]().FieldByName("ID"); !numbered {
			return total, nil
		}
		table := from.gorm.NamingStrategy.TableName(reflect.TypeFor[T]().Name())
		last, err := from.kind.lastID(from.with(ctx), table)
		if err == nil && last > 0 { // numbers of rows that are gone must not be used again
			err = to.kind.setLastID(to.with(ctx), table, last)
		}
		if err != nil {
			return 0, fmt.Errorf("copy the last number of %s: %w", table, err)
		}
		return total, nil
	}
}
