package jobs

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/jonboulle/clockwork"

	"rekindle/internal/resp"
	"rekindle/internal/slots"
	"rekindle/internal/words"
	"rekindle/jobs/attached"
	"rekindle/jobs/nodes"
	"rekindle/jobs/reason"
	"rekindle/jobs/vault"
	"rekindle/models"
)

// How much a node of a cluster is asked for.
const (
	nowEntries = 16 << 20 // bytes that the entries that are shown may have, by what they have on average
	nowDump    = 4 << 20  // bytes of memory up to which a value is compared as a whole
	nowAtOnce  = 100      // entries that are shown; [vault.ValueReader] reads so many
)

// CompareKey sets a key that a search has found beside what the cluster has under its name now. The cluster is asked at a replica if one is in step, by commands that change nothing
// and cost it little. When it does not answer, the comparison says why. A refusal is [models.Faults].
func (m *Manager) CompareKey(ctx context.Context, key models.FoundKey, in models.FindSnapshot, cluster models.Cluster) (models.KeyComparison, error) {
	held, err := m.vault.Finder.Hold(ctx, key, in)
	if err != nil {
		return models.KeyComparison{}, err
	}
	defer held.Close(ctx)
	c := models.KeyComparison{Name: held.Name, Cluster: cluster.Name, Then: models.KeySide{FoundValue: held.Value, From: in.SnapshotName, At: in.TakenAt, There: true}}
	now := keyNow{operator: &m.nodes.Operator, clock: m.Clock, cluster: cluster, name: string(held.Name), database: key.Database, side: &c.Now, primary: &c.Primary}
	defer now.close()
	also, err := now.read(ctx, c.Then)
	c.Now.At = m.Clock.Now()
	if err != nil {
		if ctx.Err() != nil {
			return c, context.Cause(ctx)
		}
		if c.NotRead = now.why(err); c.NotRead == "" {
			return c, err
		}
		m.Logger.Info("a key could not be compared with what the cluster has now", "cluster", cluster.Name, "error", err)
	}
	return c, m.compare(ctx, &c, held, &now, also)
}

// compare looks up what only one side shows, and compares. The whole values are compared where what is shown of them leaves that open.
func (m *Manager) compare(ctx context.Context, c *models.KeyComparison, held *vault.HeldValue, now *keyNow, also map[string]models.ValueEntry) error {
	var alsoThen map[string]models.ValueEntry
	if c.Then.Unknown == "" && c.NotRead == "" {
		var err error
		if alsoThen, err = held.Lookup(ctx, c.Now.Strangers(c.Then)); err != nil {
			return err
		}
	}
	c.Compare(alsoThen, also)
	if c.Verdict != models.KeySameShown {
		return nil
	}
	dump, err := now.dump(ctx)
	if err != nil || dump == nil { // which may need a right more than the rest does
		m.Logger.Info("a value is not compared as a whole", "cluster", c.Cluster, "error", err)
		return nil
	}
	same, known, err := held.Same(ctx, dump)
	if err == nil && known {
		c.Settle(same)
	}
	return err
}

// keyNow reads a key of a cluster that runs.
type keyNow struct {
	operator *nodes.Operator
	clock    clockwork.Clock
	cluster  models.Cluster
	name     string
	database int
	side     *models.KeySide
	primary  *bool

	node   models.Node
	conn   *resp.Conn
	memory int64 // that the value takes; -1: not known
}

// errMoved says that the slot of a key is at another node by now.
var errMoved = errors.New("the slot of the key is at another node")

// askedError is what a node answered to one of the commands.
type askedError struct {
	command string
	said    resp.Error
}

func (e askedError) Error() string { return e.command + ": " + e.said.Error() }

func (e askedError) Unwrap() error { return e.said }

// read reads the key, and those entries that only the other side shows.
func (k *keyNow) read(ctx context.Context, then models.KeySide) (also map[string]models.ValueEntry, err error) {
	if err := k.connect(ctx); err != nil {
		return nil, err
	}
	k.side.From = k.node.Name
	if err := k.look(ctx); err != nil || !k.side.There {
		return nil, err
	}
	if err := k.size(ctx); err != nil || k.side.Unknown != "" {
		return nil, err
	}
	reader := vault.ValueReader{Key: k.name, Ask: k.ask}
	if err := reader.Read(ctx, &k.side.FoundValue); err != nil {
		return nil, err
	}
	return reader.Lookup(ctx, k.side.Type, then.Strangers(*k.side))
}

// connect connects to the node that is asked: a replica of the key's shard if one is in step.
func (k *keyNow) connect(ctx context.Context) error {
	shard, err := k.shard()
	if err != nil {
		return err
	}
	source, err := k.operator.Source(ctx, k.cluster, shard)
	if nodes.PasswordRefused(err) {
		return err
	} else if err != nil {
		return because(err, "No node of %s that could have the key answers.", k.cluster.Name)
	}
	k.node, *k.primary = source.Node, source.Fallback
	if k.conn, err = nodes.Dial(ctx, k.cluster, k.node); err != nil {
		return err
	}
	if k.cluster.Sharded() && k.node.Role == models.RoleReplica {
		if _, err := k.ask(ctx, "READONLY"); err != nil {
			return err
		}
	}
	if k.database > 0 {
		_, err = k.ask(ctx, "SELECT", strconv.Itoa(k.database))
	}
	return err
}

