package web

import (
	"net/http"
	"testing"

	"rekindle/models"
)

func TestAClusterThatEncryptsShowsHowToConnectAndHandsOutItsCertificate(t *testing.T) {
	t.Parallel()
	c := signedIn(t)
	c.postForm("/clusters/-/new", with(good, "encrypted", "on", "backups", "")).is(http.StatusSeeOther)
	c.get("/clusters/orders/ca.pem").is(http.StatusNotFound).says("There is no certificate") // of a CA that its first start asks for
	c.check(c.db.Settle.Cluster(t.Context(), c.claim(), "Created."))
	cluster := c.find("orders")
	if !cluster.Encrypted() {
		t.Fatal("it does not encrypt")
	}
	const pem = "-----BEGIN CERTIFICATE-----\nabc\n-----END CERTIFICATE-----\n"
	c.check(c.db.Clusters.Trust(t.Context(), cluster.ID, pem))
	c.get("/clusters/orders").says("TLS only", `href="/clusters/orders/ca.pem"`)
	c.get("/clusters/orders?tab=connect").says("redis-cli -h 127.0.0.1 -p ", " --tls --cacert orders-ca.pem", "rediss://127.0.0.1:", `ssl=True, ssl_ca_certs="orders-ca.pem"`)
	answer := c.get("/clusters/orders/ca.pem").is(http.StatusOK)
	if answer.raw != pem || answer.header.Get("Content-Disposition") != `attachment; filename="orders-ca.pem"` || answer.header.Get("Content-Type") != "application/x-pem-file" {
		t.Errorf("the certificate is %q, as %v", answer.raw, answer.header)
	}

	c.get("/clusters/orders?tab=connect").says("Change the password", "modify-replication-group", "--auth-token-update-strategy SET")

	c.launch("plain")
	c.get("/clusters/plain").says("None: data crosses the network in the clear")
	c.get("/clusters/plain/ca.pem").is(http.StatusNotFound).says("do not encrypt")
	c.get("/clusters/none/ca.pem").is(http.StatusNotFound)
}

func TestARestoreIsOfferedAsItsSnapshotsClusterWas(t *testing.T) {
	t.Parallel()
	c := signedIn(t)
	c.launch("orders", func(s *models.ClusterSpec) { s.Encrypted = true })
	c.backUp("orders", "first")
	c.get("/snapshots/first/restore").says(`name="encrypted" value="on" checked`, "--transit-encryption-enabled", "--transit-encryption-mode required")
	c.launch("plain")
	c.backUp("plain", "second")
	if page := c.get("/snapshots/second/restore").says(`name="encrypted" value="on">`); page.status != http.StatusOK {
		t.Errorf("status %d", page.status)
	}
}
