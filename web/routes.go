package web

import (
	"net/http"
	"strings"

	"rekindle/static"
)

// handler is a route's function. The error that it returns becomes a page; see fail.
type handler func(w http.ResponseWriter, r *http.Request) error

// routes is every address of the console.
func (s *server) routes() http.Handler {
	mux := http.NewServeMux()
	open := func(pattern string, h handler) { mux.Handle(pattern, s.answer(h)) }
	user := func(pattern string, h handler) { mux.Handle(pattern, s.answer(s.signedIn(h))) }
	script := func(pattern string, h handler) { mux.Handle(pattern, s.answer(s.signedInOr401(h))) }

	// Without a session.
	mux.Handle(static.Prefix, static.Handler())
	open("GET /healthz", s.healthz)
	open("GET /readyz", s.readyz)
	open("GET /sign-in", s.signInPage)
	open("POST /sign-in", s.signIn)
	mux.Handle("POST /{$}", s.api) // the ElastiCache API: requests are signed with an access key

	// For whoever is signed in.
	user("POST /sign-out", s.signOut)
	user("POST /theme", s.theme)
	user("GET /{$}", s.overview)
	script("GET /export.json", s.export)

	user("GET /clusters", s.clusterList)
	user("GET /clusters/-/new", s.createPage)
	user("POST /clusters/-/new", s.create)
	user("POST /clusters/-/summary", s.createSummary)
	user("GET /clusters/-/delete", s.deleteClustersPage) // views.DeleteClustersPath
	user("POST /clusters/-/delete", s.deleteClusters)
	user("GET /clusters/-/snapshot", s.snapshotClustersPage) // views.SnapshotClustersPath
	user("POST /clusters/-/snapshot", s.snapshotClusters)
	user("GET /clusters/-/names", s.suggestClusters) // views.ClusterNamesPath
	user("GET /clusters/{id}", s.clusterPage)
	user("GET /clusters/{id}/modify", s.modifyPage)
	user("POST /clusters/{id}/modify", s.modify)
	user("POST /clusters/{id}/summary", s.modifySummary)
	user("GET /clusters/{id}/snapshot", s.takePage)
	user("POST /clusters/{id}/snapshot", s.take)
	user("GET /clusters/{id}/reboot", s.rebootPage)
	user("POST /clusters/{id}/reboot", s.reboot)
	user("GET /clusters/{id}/failover", s.failoverPage)
	user("POST /clusters/{id}/failover", s.failOver)
	user("GET /clusters/{id}/delete", s.deleteClusterPage)
	user("POST /clusters/{id}/delete", s.deleteCluster)

	user("GET /snapshots", s.snapshotList)
	user("GET /snapshots/-/new", s.takePage)
	user("POST /snapshots/-/new", s.take)
	user("GET /snapshots/-/delete", s.deleteSnapshotsPage)
	user("POST /snapshots/-/delete", s.deleteSnapshots)
	user("GET /snapshots/{name}", s.snapshotPage)
	user("GET /snapshots/{name}/parts/{file}", s.download)
	user("GET /snapshots/-/import", s.importPage)
	user("POST /snapshots/-/import", s.importSnapshot)
	user("GET /snapshots/{name}/copy", s.copyPage)
	user("POST /snapshots/{name}/copy", s.copySnapshot)
	user("GET /snapshots/{name}/export", s.exportPage)
	user("POST /snapshots/{name}/export", s.exportSnapshot)
	user("GET /snapshots/{name}/restore", s.restorePage)
	user("POST /snapshots/{name}/restore", s.restore)
	user("POST /snapshots/{name}/summary", s.restoreSummary)
	user("GET /snapshots/{name}/delete", s.deleteSnapshotsPage)
	user("POST /snapshots/{name}/delete", s.deleteSnapshots)
	user("POST /snapshots/{name}/verify", s.verifySnapshot)

	user("GET /runs", s.runList)
	user("GET /runs/{id}", s.runPage)
	user("POST /runs/{id}/cancel", s.cancelRun)

	user("GET /events", s.eventList)

	user("GET /settings", s.settingsPage)
	user("GET /settings/access-keys", s.accessKeysPage)
	user("POST /settings/access-keys", s.createAccessKey)
	user("GET /settings/access-keys/{id}/revoke", s.revokeAccessKeyPage)
	user("POST /settings/access-keys/{id}/revoke", s.revokeAccessKey)
	user("POST /settings/limits", s.saveLimits)
	user("POST /settings/verify", s.saveVerifyEvery)
	user("POST /settings/imports", s.saveTryImports)
	user("POST /settings/failover", s.savePromoteAfter)
	user("POST /settings/clock", s.confirmClock)
	user("POST /settings/rebuild", s.rebuildCatalog)
	user("POST /settings/password", s.changePassword)
	user("POST /settings/sessions/revoke-others", s.revokeOthers)
	user("POST /settings/sessions/{id}/revoke", s.revokeSession)

	return s.orInWords(mux)
}

// orInWords answers with a page where the mux would say "404 page not found".
func (s *server) orInWords(mux *http.ServeMux) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		own, pattern := mux.Handler(r)
		if pattern != "" {
			mux.ServeHTTP(w, r)
			return
		}
		s.answer(s.signedIn(func(w http.ResponseWriter, r *http.Request) error {
			answer := &muted{header: make(http.Header)}
			own.ServeHTTP(answer, r)
			switch answer.status {
			case http.StatusMethodNotAllowed:
				w.Header().Set("Allow", answer.header.Get("Allow"))
				return problem{status: answer.status, text: "This address is answered only for " + answer.header.Get("Allow") + ", not for " + r.Method + "."}
			case http.StatusNotFound:
				if to := withoutSlash(mux, r); to != "" {
					return s.redirect(w, r, to)
				}
				return problem{status: answer.status}
			}
			own.ServeHTTP(w, r) // a redirect to the same address without dots or double slashes
			return nil
		})).ServeHTTP(w, r)
	})
}

// withoutSlash is the address without the slash at its end, when there is a page without it: "/clusters/orders/".
func withoutSlash(mux *http.ServeMux, r *http.Request) string {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		return ""
	}
	u := *r.URL
	u.Path, u.RawPath = strings.TrimSuffix(u.Path, "/"), strings.TrimSuffix(u.RawPath, "/")
	asked := r.Clone(r.Context())
	asked.URL = &u
	if _, pattern := mux.Handler(asked); u.Path == r.URL.Path || pattern == "" {
		return ""
	}
	if to := localPath(u.RequestURI()); to != "/" {
		return to
	}
	return ""
}

// muted takes an answer and keeps only its status and header.
type muted struct {
	header http.Header
	status int
}

func (m *muted) Header() http.Header         { return m.header }
func (m *muted) Write(p []byte) (int, error) { return len(p), nil }
func (m *muted) WriteHeader(status int)      { m.status = status }
