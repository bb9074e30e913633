package catalog

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"gorm.io/gorm"

	"rekindle/internal/secret"
	"rekindle/models"
)

// Keys keeps the access keys of the API.
type Keys struct{ db *DB }

// Create makes a key and returns it with its secret, which is shown once.
func (q Keys) Create(ctx context.Context, role models.KeyRole, description, createdBy string) (models.AccessKey, error) {
	var faults models.Faults
	if !slices.Contains(models.KeyRoles(), role) {
		faults.Add(models.CodeInvalid, "role", "Choose what the key may do: read, operate or administer.")
	}
	if description = strings.TrimSpace(description); utf8.RuneCountInString(description) > 255 || !utf8.ValidString(description) {
		faults.Add(models.CodeInvalid, "description", "The description may have at most 255 characters.")
	}
	if len(faults) > 0 {
		return models.AccessKey{}, faults
	}
	key := models.AccessKey{KeyID: "RKIA" + rand.Text()[:16], Secret: secret.Text(rand.Text() + rand.Text()[:14]), Role: role, Description: description,
		CreatedBy: createdBy, CreatedAt: q.db.Now()}
	err := q.db.transaction(ctx, func(tx *DB) error {
		if err := tx.with(ctx).Create(&key).Error; err != nil {
			return fmt.Errorf("write access key: %w", err)
		}
		return tx.Events.Add(ctx, models.Event{Severity: models.SeverityInfo, Message: fmt.Sprintf("The access key %s was created by %s; it may %s.", key.KeyID, createdBy, role)})
	})
	return key, err
}

var (
	keyIDPattern     = regexp.MustCompile(`^\w{4,128}$`)
	keySecretPattern = regexp.MustCompile(`^[!-~]{16,256}$`)
)

// Ensure writes down the key that the environment gives, which may administer. Without one it does nothing; an existing key gets the given secret.
func (q Keys) Ensure(ctx context.Context, keyID string, given secret.Text) error {
	switch {
	case keyID == "" && given == "":
		return nil
	case !keyIDPattern.MatchString(keyID):
		return models.Refuse(models.CodeInvalid, "access_key_id", "The access key id must have 4 to 128 letters, digits or underscores.")
	case !keySecretPattern.MatchString(given.Reveal()):
		return models.Refuse(models.CodeInvalid, "secret_access_key", "The secret access key must have 16 to 256 printable ASCII characters without spaces.")
	}
	key, found, err := find[models.AccessKey](q.db.with(ctx).Where("key_id = ?", keyID))
	switch {
	case err != nil:
		return fmt.Errorf("find access key: %w", err)
	case found && key.Secret == given:
		return nil
	case found:
		if err := q.db.with(ctx).Model(&models.AccessKey{ID: key.ID}).UpdateColumn("secret", given).Error; err != nil {
			return fmt.Errorf("write access key: %w", err)
		}
		return nil
	}
	key = models.AccessKey{KeyID: keyID, Secret: given, Role: models.RoleAdminister, Description: "From the environment of the console.", CreatedBy: "environment", CreatedAt: q.db.Now()}
	if err := q.db.with(ctx).Create(&key).Error; err != nil && !errors.Is(err, gorm.ErrDuplicatedKey) { // if it exists, another console was first
		return fmt.Errorf("write access key: %w", err)
	}
	return nil
}

// All lists the keys, the newest first, without their secrets.
func (q Keys) All(ctx context.Context) ([]models.AccessKey, error) {
	var keys []models.AccessKey
	if err := q.db.with(ctx).Omit("secret").Order("id DESC").Find(&keys).Error; err != nil {
		return nil, fmt.Errorf("list access keys: %w", err)
	}
	return keys, nil
}

// Find returns a key with its secret, and tells whether there is one.
func (q Keys) Find(ctx context.Context, keyID string) (models.AccessKey, bool, error) {
	key, found, err := find[models.AccessKey](q.db.with(ctx).Where("key_id = ?", keyID))
	if err != nil {
		return key, false, fmt.Errorf("find access key: %w", err)
	}
	return key, found, nil
}

// Revoke removes a key: requests that it signs are refused from now on.
func (q Keys) Revoke(ctx context.Context, id uint, revokedBy string) (models.AccessKey, error) {
	var key models.AccessKey
	err := q.db.transaction(ctx, func(tx *DB) error {
		var found bool
		var err error
		if key, found, err = find[models.AccessKey](tx.with(ctx).Where("id = ?", id)); err != nil {
			return fmt.Errorf("find access key: %w", err)
		} else if !found {
			return models.Refuse(models.CodeAccessKeyNotFound, "", "There is no such access key. It may have been revoked already.")
		}
		if err := tx.with(ctx).Delete(&models.AccessKey{}, id).Error; err != nil {
			return fmt.Errorf("remove access key %s: %w", key.KeyID, err)
		}
		return tx.Events.Add(ctx, models.Event{Severity: models.SeverityInfo, Message: fmt.Sprintf("The access key %s was revoked by %s.", key.KeyID, revokedBy)})
	})
	return key, err
}

// Used notes that an access key was used, at most once a minute.
func (q Keys) Used(ctx context.Context, key models.AccessKey) error {
	now := q.db.Now()
	if key.UsedAt != nil && now.Sub(*key.UsedAt) < time.Minute && !now.Before(*key.UsedAt) {
		return nil
	}
	if err := q.db.with(ctx).Model(&models.AccessKey{ID: key.ID}).UpdateColumn("used_at", now).Error; err != nil && Trouble(err) == "" { // reading goes on although nothing can be written
		return fmt.Errorf("note the use of access key %s: %w", key.KeyID, err)
	}
	return nil
}
