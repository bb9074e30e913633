package web

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/a-h/templ"

	"rekindle/internal/words"
	"rekindle/models"
	"rekindle/views"
)

// compareWithNow sets a key that was found beside what its cluster has now. Neither is kept anywhere.
func (h findPages) compareWithNow(w http.ResponseWriter, r *http.Request) error {
	key, err := h.key(r)
	if err != nil {
		return err
	}
	cluster, err := h.db.Clusters.Get(r.Context(), key.run.ClusterName)
	if models.HasCode(err, models.CodeClusterNotFound) {
		return h.done(w, r, findAddress(key.run.ID), "info", fmt.Sprintf("There is no cluster %s any more, so there is nothing to compare the key with.", key.run.ClusterName))
	} else if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(r.Context(), valueTimeout)
	defer cancel()
	compared, err := h.jobs.CompareKey(ctx, key.FoundKey, key.in, cluster)
	if faults, refused := models.AsFaults(err); refused {
		return h.done(w, r, findAddress(key.run.ID), "info", faults.Error())
	} else if err != nil {
		return err
	}
	props := presentKeyComparison(compared)
	props.Run, props.Key, props.Snapshot, props.Database = runID(key.run.ID), key.id, key.in.SnapshotName, key.Database
	if compared.Primary && !cluster.HasReplica() {
		props.Primary = "from the primary, because there is no replica"
	}
	props.Then.Stored = views.SizeText(key.Bytes)
	if props.Name = key.name; len(compared.Name) == key.Length {
		props.Name = words.KeyName(string(compared.Name))
	}
	w.Header().Set("Cache-Control", "no-store")
	return h.page(w, r, key.place("A key then and now"), func(shell views.Shell) templ.Component { return views.KeyComparisonPage(shell, props) })
}

func presentKeyComparison(c models.KeyComparison) views.KeyComparison {
	p := views.KeyComparison{Cluster: c.Cluster, NotRead: c.NotRead, Then: presentSide(c.Then), Now: presentSide(c.Now), LabelHead: compareHeads[c.Then.Type],
		Cut: c.Then.Cut || c.Now.Cut, MoreGroups: c.Then.MoreGroups+c.Now.MoreGroups > 0}
	p.Then.Title = c.Then.From
	p.Now.Title = c.Cluster
	if c.Now.From != "" {
		p.Now.Title = "node " + c.Now.From
	}
	if c.Primary {
		p.Primary = "from the primary, because no replica is in step"
	}
	p.Tone, p.Verdict = verdictText(c)
	for _, one := range c.Changes {
		p.Changes = append(p.Changes, presentChange(c.Then.Type, one))
	}
	for _, g := range c.Groups {
		shown := views.GroupChange{Change: string(g.Change), Name: words.KeyName(g.Name)}
		if g.Then != nil {
			then := presentGroup(*g.Then)
			shown.Then = &then
		}
		if g.Now != nil {
			now := presentGroup(*g.Now)
			shown.Now = &now
		}
		p.Groups = append(p.Groups, shown)
	}
	if len(c.Changes) == 0 && c.Then.Unknown == "" { // of a side alone
		for _, e := range c.Then.Entries {
			then := e
			p.Changes = append(p.Changes, presentChange(c.Then.Type, models.EntryChange{Change: alone(c), Then: &then}))
		}
	}
	return p
}

// clockTolerance is by how much the clocks of the console and of a node before Redis 7.0 may differ, which says how long a key has left and not until when.
const clockTolerance = 2 * time.Second

// compareHeads are what the entries of both sides are paired by.
var compareHeads = map[string]string{"hash": "Field", "list": "Index", "stream": "ID"}

// alone says what the entries are called of a key that the cluster does not have as such.
func alone(c models.KeyComparison) models.Change {
	if c.Verdict == models.KeyUnknown || c.Now.Unknown != "" {
		return "not compared"
	}
	return models.Removed
}

func presentSide(k models.KeySide) views.KeySide {
	p := views.KeySide{At: k.At, There: k.There, Type: k.Type, LastID: k.LastID, Unknown: k.Unknown}
	unit := "entry"
	if k.Type == "string" {
		unit = "byte"
	}
	if k.Size >= 0 && k.There {
		p.Size = views.Plural(k.Size, unit)
	}
	if k.ExpiresAt != nil {
		p.ExpiresAt = *k.ExpiresAt
	}
	return p
}

func presentChange(kind string, c models.EntryChange) views.EntryChange {
	shown := views.EntryChange{Change: string(c.Change)}
	side := func(e *models.ValueEntry) *views.ValueEntry {
		if e == nil {
			return nil
		}
		entry := presentEntry(*e)
		if shown.Label = entry.Label; kind != "zset" {
			entry.Label = ""
		}
		return &entry
	}
	shown.Then, shown.Now = side(c.Then), side(c.Now)
	return shown
}

// verdictText says what a comparison has come to, in a sentence.
func verdictText(c models.KeyComparison) (tone, text string) {
	switch c.Verdict {
	case models.KeySame:
		return "success", "The value is the same." + expiryText(c)
	case models.KeySameShown:
		return "info", "What is shown of the value is the same. The rest was not compared." + expiryText(c)
	case models.KeyBeyond:
		return "info", "The value has changed, but not in what is shown of it." + expiryText(c)
	case models.KeyGone:
		return "warning", "The key is not there now."
	case models.KeyUnknown:
		return "warning", "The values could not be compared."
	}
	if c.Then.Type != c.Now.Type {
		return "info", fmt.Sprintf("It has another type now: it was a %s, and is a %s.", c.Then.Type, c.Now.Type)
	}
	return "info", "The value has changed." + expiryText(c)
}

// expiryText says how the expiry of a key has changed; "" if it has not.
func expiryText(c models.KeyComparison) string {
	switch then, now := c.Then.ExpiresAt, c.Now.ExpiresAt; {
	case then == nil && now == nil:
		return ""
	case then == nil:
		return " Then it had no expiry; now it has one."
	case now == nil:
		return " Then it had an expiry; now it has none."
	case then.Sub(*now).Abs() >= clockTolerance:
		return " It has another expiry."
	}
	return ""
}
