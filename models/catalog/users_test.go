package catalog

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"rekindle/internal/secret"
	"rekindle/models"
)

const rightPassword = secret.Text("correct-horse-battery")

// signedUp is a catalog with the first user.
func signedUp(t *testing.T) (*DB, models.User, func(time.Duration)) {
	t.Helper()
	db, clock := catalog(t)
	if generated := must(db.Users.EnsureAdmin(t.Context(), rightPassword))(t); generated != "" {
		t.Error("a password was generated although one was given")
	}
	var user models.User
	check(t, db.with(t.Context()).First(&user).Error)
	return db, user, clock.Advance
}

func signIn(t *testing.T, db *DB, address string) secret.Text {
	t.Helper()
	return must(db.Users.SignIn(t.Context(), models.AdminName, rightPassword, address, "browser"))(t)
}

func TestEnsureAdminMakesOneOnce(t *testing.T) {
	t.Parallel()
	db, _ := catalog(t)
	_, err := db.Users.EnsureAdmin(t.Context(), "short")
	refused(t, err, models.CodeInvalid)
	var generated [6]secret.Text
	for _, err := range atOnce(len(generated), func(i int) (err error) {
		generated[i], err = db.Users.EnsureAdmin(context.Background(), "")
		return err
	}) {
		check(t, err)
	}
	said := 0
	for _, password := range generated {
		if password != "" {
			said++
			must(db.Users.SignIn(t.Context(), models.AdminName, password, "::1", "browser"))(t)
		}
	}
	if said != 1 || count(t, db, &models.User{}) != 1 {
		t.Errorf("%d passwords were shown, %d users", said, count(t, db, &models.User{}))
	}
	if again := must(db.Users.EnsureAdmin(t.Context(), "another-long-one"))(t); again != "" {
		t.Error("a second password")
	}
	_, err = db.Users.SignIn(t.Context(), models.AdminName, "another-long-one", "::1", "browser")
	refused(t, err, models.CodeInvalid)
}

func TestSignInIsLimited(t *testing.T) {
	t.Parallel()
	db, _, advance := signedUp(t)
	wrong := func(name, address string) models.Faults {
		t.Helper()
		_, err := db.Users.SignIn(t.Context(), name, "wrong", address, "browser")
		return refused(t, err, models.CodeInvalid)
	}
	unknown, known := wrong("nobody", "10.0.0.9"), wrong(models.AdminName, "10.0.0.9")
	if unknown.Error() != known.Error() {
		t.Errorf("the answers tell which names exist: %q, %q", unknown, known)
	}
	for range failuresPerPair {
		wrong(models.AdminName, "10.0.0.1")
		advance(time.Minute)
	}
	if got := wrong(models.AdminName, "10.0.0.1").Error(); !strings.Contains(got, "Try again in 11 minutes") {
		t.Error(got)
	}
	_, err := db.Users.SignIn(t.Context(), models.AdminName, rightPassword, "10.0.0.1", "browser")
	if got := refused(t, err, models.CodeInvalid).Error(); !strings.Contains(got, "Too many") {
		t.Error(got)
	}
	signIn(t, db, "10.0.0.2") // elsewhere it works
	advance(10*time.Minute + time.Second)
	signIn(t, db, "10.0.0.1")
	if n := count(t, db, &models.SignInFailure{}, "address = ?", "10.0.0.1"); n != 0 {
		t.Error("the right password does not take the failures back")
	}
	// One user from everywhere.
	for i := range failuresPerUser {
		wrong(models.AdminName, fmt.Sprintf("10.1.0.%d", i))
	}
	_, err = db.Users.SignIn(t.Context(), models.AdminName, rightPassword, "10.2.0.1", "browser")
	refused(t, err, models.CodeInvalid)
	advance(failureWindow)
	signIn(t, db, "10.2.0.1")
	if n := count(t, db, &models.SignInFailure{}); n > 1 {
		t.Errorf("%d old failures are kept", n)
	}
	// What a place is.
	for _, address := range []string{"2001:db8::1", "2001:db8::2", "2001:db8::3%eth0", "2001:db8::ffff:4", "2001:db8::5"} {
		wrong(models.AdminName, address)
	}
	_, err = db.Users.SignIn(t.Context(), models.AdminName, rightPassword, "2001:db8::6", "browser")
	refused(t, err, models.CodeInvalid)
	signIn(t, db, "2001:db8:0:1::6")
	signIn(t, db, "::ffff:10.3.0.1")
	// The clock stood wrong during the failures.
	advance(365 * 24 * time.Hour)
	for range failuresPerPair {
		wrong(models.AdminName, "10.0.0.1")
	}
	advance(-365 * 24 * time.Hour)
	signIn(t, db, "10.0.0.1")
}

