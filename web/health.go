package web

import (
	"cmp"
	"context"
	"net/http"
	"time"

	"rekindle/models/catalog"
)

// health answers machines that watch whether Rekindle is well.
type health struct{ *site }

// healthz tells that the process answers.
func (h health) healthz(w http.ResponseWriter, _ *http.Request) error {
	return plain(w, http.StatusOK, "ok")
}

// readyz tells whether the console can do its work. Whoever asks is not signed in, so the details go to the log.
func (h health) readyz(w http.ResponseWriter, r *http.Request) error {
	ctx, cancel := context.WithTimeout(r.Context(), 5*time.Second)
	defer cancel()
	if err := h.db.Check(ctx); err != nil {
		h.log.WarnContext(ctx, "not ready: catalog", "request", visitOf(r).id, "error", err)
		return plain(w, http.StatusServiceUnavailable, cmp.Or(catalog.Trouble(err), "The catalog does not answer. The console's log says why."))
	}
	if err := h.db.Disk.CheckWrite(ctx); err != nil {
		h.log.WarnContext(ctx, "not ready: disk of the data folder", "request", visitOf(r).id, "error", err)
		text := catalog.Trouble(err)
		if text == "" {
			text = "The data folder cannot be written to. The console's log says why."
		}
		return plain(w, http.StatusServiceUnavailable, text)
	}
	if err := h.jobs.CheckStore(ctx); err != nil {
		h.log.WarnContext(ctx, "not ready: store", "request", visitOf(r).id, "error", err)
		return plain(w, http.StatusServiceUnavailable, "The snapshot store cannot be written to and read from now. The settings page and the console's log say why.")
	}
	return plain(w, http.StatusOK, "ready")
}

func plain(w http.ResponseWriter, status int, text string) error {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write([]byte(text + "\n"))
	return nil
}
