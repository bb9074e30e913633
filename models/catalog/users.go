package catalog

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
	"rekindle/models"
)

// Users keeps who may sign in, and who has.
type Users struct{ db *DB }

// The limits of guessing.
const (
	failureWindow   = 15 * time.Minute
	failuresPerPair = 5  // of one user from one address
	failuresPerUser = 50 // of one user from anywhere
	knownFor        = 30 * 24 * time.Hour
	knownPlaces     = 50  // of one user
	maxUserName     = 256 // bytes; nobody has a longer name, and PostgreSQL limits the length of indexed text
)

// EnsureAdmin makes the first user if there is none. Without a given password it generates one and returns it, to be shown once. Otherwise, and when
// there are users already, it returns "".
func (q Users) EnsureAdmin(ctx context.Context, given secret.Text) (generated secret.Text, err error) {
	var users int64
	if err := q.db.with(ctx).Model(&models.User{}).Count(&users).Error; err != nil {
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
	if problem := models.CheckPassword(password); problem != "" {
		return "", models.Refuse(models.CodeInvalid, "password", problem)
	}
	user := models.User{Name: models.AdminName, PasswordHash: secret.Text(hashPassword(password)), Role: "administer", CreatedAt: q.db.Now()}
	if err := q.db.with(ctx).Create(&user).Error; errors.Is(err, gorm.ErrDuplicatedKey) {
		return "", nil // another console was first
	} else if err != nil {
		return "", fmt.Errorf("create user %s: %w", models.AdminName, err)
	}
	return generated, nil
}

// SignIn checks name and password and starts a session. The token goes into the cookie and nowhere else.
func (q Users) SignIn(ctx context.Context, name string, password secret.Text, address, userAgent string) (secret.Text, error) {
	const wrong = "That name and password do not match."
	name = name[:min(len(name), maxUserName)]
	now, from := q.db.Now(), placeOf(address)
	// The attempt is written down as failed before the password is checked, so of a hundred guesses at once only as many are checked as are allowed.
	// The right password removes the entry.
	err := q.db.transaction(ctx, func(tx *DB) error {
		wait, err := tx.Users.signInWait(ctx, name, from)
		if err != nil {
			return err
		} else if wait > 0 {
			return models.Refuse(models.CodeInvalid, "", fmt.Sprintf("Too many wrong passwords. Try again in %d minutes.", int(wait/time.Minute)+1))
		}
		if err := errors.Join(
			tx.with(ctx).Where("at <= ?", now.Add(-failureWindow)).Delete(&models.SignInFailure{}).Error,
			tx.with(ctx).Create(&models.SignInFailure{Name: name, Address: from, At: now}).Error); err != nil {
			return fmt.Errorf("record sign-in: %w", err)
		}
		return nil
	})
	if err != nil {
		return "", err
	}
	user, found, err := find[models.User](q.db.with(ctx).Where("name = ?", name))
	if err != nil {
		return "", fmt.Errorf("find user: %w", err)
	}
	// An unknown name takes the same time as a wrong password, so that names cannot be guessed from the time.
	if !verifyPassword(user.PasswordHash.Reveal(), password) || !found {
		return "", models.Refuse(models.CodeInvalid, "", wrong)
	}
	token := secret.Text(rand.Text() + rand.Text())
	session := models.Session{TokenHash: hashToken(token), UserID: user.ID, UserAgent: userAgent, Address: address,
		CreatedAt: now, LastSeenAt: now, ExpiresAt: now.Add(models.SessionLifetime)}
	err = q.db.transaction(ctx, func(tx *DB) error {
		return errors.Join(
			tx.with(ctx).Where("id NOT IN (?)", validAt(tx.with(ctx).Model(&models.Session{}).Select("id"), now)).Delete(&models.Session{}).Error,
			tx.with(ctx).Where("name = ? AND address = ?", name, from).Delete(&models.SignInFailure{}).Error,
			tx.Users.rememberPlace(ctx, name, from),
			tx.with(ctx).Create(&session).Error)
	})
	if err != nil {
		return "", fmt.Errorf("start session: %w", err)
	}
	return token, nil
}

// signInWait returns how long this name has to wait before the next attempt from there. Strangers who guess from many addresses lock out those who
// come from unknown places. They do not lock out the places where the user has signed in before, or they could keep the administrator away for ever;
// nor this host, to which no stranger comes.
func (q Users) signInWait(ctx context.Context, name, from string) (time.Duration, error) {
	wait, err := q.failureWait(ctx, q.db.with(ctx).Where("name = ? AND address = ?", name, from), failuresPerPair)
	if err != nil || wait > 0 || from == thisHost {
		return wait, err
	}
	wait, err = q.failureWait(ctx, q.db.with(ctx).Where("name = ?", name), failuresPerUser)
	if err != nil || wait == 0 {
		return 0, err
	}
	places, err := q.knownPlaces(ctx, name)
	if err != nil {
		return 0, err
	}
	if _, known := places[from]; known {
		return 0, nil
	}
	return wait, nil
}

// failureWait is how long to wait until fewer than this many of these failures are recent.
func (q Users) failureWait(ctx context.Context, query *gorm.DB, allowed int) (time.Duration, error) {
	now := q.db.Now()
	var failures []models.SignInFailure
	// A failure in the future comes from a clock that was set back. It would lock its user out for who knows how long.
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

// placeOf returns what counts as one place: an address, or a /64, all of which belongs to one IPv6 host.
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

// placesPrefix begins the names of the settings that hold where a user has signed in, and when last.
const placesPrefix = "signed in:"

// knownPlaces returns where the user of this name has signed in lately.
func (q Users) knownPlaces(ctx context.Context, name string) (map[string]time.Time, error) {
	row, found, err := find[models.Setting](q.db.with(ctx).Where("name = ?", placesPrefix+name))
	if err != nil {
		return nil, fmt.Errorf("look where %s has signed in: %w", name, err)
	}
	places := make(map[string]time.Time)
	if found {
		if err := json.Unmarshal([]byte(row.Value), &places); err != nil {
			return nil, fmt.Errorf("read where %s has signed in: %w", name, err)
		}
	}
	now := q.db.Now()
	maps.DeleteFunc(places, func(_ string, at time.Time) bool { return now.Sub(at).Abs() >= knownFor })
	return places, nil
}

// rememberPlace notes that a user has signed in from there, and forgets the places that were used longest ago.
func (q Users) rememberPlace(ctx context.Context, name, from string) error {
	places, err := q.knownPlaces(ctx, name)
	if err != nil {
		return err
	}
	places[from] = q.db.Now()
	byAge := slices.SortedFunc(maps.Keys(places), func(a, b string) int { return places[b].Compare(places[a]) })
	for _, old := range byAge[min(len(byAge), knownPlaces):] {
		delete(places, old)
	}
	text, err := json.Marshal(places)
	if err != nil {
		return fmt.Errorf("write down where %s has signed in: %w", name, err)
	}
	return q.db.Settings.set(ctx, placesPrefix+name, string(text))
}

func hashToken(token secret.Text) string {
	sum := sha256.Sum256([]byte(token.Reveal()))
	return hex.EncodeToString(sum[:])
}

// validAt selects the valid sessions. A session that was used, or ends, far in the future was begun by a clock that ran ahead: without the upper
// bounds it would be valid until that time comes.
func validAt(query *gorm.DB, now time.Time) *gorm.DB {
	return query.Where("expires_at > ? AND last_seen_at > ? AND expires_at <= ? AND last_seen_at <= ?",
		now, now.Add(-models.SessionIdle), now.Add(models.SessionLifetime+models.SessionIdle), now.Add(models.SessionIdle))
}

// FindSession returns the session and user of a token, if it is still valid, and notes that it was used.
func (q Users) FindSession(ctx context.Context, token secret.Text) (models.Session, models.User, bool, error) {
	now := q.db.Now()
	session, found, err := find[models.Session](validAt(q.db.with(ctx), now).Where("token_hash = ?", hashToken(token)))
	if err != nil || !found {
		return session, models.User{}, false, err
	}
	user, found, err := find[models.User](q.db.with(ctx).Where("id = ?", session.UserID))
	if err != nil || !found {
		return session, user, false, err
	}
	if now.Sub(session.LastSeenAt).Abs() > time.Minute { // do not write at every request
		if err := q.db.with(ctx).Model(&models.Session{ID: session.ID}).UpdateColumn("last_seen_at", now).Error; err != nil && Trouble(err) == "" { // reading goes on although nothing can be written
			return session, user, false, fmt.Errorf("touch session: %w", err)
		}
	}
	return session, user, true, nil
}

// Sessions lists a user's valid sessions, the latest used first.
func (q Users) Sessions(ctx context.Context, userID uint) ([]models.Session, error) {
	now := q.db.Now()
	var sessions []models.Session
	err := validAt(q.db.with(ctx), now).Where("user_id = ?", userID).
		Order("last_seen_at DESC, id DESC").Find(&sessions).Error
	if err != nil {
		return nil, fmt.Errorf("list sessions: %w", err)
	}
	return sessions, nil
}

// RevokeSession ends one session of a user.
func (q Users) RevokeSession(ctx context.Context, userID, sessionID uint) error {
	return q.db.with(ctx).Where("user_id = ?", userID).Delete(&models.Session{}, sessionID).Error
}

// RevokeOtherSessions ends all sessions of a user but one.
func (q Users) RevokeOtherSessions(ctx context.Context, userID, keep uint) error {
	return q.db.with(ctx).Where("user_id = ? AND id <> ?", userID, keep).Delete(&models.Session{}).Error
}

// ChangePassword sets a new password and ends all other sessions.
func (q Users) ChangePassword(ctx context.Context, userID, keepSession uint, current, next, again secret.Text) error {
	user, found, err := find[models.User](q.db.with(ctx).Where("id = ?", userID))
	if err != nil {
		return fmt.Errorf("find user: %w", err)
	}
	var faults models.Faults
	if !found || !verifyPassword(user.PasswordHash.Reveal(), current) {
		faults.Add(models.CodeInvalid, "current", "That is not the current password.")
	}
	if problem := models.CheckPassword(next); problem != "" {
		faults.Add(models.CodeInvalid, "new", problem)
	} else if next != again {
		faults.Add(models.CodeInvalid, "repeat", "The two new passwords differ.")
	}
	if len(faults) > 0 {
		return faults
	}
	hash := hashPassword(next)
	return q.db.transaction(ctx, func(tx *DB) error {
		return errors.Join(
			tx.with(ctx).Model(&models.User{ID: userID}).UpdateColumn("password_hash", hash).Error,
			tx.Users.RevokeOtherSessions(ctx, userID, keepSession))
	})
}

// ResetPassword gives a user a new generated password, ends all of the user's sessions and returns the password. It is the way back in for whoever
// owns the host.
func (q Users) ResetPassword(ctx context.Context, name string) (secret.Text, error) {
	password := secret.Text(rand.Text()[:20])
	hash := hashPassword(password)
	err := q.db.transaction(ctx, func(tx *DB) error {
		user, found, err := find[models.User](tx.with(ctx).Where("name = ?", name))
		if err != nil {
			return fmt.Errorf("find user %s: %w", name, err)
		} else if !found {
			return models.Refuse(models.CodeUserNotFound, "", fmt.Sprintf("There is no user %s.", name))
		}
		return errors.Join(
			tx.with(ctx).Model(&models.User{ID: user.ID}).UpdateColumn("password_hash", hash).Error,
			tx.Users.RevokeOtherSessions(ctx, user.ID, 0),
			tx.with(ctx).Where("name = ?", name).Delete(&models.SignInFailure{}).Error)
	})
	return password, err
}

// Names lists the users.
func (q Users) Names(ctx context.Context) (names []string, err error) {
	if err := q.db.with(ctx).Model(&models.User{}).Order("name").Pluck("name", &names).Error; err != nil {
		return nil, fmt.Errorf("list users: %w", err)
	}
	return names, nil
}
