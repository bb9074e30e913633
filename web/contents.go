package web

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/a-h/templ"

	"rekindle/internal/words"
	"rekindle/models"
	"rekindle/views"
)

// How much of what is in a snapshot a page shows at first.
const (
	shownPrefixes = 50
	shownBiggest  = 20
	shownChanges  = 100
	comparable    = 50 // snapshots that are suggested to compare with
)

// contents shows what is in a snapshot.
func (h snapshotPages) contents(w http.ResponseWriter, r *http.Request) error {
	snapshot, err := h.describable(r)
	if err != nil {
		return err
	}
	found := h.jobs.Contents(r.Context(), snapshot)
	props := presentContents(snapshot, found, r.URL.Query().Get("order"), r.URL.Query().Get("all") == "on")
	return h.page(w, r, h.within(r, snapshot, "Contents"), func(shell views.Shell) templ.Component { return views.ContentsPage(shell, props) })
}

// describable is the snapshot of the address, if it is whole.
func (h snapshotPages) describable(r *http.Request) (models.Snapshot, error) {
	snapshot, err := h.db.Snapshots.Get(r.Context(), r.PathValue("name"))
	if err == nil && !snapshot.Usable() {
		err = problem{status: http.StatusConflict, title: "There are no contents to see", back: snapshotAddress(snapshot.Name), backText: "To the snapshot",
			text: fmt.Sprintf("The snapshot %s is %s. Its contents can be seen when it is available.", snapshot.Name, snapshot.Status)}
	}
	return snapshot, err
}

// within is the place of a page below that of a snapshot.
func (h snapshotPages) within(r *http.Request, snapshot models.Snapshot, title string) place {
	crumbs := []views.Crumb{snapshotsCrumb, {Text: snapshot.Name, Href: snapshotAddress(snapshot.Name)}}
	return place{title: title, active: views.NavSnapshots, crumbs: crumbs, aws: h.aws(r).snapshot(snapshot.Name)}
}

func presentContents(snapshot models.Snapshot, c models.Contents, order string, all bool) views.Contents {
	p := views.Contents{Snapshot: snapshot.Name, Unknown: c.Unknown, CanVerify: c.Later && snapshot.Verifiable(), RDB: snapshot.RDBVersion, Written: c.WrittenAt, All: all,
		Keys: c.Keys.Keys, Bytes: c.Keys.Bytes, Expires: c.Expires, Libraries: c.Libraries, Named: c.Named, Precision: models.PrefixPrecision,
		Unlisted: views.Over(c.Unlisted), PrefixOrder: "keys"}
	if snapshot.Engine != "" {
		p.Engine = views.EngineText(snapshot.Engine, snapshot.EngineVersion)
	}
	of := shareOf(c.Keys)
	for _, h := range c.Types {
		p.Types = append(p.Types, of(h.Type, h.Amount, h.Expires))
	}
	for _, h := range c.Databases {
		p.Databases = append(p.Databases, of(databaseText(h.Database), h.Amount, h.Expires))
	}
	for _, h := range c.Encodings {
		p.Encodings = append(p.Encodings, of(h.Type+", "+h.Encoding, h.Amount, h.Expires))
	}
	p.Expiries = expiryRows(c)
	for _, l := range c.Functions {
		p.Functions = append(p.Functions, libraryText(l))
	}
	if order == "size" {
		p.PrefixOrder = order
		c.Prefixes = slices.Clone(c.Prefixes)
		slices.SortStableFunc(c.Prefixes, func(a, b models.Prefix) int { return cmp.Compare(b.Bytes, a.Bytes) })
	}
	shown, biggest := len(c.Prefixes), len(c.Biggest)
	if !all {
		shown, biggest = min(shown, shownPrefixes), min(biggest, shownBiggest)
	}
	p.MorePrefixes, p.MoreBiggest = len(c.Prefixes)-shown, len(c.Biggest)-biggest
	for _, prefix := range c.Prefixes[:shown] {
		p.Prefixes = append(p.Prefixes, views.PrefixRow{Share: of(visibleName(prefix.Name.Text, false), prefix.Amount, 0), Over: views.Over(prefix.Over)})
	}
	p.WithoutPrefix = of("", c.WithoutPrefix, 0)
	for _, key := range c.Biggest[:biggest] {
		p.Biggest = append(p.Biggest, bigKeyRow(key))
	}
	for _, l := range c.Loaders {
		p.Loaders = append(p.Loaders, views.Loader{Engine: views.EngineText(l.Engine, ""), Loads: andLater(l.Loads), Takes: andLater(l.Takes)})
	}
	return p
}

// shareOf says how much of all keys a group of them has.
func shareOf(all models.Amount) func(label string, part models.Amount, expires int64) views.Share {
	return func(label string, part models.Amount, expires int64) views.Share {
		return views.Share{Label: label, Keys: part.Keys, Bytes: part.Bytes, Expires: expires, OfKeys: percentOf(part.Keys, all.Keys), OfBytes: percentOf(part.Bytes, all.Bytes)}
	}
}

func percentOf(part, all int64) int64 {
	if all <= 0 {
		return 0
	}
	return int64(float64(part)/float64(all)*100 + 0.5)
}

func databaseText(number int) string {
	if number == models.OtherDatabases {
		return "all others"
	}
	return strconv.Itoa(number)
}

// expiryRows say how long keys had left; what a row has begins where the one before ends.
func expiryRows(c models.Contents) (rows []views.Share) {
	for _, e := range c.Expiries {
		label := "up to " + timeLeft(e.AtMost)
		switch {
		case e.More:
			label = "more than a year"
		case e.AtMost == 0:
			label = "expired already"
		}
		rows = append(rows, views.Share{Label: label, Keys: e.Keys, OfKeys: percentOf(e.Keys, c.Expires)})
	}
	return rows
}

