package models

import (
	"slices"
	"time"

	"rekindle/internal/secret"
)

// AccessKey lets a program use the ElastiCache API. Its secret is needed to check signatures, so it is stored and not only its hash; it is shown once.
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

// KeyRole says what an access key may do. Each role includes the roles before it.
type KeyRole string

// The roles of access keys.
const (
	RoleRead       KeyRole = "read"       // look
	RoleOperate    KeyRole = "operate"    // also take, copy and restore snapshots, create and change clusters
	RoleAdminister KeyRole = "administer" // also delete
)

// KeyRoles are all roles, the weakest first.
func KeyRoles() []KeyRole { return []KeyRole{RoleRead, RoleOperate, RoleAdminister} }

// May tells whether the role includes the one that is needed.
func (r KeyRole) May(needed KeyRole) bool {
	have, need := slices.Index(KeyRoles(), r), slices.Index(KeyRoles(), needed)
	return have >= 0 && need >= 0 && have >= need
}
