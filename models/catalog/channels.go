package catalog

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"gorm.io/gorm"

	"rekindle/models"
)

// Channels keeps the ways to tell people what happens.
type Channels struct{ db *DB }

// All lists the channels by name, with their secrets: they are few.
func (q Channels) All(ctx context.Context) ([]models.Channel, error) {
	var channels []models.Channel
	if err := q.db.with(ctx).Order("name").Find(&channels).Error; err != nil {
		return nil, fmt.Errorf("list channels: %w", err)
	}
	return channels, nil
}

// Get returns a channel with its secrets, or a refusal.
func (q Channels) Get(ctx context.Context, id uint) (models.Channel, error) {
	channel, found, err := find[models.Channel](q.db.with(ctx).Where("id = ?", id))
	if err != nil {
		return channel, fmt.Errorf("find channel %d: %w", id, err)
	} else if !found {
		return channel, models.Refuse(models.CodeChannelNotFound, "", "There is no such channel.")
	}
	return channel, nil
}

// maxChannels bounds what each alarm costs.
const maxChannels = 100

// Check brings a channel into its final form, or refuses it. Secrets that one that exists has, and that are empty here, are filled in, as far as
// [models.Channel.Keep] has it.
func (q Channels) Check(ctx context.Context, channel *models.Channel) error {
	var before models.Channel
	if channel.ID != 0 {
		var err error
		if before, err = q.Get(ctx, channel.ID); err != nil {
			return err
		}
		channel.Keep(before)
		channel.CreatedAt = before.CreatedAt
	}
	faults := models.CheckChannel(channel)
	if err := q.checkClusters(ctx, channel.Clusters, before.Clusters, &faults); err != nil {
		return err
	}
	return faults.OrNil()
}

// Create checks and writes a new channel.
func (q Channels) Create(ctx context.Context, channel models.Channel, by string) (models.Channel, error) {
	channel.ID = 0
	err := q.db.transaction(ctx, func(tx *DB) error {
		var there int64
		if err := tx.with(ctx).Model(&models.Channel{}).Count(&there).Error; err != nil {
			return err
		} else if there >= maxChannels {
			return models.Refuse(models.CodeInvalid, "", fmt.Sprintf("There are %d channels already, and there may be no more. Delete one first.", there))
		}
		if err := tx.Channels.Check(ctx, &channel); err != nil {
			return err
		}
		channel.CreatedAt = tx.Now()
		if err := tx.with(ctx).Create(&channel).Error; err != nil {
			return err
		}
		if err := tx.Alarms.catchUp(ctx, channel); err != nil {
			return err
		}
		return tx.Events.Add(ctx, models.Event{Severity: models.SeverityInfo, Message: fmt.Sprintf("The notification channel %s (%s) was created by %s.", channel.Name, channel.Kind.Label(), by)})
	})
	return channel, q.refused(err, "create", channel)
}

// Change checks and writes a channel that exists.
func (q Channels) Change(ctx context.Context, channel models.Channel, by string) (models.Channel, error) {
	err := q.db.transaction(ctx, func(tx *DB) error {
		if err := tx.Channels.Check(ctx, &channel); err != nil {
			return err
		}
		if err := tx.with(ctx).Select("*").Updates(&channel).Error; err != nil {
			return err
		}
		if err := tx.Alarms.catchUp(ctx, channel); err != nil {
			return err
		}
		return tx.Events.Add(ctx, models.Event{Severity: models.SeverityInfo, Message: fmt.Sprintf("The notification channel %s (%s) was changed by %s.", channel.Name, channel.Kind.Label(), by)})
	})
	return channel, q.refused(err, "change", channel)
}

// refused turns a name that is taken into a refusal.
func (q Channels) refused(err error, what string, channel models.Channel) error {
	if errors.Is(err, gorm.ErrDuplicatedKey) {
		return models.Refuse(models.CodeInvalid, "name", fmt.Sprintf("There is a channel called %s already.", channel.Name))
	} else if _, is := models.AsFaults(err); err == nil || is {
		return err
	}
	return fmt.Errorf("%s channel %s: %w", what, channel.Name, err)
}

// checkClusters refuses names of clusters that do not exist: a mistyped one would never be told of. Those that the channel had before may have been
// deleted since.
func (q Channels) checkClusters(ctx context.Context, names, before []string, faults *models.Faults) error {
	var asked []string
	had := make(map[string]bool, len(before))
	for _, name := range before {
		had[name] = true
	}
	for _, name := range names {
		if !had[name] && !strings.ContainsAny(name, `*?[\`) {
			asked = append(asked, name)
		}
	}
	if len(asked) == 0 {
		return nil
	}
	there, _, err := q.db.Present(ctx, asked, nil)
	if err != nil {
		return err
	}
	for _, name := range asked {
		if !there[name] {
			faults.Add(models.CodeInvalid, "clusters", fmt.Sprintf("There is no cluster %.60q. Write the names of clusters, or patterns such as shop-*.", name))
		}
	}
	return nil
}

// Adopt takes over channels from the store's record, unless there are some here. Those that cannot be right are left out, and refused says why.
func (q Channels) Adopt(ctx context.Context, found []models.Channel) (adopted []models.Channel, refused []string, err error) {
	err = q.db.transaction(ctx, func(tx *DB) error {
		var there int64
		if err := tx.with(ctx).Model(&models.Channel{}).Count(&there).Error; err != nil || there > 0 {
			return err
		}
		names := make(map[string]bool)
		for _, channel := range found[:min(len(found), maxChannels)] {
			faults := models.CheckRecordedChannel(&channel)
			if names[channel.Name] {
				faults.Add(models.CodeInvalid, "name", fmt.Sprintf("There are two called %s.", channel.Name))
			}
			if len(faults) > 0 {
				refused = append(refused, faults.Error())
				continue
			}
			names[channel.Name], channel.CreatedAt = true, tx.Now()
			if err := tx.with(ctx).Create(&channel).Error; err != nil {
				return err
			}
			adopted = append(adopted, channel)
		}
		return nil
	})
	if err != nil {
		return nil, nil, fmt.Errorf("take over channels: %w", err)
	}
	return adopted, refused, nil
}

// Delete removes a channel. What still waits to be delivered through it is given up.
func (q Channels) Delete(ctx context.Context, id uint, by string) (models.Channel, error) {
	var channel models.Channel
	err := q.db.transaction(ctx, func(tx *DB) (err error) {
		if channel, err = tx.Channels.Get(ctx, id); err != nil {
			return err
		}
		given := tx.with(ctx).Model(&models.Delivery{}).Where("channel_id = ? AND state = ?", id, models.DeliveryWaiting).
			Updates(map[string]any{"state": models.DeliveryGivenUp, "answer": "The channel was deleted.", "ended_at": tx.Now()})
		return errors.Join(given.Error,
			tx.with(ctx).Where("channel_id = ?", id).Delete(&models.Telling{}).Error,
			tx.with(ctx).Delete(&models.Channel{}, id).Error,
			tx.Events.Add(ctx, models.Event{Severity: models.SeverityInfo, Message: fmt.Sprintf("The notification channel %s (%s) was deleted by %s.", channel.Name, channel.Kind.Label(), by)}))
	})
	return channel, q.refused(err, "delete", channel)
}
