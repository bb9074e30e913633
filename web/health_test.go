package web

import (
	"net/http"
	"testing"
	"time"
)

// Whoever asks waits for a second at most, even for what never answers, and is told which part that is.
func TestReadinessIsToldInTimeWhateverHangs(t *testing.T) {
	t.Parallel()
	c := newConsole(t)
	goOn := make(chan struct{})
	defer close(goOn)
	c.jobs.change(func(a *answers) { a.checkStore = func() error { <-goOn; return nil } })
	begun := time.Now()
	c.get("/readyz").is(http.StatusServiceUnavailable).says("The snapshot store cannot be written to and read from now.")
	if took := time.Since(begun); took < 500*time.Millisecond || took > 5*time.Second { // a busy machine is slow
		t.Errorf("the answer took %s", took)
	}
	c.get("/healthz").is(http.StatusOK)
}
