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

// settingsPages are the pages of the settings. Those with a form are in settingsforms.go.
type settingsPages struct{ *site }

var settingsCrumbs = []views.Crumb{{Text: "Settings", Href: "/settings"}}

// settingsPath is the first page of the settings.
const settingsPath = "/settings/storage"

func (h settingsPages) first(w http.ResponseWriter, r *http.Request) error {
	return h.redirect(w, r, settingsPath)
}

// section shows one page of the settings, or its form again with what is wrong.
func (h settingsPages) section(w http.ResponseWriter, r *http.Request, wrong mistakes, draw func(views.Shell) templ.Component) error {
	return h.ask(w, r, h.at(r), wrong, draw)
}

// at is the place of the page of the settings that has this address.
func (h settingsPages) at(r *http.Request) place {
	return place{title: views.SettingsTitle(r.URL.Path), active: views.NavSettings, crumbs: settingsCrumbs, path: r.URL.Path, aws: h.aws(r).whoAmI()}
}

func (h settingsPages) storagePage(w http.ResponseWriter, r *http.Request) error {
	props := h.describeStore(r.Context())
	storage, err := h.db.Snapshots.Storage(r.Context())
	if err != nil {
		return err
	}
	props.Stored, props.Snapshots, props.Version = storage.Stored, storage.Snapshots, h.version
	return h.section(w, r, nil, func(shell views.Shell) templ.Component { return views.StorageSettingsPage(shell, props) })
}

func (h settingsPages) catalogPage(w http.ResponseWriter, r *http.Request) error {
	where := h.db.Place()
	props := views.CatalogSettings{Location: where.String(), Backup: backupCommand(where)}
	var busy bool
	var err error
	if props.Running, busy, err = h.present.currentRuns(r.Context(), about{kind: models.RunRebuild}); err != nil {
		return err
	}
	if props.Consoles, err = h.consoles(r.Context()); err != nil {
		return err
	}
	at := h.at(r)
	at.follow, at.work = busy, props.Running
	return h.page(w, r, at, func(shell views.Shell) templ.Component { return views.CatalogSettingsPage(shell, props) })
}

func (h settingsPages) sessionsPage(w http.ResponseWriter, r *http.Request) error {
	sessions, err := h.sessionsOf(r.Context(), visitOf(r))
	if err != nil {
		return err
	}
	return h.section(w, r, nil, func(shell views.Shell) templ.Component { return views.SessionsSettingsPage(shell, sessions) })
}

func (h settingsPages) displayPage(w http.ResponseWriter, r *http.Request) error {
	return h.section(w, r, nil, func(shell views.Shell) templ.Component { return views.DisplaySettingsPage(shell) })
}

// storePatience is how long the store may take to describe itself while somebody waits for the page.
const storePatience = 5 * time.Second

// describeStore asks the store to describe itself. If it does not answer, the page shows that problem and does not fail.
func (h settingsPages) describeStore(ctx context.Context) views.StorageSettings {
	ctx, cancel := context.WithTimeout(ctx, storePatience)
	defer cancel()
	props := views.StorageSettings{Location: h.jobs.StoreLocation(), Checked: h.clock.Now(), Free: -1}
	if err := h.jobs.CheckStore(ctx); err != nil {
		props.Problem = err.Error()
	}
	if info, err := h.jobs.DescribeStore(ctx); err == nil {
		props.Free = info.Free
		for _, fact := range info.Facts {
			props.Facts = append(props.Facts, views.StoreFact{Name: fact.Name, Value: fact.Value})
		}
	}
	return props
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
