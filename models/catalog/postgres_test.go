package catalog

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/jonboulle/clockwork"
	"gorm.io/gorm"

	"rekindle/internal/secret"
	"rekindle/internal/testkit"
	"rekindle/models"
)

func inPostgresCatalog(t *testing.T) *DB {
	t.Helper()
	return open(t, postgresPlace(t), clockwork.NewFakeClockAt(monday))
}

// A secret prints as ***, and pgx stores a value as it prints itself if it finds no other way.
func TestPostgresKeepsSecretsAndNotWhatTheyPrint(t *testing.T) {
	t.Parallel()
	once(t)
	db := inPostgresCatalog(t)
	given := secret.Text("0123456789abcdefgh")
	check(t, db.Keys.Ensure(t.Context(), "KEY1", given))
	var kept string
	check(t, db.gorm.Raw("SELECT secret FROM access_keys").Scan(&kept).Error)
	key, found, err := db.Keys.Find(t.Context(), "KEY1")
	if err != nil || !found || kept != given.Reveal() || key.Secret != given {
		t.Errorf("kept %q, read %q, %t, %v", kept, key.Secret.Reveal(), found, err)
	}
}

func TestPostgresTakesAnyText(t *testing.T) {
	t.Parallel()
	once(t)
	db := inPostgresCatalog(t)
	for given, want := range map[string]string{"a\x00b": "a\uFFFDb", "a\xffb": "a\uFFFDb", "日本\u2028": "日本\u2028", `%_\`: `%_\`} {
		check(t, db.Events.Add(t.Context(), models.Event{Message: given}))
		for _, search := range []string{given, strings.TrimPrefix(given, "a")} {
			found, err := db.Events.List(t.Context(), models.List{Text: search})
			if err != nil || found.Total == 0 || found.Rows[0].Message != want {
				t.Errorf("%q is found %d times by %q: %+v, %v", given, found.Total, search, found.Rows, err)
			}
		}
	}
}

func TestPostgresLetsOneTransactionWriteAtATime(t *testing.T) {
	t.Parallel()
	once(t)
	db := inPostgresCatalog(t)
	check(t, db.Settings.set(t.Context(), "n", "0"))
	for _, err := range atOnce(20, func(int) error {
		return db.transaction(context.Background(), func(tx *DB) error {
			row, _, err := find[models.Setting](tx.with(context.Background()).Where("name = ?", "n"))
			if err != nil {
				return err
			}
			return tx.Settings.set(context.Background(), "n", row.Value+"+")
		})
	}) {
		check(t, err)
	}
	row, _, err := find[models.Setting](db.with(t.Context()).Where("name = ?", "n"))
	if err != nil || row.Value != "0"+strings.Repeat("+", 20) {
		t.Errorf("20 changes made it %q, %v", row.Value, err)
	}
}

func TestPostgresThatWasStartedAnewFailsNoQueryAfterIt(t *testing.T) {
	t.Parallel()
	once(t)
	place := postgresPlace(t)
	db, other := open(t, place, clockwork.NewFakeClockAt(monday)), open(t, place, clockwork.NewFakeClockAt(monday))
	for range 5 {
		var together sync.WaitGroup
		together.Add(4)
		for _, err := range atOnce(4, func(int) error { // each has a connection of its own, which the pool keeps
			return db.with(t.Context()).Connection(func(c *gorm.DB) error {
				together.Done()
				together.Wait()
				return c.Exec("SELECT 1").Error
			})
		}) {
			check(t, err)
		}
		check(t, other.with(t.Context()).Exec("SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()").Error)
		for range 4 {
			check(t, db.with(t.Context()).Exec("SELECT 1").Error)
		}
	}
}

// A console that is frozen in the middle of a transaction holds the lock for as long as the server lets it.
func TestPostgresEndsATransactionThatStandsStill(t *testing.T) {
	t.Parallel()
	once(t)
	place := postgresPlace(t)
	frozen := open(t, place, clockwork.NewFakeClockAt(monday))
	other := open(t, place, clockwork.NewFakeClockAt(monday))
	begun, thaw, ended := make(chan struct{}), make(chan struct{}), make(chan error)
	go func() {
		ended <- frozen.transaction(context.Background(), func(tx *DB) error {
			err := tx.Settings.set(context.Background(), "who", "frozen")
			close(begun)
			<-thaw
			return err
		})
	}()
	<-begun
	check(t, other.Settings.set(t.Context(), "who", "other")) // waits until the server has ended the first one
	close(thaw)
	if err := <-ended; err == nil {
		t.Error("it committed what it had begun")
	}
	row, _, err := find[models.Setting](other.with(t.Context()).Where("name = ?", "who"))
	if err != nil || row.Value != "other" {
		t.Errorf("%q has written, %v", row.Value, err)
	}
	check(t, frozen.Settings.set(t.Context(), "who", "frozen")) // with another connection
}

func TestTroubleWithPostgresIsSaidInWords(t *testing.T) {
	t.Parallel()
	once(t)
	server := testkit.Postgres(t)
	place := Place{URL: secret.Text(must(server.Database(""))(t)), Folder: t.TempDir()}
	db := open(t, place, clockwork.NewFakeClockAt(monday))
	other := func(change func(u *url.URL)) Place {
		u := must(url.Parse(place.URL.Reveal()))(t)
		change(u)
		return Place{URL: secret.Text(u.String()), Folder: place.Folder}
	}
	said := func(err error, want ...string) {
		t.Helper()
		text, all := TroubleAtStart(err), fmt.Sprint(err)
		for _, part := range want {
			if !strings.Contains(text, part) {
				t.Errorf("%q does not say %q: %v", text, part, err)
			}
		}
		if strings.Contains(all+text, "a%20secret") || strings.Contains(all+text, "a secret") {
			t.Errorf("the password is in %q or %q", text, all)
		}
	}
	opening := func(at Place) error {
		opened, err := Open(t.Context(), at, clockwork.NewFakeClockAt(monday), &fakeHost{})
		if err == nil {
			check(t, opened.Close())
		}
		return err
	}
	said(opening(other(func(u *url.URL) { u.User = url.UserPassword("rekindle", "wrong") })), "does not accept this console: password authentication failed", "Correct user and password in --catalog")
	said(opening(other(func(u *url.URL) { u.Path = "nothing" })), `no such database: database "nothing" does not exist.`)
	said(opening(other(func(u *url.URL) { u.Host = "127.0.0.1:1" })), "The database server of the catalog does not answer.", "start again")

	database := "ALTER DATABASE " + strings.Trim(must(url.Parse(place.URL.Reveal()))(t).Path, "/")
	check(t, db.gorm.Exec(database+" SET default_transaction_read_only = on").Error)
	standby := must(Open(t.Context(), place, clockwork.NewFakeClockAt(monday), &fakeHost{}))(t) // like one that has become a standby: it can be looked at
	said(standby.Check(t.Context()), "is read-only", "Name the primary")
	said(standby.Events.Add(t.Context(), models.Event{Message: "x"}), "is read-only", "Name the primary")
	check(t, standby.Close())
	check(t, db.gorm.Exec(database+" RESET default_transaction_read_only").Error)

	noRoom(t, db, "INSERT ON events")
	said(db.Events.Add(t.Context(), models.Event{Message: "x"}), "The disk of the catalog's database server is full.", "Free some space there")

	check(t, server.Kill())
	for name, ask := range map[string]func() error{
		"a look":        func() error { return db.Check(t.Context()) },
		"a row":         func() error { _, _, err := db.Keys.Find(t.Context(), "x"); return err },
		"a change":      func() error { return db.Settings.set(t.Context(), "x", "y") },
		"a transaction": func() error { return db.transaction(t.Context(), func(*DB) error { return nil }) },
	} {
		if err := ask(); Trouble(err) != "The database server of the catalog does not answer. Check that it runs and can be reached from here and try again." {
			t.Errorf("%s of a server that is gone: %q, %v", name, Trouble(err), err)
		}
	}
	check(t, server.Start())
	check(t, db.Check(t.Context())) // with new connections
	check(t, db.Settings.set(t.Context(), "x", "y"))

	// One that hangs does not hang the caller longer than it is willing to wait.
	check(t, server.Signal(syscall.SIGSTOP))
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	opened, err := Open(ctx, place, clockwork.NewFakeClockAt(monday), &fakeHost{})
	if err == nil {
		_ = opened.Close()
	}
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a server that hangs: %v", err)
	}
	check(t, server.Signal(syscall.SIGCONT))
}

func TestURLThatIsNoneIsRefusedWithoutItsPassword(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"postgres://a:hunter2@h:x/y", "postgres://a:hunter2@h/y?sslmode=maybe", "postgres://a:hunter2@h/y?sslmode=verify-full&sslrootcert=/nowhere", "postgres://a:hunter2%@h/"} {
		err := Place{URL: secret.Text(text)}.Check()
		if err == nil || strings.Contains(err.Error(), "hunter2") || !strings.Contains(err.Error(), "must look like postgres://user:password@host:5432/database") {
			t.Errorf("%s: %v", text, err)
		}
	}
}

// After a slow write pgx leaves a goroutine that reads on a connection at rest. Whoever looks whether the server has closed it must not wait for that.
func TestWhetherAServerHasSpokenIsSeenBesideAReader(t *testing.T) {
	t.Parallel()
	once(t)
	listener := must(net.Listen("tcp", "127.0.0.1:0"))(t)
	t.Cleanup(func() { check(t, listener.Close()) })
	ours := must(net.Dial("tcp", listener.Addr().String()))(t)
	theirs := must(listener.Accept())(t)
	read := make(chan error)
	go func() {
		_, err := ours.Read(make([]byte, 1))
		read <- err
	}()
	for range 1000 {
		if spoken(ours) {
			t.Fatal("nothing was said, and something was heard")
		}
		runtime.Gosched() // to the reader, some time
	}
	check(t, theirs.Close())
	if err := <-read; err == nil {
		t.Error("a connection that was closed is read")
	}
	if runtime.GOOS == "linux" && !spoken(ours) {
		t.Error("it is not seen that the other end has closed the connection")
	}
	check(t, ours.Close())
}
