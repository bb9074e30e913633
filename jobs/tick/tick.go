// Package tick repeats tasks at intervals, by the console's clock. The caller says what the tasks are.
package tick

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/go-co-op/gocron/v2"
	"github.com/jonboulle/clockwork"
)

// Tick is something to do at once and then again and again. It never overlaps with itself.
type Tick struct {
	Name  string
	Every time.Duration
	Do    func(context.Context)
}

// Scheduler does what the ticks say. Start it once, stop it once.
type Scheduler struct {
	cron gocron.Scheduler
}

// quiet logs what the scheduler says: its errors, and the rest for those who look for something.
type quiet struct{ *slog.Logger }

func (q quiet) Info(text string, args ...any) { q.Debug(text, args...) }
func (q quiet) Warn(text string, args ...any) { q.Debug(text, args...) }

// New builds a scheduler; nothing happens before [Scheduler.Start].
func New(clock clockwork.Clock) (*Scheduler, error) {
	cron, err := gocron.NewScheduler(gocron.WithClock(clock), gocron.WithLocation(time.UTC),
		gocron.WithLogger(quiet{slog.Default()}))
	if err != nil {
		return nil, fmt.Errorf("build scheduler: %w", err)
	}
	return &Scheduler{cron}, nil
}

// Add adds ticks. What they do must end when ctx does.
func (s *Scheduler) Add(ctx context.Context, ticks ...Tick) error {
	for _, tick := range ticks {
		_, err := s.cron.NewJob(gocron.DurationJob(tick.Every), gocron.NewTask(func() { tick.Do(ctx) }),
			gocron.WithName(tick.Name), gocron.WithSingletonMode(gocron.LimitModeReschedule), gocron.WithStartAt(gocron.WithStartImmediately()))
		if err != nil {
			return fmt.Errorf("schedule %s: %w", tick.Name, err)
		}
	}
	return nil
}

// Start begins to tick.
func (s *Scheduler) Start() { s.cron.Start() }

// Stop ends the ticks, and waits for what is under way.
func (s *Scheduler) Stop() error { return s.cron.Shutdown() }

// Now does what a tick does out of its turn; if it is under way, as soon as it has ended.
func (s *Scheduler) Now(name string) error {
	for _, job := range s.cron.Jobs() {
		if job.Name() == name {
			return job.RunNow()
		}
	}
	return nil
}
