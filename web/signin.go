package web

import (
	"net/http"
	"strings"

	"rekindle/internal/secret"
	"rekindle/models"
	"rekindle/models/catalog"
	"rekindle/views"
)

type signInPages struct{ *site }

func (h signInPages) signInPage(w http.ResponseWriter, r *http.Request) error {
	v, err := h.identify(r)
	if err != nil {
		return err
	}
	next := localPath(r.URL.Query().Get("next"))
	if v.known {
		return h.redirect(w, r, next)
	}
	props := views.SignIn{Next: next, Theme: themeOf(r)}
	if cookie, err := r.Cookie(sessionCookie); err == nil && cookie.Value != "" {
		props.Notice = "Your session has ended. Sign in again to continue."
	}
	w.Header().Set("Cache-Control", "no-store")
	return write(w, r, http.StatusOK, views.SignInPage(props))
}

func (h signInPages) signIn(w http.ResponseWriter, r *http.Request) error {
	form, err := readForm(r)
	if err != nil {
		return err
	}
	name, next := strings.TrimSpace(form.Get("user")), localPath(form.Get("next"))
	token, err := h.db.Users.SignIn(r.Context(), name, secret.Text(form.Get("password")), h.addressOf(r), cut(r.UserAgent(), 400))
	if faults, refused := models.AsFaults(err); refused {
		w.Header().Set("Cache-Control", "no-store")
		return write(w, r, http.StatusUnprocessableEntity,
			views.SignInPage(views.SignIn{User: name, Next: next, Error: faults.Error(), Theme: themeOf(r)}))
	} else if text := catalog.Trouble(err); text != "" {
		h.log.ErrorContext(r.Context(), "sign-in: catalog", "request", visitOf(r).id, "error", err)
		w.Header().Set("Cache-Control", "no-store")
		return write(w, r, http.StatusServiceUnavailable, views.SignInPage(views.SignIn{User: name, Next: next, Theme: themeOf(r),
			Error: "Nobody can sign in now. " + text}))
	} else if err != nil {
		return err
	}
	session, err := h.sessions.Get(r, sessionCookie)
	if err != nil {
		return err
	}
	if old, ok := session.Values[valueSession].(models.Session); ok {
		// A new sign-in ends the earlier session.
		if err := h.db.Users.RevokeSession(r.Context(), old.UserID, old.ID); err != nil {
			return err
		}
	}
	session.ID = token.Reveal()
	if err := session.Save(r, w); err != nil {
		return err
	}
	return h.redirect(w, r, next)
}

func (h signInPages) signOut(w http.ResponseWriter, r *http.Request) error {
	v := visitOf(r)
	if err := h.db.Users.RevokeSession(r.Context(), v.user.ID, v.session.ID); err != nil {
		return err
	}
	session, err := h.sessions.Get(r, sessionCookie)
	if err != nil {
		return err
	}
	session.Options.MaxAge = -1
	if err := session.Save(r, w); err != nil {
		return err
	}
	w.Header().Set("Clear-Site-Data", `"cache"`)
	return h.redirect(w, r, "/sign-in")
}

// theme keeps the choice between light, dark and the system's theme.
func (h signInPages) theme(w http.ResponseWriter, r *http.Request) error {
	form, err := readForm(r)
	if err != nil {
		return err
	}
	theme := form.Get("theme")
	if theme != "light" && theme != "dark" {
		theme = "system"
	}
	http.SetCookie(w, &http.Cookie{Name: themeCookie, Value: theme, Path: "/", MaxAge: 365 * 24 * 3600,
		HttpOnly: true, Secure: h.secure || r.TLS != nil, SameSite: http.SameSiteLaxMode})
	return h.redirect(w, r, localPath(form.Get("next")))
}
