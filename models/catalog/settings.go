package catalog

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"gorm.io/gorm/clause"

	"rekindle/internal/secret"
	"rekindle/models"
)

// Settings keeps what administrators have chosen.
type Settings struct{ db *DB }

// PromoteAfter returns after how many seconds without an answer a replica takes over from a primary; 0 means never.
func (q Settings) PromoteAfter(ctx context.Context) (int, error) {
	row, found, err := find[models.Setting](q.db.with(ctx).Where("name = ?", "promote_after"))
	if err != nil || !found {
		return models.DefaultPromoteAfter, err
	}
	seconds, err := strconv.Atoi(row.Value)
	if err != nil {
		return 0, fmt.Errorf("read setting promote_after: %w", err)
	}
	return seconds, nil
}

// SavePromoteAfter sets how many seconds to wait for a primary that hangs.
func (q Settings) SavePromoteAfter(ctx context.Context, seconds int) error {
	if seconds != 0 && (seconds < models.MinPromoteAfter || seconds > models.MaxPromoteAfter) {
		return models.Refuse(models.CodeInvalid, "promote_after", fmt.Sprintf("Enter %d to %d seconds, or 0 to leave a primary that hangs alone.", models.MinPromoteAfter, models.MaxPromoteAfter))
	}
	return q.set(ctx, "promote_after", strconv.Itoa(seconds))
}

// TriesImports tells whether an RDB from elsewhere is loaded into a node of its own before it becomes a snapshot. It is, unless somebody has chosen
// otherwise.
func (q Settings) TriesImports(ctx context.Context) (bool, error) {
	row, found, err := find[models.Setting](q.db.with(ctx).Where("name = ?", tryImports))
	return !found || row.Value != "off", err
}

// SaveTriesImports sets whether imports are tried out.
func (q Settings) SaveTriesImports(ctx context.Context, try bool) error {
	return q.set(ctx, tryImports, map[bool]string{true: "on", false: "off"}[try])
}

// HidesKeyNames tells whether names of keys are neither shown nor written down. They are both, unless somebody has chosen otherwise.
func (q Settings) HidesKeyNames(ctx context.Context) (bool, error) {
	row, found, err := find[models.Setting](q.db.with(ctx).Where("name = ?", hideKeyNames))
	return found && row.Value == "on", err
}

// SaveHidesKeyNames sets whether names of keys are hidden.
func (q Settings) SaveHidesKeyNames(ctx context.Context, hide bool) error {
	return q.set(ctx, hideKeyNames, map[bool]string{true: "on", false: "off"}[hide])
}

// hideKeyNames is the name of that setting.
const hideKeyNames = "hide_key_names"

// Chosen returns the settings that somebody has chosen here, by their names, as they are kept.
func (q Settings) Chosen(ctx context.Context) (map[string]string, error) {
	var rows []models.Setting
	if err := q.db.with(ctx).Where("name IN ?", keptSettings).Find(&rows).Error; err != nil {
		return nil, fmt.Errorf("read settings: %w", err)
	}
	chosen := make(map[string]string, len(rows))
	for _, row := range rows {
		chosen[row.Name] = row.Value
	}
	return chosen, nil
}

// Adopt takes over those settings that nobody has chosen here, and tells whether there were any. A value out of range is refused as in a form.
func (q Settings) Adopt(ctx context.Context, found map[string]string) (adopted bool, err error) {
	err = q.db.transaction(ctx, func(tx *DB) error {
		chosen, err := tx.Settings.Chosen(ctx)
		if err != nil {
			return err
		}
		for _, name := range keptSettings {
			value, given := found[name]
			if _, known := chosen[name]; known || !given {
				continue
			}
			if err := tx.Settings.set(ctx, name, value); err != nil {
				return err
			}
			adopted = true
		}
		if !adopted {
			return nil
		}
		settings, err := tx.Settings.Get(ctx)
		days, noNumber := tx.Settings.VerifyEvery(ctx)
		seconds, noSeconds := tx.Settings.PromoteAfter(ctx)
		kept, noDays := tx.Settings.KeepEvents(ctx)
		prices, noPrices := tx.Settings.RequestPrices(ctx)
		if err := errors.Join(err, noNumber, noSeconds, noDays, noPrices); err != nil {
			return errors.Join(models.Refuse(models.CodeInvalid, "", "A setting is not a number."), err)
		}
		judged := errors.Join(tx.Settings.Save(ctx, settings), tx.Settings.SaveVerifyEvery(ctx, days)) // as they are
		judged = errors.Join(judged, prices.Check())
		if _, given := found["promote_after"]; given {
			judged = errors.Join(judged, tx.Settings.SavePromoteAfter(ctx, seconds))
		}
		if _, given := found[keepEvents]; given {
			judged = errors.Join(judged, tx.Settings.SaveKeepEvents(ctx, kept))
		}
		return judged
	})
	return adopted && err == nil, err
}

