package web

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/a-h/templ"

	"rekindle/models"
	"rekindle/models/catalog"
	"rekindle/views"
)

// The ways in which a handler ends: page (200), ask (422 if the form has mistakes), partial (for htmx), redirect, or an error, which answer turns
// into a page with words.

// pollEvery is how often a page requests itself again while it shows running work.
const pollEvery = 2 * time.Second

// place says what a page is and where it belongs.
type place struct {
	title  string
	active views.Nav
	crumbs []views.Crumb // those above the page itself
	path   string        // the page's own address, if that is not the request's
	follow bool          // it shows running work
	live   bool          // it follows what others begin
	work   views.Work    // that work, and what has just ended
	aws    string        // the command that shows the same, or "" if the page has its own
}

// fromHTMX tells whether the script asks, rather than the browser for a whole page.
func fromHTMX(r *http.Request) bool { return r.Header.Get("HX-Request") == "true" }

// shell collects what every page needs.
func (s *site) shell(w http.ResponseWriter, r *http.Request, p place) (views.Shell, error) {
	active, err := s.db.Runs.Active(r.Context())
	if err != nil {
		return views.Shell{}, err
	}
	shell := s.bareShell(r, p)
	shell.RunningCount = len(active)
	shell.Notices = s.notices()
	shell.Flash = s.takeFlash(w, r).Beside(p.work)
	return shell, nil
}

// bareShell is the shell without what the catalog knows: even error pages have it.
func (s *site) bareShell(r *http.Request, p place) views.Shell {
	shell := views.Shell{
		Title: p.title, Breadcrumbs: append(p.crumbs[:len(p.crumbs):len(p.crumbs)], views.Crumb{Text: p.title}), Active: p.active,
		User: visitOf(r).user.Name, Theme: themeOf(r), Now: s.clock.Now().UTC(), Zone: zoneOf(r),
		Path: p.path, AWS: p.aws,
	}
	if shell.Path == "" {
		shell.Path = r.URL.RequestURI()
	}
	shell.Live = p.live
	if p.follow {
		shell.Poll = pollEvery
	}
	return shell
}

// page shows a page.
func (s *site) page(w http.ResponseWriter, r *http.Request, p place, draw func(views.Shell) templ.Component) error {
	return s.pageWith(w, r, http.StatusOK, p, draw)
}

// ask shows a page with a form. If there are mistakes it shows the form again, and the status says so.
func (s *site) ask(w http.ResponseWriter, r *http.Request, p place, wrong mistakes, draw func(views.Shell) templ.Component) error {
	if len(wrong) > 0 {
		return s.pageWith(w, r, http.StatusUnprocessableEntity, p, draw)
	}
	return s.page(w, r, p, draw)
}

func (s *site) pageWith(w http.ResponseWriter, r *http.Request, status int, p place, draw func(views.Shell) templ.Component) error {
	shell, err := s.shell(w, r, p)
	if err != nil {
		return err
	}
	return write(w, r, status, draw(shell))
}

// partial shows a piece of a page. It leaves the message for the next page alone.
func (s *site) partial(w http.ResponseWriter, r *http.Request, p place, draw func(views.Shell) templ.Component) error {
	return write(w, r, http.StatusOK, draw(s.bareShell(r, p)))
}

