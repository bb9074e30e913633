package web

import (
	"context"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/a-h/templ"

	"rekindle/models"
	"rekindle/models/catalog"
	"rekindle/views"
)

type settingsPages struct{ *site }

func (h settingsPages) settingsPage(w http.ResponseWriter, r *http.Request) error {
	return h.show(w, r, settingsForms{})
}

// settingsForms are the forms of the settings page. If one is shown again, it has its mistakes.
type settingsForms struct{ limits, password, verify, failover views.Fields }

// wrong returns the mistakes of the form that is shown again.
func (f settingsForms) wrong() mistakes {
	for _, form := range []views.Fields{f.limits, f.password, f.verify, f.failover} {
		if len(form.Errors) > 0 {
			return form.Errors
		}
	}
	return nil
}

func (h settingsPages) show(w http.ResponseWriter, r *http.Request, forms settingsForms) error {
	ctx := r.Context()
	where := h.db.Place()
	props := views.Settings{CatalogLocation: where.String(), CatalogBackup: backupCommand(where), LimitsAction: "/settings/limits", Password: forms.password, Version: h.version}
	h.describeStore(ctx, &props)
	storage, err := h.db.Snapshots.Storage(ctx)
	if err != nil {
		return err
	}
	props.StoredBytes, props.SnapshotCount = storage.Stored, storage.Snapshots
	if err := h.fillForms(ctx, forms, &props); err != nil {
		return err
	}
	var busy bool
	if props.Running, busy, err = h.present.currentRuns(ctx, about{kind: models.RunRebuild}); err != nil {
		return err
	}
	if props.Consoles, err = h.consoles(ctx); err != nil {
		return err
	}
	if props.Sessions, err = h.sessionsOf(ctx, visitOf(r)); err != nil {
		return err
	}
	at := place{title: "Settings", active: views.NavSettings, path: "/settings", follow: busy, aws: h.aws(r).whoAmI()}
	draw := func(shell views.Shell) templ.Component { return views.SettingsPage(shell, props) }
	return h.ask(w, r, at, forms.wrong(), draw)
}

// storePatience is how long the store may take to describe itself while somebody waits for the page.
const storePatience = 5 * time.Second

// describeStore asks the store to describe itself. If it does not answer, the page shows that problem and does not fail.
func (h settingsPages) describeStore(ctx context.Context, props *views.Settings) {
	ctx, cancel := context.WithTimeout(ctx, storePatience)
	defer cancel()
	props.StoreLocation, props.StoreChecked, props.FreeBytes = h.jobs.StoreLocation(), h.clock.Now(), -1
	if err := h.jobs.CheckStore(ctx); err != nil {
		props.StoreProblem = err.Error()
	}
	if info, err := h.jobs.DescribeStore(ctx); err == nil {
		props.FreeBytes = info.Free
		for _, fact := range info.Facts {
			props.StoreFacts = append(props.StoreFacts, views.StoreFact{Name: fact.Name, Value: fact.Value})
		}
	}
}

// fillForms fills each form with the present settings. A form that is shown again keeps what was sent.
func (h settingsPages) fillForms(ctx context.Context, forms settingsForms, props *views.Settings) (err error) {
	props.Limits, props.Verify, props.Failover = forms.limits, forms.verify, forms.failover
	if len(forms.limits.Values) == 0 {
		settings, err := h.db.Settings.Get(ctx)
		if err != nil {
			return err
		}
		props.Limits.Values = map[string]string{"manual_quota": strconv.Itoa(settings.ManualQuota),
			"price": strconv.FormatFloat(settings.Price, 'f', -1, 64), "currency": settings.Currency}
	}
	if len(forms.verify.Values) == 0 {
		days, err := h.db.Settings.VerifyEvery(ctx)
		if err != nil {
			return err
		}
		props.Verify.Values = map[string]string{"verify_every": strconv.Itoa(days)}
	}
	if len(forms.failover.Values) == 0 {
		seconds, err := h.db.Settings.PromoteAfter(ctx)
		if err != nil {
			return err
		}
		props.Failover.Values = map[string]string{"promote_after": strconv.Itoa(seconds)}
	}
	props.TryImports, err = h.db.Settings.TriesImports(ctx)
	return err
}

// sessionsOf returns where the person is signed in.
func (h settingsPages) sessionsOf(ctx context.Context, v *visit) ([]views.Session, error) {
	found, err := h.db.Users.Sessions(ctx, v.user.ID)
	shown := make([]views.Session, len(found))
	for i, session := range found {
		shown[i] = views.Session{ID: strconv.FormatUint(uint64(session.ID), 10), User: v.user.Name, Agent: agentName(session.UserAgent),
			Address: session.Address, CreatedAt: session.CreatedAt, SeenAt: session.LastSeenAt, Current: session.ID == v.session.ID}
	}
	return shown, err
}

// backupCommand copies the catalog at this place to a file, which works even while consoles run.
func backupCommand(at catalog.Place) string {
	if at.InPostgres() {
		return "pg_dump --format=custom --file=rekindle.dump " + at.String()
	}
	return "rekindle catalog backup rekindle-copy.db --catalog 'sqlite:" + strings.ReplaceAll(at.File, "'", `'\''`) + "'"
}

// consoles are those that share the catalog and, at the end, those that are away although they have nodes. There are none if this one is alone.
func (h settingsPages) consoles(ctx context.Context) ([]views.Console, error) {
	owners, err := h.db.Owners.All(ctx)
	if err != nil {
		return nil, err
	}
	clusters, err := h.db.Owners.HomeClusters(ctx)
	if err != nil {
		return nil, err
	}
	var all []views.Console
	for _, owner := range owners {
		all = append(all, views.Console{Host: owner.Host, Clusters: clusters[owner.Home], Since: owner.Since, Seen: owner.Seen, Current: owner.ID == h.jobs.Owner()})
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
