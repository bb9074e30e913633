package web

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/a-h/templ"

	"rekindle/internal/secret"
	"rekindle/models"
	"rekindle/views"
)

func (h settingsPages) limitsPage(w http.ResponseWriter, r *http.Request) error {
	settings, err := h.db.Settings.Get(r.Context())
	if err != nil {
		return err
	}
	requests, err := h.db.Settings.RequestPrices(r.Context())
	if err != nil {
		return err
	}
	return h.askLimits(w, r, url.Values{"manual_quota": {strconv.Itoa(settings.ManualQuota)}, "price": {priceText(settings.Price)}, "currency": {settings.Currency},
		"put_price": {priceText(requests.Put)}, "get_price": {priceText(requests.Get)}}, nil)
}

func priceText(price float64) string { return strconv.FormatFloat(price, 'f', -1, 64) }

// limitsFields are the fields of that form.
var limitsFields = []string{"manual_quota", "price", "currency", "put_price", "get_price"}

func (h settingsPages) askLimits(w http.ResponseWriter, r *http.Request, form url.Values, wrong mistakes) error {
	fields := views.Fields{Values: firstValues(form, limitsFields...), Errors: wrong}
	return h.section(w, r, wrong, func(shell views.Shell) templ.Component { return views.LimitsSettingsPage(shell, fields) })
}

func (h settingsPages) saveLimits(w http.ResponseWriter, r *http.Request) error {
	form, err := readForm(r)
	if err != nil {
		return err
	}
	wrong := mistakes{}
	settings := models.Settings{Currency: form.Get("currency")}
	settings.ManualQuota = wholeNumber(form, "manual_quota", "limit", "1 to 10000", wrong)
	settings.Price = priceIn(form, "price", "0.085", wrong)
	requests, err := h.requestPrices(r.Context(), form, wrong)
	if err != nil {
		return err
	}
	if len(wrong) == 0 {
		err := requests.Check()
		if err == nil {
			err = h.db.Settings.Save(r.Context(), settings)
		}
		if err == nil {
			err = h.db.Settings.SaveRequestPrices(r.Context(), requests)
		}
		if err == nil {
			return h.done(w, r, r.URL.Path, "success", "The limits and the prices are saved.")
		} else if err := wrong.refusal(err, limitsFields); err != nil {
			return err
		}
	}
	return h.askLimits(w, r, form, wrong)
}

// requestPrices reads what requests cost. What the form does not have stays as it is.
func (h settingsPages) requestPrices(ctx context.Context, form url.Values, wrong mistakes) (models.RequestPrices, error) {
	prices, err := h.db.Settings.RequestPrices(ctx)
	if form.Has("put_price") {
		prices.Put = priceIn(form, "put_price", "0.005", wrong)
	}
	if form.Has("get_price") {
		prices.Get = priceIn(form, "get_price", "0.0004", wrong)
	}
	return prices, err
}

// priceIn reads a price.
func priceIn(form url.Values, field, example string, wrong mistakes) float64 {
	text := strings.TrimSpace(form.Get(field))
	price, err := strconv.ParseFloat(text, 64)
	if err != nil {
		wrong.add(field, fmt.Sprintf("The price must be a number such as %s, not %q.", example, text))
	}
	return price
}

func (h settingsPages) verifyPage(w http.ResponseWriter, r *http.Request) error {
	days, err := h.db.Settings.VerifyEvery(r.Context())
	if err != nil {
		return err
	}
	return h.askVerify(w, r, url.Values{"verify_every": {strconv.Itoa(days)}}, nil)
}

func (h settingsPages) askVerify(w http.ResponseWriter, r *http.Request, form url.Values, wrong mistakes) error {
	fields := views.Fields{Values: firstValues(form, "verify_every"), Errors: wrong}
	return h.section(w, r, wrong, func(shell views.Shell) templ.Component { return views.VerifySettingsPage(shell, fields) })
}

// saveVerifyEvery sets how often each snapshot is verified.
func (h settingsPages) saveVerifyEvery(w http.ResponseWriter, r *http.Request) error {
	form, err := readForm(r)
	if err != nil {
		return err
	}
	wrong := mistakes{}
	days := wholeNumber(form, "verify_every", "number of days", fmt.Sprintf("0 to %d", models.MaxVerifyEvery), wrong)
	if len(wrong) == 0 {
		if err := h.db.Settings.SaveVerifyEvery(r.Context(), days); err == nil {
			text := fmt.Sprintf("Each snapshot is verified every %s.", strings.TrimPrefix(views.Plural(days, "day"), "1 "))
			if days == 0 {
				text = "Snapshots are now verified only on request."
			}
			return h.done(w, r, r.URL.Path, "success", text)
		} else if err := wrong.refusal(err, []string{"verify_every"}); err != nil {
			return err
		}
	}
	return h.askVerify(w, r, form, wrong)
}

func (h settingsPages) importsPage(w http.ResponseWriter, r *http.Request) error {
	try, err := h.db.Settings.TriesImports(r.Context())
	if err != nil {
		return err
	}
	return h.section(w, r, nil, func(shell views.Shell) templ.Component { return views.ImportsSettingsPage(shell, try) })
}

// saveTryImports sets whether files from elsewhere are loaded into a node before they become snapshots.
func (h settingsPages) saveTryImports(w http.ResponseWriter, r *http.Request) error {
	form, err := readForm(r)
	if err != nil {
		return err
	}
	try := form.Get("try_imports") == "on"
	if err := h.db.Settings.SaveTriesImports(r.Context(), try); err != nil {
		return err
	}
	text := "Imported files are now loaded into a node first."
	if !try {
		text = "Only the structure of imported files is checked now."
	}
	return h.done(w, r, r.URL.Path, "success", text)
}

