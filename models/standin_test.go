package models

import "testing"

func TestAnotherEngineStandsInForOneThatIsNotInstalled(t *testing.T) {
	t.Parallel()
	debian12 := []Engine{{"memcached", "1.6.18"}, {"redis", "7.0.15"}}
	all := []Engine{{"memcached", "1.6.18"}, {"redis", "8.0.2"}, {"redis", "7.0.15"}, {"redis", "6.0.16"}, {"valkey", "9.1.2"}, {"valkey", "8.1.1"}, {"valkey", "8.0.1"}}
	for _, c := range []struct {
		installed   []Engine
		name, asked string
		shown, gets string
	}{
		{debian12, "redis", "7.1", "7.1.0", "7.0.15"},
		{debian12, "redis", "7.0.7", "7.0.7", "7.0.15"},
		{debian12, "redis", "6.2", "6.2.0", "7.0.15"},
		{debian12, "redis", "6.x", "6.2.0", "7.0.15"},
		{debian12, "redis", "7.2", "7.2.0", ""},
		{debian12, "redis", "8", "8.0.0", ""},
		{debian12, "redis", "5.0.6", "5.0.6", ""}, // there are no parameter groups for it
		{debian12, "valkey", "7.2", "7.2.0", ""},
		{debian12, "memcached", "1.6.22", "1.6.22", "1.6.18"},
		{debian12, "memcached", "1.5.16", "1.5.16", "1.6.18"},
		{all, "redis", "7.1", "7.1.0", "7.0.15"},
		{all, "redis", "7.2", "7.2.0", "8.0.2"},
		{all, "redis", "6.2.6", "6.2.6", "7.0.15"},
		{all, "valkey", "7.2", "7.2.0", "8.0.1"},
		{all, "valkey", "8.2", "8.2.0", "9.1.2"},
		{all, "valkey", "8.0.9", "8.0.9", "8.0.1"},
		{all, "redis", "7.1.0.3", "", ""},
		{all, "redis", "latest", "", ""},
	} {
		shown := AskedVersion(c.asked)
		got, found := StandIn(c.installed, Engine{c.name, shown})
		if shown != c.shown || got.Version != c.gets || found != (c.gets != "") {
			t.Errorf("%s %s: %v, shown as %q; want %s as %s", c.name, c.asked, got, shown, c.gets, c.shown)
		}
	}
}
