// Package measure counts what this console's runs come to, for Prometheus. What the catalog knows is not counted here: see package web.
//
// Names and units follow Prometheus: https://prometheus.io/docs/practices/naming/. Every label has a fixed set of values.
package measure

import (
	"errors"
	"io"
	"net"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"rekindle/internal/drain"
	"rekindle/internal/store"
	"rekindle/jobs/queue"
	"rekindle/models"
)

// The outcomes of a run.
const (
	succeeded = "succeeded"
	failed    = "failed"
	cancelled = "cancelled"
	cutOff    = "cut_off" // by the end of the console, or of its lease: it is begun again, or another console goes on with it
)

// Recorder counts since the console has started. Its methods may be called from many goroutines.
type Recorder struct {
	runs     *prometheus.CounterVec
	failures *prometheus.CounterVec
	lasted   *prometheus.HistogramVec
	asked    prometheus.Gauge
}

// New builds a recorder that has counted nothing.
func New() *Recorder {
	return &Recorder{
		runs: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "rekindle_runs_total",
			Help: "Runs that this console has worked on, by kind and by how they ended."}, []string{"kind", "outcome"}),
		failures: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "rekindle_run_failures_total",
			Help: "Runs of this console that failed, by kind and reason."}, []string{"kind", "reason"}),
		lasted: prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "rekindle_run_duration_seconds",
			Help:    "How long runs that succeeded took.",
			Buckets: []float64{0.1, 0.5, 1, 5, 15, 60, 300, 900, 3600, 4 * 3600}}, []string{"kind"}),
		asked: prometheus.NewGauge(prometheus.GaugeOpts{Name: "rekindle_schedule_asked_timestamp_seconds",
			Help: "When this console last looked which snapshots are due."}),
	}
}

// Ended counts a run that has ended with this error.
func (r *Recorder) Ended(run models.Run, took time.Duration, err error) {
	kind := string(run.Kind)
	outcome := outcomeOf(err)
	r.runs.WithLabelValues(kind, outcome).Inc()
	switch outcome {
	case succeeded:
		r.lasted.WithLabelValues(kind).Observe(took.Seconds())
	case failed:
		r.failures.WithLabelValues(kind, Reason(err)).Inc()
	}
}

// Asked notes when the schedule was asked.
func (r *Recorder) Asked(at time.Time) { r.asked.Set(float64(at.UnixMilli()) / 1000) }

func outcomeOf(err error) string {
	switch {
	case err == nil:
		return succeeded
	case errors.Is(err, queue.ErrCancelled):
		return cancelled
	case errors.Is(err, drain.ErrStopping), errors.Is(err, models.ErrLeaseLost):
		return cutOff
	}
	return failed
}

// Describe implements [prometheus.Collector].
func (r *Recorder) Describe(to chan<- *prometheus.Desc) {
	for _, c := range r.all() {
		c.Describe(to)
	}
}

// Collect implements [prometheus.Collector].
func (r *Recorder) Collect(to chan<- prometheus.Metric) {
	for _, c := range r.all() {
		c.Collect(to)
	}
}

func (r *Recorder) all() []prometheus.Collector {
	return []prometheus.Collector{r.runs, r.failures, r.lasted, r.asked}
}

// reasons says what a failure is called. The first that matches is used, so the particular ones come first.
var reasons = []struct {
	is   error
	name string
}{
	{store.ErrFull, "store_full"},
	{store.ErrUnsafe, "store_unsafe"},
	{store.ErrLocked, "store_locked"},
	{store.ErrNoBucket, "store_no_bucket"},
	{store.ErrRegion, "store_region"},
	{store.ErrCredentials, "store_credentials"},
	{store.ErrDenied, "store_denied"},
	{store.ErrTransit, "store_transit"},
	{store.ErrCut, "store_cut"},
	{store.ErrBusy, "store_busy"},
	{store.ErrSlow, "store_slow"},
	{store.ErrUnavailable, "store_unavailable"},
}

// Reason names why a run failed: what was wrong with the store, "connection" when one to a node or elsewhere failed, or "other".
func Reason(err error) string {
	for _, r := range reasons {
		if errors.Is(err, r.is) {
			return r.name
		}
	}
	if _, network := errors.AsType[*net.OpError](err); network || errors.Is(err, io.ErrUnexpectedEOF) {
		return "connection"
	}
	return "other"
}
