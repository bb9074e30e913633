package main

import (
	"strings"
	"testing"
	"testing/fstest"

	"go.yaml.in/yaml/v3"
)

// What is forbidden, and by which rule. Each rule of depguard.yaml has to bite at least once.
var forbidden = []struct{ file, imports, rule string }{
	{"web/routes.go", "rekindle/jobs", "web"},
	{"web/routes.go", "rekindle/internal/store", "web"},
	{"web/routes.go", "rekindle/internal/secrets", "web"},
	{"web/routes_test.go", "rekindle/jobs", "web"},
	{"web/elasticache/codec.go", "rekindle/jobs", "web"},
	{"web/elasticache/codec.go", "rekindle/internal/launch", "web"},
	{"web/elasticache/sigv4/sigv4.go", "rekindle/models", "signatures"},
	{"web/elasticache/sigv4/sigv4.go", "rekindle/web/elasticache", "signatures"},
	{"web/elasticache/sigv4/sigv4.go", "github.com/aws/aws-sdk-go-v2/aws/signer/v4", "signatures"},
	{"web/routes.go", "rekindle/anew", "web"},
	{"web/routes.go", "rekindle", "web"},
	{"views/page.go", "rekindle/models", "views"},
	{"views/page_templ.go", "rekindle/models", "views"},
	{"views/components/button.go", "rekindle/web", "views"},
	{"views/page.go", "rekindle/internal/secret", "views"},
	{"views/page.go", "gorm.io/gorm", "views"},
	{"views/page.go", "database/sql", "views"},
	{"views/page_test.go", "rekindle/models", "views-test"},
	{"views/components/button_test.go", "rekindle/jobs", "views-test"},
	{"jobs/queue.go", "rekindle/web", "jobs"},
	{"jobs/queue.go", "rekindle/views", "jobs"},
	{"jobs/queue.go", "rekindle/static", "jobs"},
	{"jobs/queue_test.go", "rekindle/web/elasticache", "jobs"},
	{"models/cluster.go", "rekindle/jobs", "models"},
	{"models/cluster.go", "rekindle/web", "models"},
	{"models/cluster.go", "rekindle/views", "models"},
	{"models/cluster.go", "rekindle/internal/store", "models"},
	{"models/cluster.go", "rekindle/models/catalog", "models"},
	{"models/cluster.go", "gorm.io/gorm", "models"},
	{"models/cluster.go", "database/sql", "models"},
	{"models/cluster.go", "github.com/jackc/pgx/v5", "models"},
	{"models/cluster.go", "os", "models"},
	{"models/cluster_test.go", "rekindle/internal/launch", "catalog"},
	{"models/catalog/clusters.go", "rekindle/jobs", "catalog"},
	{"models/catalog/clusters.go", "rekindle/internal/store", "catalog"},
	{"models/catalog/clusters_test.go", "rekindle/web", "catalog"},
	{"internal/rdb/scan.go", "rekindle/models", "internal"},
	{"internal/rdb/scan.go", "rekindle/jobs", "internal"},
	{"internal/store/s3/s3.go", "rekindle/web", "internal"},
	{"internal/testkit/redis.go", "rekindle/views", "internal"},
	{"internal/rdb/scan_test.go", "rekindle/models", "internal"},
	{"static/static.go", "rekindle/internal/secret", "static"},
	{"models/cluster.go", "rekindle/cmd/rekindle", "cmd"},
	{"internal/rdb/scan_test.go", "rekindle/cmd/rekindle/wire", "cmd"},
	{"jobs/manager.go", "rekindle/internal/launch/local", "launcher"},
	{"jobs/nodes/supervise.go", "rekindle/internal/launch/local", "launcher"},
	{"internal/launch/launch.go", "rekindle/internal/launch/local", "launcher"},
	{"jobs/nodes/plan.go", "rekindle/web", "jobs"},
	{"jobs/nodes/plan.go", "rekindle/jobs", "below-jobs"},
	{"jobs/reason/reason.go", "rekindle/jobs", "below-jobs"},
	{"jobs/queue/dispatch.go", "rekindle/jobs", "below-jobs"},
	{"jobs/queue/queue_test.go", "rekindle/jobs", "below-jobs"},
	{"jobs/queue/dispatch.go", "rekindle/web", "jobs"},
	{"jobs/queue/dispatch.go", "rekindle/jobs/nodes", "queue"},
	{"jobs/queue/recover.go", "rekindle/internal/store", "queue"},
	{"jobs/queue/recover_test.go", "rekindle/internal/archive", "queue"},
	{"jobs/tick/tick.go", "rekindle/models", "tick"},
	{"jobs/tick/tick.go", "rekindle/jobs/vault", "tick"},
	{"jobs/vault/take.go", "rekindle/jobs", "below-jobs"},
	{"jobs/vault/verify_test.go", "rekindle/jobs", "below-jobs"},
	{"jobs/vault/take.go", "rekindle/jobs/nodes", "vault"},
	{"jobs/vault/verify_test.go", "rekindle/jobs/nodes", "vault"},
	{"jobs/vault/take.go", "rekindle/web", "jobs"},
	{"jobs/vault/take.go", "rekindle/internal/launch/local", "launcher"},
	{"jobs/reach/reach.go", "rekindle/jobs/nodes", "reach"},
	{"jobs/reach/reach.go", "rekindle/models/catalog", "reach"},
	{"jobs/attached/examine.go", "rekindle/jobs/vault", "attached"},
	{"jobs/attached/attached.go", "rekindle/internal/launch", "attached"},
	{"jobs/declared/apply.go", "rekindle/jobs/attached", "declared"},
	{"jobs/declared/load.go", "rekindle/internal/topology", "declared"},
	{"jobs/notify/notify.go", "rekindle/jobs/vault", "notify"},
	{"jobs/notify/watch.go", "rekindle/internal/store", "notify"},
	{"jobs/attached/guard.go", "rekindle/internal/archive", "attached"},
	{"jobs/tuning/tuning.go", "rekindle/jobs/vault", "tuning"},
	{"jobs/tuning/back.go", "rekindle/jobs/queue", "tuning"},
	{"jobs/impact/watch.go", "rekindle/jobs/nodes", "impact"},
	{"jobs/impact/impact.go", "rekindle/jobs/vault", "impact"},
	{"jobs/queue/lease.go", "rekindle/internal/testkit", "testkit"},
	{"cmd/rekindle/main.go", "rekindle/internal/testkit", "testkit"},
	{"jobs/queue.go", "rekindle/internal/testkit", "testkit"},
	{"internal/rdb/scan.go", "rekindle/internal/testkit/clock", "testkit"},
	{"helpers/helpers.go", "rekindle/models", "elsewhere"},
	{"main.go", "rekindle/internal/rdb", "elsewhere"},
}

