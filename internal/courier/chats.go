package courier

import (
	"strings"

	"rekindle/internal/secret"
)

// Slack posts to an incoming webhook of Slack, or of what understands the same, such as Mattermost.
//
// Source: Slack API, "Sending messages using incoming webhooks" and "Formatting text for app surfaces".
func Slack(to secret.Text, guard Guard) Courier {
	escape := strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;").Replace
	return post{to: to, guard: guard, body: func(m Message) any {
		link := m.Link
		m.Link = ""
		text := "*" + escape(m.Title) + "*\n" + escape(short(m.plain(), 3000))
		if link != "" {
			text += "\n<" + link + "|Open in Rekindle>"
		}
		return map[string]string{"text": text}
	}}
}

// Teams posts an adaptive card to a workflow of Microsoft Teams ("When a Teams webhook request is received").
//
// Source: Microsoft Learn, "Create incoming webhooks with Workflows" and the adaptive card schema 1.4.
func Teams(to secret.Text, guard Guard) Courier {
	type object = map[string]any
	return post{to: to, guard: guard, body: func(m Message) any {
		body := []object{
			{"type": "TextBlock", "size": "Medium", "weight": "Bolder", "wrap": true, "text": unmarked(m.Title)},
			{"type": "TextBlock", "wrap": true, "text": unmarked(short(m.Text, 3000))},
		}
		if m.Next != "" {
			body = append(body, object{"type": "TextBlock", "wrap": true, "text": unmarked(m.Next)})
		}
		var facts []object
		for _, fact := range m.facts() {
			facts = append(facts, object{"title": fact[0], "value": fact[1]})
		}
		if len(facts) > 0 {
			body = append(body, object{"type": "FactSet", "facts": facts})
		}
		card := object{"$schema": "http://adaptivecards.io/schemas/adaptive-card.json", "type": "AdaptiveCard", "version": "1.4", "body": body}
		if m.Link != "" {
			card["actions"] = []object{{"type": "Action.OpenUrl", "title": "Open in Rekindle", "url": m.Link}}
		}
		return object{"type": "message", "attachments": []object{{"contentType": "application/vnd.microsoft.card.adaptive", "content": card}}}
	}}
}

// Discord posts to a webhook of Discord.
//
// Source: Discord developer documentation, "Execute Webhook" and "Embed Limits".
func Discord(to secret.Text, guard Guard) Courier {
	colours := map[string]int{"ends": 0x2e7d32, "test": 0x2563eb}
	return post{to: to, guard: guard, body: func(m Message) any {
		colour, known := colours[m.Phase]
		if !known {
			colour = 0xc62828
		}
		link := m.Link
		m.Link = ""
		embed := map[string]any{"title": short(unmarked(m.Title), 256), "description": short(unmarked(m.plain()), 4000), "color": colour}
		if link != "" {
			embed["url"] = link
		}
		return map[string]any{"embeds": []any{embed}, "allowed_mentions": map[string]any{"parse": []string{}}}
	}}
}

// Telegram has a bot write into a chat. server is the address of the Bot API.
//
// Source: Telegram Bot API, "sendMessage".
func Telegram(server string, token secret.Text, chat string, guard Guard) Courier {
	to := secret.Text(strings.TrimSuffix(server, "/") + "/bot" + token.Reveal() + "/sendMessage")
	return post{to: to, guard: guard, body: func(m Message) any {
		return map[string]any{"chat_id": chat, "text": short(m.Title+"\n\n"+m.plain(), 4000), "link_preview_options": map[string]bool{"is_disabled": true}}
	}}
}

// unmarked has characters stand for themselves where a receiver reads Markdown.
func unmarked(text string) string {
	return strings.NewReplacer(`\`, `\\`, "*", `\*`, "_", `\_`, "`", "\\`", "~", `\~`, "[", `\[`, "]", `\]`, "|", `\|`).Replace(text)
}
