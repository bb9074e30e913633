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

// settingsForms are the forms of the settings page, with what is wrong when one of them is shown again.
type settingsForms struct{ limits, password, verify, failover views.Fields }

// wrong is what is wrong with the one that is shown again.
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
	props := views.Settings{CatalogLocation: where.String(), CatalogBackup: backupCommand(where), StoreLocation: h.jobs.StoreLocation(), StoreChecked: h.clock.Now(), FreeBytes: -1,
		Limits: forms.limits, LimitsAction: "/settings/limits", Password: forms.password, Verify: forms.verify, Failover: forms.failover, Version: h.version}
	check, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	if err := h.jobs.CheckStore(check); err != nil {
		props.StoreProblem = err.Error()
	}
	if info, err := h.jobs.DescribeStore(check); err == nil {
		props.FreeBytes = info.Free
		for _, fact := range info.Facts {
			props.StoreFacts = append(props.StoreFacts, views.StoreFact{Name: fact.Name, Value: fact.Value})
		}
	}
	storage, err := h.db.Snapshots.Storage(ctx)
	if err != nil {
		return err
	}
	props.StoredBytes, props.SnapshotCount = storage.Stored, storage.Snapshots
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
	if props.TryImports, err = h.db.Settings.TriesImports(ctx); err != nil {
		return err
	}
	if len(forms.failover.Values) == 0 {
		seconds, err := h.db.Settings.PromoteAfter(ctx)
		if err != nil {
			return err
		}
		props.Failover.Values = map[string]string{"promote_after": strconv.Itoa(seconds)}
	}
	var busy bool
	if props.Running, busy, err = h.present.currentRuns(ctx, about{kind: models.RunRebuild}); err != nil {
		return err
	}
	if props.Consoles, err = h.consoles(ctx); err != nil {
		return err
	}
	v := visitOf(r)
	found, err := h.db.Users.Sessions(ctx, v.user.ID)
	if err != nil {
		return err
	}
	for _, session := range found {
		props.Sessions = append(props.Sessions, views.Session{ID: strconv.FormatUint(uint64(session.ID), 10), User: v.user.Name, Agent: agentName(session.UserAgent),
			Address: session.Address, CreatedAt: session.CreatedAt, SeenAt: session.LastSeenAt, Current: session.ID == v.session.ID})
	}
	at := place{title: "Settings", active: views.NavSettings, path: "/settings", follow: busy, aws: h.aws(r).whoAmI()}
	draw := func(shell views.Shell) templ.Component { return views.SettingsPage(shell, props) }
	return h.ask(w, r, at, forms.wrong(), draw)
}

// backupCommand copies the catalog of this place to a file, also while consoles run.
func backupCommand(at catalog.Place) string {
	if at.InPostgres() {
		return "pg_dump --format=custom --file=rekindle.dump " + at.String()
	}
	return "rekindle catalog backup rekindle-copy.db --catalog 'sqlite:" + strings.ReplaceAll(at.File, "'", `'\''`) + "'"
}

// consoles are those that share the catalog, and last those that are away although nodes are theirs. None when this one is alone.
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
