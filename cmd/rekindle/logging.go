package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"

	"rekindle/models"
	"rekindle/models/catalog"
)

// newLogger makes the logger of everything, also of what others log, and what sets its level.
func newLogger(c config, w io.Writer) (*slog.Logger, *slog.LevelVar) {
	level := new(slog.LevelVar)
	level.Set(c.logLevel)
	logger := slog.New(handler(c.logJSON, w, level))
	slog.SetDefault(logger)
	return logger, level
}

func handler(json bool, w io.Writer, level slog.Leveler) slog.Handler {
	if json {
		return slog.NewJSONHandler(w, &slog.HandlerOptions{Level: level})
	}
	return slog.NewTextHandler(w, &slog.HandlerOptions{Level: level})
}

// announce tells people where the console is, and the first password, which is printed only now. It does not depend on the log's level.
func announce(w io.Writer, c config, address, password string) {
	url := c.publicURL
	if url == "" {
		url = "http://" + address
	}
	if c.logJSON {
		said := []any{"version", version, "url", url, "user", models.AdminName}
		if password != "" {
			said = append(said, "password", password)
		}
		slog.New(handler(true, w, slog.LevelInfo)).Info("serves", said...)
		return
	}
	fmt.Fprintf(w, "\nRekindle %s serves %s\n  user      %s\n", version, url, models.AdminName)
	if password != "" {
		fmt.Fprintf(w, "  password  %s   (shown only now; change it under Settings)\n", password)
	}
	fmt.Fprintln(w)
}

// loggedError is an error that nobody needs to print any more.
type loggedError struct{ error }

func (e loggedError) Unwrap() error { return e.error }

// inFormat logs why serve has failed, where every line is to be JSON.
func inFormat(c config, stderr io.Writer, err error) error {
	if err == nil || !c.logJSON || errors.Is(err, flag.ErrHelp) {
		return err
	}
	said := []any{"error", err.Error()}
	if text := catalog.TroubleAtStart(err); text != "" {
		said = append(said, "reason", text)
	}
	slog.New(handler(true, stderr, slog.LevelError)).Error("the console has failed", said...)
	return loggedError{err}
}
