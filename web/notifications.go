package web

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/a-h/templ"

	"rekindle/internal/secret"
	"rekindle/models"
	"rekindle/views"
)

// notificationPages are the pages of the channels by which people are told what happens.
type notificationPages struct{ *site }

var notificationCrumbs = append(settingsCrumbs[:1:1], views.Crumb{Text: "Notifications", Href: views.NotificationsPath})

// under is the place of a page below that of the channels.
func (h notificationPages) under(r *http.Request, title, path string) place {
	return place{title: title, active: views.NavSettings, crumbs: notificationCrumbs, path: path, aws: h.aws(r).whoAmI()}
}

func (h notificationPages) list(w http.ResponseWriter, r *http.Request) error {
	days, err := h.db.Settings.KeepEvents(r.Context())
	if err != nil {
		return err
	}
	return h.show(w, r, url.Values{"keep_events": {strconv.Itoa(days)}}, nil)
}

func (h notificationPages) show(w http.ResponseWriter, r *http.Request, form url.Values, wrong mistakes) error {
	channels, err := h.db.Channels.All(r.Context())
	if err != nil {
		return err
	}
	last, err := h.db.Deliveries.Last(r.Context())
	if err != nil {
		return err
	}
	props := views.Notifications{Fields: views.Fields{Values: firstValues(form, "keep_events"), Errors: wrong}}
	for _, c := range channels {
		row := views.Channel{ID: number(c.ID), Name: c.Name, Kind: c.Kind.Label(), To: c.Destination(), Conditions: len(c.Conditions), Clusters: strings.Join(c.Clusters, ", "), Paused: c.Paused, Lacks: strings.Join(c.Lacks(), " and ")}
		if d, has := last[c.ID]; has {
			m := messageOf(d)
			row.Last = &m
		}
		props.Rows = append(props.Rows, row)
	}
	at := place{title: "Notifications", active: views.NavSettings, crumbs: settingsCrumbs, path: views.NotificationsPath, aws: h.aws(r).whoAmI()}
	return h.ask(w, r, at, wrong, func(shell views.Shell) templ.Component { return views.NotificationsPage(shell, props) })
}

// saveKept sets for how many days events and messages are kept.
func (h notificationPages) saveKept(w http.ResponseWriter, r *http.Request) error {
	form, err := readForm(r)
	if err != nil {
		return err
	}
	wrong := mistakes{}
	days := wholeNumber(form, "keep_events", "number of days", "14 to 3650", wrong)
	if len(wrong) == 0 {
		if err := h.db.Settings.SaveKeepEvents(r.Context(), days); err == nil {
			return h.done(w, r, views.NotificationsPath, "success", "Events and messages are kept for "+views.Plural(days, "day")+".")
		} else if err := wrong.refusal(err, []string{"keep_events"}); err != nil {
			return err
		}
	}
	return h.show(w, r, form, wrong)
}

// find returns the channel in the address.
func (h notificationPages) find(r *http.Request) (models.Channel, error) {
	id, err := strconv.ParseUint(r.PathValue("id"), 10, 32)
	if err != nil {
		return models.Channel{}, models.Refuse(models.CodeChannelNotFound, "", "There is no such channel.")
	}
	return h.db.Channels.Get(r.Context(), uint(id))
}

func (h notificationPages) newPage(w http.ResponseWriter, r *http.Request) error {
	form := url.Values{"kind": {string(models.ChannelMail)}, "port": {"587"}, "security": {models.MailStartTLS}, "ends": {"on"}, "repeat_hours": {strconv.Itoa(models.DefaultRepeatHours)}}
	for _, c := range models.Conditions() {
		form.Add("conditions", string(c))
	}
	return h.askNew(w, r, form, nil)
}

func (h notificationPages) askNew(w http.ResponseWriter, r *http.Request, form url.Values, wrong mistakes) error {
	props := channelForm(form, wrong)
	props.Action = views.NewChannelPath
	return h.askChannel(w, r, h.under(r, "Add a notification channel", views.NewChannelPath), props)
}

func (h notificationPages) askChannel(w http.ResponseWriter, r *http.Request, at place, props views.ChannelForm) error {
	props.AWS, at.aws = at.aws, "" // it stands beside the form
	return h.ask(w, r, at, props.Errors, func(shell views.Shell) templ.Component { return views.ChannelPage(shell, props) })
}

