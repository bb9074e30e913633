package models

import (
	"fmt"
	"time"

	"rekindle/internal/secret"
)

// User is somebody who may sign in.
type User struct {
	ID           uint
	Name         string      `gorm:"uniqueIndex"`
	PasswordHash secret.Text // argon2id, see password.go
	Role         string      // "administer"; more roles come later
	CreatedAt    time.Time
}

// Session is a signed-in browser. The cookie holds a token; the row holds only its hash, so that a stolen catalog lets nobody in.
type Session struct {
	ID         uint
	TokenHash  string `gorm:"uniqueIndex"`
	UserID     uint   `gorm:"index"`
	UserAgent  string
	Address    string
	CreatedAt  time.Time
	LastSeenAt time.Time
	ExpiresAt  time.Time
}

// SignInFailure counts wrong passwords, by user and by address.
type SignInFailure struct {
	ID      uint
	Name    string    `gorm:"index"`
	Address string    `gorm:"index"`
	At      time.Time `gorm:"index"`
}

// How long somebody stays signed in.
const (
	SessionIdle     = 12 * time.Hour // without a request
	SessionLifetime = 7 * 24 * time.Hour
)

// minPasswordRunes is the length of the shortest password.
const minPasswordRunes = 10

// AdminName is the first user.
const AdminName = "admin"

// CheckPassword says what is wrong with a new password, or "".
func CheckPassword(password secret.Text) string {
	n := len([]rune(password.Reveal()))
	if n < minPasswordRunes || n > 256 {
		return fmt.Sprintf("The password must have %d to 256 characters; this one has %d.", minPasswordRunes, n)
	}
	return ""
}