// Get returns the settings. What was never set has ElastiCache's value.
//
// Source: Amazon ElastiCache user guide, "Backup constraints" and "Backup costs".
func (q Settings) Get(ctx context.Context) (models.Settings, error) {
	settings := models.Settings{ManualQuota: 20, Price: 0.085, Currency: "$"}
	var rows []models.Setting
	// Only these: the table also has what is kept of records, as many rows as there are clusters.
	if err := q.db.with(ctx).Where("name IN ?", []string{"manual_quota", "price", "currency"}).Find(&rows).Error; err != nil {
		return settings, fmt.Errorf("read settings: %w", err)
	}
	var failures []error
	for _, row := range rows {
		var err error
		switch row.Name {
		case "manual_quota":
			settings.ManualQuota, err = strconv.Atoi(row.Value)
		case "price":
			settings.Price, err = strconv.ParseFloat(row.Value, 64)
		case "currency":
			settings.Currency = row.Value
		}
		if err != nil {
			failures = append(failures, fmt.Errorf("read setting %s: %w", row.Name, err))
		}
	}
	return settings, errors.Join(failures...)
}

// Save checks and stores the settings.
func (q Settings) Save(ctx context.Context, s models.Settings) error {
	var faults models.Faults
	if s.ManualQuota < 1 || s.ManualQuota > 10000 {
		faults.Add(models.CodeInvalid, "manual_quota", "The limit must be between 1 and 10000 manual snapshots.")
	}
	if !(s.Price >= 0 && s.Price <= 1000) { // also refuses NaN
		faults.Add(models.CodeInvalid, "price", "The price must be between 0 and 1000.")
	}
	if s.Currency = strings.TrimSpace(s.Currency); s.Currency == "" || len(s.Currency) > 8 {
		faults.Add(models.CodeInvalid, "currency", "Enter a currency with at most 8 characters, such as $ or EUR.")
	}
	if len(faults) > 0 {
		return faults
	}
	return q.db.transaction(ctx, func(tx *DB) error {
		return errors.Join(
			tx.Settings.set(ctx, "manual_quota", strconv.Itoa(s.ManualQuota)),
			tx.Settings.set(ctx, "price", strconv.FormatFloat(s.Price, 'f', -1, 64)),
			tx.Settings.set(ctx, "currency", s.Currency))
	})
}

// The names of what the store charges for requests.
const putPrice, getPrice = "put_price", "get_price"

// RequestPrices returns what the store charges for requests. What was never set has S3's price.
func (q Settings) RequestPrices(ctx context.Context) (models.RequestPrices, error) {
	prices := models.DefaultRequestPrices
	var rows []models.Setting
	if err := q.db.with(ctx).Where("name IN ?", []string{putPrice, getPrice}).Find(&rows).Error; err != nil {
		return prices, fmt.Errorf("read the prices of requests: %w", err)
	}
	for _, row := range rows {
		price, err := strconv.ParseFloat(row.Value, 64)
		if err != nil {
			return prices, fmt.Errorf("read setting %s: %w", row.Name, err)
		}
		if row.Name == putPrice {
			prices.Put = price
		} else {
			prices.Get = price
		}
	}
	return prices, nil
}

// SaveRequestPrices sets what the store charges for requests.
func (q Settings) SaveRequestPrices(ctx context.Context, p models.RequestPrices) error {
	if err := p.Check(); err != nil {
		return err
	}
	return q.db.transaction(ctx, func(tx *DB) error {
		return errors.Join(
			tx.Settings.set(ctx, putPrice, strconv.FormatFloat(p.Put, 'f', -1, 64)),
			tx.Settings.set(ctx, getPrice, strconv.FormatFloat(p.Get, 'f', -1, 64)))
	})
}

