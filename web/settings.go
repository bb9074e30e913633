package web

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/a-h/templ"

	"rekindle/internal/secret"
	"rekindle/models"
	"rekindle/models/catalog"
	"rekindle/views"
)

func (s *server) settingsPage(w http.ResponseWriter, r *http.Request) error {
	return s.showSettings(w, r, settingsForms{})
}

// settingsForms are the forms of the settings page, with what is wrong when one of them is shown again.
type settingsForms struct{ limits, password, verify, failover views.Fields }

func (f settingsForms) wrong() bool {
	return len(f.limits.Errors)+len(f.password.Errors)+len(f.verify.Errors)+len(f.failover.Errors) > 0
}

func (s *server) showSettings(w http.ResponseWriter, r *http.Request, forms settingsForms) error {
	ctx := r.Context()
	where := s.db.Place()
	props := views.Settings{CatalogLocation: where.String(), CatalogBackup: backupCommand(where), StoreLocation: s.jobs.StoreLocation(), StoreChecked: s.clock.Now(), FreeBytes: -1,
		Limits: forms.limits, LimitsAction: "/settings/limits", Password: forms.password, Verify: forms.verify, Failover: forms.failover, Version: s.version}
	check, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	if err := s.jobs.CheckStore(check); err != nil {
		props.StoreProblem = err.Error()
	}
	if info, err := s.jobs.DescribeStore(check); err == nil {
		props.FreeBytes = info.Free
		for _, fact := range info.Facts {
			props.StoreFacts = append(props.StoreFacts, views.StoreFact{Name: fact.Name, Value: fact.Value})
		}
	}
	storage, err := s.db.Snapshots.Storage(ctx)
	if err != nil {
		return err
	}
	props.StoredBytes, props.SnapshotCount = storage.Stored, storage.Snapshots
	if len(forms.limits.Values) == 0 {
		settings, err := s.db.Settings.Get(ctx)
		if err != nil {
			return err
		}
		props.Limits.Values = map[string]string{"manual_quota": strconv.Itoa(settings.ManualQuota),
			"price": strconv.FormatFloat(settings.Price, 'f', -1, 64), "currency": settings.Currency}
	}
	if len(forms.verify.Values) == 0 {
		days, err := s.db.Settings.VerifyEvery(ctx)
		if err != nil {
			return err
		}
		props.Verify.Values = map[string]string{"verify_every": strconv.Itoa(days)}
	}
	if props.TryImports, err = s.db.Settings.TriesImports(ctx); err != nil {
		return err
	}
	if len(forms.failover.Values) == 0 {
		seconds, err := s.db.Settings.PromoteAfter(ctx)
		if err != nil {
			return err
		}
		props.Failover.Values = map[string]string{"promote_after": strconv.Itoa(seconds)}
	}
	var busy bool
	if props.Running, busy, err = s.currentRuns(ctx, about{kind: models.RunRebuild}); err != nil {
		return err
	}
	if props.Consoles, err = s.consoles(ctx); err != nil {
		return err
	}
	v := visitOf(r)
	found, err := s.db.Users.Sessions(ctx, v.user.ID)
	if err != nil {
		return err
	}
	for _, session := range found {
		props.Sessions = append(props.Sessions, views.Session{ID: strconv.FormatUint(uint64(session.ID), 10), User: v.user.Name, Agent: agentName(session.UserAgent),
			Address: session.Address, CreatedAt: session.CreatedAt, SeenAt: session.LastSeenAt, Current: session.ID == v.session.ID})
	}
	at := place{title: "Settings", active: views.NavSettings, path: "/settings", follow: busy, aws: s.aws(r).whoAmI()}
	draw := func(shell views.Shell) templ.Component { return views.SettingsPage(shell, props) }
	if forms.wrong() {
		return s.again(w, r, at, draw)
	}
	return s.page(w, r, at, draw)
}

// backupCommand copies the catalog of this place to a file, also while consoles run.
func backupCommand(at catalog.Place) string {
	if at.InPostgres() {
		return "pg_dump --format=custom --file=rekindle.dump " + at.String()
	}
	return "rekindle catalog backup rekindle-copy.db --catalog 'sqlite:" + strings.ReplaceAll(at.File, "'", `'\''`) + "'"
}

// consoles are those that share the catalog, and last those that are away although nodes are theirs. None when this one is alone.
func (s *server) consoles(ctx context.Context) ([]views.Console, error) {
	owners, err := s.db.Owners.All(ctx)
	if err != nil {
		return nil, err
	}
	clusters, err := s.db.Owners.HomeClusters(ctx)
	if err != nil {
		return nil, err
	}
	var all []views.Console
	for _, owner := range owners {
		all = append(all, views.Console{Host: owner.Host, Clusters: clusters[owner.Home], Since: owner.Since, Seen: owner.Seen, Current: owner.ID == s.jobs.Owner()})
		delete(clusters, owner.Home)
	}
	for _, home := range slices.Sorted(maps.Keys(clusters)) {
		all = append(all, views.Console{Clusters: clusters[home]})
	}
	if len(all) == 1 && all[0].Current {
		return nil, nil
	}
	return all, nil
}

