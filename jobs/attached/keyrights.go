package attached

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"rekindle/internal/logical"
	"rekindle/internal/resp"
	"rekindle/models"
)

// keyRights are what the console's user may do at nodes that are read key by key.
type keyRights struct {
	lacks   []string // rights without which nothing can be read
	useful  []string // rights without which something is missing in a snapshot
	unknown []string // commands that the node does not know
	older   bool     // before 7.0, a node has no PEXPIRETIME and no functions
	cluster bool     // it is in cluster mode
	moves   bool     // slots may be moving there without a mark
}

// trial is a command that shows whether the user has a right.
type trial struct {
	right   string
	command []string
}

// trials have no effect, and name a key that need not be there. EXEC comes last: where it is refused, the transaction may stay open.
func (r keyRights) trials() []trial {
	const key = "rekindle"
	all := []trial{{"+scan", []string{"SCAN", "0", "COUNT", "1"}}, {"+dump", []string{"DUMP", key}}}
	if r.older {
		all = append(all, trial{"+time", []string{"TIME"}}, trial{"+pttl", []string{"PTTL", key}})
	} else {
		all = append(all, trial{"+pexpiretime", []string{"PEXPIRETIME", key}})
	}
	if r.cluster {
		all = append(all, trial{"+readonly", []string{"READONLY"}})
	}
	return append(all, trial{"+select", []string{"SELECT", "0"}}, trial{"+multi", []string{"MULTI"}}, trial{"+exec", []string{"EXEC"}})
}

// askKeyRights finds out what the user may do at a node.
func askKeyRights(ctx context.Context, o resp.Options) (keyRights, error) {
	conn, err := resp.Dial(ctx, o)
	if err != nil {
		return keyRights{}, err
	}
	defer conn.Close()
	info, err := conn.Info(ctx, "server", "cluster")
	if err != nil {
		return keyRights{}, err
	}
	engine, version := info.Engine()
	text, _, _ := strings.Cut(version, ".")
	major, _ := strconv.Atoi(text)
	r := keyRights{older: major < 7, cluster: info["cluster_enabled"] == "1"}
	r.moves = r.cluster && engine == "valkey" && major >= 9
	if !r.older {
		if forbids, err := refusal(conn.Do(ctx, "FUNCTION", "DUMP")); err != nil {
			return r, err
		} else if forbids != "" {
			r.useful = append(r.useful, "+function|dump")
		}
	}
	for _, t := range r.trials() {
		switch forbids, err := refusal(conn.Do(ctx, t.command...)); {
		case err != nil:
			return r, err
		case forbids.UnknownCommand():
			r.unknown = append(r.unknown, t.command[0])
		case forbids != "" && !strings.Contains(string(forbids), " command"): // but the keys
			r.lacks = append(r.lacks, "~*")
		case forbids != "":
			r.lacks = append(r.lacks, t.right)
		}
	}
	return r, nil
}

// refusal is the answer of a node that does not allow a command or does not know it; "": it does, whatever it says.
func refusal(_ resp.Value, err error) (resp.Error, error) {
	reply, refused := errors.AsType[resp.Error](err)
	if err != nil && !refused {
		return "", err
	}
	if strings.Contains(string(reply), "NOPERM") || reply.UnknownCommand() { // which EXEC puts behind words of its own
		return reply, nil
	}
	return "", nil
}

// and adds what was found out at another node.
func (r keyRights) and(other keyRights) keyRights {
	r.lacks, r.useful = unique(append(r.lacks, other.lacks...)), unique(append(r.useful, other.useful...))
	r.older, r.cluster, r.moves = r.older || other.older, r.cluster || other.cluster, r.moves || other.moves
	return r
}

// line is the command that gives a user what reading key by key needs, and nothing else; "": it has that.
func (r keyRights) line(user string) string {
	if len(r.lacks)+len(r.useful) == 0 {
		return ""
	}
	return keysLine(user, r)
}

// keysLine is RightsLine for reading key by key.
func keysLine(user string, r keyRights) string {
	if user == "" {
		user = "rekindle"
	}
	rights := []string{"~*"}
	for _, t := range r.trials() {
		rights = append(rights, t.right)
	}
	rights = append(rights, "+info", "+ping")
	if r.cluster {
		rights = append(rights, "+cluster|nodes")
	}
	if r.moves {
		rights = append(rights, "+cluster|getslotmigrations")
	}
	if !r.older {
		rights = append(rights, "+function|dump")
	}
	return "ACL SETUSER " + user + " " + strings.Join(append(rights, "+client|setname"), " ")
}

// hindrances say what prevents a snapshot.
func (r keyRights) hindrances(addr string) []string {
	var texts []string
	if rights := slices.Clone(r.lacks); len(rights) > 0 {
		slices.Sort(rights)
		texts = append(texts, "The user is not allowed to read keys: it needs "+strings.Join(slices.Compact(rights), " ")+".")
	}
	if len(r.unknown) > 0 {
		texts = append(texts, fmt.Sprintf("The node %s does not know %s, as some proxies do not, so its keys cannot be read.", addr, strings.Join(r.unknown, ", ")))
	}
	return texts
}

// tryKeys finds out what prevents reading a node key by key.
func tryKeys(ctx context.Context, o resp.Options, a models.Access, e *models.Examination) keyRights {
	r, err := askKeyRights(ctx, o)
	if err == nil {
		e.Hindrances = append(e.Hindrances, r.hindrances(o.Addr)...)
		if len(r.useful) > 0 {
			e.Notes = append(e.Notes, "Functions will be missing from snapshots: the user needs "+strings.Join(r.useful, " ")+".")
		}
		if len(r.lacks)+len(r.unknown) == 0 {
			err = logical.Try(ctx, o)
		}
	}
	for _, is := range []error{logical.ErrRefused, logical.ErrUntied, logical.ErrLoading, logical.ErrStale, logical.ErrMoved} {
		if errors.Is(err, is) {
			e.Hindrances = append(e.Hindrances, fmt.Sprintf("The node %s: %s.", o.Addr, is))
			return r
		}
	}
	if err != nil {
		e.Hindrances = append(e.Hindrances, Sentence(err, a))
	}
	return r
}
