package web

import (
	"net/http"

	"golang.org/x/sync/singleflight"

	"rekindle/static"
)

// handler is a route's function. An error that it returns becomes a page; see fail.
type handler func(w http.ResponseWriter, r *http.Request) error

// table is where the routes are registered.
type table struct {
	*site
	mux *http.ServeMux
}

// open registers a route for everybody.
func (t table) open(pattern string, h handler) { t.mux.Handle(pattern, t.answer(h)) }

// user registers a route for people who are signed in.
func (t table) user(pattern string, h handler) { t.mux.Handle(pattern, t.answer(t.signedIn(h))) }

// script registers a route for programs that are signed in.
func (t table) script(pattern string, h handler) { t.mux.Handle(pattern, t.answer(t.signedInOr401(h))) }

// routes has every address of the console.
func (s *site) routes(api http.Handler, maxUpload int64, metrics metricsPage) http.Handler {
	t := table{s, http.NewServeMux()}
	t.mux.Handle(static.Prefix, static.Handler())
	t.mux.Handle("POST /{$}", api) // the ElastiCache API: requests are signed with an access key
	t.watched(metrics)
	t.signingIn()
	t.overview()
	t.activity()
	t.clusters()
	t.clusterForms()
	t.attaching()
	t.snapshots()
	t.copies(maxUpload)
	t.finds()
	t.settings()
	t.notifications()
	return s.orInWords(t.mux)
}

func (t table) watched(metrics metricsPage) {
	is := health{t.site, new(singleflight.Group)}
	t.open("GET /healthz", is.healthz)
	t.open("GET /readyz", is.readyz)
	t.open("GET /metrics", metrics.show)
}

func (t table) signingIn() {
	pages := signInPages{t.site}
	t.open("GET /sign-in", pages.signInPage)
	t.open("POST /sign-in", pages.signIn)
	t.user("POST /sign-out", pages.signOut)
	t.user("POST /theme", pages.theme)
}

func (t table) overview() {
	t.user("GET /{$}", overviewPage{t.site}.show)
	t.user("GET /search", searchPages{t.site}.show)
	t.user("GET /cost", costPage{t.site}.show)       // views.CostPath
	t.user("GET /windows", windowsPage{t.site}.show) // views.WindowsPath
	t.script("GET /export.json", inventory{t.site}.export)
}

func (t table) activity() {
	runs := runPages{t.site}
	t.user("GET /events", eventPages{t.site}.list)
	t.user("GET /runs", runs.list)
	t.user("GET /runs/{id}", runs.show)
	t.user("POST /runs/{id}/cancel", runs.cancel)
}

func (t table) clusters() {
	clusters, many, takes := clusterPages{t.site}, bulkPages{t.site}, takePages{t.site}
	t.user("GET /clusters", clusters.list)
	t.user("GET /clusters/-/names", clusters.suggest) // views.ClusterNamesPath
	t.user("GET /clusters/-/delete", many.deletePage) // views.DeleteClustersPath
	t.user("POST /clusters/-/delete", many.delete)
	t.user("GET /clusters/-/snapshot", many.takePage) // views.SnapshotClustersPath
	t.user("POST /clusters/-/snapshot", many.take)
	t.user("GET /clusters/{id}", clusters.show)
	t.user("GET /clusters/{id}/ca.pem", clusters.certificate)
	t.user("POST /clusters/{id}/password", clusters.showPassword)
	t.user("GET /clusters/{id}/delete", clusters.deletePage)
	t.user("POST /clusters/{id}/delete", clusters.delete)
	t.user("GET /clusters/{id}/snapshot", takes.takePage)
	t.user("POST /clusters/{id}/snapshot", takes.take)

	recoveries := recoverPages{t.site}
	t.user("GET /clusters/{id}/recover", recoveries.recoverPage)
	t.user("POST /clusters/{id}/recover", recoveries.recover)
	drills := drillPages{t.site}
	t.user("GET /clusters/{id}/drills", drills.planPage)
	t.user("POST /clusters/{id}/drills", drills.savePlan)
	journals := journalPages{t.site}
	t.user("GET /clusters/{id}/journal", journals.show)
	t.user("POST /clusters/{id}/journal", journals.save)
	t.user("POST /clusters/{id}/journal/compare", journals.compare)

	reboots, failovers, migrations := rebootPages{t.site}, failoverPages{t.site}, migrationPages{t.site}
	t.user("GET /clusters/{id}/reboot", reboots.rebootPage)
	t.user("POST /clusters/{id}/reboot", reboots.reboot)
	t.user("GET /clusters/{id}/failover", failovers.failoverPage)
	t.user("POST /clusters/{id}/failover", failovers.failOver)
	t.user("GET /clusters/{id}/migration", migrations.migrationPage)
	t.user("POST /clusters/{id}/migration", migrations.migrate)
}

