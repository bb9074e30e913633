// Package web is the console's HTTP side: pages for people, downloads, an export, and two addresses for machines that
// watch whether Rekindle is well.
//
// The way of a request: [New] puts the middlewares of security.go around the routes of routes.go. Each route is a method of the type for its resource
// (clusterPages in clusters.go, snapshotPages in snapshots.go...), which embeds the site. It reads the form or the query, asks package models to do
// what is to be done, and ends in one of the ways of render.go: a page, the form again with what is wrong at its fields, a redirect with a message,
// or an error, which becomes a page with words.
//
// What web does not do: it has no rules of its own about clusters and snapshots (package models has them), it draws nothing (package views does), and
// it does not talk to Redis or to the store. It asks [Jobs] for what only the running console can tell, such as where a snapshot would be taken from.
// Whatever takes time is queued as a run.
package web

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	_ "time/tzdata" // the viewer's zone is known even if the host has no zone files

	"github.com/jonboulle/clockwork"
	"github.com/prometheus/client_golang/prometheus"

	"rekindle/internal/secret"
	"rekindle/models"
	"rekindle/models/catalog"
	"rekindle/web/elasticache"
	"rekindle/web/gate"
)

// Jobs is what the pages need from the running engine. *jobs.Manager implements it.
type Jobs interface {
	// Wake says that runs were queued: look now.
	Wake()
	// Owner is the ID of this console's lease.
	Owner() string
	// SnapshotSource says where a snapshot of the cluster would be taken from now.
	SnapshotSource(ctx context.Context, cluster models.Cluster) (models.SnapshotSource, error)
	// Examine says what a cluster is that might be attached. Refusals are [models.Faults].
	Examine(ctx context.Context, spec models.AttachSpec) (models.Examination, error)
	// Attach looks for a cluster and writes it down as it was found. Refusals are [models.Faults].
	Attach(ctx context.Context, spec models.AttachSpec) (models.Cluster, error)
	// ChangeAccess changes how an attached cluster is reached, once it was found that way. Refusals are [models.Faults].
	ChangeAccess(ctx context.Context, name string, access models.Access, password secret.Text, requestedBy string) error
	// TestMigration says whether the data of a server at this address can be moved into a cluster. Refusals are [models.Faults].
	TestMigration(ctx context.Context, cluster, source string) (models.MigrationSource, error)
	// Declared says how far the clusters file is in force.
	Declared() models.Declared
	// OpenPart streams a part, plain as an RDB file or as it is stored.
	OpenPart(ctx context.Context, snapshot models.Snapshot, part models.Part, plain bool) (io.ReadCloser, error)
	// Contents says what is in a snapshot, as far as that was written down.
	Contents(ctx context.Context, snapshot models.Snapshot) models.Contents
	// CompareContents says what has changed from one snapshot to another.
	CompareContents(ctx context.Context, before, after models.Snapshot) models.ContentsChange
	// JournalSeconds says how much was written to a cluster in each second of a minute or so. The segments of its journal have that.
	JournalSeconds(ctx context.Context, cluster models.Cluster, span models.RecoverySpan) ([]models.JournalWrites, error)
	// FoundValue loads a key that a search has found into a node that exists only for this, and reads it. A refusal is [models.Faults].
	FoundValue(ctx context.Context, key models.FoundKey, in models.FindSnapshot) (models.FoundValue, error)
	// CompareKey sets a key that a search has found beside what a cluster has under its name now. A refusal is [models.Faults].
	CompareKey(ctx context.Context, key models.FoundKey, in models.FindSnapshot, cluster models.Cluster) (models.KeyComparison, error)
	// Upload makes a snapshot from files that a browser sends, and returns when it is available. An error is a refusal in words.
	Upload(ctx context.Context, spec models.ImportSpec, size int64, next func() (name string, body io.ReadCloser, err error)) (models.Run, error)
	// TestChannel sends a message through a channel at once, and returns what became of it.
	TestChannel(ctx context.Context, channel models.Channel, by string) (models.Delivery, error)
	// StoreLocation is the address of the store, such as "dir:/var/lib/rekindle/store".
	StoreLocation() string
	// CheckStore returns nil if the store can be written and read now, otherwise a sentence.
	CheckStore(ctx context.Context) error
	// StoreNotice returns a sentence if the store is not taken for the console's own, otherwise "".
	StoreNotice() string
	// DescribeStore is what the store says about itself.
	DescribeStore(ctx context.Context) (models.StoreInfo, error)
	// HostMemory is the memory of the host on which nodes are launched, in bytes.
	HostMemory(ctx context.Context) (total, available int64, err error)
	// Engines lists the server programs that can be launched.
	Engines(ctx context.Context) ([]models.Engine, error)
	// CannotTake says why an engine can neither load a snapshot nor have it written into it key by key, as the end of a sentence; "" when it can.
	CannotTake(engine models.Engine, snapshot models.Snapshot, deadlines models.Deadlines) string
	// BucketURL is the address of a bucket that is reached in the same way as the snapshot store.
	BucketURL(bucket, region string) string
	// TryUser asks a cluster whether its engine takes the access string of a user, and changes nothing. A refusal says why not.
	TryUser(ctx context.Context, cluster models.Cluster, user models.AccessUser) error
}

