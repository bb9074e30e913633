package vault

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"

	"rekindle/internal/archive"
	"rekindle/internal/drain"
	"rekindle/internal/launch"
	"rekindle/internal/primary"
	"rekindle/internal/rdb"
	"rekindle/internal/resp"
	"rekindle/internal/secret"
	"rekindle/internal/words"
	"rekindle/jobs/queue"
	"rekindle/jobs/reason"
	"rekindle/models"
)

// An RDB from elsewhere can look right to a walk over it and still be one that no node survives: with a key in it twice, code that does not compile,
// or a value that ends the node that is asked for it. So before it becomes a snapshot it is loaded into a node of its own and used a little. The node
// has a folder like any other, under a name that no cluster can have because it begins with a digit. It is in no catalog, and goes when it has
// answered, or at the latest at the next start.

const (
	trialPrefix = "0-trial-"
	drillPrefix = "0-drill-" // of nodes that show that a snapshot can be loaded

	recoverPrefix = "0-recover-" // of nodes that are brought to a moment
	valuePrefix   = "0-value-"   // of nodes that tell the value of one key
)

// loopback is where such nodes listen: no application may find them.
const loopback = "127.0.0.1"

// Bounds of a trial's use of the data.
const (
	trialKeys = 2000             // keys of each type that are looked at
	trialTime = 10 * time.Second // for each type
)

// trials try parts out.
type trials struct{ kit }

// trial is a node that tries a part out.
type trial struct {
	*trials
	cluster models.Cluster // in no catalog
	node    models.Node
	debug   bool // it answers DEBUG
}

// tryOut loads a part that is stored but not committed into a node, and uses it. An error is a refusal in words, or the store's. A warning says why
// there was no trial.
func (ts *trials) tryOut(ctx context.Context, run models.Run, row models.Snapshot, part archive.Part, file, engine string, report *queue.Report) (warning string, err error) {
	wanted, err := ts.DB.Settings.TriesImports(ctx)
	if err != nil || !wanted {
		return "", err
	}
	const unsure = "Its structure was checked, but no node has loaded it yet: "
	chosen, found, err := ts.engine(ctx, engine, part.RDBVersion)
	if err != nil {
		return "", err
	} else if !found {
		return fmt.Sprintf("%sno engine is installed that can load RDB version %d.", unsure, part.RDBVersion), nil
	}
	if need, free, err := ts.memory(ctx, part); err != nil {
		return "", err
	} else if need > free {
		return fmt.Sprintf("%sthat may take %s of memory, and the host has %s free.", unsure, words.Size(need), words.Size(free)), nil
	}
	t := ts.node(trialPrefix, run, part, chosen)
	defer t.end(ctx)
	report.Stage(fmt.Sprintf("Trying out part %d in a node of %s", part.Number, chosen), nil)
	if err := t.start(ctx, part, t.checking()); err != nil {
		if ctx.Err() != nil {
			return "", context.Cause(ctx)
		}
		ts.Logger.Error("start a node to try an import out", "snapshot", row.Name, "error", err)
		return unsure + "the node for it could not be started. The log says why.", nil
	}
	open := func(ctx context.Context) (io.ReadCloser, error) { return t.archive.OpenPart(ctx, refOf(row), part) }
	if _, err = t.load(ctx, part, open, nil); err == nil {
		err = t.use(ctx)
	}
	if err == nil || ctx.Err() != nil {
		return "", context.Cause(ctx)
	}
	if err = t.judge(ctx, file, err); errors.Is(err, errNoVerdict) {
		ts.Logger.Error("try an import out", "snapshot", row.Name, "error", err)
		return unsure + "the node that was to load it stopped answering. The log says more.", nil
	}
	return "", err
}

// errNoVerdict is why a trial says nothing about the file.
var errNoVerdict = errors.New("the trial says nothing about the file")

// judge says what a failure of the trial means: the file is refused, the store has failed, or nothing.
func (t *trial) judge(ctx context.Context, file string, err error) error {
	why, named := t.Launcher.LastWords(ctx, t.cluster.Name, t.node.Name)
	switch {
	case named:
	case errors.Is(err, primary.ErrCount):
		why = "The node ended up with a different number of keys than the file has."
	case t.ended(ctx):
		why = "The node did not survive that."
		if last, _ := t.Launcher.LastWords(ctx, t.cluster.Name, t.node.Name); last != "" {
			why += " " + last
		}
	case errors.Is(err, primary.ErrGone), errors.Is(err, primary.ErrRefused):
		return fmt.Errorf("%w: %w", errNoVerdict, err)
	default:
		return err
	}
	return reason.Because(err, "%s cannot be used. It was tried out in a node of %s: %s Nothing of it was kept.", file, t.cluster.EngineName(), why)
}

