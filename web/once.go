package web

import (
	"net/http"
	"time"

	"github.com/gorilla/sessions"
)

// A secret that somebody asked for by a POST is shown by the page after it, once: reloading that page neither repeats the request nor shows the secret
// again. The cookie carries no secret, only which one this session may be shown. So it works with several consoles behind one address, and whoever
// gets hold of it without the session has nothing.

const onceCookie = "rekindle_once"

// onceFor is how long a secret waits for its page.
const onceFor = time.Minute

// permit says what a page may show once.
type permit struct {
	Page    string    `json:"page"`
	Secret  string    `json:"secret"` // which one, by its name
	Session uint      `json:"session"`
	Until   time.Time `json:"until"`
}

// showOnce lets a page show the named secret to this session, once, and leads there.
func (s *site) showOnce(w http.ResponseWriter, r *http.Request, page, secret, to string) error {
	p := permit{Page: page, Secret: secret, Session: visitOf(r).session.ID, Until: s.clock.Now().Add(onceFor)}
	value, err := s.sessions.codec.Encode(onceCookie, p)
	if err != nil {
		return err
	}
	http.SetCookie(w, s.onceCookieFor(r, page, value, int(onceFor/time.Second)))
	return s.redirect(w, r, to)
}

// mayShow returns which secret this page may show now, and takes the permit back; "": none. A page that follows a run and requests itself gets none.
func (s *site) mayShow(w http.ResponseWriter, r *http.Request, page string) string {
	cookie, err := r.Cookie(onceCookie)
	if err != nil || fromHTMX(r) || r.Method != http.MethodGet {
		return ""
	}
	http.SetCookie(w, s.onceCookieFor(r, page, "", -1))
	var p permit
	if s.sessions.codec.Decode(onceCookie, cookie.Value, &p) != nil || p.Page != page || p.Session != visitOf(r).session.ID || s.clock.Now().After(p.Until) {
		return ""
	}
	return p.Secret
}

// onceCookieFor is only sent to one page, and to that only from the console's own pages.
func (s *site) onceCookieFor(r *http.Request, page, value string, seconds int) *http.Cookie {
	options := s.sessions.options(r)
	options.Path, options.MaxAge, options.SameSite = page, seconds, http.SameSiteStrictMode
	return sessions.NewCookie(onceCookie, value, options)
}
