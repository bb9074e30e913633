package web

import (
	"net/http"
	"strings"
)

// orInWords answers with a page where the mux would answer "404 page not found".
func (s *site) orInWords(mux *http.ServeMux) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		own, pattern := mux.Handler(r)
		if pattern != "" {
			mux.ServeHTTP(w, r)
			return
		}
		s.answer(s.signedIn(func(w http.ResponseWriter, r *http.Request) error {
			answer := &muted{header: make(http.Header)}
			own.ServeHTTP(answer, r)
			switch answer.status {
			case http.StatusMethodNotAllowed:
				w.Header().Set("Allow", answer.header.Get("Allow"))
				return problem{status: answer.status, text: "This address is answered only for " + answer.header.Get("Allow") + ", not for " + r.Method + "."}
			case http.StatusNotFound:
				if to := withoutSlash(mux, r); to != "" {
					return s.redirect(w, r, to)
				}
				return problem{status: answer.status}
			}
			own.ServeHTTP(w, r) // a redirect to the same address without dots or double slashes
			return nil
		})).ServeHTTP(w, r)
	})
}

// withoutSlash is the address without its final slash, if there is a page without it: "/clusters/orders/".
func withoutSlash(mux *http.ServeMux, r *http.Request) string {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		return ""
	}
	u := *r.URL
	u.Path, u.RawPath = strings.TrimSuffix(u.Path, "/"), strings.TrimSuffix(u.RawPath, "/")
	asked := r.Clone(r.Context())
	asked.URL = &u
	if _, pattern := mux.Handler(asked); u.Path == r.URL.Path || pattern == "" {
		return ""
	}
	if to := localPath(u.RequestURI()); to != "/" {
		return to
	}
	return ""
}

// muted is a response writer that keeps only status and header.
type muted struct {
	header http.Header
	status int
}

func (m *muted) Header() http.Header         { return m.header }
func (m *muted) Write(p []byte) (int, error) { return len(p), nil }
func (m *muted) WriteHeader(status int)      { m.status = status }
