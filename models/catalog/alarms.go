package catalog

import (
	"context"
	"crypto/rand"
	"fmt"
	"time"

	"gorm.io/gorm/clause"

	"rekindle/models"
)

// Alarms keeps what is wrong and who was told of it. An alarm and the messages about it are written in the transaction of the event that they come
// from: whoever is killed in between leaves all of it or nothing, and whatever happens to the messages afterwards, no work waits for them.
type Alarms struct{ db *DB }

// note raises and ends the alarms of an event.
func (q Alarms) note(ctx context.Context, e models.Event) error {
	if e.Raises != "" {
		if err := q.raise(ctx, e); err != nil {
			return fmt.Errorf("raise the alarm %s: %w", e.Raises, err)
		}
	}
	if len(e.Ends) > 0 {
		if err := q.end(ctx, e); err != nil {
			return fmt.Errorf("end alarms: %w", err)
		}
	}
	return nil
}

// raise writes down that an alarm has begun, or has happened again, and tells the channels that want to know.
func (q Alarms) raise(ctx context.Context, e models.Event) error {
	now := q.db.Now()
	alarm, found, err := find[models.Alarm](q.db.with(ctx).Where("condition = ? AND subject = ?", e.Raises, e.Raises.Subject(e)))
	if err != nil {
		return err
	}
	if !found || alarm.EndedAt != nil {
		alarm.Since = now
	}
	alarm.Condition, alarm.Subject, alarm.EndedAt = e.Raises, e.Raises.Subject(e), nil
	alarm.ClusterName, alarm.SnapshotName, alarm.Message, alarm.Next = e.ClusterName, e.SnapshotName, e.Message, e.Next
	if err := q.db.with(ctx).Save(&alarm).Error; err != nil {
		return err
	}
	channels, err := q.db.Channels.All(ctx)
	if err != nil {
		return err
	}
	told, err := q.tellings(ctx, alarm.ID)
	if err != nil {
		return err
	}
	for _, channel := range channels {
		if channel.Wants(alarm) {
			if err := q.tell(ctx, channel, alarm, told[channel.ID], true); err != nil {
				return err
			}
		}
	}
	return nil
}

// tell queues a message if it is time for one, and remembers when to look again.
func (q Alarms) tell(ctx context.Context, channel models.Channel, alarm models.Alarm, was models.Telling, happened bool) error {
	phase, then := channel.Tell(alarm, was, happened, q.db.Now())
	if phase != "" {
		if err := q.db.Deliveries.queue(ctx, channel, alarm, phase); err != nil {
			return err
		}
	}
	return q.db.with(ctx).Clauses(clause.OnConflict{UpdateAll: true}).Create(&then).Error
}

func (q Alarms) tellings(ctx context.Context, alarm uint) (map[uint]models.Telling, error) {
	var rows []models.Telling
	if err := q.db.with(ctx).Where("alarm_id = ?", alarm).Find(&rows).Error; err != nil {
		return nil, err
	}
	told := make(map[uint]models.Telling, len(rows))
	for _, row := range rows {
		told[row.ChannelID] = row
	}
	return told, nil
}

// end ends the alarms that are over with an event. Each channel that was told of them is told so, in one message.
func (q Alarms) end(ctx context.Context, e models.Event) error {
	var channels []models.Channel
	said := make(map[uint]bool)
	for _, condition := range e.Ends {
		alarm, found, err := find[models.Alarm](q.db.with(ctx).Where("condition = ? AND subject = ? AND ended_at IS NULL", condition, condition.Subject(e)))
		if err != nil {
			return err
		} else if !found {
			continue
		}
		if channels == nil {
			if channels, err = q.db.Channels.All(ctx); err != nil {
				return err
			}
		}
		told, err := q.close(ctx, alarm)
		if err != nil {
			return err
		}
		alarm.SnapshotName, alarm.Message, alarm.Next = e.SnapshotName, e.Message, ""
		for _, channel := range channels {
			if was, knows := told[channel.ID]; !knows || !was.Told(alarm) || !channel.Ends || channel.Paused || said[channel.ID] {
				continue
			}
			said[channel.ID] = true
			if err := q.db.Deliveries.queue(ctx, channel, alarm, models.PhaseEnds); err != nil {
				return err
			}
		}
	}
	return nil
}

// close writes down that an alarm is over, and returns who was told of it.
func (q Alarms) close(ctx context.Context, alarm models.Alarm) (map[uint]models.Telling, error) {
	told, err := q.tellings(ctx, alarm.ID)
	if err != nil {
		return nil, err
	}
	if err := q.db.with(ctx).Model(&models.Alarm{ID: alarm.ID}).UpdateColumn("ended_at", q.db.Now()).Error; err != nil {
		return nil, err
	}
	return told, q.db.with(ctx).Model(&models.Telling{}).Where("alarm_id = ? AND again_at IS NOT NULL", alarm.ID).UpdateColumn("again_at", nil).Error
}

// Turn writes an event that raises or ends an alarm, unless that is how it stands already.
func (q Alarms) Turn(ctx context.Context, e models.Event) error {
	return q.db.transaction(ctx, func(tx *DB) error {
		condition := e.Raises
		if condition == "" {
			condition = e.Ends[0]
		}
		_, open, err := find[models.Alarm](tx.with(ctx).Where("condition = ? AND subject = ? AND ended_at IS NULL", condition, condition.Subject(e)))
		if err != nil {
			return fmt.Errorf("look for the alarm %s: %w", condition, err)
		} else if open == (e.Raises != "") {
			return nil
		}
		return tx.Events.Add(ctx, e)
	})
}

