package models

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"time"

	"gorm.io/gorm"

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

// Session is a signed-in browser. The cookie holds a token; the row holds only its hash, so that a stolen catalog opens no door.
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

// The limits of guessing.
const (
	failureWindow   = 15 * time.Minute
	failuresPerPair = 5  // of one user from one address
	failuresPerUser = 50 // of one user from anywhere
	knownFor        = 30 * 24 * time.Hour
	knownPlaces     = 50  // of one user
	maxUserName     = 256 // bytes; nobody has a longer name, and an index of PostgreSQL takes no text of any length
)

// minPasswordRunes is the length of the shortest password.
const minPasswordRunes = 10

// AdminName is the first user.
const AdminName = "admin"

// EnsureAdmin makes the first user when there is none. Without a given password it generates one and returns it, for being shown
// once; otherwise, and when there are users already, it returns "".
func (db *DB) EnsureAdmin(ctx context.Context, given secret.Text) (generated secret.Text, err error) {
	var users int64
	if err := db.with(ctx).Model(&User{}).Count(&users).Error; err != nil {
		return "", fmt.Errorf("count users: %w", err)
	}
	if users > 0 {
		return "", nil
	}
	password := given
	if password == "" {
		generated = secret.Text(rand.Text()[:20])
		password = generated
	}
	if problem := checkPassword(password); problem != "" {
		return "", refuse(CodeInvalid, "password", problem)
	}
	user := User{Name: AdminName, PasswordHash: secret.Text(hashPassword(password)), Role: "administer", CreatedAt: db.Now()}
	if err := db.with(ctx).Create(&user).Error; errors.Is(err, gorm.ErrDuplicatedKey) {
		return "", nil // another console was first
	} else if err != nil {
		return "", fmt.Errorf("create user %s: %w", AdminName, err)
	}
	return generated, nil
}

func checkPassword(password secret.Text) string {
	n := len([]rune(password.Reveal()))
	if n < minPasswordRunes || n > 256 {
		return fmt.Sprintf("The password must have %d to 256 characters; this one has %d.", minPasswordRunes, n)
	}
	return ""
}

// SignIn checks name and password and starts a session. The token goes into the cookie and nowhere else.
func (db *DB) SignIn(ctx context.Context, name string, password secret.Text, address, userAgent string) (secret.Text, error) {
	const wrong = "That name and password do not match."
	name = name[:min(len(name), maxUserName)]
	now, from := db.Now(), placeOf(address)
	// The attempt is written down as failed before the password is looked at: of a hundred guesses at once only as many are
	// looked at as are allowed. The right password takes it back.
	err := db.transaction(ctx, func(tx *DB) error {
		wait, err := tx.signInWait(ctx, name, from)
		if err != nil {
			return err
		} else if wait > 0 {
			return refuse(CodeInvalid, "", fmt.Sprintf("Too many wrong passwords. Try again in %d minutes.", int(wait/time.Minute)+1))
		}
		if err := errors.Join(
			tx.with(ctx).Where("at <= ?", now.Add(-failureWindow)).Delete(&SignInFailure{}).Error,
			tx.with(ctx).Create(&SignInFailure{Name: name, Address: from, At: now}).Error); err != nil {
			return fmt.Errorf("record sign-in: %w", err)
		}
		return nil
	})
	if err != nil {
		return "", err
	}
	user, found, err := find[User](db.with(ctx).Where("name = ?", name))
	if err != nil {
		return "", fmt.Errorf("find user: %w", err)
	}
	// An unknown name costs the same time as a wrong password, so that names cannot be guessed by the clock.
	if !verifyPassword(user.PasswordHash.Reveal(), password) || !found {
		return "", refuse(CodeInvalid, "", wrong)
	}
	token := secret.Text(rand.Text() + rand.Text())
	session := Session{TokenHash: hashToken(token), UserID: user.ID, UserAgent: userAgent, Address: address,
		CreatedAt: now, LastSeenAt: now, ExpiresAt: now.Add(SessionLifetime)}
	err = db.transaction(ctx, func(tx *DB) error {
		return errors.Join(
			tx.with(ctx).Where("id NOT IN (?)", validAt(tx.with(ctx).Model(&Session{}).Select("id"), now)).Delete(&Session{}).Error,
			tx.with(ctx).Where("name = ? AND address = ?", name, from).Delete(&SignInFailure{}).Error,
			tx.rememberPlace(ctx, name, from),
			tx.with(ctx).Create(&session).Error)
	})
	if err != nil {
		return "", fmt.Errorf("start session: %w", err)
	}
	return token, nil
}