func (h notificationPages) create(w http.ResponseWriter, r *http.Request) error {
	form, err := readForm(r)
	if err != nil {
		return err
	}
	wrong := mistakes{}
	channel := channelOf(form, wrong)
	if len(wrong) > 0 {
		err = h.db.Channels.Check(r.Context(), &channel) // so that all mistakes are said at once
	} else {
		channel, err = h.db.Channels.Create(r.Context(), channel, visitOf(r).user.Name)
	}
	if err := wrong.refusal(err, channelFields); err != nil {
		return err
	} else if len(wrong) > 0 {
		return h.askNew(w, r, form, wrong)
	}
	return h.done(w, r, views.NotificationsPath, "success", "The channel "+channel.Name+" was added. Test it: that shows what the receiver answers.")
}

func (h notificationPages) changePage(w http.ResponseWriter, r *http.Request) error {
	channel, err := h.find(r)
	if err != nil {
		return err
	}
	return h.askChange(w, r, channel, formOf(channel), nil)
}

func (h notificationPages) askChange(w http.ResponseWriter, r *http.Request, channel models.Channel, form url.Values, wrong mistakes) error {
	props := channelForm(form, wrong)
	path := string(views.Link("settings", "notifications", number(channel.ID)))
	props.Action, props.Exists, props.To = path, true, channel.Kind.Label()+": "+channel.Destination()
	props.Lacks = strings.Join(channel.Lacks(), " and ")
	props.Stored = storedSecrets(channel, models.ChannelKind(form.Get("kind")))
	return h.askChannel(w, r, h.under(r, channel.Name, path), props)
}

func (h notificationPages) change(w http.ResponseWriter, r *http.Request) error {
	channel, err := h.find(r)
	if err != nil {
		return err
	}
	form, err := readForm(r)
	if err != nil {
		return err
	}
	wrong := mistakes{}
	changed := channelOf(form, wrong)
	if changed.ID = channel.ID; len(wrong) > 0 {
		err = h.db.Channels.Check(r.Context(), &changed)
	} else {
		changed, err = h.db.Channels.Change(r.Context(), changed, visitOf(r).user.Name)
	}
	if models.HasCode(err, models.CodeChannelNotFound) {
		return err
	} else if err := wrong.refusal(err, channelFields); err != nil {
		return err
	} else if len(wrong) > 0 {
		return h.askChange(w, r, channel, form, wrong)
	}
	return h.done(w, r, views.NotificationsPath, "success", "The channel "+changed.Name+" is saved.")
}

// test sends a message at once, and shows what the receiver has answered.
func (h notificationPages) test(w http.ResponseWriter, r *http.Request) error {
	channel, err := h.find(r)
	if err != nil {
		return err
	}
	if lacks := channel.Lacks(); len(lacks) > 0 {
		return h.done(w, r, views.NotificationsPath, "error", "The test was not sent. Give the channel "+channel.Name+" its "+strings.Join(lacks, " and ")+" again first.")
	}
	sent, err := h.jobs.TestChannel(context.WithoutCancel(r.Context()), channel, visitOf(r).user.Name)
	if err != nil {
		return err
	}
	answer := cut(strings.ReplaceAll(sent.Answer, "\n", ": "), 300)
	if sent.State == models.DeliveryDelivered {
		return h.done(w, r, views.NotificationsPath, "success", "The test was delivered through "+channel.Name+". The receiver answered: "+answer)
	}
	return h.done(w, r, views.NotificationsPath, "error", "The test was not delivered through "+channel.Name+". "+answer)
}

func (h notificationPages) deletePage(w http.ResponseWriter, r *http.Request) error {
	channel, err := h.find(r)
	if err != nil {
		return err
	}
	return h.askDelete(w, r, channel, url.Values{}, nil)
}

func (h notificationPages) askDelete(w http.ResponseWriter, r *http.Request, channel models.Channel, form url.Values, wrong mistakes) error {
	props := views.DeleteChannel{ID: number(channel.ID), Name: channel.Name, To: channel.Kind.Label() + ": " + channel.Destination(),
		Fields: views.Fields{Values: firstValues(form, "confirm"), Errors: wrong}}
	at := h.under(r, "Delete", string(views.Link("settings", "notifications", props.ID, "delete")))
	return h.ask(w, r, at, wrong, func(shell views.Shell) templ.Component { return views.DeleteChannelPage(shell, props) })
}

