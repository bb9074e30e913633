package web

import (
	"context"
	"net/http"
	"net/url"
	"path"
	"strconv"
	"strings"
	"time"

	"github.com/gorilla/securecookie"
	"github.com/gorilla/sessions"

	"rekindle/internal/secret"
	"rekindle/models"
	"rekindle/models/catalog"
	"rekindle/views"
	"rekindle/web/gate"
)

// The console's cookies. Theme and time zone are preferences and no secrets.
const (
	sessionCookie = "rekindle_session"
	flashCookie   = "rekindle_flash"
	themeCookie   = "theme"
	zoneCookie    = "tz" // set by the page's script
)

// sessionStore is a [sessions.Store] that keeps sessions in the catalog, where they can be revoked. The cookie carries only a signed token. The
// catalog has its hash and decides, by its own clock, whether it is still valid.
type sessionStore struct {
	db     *catalog.DB
	codec  *securecookie.SecureCookie
	secure bool
}

var _ sessions.Store = (*sessionStore)(nil)

func newSessionStore(db *catalog.DB, key secret.Text, secure bool) *sessionStore {
	codec := securecookie.New([]byte(key.Reveal()), nil).SetSerializer(securecookie.JSONEncoder{})
	codec.MaxAge(0) // the catalog decides how long, not the cookie
	return &sessionStore{db: db, codec: codec, secure: secure}
}

// Get implements sessions.Store.
func (st *sessionStore) Get(r *http.Request, name string) (*sessions.Session, error) {
	return sessions.GetRegistry(r).Get(st, name)
}

// The values of a session that was found.
const (
	valueUser    = "user"
	valueSession = "session"
)

// New reads the session from the request. If the cookie cannot be decoded, or its session has ended, the session is new.
func (st *sessionStore) New(r *http.Request, name string) (*sessions.Session, error) {
	session := sessions.NewSession(st, name)
	session.Options = st.options(r)
	session.IsNew = true
	var token string
	if cookie, err := r.Cookie(name); err != nil || st.codec.Decode(name, cookie.Value, &token) != nil {
		return session, nil
	}
	row, user, found, err := st.db.Users.FindSession(r.Context(), secret.Text(token))
	if err != nil || !found {
		return session, err
	}
	session.ID, session.IsNew = token, false
	session.Values[valueUser], session.Values[valueSession] = user, row
	return session, nil
}

// Save sets the cookie, or deletes it when the session's MaxAge is negative.
func (st *sessionStore) Save(_ *http.Request, w http.ResponseWriter, session *sessions.Session) error {
	value := ""
	if session.Options.MaxAge >= 0 {
		var err error
		if value, err = st.codec.Encode(session.Name(), session.ID); err != nil {
			return err
		}
	}
	http.SetCookie(w, sessions.NewCookie(session.Name(), value, session.Options))
	return nil
}

func (st *sessionStore) options(r *http.Request) *sessions.Options {
	return &sessions.Options{Path: "/", MaxAge: int(models.SessionLifetime / time.Second), HttpOnly: true,
		Secure: st.secure || r.TLS != nil, SameSite: http.SameSiteLaxMode}
}

// visit is what is known about the present request. It is put into the context at the door and filled in on the way.
type visit struct {
	id      string // of the request, for the log and the error page
	known   bool   // somebody is signed in
	user    models.User
	session models.Session
}

type visitKey struct{}

func withVisit(r *http.Request, v *visit) *http.Request {
	return r.WithContext(context.WithValue(r.Context(), visitKey{}, v))
}

func visitOf(r *http.Request) *visit {
	if v, ok := r.Context().Value(visitKey{}).(*visit); ok {
		return v
	}
	return &visit{}
}

// identify finds out who sends the request.
func (s *site) identify(r *http.Request) (*visit, error) {
	v := visitOf(r)
	if v.known {
		return v, nil
	}
	session, err := s.sessions.Get(r, sessionCookie)
	if err != nil {
		return v, err
	}
	v.user, v.known = session.Values[valueUser].(models.User)
	v.session, _ = session.Values[valueSession].(models.Session)
	if v.known {
		gate.Known(r.Context())
	}
	return v, nil
}

// signedIn lets only people through who are signed in. A page leads to the sign-in page and back; htmx is told to go there.
func (s *site) signedIn(h handler) handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		v, err := s.identify(r)
		if err != nil {
			return err
		}
		if v.known {
			return h(w, r)
		}
		next := r.URL.RequestURI()
		if fromHTMX(r) {
			// The request may have been for a fragment; the person looks at another page.
			next = ""
			if current, err := url.Parse(r.Header.Get("HX-Current-URL")); err == nil {
				next = current.RequestURI()
			}
		} else if r.Method != http.MethodGet && r.Method != http.MethodHead {
			next = ""
		}
		return s.redirect(w, r, signInAddress(next))
	}
}

