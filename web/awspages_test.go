package web

import (
	"fmt"
	"net/http"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"

	"rekindle/models"
)

var commandShown = regexp.MustCompile(`(?s)<details class="aws".*?<pre[^>]*><code>(.*?)</code></pre>.*?</details>`)

// command is the one that a page shows at its end or beside its form.
func (a answer) command() string {
	a.t.Helper()
	a.is(http.StatusOK)
	found := commandShown.FindAllStringSubmatch(a.body, -1)
	if len(found) != 1 {
		a.t.Errorf("%s: shows %d commands\n%s", a.what, len(found), excerpt(a.body))
		return ""
	}
	return found[0][1]
}

func TestEveryPageShowsOneEquivalentCommand(t *testing.T) {
	t.Parallel()
	c := signedIn(t)
	c.launch("orders")
	c.launch("lonely", single)
	c.backUp("orders", "first")
	c.post("/settings/notifications/-/new", mailForm()...).redirects("/settings/notifications")
	key, err := c.db.Keys.Create(t.Context(), models.RoleRead, "", "admin")
	c.check(err)
	addresses := []string{"/snapshots/-/delete?name=first", "/snapshots/-/delete?name=gone", "/snapshots/-/verify?name=first", "/snapshots/-/copy?name=first", "/snapshots/-/export?name=gone", "/snapshots/-/new?cluster=orders", "/clusters/orders?tab=connect", "/clusters/lonely/modify",
		"/clusters/lonely/reboot", "/snapshots/-/import?from=upload", "/clusters/-/delete?all=on&final=on", "/clusters/-/delete?name=gone", "/clusters/-/snapshot?all=on",
		"/clusters/-/snapshot?name=gone", "/clusters/orders/delete?final=on&final_name=last"}
	for _, one := range allRoutes(t, "user") {
		if one.method != http.MethodGet || strings.HasSuffix(one.address, ".rdb") || strings.HasSuffix(one.address, ".pem") || slices.Contains([]string{"/snapshots/-/delete", "/snapshots/-/verify", "/snapshots/-/copy", "/snapshots/-/export"}, one.address) || one.address == "/clusters/-/delete" || one.address == "/clusters/-/snapshot" || one.address == "/clusters/-/names" ||
			one.address == "/settings" || one.address == "/cost" || one.address == "/search" || strings.HasPrefix(one.address, "/find") || // the API has no prices, and looks into nothing
			one.address == "/clusters/-/attach" || one.address == "/clusters/1/access" || strings.HasSuffix(one.address, "/into") || strings.HasSuffix(one.address, "/keys") || strings.HasSuffix(one.address, "/bring-back") || strings.Contains(one.address, "/drills") || strings.HasSuffix(one.address, "/recover") || strings.HasSuffix(one.address, "/journal") { // ElastiCache attaches nothing, restores into nothing that exists, and has no drills and no journal
			continue
		}
		address := strings.Replace(one.address, "/clusters/1", "/clusters/orders", 1)
		addresses = append(addresses, strings.Replace(address, "/access-keys/1", fmt.Sprintf("/access-keys/%d", key.ID), 1))
	}
	for _, address := range addresses {
		answer := c.get(address)
		command := answer.says("The command needs an access key", `href="/settings/access-keys"`).command()
		if strings.Count(command, "aws ") == 0 || strings.Count(command, "aws ") != strings.Count(command, "--endpoint-url "+c.server.URL) {
			t.Errorf("%s: the command does not say where it goes:\n%s", address, command)
		}
		if err := exec.CommandContext(t.Context(), "sh", "-n", "-c", command).Run(); err != nil {
			t.Errorf("%s: a shell does not take it: %v\n%s", address, err, command)
		}
	}
}