func timeLeft(d time.Duration) string {
	switch {
	case d%(24*time.Hour) == 0:
		return views.Plural(int(d/(24*time.Hour)), "day")
	case d%time.Hour == 0:
		return views.Plural(int(d/time.Hour), "hour")
	}
	return views.Plural(int(d/time.Minute), "minute")
}

func libraryText(l models.FunctionLibrary) string {
	name := cmp.Or(visibleName(l.Name, false), "name not known")
	if l.Engine == "" {
		return name
	}
	return name + " (" + visibleName(l.Engine, false) + ")"
}

func bigKeyRow(key models.BigKey) views.BigKey {
	row := views.BigKey{Database: key.Database, Type: key.Type, Encoding: key.Encoding, Bytes: key.Bytes}
	if !key.Name.Hidden {
		cut := key.Name.Length > int64(len(key.Name.Text))
		if row.Name = cmp.Or(visibleName(key.Name.Text, cut), "(empty name)"); cut {
			row.Cut = key.Name.Length
			if key.Name.Text == "" {
				row.Name = "(too long to look into)"
			}
		}
	}
	return row
}

// visibleName writes any bytes so that they can play no tricks, and can be typed again; "" is left as it is. Of a name that is cut it is the beginning.
func visibleName(text string, cut bool) string {
	switch {
	case text == "":
		return ""
	case cut:
		return words.KeyStart(text)
	}
	return words.KeyName(text)
}

// withoutHiddenNames is a snapshot without the names of keys, if they are hidden.
func (s *site) withoutHiddenNames(ctx context.Context, snapshot models.Snapshot) (models.Snapshot, error) {
	hide, err := s.db.Settings.HidesKeyNames(ctx)
	if hide {
		snapshot = snapshot.WithoutKeyNames()
	}
	return snapshot, err
}

func andLater(version string) string {
	if version == "" {
		return ""
	}
	return version + " and later"
}

// compare shows what has changed between two snapshots. Which one is older does not depend on from whose page people come.
func (h snapshotPages) compare(w http.ResponseWriter, r *http.Request) error {
	snapshot, err := h.describable(r)
	if err != nil {
		return err
	}
	with := strings.TrimSpace(r.URL.Query().Get("with"))
	props := views.Comparison{Snapshot: snapshot.Name}
	wrong := mistakes{}
	if props.Others, err = h.others(r, snapshot); err != nil {
		return err
	}
	if with != "" {
		other, err := h.db.Snapshots.Get(r.Context(), with)
		switch {
		case models.HasCode(err, models.CodeSnapshotNotFound):
			wrong.add("with", fmt.Sprintf("There is no snapshot %q.", with))
		case err != nil:
			return err
		case other.Name == snapshot.Name:
			wrong.add("with", "Choose another snapshot than this one.")
		case !other.Usable():
			wrong.add("with", fmt.Sprintf("The snapshot %s is %s, so it cannot be compared.", other.Name, other.Status))
		default:
			h.fillComparison(r, &props, snapshot, other)
		}
	}
	props.Form = views.Fields{Values: map[string]string{"with": with}, Errors: wrong}
	return h.ask(w, r, h.within(r, snapshot, "Compare"), wrong, func(shell views.Shell) templ.Component { return views.ComparisonPage(shell, props) })
}

// others are the newest other snapshots of the same cluster that are available.
func (h snapshotPages) others(r *http.Request, snapshot models.Snapshot) (options []views.Option, err error) {
	found, err := h.db.Snapshots.List(r.Context(), models.List{Size: comparable, Sort: "created", Desc: true, Equal: map[string]string{"cluster": snapshot.ClusterName, "status": string(models.SnapshotAvailable)}})
	for _, other := range found.Rows {
		if other.Name != snapshot.Name {
			options = append(options, views.Option{Value: other.Name, Label: other.Name})
		}
	}
	return options, err
}

func (h snapshotPages) fillComparison(r *http.Request, props *views.Comparison, before, after models.Snapshot) {
	if after.CreatedAt.Before(before.CreatedAt) {
		before, after = after, before
	}
	c := h.jobs.CompareContents(r.Context(), before, after)
	props.Before, props.After, props.BeforeAt, props.AfterAt, props.Unknown, props.Named = before.Name, after.Name, before.CreatedAt, after.CreatedAt, c.Unknown, c.Named
	props.Keys = growthRow("", c.All)
	for _, t := range c.Types {
		props.Types = append(props.Types, growthRow(t.Type, t.Growth))
	}
	for _, p := range c.Prefixes {
		row := growthRow(visibleName(p.Name.Text, false), p.Growth)
		row.Certain = p.Certain
		rows := &props.Prefixes
		switch {
		case p.New:
			rows = &props.New
		case p.Gone:
			rows = &props.Gone
		}
		if len(*rows) < shownChanges {
			*rows = append(*rows, row)
		} else {
			props.MorePrefixes++
		}
	}
}

func growthRow(label string, g models.Growth) views.GrowthRow {
	return views.GrowthRow{Label: label, KeysBefore: g.Before.Keys, KeysAfter: g.After.Keys, BytesBefore: g.Before.Bytes, BytesAfter: g.After.Bytes,
		KeysOver: max(g.BeforeOver.Keys, g.AfterOver.Keys), BytesOver: max(g.BeforeOver.Bytes, g.AfterOver.Bytes), Certain: true}
}
