package jobs

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"rekindle/internal/archive"
	"rekindle/internal/drain"
	"rekindle/internal/resp"
	"rekindle/internal/restore"
	"rekindle/internal/slots"
	"rekindle/internal/words"
	"rekindle/jobs/attached"
	"rekindle/jobs/reach"
	"rekindle/models"
)

// How long a node may take to free its keys, and how often it is asked whether it has.
const (
	flushTimeout = 10 * time.Minute
	flushPause   = 50 * time.Millisecond
)

// fillTarget is the cluster that a snapshot is restored into.
type fillTarget struct {
	cluster   models.Cluster
	primaries []resp.Options
	options   restore.Options
	evicted   int64 // keys that the primaries had evicted before
}

// target finds out whether and how a cluster can take a snapshot. It changes nothing.
func (f *filler) target(ctx context.Context, cluster models.Cluster, manifest archive.Manifest, args models.FillArgs) (fillTarget, error) {
	t := fillTarget{cluster: cluster, options: restore.Options{Policy: policyOf(args.Existing), KeepLibraries: !args.Existing.Destroys(), Deadlines: deadlinesOf(args.Deadlines), Into: engineOf(cluster), Now: f.Clock.Now}}
	var sets []string
	for _, primary := range cluster.Primaries() {
		sets = append(sets, primary.Slots)
	}
	if cluster.Sharded() {
		where, err := slots.NewMap(sets)
		if err != nil {
			return t, fmt.Errorf("read slots of %s: %w", cluster.Name, err)
		}
		t.options.Route = where.Find
	}
	databases := 0
	for _, part := range manifest.Parts {
		databases = max(databases, part.Databases)
	}
	if cluster.Sharded() && databases > 1 {
		return t, because(nil, "The snapshot has keys in databases up to number %d, and %s is in cluster mode, which has only database 0. Restore it into a cluster that is not in cluster mode.", databases-1, cluster.Name)
	}
	var room room
	for _, primary := range cluster.Primaries() {
		o, err := reach.Node(cluster, primary)
		if err != nil {
			return t, err
		}
		if err := room.ask(ctx, o, databases); err != nil {
			return t, because(err, "The primary %s cannot take the snapshot. %s", primary.Name, whyNot(err, cluster))
		}
		t.primaries = append(t.primaries, o)
	}
	t.evicted = room.evicted
	return t, room.fits(cluster, manifest.Configuration.UsedMemory, args.Existing)
}

// policyOf is what the writer does about an existing key. After a flush, applications may have written some keys already: the snapshot wins.
func policyOf(existing models.Existing) restore.Policy {
	switch existing {
	case models.ExistingKeep:
		return restore.Keep
	case models.ExistingReplace, models.ExistingFlush:
		return restore.Replace
	}
	return restore.Refuse
}

func deadlinesOf(d models.Deadlines) restore.Deadlines {
	switch d {
	case models.DeadlinesShifted:
		return restore.ShiftDeadlines
	case models.DeadlinesDropped:
		return restore.DropDeadlines
	}
	return restore.KeepDeadlines
}

// errNoDatabase says that a node has fewer databases than the snapshot needs.
var errNoDatabase = errors.New("the node has too few databases")

// errNoPrimary says that a node is not a primary and takes no writes.
var errNoPrimary = errors.New("the node is no longer a primary")

func whyNot(err error, cluster models.Cluster) string {
	if errors.Is(err, errNoDatabase) {
		return "The snapshot has keys in more databases than it has. Raise its setting databases and restart it."
	}
	if errors.Is(err, errNoPrimary) {
		return "It is no longer a primary. Try again."
	}
	return attached.Sentence(err, accessOf(cluster))
}

// accessOf is how somebody has said that a cluster is reached; a launched one is not reached by what somebody has said.
func accessOf(cluster models.Cluster) models.Access {
	if cluster.Attachment == nil {
		return models.Access{}
	}
	return cluster.Attachment.Access
}

// room is how much the primaries of a cluster hold, and how much they may hold.
type room struct {
	keys, used, limit int64
	evicted           int64 // keys, so far
	unlimited         bool
	evicts            bool // instead of refusing writes
	spaces            []space
}

