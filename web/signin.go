package web

import (
	"cmp"
	"context"
	"net/http"
	"strings"
	"time"

	"rekindle/internal/secret"
	"rekindle/models"
	"rekindle/models/catalog"
	"rekindle/views"
)

func (s *server) signInPage(w http.ResponseWriter, r *http.Request) error {
	v, err := s.identify(r)
	if err != nil {
		return err
	}
	next := localPath(r.URL.Query().Get("next"))
	if v.known {
		return s.redirect(w, r, next)
	}
	props := views.SignIn{Next: next, Theme: themeOf(r)}
	if cookie, err := r.Cookie(sessionCookie); err == nil && cookie.Value != "" {
		props.Notice = "Your session has ended. Sign in again to go on."
	}
	w.Header().Set("Cache-Control", "no-store")
	return write(w, r, http.StatusOK, views.SignInPage(props))
}

func (s *server) signIn(w http.ResponseWriter, r *http.Request) error {
	form, err := readForm(r)
	if err != nil {
		return err
	}
	name, next := strings.TrimSpace(form.Get("user")), localPath(form.Get("next"))
	token, err := s.db.Users.SignIn(r.Context(), name, secret.Text(form.Get("password")), s.addressOf(r), cut(r.UserAgent(), 400))
	if faults, refused := models.AsFaults(err); refused {
		w.Header().Set("Cache-Control", "no-store")
		return write(w, r, http.StatusUnprocessableEntity,
			views.SignInPage(views.SignIn{User: name, Next: next, Error: faults.Error(), Theme: themeOf(r)}))
	} else if text := catalog.Trouble(err); text != "" {
		s.log.ErrorContext(r.Context(), "sign-in: catalog", "request", visitOf(r).id, "error", err)
		w.Header().Set("Cache-Control", "no-store")
		return write(w, r, http.StatusServiceUnavailable, views.SignInPage(views.SignIn{User: name, Next: next, Theme: themeOf(r),
			Error: "Nobody can sign in now. " + text}))
	} else if err != nil {
		return err
	}
	session, err := s.sessions.Get(r, sessionCookie)
	if err != nil {
		return err
	}
	if old, ok := session.Values[valueSession].(models.Session); ok {
		// Whoever signs in anew leaves the earlier session behind.
		if err := s.db.Users.RevokeSession(r.Context(), old.UserID, old.ID); err != nil {
			return err
		}
	}
	session.ID = token.Reveal()
	if err := session.Save(r, w); err != nil {
		return err
	}
	return s.redirect(w, r, next)
}

func (s *server) signOut(w http.ResponseWriter, r *http.Request) error {
	v := visitOf(r)
	if err := s.db.Users.RevokeSession(r.Context(), v.user.ID, v.session.ID); err != nil {
		return err
	}
	session, err := s.sessions.Get(r, sessionCookie)
	if err != nil {
		return err
	}
	session.Options.MaxAge = -1
	if err := session.Save(r, w); err != nil {
		return err
	}
	w.Header().Set("Clear-Site-Data", `"cache"`)
	return s.redirect(w, r, "/sign-in")
}

// theme keeps the choice of light, dark or as the system has it.
func (s *server) theme(w http.ResponseWriter, r *http.Request) error {
	form, err := readForm(r)
	if err != nil {
		return err
	}
	theme := form.Get("theme")
	if theme != "light" && theme != "dark" {
		theme = "system"
	}
	http.SetCookie(w, &http.Cookie{Name: themeCookie, Value: theme, Path: "/", MaxAge: 365 * 24 * 3600,
		HttpOnly: true, Secure: s.secure || r.TLS != nil, SameSite: http.SameSiteLaxMode})
	return s.redirect(w, r, localPath(form.Get("next")))
}

// healthz tells that the process answers.
func (s *server) healthz(w http.ResponseWriter, _ *http.Request) error {
	return plain(w, http.StatusOK, "ok")
}

// readyz tells whether the console can do its work. Whoever asks is not signed in, so the details go to the log.
func (s *server) readyz(w http.ResponseWriter, r *http.Request) error {
	ctx, cancel := context.WithTimeout(r.Context(), 5*time.Second)
	defer cancel()
	if err := s.db.Check(ctx); err != nil {
		s.log.WarnContext(ctx, "not ready: catalog", "request", visitOf(r).id, "error", err)
		return plain(w, http.StatusServiceUnavailable, cmp.Or(catalog.Trouble(err), "The catalog does not answer. The console's log says why."))
	}
	if err := s.db.Disk.CheckWrite(ctx); err != nil {
		s.log.WarnContext(ctx, "not ready: disk of the data folder", "request", visitOf(r).id, "error", err)
		text := catalog.Trouble(err)
		if text == "" {
			text = "The data folder cannot be written. The console's log says why."
		}
		return plain(w, http.StatusServiceUnavailable, text)
	}
	if err := s.jobs.CheckStore(ctx); err != nil {
		s.log.WarnContext(ctx, "not ready: store", "request", visitOf(r).id, "error", err)
		return plain(w, http.StatusServiceUnavailable, "The snapshot store cannot be written and read now. The settings page and the console's log say why.")
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

func cut(s string, n int) string {
	if len(s) <= n {
		return s
	}
	return strings.ToValidUTF8(s[:n], "")
}