// Config is what the console is built from.
type Config struct {
	DB     *catalog.DB
	Jobs   Jobs
	Clock  clockwork.Clock
	Logger *slog.Logger
	// PublicURL is where people reach the console, if that is not where it listens: "https://rekindle.example.org". Requests from its pages are
	// trusted, and with https the cookies are marked Secure.
	PublicURL string
	Version   string
	// SecureCookies marks cookies Secure even if the request itself came without TLS, as behind a proxy.
	SecureCookies bool
	// TrustedProxies are the addresses of the proxies in front of the console. For requests from there the client is the one that the header
	// X-Forwarded-For names. For others that header does not count, because anybody can write it.
	TrustedProxies []netip.Prefix
	// Gate bounds what strangers can occupy of the console; nil: one with the usual limits. It must have let in the connections that are served,
	// otherwise it bounds nothing.
	Gate *gate.Gate
	// MaxUpload is the largest import that a browser may send, in bytes; 0: 1 TiB.
	MaxUpload int64
	// Account is the account ID in the ARNs of the ElastiCache API; "": 123456789012.
	Account string
	// Counts is what the console has done since it started, for Prometheus; nil: nobody counts.
	Counts prometheus.Collector
	// MetricsToken is what Prometheus sends to be told the metrics at /metrics; "": they are not told there.
	MetricsToken secret.Text
	// DataEncrypted tells that whoever runs the host has declared the nodes' files to be on encrypted storage.
	DataEncrypted bool
}

// site is what all pages have in common: the catalog and the engine, who is signed in, and the ways to answer. It has no state of its own: what must
// last is in the catalog or in the browser's cookies.
type site struct {
	db        *catalog.DB
	jobs      Jobs
	clock     clockwork.Clock
	log       *slog.Logger
	present   presenter
	version   string
	secure    bool
	sessions  *sessionStore
	proxies   []netip.Prefix
	publicURL string // without a final slash; "" if it was not given
}

// New builds the console.
func New(c Config) (http.Handler, error) {
	key, err := c.DB.Settings.SessionKey(context.Background())
	if err != nil {
		return nil, fmt.Errorf("web: %w", err)
	}
	origin := ""
	if c.PublicURL != "" {
		public, err := url.Parse(c.PublicURL)
		if err != nil || public.Host == "" || (public.Scheme != "http" && public.Scheme != "https") {
			return nil, fmt.Errorf("web: the public address must look like https://rekindle.example.org, not %q", c.PublicURL)
		}
		origin = public.Scheme + "://" + public.Host
	}
	s := &site{db: c.DB, jobs: c.Jobs, clock: c.Clock, log: c.Logger, present: presenter{c.DB, c.Clock}, version: c.Version,
		proxies: c.TrustedProxies, publicURL: strings.TrimSuffix(c.PublicURL, "/"), secure: c.SecureCookies || strings.HasPrefix(origin, "https://")}
	s.sessions = newSessionStore(c.DB, key, s.secure)
	d := door{s, c.Gate, c.MaxUpload}
	if d.maxUpload <= 0 {
		d.maxUpload = maxUpload
	}
	if d.gate == nil {
		d.gate = gate.New(gate.DefaultLimits(), c.TrustedProxies)
	}
	api := elasticache.New(elasticache.Config{DB: c.DB, Jobs: c.Jobs, Clock: c.Clock, Logger: c.Logger, Account: c.Account, DataEncrypted: c.DataEncrypted})
	return d.protect(s.routes(api, d.maxUpload, metricsPage{c.MetricsToken.Reveal(), Metrics(c)}), origin)
}
