package web

import (
	"crypto/rand"
	"fmt"
	"net/http"
	"runtime/debug"

	"rekindle/web/gate"
)

// The policy forbids whatever the pages do not need. No page contains scripts or styles of its own.
const contentSecurityPolicy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; " +
	"form-action 'self'; frame-ancestors 'none'; base-uri 'none'"

// maxBody is the largest request that is read: a form that names some ten thousand snapshots.
const maxBody = 1 << 20

// Anybody can send the form of the sign-in page, so it has to be small.
const (
	signInPath = "/sign-in"
	maxSignIn  = 16 << 10
)

// door is what every request passes before it gets to its page.
type door struct {
	*site
	gate      *gate.Gate
	maxUpload int64
}

// protect wraps the routes in what holds for every request.
func (d door) protect(routes http.Handler, trustedOrigin string) (http.Handler, error) {
	crossOrigin := http.NewCrossOriginProtection()
	if trustedOrigin != "" {
		if err := crossOrigin.AddTrustedOrigin(trustedOrigin); err != nil {
			return nil, fmt.Errorf("web: trust the public address: %w", err)
		}
	}
	crossOrigin.SetDenyHandler(d.answer(func(_ http.ResponseWriter, r *http.Request) error {
		if _, err := d.identify(r); err != nil {
			return err
		}
		return problem{status: http.StatusForbidden}
	}))
	routes, err := compressed(routes)
	if err != nil {
		return nil, err
	}
	return d.gate.Handler(d.atTheDoor(crossOrigin.Handler(d.limitBody(routes))), d.addressOf), nil
}

// atTheDoor numbers the request, sets the headers of every answer, and turns a panic into a page.
func (d door) atTheDoor(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		v := &visit{id: rand.Text()[:12]}
		r = withVisit(r, v)
		h := w.Header()
		h.Set("X-Request-Id", v.id)
		h.Set("Content-Security-Policy", contentSecurityPolicy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("X-Frame-Options", "DENY")
		// Not no-referrer: with it browsers send "Origin: null" for forms, which cannot be distinguished from a foreign page.
		h.Set("Referrer-Policy", "same-origin")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		defer func() {
			switch cause := recover(); cause {
			case nil:
			case http.ErrAbortHandler:
				panic(cause) // a download that was cut: the connection must break
			default:
				d.log.ErrorContext(r.Context(), "request panicked", "request", v.id, "method", r.Method, "path", r.URL.Path,
					"panic", fmt.Sprint(cause), "stack", string(debug.Stack()))
				d.errorPage(w, r, problem{status: http.StatusInternalServerError})
			}
		}()
		next.ServeHTTP(w, r)
	})
}

func (d door) limitBody(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		limit := int64(maxBody)
		switch {
		case isUpload(r):
			limit = d.maxUpload
		case r.URL.Path == signInPath:
			limit = maxSignIn
		}
		r.Body = http.MaxBytesReader(w, r.Body, limit)
		next.ServeHTTP(w, r)
	})
}
