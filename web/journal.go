package web

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/a-h/templ"

	"rekindle/models"
	"rekindle/views"
)

// journalPages show to which seconds clusters can be brought back, and change how that is made possible.
type journalPages struct{ *site }

// journalFields are the fields of the form.
var journalFields = []string{"kept", "days", "promise", "lone", "synthetic"}

func (h journalPages) show(w http.ResponseWriter, r *http.Request) error {
	cluster, err := h.db.Clusters.Get(r.Context(), r.PathValue("id"))
	if err != nil {
		return err
	}
	plan, err := h.db.Recording.Plan(r.Context(), cluster)
	if err != nil {
		return err
	}
	form := url.Values{"kept": {onOf(plan.Kept)}, "days": {strconv.Itoa(plan.Days)}, "promise": {strconv.Itoa(int(plan.Promise.Seconds()))}, "lone": {onOf(plan.Lone)}, "synthetic": {onOf(plan.Synthetic)}}
	return h.draw(w, r, cluster, plan, form, nil)
}

func onOf(on bool) string {
	if on {
		return "on"
	}
	return ""
}

func (h journalPages) draw(w http.ResponseWriter, r *http.Request, cluster models.Cluster, plan models.JournalPlan, form url.Values, wrong mistakes) error {
	props, err := h.props(r.Context(), cluster, plan, journalAt(r, h.clock.Now()))
	if err != nil {
		return err
	}
	props.Fields = views.Fields{Values: firstValues(form, journalFields...), Errors: wrong}
	at := underCluster(cluster, "Journal")
	at.live = len(wrong) == 0
	return h.ask(w, r, at, wrong, func(shell views.Shell) templ.Component { return views.JournalPage(shell, props) })
}

// look is what of the timeline is looked at.
type look struct {
	at    time.Time
	zoom  models.JournalZoom
	by    string // "bytes": the bars are those instead of writes
	given bool   // somebody asked for an instant
	wrong string // what somebody typed in its place
}

// journalAt reads from the address what is looked at. Without anything it is the whole window.
func journalAt(r *http.Request, now time.Time) look {
	query := r.URL.Query()
	l := look{at: now.Add(-20 * time.Minute), zoom: models.JournalZoom(query.Get("zoom"))}
	text := strings.TrimSpace(query.Get("at"))
	at, is := models.ParseMoment(text)
	if is {
		l.at, l.given = at.UTC(), true
	} else {
		l.wrong = text
	}
	if query.Get("by") == "bytes" {
		l.by = "bytes"
	}
	if !l.zoom.Known() || l.wrong != "" {
		l.zoom = models.ZoomWindow
		if l.given {
			l.zoom = models.ZoomHour
		}
	}
	return l
}

// save changes how the journal of a cluster is kept.
func (h journalPages) save(w http.ResponseWriter, r *http.Request) error {
	cluster, err := h.db.Clusters.Get(r.Context(), r.PathValue("id"))
	if err != nil {
		return err
	}
	form, err := readForm(r)
	if err != nil {
		return err
	}
	wrong := mistakes{}
	plan := models.JournalPlan{Kept: form.Get("kept") == "on", Lone: form.Get("lone") == "on", Synthetic: form.Get("synthetic") == "on"}
	if plan.Kept {
		plan.Days = wholeNumber(form, "days", "number of days", fmt.Sprintf("1 to %d", models.MaxJournalDays), wrong)
		seconds := wholeNumber(form, "promise", "number of seconds", fmt.Sprintf("%d to %d", int(models.MinPromise.Seconds()), int(models.MaxPromise.Seconds())), wrong)
		plan.Promise = time.Duration(seconds) * time.Second
	}
	if len(wrong) == 0 {
		err := h.db.Recording.Save(r.Context(), cluster.Name, plan, visitOf(r).user.Name)
		if err == nil {
			h.jobs.Wake()
			text := fmt.Sprintf("No journal of %s is kept from now on.", cluster.Name)
			if plan.Kept {
				text = fmt.Sprintf("The journal of %s is kept from now on. It can be brought back to any second since the next snapshot that the journal begins with.", cluster.Name)
			}
			return h.done(w, r, string(views.Link("clusters", cluster.Name, "journal")), "success", text)
		} else if err := wrong.refusal(err, journalFields); err != nil {
			return err
		}
	}
	before, err := h.db.Recording.Plan(r.Context(), cluster)
	if err != nil {
		return err
	}
	return h.draw(w, r, cluster, before, form, wrong)
}

// compare has a snapshot taken and compared with the journal, after somebody has seen that an earlier one differed.
func (h journalPages) compare(w http.ResponseWriter, r *http.Request) error {
	name := r.PathValue("id")
	run, err := h.db.Comparisons.LookAgain(r.Context(), name, visitOf(r).user.Name)
	if faults, refused := models.AsFaults(err); refused {
		return h.done(w, r, string(views.Link("clusters", name, "journal")), "error", faults.Error())
	} else if err != nil {
		return err
	}
	h.jobs.Wake()
	return h.done(w, r, string(views.Link("clusters", name, "journal")), "success", fmt.Sprintf("The snapshot %s is being taken of %s. It is compared with the journal afterwards.", run.SnapshotName, name))
}