func (h settingsPages) keyNamesPage(w http.ResponseWriter, r *http.Request) error {
	hide, err := h.db.Settings.HidesKeyNames(r.Context())
	if err != nil {
		return err
	}
	return h.section(w, r, nil, func(shell views.Shell) templ.Component { return views.KeyNamesSettingsPage(shell, hide) })
}

// saveKeyNames sets whether names of keys are shown and written down.
func (h settingsPages) saveKeyNames(w http.ResponseWriter, r *http.Request) error {
	form, err := readForm(r)
	if err != nil {
		return err
	}
	hide := form.Get("hide_key_names") == "on"
	if err := h.db.Settings.SaveHidesKeyNames(r.Context(), hide); err != nil {
		return err
	}
	text := "The names of keys are hidden now."
	if !hide {
		text = "The names of keys are shown now. Snapshots that were taken without them get them when they are next verified."
	}
	return h.done(w, r, r.URL.Path, "success", text)
}

func (h settingsPages) failoverPage(w http.ResponseWriter, r *http.Request) error {
	seconds, err := h.db.Settings.PromoteAfter(r.Context())
	if err != nil {
		return err
	}
	return h.askFailover(w, r, url.Values{"promote_after": {strconv.Itoa(seconds)}}, nil)
}

func (h settingsPages) askFailover(w http.ResponseWriter, r *http.Request, form url.Values, wrong mistakes) error {
	fields := views.Fields{Values: firstValues(form, "promote_after"), Errors: wrong}
	return h.section(w, r, wrong, func(shell views.Shell) templ.Component { return views.FailoverSettingsPage(shell, fields) })
}

// savePromoteAfter sets when a replica takes over from a primary that hangs.
func (h settingsPages) savePromoteAfter(w http.ResponseWriter, r *http.Request) error {
	form, err := readForm(r)
	if err != nil {
		return err
	}
	wrong := mistakes{}
	limits := fmt.Sprintf("0 or %d to %d", models.MinPromoteAfter, models.MaxPromoteAfter)
	seconds := wholeNumber(form, "promote_after", "number of seconds", limits, wrong)
	if len(wrong) == 0 {
		if err := h.db.Settings.SavePromoteAfter(r.Context(), seconds); err == nil {
			text := fmt.Sprintf("A primary that hangs is replaced after %s.", views.Plural(seconds, "second"))
			if seconds == 0 {
				text = "A primary that hangs is left alone now."
			}
			return h.done(w, r, r.URL.Path, "success", text)
		} else if err := wrong.refusal(err, []string{"promote_after"}); err != nil {
			return err
		}
	}
	return h.askFailover(w, r, form, wrong)
}

// confirmClock takes somebody's word that the clock is right, whatever it has done.
func (h settingsPages) confirmClock(w http.ResponseWriter, r *http.Request) error {
	form, err := readForm(r)
	if err != nil {
		return err
	}
	if err := h.db.Clock.Confirm(r.Context(), visitOf(r).user.Name); err != nil {
		return err
	}
	return h.done(w, r, localPath(form.Get("next")), "success", "The clock counts as right. Old snapshots and records are deleted again.")
}

// rebuildCatalog has the catalog compared with the store.
func (h settingsPages) rebuildCatalog(w http.ResponseWriter, r *http.Request) error {
	run, err := h.db.Rebuild.Request(r.Context(), visitOf(r).user.Name)
	if models.HasCode(err, models.CodeRunState) {
		return h.done(w, r, "/settings/catalog", "info", err.Error())
	} else if err != nil {
		return err
	}
	h.jobs.Wake()
	return h.begun(w, r, "/settings/catalog", run.ID, "The catalog is being rebuilt from the store.")
}

func (h settingsPages) accountPage(w http.ResponseWriter, r *http.Request) error {
	return h.askPassword(w, r, nil)
}

func (h settingsPages) askPassword(w http.ResponseWriter, r *http.Request, wrong mistakes) error {
	return h.section(w, r, wrong, func(shell views.Shell) templ.Component {
		return views.AccountSettingsPage(shell, views.Fields{Errors: wrong})
	})
}

func (h settingsPages) changePassword(w http.ResponseWriter, r *http.Request) error {
	form, err := readForm(r)
	if err != nil {
		return err
	}
	v, wrong := visitOf(r), mistakes{}
	err = h.db.Users.ChangePassword(r.Context(), v.user.ID, v.session.ID,
		secret.Text(form.Get("current")), secret.Text(form.Get("new")), secret.Text(form.Get("repeat")))
	if err == nil {
		return h.done(w, r, r.URL.Path, "success", "The password is changed. Every other session was signed out.")
	} else if err := wrong.refusal(err, []string{"current", "new", "repeat"}); err != nil {
		return err
	}
	return h.askPassword(w, r, wrong)
}

const sessionsPath = "/settings/sessions"

func (h settingsPages) revokeSession(w http.ResponseWriter, r *http.Request) error {
	id, err := strconv.ParseUint(r.PathValue("id"), 10, 32)
	if err != nil {
		return problem{status: http.StatusNotFound, back: sessionsPath, backText: "To the sessions"}
	}
	if err := h.db.Users.RevokeSession(r.Context(), visitOf(r).user.ID, uint(id)); err != nil {
		return err
	}
	return h.done(w, r, sessionsPath, "success", "That session was signed out.")
}

func (h settingsPages) revokeOthers(w http.ResponseWriter, r *http.Request) error {
	v := visitOf(r)
	if err := h.db.Users.RevokeOtherSessions(r.Context(), v.user.ID, v.session.ID); err != nil {
		return err
	}
	return h.done(w, r, sessionsPath, "success", "Every other session was signed out.")
}
