package attached

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"rekindle/internal/resp"
	"rekindle/internal/topology"
	"rekindle/internal/words"
	"rekindle/jobs/reach"
	"rekindle/models"
)

// Examine says what a cluster is, and whether snapshots of it could be taken, without writing anything down. Refusals are [models.Faults].
func (f *Follower) Examine(ctx context.Context, spec models.AttachSpec) (models.Examination, error) {
	if faults := models.CheckAccess(&spec.Access); len(faults) > 0 {
		return models.Examination{}, faults
	}
	ctx, cancel := context.WithTimeout(ctx, lookTimeout)
	defer cancel()
	t, err := discover(ctx, spec.Access, spec.Password)
	if err != nil {
		f.Logger.Info("a cluster that was tried out was not found", "error", err)
		return models.Examination{}, faultsOf(err, spec.Access)
	}
	e := models.Examination{Found: foundOf(t), PrimaryName: t.Name}
	for _, silent := range t.Silent {
		e.Notes = append(e.Notes, "One of the addresses cannot be used: "+Sentence(silent, spec.Access))
	}
	var lacks rightsLacked
	for i, shard := range t.Shards {
		at := sourceIn(e.Found.Shards[i])
		for j, n := range shard.Nodes {
			seen := examined(n, e.Found.Shards[i].Nodes[j], i+1, spec.Access)
			if seen.Source = j == at; spec.ByKey {
				seen.ForkMemory = 0
			}
			e.Nodes = append(e.Nodes, seen)
		}
		if at < 0 {
			e.Hindrances = append(e.Hindrances, fmt.Sprintf("No node of shard %d can serve a snapshot now: its primary does not answer, and no replica is in step.", i+1))
			continue
		}
		source := shard.Nodes[at]
		if source.Primary && len(shard.Nodes) > 1 {
			e.Notes = append(e.Notes, fmt.Sprintf("No replica of shard %d is in step, so its primary %s would have to serve the snapshot.", i+1, source.Addr))
		}
		if source.Primary && t.Kind == topology.Sentinel && !spec.ByKey {
			e.Notes = append(e.Notes, "A snapshot that is read from a primary that Sentinels watch may stay in their lists as a replica that is down, until SENTINEL RESET. Keep a replica in step to avoid that.")
		}
		o, err := reach.Node(models.Cluster{Password: spec.Password, Attachment: &models.Attachment{Access: spec.Access}}, models.Node{})
		if err != nil {
			return e, err
		}
		o.Addr = source.Addr
		lacks.at(ctx, o, spec, &e)
	}
	e.Rights = lacks.line(spec)
	slices.Sort(e.Modules)
	e.Modules = slices.Compact(e.Modules)
	e.Hindrances, e.Notes = unique(e.Hindrances), unique(e.Notes)
	if spec.ByKey {
		e.Notes = append(e.Notes, "Snapshots will be read key by key. They are not of one point in time: each key is as it was when its turn came.")
		return e, nil
	}
	e.Notes = append(e.Notes, forkNotes(e.Nodes)...)
	return e, nil
}

// rightsLacked is what the user may not do at the nodes that would serve a snapshot.
type rightsLacked struct {
	replica bool      // something that it needs to read like a replica, or that is useful then
	keys    keyRights // and to read key by key
	byKey   bool      // only that is possible
}

