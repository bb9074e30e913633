// Package formation makes nodes that were started in cluster mode one cluster: it assigns slots, introduces nodes to each other, and changes who is
// whose replica. It keeps no state: the nodes know what a cluster is. See https://redis.io/docs/latest/operate/oss_and_stack/reference/cluster-spec/.
package formation

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"rekindle/internal/drain"
	"rekindle/internal/resp"
	"rekindle/internal/slots"
)

// ErrApart: the nodes did not become one cluster, or are not one, within the time that they were given.
var ErrApart = errors.New("the nodes do not agree about their cluster")

// pollEvery is how often nodes are asked about what spreads among them by gossip, which takes a second or two.
const pollEvery = 50 * time.Millisecond

// Node is a node in cluster mode: how it is reached from here, and where the others find it.
type Node struct {
	resp.Options
	Host string // an IP address; nodes do not look up names
	Port int
}

// Primary is an empty node that is to get these slots, such as "0-5460".
type Primary struct {
	Node
	Slots string
}

// Form makes primaries that were just started one cluster, and returns when each of them says that all slots are served. When the context ends first,
// the error is ErrApart.
func Form(ctx context.Context, primaries []Primary) error {
	for i, p := range primaries {
		if err := p.claim(ctx, i+1); err != nil {
			return err
		}
	}
	for _, p := range primaries[1:] {
		if err := primaries[0].meet(ctx, p.Node); err != nil {
			return err
		}
	}
	for _, p := range primaries {
		if err := p.agree(ctx, len(primaries)); err != nil {
			return err
		}
	}
	return nil
}

// claim gives the node its slots. With different epochs from the start, the nodes need not resolve a conflict. A node that was started with data has
// taken the slots of its keys already.
func (p Primary) claim(ctx context.Context, epoch int) error {
	nodes, err := p.tell(ctx, []string{"CLUSTER", "NODES"})
	if err != nil {
		return err
	}
	missing, err := lacking(p.Slots, readPlace(nodes).Slots)
	if err != nil {
		return fmt.Errorf("give slots to %s: %w", p.Addr, err)
	}
	commands := [][]string{{"CLUSTER", "SET-CONFIG-EPOCH", strconv.Itoa(epoch)}}
	if len(missing) > 0 {
		commands = append(commands, append([]string{"CLUSTER", "ADDSLOTS"}, missing...))
	}
	_, err = p.tell(ctx, commands...)
	return err
}

// lacking lists the slots of a set that are not in another one, which must have no others.
func lacking(all, some string) (missing []string, err error) {
	sets := []string{all}
	if some != "" {
		sets = append(sets, some)
	}
	has, err := slots.NewMap(sets)
	if err != nil {
		return nil, err
	}
	wanted, err := slots.NewMap(sets[:1])
	if err != nil {
		return nil, err
	}
	for slot := range slots.Count {
		switch {
		case wanted.Find(slot) < 0 && has.Find(slot) >= 0:
			return nil, fmt.Errorf("it has keys of slot %d, which is to be another node's", slot)
		case has.Find(slot) == 0:
			missing = append(missing, strconv.Itoa(slot))
		}
	}
	return missing, nil
}

// meet introduces another node, which learns all that this one knows.
func (n Node) meet(ctx context.Context, other Node) error {
	_, err := n.tell(ctx, []string{"CLUSTER", "MEET", other.Host, strconv.Itoa(other.Port)})
	return err
}

// agree waits until the node knows this many shards, and finds the cluster complete.
func (n Node) agree(ctx context.Context, shards int) error {
	return n.until(ctx, func(info resp.Info) string {
		state, size := info["cluster_state"], int(info.Int("cluster_size"))
		if state == "ok" && size == shards {
			return ""
		}
		return fmt.Sprintf("%s says %q, with %d of %d shards", n.Addr, state, size, shards)
	})
}

// Agree waits until every node knows all the others, and which of them are replicas. Before that, a replica that loses its primary could not take
// over: it would not yet know what the primary served.
func Agree(ctx context.Context, nodes []Node, shards int) error {
	for _, n := range nodes {
		if err := n.knows(ctx, len(nodes), shards); err != nil {
			return err
		}
	}
	return nil
}

// over tells that the time is up. A connection that is cut off by the context's deadline may fail a moment before the context says so.
func over(ctx context.Context) bool {
	deadline, has := ctx.Deadline()
	return ctx.Err() != nil || has && !time.Now().Before(deadline)
}

