package primary

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"

	"rekindle/internal/rdb"
	"rekindle/internal/resp"
	"rekindle/internal/secret"
)

// control is the connection over which the target gets its commands.
type control struct{ *resp.Conn }

// dial connects to the target, which gets this long for each command; 0: the default.
func dial(ctx context.Context, target Target, timeout time.Duration) (*control, error) {
	conn, err := resp.Dial(ctx, resp.Options{Addr: target.Addr, Username: target.Username, Password: target.Password, TLS: target.TLS, Timeout: timeout})
	if err != nil {
		return nil, err
	}
	return &control{conn}, nil
}

// errLoading comes with ErrRefused.
var errLoading = errors.New("it is loading data")

// do runs a command. Its errors distinguish a target that refuses (ErrRefused, with advice) from one that is gone (ErrGone);
// they never contain secrets from the arguments.
func (c *control) do(ctx context.Context, what string, args ...string) (resp.Value, error) {
	value, err := c.Do(ctx, args...)
	if err == nil {
		return value, nil
	}
	reply, refused := errors.AsType[resp.Error](err)
	switch {
	case refused && reply.UnknownCommand(): // the reply repeats the arguments
		return value, fmt.Errorf("%w: it does not know %s; is the command renamed or disabled there?", ErrRefused, args[0])
	case refused && reply.Code() == "NOPERM":
		return value, fmt.Errorf("%w: its user may not %s; allow it +replicaof +config|get +config|set +info +ping (%w)", ErrRefused, what, err)
	case refused && reply.Code() == "LOADING":
		return value, fmt.Errorf("%w: %w: try again later (%w)", ErrRefused, errLoading, err)
	case refused:
		return value, fmt.Errorf("%s: %w: %w", what, ErrRefused, err)
	case ctx.Err() != nil:
		return value, context.Cause(ctx)
	}
	return value, fmt.Errorf("%s: %w: %w", what, ErrGone, err)
}

// info asks for everything in one command, so that the figures belong together.
func (c *control) info(ctx context.Context) (resp.Info, error) {
	value, err := c.do(ctx, "read INFO", "INFO")
	return resp.ParseInfo(value.Str), err
}

