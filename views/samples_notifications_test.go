package views

import "time"

// Samples of the pages about notifications.

func sampleMessages() []Message {
	return []Message{
		{ID: "4", Channel: "On call", Title: "A snapshot of orders failed", Text: "The snapshot automatic.orders-2026-11-22-03-12 of orders failed. The replica orders-002 stopped answering after 412 MB.",
			Next: "It is tried again at 2026-11-22 03:27 UTC.", Cluster: "orders", ClusterExists: true, State: "waiting", Attempts: 2, Answer: "503 Service Unavailable\nTry again later.", At: ago(5 * time.Minute), Due: ago(-2 * time.Minute)},
		{ID: "3", Channel: "On call", Title: "The cluster carts is unreachable", Text: "The cluster carts is unreachable. The primary carts-001 does not answer.", Cluster: "carts", State: "waiting", At: ago(time.Minute)},
		{ID: "2", Channel: "Deleted since", Title: "Snapshots of orders succeed again", Text: "The automatic snapshot automatic.orders-2026-11-21-03-12 of orders is available.", Cluster: "orders", ClusterExists: true, State: "delivered",
			Attempts: 1, Answer: "200 OK\nok", At: ago(24 * time.Hour)},
		{ID: "1", Channel: "On call", Title: "A disk is nearly full", Text: "The snapshot store is nearly full: 0.8 GB of 40.0 GB are free.", State: "given-up", Attempts: 6, Answer: "The receiver did not answer within 20s", At: ago(48 * time.Hour), Repeats: true},
	}
}

func sampleNotificationPages() []samplePage {
	settings, notifications := Crumb{"Settings", "/settings"}, Crumb{"Notifications", NotificationsPath}
	shell := func(title string, above ...Crumb) Shell {
		s := commanded(sampleShell(NavSettings, title, append(above, Crumb{Text: title})...), "sts get-caller-identity")
		s.Path = NotificationsPath
		return s
	}
	formShell := func(title string) Shell { // the form has the command beside it
		s := shell(title, settings, notifications)
		s.AWS = ""
		return s
	}
	last := sampleMessages()
	rows := []Channel{
		{ID: "1", Name: "On call", Kind: "Mail", To: "oncall@example.org by smtp.example.org:587", Conditions: 8, Last: &last[0]},
		{ID: "2", Name: "Shop", Kind: "Slack", To: "hooks.slack.com", Conditions: 2, Clusters: "orders, shop-*", Paused: true},
		{ID: "3", Name: "Desk", Kind: "Webhook", To: "an address that is not known any more", Conditions: 1, Paused: true, Lacks: "address and signing key"},
	}
	kept := Fields{Values: map[string]string{"keep_events": "90"}}
	keptWrong := Fields{Values: map[string]string{"keep_events": "3"}, Errors: map[string]string{"keep_events": "Enter 14 to 3650 days. The API shows the events of two weeks, as ElastiCache does."}}
	form := ChannelForm{Fields: Fields{Values: map[string]string{"name": "On call", "kind": "mail", "port": "587", "security": "starttls", "host": "smtp.example.org", "ends": "on", "repeat_hours": "24"}},
		Action: NewChannelPath, Kinds: []Option{{Value: "mail", Label: "Mail"}, {Value: "webhook", Label: "Webhook"}},
		Conditions: []Option{{Value: "snapshot-failed", Label: "A snapshot failed"}, {Value: "disk-nearly-full", Label: "A disk is nearly full"}}, Chosen: map[string]bool{"snapshot-failed": true}, AWS: sampleAWS("sts get-caller-identity")}
	changed := form
	changed.Action, changed.Exists, changed.To, changed.Stored = "/settings/notifications/1", true, "Mail: oncall@example.org by smtp.example.org:587", map[string]bool{"password": true}
	mute := changed
	mute.To, mute.Stored, mute.Lacks = "Slack: an address that is not known any more", nil, "address"
	wrong := form
	wrong.Again = map[string]bool{"password": true}
	wrong.Errors = map[string]string{"conditions": "Choose at least one thing to be told about.", "clusters": `There is no cluster "order". Write the names of clusters, or patterns such as shop-*.`}
	list := List{Path: MessagesPath, Total: 4, Page: 1, Size: 50, Sort: "-time"}
	messages := Messages{List: list, Rows: sampleMessages(), Channels: []Option{{Value: "On call", Label: "On call"}}, Any: true}
	return []samplePage{
		{"notifications", NotificationsPage(shell("Notifications", settings), Notifications{Fields: kept, Rows: rows})},
		{"notifications-empty", NotificationsPage(shell("Notifications", settings), Notifications{Fields: kept})},
		{"notifications-wrong", NotificationsPage(shell("Notifications", settings), Notifications{Fields: keptWrong, Rows: rows})},
		{"channel-new", ChannelPage(formShell("Add a notification channel"), form)},
		{"channel", ChannelPage(formShell("On call"), changed)},
		{"channel-without-secret", ChannelPage(formShell("On call"), mute)},
		{"channel-wrong", ChannelPage(formShell("Add a notification channel"), wrong)},
		{"channel-delete", DeleteChannelPage(shell("Delete", settings, notifications), DeleteChannel{ID: "1", Name: "On call", To: "Mail: oncall@example.org by smtp.example.org:587"})},
		{"messages", MessagesPage(shell("Messages", settings, notifications), messages)},
		{"messages-empty", MessagesPage(shell("Messages", settings, notifications), Messages{List: List{Path: MessagesPath, Page: 1, Size: 50}})},
	}
}
