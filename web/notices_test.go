package web

import (
	"net/http"
	"path/filepath"
	"testing"
	"time"

	"github.com/jonboulle/clockwork"

	"rekindle/models/catalog"
)

func TestStoreThatIsNotTheConsolesIsSaidOnEveryPage(t *testing.T) {
	t.Parallel()
	const said = "The folder /srv/snapshots does not have the mark of this console's store"
	c := newConsole(t)
	c.jobs.change(func(a *answers) { a.storeNotice = said })
	c.get("/sign-in").doesNotSay(said)
	c.signIn()
	for _, page := range []string{"/", "/snapshots", "/settings/storage"} {
		c.get(page).is(http.StatusOK).says(said)
	}
}

func TestDoubtfulClockIsSaidOnEveryPageUntilItIsConfirmed(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "leaps.db")
	before, err := catalog.Open(t.Context(), catalog.File(path), clockwork.NewFakeClockAt(noon.Add(-45*24*time.Hour)), &fakeHost{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := before.Clock.Look(t.Context(), time.Time{}); err != nil {
		t.Fatal(err)
	}
	if err := before.Close(); err != nil {
		t.Fatal(err)
	}
	var db *catalog.DB
	c := newConsole(t, func(config *Config) {
		if db, err = catalog.Open(t.Context(), catalog.File(path), config.Clock, &fakeHost{}); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = db.Close() })
		if _, err := db.Users.EnsureAdmin(t.Context(), adminPassword); err != nil {
			t.Fatal(err)
		}
		config.DB = db
	})
	const said = "The clock of this host says 2026-11-22 12:00 UTC where about 2026-10-08 12:00 UTC was expected."
	c.get("/sign-in").doesNotSay(said)
	c.signIn()
	for _, page := range []string{"/", "/clusters", "/settings/storage", "/events"} {
		c.get(page).is(http.StatusOK).says(said, "The clock is right now")
	}
	c.post("/settings/clock", "next", "/events").redirects("/events")
	c.get("/events").says("admin has confirmed that the clock is right.").doesNotSay("The clock is right now")
}