func (n Node) knows(ctx context.Context, nodes, shards int) error {
	lacks := ""
	for {
		text, err := n.tell(ctx, []string{"CLUSTER", "NODES"})
		if err != nil && (!over(ctx) || lacks == "") {
			return err
		}
		if err == nil {
			known, replicas, served := census(text)
			if known == nodes && replicas == nodes-shards && served == slots.Count {
				return n.agree(ctx, shards)
			}
			lacks = fmt.Sprintf("%s knows %d of %d nodes, %d of %d replicas and %d slots", n.Addr, known, nodes, replicas, nodes-shards, served)
		}
		if !drain.Pause(ctx, pollEvery) {
			return fmt.Errorf("%w: %s: %w", ErrApart, lacks, context.Cause(ctx))
		}
	}
}

// until asks the node for CLUSTER INFO until nothing is missing.
func (n Node) until(ctx context.Context, missing func(resp.Info) string) error {
	lacks := ""
	for {
		answer, err := n.tell(ctx, []string{"CLUSTER", "INFO"})
		if err != nil && (!over(ctx) || lacks == "") {
			return err
		}
		if err == nil {
			if lacks = missing(resp.ParseInfo(answer)); lacks == "" {
				return nil
			}
		}
		if !drain.Pause(ctx, pollEvery) { // or the time was over while it was asked
			return fmt.Errorf("%w: %s: %w", ErrApart, lacks, context.Cause(ctx))
		}
	}
}

// Join makes an empty node that was just started a replica of a node of the cluster. Whether it is in step, the node itself says.
func Join(ctx context.Context, node, primary Node) error {
	id, err := primary.ID(ctx)
	if err != nil {
		return err
	}
	if err := primary.meet(ctx, node); err != nil {
		return err
	}
	for {
		err := node.Replicate(ctx, id)
		if refusal, ok := errors.AsType[resp.Error](err); !ok || !strings.Contains(string(refusal), "Unknown node") {
			return err
		}
		if !drain.Pause(ctx, pollEvery) {
			return fmt.Errorf("%w: %s does not know %s: %w", ErrApart, node.Addr, primary.Addr, context.Cause(ctx))
		}
	}
}

// ID is what the cluster calls the node.
func (n Node) ID(ctx context.Context) (string, error) {
	return n.tell(ctx, []string{"CLUSTER", "MYID"})
}

// Replicate makes the node a replica of the one with this ID. A node that has slots or, as a primary, keys refuses.
func (n Node) Replicate(ctx context.Context, id string) error {
	_, err := n.tell(ctx, []string{"CLUSTER", "REPLICATE", id})
	return err
}

// TakeOver makes a replica the primary of its shard without asking anybody: neither its primary, which may be dead, nor the other shards, which may
// be too few to vote. Writes that have not reached the replica are lost.
func (n Node) TakeOver(ctx context.Context) error {
	_, err := n.tell(ctx, []string{"CLUSTER", "FAILOVER", "TAKEOVER"})
	return err
}

// attempt is somewhat longer than the nodes' own limit (5 s) for handing over a shard.
const attempt = 6 * time.Second

// Succeed has a replica take over from its living primary, which stops accepting writes until the replica has them all: nothing is lost. It returns
// when the replica is the primary. An attempt that the nodes give up, for example because the other shards do not know the replica yet, is repeated
// until the context ends; then the error is ErrApart.
func (n Node) Succeed(ctx context.Context) error {
	for ctx.Err() == nil {
		if _, err := n.tell(ctx, []string{"CLUSTER", "FAILOVER"}); err != nil {
			return err
		}
		for until := time.Now().Add(attempt); time.Now().Before(until) && drain.Pause(ctx, pollEvery); {
			answer, err := n.tell(ctx, []string{"INFO", "replication"})
			if err != nil {
				return err
			}
			if resp.ParseInfo(answer)["role"] == "master" {
				return nil
			}
		}
	}
	return fmt.Errorf("%w: %s was not let to be the primary: %w", ErrApart, n.Addr, context.Cause(ctx))
}

// Forget has these nodes forget one that is gone. It is fine if some do not know it. It must have stopped answering: a node that still hears of it
// learns it again.
func Forget(ctx context.Context, nodes []Node, id string) error {
	var failures []error
	for _, n := range nodes {
		_, err := n.tell(ctx, []string{"CLUSTER", "FORGET", id})
		if refusal, ok := errors.AsType[resp.Error](err); ok && strings.Contains(string(refusal), "Unknown node") {
			continue
		}
		failures = append(failures, err)
	}
	return errors.Join(failures...)
}

// tell sends commands to the node and returns the answer to the last of them.
func (n Node) tell(ctx context.Context, commands ...[]string) (string, error) {
	conn, err := resp.Dial(ctx, n.Options)
	if err != nil {
		return "", err
	}
	defer conn.Close()
	answer := ""
	for _, command := range commands {
		v, err := conn.Do(ctx, command...)
		if err != nil {
			return "", fmt.Errorf("%s to %s: %w", strings.Join(command[:min(2, len(command))], " "), n.Addr, err)
		}
		answer = v.Str
	}
	return strings.TrimSpace(answer), nil
}