// signedInOr401 is for addresses that scripts call: they get a 401 where a browser would be led to the sign-in page.
func (s *site) signedInOr401(h handler) handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		v, err := s.identify(r)
		if err != nil {
			return err
		}
		if v.known {
			return h(w, r)
		}
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Cache-Control", "no-store")
		w.WriteHeader(http.StatusUnauthorized)
		_, _ = w.Write([]byte(`{"error": "Sign in first: this address needs the cookie of a session."}` + "\n"))
		return nil
	}
}

func signInAddress(next string) string {
	if next = localPath(next); next == "/" {
		return "/sign-in"
	}
	return "/sign-in?" + url.Values{"next": {next}}.Encode()
}

// localPath returns the address if it leads to a page of this console, else "/". Browsers take "//host", "/\host" and embedded tabs for other hosts,
// so nothing of that kind passes.
func localPath(address string) string {
	if len(address) > 2000 || !strings.HasPrefix(address, "/") {
		return "/"
	}
	for _, r := range address {
		if r < ' ' || r == 0x7f || r == '\\' {
			return "/"
		}
	}
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "" || u.Host != "" || u.User != nil || u.Opaque != "" || strings.HasPrefix(address, "//") ||
		strings.ContainsRune(u.Path, '\\') || path.Clean(u.Path) != strings.TrimSuffix(u.Path, "/") && u.Path != "/" {
		return "/"
	}
	if u.Path == "/sign-in" || u.Path == "/sign-out" {
		return "/"
	}
	return u.RequestURI()
}

// flash is a message that the next page shows once.
type flash struct {
	Kind  string `json:"kind"`
	Text  string `json:"text"`
	Going bool   `json:"going,omitempty"` // it announces work, and is true until that has ended
	Run   uint   `json:"run,omitempty"`   // that work, if the handler knows it
}

// flashSeconds is how long a message waits for its page.
const flashSeconds = 60

func (s *site) setFlash(w http.ResponseWriter, r *http.Request, f flash) {
	value, err := s.sessions.codec.Encode(flashCookie, f)
	if err != nil {
		s.log.ErrorContext(r.Context(), "message not kept", "request", visitOf(r).id, "error", err)
		return
	}
	options := s.sessions.options(r)
	options.MaxAge = flashSeconds
	http.SetCookie(w, sessions.NewCookie(flashCookie, value, options))
}

// takeFlash returns the message for this page, if there is one, and deletes it from the browser. A page that follows a run and requests itself does
// not get it: the person may be looking at another page.
func (s *site) takeFlash(w http.ResponseWriter, r *http.Request) views.Flash {
	cookie, err := r.Cookie(flashCookie)
	if err != nil || fromHTMX(r) {
		return views.Flash{}
	}
	options := s.sessions.options(r)
	options.MaxAge = -1
	http.SetCookie(w, sessions.NewCookie(flashCookie, "", options))
	var f flash
	if s.sessions.codec.Decode(flashCookie, cookie.Value, &f) != nil {
		return views.Flash{}
	}
	shown := views.Flash{Kind: f.Kind, Text: f.Text, Going: f.Going}
	if f.Run == 0 {
		return shown
	}
	if run, err := s.db.Runs.Get(r.Context(), f.Run); err == nil && run.Status.Ended() {
		return views.Flash{} // the page says how it ended
	}
	shown.Run = runID(f.Run)
	return shown
}

// runID is a run's number as it stands in addresses.
func runID(id uint) string { return strconv.FormatUint(uint64(id), 10) }

// zoneOf is the viewer's time zone, or nil for UTC if the browser has not named a known one.
func zoneOf(r *http.Request) *time.Location {
	cookie, err := r.Cookie(zoneCookie)
	if err != nil {
		return nil
	}
	name, err := url.QueryUnescape(cookie.Value)
	if err != nil || name == "" || name == "Local" || len(name) > 64 {
		return nil
	}
	zone, err := time.LoadLocation(name)
	if err != nil {
		return nil
	}
	return zone
}

func themeOf(r *http.Request) string {
	if cookie, err := r.Cookie(themeCookie); err == nil && (cookie.Value == "light" || cookie.Value == "dark") {
		return cookie.Value
	}
	return "system"
}
