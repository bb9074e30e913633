package web

import (
	"context"
	"crypto/subtle"
	"log/slog"
	"net/http"
	"runtime"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"rekindle/models"
)

// Limits of what is told to Prometheus.
const (
	MetricClusters = 2000            // clusters that have series of their own, some ten each
	metricsTime    = 8 * time.Second // for the catalog; Prometheus waits for 10 s
	metricsStore   = 2 * time.Second // for the store
	metricsAtOnce  = 3               // requests
)

// Metrics tells Prometheus how backups are, at any path, and asks nobody who wants to know.
func Metrics(c Config) http.Handler {
	always := prometheus.NewRegistry()
	always.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	if c.Counts != nil {
		always.MustRegister(c.Counts)
	}
	answer := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		now := prometheus.NewRegistry()
		now.MustRegister(&scrape{c, r.Context()})
		promhttp.HandlerFor(prometheus.Gatherers{always, now}, promhttp.HandlerOpts{ErrorLog: slog.NewLogLogger(c.Logger.Handler(), slog.LevelWarn)}).ServeHTTP(w, r)
	})
	places := make(chan struct{}, metricsAtOnce)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		select {
		case places <- struct{}{}:
			defer func() { <-places }()
			answer(w, r)
		default:
			w.Header().Set("Retry-After", "15")
			_ = plain(w, http.StatusServiceUnavailable, "Too many requests for metrics are being answered. Ask again later.")
		}
	})
}

// metricsPage answers at the console's own address, for whoever has the token.
type metricsPage struct {
	token   string // "": nobody has it
	metrics http.Handler
}

func (p metricsPage) show(w http.ResponseWriter, r *http.Request) error {
	given, bearer := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	switch {
	case p.token == "":
		return plain(w, http.StatusForbidden, "Metrics are off here. Start the console with REKINDLE_METRICS_TOKEN, which Prometheus then has to send, or with --metrics-listen.")
	case !bearer || subtle.ConstantTimeCompare([]byte(given), []byte(p.token)) != 1:
		w.Header().Set("WWW-Authenticate", `Bearer realm="metrics"`)
		return plain(w, http.StatusUnauthorized, "Send the token of REKINDLE_METRICS_TOKEN: Authorization: Bearer ...")
	}
	w.Header().Set("Cache-Control", "no-store")
	p.metrics.ServeHTTP(w, r)
	return nil
}

// scrape is one answer's look at the catalog and the store.
type scrape struct {
	Config
	ctx context.Context
}

// gauge is a metric whose value is read anew each time.
type gauge struct{ *prometheus.Desc }

var gauges []*prometheus.Desc

func newGauge(name, help string, labels ...string) gauge {
	g := gauge{prometheus.NewDesc("rekindle_"+name, help, labels, nil)}
	gauges = append(gauges, g.Desc)
	return g
}

func (g gauge) is(value float64, labels ...string) prometheus.Metric {
	return prometheus.MustNewConstMetric(g.Desc, prometheus.GaugeValue, value, labels...)
}

