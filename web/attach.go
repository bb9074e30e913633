package web

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/a-h/templ"

	"rekindle/internal/secret"
	"rekindle/models"
	"rekindle/views"
)

// attachPages attach existing clusters, and change how they are reached.
type attachPages struct{ *site }

// attachFields are the fields that are shown again as they were sent: all except the secrets.
var attachFields = []string{"id", "description", "addresses", "username", "primary_name", "sentinel_username", "tls", "ca", "certificate", "server_name", "unverified", "tuned",
	"mapped", "psync", "by_key", "backups", "retention", "window_preference", "window_start", "window_length", "keep_password", "keep_sentinel_password", "keep_private_key"}

// secretFields are the fields that no page contains.
var secretFields = []string{"password", "sentinel_password", "private_key"}

// attachForm is the form as it was sent or pre-filled.
type attachForm struct {
	values  map[string]string
	again   map[string]bool // the secrets that were typed
	wrong   mistakes
	spec    models.AttachSpec
	cluster models.Cluster // the cluster whose access is changed; without a name: a cluster is being attached
	found   *models.Examination
}

// readAttachForm turns fields into a request. For a cluster that is already attached, it fills in the secrets that are to be kept.
func readAttachForm(form url.Values, cluster models.Cluster) attachForm {
	f := attachForm{values: firstValues(form, attachFields...), again: map[string]bool{}, wrong: mistakes{}, cluster: cluster}
	text := func(name string) string { return strings.TrimSpace(form.Get(name)) }
	f.spec = models.AttachSpec{Name: strings.ToLower(text("id")), Description: text("description"), Password: secret.Text(form.Get("password")),
		Access: models.Access{
			Addresses: models.SplitLines(form.Get("addresses")), Mapped: models.SplitLines(form.Get("mapped")), Username: text("username"), PSYNC: text("psync"), ByKey: form.Get("by_key") == "on",
			PrimaryName: text("primary_name"), SentinelUsername: text("sentinel_username"), SentinelPassword: secret.Text(form.Get("sentinel_password")),
			TLS: form.Get("tls") == "on", CA: form.Get("ca"), Certificate: form.Get("certificate"), PrivateKey: secret.Text(form.Get("private_key")),
			ServerName: text("server_name"), Unverified: form.Get("unverified") == "on", Tuned: form.Get("tuned") == "on",
		}}
	for _, field := range secretFields {
		f.again[field] = form.Get(field) != ""
	}
	if cluster.Attachment != nil {
		f.keepStored(form)
	}
	return f
}

// keepStored fills in the stored secrets that are to be kept. A stored secret is sent only where it was sent before: otherwise anybody who may use
// this page could have it sent to an address of their own.
func (f *attachForm) keepStored(form url.Values) {
	same := f.cluster.Attachment.SameWay(f.spec.Access)
	for _, field := range secretFields {
		stored, given := storedSecret(f.cluster, field), f.given(field)
		if stored == "" || *given != "" || form.Get("keep_"+field) != "on" {
			continue
		}
		if field == "private_key" && (!f.spec.TLS || f.spec.Certificate == "") {
			continue // then it is of no use
		}
		if !same {
			f.wrong.add(field, "Addresses, mapping, primary or TLS have changed, and a stored secret is never sent to a new place. Type it again, or do not keep it.")
			continue
		}
		*given = stored
	}
}

// given returns where the request has a secret.
func (f *attachForm) given(field string) *secret.Text {
	switch field {
	case "sentinel_password":
		return &f.spec.SentinelPassword
	case "private_key":
		return &f.spec.PrivateKey
	}
	return &f.spec.Password
}

func storedSecret(cluster models.Cluster, field string) secret.Text {
	switch {
	case cluster.Attachment == nil:
		return ""
	case field == "sentinel_password":
		return cluster.Attachment.SentinelPassword
	case field == "private_key":
		return cluster.Attachment.PrivateKey
	}
	return cluster.Password
}

func (h attachPages) attachPage(w http.ResponseWriter, r *http.Request) error {
	form := url.Values{}
	for name, value := range map[string]string{"tuned": "on", "backups": "on", "retention": "7", "window_preference": "none", "window_start": "03:00", "window_length": "60"} {
		form.Set(name, value)
	}
	// While the schedule is being filled in, the page is requested again with it, so that the plan keeps up.
	if asked := r.URL.Query(); asked.Has("window_preference") {
		for _, name := range []string{"id", "backups", "retention", "window_preference", "window_start", "window_length"} {
			form.Set(name, asked.Get(name))
		}
	}
	f := readAttachForm(form, models.Cluster{})
	f.readSchedule(form)
	f.wrong = nil // it is still being filled in; the plan says what is wrong
	return h.show(w, r, f)
}