// signInWait is how long this name has to wait before the next attempt from there. Strangers who guess from many addresses lock out whoever
// comes from a place that nobody knows, but not where the user has signed in before: else they could keep the administrator away for ever. Nor
// this host, to which no stranger comes.
func (db *DB) signInWait(ctx context.Context, name, from string) (time.Duration, error) {
	wait, err := db.failureWait(ctx, db.with(ctx).Where("name = ? AND address = ?", name, from), failuresPerPair)
	if err != nil || wait > 0 || from == thisHost {
		return wait, err
	}
	wait, err = db.failureWait(ctx, db.with(ctx).Where("name = ?", name), failuresPerUser)
	if err != nil || wait == 0 {
		return 0, err
	}
	places, err := db.knownPlaces(ctx, name)
	if err != nil {
		return 0, err
	}
	if _, known := places[from]; known {
		return 0, nil
	}
	return wait, nil
}

// failureWait is how long to wait until fewer than so many of these failures are recent.
func (db *DB) failureWait(ctx context.Context, query *gorm.DB, allowed int) (time.Duration, error) {
	now := db.Now()
	var failures []SignInFailure
	// A failure in the future is from a clock that was set back; it would lock its user out for who knows how long.
	err := query.Where("at > ? AND at <= ?", now.Add(-failureWindow), now).Order("at DESC").Limit(allowed).Find(&failures).Error
	if err != nil {
		return 0, fmt.Errorf("count failed sign-ins: %w", err)
	}
	if len(failures) < allowed {
		return 0, nil
	}
	return failures[allowed-1].At.Add(failureWindow).Sub(now), nil
}

// thisHost is the place of all loopback addresses.
const thisHost = "this host"

// placeOf is what counts as one place: an address, or the /64 that a host on IPv6 has all of.
func placeOf(address string) string {
	parsed, err := netip.ParseAddr(address)
	if err != nil {
		return address
	}
	parsed = parsed.Unmap()
	switch {
	case parsed.IsLoopback():
		return thisHost
	case parsed.Is4():
		return parsed.String()
	}
	return netip.PrefixFrom(parsed.WithZone(""), 64).Masked().String()
}

// placesPrefix begins the names of the settings that hold where users have signed in, and when last.
const placesPrefix = "signed in:"

// knownPlaces is where the user of this name has signed in lately.
func (db *DB) knownPlaces(ctx context.Context, name string) (map[string]time.Time, error) {
	row, found, err := find[Setting](db.with(ctx).Where("name = ?", placesPrefix+name))
	if err != nil {
		return nil, fmt.Errorf("look where %s has signed in: %w", name, err)
	}
	places := make(map[string]time.Time)
	if found {
		if err := json.Unmarshal([]byte(row.Value), &places); err != nil {
			return nil, fmt.Errorf("read where %s has signed in: %w", name, err)
		}
	}
	now := db.Now()
	maps.DeleteFunc(places, func(_ string, at time.Time) bool { return now.Sub(at).Abs() >= knownFor })
	return places, nil
}

// rememberPlace notes that a user has signed in from there, and forgets the places that were used the longest ago.
func (db *DB) rememberPlace(ctx context.Context, name, from string) error {
	places, err := db.knownPlaces(ctx, name)
	if err != nil {
		return err
	}
	places[from] = db.Now()
	byAge := slices.SortedFunc(maps.Keys(places), func(a, b string) int { return places[b].Compare(places[a]) })
	for _, old := range byAge[min(len(byAge), knownPlaces):] {
		delete(places, old)
	}
	text, err := json.Marshal(places)
	if err != nil {
		return fmt.Errorf("write down where %s has signed in: %w", name, err)
	}
	return db.set(ctx, placesPrefix+name, string(text))
}

func hashToken(token secret.Text) string {
	sum := sha256.Sum256([]byte(token.Reveal()))
	return hex.EncodeToString(sum[:])
}

