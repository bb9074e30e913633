package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"runtime/debug"
	"strings"
	"syscall"
	"time"

	"github.com/jonboulle/clockwork"

	"rekindle/internal/drain"
	"rekindle/internal/secret"
	"rekindle/internal/store/s3"
	"rekindle/jobs"
	"rekindle/jobs/notify"
	"rekindle/jobs/reach"
	"rekindle/models"
	"rekindle/models/catalog"
	"rekindle/web"
	"rekindle/web/gate"
)

// Files in the data folder.
const (
	catalogFile = "rekindle.db"
	lockFile    = "lock"
	homeFile    = "home"
	nodesFolder = "nodes"
	spoolFolder = "journal"   // what the store does not take at once of clusters' journals
	storeFolder = "snapshots" // unless --store names another place
)

// How long each part of the console may take to stop.
const (
	stopHTTP  = 5 * time.Second
	stopJobs  = 30 * time.Second
	stopNodes = 10 * time.Minute
)

// runServe is "rekindle serve".
func runServe(ctx context.Context, of call) error {
	reload := make(chan os.Signal, 1)
	signal.Notify(reload, syscall.SIGHUP) // from the beginning to the end: it must never end a console
	env := watch(of.getenv)
	c, err := readServeConfig(of.args, env.get, of.stdout)
	if err == nil {
		limitMemory(of.getenv, c.store)
		c.reload, c.getenv = reload, of.getenv
		c.again = func() (config, error) { return readServeConfig(of.args, env.get, io.Discard) }
		c.unknown = func() ([]string, error) { return env.unknown(of.environ) }
		reach.Allow(c.attachAllow)
		notify.Allow(c.notifyAllow)
		err = serve(ctx, c, clockwork.NewRealClock(), of.stdout, of.stderr, nil)
	}
	return inFormat(c, of.stderr, err)
}

// limitMemory keeps the whole console below 72 MiB beside its program: the garbage collector works harder before that. Uploads to S3 need 16 MiB each in addition.
func limitMemory(getenv func(string) string, store string) {
	if getenv("GOMEMLIMIT") != "" {
		return
	}
	limit := int64(72 << 20)
	if strings.HasPrefix(store, s3.Scheme) {
		limit = 40 << 20
	}
	debug.SetMemoryLimit(limit)
}

// serve builds the console, starts it, waits until ctx ends and stops it in reverse order. Once it serves, it calls ready with the address.
func serve(ctx context.Context, c config, clock clockwork.Clock, stdout, stderr io.Writer, ready func(address string)) (err error) {
	begun := time.Now()
	logger, level := newLogger(c, stderr)
	begin, err := loadClusters(c.clusters)
	if err != nil {
		return err
	}
	if err := note(c, logger); err != nil {
		return err
	}
	built, err := build(ctx, c, clock, logger, begin)
	if err != nil {
		return err
	}
	defer func() {
		if err = errors.Join(err, built.close()); err == nil {
			logger.Info("stopped")
		}
	}()
	// Before anything is written or started, so that nothing has changed if the port is taken: the first password is shown only once.
	listener, err := net.Listen("tcp", c.listen)
	if err != nil {
		return fmt.Errorf("serve on %s: %w; choose another address with --listen", c.listen, err)
	}
	defer listener.Close()
	generated, err := ensureAccess(ctx, c, built.db)
	if err != nil {
		return err
	}
	door := gate.New(gate.DefaultLimits(), c.proxies)
	pages := web.Config{Gate: door, DB: built.db, Jobs: built.manager, Clock: clock, Logger: logger, PublicURL: c.publicURL, Version: version,
		SecureCookies: strings.HasPrefix(c.publicURL, "https:"), Account: c.account, DataEncrypted: c.encrypted, TrustedProxies: c.proxies,
		Counts: built.manager.Counts(), MetricsToken: c.metricsToken}
	handler, err := web.New(pages)
	if err != nil {
		return err
	}
	unmeasured, err := serveMetrics(c.metricsListen, web.Metrics(pages), logger)
	if err != nil {
		return err
	}
	defer unmeasured()
	var requests drain.Group
	defer lastRequests(&requests, logger)
	if err := built.manager.Start(ctx); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stop(built.manager, c.stopNodes)) }()
	defer (&reloader{c, built.manager, logger, level}).follow(ctx)()

	server := &http.Server{Handler: requests.Handler(handler), ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 64 << 10,
		ErrorLog: slog.NewLogLogger(logger.Handler(), slog.LevelWarn)}
	door.Bind(server)
	failed := make(chan error, 1)
	go func() {
		failed <- fmt.Errorf("serve on %s: %w", c.listen, server.Serve(door.Listener(listener)))
	}()
	announce(stdout, c, listener.Addr().String(), generated.Reveal())
	started(ctx, c, built, logger, listener.Addr().String(), time.Since(begun))
	if ready != nil {
		ready(listener.Addr().String())
	}
	return untilStopped(ctx, server, failed, &requests, logger)
}

