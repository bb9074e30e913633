package measure

import (
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"rekindle/internal/drain"
	"rekindle/internal/store"
	"rekindle/jobs/queue"
	"rekindle/models"
)

func TestRunsAreCountedByHowTheyEnded(t *testing.T) {
	t.Parallel()
	r := New()
	snapshot, restore := models.Run{Kind: models.RunSnapshot}, models.Run{Kind: models.RunRestore}
	r.Ended(snapshot, 2*time.Second, nil)
	r.Ended(snapshot, time.Hour, fmt.Errorf("store part 1: %w", store.ErrFull))
	r.Ended(snapshot, time.Hour, errors.Join(queue.ErrCancelled, store.ErrFull))
	r.Ended(restore, time.Hour, errors.Join(drain.ErrStopping, io.ErrUnexpectedEOF))
	r.Ended(restore, time.Hour, fmt.Errorf("hold: %w", models.ErrLeaseLost))
	r.Asked(time.Unix(1_700_000_000, 0))
	want := `
# HELP rekindle_run_failures_total Runs of this console that failed, by kind and reason.
# TYPE rekindle_run_failures_total counter
rekindle_run_failures_total{kind="snapshot",reason="store_full"} 1
# HELP rekindle_runs_total Runs that this console has worked on, by kind and by how they ended.
# TYPE rekindle_runs_total counter
rekindle_runs_total{kind="restore",outcome="cut_off"} 2
rekindle_runs_total{kind="snapshot",outcome="cancelled"} 1
rekindle_runs_total{kind="snapshot",outcome="failed"} 1
rekindle_runs_total{kind="snapshot",outcome="succeeded"} 1
# HELP rekindle_schedule_asked_timestamp_seconds When this console last looked which snapshots are due.
# TYPE rekindle_schedule_asked_timestamp_seconds gauge
rekindle_schedule_asked_timestamp_seconds 1.7e+09
`
	if err := testutil.CollectAndCompare(r, strings.NewReader(want), "rekindle_run_failures_total", "rekindle_runs_total", "rekindle_schedule_asked_timestamp_seconds"); err != nil {
		t.Error(err)
	}
	if lasted := testutil.CollectAndCount(r, "rekindle_run_duration_seconds"); lasted != 1 {
		t.Errorf("%d kinds of run have lasted for some time", lasted)
	}
}

func TestFailuresHaveAReason(t *testing.T) {
	t.Parallel()
	for want, err := range map[string]error{
		"store_credentials": fmt.Errorf("put: %w", errors.Join(store.ErrDenied, store.ErrCredentials)),
		"store_denied":      store.ErrDenied,
		"store_slow":        errors.Join(store.ErrUnavailable, store.ErrSlow),
		"connection":        fmt.Errorf("read from orders-002: %w", &net.OpError{Op: "read", Err: io.EOF}),
		"other":             errors.New("the key is too long"),
	} {
		if got := Reason(err); got != want {
			t.Errorf("%v is %s, not %s", err, got, want)
		}
	}
}