// write renders into a buffer first: a failure half way must not become half a page with status 200.
func write(w http.ResponseWriter, r *http.Request, status int, c templ.Component) error {
	var page bytes.Buffer
	if err := c.Render(r.Context(), &page); err != nil {
		return err
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Length", strconv.Itoa(page.Len()))
	h.Add("Vary", "HX-Request")
	if h.Get("Cache-Control") == "" {
		h.Set("Cache-Control", "private, no-cache")
	}
	w.WriteHeader(status)
	_, _ = w.Write(page.Bytes()) // whoever hung up does not want it any more
	return nil
}

// redirect redirects, in htmx's way if htmx asks: it would follow a 303 itself and put a whole page into a fragment.
func (s *site) redirect(w http.ResponseWriter, r *http.Request, to string) error {
	w.Header().Add("Vary", "HX-Request")
	w.Header().Set("Cache-Control", "no-store")
	if fromHTMX(r) {
		w.Header().Set("HX-Redirect", to)
		w.WriteHeader(http.StatusOK)
		return nil
	}
	w.Header().Set("Location", to)
	w.WriteHeader(http.StatusSeeOther)
	return nil
}

// done redirects with a message about what was just done.
func (s *site) done(w http.ResponseWriter, r *http.Request, to, kind, text string) error {
	s.setFlash(w, r, flash{Kind: kind, Text: text})
	return s.redirect(w, r, to)
}

// begun redirects with a message about work that goes on from here: the run, or 0 where it is not known. The message goes when the work has ended.
func (s *site) begun(w http.ResponseWriter, r *http.Request, to string, run uint, text string) error {
	s.setFlash(w, r, flash{Kind: "success", Text: text, Going: true, Run: run})
	return s.redirect(w, r, to)
}

// problem is an error with a status and its own words. Without words the error page has some for the status.
type problem struct {
	status         int
	title, text    string
	back, backText string
}

func (p problem) Error() string { return strconv.Itoa(p.status) + " " + p.title + " " + p.text }

// answer makes a handler for net/http.
func (s *site) answer(h handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := h(w, r); err != nil {
			s.fail(w, r, err)
		}
	})
}

// fail tells a person what went wrong. A refusal is their business and says why. Anything else is the console's: it goes to the log, and the page
// only has the number under which it is found there.
func (s *site) fail(w http.ResponseWriter, r *http.Request, err error) {
	var p problem
	faults, refused := models.AsFaults(err)
	switch {
	case errors.As(err, &p):
	case refused:
		p = problem{status: http.StatusConflict, text: faults.Error()}
		switch faults.Code() {
		case models.CodeClusterNotFound:
			p = problem{status: http.StatusNotFound, text: faults.Error() + " It may have been deleted since.", back: "/clusters", backText: "To the clusters"}
		case models.CodeSnapshotNotFound:
			p = problem{status: http.StatusNotFound, text: faults.Error() + " It may have been deleted since.", back: "/snapshots", backText: "To the snapshots"}
		case models.CodeAccessKeyNotFound:
			p = problem{status: http.StatusNotFound, text: faults.Error(), back: accessKeysPath, backText: "To the access keys"}
		case models.CodeChannelNotFound:
			p = problem{status: http.StatusNotFound, text: faults.Error() + " It may have been deleted since.", back: views.NotificationsPath, backText: "To the notifications"}
		case models.CodeRunNotFound:
			p = problem{status: http.StatusNotFound, text: faults.Error(), back: "/runs", backText: "To the activity"}
		}
	case errors.Is(err, context.Canceled) && r.Context().Err() != nil:
		return // nobody is there any more
	case catalog.Trouble(err) != "":
		p = problem{status: http.StatusServiceUnavailable, title: "The catalog cannot be used", text: catalog.Trouble(err)}
		s.log.ErrorContext(r.Context(), "catalog", "request", visitOf(r).id, "method", r.Method, "path", r.URL.Path, "error", err)
	default:
		p.status = http.StatusInternalServerError
		s.log.ErrorContext(r.Context(), "request failed", "request", visitOf(r).id, "method", r.Method, "path", r.URL.Path, "error", err)
	}
	if p.status == http.StatusNotFound && p.back != "" && fromHTMX(r) {
		// A page that follows something is told that it is gone, instead of asking for ever.
		_ = s.done(w, r, p.back, "info", p.text)
		return
	}
	s.errorPage(w, r, p)
}

func (s *site) errorPage(w http.ResponseWriter, r *http.Request, p problem) {
	info := views.ErrorInfo{Status: p.status, Title: p.title, Text: p.text, RequestID: visitOf(r).id, BackHref: p.back, BackText: p.backText}
	title := p.title
	if title == "" {
		title = http.StatusText(p.status)
	}
	h := w.Header()
	for _, name := range []string{"Content-Length", "Content-Disposition", "Content-Encoding", "Etag"} {
		h.Del(name)
	}
	h.Set("Cache-Control", "no-store")
	if err := write(w, r, p.status, views.ErrorPage(s.bareShell(r, place{title: title}), info)); err != nil {
		s.log.ErrorContext(r.Context(), "error page failed", "request", visitOf(r).id, "error", err)
		http.Error(w, "Something went wrong in the console. Request "+visitOf(r).id+".", p.status)
	}
}