// note says what should be known about the settings before anything begins.
func note(c config, logger *slog.Logger) error {
	notes := c.notes
	if c.unknown != nil {
		unknown, err := c.unknown()
		if err != nil {
			return err
		}
		notes = append(notes, unknown...)
	}
	if text := fewFiles(); text != "" {
		notes = append(notes, text)
	}
	for _, text := range notes {
		logger.Warn(text)
	}
	return nil
}

// started says what the console has begun with.
func started(ctx context.Context, c config, built *console, logger *slog.Logger, address string, took time.Duration) {
	said := []any{"version", version, "address", address, "pid", os.Getpid(), "store", built.manager.StoreLocation(), "catalog", c.place.catalog.String()}
	if data, err := filepath.Abs(c.place.data); err == nil {
		said = append(said, "data", data)
	}
	if c.file != "" {
		said = append(said, "config", c.file)
	}
	if clusters, err := built.db.Clusters.AllNames(ctx); err == nil {
		said = append(said, "clusters", len(clusters))
	}
	engines, err := built.manager.Engines(ctx)
	names := make([]string, len(engines))
	for i, e := range engines {
		names[i] = e.String()
	}
	logger.Info("started", append(said, "engines", strings.Join(names, ", "), "took", took.Round(time.Millisecond).String())...)
	if err == nil && len(engines) == 0 {
		logger.Warn("no redis-server or valkey-server was found in PATH, so clusters cannot be launched here, only attached: install one (Debian: apt-get install redis-server), or name a folder with some by --engines")
	}
}

// ensureAccess makes sure that the administrator and the configured access key exist, and returns the password if it had to generate one.
func ensureAccess(ctx context.Context, c config, db *catalog.DB) (generated secret.Text, err error) {
	generated, err = db.Users.EnsureAdmin(ctx, c.adminPassword)
	if faults, refused := models.AsFaults(err); refused {
		return generated, fmt.Errorf("%w: REKINDLE_ADMIN_PASSWORD: %s", errUsage, faults.Error())
	} else if err != nil {
		return generated, err
	}
	err = db.Keys.Ensure(ctx, c.accessKeyID, c.accessSecret)
	if faults, refused := models.AsFaults(err); refused {
		return generated, fmt.Errorf("%w: %s, %s: %s", errUsage, accessKeyVariable, secretKeyVariable, faults.Error())
	}
	return generated, err
}

// untilStopped waits until ctx ends or the server fails, and then for the requests that are under way.
func untilStopped(ctx context.Context, server *http.Server, failed <-chan error, requests *drain.Group, logger *slog.Logger) error {
	var err error
	select {
	case err = <-failed:
	case <-ctx.Done():
	}
	logger.Info("stopping")
	return errors.Join(err, shutDown(context.WithoutCancel(ctx), server, requests))
}

// shutDown lets requests end, then cuts off those that have not, such as a long download, and gives them time to notice, because what they use is
// closed next.
func shutDown(ctx context.Context, server *http.Server, requests *drain.Group) error {
	ending, cancel := context.WithTimeout(ctx, stopHTTP)
	defer cancel()
	if server.Shutdown(ending) == nil {
		return nil
	}
	err := server.Close()
	noticing, cancel := context.WithTimeout(ctx, stopHTTP)
	defer cancel()
	_ = requests.Close(noticing) // may leave an upload that waits for its store: it is cut off when the jobs are stopped
	return err
}

// lastRequests waits, after the jobs have stopped and before the catalog is closed, for requests that only the end of the jobs has cut off.
func lastRequests(requests *drain.Group, logger *slog.Logger) {
	ctx, cancel := context.WithTimeout(context.Background(), stopHTTP)
	defer cancel()
	if late := requests.Close(ctx); late != nil {
		logger.Warn("stop requests", "error", late)
	}
}

// stop ends the jobs, and the nodes if asked to.
func stop(manager *jobs.Manager, nodesToo bool) error {
	ctx, cancel := context.WithTimeout(context.Background(), stopJobs)
	defer cancel()
	err := manager.Stop(ctx)
	if !nodesToo {
		return err
	}
	ctx, cancel = context.WithTimeout(context.Background(), stopNodes)
	defer cancel()
	return errors.Join(err, manager.StopNodes(ctx))
}
