package main

import (
	"context"
	"log/slog"
	"slices"
	"sync"

	"rekindle/jobs"
	"rekindle/jobs/notify"
	"rekindle/jobs/reach"
)

// live are the settings that can change while the console runs, and what changes them.
func (r *reloader) live() map[string]func(config) {
	return map[string]func(config){
		"log-level":    func(c config) { r.level.Set(c.logLevel) },
		"attach-allow": func(c config) { reach.Allow(c.attachAllow) },
		"notify-allow": func(c config) { notify.Allow(c.notifyAllow) },
		"bandwidth":    func(c config) { r.manager.SetBandwidth(int64(c.bandwidth) << 20) },
	}
}

// reloader reads the configuration file and the clusters file again.
type reloader struct {
	now     config // in force
	manager *jobs.Manager
	logger  *slog.Logger
	level   *slog.LevelVar
}

// follow reads again whenever a signal asks for it, until end is called.
func (r *reloader) follow(ctx context.Context) (end func()) {
	ctx, cancel := context.WithCancel(ctx)
	var following sync.WaitGroup
	following.Go(func() {
		for {
			select {
			case <-ctx.Done():
				return
			case <-r.now.reload:
				r.read(ctx)
			}
		}
	})
	return func() { cancel(); following.Wait() }
}

// read reads both files. One with mistakes changes nothing.
func (r *reloader) read(ctx context.Context) {
	files, changed, later, failed := []string{}, []string{}, []string{}, false
	if r.now.file != "" {
		if next, err := r.now.again(); err != nil {
			failed = true
			r.logger.Error("the configuration file was not applied, and everything stays as it was", "mistakes", err.Error())
		} else {
			files = append(files, r.now.file)
			changed, later = r.apply(next)
		}
	}
	if path := r.now.clusters.Path; path != "" {
		applied, err := r.manager.Redeclare(ctx, r.now.clusters)
		if applied {
			files = append(files, path)
		}
		failed = failed || !applied
		if err != nil && ctx.Err() == nil {
			r.logger.Error("read the clusters file again", "error", err)
		}
	}
	if len(files) > 0 || !failed {
		r.logger.Info("read again, because of SIGHUP", "files", files, "changed", changed, "changes_with_a_restart", later)
	}
}

// apply puts settings in force that can change now. It returns the names of those that have changed, and of those that only a restart changes.
func (r *reloader) apply(next config) (changed, later []string) {
	live := r.live()
	changed, later = []string{}, []string{}
	for i, was := range r.now.settings {
		at := slices.IndexFunc(next.settings, func(s setting) bool { return s.name == was.name })
		if at < 0 || next.settings[at].value == was.value {
			continue
		}
		if put, can := live[was.name]; can {
			put(next)
			r.now.settings[i] = next.settings[at]
			changed = append(changed, was.name)
			continue
		}
		later = append(later, was.name)
	}
	return changed, later
}
