package models

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"time"

	"gorm.io/gorm"
)

// Several consoles may share a catalog. Each is an owner for as long as it renews its lease: it has a row here, and its runs and
// locks carry the row's ID. An owner that stops renewing is ended by another one, which judges by its own steady clock how long the
// row has not changed; no clock of one host is ever compared with another's. An ID is of one lease only: who lost a lease comes back
// under another ID. So whatever names the ID is fenced by it, and a console that was frozen and thaws can settle nothing any more.

// ErrLeaseLost tells that a console's lease has ended: another console goes on with what it had begun.
var ErrLeaseLost = errors.New("this console did not renew its lease in time, and another one goes on with its work")

// CatalogHome is the home of the console in whose data folder the catalog lies, which nobody else can have locked.
const CatalogHome = "catalog"

// Owner is a console with a lease.
type Owner struct {
	ID    string        `gorm:"primaryKey"`
	Home  string        // names its data folder, and with that the nodes that it launches
	Host  string        // its name, for people
	Beat  int64         // how often the lease was renewed
	Lease time.Duration // after which without a renewal it may be ended
	Since time.Time
	Seen  time.Time // the last renewal, for people
}

// Enroll gives a lease of this length to a console. Its data folder is locked by it, so an earlier owner with the same home is gone and is ended.
func (db *DB) Enroll(ctx context.Context, home string, lease time.Duration) (Owner, error) {
	now := db.Now()
	host, _ := os.Hostname() // "" is shown as unknown
	owner := Owner{ID: rand.Text(), Home: home, Host: host, Lease: lease, Since: now, Seen: now}
	err := db.transaction(ctx, func(tx *DB) error {
		if err := tx.with(ctx).Where("home = ?", home).Delete(&Owner{}).Error; err != nil {
			return fmt.Errorf("end earlier owners: %w", err)
		}
		if err := tx.with(ctx).Create(&owner).Error; err != nil {
			return fmt.Errorf("write owner: %w", err)
		}
		return tx.takeFromTheGone(ctx)
	})
	if err != nil {
		return owner, fmt.Errorf("enroll console: %w", err)
	}
	return owner, nil
}

// Renew renews a lease. ErrLeaseLost when it has been ended.
func (db *DB) Renew(ctx context.Context, id string) error {
	renewed := db.with(ctx).Model(&Owner{ID: id}).UpdateColumns(map[string]any{"beat": gorm.Expr("beat + 1"), "seen": db.Now()})
	if renewed.Error != nil {
		return fmt.Errorf("renew lease: %w", renewed.Error)
	} else if renewed.RowsAffected == 0 {
		return fmt.Errorf("renew lease: %w", ErrLeaseLost)
	}
	return nil
}

// Owners returns the consoles that have a lease, the oldest first.
func (db *DB) Owners(ctx context.Context) ([]Owner, error) {
	var owners []Owner
	if err := db.with(ctx).Order("since, id").Find(&owners).Error; err != nil {
		return nil, fmt.Errorf("list owners: %w", err)
	}
	return owners, nil
}

// EndOwner ends a lease that was not renewed since it was seen like this, and tells whether it did. What the owner had begun belongs to
// nobody then: its locks are free, and its runs are [DB.CutOffRuns].
func (db *DB) EndOwner(ctx context.Context, seen Owner) (ended bool, err error) {
	err = db.transaction(ctx, func(tx *DB) error {
		gone := tx.with(ctx).Where("id = ? AND beat = ?", seen.ID, seen.Beat).Delete(&Owner{})
		if ended = gone.RowsAffected > 0; gone.Error != nil || !ended {
			return gone.Error
		}
		return tx.takeFromTheGone(ctx)
	})
	if err != nil {
		return false, fmt.Errorf("end owner %s: %w", seen.ID, err)
	}
	return ended, nil
}

// Leave gives a lease back: the console has stopped.
func (db *DB) Leave(ctx context.Context, id string) error {
	err := db.transaction(ctx, func(tx *DB) error {
		return errors.Join(tx.with(ctx).Delete(&Owner{ID: id}).Error, tx.takeFromTheGone(ctx))
	})
	if err != nil {
		return fmt.Errorf("give the lease back: %w", err)
	}
	return nil
}

// HomeClusters counts the clusters of each home.
func (db *DB) HomeClusters(ctx context.Context) (map[string]int, error) {
	var rows []struct {
		Home     string
		Clusters int
	}
	if err := db.with(ctx).Model(&Cluster{}).Select("home, COUNT(*) AS clusters").Group("home").Find(&rows).Error; err != nil {
		return nil, fmt.Errorf("count the clusters of each console: %w", err)
	}
	counts := make(map[string]int, len(rows))
	for _, row := range rows {
		counts[row.Home] = row.Clusters
	}
	return counts, nil
}

// Homes returns the homes of the consoles that have a lease.
func (db *DB) Homes(ctx context.Context) (map[string]bool, error) {
	owners, err := db.Owners(ctx)
	homes := make(map[string]bool, len(owners))
	for _, owner := range owners {
		homes[owner.Home] = true
	}
	return homes, err
}

// Away tells whether no console has a lease whose nodes these are, so that nobody can look after them.
func (db *DB) Away(ctx context.Context, home string) (bool, error) {
	_, found, err := find[Owner](db.with(ctx).Where("home = ?", home))
	if err != nil {
		return false, fmt.Errorf("look for the console of home %s: %w", home, err)
	}
	return !found, nil
}