// ended tells whether the node is gone. A node that has closed its connections may take a moment to end.
func (t *trial) ended(ctx context.Context) bool {
	for range 30 {
		if running, err := t.Launcher.Running(ctx, t.cluster.Name, t.node.Name); err != nil || !running {
			return err == nil
		}
		if !drain.Pause(ctx, 100*time.Millisecond) {
			break
		}
	}
	return false
}

// engine chooses what to try a part out with: the newest version of the engine that wrote it, else the newest that can load it.
func (ts *trials) engine(ctx context.Context, engine string, version int) (models.Engine, bool, error) {
	engines, err := ts.Host.Engines(ctx)
	if err != nil {
		return models.Engine{}, false, fmt.Errorf("list engines: %w", err)
	}
	engines = slices.DeleteFunc(slices.Clone(engines), func(e models.Engine) bool { return !rdb.CanLoad(e.Name, e.Version, version) })
	if len(engines) == 0 {
		return models.Engine{}, false, nil
	}
	best := engines[0]
	for _, e := range engines[1:] {
		if own := e.Name == engine; own != (best.Name == engine) && own || own == (best.Name == engine) && !best.AtLeast(e.Version) {
			best = e
		}
	}
	return best, true, nil
}

// engineOf chooses what a snapshot is loaded with: what it was taken from, as a restore would, else what a trial would choose.
func (ts *trials) engineOf(ctx context.Context, row models.Snapshot, manifest archive.Manifest) (models.Engine, error) {
	version := 0
	for _, part := range manifest.Parts {
		version = max(version, part.RDBVersion)
	}
	engine, found, err := ts.engineFor(ctx, row, version)
	if err == nil && !found {
		err = reason.Because(nil, "No engine is installed that can load RDB version %d. Install one on the console's host.", version)
	}
	return engine, err
}

// engineFor is engineOf for data of this version; false if no engine is installed that can load it.
func (ts *trials) engineFor(ctx context.Context, row models.Snapshot, version int) (models.Engine, bool, error) {
	engines, err := ts.Host.Engines(ctx)
	if err != nil {
		return models.Engine{}, false, fmt.Errorf("list engines: %w", err)
	}
	if own := row.EngineName(); slices.Contains(engines, own) && rdb.CanLoad(own.Name, own.Version, version) {
		return own, true, nil
	}
	return ts.engine(ctx, row.Engine, version)
}

// memoryPatience is how long a run that has begun waits for memory for its next part.
const memoryPatience = 15 * time.Minute

// waitForMemory waits, for so long, until the host has memory for a part in a node, and for so many bytes more.
func (ts *trials) waitForMemory(ctx context.Context, part archive.Part, more int64, patience time.Duration, report *queue.Report) error {
	for until := time.Now().Add(patience); ; { // of real time: memory is freed in it
		need, free, err := ts.memory(ctx, part)
		if need += more; err != nil || need <= free {
			return err
		}
		memory, err := ts.Launcher.Memory(ctx)
		if err != nil {
			return fmt.Errorf("read memory of host: %w", err)
		}
		if need > memory.Total || time.Now().After(until) {
			return reason.Because(nil, "Part %d may take %s of memory in a node, and the host has %s free.", part.Number, words.Size(need), words.Size(free))
		}
		report.Stage(fmt.Sprintf("Waiting until the host has %s of memory free", words.Size(need)), nil)
		if !drain.Pause(ctx, time.Second) {
			return context.Cause(ctx)
		}
	}
}

// memory returns what a part may need in a node, and what the host has.
func (ts *trials) memory(ctx context.Context, part archive.Part) (need, free int64, err error) {
	memory, err := ts.Launcher.Memory(ctx)
	if err != nil {
		return 0, 0, fmt.Errorf("read memory of host: %w", err)
	}
	need = part.UsedMemory
	if need == 0 {
		need = 2 * part.Bytes // an RDB is about half of what its data takes in memory
	}
	return need + need/8 + 64<<20, memory.Available, nil
}