func (q Settings) set(ctx context.Context, name, value string) error {
	err := q.db.with(ctx).Clauses(clause.OnConflict{UpdateAll: true}).Create(&models.Setting{Name: name, Value: value}).Error
	if err != nil {
		return fmt.Errorf("store setting %s: %w", name, err)
	}
	return nil
}

func (q Settings) unset(ctx context.Context, name string) error {
	if err := q.db.with(ctx).Delete(&models.Setting{Name: name}).Error; err != nil {
		return fmt.Errorf("forget setting %s: %w", name, err)
	}
	return nil
}

// SessionKey returns the key that signs session cookies. It is made at the first call and kept in the catalog.
func (q Settings) SessionKey(ctx context.Context) (secret.Text, error) {
	key := make([]byte, 32)
	_, _ = rand.Read(key) // never fails (crypto/rand)
	err := q.db.with(ctx).Clauses(clause.OnConflict{DoNothing: true}).Create(&models.Setting{Name: "session_key", Value: hex.EncodeToString(key)}).Error
	if err != nil {
		return "", fmt.Errorf("store session key: %w", err)
	}
	row, _, err := find[models.Setting](q.db.with(ctx).Where("name = ?", "session_key"))
	if err != nil {
		return "", fmt.Errorf("read session key: %w", err)
	}
	decoded, err := hex.DecodeString(row.Value)
	if err != nil {
		return "", fmt.Errorf("read session key: %w", err)
	}
	return secret.Text(decoded), nil
}

// storeMark is the setting with the mark of the snapshot store. It is never written into the store's record of settings.
const storeMark = "store_mark"

// StoreMark returns the mark by which the console's own store is known again; "" before there was one.
func (q Settings) StoreMark(ctx context.Context) (string, error) {
	row, _, err := find[models.Setting](q.db.with(ctx).Where("name = ?", storeMark))
	if err != nil {
		return "", fmt.Errorf("read the mark of the store: %w", err)
	}
	return row.Value, nil
}

// RememberStoreMark writes down the mark of the console's own store.
func (q Settings) RememberStoreMark(ctx context.Context, mark string) error {
	return q.set(ctx, storeMark, mark)
}

// VerifyEvery returns after how many days snapshots are verified again; 0 means only by hand.
func (q Settings) VerifyEvery(ctx context.Context) (int, error) {
	row, found, err := find[models.Setting](q.db.with(ctx).Where("name = ?", "verify_every"))
	if err != nil || !found {
		return models.DefaultVerifyEvery, err
	}
	days, err := strconv.Atoi(row.Value)
	if err != nil {
		return 0, fmt.Errorf("read setting verify_every: %w", err)
	}
	return days, nil
}

// SaveVerifyEvery sets after how many days snapshots are verified again.
func (q Settings) SaveVerifyEvery(ctx context.Context, days int) error {
	if days < 0 || days > models.MaxVerifyEvery {
		return models.Refuse(models.CodeInvalid, "verify_every", fmt.Sprintf("Enter 1 to %d days, or 0 to verify only on request.", models.MaxVerifyEvery))
	}
	return q.set(ctx, "verify_every", strconv.Itoa(days))
}

// keepEvents is the setting with the number of days for which events and messages are kept.
const keepEvents = "keep_events"

// KeepEvents returns for how many days events and messages are kept.
func (q Settings) KeepEvents(ctx context.Context) (int, error) {
	row, found, err := find[models.Setting](q.db.with(ctx).Where("name = ?", keepEvents))
	if err != nil || !found {
		return models.DefaultKeepEvents, err
	}
	days, err := strconv.Atoi(row.Value)
	if err != nil {
		return 0, fmt.Errorf("read setting %s: %w", keepEvents, err)
	}
	return days, nil
}

// SaveKeepEvents sets for how many days events and messages are kept.
func (q Settings) SaveKeepEvents(ctx context.Context, days int) error {
	if days < models.MinKeepEvents || days > models.MaxKeepEvents {
		return models.Refuse(models.CodeInvalid, keepEvents, fmt.Sprintf("Enter %d to %d days. The API shows the events of two weeks, as ElastiCache does.", models.MinKeepEvents, models.MaxKeepEvents))
	}
	return q.set(ctx, keepEvents, strconv.Itoa(days))
}