// Whoever guesses from many addresses locks out those who come from a new address, and nobody else.
func TestStrangersCannotLockOutWhoHasSignedInBefore(t *testing.T) {
	t.Parallel()
	db, _, advance := signedUp(t)
	try := func(password secret.Text, address string) error {
		_, err := db.Users.SignIn(t.Context(), models.AdminName, password, address, "browser")
		return err
	}
	attack := func() {
		t.Helper()
		for i := range 3 * failuresPerUser {
			refused(t, try("wrong", fmt.Sprintf("10.1.%d.%d", i/250, i%250)), models.CodeInvalid)
		}
		refused(t, try(rightPassword, "10.9.0.1"), models.CodeInvalid) // nobody was there before
	}
	const home = "10.0.0.1"
	signIn(t, db, home)
	advance(knownFor - time.Hour)
	attack()
	signIn(t, db, home)
	signIn(t, db, "127.0.0.1") // by way of the host
	signIn(t, db, "::1")
	advance(time.Minute)
	signIn(t, db, home) // again, within the same attack
	for range failuresPerPair {
		refused(t, try("wrong", home), models.CodeInvalid)
	}
	if got := refused(t, try(rightPassword, home), models.CodeInvalid).Error(); !strings.Contains(got, "Too many") { // guessing does not go on for ever there, either
		t.Error(got)
	}
	refused(t, try("wrong", "127.0.0.1"), models.CodeInvalid)
	_, err := db.Users.SignIn(t.Context(), "somebody", rightPassword, home, "browser")
	refused(t, err, models.CodeInvalid)

	advance(knownFor)
	attack()
	refused(t, try(rightPassword, home), models.CodeInvalid) // it was too long ago
	advance(failureWindow)
	for i := range 3 * knownPlaces {
		signIn(t, db, fmt.Sprintf("10.4.0.%d", i))
		advance(time.Second)
	}
	places := must(db.Users.knownPlaces(t.Context(), models.AdminName))(t)
	if _, newest := places[fmt.Sprintf("10.4.0.%d", 3*knownPlaces-1)]; len(places) != knownPlaces || !newest {
		t.Errorf("%d places are remembered: %v", len(places), places)
	}
}

func TestAHundredGuessesAtOnceAreLimitedToo(t *testing.T) {
	t.Parallel()
	db, _, _ := signedUp(t)
	looked := 0
	for _, err := range atOnce(30, func(int) error {
		_, err := db.Users.SignIn(context.Background(), models.AdminName, "wrong", "10.0.0.1", "browser")
		return err
	}) {
		if !strings.Contains(refused(t, err, models.CodeInvalid).Error(), "Too many") {
			looked++
		}
	}
	if looked != failuresPerPair {
		t.Errorf("%d passwords were looked at", looked)
	}
}

func TestSessionsEnd(t *testing.T) {
	t.Parallel()
	db, user, advance := signedUp(t)
	valid := func(token secret.Text) bool {
		t.Helper()
		session, found, ok, err := db.Users.FindSession(t.Context(), token)
		check(t, err)
		if ok && (found.ID != user.ID || session.UserID != user.ID) {
			t.Errorf("%+v of %+v", session, found)
		}
		return ok
	}
	token := signIn(t, db, "::1")
	for _, hostile := range []secret.Text{"", "x", token + " ", secret.Text(hashToken(token)), "' OR 1=1 --"} {
		if valid(hostile) {
			t.Errorf("the token %q opens a session", hostile.Reveal())
		}
	}
	// Used every eleven hours it lives for a week, and no longer.
	for used := time.Duration(0); used < models.SessionLifetime-11*time.Hour; used += 11 * time.Hour {
		if !valid(token) {
			t.Fatalf("ended after %v", used)
		}
		advance(11 * time.Hour)
	}
	advance(11 * time.Hour)
	if valid(token) {
		t.Error("lives for more than a week")
	}
	// Unused it ends after twelve hours.
	token = signIn(t, db, "::1")
	advance(models.SessionIdle - time.Second)
	if !valid(token) {
		t.Error("ended too early")
	}
	advance(models.SessionIdle)
	if valid(token) || len(must(db.Users.Sessions(t.Context(), user.ID))(t)) != 0 {
		t.Error("does not end when it is not used")
	}
	signIn(t, db, "::1")
	if n := count(t, db, &models.Session{}); n != 1 {
		t.Errorf("%d rows: old sessions are kept", n)
	}
}