var allowed = []struct{ file, imports string }{
	{"cmd/rekindle/main.go", "rekindle/web"},
	{"cmd/rekindle/main.go", "rekindle/jobs"},
	{"cmd/rekindle/main.go", "rekindle/internal/launch"},
	{"cmd/rekindle/main.go", "rekindle/internal/launch/local"},
	{"cmd/rekindle/main_test.go", "rekindle/internal/testkit"},
	{"cmd/rekindle/main.go", "rekindle/cmd/rekindle/wire"},
	{"web/routes.go", "rekindle/views"},
	{"web/routes.go", "rekindle/views/components"},
	{"web/routes.go", "rekindle/models"},
	{"web/routes.go", "rekindle/static"},
	{"web/routes.go", "rekindle/internal/secret"},
	{"web/routes.go", "rekindle/web/elasticache"},
	{"web/elasticache/sigv4/sigv4.go", "rekindle/internal/secret"},
	{"web/elasticache/sigv4/sigv4.go", "crypto/hmac"},
	{"web/elasticache/sigv4/clients_test.go", "github.com/aws/aws-sdk-go-v2/aws/signer/v4"},
	{"web/elasticache/codec.go", "rekindle/web/elasticache/sigv4"},
	{"web/routes.go", "github.com/gorilla/sessions"},
	{"web/routes_test.go", "rekindle/internal/testkit"},
	{"views/page_templ.go", "github.com/a-h/templ"},
	{"views/page_templ.go", "github.com/a-h/templ/runtime"},
	{"views/page.go", "rekindle/static"},
	{"views/page.go", "rekindle/internal/words"},
	{"models/cluster.go", "rekindle/internal/words"},
	{"views/page.go", "rekindle/views/components"},
	{"views/page.go", "strings"},
	{"views/page_test.go", "golang.org/x/net/html"},
	{"jobs/queue.go", "rekindle/models"},
	{"jobs/queue.go", "rekindle/internal/archive"},
	{"jobs/queue_test.go", "rekindle/internal/testkit"},
	{"jobs/queue_test.go", "rekindle/internal/launch/local"},
	{"jobs/nodes/supervise.go", "rekindle/internal/launch"},
	{"jobs/nodes/plan.go", "rekindle/jobs/reason"},
	{"jobs/manager.go", "rekindle/jobs/nodes"},
	{"jobs/manager.go", "rekindle/jobs/vault"},
	{"jobs/vault/take.go", "rekindle/models/catalog"},
	{"jobs/vault/take.go", "rekindle/internal/replica"},
	{"jobs/vault/take.go", "rekindle/jobs/queue"},
	{"jobs/vault/take.go", "rekindle/jobs/reason"},
	{"jobs/vault/vault.go", "rekindle/jobs/tick"},
	{"jobs/vault/check_test.go", "rekindle/internal/testkit"},
	{"jobs/manager.go", "rekindle/jobs/queue"},
	{"jobs/tuning/tuning.go", "rekindle/jobs/reach"},
	{"jobs/tuning/tuning.go", "rekindle/jobs/tick"},
	{"jobs/impact/watch.go", "rekindle/jobs/reach"},
	{"jobs/queue/dispatch.go", "rekindle/models/catalog"},
	{"jobs/queue/dispatch.go", "rekindle/internal/drain"},
	{"jobs/queue/queue_test.go", "rekindle/internal/testkit"},
	{"jobs/queue/queue_test.go", "rekindle/jobs/queue"},
	{"models/cluster.go", "rekindle/internal/secret"},
	{"models/cluster.go", "database/sql/driver"},
	{"models/catalog/clusters.go", "rekindle/models"},
	{"models/catalog/clusters.go", "gorm.io/gorm"},
	{"models/catalog/clusters_test.go", "rekindle/internal/testkit"},
	{"internal/archive/archive.go", "rekindle/internal/store"},
	{"internal/rdb/scan_test.go", "rekindle/internal/testkit"},
	{"internal/testkit/redis.go", "rekindle/internal/testkit/clock"},
	{"static/static.go", "embed"},
}