// ping asks whether the target is alive. Any answer will do: while it loads it answers with an error.
func (c *control) ping(ctx context.Context) error {
	_, err := c.Do(ctx, "PING")
	if _, answered := errors.AsType[resp.Error](err); answered || err == nil {
		return nil
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return fmt.Errorf("%w: %w", ErrGone, err)
}

// replicaOf attaches the target to a primary; ("NO", "ONE") promotes it.
func (c *control) replicaOf(ctx context.Context, host, port string) error {
	_, err := c.do(ctx, "attach it to a primary (REPLICAOF)", "REPLICAOF", host, port)
	return err
}

// inspect refuses a target that must not, or cannot, be fed. It changes nothing.
func (f *feeder) inspect(ctx context.Context) error {
	info, err := f.control.info(ctx)
	if err != nil {
		return err
	}
	engine, version := info.Engine()
	switch {
	case info.Int("loading") != 0:
		return fmt.Errorf("%w: it is loading data: try again later", ErrRefused)
	case info.Int("cluster_enabled") != 0:
		return fmt.Errorf("%w: it runs in cluster mode, where REPLICAOF is not available", ErrRefused)
	case info["role"] != "master" && !isHeld(info):
		return fmt.Errorf("%w: it is a replica of %s: promote it first", ErrRefused, net.JoinHostPort(info["master_host"], info["master_port"]))
	case info.Int("connected_slaves") != 0:
		return fmt.Errorf("%w: it has replicas, which would be emptied and filled with it: detach them first", ErrRefused)
	case info.Keys() != 0:
		return fmt.Errorf("%w (%d keys)", ErrNotEmpty, info.Keys())
	case !rdb.CanLoad(engine, version, f.dump.Version):
		return fmt.Errorf("%w: %s %s cannot load RDB version %d", ErrVersion, engine, version, f.dump.Version)
	}
	f.evicted, f.wasHeld = info.Int("evicted_keys"), isHeld(info)
	return nil
}

// isHeld tells whether a target is a replica of Nobody.
func isHeld(info resp.Info) bool {
	return info["role"] == "slave" && info["master_host"] == Nobody.Host && info["master_port"] == strconv.Itoa(Nobody.Port)
}

// setting is a configuration value of the target as it was before.
type setting struct {
	name  string
	value secret.Text
}

// protect makes the target sign in with password wherever it connects to as a replica. If the data fitted into such a node before, it also keeps the
// target from evicting any before the keys are counted. It returns the old values of the settings that it has changed, also with an error.
func (c *control) protect(ctx context.Context, password secret.Text, fitted bool) ([]setting, error) {
	var old []setting
	if fitted {
		limit, err := c.configGet(ctx, "maxmemory")
		if err != nil {
			return nil, err
		}
		old = append(old, setting{"maxmemory", limit})
		if err := c.configSet(ctx, setting{"maxmemory", "0"}); err != nil {
			return old, err
		}
	}
	user, err := c.configGet(ctx, "masteruser")
	if err != nil {
		return old, err
	}
	auth, err := c.configGet(ctx, "masterauth")
	if err != nil {
		return old, err
	}
	if user != "" { // servers before 6.0 have none
		old = append(old, setting{"masteruser", user})
		if err := c.configSet(ctx, setting{"masteruser", ""}); err != nil {
			return old, err
		}
	}
	old = append(old, setting{"masterauth", auth})
	return old, c.configSet(ctx, setting{"masterauth", password})
}

// configGet returns the value of a setting, "" if the target does not have it.
func (c *control) configGet(ctx context.Context, name string) (secret.Text, error) {
	value, err := c.do(ctx, "read its setting "+name+" (CONFIG GET)", "CONFIG", "GET", name)
	if err != nil {
		return "", err
	}
	if pair := value.Strings(); len(pair) == 2 {
		return secret.Text(pair[1]), nil
	}
	return "", nil
}

func (c *control) configSet(ctx context.Context, s setting) error {
	_, err := c.do(ctx, "change its setting "+s.name+" (CONFIG SET)", "CONFIG", "SET", s.name, s.value.Reveal())
	return err
}

// Nobody is the primary of a node that must not be written to: nothing listens there, and only root could. A target that failed and holds data is
// made a replica of it: so it stays read-only, and asks no stranger for data at the port that was ours.
var Nobody = struct {
	Host string
	Port int
}{"127.0.0.1", 1}

// cleanUp restores the target's settings and, after a failure, makes sure that it is not a primary with data.
func (f *feeder) cleanUp(ctx context.Context, old []setting, failed bool) error {
	if len(old) == 0 && !f.attached {
		return nil
	}
	// It needs a new connection: the other one may have been interrupted in the middle of a reply.
	c, err := dial(ctx, f.target, 0)
	if err != nil {
		return fmt.Errorf("its setting masterauth could not be put back: %w", err)
	}
	defer func() { _ = c.Close() }()
	var errs []error
	if failed && f.attached {
		if err := c.detach(ctx, f.wasHeld); err != nil {
			errs = append(errs, fmt.Errorf("the target could not be released: %w", err))
		}
	}
	for _, s := range old {
		if err := c.configSet(ctx, s); err != nil {
			errs = append(errs, fmt.Errorf("put back: %w", err))
		}
	}
	return errors.Join(errs...)
}

// detach makes an empty target a primary again, and one that has data, or was held before, a replica of Nobody. A target may just have begun to load
// what has arrived without having said so when it was looked at; then it is waited for once more.
func (c *control) detach(ctx context.Context, wasHeld bool) error {
	for {
		err := c.detachSettled(ctx, wasHeld)
		if !errors.Is(err, errLoading) {
			return err
		}
	}
}

func (c *control) detachSettled(ctx context.Context, wasHeld bool) error {
	info, err := c.settled(ctx)
	if err != nil {
		return err
	}
	switch {
	case wasHeld || info.Keys() != 0:
		return c.replicaOf(ctx, Nobody.Host, strconv.Itoa(Nobody.Port))
	case info["role"] != "master":
		return c.replicaOf(ctx, "NO", "ONE")
	}
	return nil
}

// settled waits until the target has noticed that the load was broken off, and has discarded what it had loaded.
func (c *control) settled(ctx context.Context) (resp.Info, error) {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		info, err := c.info(ctx)
		if err != nil {
			return nil, err
		}
		if info.Int("loading") == 0 && info.Int("async_loading") == 0 {
			return info, nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil, fmt.Errorf("it is still loading after %s", cleanUpTime)
		}
	}
}