func TestSessionsAreRevoked(t *testing.T) {
	t.Parallel()
	db, user, advance := signedUp(t)
	tokens := make([]secret.Text, 4)
	for i := range tokens {
		tokens[i] = signIn(t, db, fmt.Sprint(i))
		advance(time.Second)
	}
	valid := func() (ok [4]bool) {
		t.Helper()
		for i, token := range tokens {
			_, _, found, err := db.Users.FindSession(t.Context(), token)
			check(t, err)
			ok[i] = found
		}
		return ok
	}
	sessions := must(db.Users.Sessions(t.Context(), user.ID))(t)
	if len(sessions) != 4 || sessions[0].Address != "3" {
		t.Fatalf("%+v", sessions)
	}
	check(t, db.Users.RevokeSession(t.Context(), user.ID+1, sessions[3].ID)) // somebody else's
	check(t, db.Users.RevokeSession(t.Context(), user.ID, sessions[2].ID))
	if got := valid(); got != [4]bool{true, false, true, true} {
		t.Error(got)
	}
	check(t, db.Users.RevokeOtherSessions(t.Context(), user.ID, sessions[0].ID))
	if got := valid(); got != [4]bool{false, false, false, true} {
		t.Error(got)
	}
}

func TestChangePassword(t *testing.T) {
	t.Parallel()
	db, user, _ := signedUp(t)
	signIn(t, db, "other")
	here := signIn(t, db, "here")
	session, _, _, err := db.Users.FindSession(t.Context(), here)
	check(t, err)
	const next = secret.Text("a-new-password")
	for field, passwords := range map[string][3]secret.Text{
		"current": {"wrong", next, next}, "new": {rightPassword, "short", "short"}, "repeat": {rightPassword, next, next + "x"},
	} {
		err := db.Users.ChangePassword(t.Context(), user.ID, session.ID, passwords[0], passwords[1], passwords[2])
		if fields := refused(t, err, models.CodeInvalid).Fields(); len(fields) != 1 || fields[field] == "" {
			t.Errorf("%s: %v", field, fields)
		}
	}
	refused(t, db.Users.ChangePassword(t.Context(), user.ID+1, 0, rightPassword, next, next), models.CodeInvalid)
	check(t, db.Users.ChangePassword(t.Context(), user.ID, session.ID, rightPassword, next, next))
	if sessions := must(db.Users.Sessions(t.Context(), user.ID))(t); len(sessions) != 1 || sessions[0].ID != session.ID {
		t.Errorf("%+v", sessions)
	}
	_, err = db.Users.SignIn(t.Context(), models.AdminName, rightPassword, "::1", "browser")
	refused(t, err, models.CodeInvalid)
	must(db.Users.SignIn(t.Context(), models.AdminName, next, "::1", "browser"))(t)

	reset := must(db.Users.ResetPassword(t.Context(), models.AdminName))(t)
	if n := len(must(db.Users.Sessions(t.Context(), user.ID))(t)); n != 0 {
		t.Errorf("%d sessions outlive a reset", n)
	}
	must(db.Users.SignIn(t.Context(), models.AdminName, reset, "::1", "browser"))(t)
	_, err = db.Users.ResetPassword(t.Context(), "nobody")
	refused(t, err, models.CodeUserNotFound)
}

