package models

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
)

// Settings are what an administrator can change while the console runs.
type Settings struct {
	ManualQuota int     // manual snapshots per cluster in 24 hours
	Price       float64 // per GB-month
	Currency    string  // shown before the amount
}

// Settings returns the settings; what was never set has ElastiCache's value.
//
// Source: Amazon ElastiCache user guide, "Backup constraints" and "Backup costs".
func (db *DB) Settings(ctx context.Context) (Settings, error) {
	settings := Settings{ManualQuota: 20, Price: 0.085, Currency: "$"}
	var rows []Setting
	if err := db.with(ctx).Find(&rows).Error; err != nil {
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

// SaveSettings checks and stores the settings.
func (db *DB) SaveSettings(ctx context.Context, s Settings) error {
	var faults Faults
	if s.ManualQuota < 1 || s.ManualQuota > 10000 {
		faults.add(CodeInvalid, "manual_quota", "The limit must be between 1 and 10000 manual snapshots.")
	}
	if !(s.Price >= 0 && s.Price <= 1000) { // also refuses NaN
		faults.add(CodeInvalid, "price", "The price must be between 0 and 1000.")
	}
	if s.Currency = strings.TrimSpace(s.Currency); s.Currency == "" || len(s.Currency) > 8 {
		faults.add(CodeInvalid, "currency", "Give the currency with at most 8 characters, such as $ or EUR.")
	}
	if len(faults) > 0 {
		return faults
	}
	return db.transaction(ctx, func(tx *DB) error {
		return errors.Join(
			tx.set(ctx, "manual_quota", strconv.Itoa(s.ManualQuota)),
			tx.set(ctx, "price", strconv.FormatFloat(s.Price, 'f', -1, 64)),
			tx.set(ctx, "currency", s.Currency))
	})
}

func (db *DB) set(ctx context.Context, name, value string) error {
	err := db.with(ctx).Clauses(clause.OnConflict{UpdateAll: true}).Create(&Setting{Name: name, Value: value}).Error
	if err != nil {
		return fmt.Errorf("store setting %s: %w", name, err)
	}
	return nil
}

func (db *DB) unset(ctx context.Context, name string) error {
	if err := db.with(ctx).Delete(&Setting{Name: name}).Error; err != nil {
		return fmt.Errorf("forget setting %s: %w", name, err)
	}
	return nil
}

// SessionKey returns the key that signs session cookies, made at the first call and kept in the catalog.
func (db *DB) SessionKey(ctx context.Context) (secret.Text, error) {
	key := make([]byte, 32)
	_, _ = rand.Read(key) // never fails (crypto/rand)
	err := db.with(ctx).Clauses(clause.OnConflict{DoNothing: true}).Create(&Setting{Name: "session_key", Value: hex.EncodeToString(key)}).Error
	if err != nil {
		return "", fmt.Errorf("store session key: %w", err)
	}
	row, _, err := find[Setting](db.with(ctx).Where("name = ?", "session_key"))
	if err != nil {
		return "", fmt.Errorf("read session key: %w", err)
	}
	decoded, err := hex.DecodeString(row.Value)
	if err != nil {
		return "", fmt.Errorf("read session key: %w", err)
	}
	return secret.Text(decoded), nil
}
