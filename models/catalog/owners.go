package catalog

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"time"

	"gorm.io/gorm"

	"rekindle/models"
)

// Owners keeps the consoles and their leases.
type Owners struct{ db *DB }

// Enroll gives a console a lease of this length. The console has locked its data folder, so an earlier owner with the same home is gone, and its
// lease is ended.
func (q Owners) Enroll(ctx context.Context, home string, lease time.Duration) (models.Owner, error) {
	now := q.db.Now()
	host, _ := os.Hostname() // "" is shown as unknown
	owner := models.Owner{ID: rand.Text(), Home: home, Host: host, Lease: lease, Since: now, Seen: now}
	err := q.db.transaction(ctx, func(tx *DB) error {
		if err := tx.with(ctx).Where("home = ?", home).Delete(&models.Owner{}).Error; err != nil {
			return fmt.Errorf("end earlier owners: %w", err)
		}
		if err := tx.with(ctx).Create(&owner).Error; err != nil {
			return fmt.Errorf("write owner: %w", err)
		}
		return tx.Owners.takeFromTheGone(ctx)
	})
	if err != nil {
		return owner, fmt.Errorf("enroll console: %w", err)
	}
	return owner, nil
}

// Renew renews a lease. The error is ErrLeaseLost when the lease has been ended.
func (q Owners) Renew(ctx context.Context, id string) error {
	renewed := q.db.with(ctx).Model(&models.Owner{ID: id}).UpdateColumns(map[string]any{"beat": gorm.Expr("beat + 1"), "seen": q.db.Now()})
	if renewed.Error != nil {
		return fmt.Errorf("renew lease: %w", renewed.Error)
	} else if renewed.RowsAffected == 0 {
		return fmt.Errorf("renew lease: %w", models.ErrLeaseLost)
	}
	return nil
}

// All returns the consoles that have a lease, the oldest first.
func (q Owners) All(ctx context.Context) ([]models.Owner, error) {
	var owners []models.Owner
	if err := q.db.with(ctx).Order("since, id").Find(&owners).Error; err != nil {
		return nil, fmt.Errorf("list owners: %w", err)
	}
	return owners, nil
}

// End ends a lease that was not renewed since it was seen in this state, and tells whether it did. What the owner had begun then belongs to nobody:
// its locks are free, and its runs are [Runs.CutOff].
func (q Owners) End(ctx context.Context, seen models.Owner) (ended bool, err error) {
	err = q.db.transaction(ctx, func(tx *DB) error {
		gone := tx.with(ctx).Where("id = ? AND beat = ?", seen.ID, seen.Beat).Delete(&models.Owner{})
		if ended = gone.RowsAffected > 0; gone.Error != nil || !ended {
			return gone.Error
		}
		return tx.Owners.takeFromTheGone(ctx)
	})
	if err != nil {
		return false, fmt.Errorf("end owner %s: %w", seen.ID, err)
	}
	return ended, nil
}

// Leave gives a lease back when the console stops.
func (q Owners) Leave(ctx context.Context, id string) error {
	err := q.db.transaction(ctx, func(tx *DB) error {
		return errors.Join(tx.with(ctx).Delete(&models.Owner{ID: id}).Error, tx.Owners.takeFromTheGone(ctx))
	})
	if err != nil {
		return fmt.Errorf("give the lease back: %w", err)
	}
	return nil
}

// First tells whether this owner has been there longest: that one does what one console does for all.
func (q Owners) First(ctx context.Context, id string) (bool, error) {
	first, found, err := find[models.Owner](q.db.with(ctx).Order("since, id"))
	if err != nil {
		return false, fmt.Errorf("look for the first owner: %w", err)
	}
	return found && first.ID == id, nil
}

// HomeClusters counts the clusters of each home. Attached ones have none.
func (q Owners) HomeClusters(ctx context.Context) (map[string]int, error) {
	var rows []struct {
		Home     string
		Clusters int
	}
	if err := q.db.with(ctx).Model(&models.Cluster{}).Select("home, COUNT(*) AS clusters").Where("home <> ''").Group("home").Find(&rows).Error; err != nil {
		return nil, fmt.Errorf("count the clusters of each console: %w", err)
	}
	counts := make(map[string]int, len(rows))
	for _, row := range rows {
		counts[row.Home] = row.Clusters
	}
	return counts, nil
}

// Homes returns the homes of the consoles that have a lease.
func (q Owners) Homes(ctx context.Context) (map[string]bool, error) {
	owners, err := q.All(ctx)
	homes := make(map[string]bool, len(owners))
	for _, owner := range owners {
		homes[owner.Home] = true
	}
	return homes, err
}

// Away tells whether no console with this home has a lease, so that nobody can look after its nodes.
func (q Owners) Away(ctx context.Context, home string) (bool, error) {
	_, found, err := find[models.Owner](q.db.with(ctx).Where("home = ?", home))
	if err != nil {
		return false, fmt.Errorf("look for the console of home %s: %w", home, err)
	}
	return !found, nil
}

// TakeOver makes the nodes of these clusters this host's if they belong to a console that is away: somebody has found their files here and asked for
// it. It returns the clusters that it took.
func (q Owners) TakeOver(ctx context.Context, names []string) (taken []string, err error) {
	home := q.db.host.Home()
	err = q.db.transaction(ctx, func(tx *DB) error {
		var clusters []models.Cluster
		err := tx.with(ctx).Select("id", "name").Where("name IN ? AND home <> '' AND home <> ? AND home NOT IN (SELECT home FROM owners)", names, home).Order("name").Find(&clusters).Error
		if err != nil {
			return err
		}
		for _, cluster := range clusters {
			message := fmt.Sprintf("The files of the nodes of %s are on this host, and the console that had them is away: this one looks after them from now on.", cluster.Name)
			err := errors.Join(tx.with(ctx).Model(&cluster).UpdateColumn("home", home).Error,
				tx.with(ctx).Model(&models.Run{}).Where("cluster_id = ? AND status = ? AND home <> ''", cluster.ID, models.RunQueued).UpdateColumn("home", home).Error,
				tx.Events.Add(ctx, models.Event{Severity: models.SeverityWarning, ClusterName: cluster.Name, Message: message}))
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

// takeFromTheGone takes runs and locks away from owners without a lease.
func (q Owners) takeFromTheGone(ctx context.Context) error {
	const gone = "owner NOT IN (SELECT id FROM owners)"
	if err := q.db.with(ctx).Where(gone).Delete(&models.Lock{}).Error; err != nil {
		return fmt.Errorf("free the locks of consoles that are gone: %w", err)
	}
	err := q.db.with(ctx).Model(&models.Run{}).Where("status = ? AND owner <> '' AND "+gone, models.RunRunning).UpdateColumn("owner", "").Error
	if err != nil {
		return fmt.Errorf("take the runs of consoles that are gone: %w", err)
	}
	return nil
}

// leased fails with ErrLeaseLost when an owner has no lease. Call it in the transaction that writes the owner's ID.
func (q Owners) leased(ctx context.Context, owner string) error {
	_, found, err := find[models.Owner](q.db.with(ctx).Where("id = ?", owner))
	if err != nil {
		return fmt.Errorf("look for a lease: %w", err)
	} else if !found {
		return models.ErrLeaseLost
	}
	return nil
}