// TakeOver makes the nodes of these clusters this host's, where they belong to a console that is away: somebody has found their files here
// and asked for it. It returns those that it took.
func (db *DB) TakeOver(ctx context.Context, names []string) (taken []string, err error) {
	home := db.host.Home()
	err = db.transaction(ctx, func(tx *DB) error {
		var clusters []Cluster
		err := tx.with(ctx).Select("id", "name").Where("name IN ? AND home <> ? AND home NOT IN (SELECT home FROM owners)", names, home).Order("name").Find(&clusters).Error
		if err != nil {
			return err
		}
		for _, cluster := range clusters {
			message := fmt.Sprintf("The files of the nodes of %s are on this host, and the console that had them is away: this one looks after them from now on.", cluster.Name)
			err := errors.Join(tx.with(ctx).Model(&cluster).UpdateColumn("home", home).Error,
				tx.with(ctx).Model(&Run{}).Where("cluster_id = ? AND status = ? AND home <> ''", cluster.ID, RunQueued).UpdateColumn("home", home).Error,
				tx.AddEvent(ctx, Event{Severity: SeverityWarning, ClusterName: cluster.Name, Message: message}))
			if err != nil {
				return err
			}
			taken = append(taken, cluster.Name)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("take clusters over: %w", err)
	}
	return taken, nil
}

// takeFromTheGone takes runs and locks from owners without a lease.
func (db *DB) takeFromTheGone(ctx context.Context) error {
	const gone = "owner NOT IN (SELECT id FROM owners)"
	if err := db.with(ctx).Where(gone).Delete(&Lock{}).Error; err != nil {
		return fmt.Errorf("free the locks of consoles that are gone: %w", err)
	}
	err := db.with(ctx).Model(&Run{}).Where("status = ? AND owner <> '' AND "+gone, RunRunning).UpdateColumn("owner", "").Error
	if err != nil {
		return fmt.Errorf("take the runs of consoles that are gone: %w", err)
	}
	return nil
}

// leased fails with ErrLeaseLost when an owner has no lease. Call it in the transaction that writes the owner's ID.
func (db *DB) leased(ctx context.Context, owner string) error {
	_, found, err := find[Owner](db.with(ctx).Where("id = ?", owner))
	if err != nil {
		return fmt.Errorf("look for a lease: %w", err)
	} else if !found {
		return ErrLeaseLost
	}
	return nil
}

// CutOffRuns returns the runs that are marked as running although no console works on them: those of consoles that are gone, and those
// that this owner has adopted. Leave out what this owner is working on.
func (db *DB) CutOffRuns(ctx context.Context, owner string) ([]Run, error) {
	var runs []Run
	err := db.with(ctx).Where("status = ? AND owner IN ?", RunRunning, []string{"", owner}).Order("id").Find(&runs).Error
	if err != nil {
		return nil, fmt.Errorf("list runs that were cut off: %w", err)
	}
	return runs, nil
}

// AdoptRun makes a run that was cut off this owner's, to settle it, and tells whether it did: another console may have been faster.
func (db *DB) AdoptRun(ctx context.Context, run Run, owner string) (Run, bool, error) {
	adopted := false
	err := db.transaction(ctx, func(tx *DB) error {
		if err := tx.leased(ctx, owner); err != nil {
			return err
		}
		taken := tx.with(ctx).Model(&Run{}).Where("id = ? AND status = ? AND owner IN ?", run.ID, RunRunning, []string{"", owner}).UpdateColumn("owner", owner)
		adopted = taken.RowsAffected == 1
		return taken.Error
	})
	if err != nil {
		return run, false, fmt.Errorf("adopt run %d: %w", run.ID, err)
	}
	run.Owner = owner
	return run, adopted, nil
}

// hold fails with ErrRunEnded when a run is not, or not any more, what its owner works on. Call it in the transaction that writes what
// the run has done.
func (db *DB) hold(ctx context.Context, run Run) error {
	held := db.with(ctx).Model(&Run{}).Where("id = ? AND status = ? AND owner = ?", run.ID, RunRunning, run.Owner).UpdateColumn("owner", run.Owner)
	if held.Error != nil {
		return fmt.Errorf("hold run %d: %w", run.ID, held.Error)
	} else if held.RowsAffected == 0 {
		return fmt.Errorf("hold run %d: %w", run.ID, ErrRunEnded)
	}
	return nil
}

// Hold fails with ErrRunEnded when a run is not, or not any more, what its owner works on: then nothing that it has made may be removed.
func (db *DB) Hold(ctx context.Context, run Run) error { return db.hold(ctx, run) }

// GiveUp writes down that a run has failed for this reason, before anything that it has made is removed: whoever has to go on from here
// must not take what is half removed for a success. ErrRunEnded when it is not this owner's any more; then nothing may be removed.
func (db *DB) GiveUp(ctx context.Context, run Run, status RunStatus, reason string) error {
	given := db.with(ctx).Model(&Run{}).Where("id = ? AND status = ? AND owner = ?", run.ID, RunRunning, run.Owner).
		UpdateColumns(map[string]any{"given_up": status, "error": reason})
	if given.Error != nil {
		return fmt.Errorf("give run %d up: %w", run.ID, given.Error)
	} else if given.RowsAffected == 0 {
		return fmt.Errorf("give run %d up: %w", run.ID, ErrRunEnded)
	}
	return nil
}
