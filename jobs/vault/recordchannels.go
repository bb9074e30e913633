package vault

import (
	"rekindle/internal/archive"
	"rekindle/internal/secret"
	"rekindle/models"
)

// channelsOf are the notification channels as the console's record has them, without their secrets.
func channelsOf(channels []models.Channel) []archive.Channel {
	var recorded []archive.Channel
	for _, c := range channels {
		one := archive.Channel{Name: c.Name, Kind: string(c.Kind), Host: c.Host, Port: c.Port, Security: c.Security, Username: c.Username, Sender: c.Sender, Recipients: c.Recipients,
			Conditions: c.Conditions, Clusters: c.Clusters, RepeatHours: c.RepeatHours, Ends: c.Ends, Paused: c.Paused}
		if c.Kind == models.ChannelTelegram {
			one.Server = c.URL.Reveal() // of others the address is a secret
		}
		recorded = append(recorded, one)
	}
	return recorded
}

// recordedChannels is the reverse of [channelsOf].
func recordedChannels(recorded []archive.Channel) []models.Channel {
	var channels []models.Channel
	for _, c := range recorded {
		one := models.Channel{Name: c.Name, Kind: models.ChannelKind(c.Kind), Host: c.Host, Port: c.Port, Security: c.Security, Username: c.Username, Sender: c.Sender, Recipients: c.Recipients,
			Conditions: c.Conditions, Clusters: c.Clusters, RepeatHours: c.RepeatHours, Ends: c.Ends, Paused: c.Paused}
		if one.Kind == models.ChannelTelegram {
			one.URL = secret.Text(c.Server)
		}
		channels = append(channels, one)
	}
	return channels
}