// forget ends alarms about things that are gone, without a word: whoever deleted them knows.
func (q Alarms) forget(ctx context.Context, which string, args ...any) error {
	var ids []uint
	if err := q.db.with(ctx).Model(&models.Alarm{}).Where("ended_at IS NULL").Where(which, args...).Pluck("id", &ids).Error; err != nil {
		return fmt.Errorf("look for alarms of what is gone: %w", err)
	}
	for _, id := range ids {
		if _, err := q.close(ctx, models.Alarm{ID: id}); err != nil {
			return fmt.Errorf("end an alarm of what is gone: %w", err)
		}
	}
	return nil
}

// alarmsAtOnce is how many alarms one transaction works on, so that other writers do not wait long.
const alarmsAtOnce = 200

// Remind tells channels of what still goes on, when their time has come.
func (q Alarms) Remind(ctx context.Context) error {
	for {
		var more bool
		err := q.db.transaction(ctx, func(tx *DB) (err error) {
			more, err = tx.Alarms.remind(ctx)
			return err
		})
		if err != nil {
			return fmt.Errorf("remind of alarms: %w", err)
		} else if !more {
			return nil
		}
	}
}

func (q Alarms) remind(ctx context.Context) (more bool, err error) {
	var due []models.Telling
	if err := q.db.with(ctx).Where("again_at <= ?", q.db.Now()).Order("again_at, alarm_id, channel_id").Limit(alarmsAtOnce).Find(&due).Error; err != nil || len(due) == 0 {
		return false, err
	}
	channels, err := q.db.Channels.All(ctx)
	if err != nil {
		return false, err
	}
	byID := make(map[uint]models.Channel, len(channels))
	for _, channel := range channels {
		byID[channel.ID] = channel
	}
	for _, was := range due {
		alarm, found, err := find[models.Alarm](q.db.with(ctx).Where("id = ? AND ended_at IS NULL", was.AlarmID))
		if err != nil {
			return false, err
		}
		if channel, there := byID[was.ChannelID]; found && there && channel.Wants(alarm) {
			err = q.tell(ctx, channel, alarm, was, false)
		} else {
			err = q.db.with(ctx).Model(&models.Telling{}).Where("channel_id = ? AND alarm_id = ?", was.ChannelID, was.AlarmID).UpdateColumn("again_at", nil).Error
		}
		if err != nil {
			return false, err
		}
	}
	return len(due) == alarmsAtOnce, nil
}

// WatchAge raises an alarm for each cluster with a schedule whose newest good snapshot has become too old, and ends those of clusters that have no
// schedule any more. It returns for how many it did so. What the schedule has judged decides; see [Schedule.Judge].
func (q Alarms) WatchAge(ctx context.Context) (raised int, err error) {
	now := q.db.Now()
	old := now.Add(-models.OverdueAfter)
	failed := []int{rankOf(models.StandingFailed, false), rankOf(models.StandingFailed, true)}
	const silent = "NOT EXISTS (SELECT 1 FROM alarms WHERE condition = ? AND subject = cluster_name AND ended_at IS NULL)"
	var late []standing
	for _, which := range []struct {
		where string
		args  []any
	}{{"late_at <= ? AND rank IN ?", []any{now, canBecomeLate}}, {"rank IN ?", []any{failed}}} {
		var some []standing
		err := q.db.with(ctx).Where(which.where, which.args...).Where("(newest_at <= ? OR newest_at IS NULL AND cluster_id IN (SELECT id FROM clusters WHERE created_at <= ?))", old, old).Where(silent, models.ConditionOverdue).
			Order("cluster_name").Limit(alarmsAtOnce).Find(&some).Error
		if err != nil {
			return 0, fmt.Errorf("look for snapshots that are too old: %w", err)
		}
		late = append(late, some...)
	}
	for _, s := range late {
		if err := q.db.Events.Add(ctx, overdue(s, now)); err != nil {
			return raised, fmt.Errorf("report the age of the snapshots of %s: %w", s.ClusterName, err)
		}
		raised++
	}
	return raised, q.endUnscheduled(ctx)
}

func overdue(s standing, now time.Time) models.Event {
	text := fmt.Sprintf("The cluster %s has a schedule, but no good snapshot yet.", s.ClusterName)
	if s.NewestAt != nil {
		text = fmt.Sprintf("The newest good snapshot of %s is %d hours old. Its schedule takes one a day.", s.ClusterName, int(now.Sub(*s.NewestAt).Hours()))
	}
	return models.Event{Severity: models.SeverityError, ClusterName: s.ClusterName, Message: text, Raises: models.ConditionOverdue,
		Next: "The next snapshot is taken in its window. The page of the cluster says what is in the way; one can be taken there at once."}
}

// endUnscheduled ends what hangs on a schedule, for clusters that have none any more or are gone.
func (q Alarms) endUnscheduled(ctx context.Context) error {
	return q.db.transaction(ctx, func(tx *DB) error {
		return tx.Alarms.forget(ctx, "condition IN ? AND NOT EXISTS (SELECT 1 FROM clusters WHERE name = subject AND retention_limit > 0)",
			[]models.Condition{models.ConditionMissed, models.ConditionOverdue})
	})
}

// newRef names a message, so that a receiver that gets it twice can tell.
func newRef() string { return rand.Text() }