// loaded checks the data that the target says it has loaded. It returns what was found, and how much memory of what counts it takes.
func (f *feeder) loaded(ctx context.Context) (resp.Info, int64, error) {
	loaded, err := f.control.info(ctx)
	if err != nil {
		return nil, 0, err
	}
	if !f.inStep(loaded) {
		return nil, 0, fmt.Errorf("%w: it has acknowledged the data, and yet is %s of %s with its link %s", ErrGone,
			strings.ReplaceAll(loaded["role"], "slave", "replica"), net.JoinHostPort(loaded["master_host"], loaded["master_port"]), loaded["master_link_status"])
	}
	keys := loaded.Keys()
	used := loaded.Int("used_memory") - loaded.Int("mem_not_counted_for_evict")
	switch limit := loaded.Int("maxmemory"); {
	case f.dump.Keys >= 0 && keys != f.dump.Keys:
		return nil, 0, fmt.Errorf("%w: %d keys were loaded, %d were sent", ErrCount, keys, f.dump.Keys)
	case loaded.Int("evicted_keys") != f.evicted:
		return nil, 0, fmt.Errorf("%w: it evicted %d keys while it loaded", ErrTooBig, loaded.Int("evicted_keys")-f.evicted)
	case limit > 0 && used > limit:
		return nil, 0, fmt.Errorf("%w: it takes %d bytes of %d", ErrTooBig, used, limit)
	}
	return loaded, used, nil
}

// inStep tells whether the target is our replica and its link is up.
func (f *feeder) inStep(info resp.Info) bool {
	return info["role"] == "slave" && info["master_port"] == f.srv.port && info["master_link_status"] == "up"
}

// promote checks the loaded data, makes the target a primary, and checks again.
func (f *feeder) promote(ctx context.Context) (Result, error) {
	loaded, used, err := f.loaded(ctx)
	if err != nil {
		return Result{}, err
	}
	keys := loaded.Keys()
	if err := f.control.replicaOf(ctx, "NO", "ONE"); err != nil {
		return Result{}, err
	}
	now, err := f.control.info(ctx)
	if err != nil {
		return Result{}, err
	}
	missing := keys - now.Keys()
	switch evicted := now.Int("evicted_keys") - f.evicted; {
	case now["role"] != "master":
		return Result{}, fmt.Errorf("%w: it did not become a primary", ErrRefused)
	case evicted != 0:
		return Result{}, fmt.Errorf("%w: it evicted %d keys when it was promoted", ErrTooBig, evicted)
	case missing < 0 || missing > expired(now)-expired(loaded):
		return Result{}, fmt.Errorf("%w: %d keys before the promotion, %d after it, %d were dropped as their time had passed",
			ErrCount, keys, now.Keys(), expired(now)-expired(loaded))
	}
	return Result{Keys: now.Keys(), Expired: missing, Memory: used}, nil
}

// expired is how many keys, or fields of hashes, have expired at the target. A key goes with its last field.
func expired(info resp.Info) int64 {
	return info.Int("expired_keys") + info.Int("expired_subkeys") + info.Int("expired_fields")
}

// portText is the port of an address, for REPLICAOF.
func portText(addr net.Addr) string { return strconv.Itoa(addr.(*net.TCPAddr).Port) }