// at tries a node out.
func (l *rightsLacked) at(ctx context.Context, o resp.Options, spec models.AttachSpec, e *models.Examination) {
	if spec.ByKey {
		l.keys, l.byKey = l.keys.and(tryKeys(ctx, o, spec.Access, e)), true
		return
	}
	rights, err := askRights(ctx, o, spec)
	if err != nil {
		e.Hindrances = append(e.Hindrances, Sentence(err, spec.Access))
		return
	}
	l.replica = l.replica || rights.lacks()
	e.Hindrances = append(e.Hindrances, rights.hindrances(o.Addr, spec.PSYNC)...)
	e.Modules = append(e.Modules, rights.modules...)
	if text := rights.tuning.sentence(); e.Tuning == "" || rights.tuning != tuningAllowed {
		e.Tuning = text
	}
	if rights.tuning == tuningForbidden {
		e.TuningRight = TuningLine(spec.Username)
	}
	if rights.psync == unknown && spec.PSYNC == "" {
		if keys, err := askKeyRights(ctx, o); err == nil { // else only the suggestion is missing
			l.keys, l.byKey = l.keys.and(keys), true
			if keys.line("") != "" {
				e.Notes = append(e.Notes, "For reading key by key, too, the user lacks rights: "+strings.Join(append(keys.lacks, keys.useful...), " ")+".")
			}
		}
	}
}

// line is the command that gives the user what it lacks; "": it lacks nothing.
func (l *rightsLacked) line(spec models.AttachSpec) string {
	switch {
	case l.byKey:
		return l.keys.line(spec.Username)
	case l.replica:
		return RightsLine(spec.Username)
	}
	return ""
}

// unique drops repetitions.
func unique(texts []string) []string {
	var once []string
	for _, text := range texts {
		if !slices.Contains(once, text) {
			once = append(once, text)
		}
	}
	return once
}

// sourceIn returns the node of a shard from which a snapshot would be taken: the replica that is least behind, or else the primary. -1 means none.
func sourceIn(shard models.FoundShard) int {
	best := -1
	for i, n := range shard.Nodes {
		if n.Role == models.RoleReplica && n.State == "available" && n.LagBytes >= 0 && (best < 0 || n.LagBytes < shard.Nodes[best].LagBytes) {
			best = i
		}
	}
	if best < 0 && len(shard.Nodes) > 0 && shard.Nodes[0].State == "available" {
		best = 0
	}
	return best
}

func examined(n topology.Node, found models.FoundNode, shard int, a models.Access) models.Examined {
	e := models.Examined{FoundNode: found, Shard: shard}
	if n.Announced != n.Addr {
		e.Announced = n.Announced
	}
	if !n.Reached() {
		e.Problem = Sentence(n.Err, a)
		return e
	}
	e.Version.Name, e.Version.Version = n.Info.Engine()
	e.ForkMemory, e.HostMemory = n.Info.Int("used_memory"), n.Info.Int("total_system_memory")
	aof := n.Info["aof_enabled"] == "1"
	rdb := n.Info.Int("rdb_saves") > 0 || n.Info.Int("rdb_last_load_keys_loaded") > 0
	switch {
	case rdb && aof:
		e.Persistence = "RDB and AOF"
	case aof:
		e.Persistence = "AOF"
	case rdb:
		e.Persistence = "RDB"
	default:
		e.Persistence = "none seen"
	}
	return e
}

// forkNotes warn of hosts that cannot bear the fork, as far as the nodes tell about their hosts.
func forkNotes(nodes []models.Examined) []string {
	var notes []string
	for _, n := range nodes {
		if n.Source && n.HostMemory > 0 && 2*n.ForkMemory > n.HostMemory {
			notes = append(notes, fmt.Sprintf("The node %s holds %s on a host with %s of memory: a fork under heavy writes may need more than there is.", n.Address, words.Size(n.ForkMemory), words.Size(n.HostMemory)))
		}
	}
	return notes
}

// rights are what the console's user may do at a node.
type rights struct {
	psync    verdict
	replconf verdict
	config   bool // CONFIG GET, which only makes a transfer safer
	tuning   tuning
	modules  []string
}

// verdict is whether a command may be used.
type verdict int

const (
	allowed verdict = iota
	forbidden
	unknown // the server does not know the command: it was renamed or removed
)

func (r rights) lacks() bool { return r.psync == forbidden || r.replconf == forbidden || !r.config }

