package catalog

import (
	"context"
	"fmt"

	"gorm.io/gorm/clause"

	"rekindle/models"
)

// caughtUpAtOnce is how many alarms a channel is told of one by one when it begins to tell of them. The rest are counted in one more message.
const caughtUpAtOnce = 20

// catchUp tells a channel that was created or changed of what is under way already and that it does not know of: the oldest alarms first, because they
// have been waiting longest for somebody to hear of them. It knows of the rest from then on as well: it is reminded of them, and told when they are over.
func (q Alarms) catchUp(ctx context.Context, channel models.Channel) error {
	if channel.Paused {
		return nil
	}
	news := 0
	for page, more := 0, true; more; page++ {
		var alarms []models.Alarm
		err := q.db.with(ctx).Where("ended_at IS NULL").Order("since, id").Limit(alarmsAtOnce).Offset(page * alarmsAtOnce).Find(&alarms).Error
		if err != nil {
			return fmt.Errorf("look for alarms under way: %w", err)
		}
		if news, err = q.catchUpWith(ctx, channel, alarms, news); err != nil {
			return err
		}
		more = len(alarms) == alarmsAtOnce
	}
	if news <= caughtUpAtOnce {
		return nil
	}
	return q.db.Deliveries.queue(ctx, channel, models.MoreAlarms(news-caughtUpAtOnce, q.db.Now()), models.PhaseBegins)
}

// catchUpWith does that for some alarms. news is how many were news to the channel so far, and then with these.
func (q Alarms) catchUpWith(ctx context.Context, channel models.Channel, alarms []models.Alarm, news int) (int, error) {
	known, err := q.known(ctx, channel, alarms)
	if err != nil {
		return news, err
	}
	var tellings []models.Telling
	for _, alarm := range alarms {
		if !channel.Wants(alarm) {
			continue
		}
		phase, then := channel.Tell(alarm, known[alarm.ID], false, q.db.Now())
		if tellings = append(tellings, then); phase == "" {
			continue
		}
		if news++; news > caughtUpAtOnce {
			continue
		}
		if err := q.db.Deliveries.queue(ctx, channel, alarm, phase); err != nil {
			return news, err
		}
	}
	if len(tellings) == 0 {
		return news, nil
	}
	if err := q.db.with(ctx).Clauses(clause.OnConflict{UpdateAll: true}).Create(&tellings).Error; err != nil {
		return news, fmt.Errorf("write down what %s is told: %w", channel.Name, err)
	}
	return news, nil
}

// known is what a channel was told of some alarms, by their numbers.
func (q Alarms) known(ctx context.Context, channel models.Channel, alarms []models.Alarm) (map[uint]models.Telling, error) {
	ids := make([]uint, len(alarms))
	for i, alarm := range alarms {
		ids[i] = alarm.ID
	}
	var rows []models.Telling
	if err := q.db.with(ctx).Where("channel_id = ? AND alarm_id IN ?", channel.ID, ids).Find(&rows).Error; err != nil {
		return nil, fmt.Errorf("look for what %s was told: %w", channel.Name, err)
	}
	known := make(map[uint]models.Telling, len(rows))
	for _, row := range rows {
		known[row.AlarmID] = row
	}
	return known, nil
}