// Of single clusters.
var (
	clusterReachable  = newGauge("cluster_reachable", "1 while the cluster's nodes are reached, otherwise 0.", "cluster")
	clusterScheduled  = newGauge("cluster_scheduled", "1 if the cluster has automatic snapshots, otherwise 0.", "cluster")
	clusterRetention  = newGauge("cluster_retention_seconds", "How long automatic snapshots of the cluster are kept.", "cluster")
	clusterRestorable = newGauge("cluster_restorable", "1 if the cluster has a good snapshot, otherwise 0.", "cluster")
	clusterOverdue    = newGauge("cluster_overdue", "1 if the cluster's last window closed without a good snapshot, otherwise 0.", "cluster")
	clusterFailed     = newGauge("cluster_last_failed", "1 if the schedule's last snapshot failed and none was good since, otherwise 0.", "cluster")
	clusterSuccess    = newGauge("cluster_last_success_timestamp_seconds", "When the newest good snapshot was taken.", "cluster")
	clusterAge        = newGauge("cluster_recovery_point_age_seconds", "How old the newest good snapshot is: what would be lost.", "cluster")
	clusterSize       = newGauge("cluster_last_snapshot_size_bytes", "Size of the newest good snapshot as a plain RDB.", "cluster")
	clusterStored     = newGauge("cluster_last_snapshot_stored_bytes", "Size of the newest good snapshot in the store.", "cluster")
	clusterKeys       = newGauge("cluster_last_snapshot_keys", "Keys in the newest good snapshot.", "cluster")
	clusterDuration   = newGauge("cluster_last_snapshot_duration_seconds", "How long it took to take the newest good snapshot.", "cluster")
	journalRecording  = newGauge("journal_recording", "1 while the streams of all shards come in, otherwise 0. Of clusters whose journals are kept.", "cluster")
	journalStored     = newGauge("journal_stored_timestamp_seconds", "Up to when the cluster's journal is stored: what came later would be lost.", "cluster")
)

// Of everything.
var (
	buildInfo     = newGauge("build_info", "1, with the version of the console and of Go.", "version", "goversion")
	catalogUp     = newGauge("catalog_up", "1 if the catalog answers, otherwise 0, and then what it knows is missing here.")
	storeUp       = newGauge("store_up", "1 if the snapshot store can be written to and read from, otherwise 0.")
	storeFree     = newGauge("store_free_bytes", "Free space of the snapshot store, where it tells.")
	storeCapacity = newGauge("store_capacity_bytes", "Size of the snapshot store, where it tells.")
	dataFree      = newGauge("data_folder_free_bytes", "Free space of the disk with the catalog and the nodes' files.")
	clusterCount  = newGauge("clusters", "Clusters in the catalog.")
	omitted       = newGauge("clusters_omitted", "Clusters that have no series of their own here, because there are too many: the last by name.")
	snapshotCount = newGauge("snapshots", "Snapshots in the catalog, by status.", "status")
	snapshotBytes = newGauge("snapshots_stored_bytes", "Size of all usable snapshots in the store.")
	billableBytes = newGauge("snapshots_billable_bytes", "The same without one snapshot of each cluster, which ElastiCache does not charge.")
	activeRuns    = newGauge("runs_active", "Runs that have not ended, by kind and status: queued or running.", "kind", "status")
	missedWindows = newGauge("missed_windows", "Snapshot windows of the last 24 hours that closed without an attempt.")
	scheduleLag   = newGauge("schedule_lag_seconds", "For how long the schedule has had something to do that it has not done.")
	consoles      = newGauge("consoles", "Consoles that work on this catalog.")
	leaseHeld     = newGauge("lease_held", "1 while this console may work on runs, otherwise 0.")
	leaseRenewed  = newGauge("lease_renewed_timestamp_seconds", "When this console last renewed its lease.")
)

// Describe implements [prometheus.Collector].
func (s *scrape) Describe(to chan<- *prometheus.Desc) {
	for _, desc := range gauges {
		to <- desc
	}
}

// Collect implements [prometheus.Collector].
func (s *scrape) Collect(to chan<- prometheus.Metric) {
	to <- buildInfo.is(1, s.Version, runtime.Version())
	s.store(to)
	if space, err := s.DB.Disk.Space(); err == nil {
		to <- dataFree.is(float64(space.Free))
	}
	ctx, cancel := context.WithTimeout(s.ctx, metricsTime)
	defer cancel()
	measured, err := s.DB.Measures.Now(ctx, MetricClusters)
	to <- catalogUp.is(yes(err == nil))
	if err != nil {
		s.Logger.WarnContext(ctx, "measure for Prometheus", "error", err)
		return
	}
	now := s.Clock.Now()
	s.whole(to, measured, now)
	for i := range measured.Clusters {
		cluster(to, &measured.Clusters[i], now)
	}
	for _, j := range measured.Journals {
		to <- journalRecording.is(yes(j.Recording), j.Cluster)
		if j.Stored != nil {
			to <- journalStored.is(seconds(*j.Stored), j.Cluster)
		}
	}
}