// hindrances say what prevents a snapshot.
func (r rights) hindrances(addr, renamed string) []string {
	var texts []string
	switch {
	case r.psync == forbidden || r.replconf == forbidden:
		texts = append(texts, "The user is not allowed to read the data like a replica: it needs +psync and +replconf."+instead)
	case r.psync == unknown && renamed != "":
		texts = append(texts, fmt.Sprintf("The node %s does not know the command %s either. Look for rename-command in its configuration.", addr, renamed))
	case r.psync == unknown:
		texts = append(texts, fmt.Sprintf("The node %s does not know PSYNC: it was renamed or removed (rename-command), as managed services do. If it has another name, enter that name.", addr)+instead)
	}
	if r.replconf == unknown {
		texts = append(texts, fmt.Sprintf("The node %s does not know REPLCONF: it was renamed or removed, and without it no snapshot can be read.", addr))
	}
	return texts
}

// instead is what to do about a node that forbids PSYNC for good.
const instead = " Where that cannot be had, choose to have snapshots read key by key: such snapshots are not of one point in time."

// askRights finds out what the user may do at a node, without doing any of it.
func askRights(ctx context.Context, o resp.Options, spec models.AttachSpec) (rights, error) {
	conn, err := resp.Dial(ctx, o)
	if err != nil {
		return rights{}, err
	}
	defer conn.Close()
	var r rights
	if r.psync, err = mayPSYNC(ctx, conn, cmp.Or(spec.PSYNC, "PSYNC")); err != nil {
		return r, err
	}
	if r.replconf, err = may(conn.Do(ctx, "REPLCONF", "capa", "eof")); err != nil {
		return r, err
	}
	config, err := may(conn.Do(ctx, "CONFIG", "GET", "repl-timeout"))
	if err != nil {
		return r, err
	}
	r.config = config == allowed
	if spec.Tuned {
		if r.tuning, err = askTuning(ctx, conn); err != nil {
			return r, err
		}
	}
	list, err := conn.Do(ctx, "MODULE", "LIST")
	if _, refused := errors.AsType[resp.Error](err); err != nil && !refused {
		return r, err
	}
	r.modules = Modules(list)
	return r, nil
}

// Modules are the names in an answer to MODULE LIST.
func Modules(list resp.Value) []string {
	var names []string
	for _, module := range list.Array {
		if fields := module.Array; len(fields) >= 2 && strings.EqualFold(fields[0].Str, "name") {
			names = append(names, fields[1].Str)
		}
	}
	return names
}

// mayPSYNC tries the command where it cannot start anything. Before 7.0, a server queues it in a transaction if the user may use it, and the
// transaction is then discarded. Later servers refuse it there for every user, so they get it outside, with an offset that is not a number: they
// refuse that, where older servers, and any that have the command under another name, would begin.
func mayPSYNC(ctx context.Context, conn *resp.Conn, name string) (verdict, error) {
	v := allowed
	_, err := conn.Do(ctx, "MULTI")
	if _, refused := errors.AsType[resp.Error](err); err != nil && !refused {
		return unknown, err
	} else if err == nil {
		if v, err = may(conn.Do(ctx, name, "?", "nowhere")); err != nil {
			return v, err
		}
		if _, err := may(conn.Do(ctx, "DISCARD")); err != nil {
			return v, err
		}
	}
	if v != allowed || name != "PSYNC" {
		return v, nil
	}
	info, err := conn.Info(ctx, "server")
	if err != nil {
		return unknown, err
	}
	if major, err := strconv.Atoi(strings.Split(info["redis_version"], ".")[0]); err != nil || major < 7 {
		return allowed, nil
	}
	return may(conn.Do(ctx, name, "?", "nowhere"))
}

// may tells from an answer whether a command may be used. Any other complaint, such as one about the arguments, means that it may.
func may(_ resp.Value, err error) (verdict, error) {
	reply, refused := errors.AsType[resp.Error](err)
	switch {
	case err != nil && !refused:
		return unknown, err
	case err != nil && reply.Code() == "NOPERM":
		return forbidden, nil
	case err != nil && reply.UnknownCommand():
		return unknown, nil
	}
	return allowed, nil
}