// checking is the configuration by which a node checks what it loads more closely than one that believes its primary.
func (t *trial) checking() map[string]string {
	if (models.Engine{Version: t.cluster.EngineVersion}).AtLeast("6.2") {
		return map[string]string{"sanitize-dump-payload": "yes"}
	}
	return nil
}

// node is the node of a run for one part. It is in no catalog, and nobody else knows its password.
func (ts *trials) node(prefix string, run models.Run, part archive.Part, engine models.Engine) *trial {
	return &trial{trials: ts, cluster: models.Cluster{Name: prefix + strconv.FormatUint(uint64(run.ID), 10), Password: secret.Text(rand.Text()),
		Configuration: models.Configuration{Engine: engine.Name, EngineVersion: engine.Version}},
		node: models.Node{Name: fmt.Sprintf("part-%04d", part.Number), Role: models.RolePrimary, Host: loopback}}
}

// start starts the node without a memory limit, with this configuration in addition. It never saves.
func (t *trial) start(ctx context.Context, part archive.Part, config map[string]string) error {
	all := map[string]string{"maxmemory-policy": "noeviction"}
	maps.Copy(all, config)
	if part.Databases > 16 {
		all["databases"] = strconv.Itoa(part.Databases)
	}
	for {
		port, err := freePort()
		if err != nil {
			return err
		}
		t.node.Port = port
		err = t.Launcher.Start(ctx, launch.Node{Cluster: t.cluster.Name, Name: t.node.Name, Engine: t.cluster.Engine, Version: t.cluster.EngineVersion,
			Host: loopback, Port: port, Password: t.cluster.Password, Debug: t.debug, Config: all})
		if !errors.Is(err, launch.ErrPortTaken) {
			return err
		}
	}
}

// freePort is a port that nobody listens on at present. It is not one of those that nodes of clusters get.
func freePort() (int, error) {
	listener, err := net.Listen("tcp", net.JoinHostPort(loopback, "0"))
	if err != nil {
		return 0, fmt.Errorf("find a free port: %w", err)
	}
	return listener.Addr().(*net.TCPAddr).Port, listener.Close()
}

// load feeds the part to the node and compares the number of keys. progress, which may be nil, is told how many bytes have been sent.
func (t *trial) load(ctx context.Context, part archive.Part, open func(context.Context) (io.ReadCloser, error), progress func(int64)) (primary.Result, error) {
	return primary.Feed(ctx, primary.Target{Addr: t.node.Address(), Password: t.cluster.Password},
		primary.Dump{Length: part.Bytes, Digest: part.Digest(), Version: part.RDBVersion, Keys: part.Keys, Expires: part.Expires, Open: open},
		primary.Options{ListenHost: loopback, OnProgress: progress})
}

// looks has commands for each type of value that read all of a small value, and the ends of a large one.
var looks = []struct {
	kind string
	look func(key string) [][]string
}{
	{"stream", func(key string) [][]string {
		return [][]string{{"XINFO", "STREAM", key, "FULL", "COUNT", "100"}, {"XRANGE", key, "-", "+", "COUNT", "100"}, {"XREVRANGE", key, "+", "-", "COUNT", "100"}}
	}},
	{"hash", func(key string) [][]string { return [][]string{{"HSCAN", key, "0", "COUNT", "100"}} }},
	{"list", func(key string) [][]string {
		return [][]string{{"LRANGE", key, "0", "99"}, {"LRANGE", key, "-100", "-1"}}
	}},
	{"set", func(key string) [][]string { return [][]string{{"SSCAN", key, "0", "COUNT", "100"}} }},
	{"zset", func(key string) [][]string {
		return [][]string{{"ZRANGE", key, "0", "99", "WITHSCORES"}, {"ZRANGE", key, "-100", "-1", "WITHSCORES"}}
	}},
	{"string", func(key string) [][]string { return [][]string{{"GETRANGE", key, "0", "99"}} }},
}

