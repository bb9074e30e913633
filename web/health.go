package web

import (
	"cmp"
	"context"
	"net/http"
	"time"

	"golang.org/x/sync/singleflight"

	"rekindle/models/catalog"
)

// readyTime leaves time to answer within the second that watchers may wait.
const readyTime = 900 * time.Millisecond

// health answers machines that watch whether Rekindle is well.
type health struct {
	*site
	asked *singleflight.Group // a catalog that hangs is asked once, however many want to know
}

// healthz tells that the process answers.
func (h health) healthz(w http.ResponseWriter, _ *http.Request) error {
	return plain(w, http.StatusOK, "ok")
}

// readyz tells within a second whether the console can do its work, whatever does not answer. Whoever asks is not signed in, so the details go to the log.
func (h health) readyz(w http.ResponseWriter, r *http.Request) error {
	ctx, cancel := context.WithTimeout(r.Context(), readyTime)
	defer cancel()
	parts := []struct {
		name  string
		check func(context.Context) error
		text  func(error) string
	}{
		{"catalog", h.checkCatalog, func(err error) string {
			return cmp.Or(catalog.Trouble(err), "The catalog does not answer. The console's log says why.")
		}},
		{"disk of the data folder", h.db.Disk.CheckWrite, func(err error) string {
			return cmp.Or(catalog.Trouble(err), "The data folder cannot be written to. The console's log says why.")
		}},
		{"store", h.jobs.CheckStore, func(error) string {
			return "The snapshot store cannot be written to and read from now. The settings page and the console's log say why."
		}},
	}
	results := make([]chan error, len(parts))
	for i, part := range parts {
		results[i] = make(chan error, 1)
		go func() { results[i] <- part.check(ctx) }()
	}
	for i, part := range parts {
		if err := within(ctx, results[i]); err != nil {
			h.log.WarnContext(ctx, "not ready: "+part.name, "request", visitOf(r).id, "error", err)
			return plain(w, http.StatusServiceUnavailable, part.text(err))
		}
	}
	return plain(w, http.StatusOK, "ready")
}

// checkCatalog asks the catalog.
func (h health) checkCatalog(ctx context.Context) error {
	_, err, _ := h.asked.Do("catalog", func() (any, error) {
		asking, cancel := context.WithTimeout(context.WithoutCancel(ctx), readyTime)
		defer cancel()
		return nil, h.db.Check(asking)
	})
	return err
}

// within waits for a result until ctx ends. One that is there counts even then.
func within(ctx context.Context, result <-chan error) error {
	select {
	case err := <-result:
		return err
	case <-ctx.Done():
	}
	select {
	case err := <-result:
		return err
	default:
		return ctx.Err()
	}
}

func plain(w http.ResponseWriter, status int, text string) error {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write([]byte(text + "\n"))
	return nil
}