func (f *attachForm) readSchedule(form url.Values) {
	if form.Get("backups") == "on" {
		f.spec.Retention, f.spec.Window = readSchedule(form, f.wrong)
	}
}

func (h attachPages) attach(w http.ResponseWriter, r *http.Request) error {
	form, err := readForm(r)
	if err != nil {
		return err
	}
	f := readAttachForm(form, models.Cluster{})
	if form.Get("action") == "test" {
		return h.test(w, r, f)
	}
	f.readSchedule(form)
	f.spec.RequestedBy = visitOf(r).user.Name
	if len(f.wrong) > 0 {
		// Besides what cannot be read, report what is wrong with the rest: all mistakes at once.
		err = h.db.Attachments.Check(r.Context(), &f.spec)
	} else {
		var cluster models.Cluster
		if cluster, err = h.jobs.Attach(r.Context(), f.spec); err == nil {
			return h.done(w, r, clusterAddress(cluster.Name), "success", fmt.Sprintf("The cluster %s is attached.", cluster.Name))
		}
	}
	return h.refused(w, r, f, err)
}

// refused shows the form again with what is wrong.
func (h attachPages) refused(w http.ResponseWriter, r *http.Request, f attachForm, err error) error {
	if err != nil {
		if err := f.wrong.refusal(err, slices.Concat(secretFields, attachFields)); err != nil {
			return err
		}
	}
	return h.show(w, r, f)
}

// test shows what is found with the form as it is, and saves nothing. htmx gets only that, a browser without scripts the whole form.
func (h attachPages) test(w http.ResponseWriter, r *http.Request, f attachForm) error {
	var err error
	if len(f.wrong) == 0 {
		var found models.Examination
		if found, err = h.jobs.Examine(r.Context(), f.spec); err == nil {
			f.found = &found
		}
	} else if faults := models.CheckAccess(&f.spec.Access); len(faults) > 0 {
		err = faults
	}
	return h.refused(w, r, f, err)
}

// attached returns the cluster in the address, if how it is reached can be changed.
func (h attachPages) attached(r *http.Request) (models.Cluster, error) {
	cluster, err := h.db.Clusters.Get(r.Context(), r.PathValue("id"))
	if err != nil {
		return cluster, err
	}
	p := problem{status: http.StatusConflict, title: "Nothing can be changed here", back: clusterAddress(cluster.Name), backText: "To the cluster"}
	switch {
	case cluster.Attachment == nil:
		p.text = fmt.Sprintf("The nodes of %s were launched here, and Rekindle knows how to reach them. That cannot be changed.", cluster.Name)
		return cluster, p
	case cluster.Status == models.ClusterDeleting:
		p.text = fmt.Sprintf("The cluster %s is being detached.", cluster.Name)
		return cluster, p
	}
	return cluster, elsewhere(cluster, r)
}

func (h attachPages) accessPage(w http.ResponseWriter, r *http.Request) error {
	cluster, err := h.attached(r)
	if err != nil {
		return err
	}
	a, form := cluster.Attachment.Access, url.Values{}
	for name, value := range map[string]string{"addresses": a.Addresses.String(), "mapped": a.Mapped.String(), "username": a.Username, "psync": a.PSYNC,
		"primary_name": a.PrimaryName, "sentinel_username": a.SentinelUsername, "ca": a.CA, "certificate": a.Certificate, "server_name": a.ServerName} {
		form.Set(name, value)
	}
	for name, ticked := range map[string]bool{"tls": a.TLS, "unverified": a.Unverified, "by_key": a.ByKey, "tuned": a.Tuned} {
		if ticked {
			form.Set(name, "on")
		}
	}
	for _, field := range secretFields {
		if storedSecret(cluster, field) != "" {
			form.Set("keep_"+field, "on")
		}
	}
	f := readAttachForm(form, cluster)
	return h.show(w, r, f)
}

func (h attachPages) changeAccess(w http.ResponseWriter, r *http.Request) error {
	form, err := readForm(r)
	if err != nil {
		return err
	}
	cluster, err := h.attached(r)
	if err != nil {
		return err
	}
	f := readAttachForm(form, cluster)
	if form.Get("action") == "test" {
		return h.test(w, r, f)
	}
	if len(f.wrong) > 0 {
		if faults := models.CheckAccess(&f.spec.Access); len(faults) > 0 {
			err = faults
		}
		return h.refused(w, r, f, err)
	}
	err = h.jobs.ChangeAccess(r.Context(), cluster.Name, f.spec.Access, f.spec.Password, visitOf(r).user.Name)
	if models.HasCode(err, models.CodeClusterNotFound) {
		return err
	} else if err != nil {
		return h.refused(w, r, f, err)
	}
	return h.done(w, r, clusterAddress(cluster.Name), "success", fmt.Sprintf("The cluster %s was found, and will be reached this way from now on.", cluster.Name))
}

