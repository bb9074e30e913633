package catalog

import (
	"context"
	"errors"
	"fmt"
	"time"

	"rekindle/models"
)

// Deliveries keeps the messages on their way, and those that have gone it.
type Deliveries struct{ db *DB }

// queue writes down a message about an alarm.
func (q Deliveries) queue(ctx context.Context, channel models.Channel, alarm models.Alarm, phase models.Phase) error {
	now := q.db.Now()
	err := q.db.with(ctx).Create(&models.Delivery{Ref: newRef(), ChannelID: channel.ID, ChannelName: channel.Name, Condition: alarm.Condition, Phase: phase,
		ClusterName: alarm.ClusterName, SnapshotName: alarm.SnapshotName, Title: alarm.Title(phase), Text: alarm.Message, Next: alarm.Next, Since: alarm.Since,
		State: models.DeliveryWaiting, DueAt: now, CreatedAt: now}).Error
	if err != nil {
		return fmt.Errorf("queue a message to %s: %w", channel.Name, err)
	}
	return nil
}

// Test writes down a message that tries a channel out and has just been claimed: whoever asks for it sends it at once.
func (q Deliveries) Test(ctx context.Context, channel models.Channel, by string, lasts time.Duration) (models.Delivery, error) {
	now := q.db.Now()
	d := models.Delivery{Ref: newRef(), ChannelID: channel.ID, ChannelName: channel.Name, Phase: models.PhaseTest, Title: "A test of the channel " + channel.Name,
		Text: fmt.Sprintf("%s tries out whether messages of Rekindle arrive here. Nothing has happened.", by), Since: now, State: models.DeliveryWaiting, Attempts: 1,
		DueAt: now.Add(lasts), CreatedAt: now}
	if err := q.db.with(ctx).Create(&d).Error; err != nil {
		return d, fmt.Errorf("queue a test of %s: %w", channel.Name, err)
	}
	return d, nil
}

// Due returns the channels for which messages are due.
func (q Deliveries) Due(ctx context.Context) (channels []uint, err error) {
	err = q.db.with(ctx).Model(&models.Delivery{}).Where("state = ? AND due_at <= ?", models.DeliveryWaiting, q.db.Now()).Distinct("channel_id").Order("channel_id").Pluck("channel_id", &channels).Error
	if err != nil {
		return nil, fmt.Errorf("look for messages that are due: %w", err)
	}
	return channels, nil
}

// Claim takes up to limit messages of a channel that are due, the oldest first. As long as the claim lasts nobody else gets them; should the console
// be killed, they are due again after that.
func (q Deliveries) Claim(ctx context.Context, channel uint, limit int, lasts time.Duration) ([]models.Delivery, error) {
	var claimed []models.Delivery
	err := q.db.transaction(ctx, func(tx *DB) error {
		now := tx.Now()
		if err := tx.with(ctx).Where("state = ? AND due_at <= ? AND channel_id = ?", models.DeliveryWaiting, now, channel).Order("id").Limit(limit).Find(&claimed).Error; err != nil || len(claimed) == 0 {
			return err
		}
		ids := make([]uint, len(claimed))
		for i := range claimed {
			claimed[i].Attempts++
			claimed[i].DueAt = catalogTime(now.Add(lasts))
			ids[i] = claimed[i].ID
		}
		return tx.with(ctx).Exec("UPDATE deliveries SET attempts = attempts + 1, due_at = ? WHERE id IN ?", catalogTime(now.Add(lasts)), ids).Error
	})
	if err != nil {
		return nil, fmt.Errorf("claim messages: %w", err)
	}
	return claimed, nil
}

// Delivered writes down that a claimed message has arrived, and what the receiver answered.
func (q Deliveries) Delivered(ctx context.Context, d models.Delivery, answer string) error {
	return q.settle(ctx, d, map[string]any{"state": models.DeliveryDelivered, "answer": answer, "ended_at": q.db.Now()})
}

// Release makes a claimed message due again at once, as if it had not been tried.
func (q Deliveries) Release(ctx context.Context, d models.Delivery) error {
	return q.settle(ctx, d, map[string]any{"attempts": d.Attempts - 1, "due_at": q.db.Now()})
}

// Failed writes down that a claimed message did not arrive. It is tried again later, or given up: then an event says so. A test is not repeated.
func (q Deliveries) Failed(ctx context.Context, d models.Delivery, answer string) (given bool, err error) {
	pause, again := models.RetryDelivery(d.Attempts)
	if again && d.Phase != models.PhaseTest {
		return false, q.settle(ctx, d, map[string]any{"answer": answer, "due_at": q.db.Now().Add(pause)})
	}
	err = q.db.transaction(ctx, func(tx *DB) error {
		err := tx.Deliveries.settle(ctx, d, map[string]any{"state": models.DeliveryGivenUp, "answer": answer, "ended_at": tx.Now()})
		if err != nil || d.Phase == models.PhaseTest {
			return err
		}
		return tx.Events.Add(ctx, models.Event{Severity: models.SeverityError, ClusterName: d.ClusterName, SnapshotName: d.SnapshotName,
			Message: fmt.Sprintf("The message %q could not be delivered through the channel %s, and is given up. %s", d.Title, d.ChannelName, answer)})
	})
	return true, err
}