func lint(t *testing.T, file, source string) []string {
	t.Helper()
	found, files, err := check(fstest.MapFS{file: {Data: []byte(source)}}, rules)
	if err != nil || files != 1 {
		t.Fatalf("%s: %d files read, error %v", file, files, err)
	}
	return found
}

func TestEachRuleBites(t *testing.T) {
	t.Parallel()
	unproved := map[string]any{}
	if err := yaml.Unmarshal(rules, &unproved); err != nil {
		t.Fatal(err)
	}
	for _, c := range forbidden {
		found := lint(t, c.file, "package p\n\nimport _ \""+c.imports+"\"\n")
		if !strings.Contains(strings.Join(found, "\n"), "not allowed from list '"+c.rule+"'") {
			t.Errorf("%s may import %s: rule %s says %q", c.file, c.imports, c.rule, found)
		}
		delete(unproved, c.rule)
	}
	for rule := range unproved {
		t.Errorf("rule %s is not shown to bite: add a case", rule)
	}
}

func TestAllowed(t *testing.T) {
	t.Parallel()
	for _, c := range allowed {
		if found := lint(t, c.file, "package p\n\nimport _ \""+c.imports+"\"\n"); len(found) > 0 {
			t.Errorf("%s must be free to import %s: %q", c.file, c.imports, found)
		}
	}
}

func TestNothingHides(t *testing.T) {
	t.Parallel()
	for name, source := range map[string]string{
		"build tag":   "//go:build never\n\npackage web\n\nimport _ \"rekindle/jobs\"\n",
		"back quotes": "package web\n\nimport _ `rekindle/jobs`\n",
		"renamed":     "package web\n\nimport j \"rekindle/jobs\"\n",
		"not typed":   "package web\n\nimport _ \"rekindle/jobs\"\n\nvar x int = nonsense\n",
	} {
		if found := lint(t, "web/x.go", source); len(found) != 1 || !strings.HasPrefix(found[0], "web/x.go:") {
			t.Errorf("%s: %q", name, found)
		}
	}
}

func TestWhatIsRead(t *testing.T) {
	t.Parallel()
	bad := &fstest.MapFile{Data: []byte("package p\n\nimport _ \"rekindle/jobs\"\n")}
	found, files, err := check(fstest.MapFS{
		"web/a.go": bad, "web/testdata/b.go": bad, "tools/go.mod": {}, "tools/c.go": bad, ".git/d.go": bad, "data/e.go": bad,
	}, rules)
	if err != nil || files != 1 || len(found) != 1 {
		t.Errorf("%d files, %q, %v", files, found, err)
	}
	for _, broken := range []string{"", "x: [", "web: {listMode: lax}"} {
		if _, _, err := check(fstest.MapFS{}, []byte(broken)); err == nil {
			t.Errorf("rules %q pass", broken)
		}
	}
}