func (h notificationPages) delete(w http.ResponseWriter, r *http.Request) error {
	form, err := readForm(r)
	if err != nil {
		return err
	}
	channel, err := h.find(r)
	if err != nil {
		return err
	}
	if strings.TrimSpace(form.Get("confirm")) != channel.Name {
		return h.askDelete(w, r, channel, form, mistakes{"confirm": "Type the channel's name " + channel.Name + " to confirm that it is to be deleted."})
	}
	if _, err := h.db.Channels.Delete(r.Context(), channel.ID, visitOf(r).user.Name); err != nil {
		return err
	}
	return h.done(w, r, views.NotificationsPath, "success", "The channel "+channel.Name+" was deleted.")
}

var messageListing = listing{filters: []string{"channel", "state", "cluster"}, order: "-time", days: true, sorts: map[string]string{"time": "time"}}

func (h notificationPages) messages(w http.ResponseWriter, r *http.Request) error {
	ctx := r.Context()
	shown, rows := messageListing.read(r)
	found, err := fetch(&shown, rows, func(l models.List) (models.Rows[models.Delivery], error) { return h.db.Deliveries.List(ctx, l) })
	if err != nil {
		return err
	}
	channels, err := h.db.Channels.All(ctx)
	if err != nil {
		return err
	}
	props := views.Messages{List: shown, Any: shown.Total > 0 || len(shown.Query) > 0}
	var clusters []string
	for _, d := range found {
		clusters = append(clusters, d.ClusterName)
	}
	present, _, err := h.db.Present(ctx, clusters, nil)
	if err != nil {
		return err
	}
	for _, d := range found {
		m := messageOf(d)
		m.ClusterExists = present[d.ClusterName]
		m.Repeats = d.State != models.DeliveryWaiting && slices.ContainsFunc(channels, func(c models.Channel) bool { return c.ID == d.ChannelID })
		props.Rows = append(props.Rows, m)
	}
	props.Channels = channelOptions(channels, shown.Query.Get("channel"))
	if props.Clusters, err = h.present.clusterChoices(ctx, models.Delivery{}, shown.Query.Get("cluster")); err != nil {
		return err
	}
	return h.page(w, r, h.under(r, "Messages", ""), func(shell views.Shell) templ.Component { return views.MessagesPage(shell, props) })
}

// channelOptions are the channels to choose from, with one that is in use even if it was deleted.
func channelOptions(channels []models.Channel, chosen string) []views.Option {
	options := make([]views.Option, 0, len(channels)+1)
	for _, c := range channels {
		options = append(options, views.Option{Value: c.Name, Label: c.Name})
	}
	if chosen != "" && !slices.ContainsFunc(channels, func(c models.Channel) bool { return c.Name == chosen }) {
		options = append(options, views.Option{Value: chosen, Label: chosen})
	}
	return options
}

// again has a message sent once more.
func (h notificationPages) again(w http.ResponseWriter, r *http.Request) error {
	gone := problem{status: http.StatusNotFound, text: "There is no such message. It may have been deleted because of its age.", back: views.MessagesPath, backText: "To the messages"}
	id, err := strconv.ParseUint(r.PathValue("id"), 10, 32)
	if err != nil {
		return gone
	}
	d, err := h.db.Deliveries.Again(r.Context(), uint(id))
	switch {
	case models.HasCode(err, models.CodeDeliveryNotFound):
		return gone
	case models.HasCode(err, models.CodeDeliveryState):
		return h.done(w, r, views.MessagesPath, "error", err.Error())
	case err != nil:
		return err
	}
	return h.done(w, r, views.MessagesPath, "success", "The message "+strconv.Quote(d.Title)+" is sent again within seconds.")
}

func messageOf(d models.Delivery) views.Message {
	return views.Message{ID: number(d.ID), Channel: d.ChannelName, Title: d.Title, Text: d.Text, Next: d.Next, Cluster: d.ClusterName, State: string(d.State), Attempts: d.Attempts,
		Answer: d.Answer, At: d.CreatedAt, Due: d.DueAt}
}

func number(id uint) string { return strconv.FormatUint(uint64(id), 10) }

