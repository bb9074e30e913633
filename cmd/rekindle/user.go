package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/jonboulle/clockwork"

	"rekindle/internal/secret"
	"rekindle/models"
	"rekindle/models/catalog"
)

const userUse = "rekindle user reset-password NAME"

// runResetPassword gives a user a new password: the one that is named, or else the one that the old form of the command is for.
func runResetPassword(ctx context.Context, command, otherwise string, args []string, getenv func(string) string, stdout io.Writer) error {
	flags := newFlags(command, `Give a user a new generated password and end all of the user's sessions: `+userUse+`. The console may run
meanwhile. Whoever owns the host gets back in this way.`, getenv, stdout)
	var c config
	read := declarePlace(flags, &c, "`folder` of the catalog")
	name, err := flags.parseWith(args)
	if err != nil {
		return err
	}
	if name = cmp.Or(name, otherwise); name == "" {
		return misuse("name the user: %s", userUse)
	}
	if err := read(); err != nil {
		return err
	}
	if err := c.place.exists(ctx); err != nil {
		return err
	}
	db, err := catalog.Open(ctx, c.place.catalog, clockwork.NewRealClock(), nil)
	if err != nil {
		return err
	}
	password, err := resetPassword(ctx, db, name)
	if err := errors.Join(err, db.Close()); err != nil {
		return err
	}
	fmt.Fprintf(stdout, "user      %s\npassword  %s\n", name, password.Reveal())
	return nil
}

// resetPassword gives a user a new password, or says which users there are.
func resetPassword(ctx context.Context, db *catalog.DB, name string) (secret.Text, error) {
	password, err := db.Users.ResetPassword(ctx, name)
	if !models.HasCode(err, models.CodeUserNotFound) {
		return password, err
	}
	names, err := db.Users.Names(ctx)
	if err != nil {
		return "", err
	}
	return "", fmt.Errorf("there is no user %s; there is: %s", name, strings.Join(names, ", "))
}
