package main

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"
)

// declareMetrics declares where Prometheus finds the metrics.
func declareMetrics(flags *flagSet, c *config) declaration {
	flags.StringVar(&c.metricsListen, "metrics-listen", "", "`host:port` at which Prometheus is told the metrics without a token (docs/monitoring.md)")
	flags.secret("metrics-token", &c.metricsToken)
	return func() error {
		if c.metricsListen == "" {
			return nil
		}
		if _, _, err := net.SplitHostPort(c.metricsListen); err != nil {
			return flags.wrong("metrics-listen", "must look like 127.0.0.1:9121, not %q", c.metricsListen)
		}
		if c.metricsListen == c.listen {
			return flags.wrong("metrics-listen", "must be another address than --listen: what is served there wants a token, REKINDLE_METRICS_TOKEN")
		}
		return nil
	}
}

// serveMetrics answers Prometheus at an address of its own, if there is one, until stop is called.
func serveMetrics(listen string, metrics http.Handler, logger *slog.Logger) (stop func(), err error) {
	if listen == "" {
		return func() {}, nil
	}
	listener, err := net.Listen("tcp", listen)
	if err != nil {
		return nil, fmt.Errorf("serve metrics on %s: %w; choose another address with --metrics-listen", listen, err)
	}
	routes := http.NewServeMux()
	routes.Handle("GET /metrics", metrics)
	server := &http.Server{Handler: routes, ReadHeaderTimeout: 10 * time.Second, WriteTimeout: time.Minute, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 64 << 10,
		ErrorLog: slog.NewLogLogger(logger.Handler(), slog.LevelWarn)}
	logger.Info("metrics are served", "address", listener.Addr().String())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			logger.Error("serve metrics", "error", err)
		}
	}()
	return func() {
		_ = server.Close()
		<-ended
	}, nil
}