// validAt chooses the sessions that are valid. One that was used or ends far in the future was begun by a clock that stood ahead: without
// the upper bounds it would be valid until that time comes.
func validAt(query *gorm.DB, now time.Time) *gorm.DB {
	return query.Where("expires_at > ? AND last_seen_at > ? AND expires_at <= ? AND last_seen_at <= ?",
		now, now.Add(-SessionIdle), now.Add(SessionLifetime+SessionIdle), now.Add(SessionIdle))
}

// FindSession returns the session and user of a token, if it is valid still, and notes that it was used.
func (db *DB) FindSession(ctx context.Context, token secret.Text) (Session, User, bool, error) {
	now := db.Now()
	session, found, err := find[Session](validAt(db.with(ctx), now).Where("token_hash = ?", hashToken(token)))
	if err != nil || !found {
		return session, User{}, false, err
	}
	user, found, err := find[User](db.with(ctx).Where("id = ?", session.UserID))
	if err != nil || !found {
		return session, user, false, err
	}
	if now.Sub(session.LastSeenAt).Abs() > time.Minute { // not a write for every request
		if err := db.with(ctx).Model(&Session{ID: session.ID}).UpdateColumn("last_seen_at", now).Error; err != nil && Trouble(err) == "" { // reading goes on
			return session, user, false, fmt.Errorf("touch session: %w", err)
		}
	}
	return session, user, true, nil
}

// Sessions lists a user's valid sessions, the latest used first.
func (db *DB) Sessions(ctx context.Context, userID uint) ([]Session, error) {
	now := db.Now()
	var sessions []Session
	err := validAt(db.with(ctx), now).Where("user_id = ?", userID).
		Order("last_seen_at DESC, id DESC").Find(&sessions).Error
	if err != nil {
		return nil, fmt.Errorf("list sessions: %w", err)
	}
	return sessions, nil
}

// RevokeSession ends one session of a user.
func (db *DB) RevokeSession(ctx context.Context, userID, sessionID uint) error {
	return db.with(ctx).Where("user_id = ?", userID).Delete(&Session{}, sessionID).Error
}

// RevokeOtherSessions ends all sessions of a user but one.
func (db *DB) RevokeOtherSessions(ctx context.Context, userID, keep uint) error {
	return db.with(ctx).Where("user_id = ? AND id <> ?", userID, keep).Delete(&Session{}).Error
}

// ChangePassword sets a new password and ends all other sessions.
func (db *DB) ChangePassword(ctx context.Context, userID, keepSession uint, current, next, again secret.Text) error {
	user, found, err := find[User](db.with(ctx).Where("id = ?", userID))
	if err != nil {
		return fmt.Errorf("find user: %w", err)
	}
	var faults Faults
	if !found || !verifyPassword(user.PasswordHash.Reveal(), current) {
		faults.add(CodeInvalid, "current", "That is not the present password.")
	}
	if problem := checkPassword(next); problem != "" {
		faults.add(CodeInvalid, "new", problem)
	} else if next != again {
		faults.add(CodeInvalid, "repeat", "The two new passwords differ.")
	}
	if len(faults) > 0 {
		return faults
	}
	hash := hashPassword(next)
	return db.transaction(ctx, func(tx *DB) error {
		return errors.Join(
			tx.with(ctx).Model(&User{ID: userID}).UpdateColumn("password_hash", hash).Error,
			tx.RevokeOtherSessions(ctx, userID, keepSession))
	})
}

// ResetPassword gives a user a new generated password, ends all the user's sessions and returns the password: the way back in
// for whoever owns the host.
func (db *DB) ResetPassword(ctx context.Context, name string) (secret.Text, error) {
	password := secret.Text(rand.Text()[:20])
	hash := hashPassword(password)
	err := db.transaction(ctx, func(tx *DB) error {
		user, found, err := find[User](tx.with(ctx).Where("name = ?", name))
		if err != nil {
			return fmt.Errorf("find user %s: %w", name, err)
		} else if !found {
			return refuse(CodeUserNotFound, "", fmt.Sprintf("There is no user %s.", name))
		}
		return errors.Join(
			tx.with(ctx).Model(&User{ID: user.ID}).UpdateColumn("password_hash", hash).Error,
			tx.RevokeOtherSessions(ctx, user.ID, 0),
			tx.with(ctx).Where("name = ?", name).Delete(&SignInFailure{}).Error)
	})
	return password, err
}