func TestPasswordHashes(t *testing.T) {
	t.Parallel()
	if argonMemory != 19456 || argonPasses != 2 {
		t.Errorf("a password costs %d KiB and %d passes", argonMemory, argonPasses)
	}
	one, two := hashPassword(rightPassword), hashPassword(rightPassword)
	if one == two || !strings.HasPrefix(one, "$argon2id$v=19$m=64,t=2,p=1$") || !verifyPassword(one, rightPassword) || !verifyPassword(two, rightPassword) {
		t.Errorf("%s, %s", one, two)
	}
	parts := strings.Split(one, "$")
	for _, broken := range []string{"", "x", strings.ToUpper(one), strings.Replace(one, "v=19", "v=18", 1), strings.Replace(one, "argon2id", "argon2i", 1),
		one[:len(one)-2], one + "AA", strings.Replace(one, parts[4], "!", 1), strings.Replace(one, "t=2", "t=3", 1), strings.Join(parts[:5], "$") + "$"} {
		if verifyPassword(broken, rightPassword) {
			t.Errorf("%q matches", broken)
		}
	}
	for _, wrong := range []secret.Text{"", rightPassword + " ", "Correct-horse-battery", rightPassword[:20]} {
		if verifyPassword(one, wrong) {
			t.Errorf("%q matches", wrong.Reveal())
		}
	}
}

func TestSecretsAreNowhereInTheOpen(t *testing.T) {
	t.Parallel()
	db, user, _ := signedUp(t)
	const password = secret.Text("auth-s3cret-of-the-cluster")
	c := spec("orders")
	c.Auth, c.Password = models.AuthGiven, password
	cluster := launched(t, db, c)
	token := signIn(t, db, "::1")
	session, _, _, err := db.Users.FindSession(t.Context(), token)
	check(t, err)
	key := must(db.Settings.SessionKey(t.Context()))(t)
	secrets := []string{password.Reveal(), rightPassword.Reveal(), token.Reveal(), user.PasswordHash.Reveal(), key.Reveal()}

	var said []string
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x"} {
		said = append(said, fmt.Sprintf(verb, cluster), fmt.Sprintf(verb, user), fmt.Sprintf(verb, &cluster), fmt.Sprintf(verb, []any{cluster, user, session, c}))
	}
	// Errors of every kind: a value that is taken, a table that is gone, a request that is refused.
	user.ID = 0
	said = append(said, fmt.Sprint(db.with(t.Context()).Create(&user).Error))
	cluster.ID, cluster.Nodes = 0, nil
	said = append(said, fmt.Sprint(db.with(t.Context()).Create(&cluster).Error))
	_, err = db.Clusters.Create(t.Context(), c)
	said = append(said, fmt.Sprint(err))
	check(t, db.gorm.Exec("DROP TABLE sessions").Error)
	_, err = db.Users.SignIn(t.Context(), models.AdminName, rightPassword, "::1", "browser")
	said = append(said, fmt.Sprint(err))
	_, _, _, err = db.Users.FindSession(t.Context(), token)
	said = append(said, fmt.Sprint(err))
	check(t, db.gorm.Exec("ALTER TABLE clusters RENAME COLUMN password TO pw").Error)
	c.Name = "other"
	_, err = db.Clusters.Create(t.Context(), c)
	said = append(said, fmt.Sprint(err), logged.String())
	for _, text := range said {
		for _, s := range secrets {
			if strings.Contains(text, s) || strings.Contains(text, fmt.Sprintf("%x", s)) {
				t.Errorf("a secret is in %.500s", text)
			}
		}
	}
	for _, text := range said[24:29] {
		if text == "<nil>" {
			t.Error("an error was expected")
		}
	}
}

func TestNameOfAnyLengthDoesNotMatch(t *testing.T) {
	t.Parallel()
	db, _ := catalog(t)
	must(db.Users.EnsureAdmin(t.Context(), "a-long-password"))(t)
	name := make([]byte, 20_000)
	for i := range name {
		name[i] = byte(i * i >> 3) // what does not get smaller when it is compressed
	}
	for range failuresPerPair {
		_, err := db.Users.SignIn(t.Context(), string(name), "a-long-password", "::1", "test")
		refused(t, err, models.CodeInvalid)
	}
	_, err := db.Users.SignIn(t.Context(), string(name), "a-long-password", "::1", "test")
	if faults := refused(t, err, models.CodeInvalid); !strings.Contains(faults.Error(), "Try again") {
		t.Errorf("after %d attempts it says %s", failuresPerPair, faults.Error())
	}
}