// settle changes a claimed message, unless somebody else has claimed it since.
func (q Deliveries) settle(ctx context.Context, d models.Delivery, changes map[string]any) error {
	if at, is := changes["due_at"].(time.Time); is {
		changes["due_at"] = catalogTime(at)
	}
	err := q.db.with(ctx).Model(&models.Delivery{}).Where("id = ? AND state = ? AND attempts = ?", d.ID, models.DeliveryWaiting, d.Attempts).Updates(changes).Error
	if err != nil {
		return fmt.Errorf("write down what became of message %d: %w", d.ID, err)
	}
	return nil
}

// Again has a message that was delivered or given up sent once more.
func (q Deliveries) Again(ctx context.Context, id uint) (models.Delivery, error) {
	var d models.Delivery
	err := q.db.transaction(ctx, func(tx *DB) error {
		var found bool
		var err error
		if d, found, err = find[models.Delivery](tx.with(ctx).Where("id = ?", id)); err != nil {
			return err
		} else if !found {
			return models.Refuse(models.CodeDeliveryNotFound, "", "There is no such message. It may have been deleted because of its age.")
		}
		if _, err := tx.Channels.Get(ctx, d.ChannelID); models.HasCode(err, models.CodeChannelNotFound) {
			return models.Refuse(models.CodeDeliveryState, "", fmt.Sprintf("The channel %s was deleted, so nothing can be sent through it.", d.ChannelName))
		} else if err != nil {
			return err
		}
		return tx.with(ctx).Model(&models.Delivery{}).Where("id = ?", id).
			Updates(map[string]any{"state": models.DeliveryWaiting, "attempts": 0, "due_at": tx.Now(), "ended_at": nil}).Error
	})
	if _, refused := models.AsFaults(err); err != nil && !refused {
		return d, fmt.Errorf("send message %d again: %w", id, err)
	}
	return d, err
}

// List filters by channel, state and cluster; the newest come first.
func (q Deliveries) List(ctx context.Context, l models.List) (models.Rows[models.Delivery], error) {
	return list[models.Delivery](q.db, q.db.with(ctx), table{
		text:    []string{"title", "text", "answer"},
		filters: map[string]string{"channel": "channel_name", "state": "state", "cluster": "cluster_name"},
		sorts:   map[string]string{"time": "created_at"},
		time:    "created_at",
		order:   []ordering{{by: "created_at", desc: true}, byID},
	}, l)
}

// Last returns the newest message of each channel that has had one.
func (q Deliveries) Last(ctx context.Context) (map[uint]models.Delivery, error) {
	var rows []models.Delivery
	err := q.db.with(ctx).Where(`id IN (SELECT (SELECT d.id FROM deliveries d WHERE d.channel_id = channels.id ORDER BY d.created_at DESC, d.id DESC LIMIT 1) FROM channels)`).Find(&rows).Error
	if err != nil {
		return nil, fmt.Errorf("look for the last messages: %w", err)
	}
	last := make(map[uint]models.Delivery, len(rows))
	for _, row := range rows {
		last[row.ChannelID] = row
	}
	return last, nil
}

// sweptAtOnce is how many rows one transaction deletes.
const sweptAtOnce = 500

// Sweep deletes events, messages and alarms that are older than they are kept. While the clock is in doubt, all of them stay.
func (q Deliveries) Sweep(ctx context.Context) (swept int64, err error) {
	if doubt, err := q.db.Clock.Look(ctx, time.Time{}); err != nil || doubt != nil {
		return 0, err
	}
	days, err := q.db.Settings.KeepEvents(ctx)
	if err != nil {
		return 0, err
	}
	before := catalogTime(q.db.Now().AddDate(0, 0, -days))
	for _, old := range []string{
		"DELETE FROM events WHERE id IN (SELECT id FROM events WHERE at < ? ORDER BY at LIMIT ?)",
		"DELETE FROM deliveries WHERE id IN (SELECT id FROM deliveries WHERE created_at < ? AND state <> 'waiting' ORDER BY created_at LIMIT ?)",
		"DELETE FROM alarms WHERE id IN (SELECT id FROM alarms WHERE ended_at < ? ORDER BY ended_at LIMIT ?)",
	} {
		for {
			deleted, err := q.db.delete(ctx, old, before, sweptAtOnce)
			if err != nil {
				return swept, fmt.Errorf("delete what is older than %d days: %w", days, err)
			}
			swept += deleted
			if deleted < sweptAtOnce || ctx.Err() != nil {
				break
			}
		}
	}
	_, err = q.db.delete(ctx, "DELETE FROM tellings WHERE alarm_id NOT IN (SELECT id FROM alarms)")
	return swept, errors.Join(err, ctx.Err())
}

// delete carries out a statement that deletes rows, in a transaction, and returns how many those were. GORM makes none for a plain statement.
func (db *DB) delete(ctx context.Context, statement string, values ...any) (rows int64, err error) {
	err = db.transaction(ctx, func(tx *DB) error {
		deleted := tx.with(ctx).Exec(statement, values...)
		rows = deleted.RowsAffected
		return deleted.Error
	})
	return rows, err
}