func TestTheCommandFollowsThePage(t *testing.T) {
	t.Parallel()
	c := signedIn(t)
	c.launch("orders")
	c.launch("lonely", single)
	c.backUp("orders", "first")
	c.launch("gone", single)
	c.backUp("gone", "last")
	c.check(c.db.Clusters.Delete(t.Context(), "gone", models.DeleteSpec{RequestedBy: "admin"}))
	c.check(c.db.Settle.ClusterDeletion(t.Context(), c.claim()))
	for address, want := range map[string]string{
		"/":                              "describe-replication-groups describe-cache-clusters --show-cache-clusters-not-in-replication-groups describe-snapshots",
		"/clusters":                      "describe-replication-groups describe-cache-clusters --show-cache-clusters-not-in-replication-groups",
		"/clusters/orders":               "describe-replication-groups --replication-group-id orders",
		"/clusters/lonely":               "describe-cache-clusters --cache-cluster-id lonely --show-cache-node-info",
		"/clusters/orders?tab=snapshots": "describe-snapshots --replication-group-id orders",
		"/clusters/lonely?tab=events":    "describe-events --source-type cache-cluster --source-identifier lonely --duration 1440",
		"/clusters/orders/modify":        "describe-replication-groups --replication-group-id orders",
		"/snapshots":                     "describe-snapshots",
		"/snapshots?source=automatic":    "describe-snapshots --snapshot-source system",
		"/snapshots?source=manual&cluster=orders&sort=name": "describe-snapshots --replication-group-id orders --snapshot-source user",
		"/snapshots?cluster=lonely&status=failed":           "describe-snapshots --cache-cluster-id lonely --query 'Snapshots[?SnapshotStatus=='\\''failed'\\'']'",
		"/snapshots?cluster=gone":                           "describe-snapshots --cache-cluster-id gone",
		"/snapshots?cluster=nobody":                         "describe-snapshots --replication-group-id nobody",
		"/snapshots?cluster=%27%3Breboot":                   `describe-snapshots --replication-group-id ''\'';reboot'`,
		"/snapshots/first":                                  "describe-snapshots --snapshot-name first",
		"/events":                                           "describe-events --duration 1440",
		"/events?cluster=orders&severity=info":              "describe-events --source-type replication-group --source-identifier orders --duration 1440",
		"/events?cluster=gone":                              "describe-events --source-type cache-cluster --source-identifier gone --duration 1440",
		"/runs":                                             "describe-events --duration 1440",
		"/runs?cluster=lonely":                              "describe-events --source-type cache-cluster --source-identifier lonely --duration 1440",
		"/runs?cluster=gone":                                "describe-events --source-type cache-cluster --source-identifier gone --duration 1440",
		"/runs?cluster=nobody":                              "describe-events --source-type replication-group --source-identifier nobody --duration 1440",
		"/runs/1":                                           "describe-events --source-type replication-group --source-identifier orders --duration 1440",
	} {
		command := strings.ReplaceAll(c.get(address).command(), "\\\n  --endpoint-url "+c.server.URL, "")
		command = strings.ReplaceAll(strings.ReplaceAll(command, "\\\n", ""), "aws elasticache ", "")
		if got := strings.Join(strings.Fields(command), " "); got != want {
			t.Errorf("%s:\n got %s\nwant %s", address, got, want)
		}
	}
	for _, address := range []string{settingsPath, accessKeysPath} {
		if got := c.get(address).command(); !strings.HasPrefix(got, "aws sts get-caller-identity ") {
			t.Errorf("%s: %s", address, got)
		}
	}
}

func TestCommandsNameThePublicAddress(t *testing.T) {
	t.Parallel()
	c := signedIn(t, func(c *Config) { c.PublicURL = "https://rekindle.example.org/"; c.SecureCookies = false })
	// The cookies are Secure now, so a browser over plain http has none: sign in by hand.
	r := c.request(http.MethodPost, "/sign-in", strings.NewReader(fields("user", "admin", "password", adminPassword).Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	cookie, _, _ := strings.Cut(c.do(r).header.Get("Set-Cookie"), ";")
	r = c.request(http.MethodGet, "/clusters", nil)
	r.Header.Set("Cookie", cookie)
	if command := c.do(r).command(); !strings.Contains(command, "--endpoint-url https://rekindle.example.org \\") {
		t.Error(command)
	}
}