// space is how much one primary holds, and how much it may hold.
type space struct {
	used, limit int64 // 0: it has no limit
	evicts      bool
}

func (s space) left() int64 { return max(0, s.limit-s.used) }

// ask adds one primary, which must have this number of databases.
func (r *room) ask(ctx context.Context, o resp.Options, databases int) error {
	conn, err := resp.Dial(ctx, o)
	if err != nil {
		return err
	}
	defer conn.Close()
	info, err := conn.Info(ctx, "replication", "memory", "stats", "keyspace")
	if err != nil {
		return err
	}
	if info["role"] != "master" {
		return errNoPrimary
	}
	if databases > 1 {
		if _, err := conn.Do(ctx, "SELECT", strconv.Itoa(databases-1)); err != nil {
			if _, refused := errors.AsType[resp.Error](err); refused {
				return fmt.Errorf("%w: %w", errNoDatabase, err)
			}
			return err
		}
	}
	r.keys += info.Keys()
	// What waits for replicas and for the AOF does not count against maxmemory.
	one := space{info.Int("used_memory") - info.Int("mem_not_counted_for_evict"), info.Int("maxmemory"), info["maxmemory_policy"] != "noeviction"}
	r.spaces = append(r.spaces, one)
	r.used += one.used
	r.limit += one.limit
	r.evicted += info.Int("evicted_keys")
	r.unlimited = r.unlimited || one.limit == 0
	r.evicts = r.evicts || one.evicts
	return nil
}

// fits decides whether the data of a snapshot may be written there. With several shards only the sum is known.
func (r *room) fits(cluster models.Cluster, needs int64, existing models.Existing) error {
	if existing == models.ExistingNone && r.keys > 0 {
		return because(nil, "The cluster %s holds %s. Nothing was written: choose what becomes of them.", cluster.Name, words.Plural(r.keys, "key"))
	}
	if existing == models.ExistingFlush {
		r.used = 0
	}
	if r.unlimited || needs+r.used <= r.limit {
		return nil
	}
	then := "it would refuse to take all of it"
	if r.evicts {
		then = "it would evict keys to take it"
	}
	return because(nil, "The data of the snapshot takes up to %s of memory, and %s has %s left of its maxmemory: %s. Nothing was written. Raise maxmemory, then try again.",
		words.Size(needs), cluster.Name, words.Size(max(0, r.limit-r.used)), then)
}

// evictedMeanwhile is how many keys the primaries have evicted since they were first asked. These may be keys that were just written.
func (t fillTarget) evictedMeanwhile(ctx context.Context) (int64, error) {
	var now room
	for _, o := range t.primaries {
		if err := now.ask(ctx, o, 0); err != nil {
			return 0, fmt.Errorf("count what %s has evicted: %w", t.cluster.Name, err)
		}
	}
	return max(0, now.evicted-t.evicted), nil
}

// flush deletes all keys of the cluster.
func (t fillTarget) flush(ctx context.Context) error {
	for _, o := range t.primaries {
		if err := flush(ctx, o); err != nil {
			if refused, is := errors.AsType[resp.Error](err); is && refused.Code() == "NOPERM" {
				return because(err, "The user is not allowed to delete the keys of %s: it needs +flushall. Nothing was written.", t.cluster.Name)
			}
			return because(err, "The keys of %s could not all be deleted, and nothing was written. %s", t.cluster.Name, attached.Sentence(err, accessOf(t.cluster)))
		}
	}
	return nil
}

func flush(ctx context.Context, o resp.Options) error {
	conn, err := resp.Dial(ctx, o)
	if err != nil {
		return err
	}
	defer conn.Close()
	if _, err = conn.Do(ctx, "FLUSHALL", "ASYNC"); err != nil { // without ASYNC its clients would wait until it is done
		return err
	}
	// Memory that is still being freed counts against maxmemory, so keys would be evicted.
	for until := time.Now().Add(flushTimeout); time.Now().Before(until); {
		info, err := conn.Info(ctx, "memory")
		if err != nil || info.Int("lazyfree_pending_objects") == 0 {
			return err
		}
		if !drain.Pause(ctx, flushPause) {
			return context.Cause(ctx)
		}
	}
	return nil
}