// daily is what the page says about the snapshots that are made from the journal; nil: none are.
func (h journalPages) daily(ctx context.Context, cluster models.Cluster, plan models.JournalPlan) (*views.JournalDaily, error) {
	if !plan.Kept || !plan.Synthetic {
		return nil, nil
	}
	last, found, err := h.db.Comparisons.Last(ctx, cluster.ID)
	if err != nil {
		return nil, err
	}
	d := &views.JournalDaily{Stopped: last.Stops(), Next: plan.NextCompared(last)}
	if found {
		d.Comparison = presentComparison(last)
	}
	return d, nil
}

func presentComparison(c models.JournalComparison) *views.JournalComparison {
	return &views.JournalComparison{Snapshot: c.SnapshotName, Verdict: string(c.Verdict), Text: c.Sentence(), At: c.ComparedAt}
}

// journalLine is what a cluster's page says of its journal.
func (p presenter) journalLine(ctx context.Context, cluster models.Cluster) (views.JournalLine, error) {
	plan, err := p.db.Recording.Plan(ctx, cluster)
	if err != nil || plan.Since.IsZero() { // it never had one
		return views.JournalLine{}, err
	}
	window, err := p.db.Journal.Window(ctx, cluster)
	return views.JournalLine{Kept: plan.Kept || len(window) > 0, Oldest: window.Oldest(), Newest: window.Newest()}, err
}

// shownEvents is how many things that happened are listed.
const shownEvents = 50

// journal is the page about the journal of a cluster.
func (h journalPages) props(ctx context.Context, cluster models.Cluster, plan models.JournalPlan, l look) (views.Journal, error) {
	v := views.Journal{ID: cluster.Name, Kept: plan.Kept, Days: plan.Days, Behind: -1, Attached: cluster.Attached()}
	try := plan
	if try.Kept = true; try.Check(cluster) != nil {
		v.Refusal = try.Check(cluster).Error()
	}
	stretches, err := h.db.Journal.Stretches(ctx, cluster.ID)
	if err != nil {
		return v, err
	}
	bases, err := h.db.Journal.Bases(ctx, cluster)
	if err != nil {
		return v, err
	}
	window := models.RecoveryWindowOf(max(1, cluster.ShardCount), stretches, bases)
	for _, s := range window {
		v.Window = append(v.Window, views.JournalSpan{From: s.From, To: s.To})
	}
	for _, g := range window.Gaps() {
		v.Gaps = append(v.Gaps, views.JournalSpan{From: g.From, To: g.To, Why: whyGap(g, stretches)})
	}
	if v.Size, err = h.db.Journal.Size(ctx, cluster.ID); err != nil {
		return v, err
	}
	if err := h.journalCosts(ctx, cluster, plan, &v); err != nil {
		return v, err
	}
	if err := h.journalShards(ctx, cluster, plan, stretches, bases, &v); err != nil {
		return v, err
	}
	if v.Daily, err = h.daily(ctx, cluster, plan); err != nil {
		return v, err
	}
	if newest := window.Newest(); !l.given && !plan.Kept && !newest.IsZero() {
		l.at = newest
	}
	v.Wrong = l.wrong
	return v, h.journalTime(ctx, cluster, window, stretches, l, &v)
}

// whyGap is why there is a gap: what the stretch says that begins in it.
func whyGap(gap models.RecoverySpan, stretches []models.JournalStretch) string {
	for _, s := range stretches {
		if s.Gap != "" && !s.Begin.Before(gap.From) && !s.Begin.After(gap.To) {
			return s.Gap
		}
	}
	return ""
}

// journalShards are the links to the shards.
func (h journalPages) journalShards(ctx context.Context, cluster models.Cluster, plan models.JournalPlan, stretches []models.JournalStretch, bases []models.JournalBase, v *views.Journal) error {
	if !plan.Kept {
		return nil
	}
	links, err := h.db.Recording.Links(ctx, cluster)
	if err != nil {
		return err
	}
	for _, link := range links {
		shard := views.JournalShard{Number: link.Shard, State: string(link.State), Reason: link.Reason, Node: link.Node, Role: string(link.Role)}
		if link.StoredAt != nil {
			shard.Stored = *link.StoredAt
		}
		if link.State == models.JournalFollowing && !link.Playable(stretches, bases) {
			shard.Begins = "A snapshot is taken that the journal begins with."
		}
		v.Shards = append(v.Shards, shard)
		if behind, known := link.Behind(h.clock.Now()); known {
			v.Behind = max(v.Behind, behind)
		}
	}
	return nil
}