// use reads from every database what the node has loaded, within the bounds. A command that the node refuses does no harm.
func (t *trial) use(ctx context.Context) error {
	u := &trialUser{trial: t}
	if err := u.connect(ctx); err != nil {
		return err
	}
	defer func() { _ = u.conn.Close() }()
	keyspace, err := u.do(ctx, "INFO", "keyspace")
	if err != nil {
		return err
	}
	if _, err := u.do(ctx, "FUNCTION", "LIST"); err != nil {
		return err
	}
	for _, way := range looks {
		until := time.Now().Add(trialTime) // of real time: it bounds work
		for name := range resp.ParseInfo(keyspace.Str) {
			number, isDatabase := strings.CutPrefix(name, "db")
			if !isDatabase {
				continue
			}
			u.database = number
			if _, err := u.do(ctx, "SELECT", number); err != nil {
				return err
			}
			if err := u.walk(ctx, way.kind, way.look, until); err != nil {
				return err
			}
		}
	}
	_, err = u.do(ctx, "PING")
	return err
}

// trialUser is a client of a trial's node.
type trialUser struct {
	*trial
	conn     *resp.Conn
	database string
}

func (u *trialUser) connect(ctx context.Context) error {
	conn, err := u.Dial(ctx, u.cluster, u.node)
	if err != nil {
		return fmt.Errorf("use what was loaded: %w: %w", primary.ErrGone, err)
	}
	u.conn = conn
	return nil
}

// do sends a command. A refusal is an answer too, and so is a reply longer than what is read of it.
func (u *trialUser) do(ctx context.Context, command ...string) (resp.Value, error) {
	value, err := u.conn.Do(ctx, command...)
	if _, answered := errors.AsType[resp.Error](err); answered || err == nil {
		return value, nil
	}
	if !errors.Is(err, resp.ErrTooLarge) {
		return value, u.broken(err)
	}
	_ = u.conn.Close() // the rest of the reply is still in it
	if err := u.connect(ctx); err != nil {
		return value, err
	}
	_, _ = u.conn.Do(ctx, "SELECT", u.database) // if this fails, the next command does
	return resp.Value{}, nil
}

// broken says that the node stopped answering.
func (u *trialUser) broken(err error) error {
	return fmt.Errorf("use what was loaded: %w: %w", primary.ErrGone, err)
}

// walk looks at the keys of one type in one database.
func (u *trialUser) walk(ctx context.Context, kind string, look func(string) [][]string, until time.Time) error {
	for cursor, seen := "0", 0; ; {
		page, err := u.do(ctx, "SCAN", cursor, "COUNT", "200", "TYPE", kind)
		if err != nil || len(page.Array) != 2 {
			return err
		}
		for _, key := range page.Array[1].Strings() {
			for _, command := range look(key) {
				if _, err := u.do(ctx, command...); err != nil {
					return err
				}
			}
			if seen++; seen == trialKeys || time.Now().After(until) {
				return nil
			}
		}
		if cursor = page.Array[0].Str; cursor == "0" || time.Now().After(until) {
			return nil
		}
	}
}

// end stops the node and removes its folder.
func (t *trial) end(ctx context.Context) {
	t.trials.end(ctx, t.id())
}

func (t *trial) id() launch.ID { return launch.ID{Cluster: t.cluster.Name, Name: t.node.Name} }

// end stops a trial's node and removes its folder.
func (ts *trials) end(ctx context.Context, node launch.ID) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
	defer cancel()
	err := ts.Launcher.Stop(ctx, node.Cluster, node.Name, launch.NoSave)
	if err == nil {
		err = ts.Launcher.Remove(ctx, node.Cluster, node.Name)
	}
	if err != nil {
		ts.Logger.Error("remove a node that tried a snapshot out; the next start tries again", "node", node.Cluster+"/"+node.Name, "error", err)
	}
}

// isTrial tells whether it is a node of a trial, a drill or a recovery, or one that tells a value, which belongs to no cluster.
func isTrial(node launch.ID) bool {
	return strings.HasPrefix(node.Cluster, trialPrefix) || strings.HasPrefix(node.Cluster, drillPrefix) || strings.HasPrefix(node.Cluster, recoverPrefix) || strings.HasPrefix(node.Cluster, valuePrefix)
}

// endAll removes the nodes of trials, drills and recoveries that a killed console left.
func (ts *trials) endAll(ctx context.Context) {
	nodes, err := ts.Launcher.List(ctx)
	if err != nil {
		ts.Logger.Error("look for nodes that tried snapshots out", "error", err)
	}
	for _, node := range nodes {
		if isTrial(node) {
			ts.end(ctx, node)
		}
	}
}