// show shows the form, with what was found or what is wrong.
func (h attachPages) show(w http.ResponseWriter, r *http.Request, f attachForm) error {
	w.Header().Set("Cache-Control", "no-store") // addresses and certificates are nobody else's business
	props := h.props(r.URL.Path, f)
	if r.Method == http.MethodPost && fromHTMX(r) {
		// The script only replaces the place for the answer, and accepts no error status.
		return h.partial(w, r, place{}, func(shell views.Shell) templ.Component { return views.AttachFragment(shell, props) })
	}
	at := place{title: "Attach", active: views.NavClusters, path: views.AttachPath, crumbs: []views.Crumb{clustersCrumb}}
	if f.cluster.Name != "" {
		at = underCluster(f.cluster, "Access")
		at.aws = h.aws(r).cluster(awsTargetOf(f.cluster))
	}
	return h.ask(w, r, at, f.wrong, func(shell views.Shell) templ.Component { return views.AttachPage(shell, props) })
}

func (h attachPages) props(action string, f attachForm) views.AttachForm {
	props := views.AttachForm{Action: action, CancelHref: "/clusters", ID: f.cluster.Name, Status: string(f.cluster.Status), Stored: map[string]bool{},
		Fields: views.Fields{Values: f.values, Errors: f.wrong}}
	if f.cluster.Name != "" {
		props.CancelHref = clusterAddress(f.cluster.Name)
	}
	for _, field := range secretFields {
		props.Stored[field] = storedSecret(f.cluster, field) != ""
	}
	props.Again = f.again
	if props.ScheduleProblems = scheduleProblems(f.values); len(props.ScheduleProblems) == 0 {
		props.Schedule = formPages(h).plannedSchedule(models.ClusterSpec{Name: f.spec.Name, Retention: f.spec.Retention, Window: f.spec.Window, Copies: 1})
	}
	if f.found != nil {
		props.Findings = presentFindings(*f.found)
		props.Findings.At = h.clock.Now()
	}
	return props
}

// scheduleProblems are why the schedule of the form would be refused.
func scheduleProblems(values map[string]string) []string {
	form, wrong := url.Values{}, mistakes{}
	for name, value := range values {
		form.Set(name, value)
	}
	if form.Get("backups") != "on" {
		return nil
	}
	retention, window := readSchedule(form, wrong)
	faults := append(models.CheckRetention(retention, models.NodeType{}), models.CheckWindow(window)...)
	_ = wrong.refusal(faults.OrNil(), scheduleFields) // these can only be refusals
	return wrong.sentences(scheduleFields)
}

// presentFindings presents what a cluster was found to be.
func presentFindings(e models.Examination) *views.Findings {
	f := views.Findings{Engine: e.Engine.Name, Version: e.Engine.Version, Shards: len(e.Shards), Modules: e.Modules, Hindrances: e.Hindrances, Notes: e.Notes, Rights: e.Rights, Tuning: e.Tuning, TuningRight: e.TuningRight,
		Topology: views.TopologyText(e.Topology, e.PrimaryName, len(e.Shards), len(e.Nodes))}
	for _, n := range e.Nodes {
		shown := views.FoundNode{Announced: n.Announced, Persistence: n.Persistence, Source: n.Source, ForkMemory: n.ForkMemory, HostMemory: n.HostMemory, Problem: n.Problem,
			Node: views.Node{Shard: n.Shard, Role: string(n.Role), Endpoint: n.Address, Status: n.State, UsedMemory: n.UsedMemory, MaxMemory: n.MaxMemory, Keys: -1,
				LinkUp: n.LagBytes >= 0, LagBytes: max(n.LagBytes, 0), LagSeconds: -1}}
		if n.Version.Name != "" {
			shown.Version = views.EngineText(n.Version.Name, n.Version.Version)
		}
		if n.Answers {
			shown.Keys = n.Keys
		}
		f.Nodes = append(f.Nodes, shown)
	}
	return &f
}

// presentReach says how an attached cluster is reached, without its secrets.
func presentReach(c models.Cluster) *views.Reach {
	a := c.Attachment
	if a == nil {
		return nil
	}
	reach := views.Reach{Topology: views.TopologyText(a.Topology, a.PrimaryName, c.ShardCount, len(c.Nodes)), Addresses: a.Addresses, Mapped: a.Mapped, User: a.Username,
		Password: c.Password != "", PrimaryName: a.PrimaryName, TLS: a.TLS, ServerName: a.ServerName, Unverified: a.Unverified, Certificate: a.Certificate != "", PSYNC: a.PSYNC, ByKey: a.ByKey, Tuned: a.Tuned}
	if a.Since != nil {
		reach.Since = *a.Since
	}
	return &reach
}
