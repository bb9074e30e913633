package catalog

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"rekindle/models"
)

// dayLoadGood is how long the load of a day is good for. Counting it takes longer the more clusters there are, and it seldom changes.
const dayLoadGood = time.Minute

// dayLoad is the load as it was counted last.
type dayLoad struct {
	mutex   sync.Mutex
	at      time.Time // zero: not yet, or a schedule has changed since
	load    models.DayLoad
	changes int // of schedules, so that what is counted meanwhile is not kept
}

// outdated has the load counted anew the next time.
func (d *dayLoad) outdated() {
	d.mutex.Lock()
	defer d.mutex.Unlock()
	d.at = time.Time{}
	d.changes++
}

// last is the load as it was counted lately, if it was.
func (d *dayLoad) last(now time.Time) (load models.DayLoad, changes int, known bool) {
	d.mutex.Lock()
	defer d.mutex.Unlock()
	age := now.Sub(d.at)
	return d.load, d.changes, age >= 0 && age < dayLoadGood
}

func (d *dayLoad) keep(load models.DayLoad, now time.Time, changes int) {
	d.mutex.Lock()
	defer d.mutex.Unlock()
	if d.changes == changes {
		d.at, d.load = now, load
	}
}

// DayLoad counts what all schedules do in each hour of a day. It may be a minute old; a schedule counts when it has been judged.
func (q Schedule) DayLoad(ctx context.Context) (models.DayLoad, error) {
	now := q.db.Now()
	load, changes, known := q.db.day.last(now)
	if known {
		return load, nil
	}
	load, err := q.countDay(ctx)
	if err == nil {
		q.db.day.keep(load, now, changes)
	}
	return load, err
}

func (q Schedule) countDay(ctx context.Context) (models.DayLoad, error) {
	var load models.DayLoad
	var rows []struct {
		Kind     string
		Hour     int
		Clusters int
	}
	hourly := "SELECT '%s' AS kind, %s AS hour, COUNT(*) AS clusters FROM " + q.by("begins") + " WHERE begins IS NOT NULL%s GROUP BY 2" // all of it is in one index
	const lastHour = "(closes + 1439) % 1440 / 60"                                                                                      // the hour in which the last minute of the window lies
	const overnight = " AND closes <= opens AND closes > 0"
	err := q.db.with(ctx).Raw(strings.Join([]string{fmt.Sprintf(hourly, "opens", "opens / 60", ""), fmt.Sprintf(hourly, "begins", "begins / 60", ""), fmt.Sprintf(hourly, "closes", lastHour, ""),
		fmt.Sprintf(hourly, "midnight", "0", overnight), fmt.Sprintf(hourly, "twice", "opens / 60", overnight+" AND (closes - 1) / 60 = opens / 60")}, " UNION ALL ")).Scan(&rows).Error
	if err != nil {
		return load, fmt.Errorf("count what is to be done in each hour: %w", err)
	}
	byKind := make(map[string]*[24]int)
	for _, r := range rows {
		if byKind[r.Kind] == nil {
			byKind[r.Kind] = new([24]int)
		}
		byKind[r.Kind][r.Hour] = r.Clusters
	}
	at := func(kind string, hour int) int {
		if counts := byKind[kind]; counts != nil {
			return counts[hour]
		}
		return 0
	}
	open := at("midnight", 0)
	for hour := range load.Hours {
		load.Hours[hour] = models.HourLoad{Starts: at("begins", hour), Open: open + at("opens", hour) - at("twice", hour)} // which opens again in the hour in which it closes
		load.Clusters += load.Hours[hour].Starts
		open += at("opens", hour) - at("closes", hour)
	}
	return load, nil
}

// Starting returns a page of the clusters whose snapshot begins in an hour of the day (UTC), in the order in which they do, with their nodes.
func (q Schedule) Starting(ctx context.Context, hour, offset, limit int) ([]models.Cluster, error) {
	return q.starting(ctx, "begins >= ? AND begins < ?", []any{hour * 60, hour*60 + 60}, offset, limit)
}

// NextStarting returns the clusters whose snapshot begins next after this minute of the day, in the order in which they do, with their nodes.
func (q Schedule) NextStarting(ctx context.Context, minute, limit int) ([]models.Cluster, error) {
	clusters, err := q.starting(ctx, "begins >= ?", []any{minute}, 0, limit)
	if err != nil || len(clusters) == limit {
		return clusters, err
	}
	tomorrow, err := q.starting(ctx, "begins < ?", []any{minute}, 0, limit-len(clusters))
	return append(clusters, tomorrow...), err
}

func (q Schedule) starting(ctx context.Context, which string, args []any, offset, limit int) ([]models.Cluster, error) {
	var clusters []models.Cluster
	err := q.db.with(ctx).Select("clusters.*").Joins("JOIN "+q.by("begins")+" ON standings.cluster_id = clusters.id").Where(which, args...).
		Preload("Nodes", inOrder).Order("begins, opens, closes, cluster_id").Offset(offset).Limit(limit).Find(&clusters).Error
	if err != nil {
		return nil, fmt.Errorf("list what is snapshotted next: %w", err)
	}
	return clusters, nil
}
