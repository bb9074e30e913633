package catalog

import (
	"context"
	"errors"
	"path/filepath"
	"sync"
	"testing"

	"github.com/jonboulle/clockwork"
	"gorm.io/gorm"
)

// SQLite's own waiting is turned off, so that the second of two transactions at once would fail.
func TestTransactionsOfOneProcessWaitForEachOther(t *testing.T) {
	t.Parallel()
	const writers, writes = 8, 50
	db := must(connectWith(filepath.Join(t.TempDir(), "turns.db"), "_journal_mode=WAL&_busy_timeout=0&_txlock=immediate", clockwork.NewRealClock()))(t)
	t.Cleanup(func() { check(t, closePool(db)) })
	check(t, db.Exec("CREATE TABLE counts (n integer)").Error)
	check(t, db.Exec("INSERT INTO counts VALUES (0)").Error)

	given := errors.New("given up")
	var all sync.WaitGroup
	for range writers {
		all.Go(func() {
			for i := range writes {
				err := db.WithContext(t.Context()).Transaction(func(tx *gorm.DB) error {
					var n int
					if err := tx.Raw("SELECT n FROM counts").Scan(&n).Error; err != nil {
						return err
					}
					if err := tx.Exec("UPDATE counts SET n = ?", n+1).Error; err != nil || i%2 == 0 {
						return err
					}
					return given
				})
				if err != nil && err != given {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	var n int
	if err := db.Raw("SELECT n FROM counts").Scan(&n).Error; err != nil || n != writers*writes/2 {
		t.Errorf("%d of %d were counted: %v", n, writers*writes/2, err)
	}
}

func TestATransactionThatIsGivenUpLetsTheNextOneBegin(t *testing.T) {
	t.Parallel()
	db := must(connectWith(filepath.Join(t.TempDir(), "turns.db"), "_journal_mode=WAL&_busy_timeout=5000&_txlock=immediate", clockwork.NewRealClock()))(t)
	t.Cleanup(func() { check(t, closePool(db)) })
	check(t, db.Exec("CREATE TABLE counts (n integer)").Error)
	ctx, cancel := context.WithCancel(t.Context())
	err := db.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		waiting, stop := context.WithCancel(t.Context())
		stop()
		if err := db.WithContext(waiting).Exec("INSERT INTO counts VALUES (1)").Error; !errors.Is(err, context.Canceled) {
			t.Errorf("one that is cancelled while it waits: %v", err)
		}
		cancel()
		return tx.Exec("INSERT INTO counts VALUES (2)").Error
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("one that is cancelled in the middle: %v", err)
	}
	func() {
		defer func() { _ = recover() }()
		_ = db.Transaction(func(*gorm.DB) error { panic("in the middle of it") })
	}()
	check(t, db.Exec("INSERT INTO counts VALUES (3)").Error)
	var n int
	if err := db.Raw("SELECT SUM(n) FROM counts").Scan(&n).Error; err != nil || n != 3 {
		t.Errorf("%d, %v", n, err)
	}
}
