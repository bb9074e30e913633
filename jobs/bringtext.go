package jobs

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"rekindle/internal/resp"
	"rekindle/internal/restore"
	"rekindle/internal/words"
	"rekindle/models"
)

const (
	repeatBring = "Bring them back again to get the rest."
	namesTold   = 20 // how many names the event about keys has
)

// mayBring makes sure that the console's user may do what is to be done. What it sends has no effect.
func mayBring(ctx context.Context, o resp.Options, args models.BringBackArgs) error {
	conn, err := resp.Dial(ctx, o)
	if err != nil {
		return err
	}
	defer conn.Close()
	trials := [][]string{{"RESTORE", "rekindle", "0", "no value"}}
	if args.Rehearse {
		trials = append(trials, []string{"DUMP", "rekindle"})
	}
	for _, trial := range trials {
		_, err := conn.Do(ctx, trial...)
		refused, answered := errors.AsType[resp.Error](err)
		if err != nil && !answered {
			return err
		}
		if right := strings.ToLower(trial[0]); refused.Code() == "NOPERM" && strings.Contains(string(refused), " command") {
			return because(err, "The user is not allowed to do this at %s: it needs +%s, on all keys (~*). Nothing was written.", o.Addr, right)
		} else if refused.UnknownCommand() {
			return because(err, "The node %s does not know %s, as some proxies do not, so no keys can be brought back into it.", o.Addr, trial[0])
		}
	}
	return nil
}

func whyNoKeys(err error, cluster models.Cluster) string {
	if errors.Is(err, errNoDatabase) {
		return "The keys are in databases that it does not have. Choose one database, or raise its setting databases and restart it."
	}
	return whyNot(err, cluster)
}

// evictions says how many keys the cluster has evicted meanwhile; "" if none, or if that is not known.
func (t bringTarget) evictions(ctx context.Context, b *bringer) string {
	evicted, err := t.evictedMeanwhile(ctx)
	if err != nil {
		b.Logger.Warn("count what was evicted", "cluster", t.cluster.Name, "error", err)
	}
	if evicted == 0 {
		return ""
	}
	return fmt.Sprintf(" Meanwhile the cluster evicted %s, as its maxmemory-policy says.", words.Plural(evicted, "key"))
}

// outcomeOf is what became of the keys, as it is kept.
func outcomeOf(chosen restore.Chosen, b restore.Brought, s sought) models.Brought {
	out := models.Brought{Chosen: chosen.Keys, Bytes: chosen.Bytes, Added: b.Added, Replaced: b.Replaced, Skipped: b.Skipped, Expired: b.Expired, Alike: b.Alike, Unsure: b.Unsure}
	for _, k := range b.Keys {
		out.Keys = append(out.Keys, models.BroughtKey{Database: k.Database, Name: k.Name, Length: k.Length, Type: k.Type, Fate: string(k.Fate), Alike: k.Alike})
	}
	for _, found := range s.found {
		if !found {
			out.Missing++
		}
	}
	return out
}

// soFar says how far it came. mayLose tells that a replica may have taken over.
func soFar(b models.Brought, mayLose bool) string {
	if b.Written() == 0 && b.Unsure == 0 {
		return "Nothing had been written by then."
	}
	text := keysText(b.Written()) + " of " + words.Number(b.Chosen) + " had been written by then, and they stay"
	if b.Written() > 0 && mayLose {
		text = keysText(b.Written()) + " of " + words.Number(b.Chosen) + " had been written by then, of which a replica that takes over may lack the last ones"
	}
	if b.Skipped > 0 {
		text += "; " + words.Number(b.Skipped) + " had been skipped"
	}
	if b.Unsure > 0 {
		text += "; of " + words.Number(b.Unsure) + " more it is not known, because they were sent and not answered"
	}
	return text + ". " + repeatBring
}

func keysText(n int64) string { return words.Plural(n, "key") }

// broughtMessage is the message of the event about keys that were brought back.
func (b *bringer) broughtMessage(ctx context.Context, run models.Run, out models.Brought) string {
	var counts []string
	for _, c := range []struct {
		n    int64
		what string
	}{{out.Added, "new"}, {out.Replaced, "replaced"}, {out.Skipped, "skipped because the cluster has them"}, {out.Expired, "left out because their time has passed"}} {
		if c.n > 0 {
			counts = append(counts, words.Number(c.n)+" "+c.what)
		}
	}
	message := fmt.Sprintf("Keys of the snapshot %s were brought back into %s: %s.", run.SnapshotName, run.ClusterName, strings.Join(counts, ", "))
	if out.Missing > 0 {
		message += fmt.Sprintf(" The snapshot does not have %s of those that were named.", words.Number(out.Missing))
	}
	hide, err := b.DB.Settings.HidesKeyNames(ctx)
	if err != nil {
		b.Logger.Error("find out whether names of keys are hidden", "error", err)
	}
	if names := namesOf(out); !hide && err == nil && names != "" {
		message += " Written: " + names + "."
	}
	return message
}

// namesOf lists keys that were written.
func namesOf(out models.Brought) string {
	var names []string
	for _, k := range out.Keys {
		if (k.Fate == string(restore.Added) || k.Fate == string(restore.Replaced)) && len(names) < namesTold {
			name := words.QuoteKey(string(k.Name))
			if k.Length > len(k.Name) {
				name += "…"
			}
			names = append(names, name)
		}
	}
	text := strings.Join(names, ", ")
	if more := out.Written() - int64(len(names)); more > 0 && len(names) > 0 {
		text += " and " + words.Number(more) + " more"
	}
	return text
}