func (t table) clusterForms() {
	forms := formPages{t.site}
	t.user("GET /clusters/-/new", forms.createPage)
	t.user("POST /clusters/-/new", forms.create)
	t.user("POST /clusters/-/summary", forms.createSummary)
	t.user("GET /clusters/{id}/modify", forms.modifyPage)
	t.user("POST /clusters/{id}/modify", forms.modify)
	t.user("POST /clusters/{id}/summary", forms.modifySummary)

	restores := restorePages{t.site, forms}
	t.user("GET /snapshots/{name}/restore", restores.restorePage)
	t.user("POST /snapshots/{name}/restore", restores.restore)
	t.user("POST /snapshots/{name}/summary", restores.restoreSummary)

	fills := fillPages{t.site}
	t.user("GET /snapshots/{name}/into", fills.fillPage)
	t.user("POST /snapshots/{name}/into", fills.fill)

	bringing := bringPages{t.site}
	t.user("GET /snapshots/{name}/keys", bringing.keysPage)
	t.user("POST /snapshots/{name}/keys", bringing.rehearse)
	t.user("GET /runs/{id}/bring-back", bringing.confirmPage)
	t.user("POST /runs/{id}/bring-back", bringing.bring)
}

func (t table) attaching() {
	pages := attachPages{t.site}
	t.user("GET /clusters/-/attach", pages.attachPage) // views.AttachPath
	t.user("POST /clusters/-/attach", pages.attach)
	t.user("GET /clusters/{id}/access", pages.accessPage)
	t.user("POST /clusters/{id}/access", pages.changeAccess)
}

func (t table) snapshots() {
	snapshots, takes := snapshotPages{t.site}, takePages{t.site}
	t.user("GET /snapshots", snapshots.list)
	t.user("GET /snapshots/-/new", takes.takePage)
	t.user("POST /snapshots/-/new", takes.take)
	t.user("GET /snapshots/-/delete", snapshots.deletePage)
	t.user("POST /snapshots/-/delete", snapshots.delete)
	many := manySnapshotPages{t.site}
	t.user("GET /snapshots/-/verify", many.page(verifyMany)) // views.SnapshotsPath
	t.user("POST /snapshots/-/verify", many.act(verifyMany))
	t.user("GET /snapshots/-/copy", many.page(copyMany))
	t.user("POST /snapshots/-/copy", many.act(copyMany))
	t.user("GET /snapshots/-/export", many.page(exportMany))
	t.user("POST /snapshots/-/export", many.act(exportMany))
	t.user("GET /snapshots/{name}", snapshots.show)
	t.user("GET /snapshots/{name}/contents", snapshots.contents)
	t.user("GET /snapshots/{name}/compare", snapshots.compare)
	t.user("GET /snapshots/{name}/parts/{file}", snapshots.download)
	t.user("GET /snapshots/{name}/delete", snapshots.deletePage)
	t.user("POST /snapshots/{name}/delete", snapshots.delete)
	t.user("POST /snapshots/{name}/verify", snapshots.verify)
	drills := drillPages{t.site}
	t.user("POST /snapshots/{name}/drill", drills.drill)
	t.user("GET /drills", drills.report)
	t.user("GET /drills.csv", drills.reportCSV)
}

