package catalog

import (
	"context"
	"fmt"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"rekindle/models"
)

// journalTally is what a cluster's journal has of ten minutes, by when its pieces end. So the timeline costs the same for a month as for an hour.
type journalTally struct {
	ClusterID uint  `gorm:"primaryKey;autoIncrement:false"`
	At        int64 `gorm:"primaryKey;autoIncrement:false"` // when they begin, in seconds since 1970
	Writes    int64
	Bytes     int64 // of the stream
	Size      int64 // stored bytes
	Events    int64 // that people may want to undo
}

// TableName is the table of the tallies.
func (journalTally) TableName() string { return "journal_tallies" }

// talliedOf names the ten minutes of a cluster that an instant lies in.
func talliedOf(clusterID uint, at time.Time) journalTally {
	return journalTally{ClusterID: clusterID, At: at.Truncate(models.JournalTallied).Unix()}
}

// tallyOf is what a segment adds.
func tallyOf(s models.JournalSegment) journalTally {
	t := talliedOf(s.ClusterID, s.End)
	t.Writes, t.Bytes, t.Size = max(0, s.Writes), s.To-s.From, s.Size
	return t
}

// tally adds to what there is.
func (q Journal) tally(ctx context.Context, t journalTally) error {
	more := func(column string, n int64) clause.Assignment {
		return clause.Assignment{Column: clause.Column{Name: column}, Value: gorm.Expr("journal_tallies."+column+" + ?", n)}
	}
	return q.db.with(ctx).Clauses(clause.OnConflict{Columns: []clause.Column{{Name: "cluster_id"}, {Name: "at"}},
		DoUpdates: clause.Set{more("writes", t.Writes), more("bytes", t.Bytes), more("size", t.Size), more("events", t.Events)}}).Create(&t).Error
}

// oneEvent is what something that happened adds.
func oneEvent(e models.JournalEvent) journalTally {
	t := talliedOf(e.ClusterID, e.At)
	t.Events = 1
	return t
}

// tallies gathers what is added or taken away, by cluster and time alone, so that each ten minutes are changed once.
type tallies map[journalTally]journalTally

// add gathers so many times a tally.
func (t tallies) add(one journalTally, times int64) {
	key := journalTally{ClusterID: one.ClusterID, At: one.At}
	sum := t[key]
	t[key] = journalTally{ClusterID: one.ClusterID, At: one.At, Writes: sum.Writes + times*one.Writes, Bytes: sum.Bytes + times*one.Bytes, Size: sum.Size + times*one.Size, Events: sum.Events + times*one.Events}
}

// settle writes down what was gathered, and removes the rows of which nothing is left.
func (q Journal) settle(ctx context.Context, changes tallies) error {
	for key, t := range changes {
		if err := q.tally(ctx, t); err != nil {
			return err
		}
		if t.Size >= 0 && t.Events >= 0 {
			continue
		}
		if err := q.db.with(ctx).Where("cluster_id = ? AND at = ? AND size <= 0 AND events <= 0", key.ClusterID, key.At).Delete(&journalTally{}).Error; err != nil {
			return err
		}
	}
	return nil
}

// Tallied returns how much was written in each bar of a span, of all shards together, and how much happened there. A bar is some times ten minutes, and so
// is where the span begins.
func (q Journal) Tallied(ctx context.Context, clusterID uint, span models.RecoverySpan, bar time.Duration) ([]models.JournalWrites, error) {
	from, length := span.From.Unix(), int64(bar/time.Second)
	var sums []struct{ Bar, Writes, Bytes, Events int64 }
	err := q.db.with(ctx).Raw(`SELECT bar, CAST(SUM(writes) AS bigint) AS writes, CAST(SUM(bytes) AS bigint) AS bytes, CAST(SUM(events) AS bigint) AS events FROM (
		SELECT (at - CAST(? AS bigint)) / CAST(? AS bigint) AS bar, writes, bytes, events FROM journal_tallies WHERE cluster_id = ? AND at >= ? AND at < ?) tens GROUP BY bar`,
		from, length, clusterID, from, span.To.Unix()).Scan(&sums).Error
	if err != nil {
		return nil, fmt.Errorf("sum what a journal has: %w", err)
	}
	writes := barsOf(span, bar)
	for _, s := range sums {
		if s.Bar >= 0 && s.Bar < int64(len(writes)) {
			w := &writes[s.Bar]
			w.Writes, w.Bytes, w.Events = s.Writes, s.Bytes, s.Events
		}
	}
	return writes, nil
}

// barsOf are the bars of a span, empty.
func barsOf(span models.RecoverySpan, bar time.Duration) []models.JournalWrites {
	bars := make([]models.JournalWrites, span.To.Sub(span.From)/bar)
	for i := range bars {
		bars[i].At = span.From.Add(time.Duration(i) * bar)
	}
	return bars
}

// Beside returns the last thing before an instant that people may want to undo, and the first one at it or later; nil: there is none.
func (q Journal) Beside(ctx context.Context, clusterID uint, at time.Time) (before, after *models.JournalEvent, err error) {
	one := func(condition, order string) (*models.JournalEvent, error) {
		event, found, err := find[models.JournalEvent](q.db.with(ctx).Where("cluster_id = ? AND at "+condition+" ?", clusterID, catalogTime(at)).Order(order))
		if err != nil || !found {
			return nil, err
		}
		return &event, nil
	}
	if before, err = one("<", "at DESC, id DESC"); err == nil {
		after, err = one(">=", "at, id")
	}
	if err != nil {
		return nil, nil, fmt.Errorf("look for what happened around an instant: %w", err)
	}
	return before, after, nil
}
