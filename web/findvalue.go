package web

import (
	"context"
	"encoding/hex"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/a-h/templ"

	"rekindle/internal/words"
	"rekindle/models"
	"rekindle/views"
)

// valueTimeout is how long a page waits for a value: a large part has to be read up to the key.
const valueTimeout = 5 * time.Minute

// foundKey is one result of a search, under its name as far as that is known.
type foundKey struct {
	models.FoundKey
	run  models.Run
	id   string // in addresses
	name string // made visible
	in   models.FindSnapshot
}

// key is the result of the address.
func (h findPages) key(r *http.Request) (foundKey, error) {
	return h.foundBy(r, r.PathValue("id"), r.PathValue("key"))
}

// foundBy is a result of a search.
func (h findPages) foundBy(r *http.Request, runID, id string) (foundKey, error) {
	run, search, args, err := h.searchBy(r, runID)
	if err != nil {
		return foundKey{}, err
	}
	found := foundKey{run: run, id: id}
	n, err := strconv.ParseUint(id, 10, 32)
	if err != nil {
		return found, problem{status: http.StatusNotFound, text: "There is no such result.", back: findAddress(run.ID), backText: "To what was found"}
	}
	if found.FoundKey, found.in, err = h.db.Finds.Key(r.Context(), run.ID, uint(n)); err != nil {
		return found, err
	}
	if !args.Pattern {
		found.Name = search.Sought
	}
	found.name = words.KeyName(string(found.Name))
	if len(found.Name) < found.Length {
		found.name = words.KeyStart(string(found.Name))
	}
	return found, nil
}

// comparable tells whether the cluster of a search is there, so that it can be asked for a key.
func (h findPages) comparable(r *http.Request, run models.Run) (bool, error) {
	cluster, err := h.db.Clusters.Get(r.Context(), run.ClusterName)
	if models.HasCode(err, models.CodeClusterNotFound) {
		return false, nil
	}
	return err == nil && !cluster.Cached() && len(cluster.Nodes) > 0, err
}

// value shows the value of a key that was found. It is kept nowhere.
func (h findPages) value(w http.ResponseWriter, r *http.Request) error {
	key, err := h.key(r)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(r.Context(), valueTimeout)
	defer cancel()
	value, err := h.jobs.FoundValue(ctx, key.FoundKey, key.in)
	if faults, refused := models.AsFaults(err); refused {
		return h.done(w, r, findAddress(key.run.ID), "info", faults.Error())
	} else if err != nil {
		return err
	}
	props := presentValue(value, key.FoundKey)
	props.Run, props.Key, props.Snapshot, props.TakenAt = runID(key.run.ID), key.id, key.in.SnapshotName, key.in.TakenAt
	props.Name, props.Database, props.Bytes = key.name, key.Database, key.Bytes
	if is, err := h.comparable(r, key.run); err != nil {
		return err
	} else if is {
		props.Cluster = key.run.ClusterName
	}
	w.Header().Set("Cache-Control", "no-store")
	return h.page(w, r, key.place("The value of a key"), func(shell views.Shell) templ.Component { return views.FoundValuePage(shell, props) })
}

// place is that of a page about a result.
func (k foundKey) place(title string) place {
	return place{title: title, active: views.NavSnapshots, crumbs: []views.Crumb{findCrumb, {Text: "What was found", Href: findAddress(k.run.ID)}}, path: findAddress(k.run.ID)}
}

// labelHeads are what the entries of a type are told apart by.
var labelHeads = map[string]string{"hash": "Field", "zset": "Score", "list": "Index", "stream": "ID", "set": "Member"}

func presentValue(value models.FoundValue, key models.FoundKey) views.FoundValue {
	p := views.FoundValue{Type: key.Type, Size: value.Size, Unit: "entry", Unknown: value.Unknown, Cut: value.Cut, LabelHead: labelHeads[key.Type]}
	if key.Type == "string" {
		p.Unit = "byte"
	}
	if value.Engine.Name != "" {
		p.Engine = views.EngineText(value.Engine.Name, value.Engine.Version)
	}
	if key.ExpiresAt != nil {
		p.ExpiresAt = *key.ExpiresAt
	}
	for _, e := range value.Entries {
		p.AnyExpires = p.AnyExpires || e.Expires != nil
		p.Entries = append(p.Entries, presentEntry(e))
	}
	p.LastID, p.MoreGroups = value.LastID, value.MoreGroups
	for _, g := range value.Groups {
		p.Groups = append(p.Groups, presentGroup(g))
	}
	return p
}

func presentEntry(e models.ValueEntry) views.ValueEntry {
	entry := views.ValueEntry{Label: visibleName(e.Label, len(e.Key) > len(e.Label)), Value: e.Value, Bytes: e.Bytes, Cut: e.Cut()}
	if !models.Text(e.Value) {
		entry.Value, entry.Binary = hexDump(e.Value), true
	}
	if e.Expires != nil {
		entry.Expires = *e.Expires
	}
	return entry
}

func presentGroup(g models.StreamGroup) views.StreamGroup {
	shown := views.StreamGroup{Name: words.KeyName(g.Name), LastID: g.LastID, Pending: g.Pending, Consumers: g.Consumers}
	for _, c := range g.First {
		shown.First = append(shown.First, fmt.Sprintf("%s: %s", words.KeyName(c.Name), words.Number(c.Pending)))
	}
	for _, w := range g.Waiting {
		shown.Waiting = append(shown.Waiting, views.StreamPending{ID: w.ID, Consumer: words.KeyName(w.Consumer), Delivered: w.Delivered, Times: w.Times})
	}
	return shown
}

// hexDump writes bytes as "hexdump -C" does.
func hexDump(text string) string { return strings.TrimSuffix(hex.Dump([]byte(text)), "\n") }
