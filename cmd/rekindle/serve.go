package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/jonboulle/clockwork"

	"rekindle/internal/drain"
	"rekindle/internal/secret"
	"rekindle/jobs"
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
)

// How long each part of the console may take to stop.
const (
	stopHTTP  = 5 * time.Second
	stopJobs  = 30 * time.Second
	stopNodes = 10 * time.Minute
)

// serve builds the console, starts it, waits until ctx ends and stops it in reverse order. Once it serves, it calls ready with the address.
func serve(ctx context.Context, c config, clock clockwork.Clock, stdout, stderr io.Writer, ready func(address string)) (err error) {
	logger := newLogger(c, stderr)
	begin, err := loadClusters(c.clusters)
	if err != nil {
		return err
	}
	built, err := build(ctx, c, clock, logger, begin)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, built.close()) }()
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
	handler, err := web.New(web.Config{Gate: door, DB: built.db, Jobs: built.manager, Clock: clock, Logger: logger, PublicURL: c.publicURL, Version: version,
		SecureCookies: strings.HasPrefix(c.publicURL, "https:"), Account: c.account, DataEncrypted: c.encrypted, TrustedProxies: c.proxies})
	if err != nil {
		return err
	}
	var requests drain.Group
	defer lastRequests(&requests, logger)
	if err := built.manager.Start(ctx); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stop(built.manager, c.stopNodes, logger)) }()
	defer reloads(ctx, c, built.manager, logger)()

	server := &http.Server{Handler: requests.Handler(handler), ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 64 << 10,
		ErrorLog: slog.NewLogLogger(logger.Handler(), slog.LevelWarn)}
	door.Bind(server)
	failed := make(chan error, 1)
	go func() {
		failed <- fmt.Errorf("serve on %s: %w", c.listen, server.Serve(door.Listener(listener)))
	}()
	announce(stdout, c, listener.Addr().String(), generated.Reveal())
	if ready != nil {
		ready(listener.Addr().String())
	}
	return untilStopped(ctx, server, failed, &requests, logger)
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
func stop(manager *jobs.Manager, nodesToo bool, logger *slog.Logger) error {
	ctx, cancel := context.WithTimeout(context.Background(), stopJobs)
	defer cancel()
	err := manager.Stop(ctx)
	if !nodesToo {
		return err
	}
	logger.Info("saving and stopping the nodes")
	ctx, cancel = context.WithTimeout(context.Background(), stopNodes)
	defer cancel()
	return errors.Join(err, manager.StopNodes(ctx))
}

func announce(w io.Writer, c config, address, password string) {
	url := c.publicURL
	if url == "" {
		url = "http://" + address
	}
	fmt.Fprintf(w, "\nRekindle %s serves %s\n  user      %s\n", version, url, models.AdminName)
	if password != "" {
		fmt.Fprintf(w, "  password  %s   (shown only now; change it under Settings)\n", password)
	}
	fmt.Fprintln(w)
}

func newLogger(c config, w io.Writer) *slog.Logger {
	var handler slog.Handler = slog.NewTextHandler(w, nil)
	if c.logJSON {
		handler = slog.NewJSONHandler(w, nil)
	}
	logger := slog.New(handler)
	slog.SetDefault(logger)
	return logger
}
