package web

import (
	"testing"

	"rekindle/internal/secret"
	"rekindle/models/catalog"
)

func TestTheCommandThatBacksACatalogUp(t *testing.T) {
	t.Parallel()
	for want, at := range map[string]catalog.Place{
		"rekindle catalog backup rekindle-copy.db --catalog 'sqlite:/srv/re kindle.db'":       catalog.File("/srv/re kindle.db"),
		`rekindle catalog backup rekindle-copy.db --catalog 'sqlite:/srv/it'\''s.db'`:         catalog.File("/srv/it's.db"),
		"pg_dump --format=custom --file=rekindle.dump postgres://db.example.com:5433/backups": {URL: secret.Text("postgres://a:hunter2@db.example.com:5433/backups?sslmode=verify-full")},
	} {
		if got := backupCommand(at); got != want {
			t.Errorf("it is %s, want %s", got, want)
		}
	}
}