// channelFields are the fields of the form of a channel at which something can be wrong.
var channelFields = []string{"name", "kind", "url", "key", "token", "chat", "host", "port", "security", "username", "password", "sender", "recipients", "conditions", "clusters", "repeat_hours"}

// channelOf reads a channel from its form.
func channelOf(form url.Values, wrong mistakes) models.Channel {
	c := models.Channel{Name: form.Get("name"), Kind: models.ChannelKind(form.Get("kind")), URL: secret.Text(strings.TrimSpace(form.Get("url"))), Conditions: models.Lines(form["conditions"]),
		Clusters: models.SplitLines(form.Get("clusters")), Ends: form.Get("ends") == "on", Paused: form.Get("paused") == "on"}
	c.RepeatHours = wholeNumber(form, "repeat_hours", "number of hours", "0 to 336", wrong)
	switch c.Kind {
	case models.ChannelMail:
		c.URL, c.Host, c.Security, c.Username, c.Sender = "", form.Get("host"), form.Get("security"), form.Get("username"), form.Get("sender")
		c.Port = wholeNumber(form, "port", "port", "1 to 65535", wrong)
		c.Secret, c.Recipients = secret.Text(form.Get("password")), models.SplitLines(form.Get("recipients"))
	case models.ChannelTelegram:
		c.URL, c.Secret, c.Recipients = secret.Text(strings.TrimSpace(form.Get("server"))), secret.Text(strings.TrimSpace(form.Get("token"))), models.SplitLines(form.Get("chat"))
	case models.ChannelWebhook:
		c.Secret = secret.Text(strings.TrimSpace(form.Get("key")))
	}
	return c
}

// formOf is the form of a channel that exists, without its secrets.
func formOf(c models.Channel) url.Values {
	form := url.Values{"name": {c.Name}, "kind": {string(c.Kind)}, "host": {c.Host}, "port": {"587"}, "security": {models.MailStartTLS}, "username": {c.Username}, "sender": {c.Sender},
		"conditions": c.Conditions, "clusters": {c.Clusters.String()}, "repeat_hours": {strconv.Itoa(c.RepeatHours)}}
	switch c.Kind {
	case models.ChannelMail:
		form.Set("port", strconv.Itoa(c.Port))
		form.Set("security", c.Security)
		form.Set("recipients", c.Recipients.String())
	case models.ChannelTelegram:
		form.Set("chat", c.Recipients.String())
		form.Set("server", c.URL.Reveal())
	}
	for name, on := range map[string]bool{"ends": c.Ends, "paused": c.Paused} {
		if on {
			form.Set(name, "on")
		}
	}
	return form
}

// channelForm is what the page needs of a form. Secrets in it are never sent back.
func channelForm(form url.Values, wrong mistakes) views.ChannelForm {
	values := firstValues(form, "name", "kind", "chat", "server", "host", "port", "security", "username", "sender", "recipients", "clusters", "repeat_hours", "ends", "paused")
	errors := map[string]string(wrong)
	if text, has := errors["url"]; has && form.Get("kind") == string(models.ChannelTelegram) {
		delete(errors, "url")
		errors["server"] = text
	}
	props := views.ChannelForm{Fields: views.Fields{Values: values, Errors: errors}, Chosen: make(map[string]bool), Again: make(map[string]bool)}
	for _, kind := range models.ChannelKinds() {
		props.Kinds = append(props.Kinds, views.Option{Value: string(kind), Label: kind.Label()})
	}
	for _, c := range models.Conditions() {
		props.Conditions = append(props.Conditions, views.Option{Value: string(c), Label: c.Label()})
	}
	for _, name := range []string{"url", "key", "token", "password"} {
		props.Again[name] = form.Get(name) != ""
	}
	for _, c := range form["conditions"] {
		props.Chosen[c] = true
	}
	return props
}

// storedSecrets tells which secrets a channel has that are kept if the field is left empty.
func storedSecrets(c models.Channel, kind models.ChannelKind) map[string]bool {
	if c.Kind != kind {
		return nil
	}
	switch kind {
	case models.ChannelMail:
		return map[string]bool{"password": c.Secret != ""}
	case models.ChannelTelegram:
		return map[string]bool{"token": c.Secret != ""}
	case models.ChannelWebhook:
		return map[string]bool{"url": c.URL != "", "key": c.Secret != ""}
	}
	return map[string]bool{"url": c.URL != ""}
}