func (s *scrape) store(to chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(s.ctx, metricsStore)
	defer cancel()
	to <- storeUp.is(yes(s.Jobs.CheckStore(ctx) == nil))
	info, err := s.Jobs.DescribeStore(ctx)
	if err == nil && info.Free >= 0 {
		to <- storeFree.is(float64(info.Free))
	}
	if err == nil && info.Capacity >= 0 {
		to <- storeCapacity.is(float64(info.Capacity))
	}
}

func (s *scrape) whole(to chan<- prometheus.Metric, m models.Measures, now time.Time) {
	to <- clusterCount.is(float64(m.All))
	to <- omitted.is(float64(m.All - len(m.Clusters)))
	for _, snapshots := range m.Snapshots {
		to <- snapshotCount.is(float64(snapshots.Count), string(snapshots.Status))
	}
	to <- snapshotBytes.is(float64(m.Storage.Stored))
	to <- billableBytes.is(float64(m.Storage.Billable))
	active := make(map[models.RunKind]map[models.RunStatus]int)
	for _, kind := range models.RunKinds() {
		active[kind] = map[models.RunStatus]int{models.RunQueued: 0, models.RunRunning: 0}
	}
	for _, runs := range m.Runs {
		if of, known := active[runs.Kind]; known {
			of[runs.Status] = runs.Count
		}
	}
	for kind, of := range active {
		for status, count := range of {
			to <- activeRuns.is(float64(count), string(kind), string(status))
		}
	}
	to <- missedWindows.is(float64(m.Missed))
	lag := time.Duration(0)
	if !m.DueSince.IsZero() {
		lag = max(0, now.Sub(m.DueSince))
	}
	to <- scheduleLag.is(lag.Seconds())
	s.lease(to, m.Owners)
}

func (s *scrape) lease(to chan<- prometheus.Metric, owners []models.Owner) {
	to <- consoles.is(float64(len(owners)))
	for _, owner := range owners {
		if owner.ID == s.Jobs.Owner() {
			to <- leaseHeld.is(1)
			to <- leaseRenewed.is(seconds(owner.Seen))
			return
		}
	}
	to <- leaseHeld.is(0)
}

// cluster tells of one cluster. What only caches has nothing to back up.
func cluster(to chan<- prometheus.Metric, m *models.ClusterMeasure, now time.Time) {
	name, standing := m.Cluster.Name, m.Standing()
	to <- clusterReachable.is(yes(m.Cluster.Status != models.ClusterUnreachable), name)
	if standing == models.StandingCached {
		return
	}
	to <- clusterScheduled.is(yes(m.Cluster.Backups()), name)
	to <- clusterRetention.is(float64(m.Cluster.RetentionLimit)*24*time.Hour.Seconds(), name)
	to <- clusterOverdue.is(yes(m.Late), name)
	to <- clusterFailed.is(yes(m.Failed), name)
	to <- clusterRestorable.is(yes(m.Newest.ID != 0), name)
	if m.Newest.ID == 0 {
		return
	}
	to <- clusterSuccess.is(seconds(m.Newest.CreatedAt), name)
	to <- clusterAge.is(max(0, now.Sub(m.Newest.CreatedAt).Seconds()), name)
	to <- clusterSize.is(float64(m.Newest.Bytes), name)
	to <- clusterStored.is(float64(m.Newest.Stored), name)
	if m.Newest.Keys >= 0 {
		to <- clusterKeys.is(float64(m.Newest.Keys), name)
	}
	if took := m.Newest.TakenIn(); took > 0 {
		to <- clusterDuration.is(took.Seconds(), name)
	}
}

func yes(is bool) float64 {
	if is {
		return 1
	}
	return 0
}

// seconds is a time as Prometheus has it.
func seconds(at time.Time) float64 { return float64(at.UnixMilli()) / 1000 }