// shard is the one that has the key.
func (k *keyNow) shard() (models.Shard, error) {
	shards := k.cluster.Shards()
	if len(shards) == 0 {
		return models.Shard{}, because(nil, "The cluster %s has no nodes.", k.cluster.Name)
	}
	if !k.cluster.Sharded() {
		return shards[0], nil
	}
	if k.database > 0 {
		return models.Shard{}, because(nil, "The key is in database %d, and %s is in cluster mode, which has only database 0.", k.database, k.cluster.Name)
	}
	var sets []string
	for _, shard := range shards {
		sets = append(sets, shard.Slots)
	}
	where, err := slots.NewMap(sets)
	if err != nil {
		return models.Shard{}, fmt.Errorf("read slots of %s: %w", k.cluster.Name, err)
	}
	i := where.Find(slots.Of([]byte(k.name)))
	if i < 0 {
		return models.Shard{}, because(nil, "No node of %s serves the slot of the key now.", k.cluster.Name)
	}
	return shards[i], nil
}

// ask sends a command. One that the node does not know has an empty answer.
func (k *keyNow) ask(ctx context.Context, command ...string) (resp.Value, error) {
	reply, err := k.conn.Do(ctx, command...)
	said, answered := errors.AsType[resp.Error](err)
	switch {
	case !answered:
		return reply, err
	case said.UnknownCommand(), said.Code() == "ERR" && command[0] == "XINFO": // older engines have fewer words
		return resp.Value{}, nil
	case said.Code() == "MOVED", said.Code() == "ASK", said.Code() == "TRYAGAIN":
		return reply, errMoved
	}
	return reply, askedError{command[0], said}
}

// look finds out whether the key is there, of which type it is, and when it expires.
func (k *keyNow) look(ctx context.Context) error {
	kind, err := k.ask(ctx, "TYPE", k.name)
	if err != nil || kind.Str == "none" || kind.Str == "" {
		return err
	}
	left, err := k.ask(ctx, "PTTL", k.name)
	if err != nil || left.Int == -2 { // it has expired in between
		return err
	}
	k.side.There, k.side.Type, k.side.Size = true, kind.Str, -1
	if left.Int < 0 {
		return nil
	}
	at := k.clock.Now().Add(time.Duration(left.Int) * time.Millisecond)
	exactly, err := k.ask(ctx, "PEXPIRETIME", k.name) // from 7.0 on
	if exactly.Int > 0 {
		at = time.UnixMilli(exactly.Int)
	}
	k.side.ExpiresAt = &at
	return err
}

// counts are the commands that say how many entries a value has.
var counts = map[string]string{"hash": "HLEN", "list": "LLEN", "set": "SCARD", "zset": "ZCARD", "stream": "XLEN"}

// size makes sure that the entries that would be read are not so large that reading them is a burden.
func (k *keyNow) size(ctx context.Context) error {
	usage, err := k.ask(ctx, "MEMORY", "USAGE", k.name)
	if err != nil {
		return err
	}
	k.memory = usage.Int
	command, counted := counts[k.side.Type]
	if !counted {
		return nil
	}
	n, err := k.ask(ctx, command, k.name)
	if err == nil && n.Int > 0 && usage.Int/n.Int*min(n.Int, nowAtOnce) > nowEntries {
		k.side.Unknown = fmt.Sprintf("The value takes %s of memory in %s entries. These are too large to be read from a cluster that is at work.", words.Size(usage.Int), words.Number(n.Int))
	}
	return err
}

// dump is the value as DUMP has it; nil if it is too large for that, or gone.
func (k *keyNow) dump(ctx context.Context) ([]byte, error) {
	if k.memory <= 0 || k.memory > nowDump {
		return nil, nil
	}
	reply, err := k.ask(ctx, "DUMP", k.name)
	if err != nil || reply.Null {
		return nil, err
	}
	return []byte(reply.Str), nil
}

// why says in a sentence why the key could not be read; "": it is not for people to know.
func (k *keyNow) why(err error) string {
	asked, answered := errors.AsType[askedError](err)
	switch {
	case errors.Is(err, errMoved):
		return "The slot of the key is being moved, or was, to another node. Try again in a moment."
	case errors.Is(err, resp.ErrTooLarge):
		return "The entries of the value are too large to be read from a cluster that is at work."
	case answered && asked.said.Code() == "NOPERM" && (asked.command == "SELECT" || asked.command == "READONLY"):
		return fmt.Sprintf("The user that the console signs in as is not allowed to read the key at %s: it needs +%s, besides +@read on all keys (~*).", k.node.Name, strings.ToLower(asked.command))
	case answered && asked.said.Code() == "NOPERM":
		return fmt.Sprintf("The user that the console signs in as is not allowed to read the key at %s: it needs +@read, on all keys (~*). %s was refused.", k.node.Name, asked.command)
	case answered && asked.command == "SELECT":
		return fmt.Sprintf("%s has no database %d.", k.cluster.Name, k.database)
	case answered && asked.said.Code() == "WRONGTYPE":
		return "The key was changed while it was read. Try again."
	}
	if said, is := reason.Text(err); is {
		return said
	}
	return fmt.Sprintf("The node %s could not be asked. %s", k.node.Name, attached.Sentence(err, accessOf(k.cluster)))
}

func (k *keyNow) close() {
	if k.conn != nil {
		_ = k.conn.Close()
	}
}