func (s *server) saveLimits(w http.ResponseWriter, r *http.Request) error {
	form, err := readForm(r)
	if err != nil {
		return err
	}
	wrong := mistakes{}
	settings := models.Settings{Currency: form.Get("currency")}
	settings.ManualQuota = wholeNumber(form, "manual_quota", "limit", "1 to 10000", wrong)
	price := strings.TrimSpace(form.Get("price"))
	if settings.Price, err = strconv.ParseFloat(price, 64); err != nil {
		wrong.add("price", fmt.Sprintf("The price must be a number such as 0.085, not %q.", price))
	}
	if len(wrong) == 0 {
		if err := s.db.Settings.Save(r.Context(), settings); err == nil {
			return s.done(w, r, "/settings#limits", "success", "The limits and the price are saved.")
		} else if err := wrong.refusal(err, []string{"manual_quota", "price", "currency"}); err != nil {
			return err
		}
	}
	return s.showSettings(w, r, settingsForms{limits: views.Fields{Values: firstValues(form, "manual_quota", "price", "currency"), Errors: wrong}})
}

// savePromoteAfter sets when a replica takes over from a primary that hangs.
func (s *server) savePromoteAfter(w http.ResponseWriter, r *http.Request) error {
	form, err := readForm(r)
	if err != nil {
		return err
	}
	wrong := mistakes{}
	limits := fmt.Sprintf("0 or %d to %d", models.MinPromoteAfter, models.MaxPromoteAfter)
	seconds := wholeNumber(form, "promote_after", "number of seconds", limits, wrong)
	if len(wrong) == 0 {
		if err := s.db.Settings.SavePromoteAfter(r.Context(), seconds); err == nil {
			text := fmt.Sprintf("A primary that hangs is replaced after %s.", views.Plural(seconds, "second"))
			if seconds == 0 {
				text = "A primary that hangs is left alone now."
			}
			return s.done(w, r, "/settings#failover", "success", text)
		} else if err := wrong.refusal(err, []string{"promote_after"}); err != nil {
			return err
		}
	}
	return s.showSettings(w, r, settingsForms{failover: views.Fields{Values: firstValues(form, "promote_after"), Errors: wrong}})
}

func (s *server) changePassword(w http.ResponseWriter, r *http.Request) error {
	form, err := readForm(r)
	if err != nil {
		return err
	}
	v, wrong := visitOf(r), mistakes{}
	err = s.db.Users.ChangePassword(r.Context(), v.user.ID, v.session.ID,
		secret.Text(form.Get("current")), secret.Text(form.Get("new")), secret.Text(form.Get("repeat")))
	if err == nil {
		return s.done(w, r, "/settings#account", "success", "The password is changed. Every other session was signed out.")
	} else if err := wrong.refusal(err, []string{"current", "new", "repeat"}); err != nil {
		return err
	}
	return s.showSettings(w, r, settingsForms{password: views.Fields{Errors: wrong}})
}

func (s *server) revokeSession(w http.ResponseWriter, r *http.Request) error {
	id, err := strconv.ParseUint(r.PathValue("id"), 10, 32)
	if err != nil {
		return problem{status: http.StatusNotFound, back: "/settings", backText: "To the settings"}
	}
	if err := s.db.Users.RevokeSession(r.Context(), visitOf(r).user.ID, uint(id)); err != nil {
		return err
	}
	return s.done(w, r, "/settings#sessions", "success", "That session was signed out.")
}

func (s *server) revokeOthers(w http.ResponseWriter, r *http.Request) error {
	v := visitOf(r)
	if err := s.db.Users.RevokeOtherSessions(r.Context(), v.user.ID, v.session.ID); err != nil {
		return err
	}
	return s.done(w, r, "/settings#sessions", "success", "Every other session was signed out.")
}

// wholeNumber reads a number from a form; what is none is a mistake at its field, and 0. The range is only named here, package
// models decides.
func wholeNumber(form url.Values, field, what, limits string, wrong mistakes) int {
	text := strings.TrimSpace(form.Get(field))
	n, err := strconv.Atoi(text)
	switch {
	case err == nil:
		return n
	case text == "":
		wrong.add(field, fmt.Sprintf("Give the %s, %s.", what, limits))
	default:
		wrong.add(field, fmt.Sprintf("The %s must be a whole number, %s, not %q.", what, limits, cut(text, 40)))
	}
	return 0
}

// firstValues are a form's fields as they were sent, to be shown again.
func firstValues(form url.Values, names ...string) map[string]string {
	values := make(map[string]string, len(names))
	for _, name := range names {
		values[name] = form.Get(name)
	}
	return values
}