func (t table) copies(maxUpload int64) {
	copies, imports := copyPages{t.site}, importPages{t.site, maxUpload}
	t.user("GET /snapshots/{name}/copy", copies.copyPage)
	t.user("POST /snapshots/{name}/copy", copies.copy)
	t.user("GET /snapshots/{name}/export", copies.exportPage)
	t.user("POST /snapshots/{name}/export", copies.export)
	t.user("GET /snapshots/-/import", imports.importPage)
	t.user("POST /snapshots/-/import", imports.importSnapshot)
}

func (t table) finds() {
	finds := findPages{t.site}
	t.user("GET /find", finds.form) // views.FindPath
	t.user("POST /find", finds.find)
	t.user("GET /find/{id}", finds.show)
	t.user("GET /find/{id}/changes", finds.changes)
	t.user("POST /find/{id}/keys/{key}", finds.value)
	t.user("POST /find/{id}/keys/{key}/now", finds.compareWithNow)
}

func (t table) settings() {
	settings, keys := settingsPages{t.site}, accessKeyPages{t.site}
	t.user("GET /settings", settings.first)
	t.user("GET /settings/storage", settings.storagePage)
	t.user("GET /settings/verify", settings.verifyPage)
	t.user("POST /settings/verify", settings.saveVerifyEvery)
	t.user("GET /settings/imports", settings.importsPage)
	t.user("POST /settings/imports", settings.saveTryImports)
	t.user("GET /settings/key-names", settings.keyNamesPage)
	t.user("POST /settings/key-names", settings.saveKeyNames)
	t.user("GET /settings/failover", settings.failoverPage)
	t.user("POST /settings/failover", settings.savePromoteAfter)
	t.user("GET /settings/catalog", settings.catalogPage)
	t.user("POST /settings/rebuild", settings.rebuildCatalog)
	t.user("POST /settings/clock", settings.confirmClock)
	t.user("GET /settings/limits", settings.limitsPage)
	t.user("POST /settings/limits", settings.saveLimits)
	t.user("GET /settings/account", settings.accountPage)
	t.user("POST /settings/account", settings.changePassword)
	t.user("GET /settings/sessions", settings.sessionsPage)
	t.user("POST /settings/sessions/revoke-others", settings.revokeOthers)
	t.user("POST /settings/sessions/{id}/revoke", settings.revokeSession)
	t.user("GET /settings/display", settings.displayPage)

	t.user("GET /settings/access-keys", keys.list)
	t.user("POST /settings/access-keys", keys.create)
	t.user("GET /settings/access-keys/{id}/revoke", keys.revokePage)
	t.user("POST /settings/access-keys/{id}/revoke", keys.revoke)
}

func (t table) notifications() {
	pages := notificationPages{t.site}
	t.user("GET /settings/notifications", pages.list) // views.NotificationsPath
	t.user("POST /settings/notifications", pages.saveKept)
	t.user("GET /settings/notifications/-/new", pages.newPage) // views.NewChannelPath
	t.user("POST /settings/notifications/-/new", pages.create)
	t.user("GET /settings/notifications/messages", pages.messages) // views.MessagesPath
	t.user("POST /settings/notifications/messages/{id}/again", pages.again)
	t.user("GET /settings/notifications/{id}", pages.changePage)
	t.user("POST /settings/notifications/{id}", pages.change)
	t.user("POST /settings/notifications/{id}/test", pages.test)
	t.user("GET /settings/notifications/{id}/delete", pages.deletePage)
	t.user("POST /settings/notifications/{id}/delete", pages.delete)
}
