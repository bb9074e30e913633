// Package drain lets work finish before what it uses is closed: work that comes from outside, such as requests, and loops that run in the background.
package drain

import (
	"context"
	"fmt"
	"net/http"
	"sync"
)

// Group counts what is under way. The zero value lets everything in. It is safe for concurrent use.
type Group struct {
	mu     sync.Mutex
	closed bool
	under  int
	empty  chan struct{} // closed when the last one leaves after Close; nil until somebody waits
}

// Enter tells whether work may begin. If so, Leave must be called when the work has ended. After Close nothing may begin.
func (g *Group) Enter() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed {
		return false
	}
	g.under++
	return true
}

// Leave ends what Enter began.
func (g *Group) Leave() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.under--; g.under == 0 && g.empty != nil {
		close(g.empty)
		g.empty = nil
	}
}

// refuse lets nothing more in.
func (g *Group) refuse() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.closed = true
}

// Close lets nothing more in, and waits until everything that was let in has left or ctx has ended. The error says how many have not left.
func (g *Group) Close(ctx context.Context) error {
	g.mu.Lock()
	g.closed = true
	if g.under > 0 && g.empty == nil {
		g.empty = make(chan struct{})
	}
	empty := g.empty
	g.mu.Unlock()
	if empty == nil {
		return nil
	}
	select {
	case <-empty:
		return nil
	case <-ctx.Done():
		g.mu.Lock()
		defer g.mu.Unlock()
		return fmt.Errorf("wait for the last %d: %w", g.under, context.Cause(ctx))
	}
}

// Handler counts requests. Those that come after Close are answered with 503.
func (g *Group) Handler(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !g.Enter() {
			w.Header().Set("Connection", "close")
			http.Error(w, "Rekindle is being stopped.", http.StatusServiceUnavailable)
			return
		}
		defer g.Leave()
		next.ServeHTTP(w, r)
	})
}
