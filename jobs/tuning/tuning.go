// Package tuning changes two settings of the node of an attached cluster that serves a snapshot, right before it begins, and puts them back.
//
// They only matter until the node has forked, because the child keeps the configuration that it was forked with. So they are put back when the first
// byte has come; if not, at the end of the attempt; if not then either, by whichever console comes by. For that each change is in the catalog before
// it is made, until it was read back as undone. Two consoles may do so at once: a setting is only touched while it has the value that was set here.
package tuning

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"sync"
	"time"

	"rekindle/internal/resp"
	"rekindle/jobs/reach"
	"rekindle/jobs/tick"
	"rekindle/models"
	"rekindle/models/catalog"
)

// settings are what makes a node serve a snapshot faster.
var settings = []struct{ parameter, value string }{
	{"rdbcompression", "no"},          // half of what it costs the node; parts are compressed here
	{"repl-diskless-sync-delay", "0"}, // else it waits for further replicas first, 5 s by default
}

const (
	// tuneTimeout bounds what is done at a node before a snapshot begins.
	tuneTimeout = 5 * time.Second
	// backTimeout bounds putting settings of one node back.
	backTimeout = 10 * time.Second
	// Name is that of the tick that puts back what was left.
	Name = "tunings"
)

// Config is what a [Tuner] is built from.
type Config struct {
	DB      *catalog.DB
	Logger  *slog.Logger
	Owner   func() string               // this console in the catalog
	Hold    func(context.Context) error // fails when this console has lost its lease
	Working func(run uint) bool         // whether this console is working on a run
}

// Tuner changes settings of nodes, and puts them back.
type Tuner struct{ Config }

// New builds a tuner.
func New(config Config) *Tuner { return &Tuner{config} }

// Ticks are what has to be done again and again.
func (t *Tuner) Ticks() []tick.Tick {
	return []tick.Tick{{Name: Name, Every: time.Minute, Do: t.Rescue}}
}

// Tune changes the settings of a node that is about to serve a snapshot, if its cluster allows that and the node lets the console do it; else nothing
// happens. What it returns puts them back. It may be called at any time and again, and waits for a call that is under way.
func (t *Tuner) Tune(ctx context.Context, run models.Run, cluster models.Cluster, node models.Node) (putBack func()) {
	if a := cluster.Attachment; a == nil || !a.Tuned || a.ByKey { // whoever is read key by key does not fork
		return func() {}
	}
	tunings, err := t.tune(ctx, run, cluster, node)
	if err != nil {
		t.Logger.Info("a node serves a snapshot untuned", "cluster", cluster.Name, "node", node.Name, "error", err)
	}
	var mu sync.Mutex
	return func() {
		mu.Lock()
		defer mu.Unlock()
		if len(tunings) == 0 {
			return
		}
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), backTimeout)
		defer cancel()
		if tunings, err = t.putBack(ctx, cluster, tunings); err != nil {
			t.Logger.Warn("settings of a node could not be put back; tried again later", "cluster", cluster.Name, "node", node.Name, "error", err)
		}
	}
}

// tune returns what may have been changed, even when it fails.
func (t *Tuner) tune(ctx context.Context, run models.Run, cluster models.Cluster, node models.Node) ([]models.Tuning, error) {
	ctx, cancel := context.WithTimeout(ctx, tuneTimeout)
	defer cancel()
	conn, err := dial(ctx, cluster, node.Address())
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	changes, err := differing(ctx, conn, cluster, node)
	if err != nil || len(changes) == 0 {
		return nil, err
	}
	if err := t.Hold(ctx); err != nil {
		return nil, err
	}
	tunings, err := t.DB.Tunings.Begin(ctx, run, changes)
	if err != nil {
		return nil, err
	}
	for _, change := range tunings {
		if _, err := conn.Do(ctx, "CONFIG", "SET", change.Parameter, change.Tuned); err != nil {
			return tunings, err
		}
	}
	// A console that was frozen before it made the change may have been taken for gone, and what it had written down for done.
	if open, err := t.DB.Tunings.Open(ctx, cluster.ID); err == nil && len(among(open, tunings)) < len(tunings) {
		return nil, errors.Join(models.ErrLeaseLost, restoreAll(context.WithoutCancel(ctx), conn, tunings))
	}
	return tunings, nil
}

// differing returns what has to be changed at a node. What another run has left there is as wanted already, and put back by whoever rescues that. A
// node that writes its RDB to its own disk first is left alone: an uncompressed file might not fit there, and nothing waits.
func differing(ctx context.Context, conn *resp.Conn, cluster models.Cluster, node models.Node) ([]models.Tuning, error) {
	diskless, err := get(ctx, conn, "repl-diskless-sync")
	if err != nil || diskless != "yes" {
		return nil, err
	}
	var changes []models.Tuning
	for _, s := range settings {
		value, err := get(ctx, conn, s.parameter)
		if err != nil {
			return nil, err
		}
		if value != s.value {
			changes = append(changes, models.Tuning{ClusterID: cluster.ID, Address: node.Address(), Parameter: s.parameter, Was: value, Tuned: s.value})
		}
	}
	return changes, nil
}

// among returns the tunings that are still open.
func among(open, tunings []models.Tuning) []models.Tuning {
	return slices.DeleteFunc(slices.Clone(tunings), func(t models.Tuning) bool {
		return !slices.ContainsFunc(open, func(o models.Tuning) bool { return o.ID == t.ID })
	})
}

// dial connects to a node of an attached cluster. The address is as it was when the node was tuned.
func dial(ctx context.Context, cluster models.Cluster, address string) (*resp.Conn, error) {
	o, err := reach.Node(cluster, models.Node{Name: address})
	if err != nil {
		return nil, err
	}
	o.Addr, o.Timeout = address, reach.Timeout
	conn, err := resp.Dial(ctx, o)
	if err == nil {
		forgetUnsent(conn.NetConn())
	}
	return conn, err
}

// forgetUnsent has what was not sent yet be forgotten with the connection: else a CONFIG SET that nobody waits for any more could arrive after a
// break of the network, and after it was put back.
func forgetUnsent(conn net.Conn) {
	if secured, is := conn.(*tls.Conn); is {
		conn = secured.NetConn()
	}
	if plain, is := conn.(*net.TCPConn); is {
		_ = plain.SetLinger(0) // fails only on a connection that is closed
	}
}

// get asks for a setting.
func get(ctx context.Context, conn *resp.Conn, parameter string) (string, error) {
	v, err := conn.Do(ctx, "CONFIG", "GET", parameter)
	if err != nil {
		return "", err
	}
	if pair := v.Strings(); len(pair) == 2 {
		return pair[1], nil
	}
	return "", fmt.Errorf("CONFIG GET %s: the node does not know it", parameter)
}
