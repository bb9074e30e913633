package jobs_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"testing"

	"github.com/jonboulle/clockwork"
	"github.com/redis/go-redis/v9"

	"rekindle/internal/launch"
	"rekindle/internal/testkit"
	"rekindle/models"
)

// tampering has somebody change what a drill's node has loaded, right before the drill looks at the first value. What the console says to such a node
// goes through here; what the node says to the console, when it asks for the data, does not.
type tampering struct {
	launch.Launcher
	t      *testing.T
	change func(*redis.Client)
}

func (l tampering) Start(ctx context.Context, n launch.Node) error {
	if !strings.HasPrefix(n.Cluster, "0-drill-") {
		return l.Launcher.Start(ctx, n)
	}
	front, err := net.Listen("tcp", fmt.Sprintf("%s:%d", n.Host, n.Port))
	if err != nil {
		return launch.ErrPortTaken
	}
	l.t.Cleanup(func() { _ = front.Close() })
	n.Port = testkit.FreePort(l.t)
	address := models.Node{Host: n.Host, Port: n.Port}.Address()
	change := sync.OnceFunc(func() {
		client := redis.NewClient(&redis.Options{Addr: address, Password: n.Password.Reveal(), Protocol: 2, DisableIdentity: true})
		defer func() { _ = client.Close() }()
		l.change(client)
	})
	go func() {
		for {
			from, err := front.Accept()
			if err != nil {
				return
			}
			go pass(from, address, change)
		}
	}()
	return l.Launcher.Start(ctx, n)
}

// pass passes a connection on, and calls change before it passes the first question for a type.
func pass(from net.Conn, address string, change func()) {
	defer func() { _ = from.Close() }()
	to, err := net.Dial("tcp", address)
	if err != nil {
		return
	}
	defer func() { _ = to.Close() }()
	go func() { _, _ = io.Copy(from, to); _ = from.Close() }()
	for buffer := make([]byte, 128<<10); ; {
		n, err := from.Read(buffer)
		if bytes.Contains(buffer[:n], []byte("\r\nTYPE\r\n")) {
			change()
		}
		if _, failed := to.Write(buffer[:n]); err != nil || failed != nil {
			return
		}
	}
}

func TestDrillFindsValuesThatDiffer(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		hide bool
		says string
	}{
		"names are shown":  {false, "Of 26 keys that were compared, 6 have not the value that is stored. The log names them."},
		"names are hidden": {true, "Of 26 keys that were compared, 6 have not the value that is stored."},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx := t.Context()
			c := newConsole(t, clockwork.NewRealClock())
			c.stop()
			var log lines
			c.log = &log
			c.behind = func(l launch.Launcher) launch.Launcher {
				return tampering{l, t, func(node *redis.Client) {
					must(t, node.Set(ctx, "the string", "other", 0).Err())
					must(t, node.RPush(ctx, "the list", "one more").Err())
					must(t, node.HSet(ctx, "the hash", "field", "other").Err())
					must(t, node.ZAdd(ctx, "the zset", redis.Z{Score: 3, Member: "a"}).Err())
					must(t, node.Rename(ctx, "the set", "another name").Err())
					must(t, node.Del(ctx, "the other string").Err())
					must(t, node.SAdd(ctx, "the other string", "of another type").Err())
				}}
			}
			c.start()
			must(t, c.db.Settings.SaveHidesKeyNames(ctx, test.hide))
			source := c.primary(c.create(c.spec("orders", 0))[0])
			for i := range 20 {
				must(t, source.Set(ctx, fmt.Sprintf("same %d", i), i, 0).Err())
			}
			must(t, source.MSet(ctx, "the string", "value", "the other string", "value").Err())
			must(t, source.RPush(ctx, "the list", "a", "b").Err())
			must(t, source.HSet(ctx, "the hash", "field", "value").Err())
			must(t, source.ZAdd(ctx, "the zset", redis.Z{Score: 2, Member: "a"}).Err())
			must(t, source.SAdd(ctx, "the set", "a", "b").Err())
			c.snapshot("orders", "one")
			run, drill := c.drilled("one")
			if run.Status != models.RunFailed || drill.Outcome != models.DrillFailed || drill.Reason != test.says || drill.Sampled != 26 || drill.Differing != 6 || drill.Keys != 26 {
				t.Errorf("the run is %s (%s), the drill %+v", run.Status, run.Error, drill)
			}
			if events := c.events(); !strings.Contains(events, test.says) {
				t.Errorf("the events are\n%s", events)
			}
			if s := mustSnapshot(c, "one"); s.Status != models.SnapshotAvailable {
				t.Errorf("the snapshot is %s (%s)", s.Status, s.StatusReason)
			}
			if text := log.String(); strings.Contains(text, "the string") == test.hide || strings.Contains(text, "same 1") || !strings.Contains(text, "differing=6") {
				t.Errorf("the log is\n%s", text)
			}
			c.noDrills()
		})
	}
}
