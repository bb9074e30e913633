package web

import (
	"crypto/rand"
	"fmt"
	"net/http"
	"runtime/debug"
)

// The policy forbids whatever the pages do not need. No page has a script or a style of its own in it.
const contentSecurityPolicy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; " +
	"form-action 'self'; frame-ancestors 'none'; base-uri 'none'"

// maxBody is the largest request that is read: a form that names some ten thousand snapshots.
const maxBody = 1 << 20

// The form of the sign-in page is read of everybody, and is small.
const (
	signInPath = "/sign-in"
	maxSignIn  = 16 << 10
)

// protect puts around the routes what holds for every request.
func (s *server) protect(routes http.Handler, trustedOrigin string) (http.Handler, error) {
	crossOrigin := http.NewCrossOriginProtection()
	if trustedOrigin != "" {
		if err := crossOrigin.AddTrustedOrigin(trustedOrigin); err != nil {
			return nil, fmt.Errorf("web: trust the public address: %w", err)
		}
	}
	crossOrigin.SetDenyHandler(s.answer(func(_ http.ResponseWriter, r *http.Request) error {
		if _, err := s.identify(r); err != nil {
			return err
		}
		return problem{status: http.StatusForbidden}
	}))
	return s.gate.Handler(s.atTheDoor(crossOrigin.Handler(s.limitBody(routes))), s.addressOf), nil
}

// atTheDoor numbers the request, sets the headers that every answer has, and turns a panic into a page.
func (s *server) atTheDoor(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		v := &visit{id: rand.Text()[:12]}
		r = withVisit(r, v)
		h := w.Header()
		h.Set("X-Request-Id", v.id)
		h.Set("Content-Security-Policy", contentSecurityPolicy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("X-Frame-Options", "DENY")
		// Not no-referrer: with it browsers send "Origin: null" for forms, which cannot be told from a foreign page.
		h.Set("Referrer-Policy", "same-origin")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		defer func() {
			switch cause := recover(); cause {
			case nil:
			case http.ErrAbortHandler:
				panic(cause) // a download that was cut: the connection must break
			default:
				s.log.ErrorContext(r.Context(), "request panicked", "request", v.id, "method", r.Method, "path", r.URL.Path,
					"panic", fmt.Sprint(cause), "stack", string(debug.Stack()))
				s.errorPage(w, r, problem{status: http.StatusInternalServerError})
			}
		}()
		next.ServeHTTP(w, r)
	})
}

func (s *server) limitBody(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		limit := int64(maxBody)
		switch {
		case isUpload(r):
			limit = s.maxUpload
		case r.URL.Path == signInPath:
			limit = maxSignIn
		}
		r.Body = http.MaxBytesReader(w, r.Body, limit)
		next.ServeHTTP(w, r)
	})
}
