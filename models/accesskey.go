package models

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
)

// AccessKey lets a program use the ElastiCache API. Its secret signs requests, so it is kept and cannot be kept as a hash; it is shown once.
type AccessKey struct {
	ID          uint
	KeyID       string `gorm:"uniqueIndex"`
	Secret      secret.Text
	Role        KeyRole
	Description string
	CreatedBy   string
	CreatedAt   time.Time
	UsedAt      *time.Time // to the minute
}

// KeyRole says what an access key may do. Each role may do what those before it may.
type KeyRole string

// The roles of access keys.
const (
	RoleRead       KeyRole = "read"       // look
	RoleOperate    KeyRole = "operate"    // also take, copy and restore snapshots, create and change clusters
	RoleAdminister KeyRole = "administer" // also delete
)

// KeyRoles are all roles, from the least on.
func KeyRoles() []KeyRole { return []KeyRole{RoleRead, RoleOperate, RoleAdminister} }

// May tells whether the role covers another one.
func (r KeyRole) May(needed KeyRole) bool {
	have, need := slices.Index(KeyRoles(), r), slices.Index(KeyRoles(), needed)
	return have >= 0 && need >= 0 && have >= need
}

// CreateAccessKey makes a key and returns it with its secret, for being shown once.
func (db *DB) CreateAccessKey(ctx context.Context, role KeyRole, description, createdBy string) (AccessKey, error) {
	var faults Faults
	if !slices.Contains(KeyRoles(), role) {
		faults.add(CodeInvalid, "role", "Choose what the key may do: read, operate or administer.")
	}
	if description = strings.TrimSpace(description); utf8.RuneCountInString(description) > 255 || !utf8.ValidString(description) {
		faults.add(CodeInvalid, "description", "The description may have at most 255 characters.")
	}
	if len(faults) > 0 {
		return AccessKey{}, faults
	}
	key := AccessKey{KeyID: "RKIA" + rand.Text()[:16], Secret: secret.Text(rand.Text() + rand.Text()[:14]), Role: role, Description: description,
		CreatedBy: createdBy, CreatedAt: db.Now()}
	err := db.transaction(ctx, func(tx *DB) error {
		if err := tx.with(ctx).Create(&key).Error; err != nil {
			return fmt.Errorf("write access key: %w", err)
		}
		return tx.AddEvent(ctx, Event{Severity: SeverityInfo, Message: fmt.Sprintf("The access key %s was created by %s; it may %s.", key.KeyID, createdBy, role)})
	})
	return key, err
}

var (
	keyIDPattern     = regexp.MustCompile(`^\w{4,128}$`)
	keySecretPattern = regexp.MustCompile(`^[!-~]{16,256}$`)
)

// EnsureAccessKey writes down the key that the environment gives, which may administer. Without one it does nothing; one that is there
// takes the given secret.
func (db *DB) EnsureAccessKey(ctx context.Context, keyID string, given secret.Text) error {
	switch {
	case keyID == "" && given == "":
		return nil
	case !keyIDPattern.MatchString(keyID):
		return refuse(CodeInvalid, "access_key_id", "The access key id must have 4 to 128 letters, digits or underscores.")
	case !keySecretPattern.MatchString(given.Reveal()):
		return refuse(CodeInvalid, "secret_access_key", "The secret access key must have 16 to 256 printable ASCII characters without spaces.")
	}
	key, found, err := find[AccessKey](db.with(ctx).Where("key_id = ?", keyID))
	switch {
	case err != nil:
		return fmt.Errorf("find access key: %w", err)
	case found && key.Secret == given:
		return nil
	case found:
		if err := db.with(ctx).Model(&AccessKey{ID: key.ID}).UpdateColumn("secret", given).Error; err != nil {
			return fmt.Errorf("write access key: %w", err)
		}
		return nil
	}
	key = AccessKey{KeyID: keyID, Secret: given, Role: RoleAdminister, Description: "From the environment of the console.", CreatedBy: "environment", CreatedAt: db.Now()}
	if err := db.with(ctx).Create(&key).Error; err != nil && !errors.Is(err, gorm.ErrDuplicatedKey) { // else another console was first
		return fmt.Errorf("write access key: %w", err)
	}
	return nil
}

// AccessKeys lists the keys, the newest first, without their secrets.
func (db *DB) AccessKeys(ctx context.Context) ([]AccessKey, error) {
	var keys []AccessKey
	if err := db.with(ctx).Omit("secret").Order("id DESC").Find(&keys).Error; err != nil {
		return nil, fmt.Errorf("list access keys: %w", err)
	}
	return keys, nil
}

// FindAccessKey returns a key with its secret, and tells whether there is one.
func (db *DB) FindAccessKey(ctx context.Context, keyID string) (AccessKey, bool, error) {
	key, found, err := find[AccessKey](db.with(ctx).Where("key_id = ?", keyID))
	if err != nil {
		return key, false, fmt.Errorf("find access key: %w", err)
	}
	return key, found, nil
}

// RevokeAccessKey removes a key: requests that it signs are refused from now on.
func (db *DB) RevokeAccessKey(ctx context.Context, id uint, revokedBy string) (AccessKey, error) {
	var key AccessKey
	err := db.transaction(ctx, func(tx *DB) error {
		var found bool
		var err error
		if key, found, err = find[AccessKey](tx.with(ctx).Where("id = ?", id)); err != nil {
			return fmt.Errorf("find access key: %w", err)
		} else if !found {
			return refuse(CodeAccessKeyNotFound, "", "There is no such access key. It may have been revoked already.")
		}
		if err := tx.with(ctx).Delete(&AccessKey{}, id).Error; err != nil {
			return fmt.Errorf("remove access key %s: %w", key.KeyID, err)
		}
		return tx.AddEvent(ctx, Event{Severity: SeverityInfo, Message: fmt.Sprintf("The access key %s was revoked by %s.", key.KeyID, revokedBy)})
	})
	return key, err
}
