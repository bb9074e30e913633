package vault

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"rekindle/internal/archive"
	"rekindle/models"
)

func TestAConfigurationComesBackFromTheStoreAsItWas(t *testing.T) {
	t.Parallel()
	given := models.Configuration{Description: "Orders of the shop", Grouped: true, Engine: "redis", EngineVersion: "7.0.15", NodeType: "cache.t4g.micro", ClusterMode: true, ShardCount: 3,
		Replicas: 2, Port: 6380, RetentionLimit: 7, SnapshotWindow: models.Window{Start: 180, Length: 60}, ParameterGroup: "many",
		Attributes: models.Attributes{MaintenanceWindow: "sun:05:00-sun:06:00", CrossZone: true}, TransitEncryption: true}
	for i, value := range reflect.ValueOf(given).Fields() { // or a field that is new could be forgotten on the way
		if value.IsZero() {
			t.Fatalf("the test gives no %s", i.Name)
		}
	}
	text, err := json.Marshal(storedConfiguration(given))
	if err != nil {
		t.Fatal(err)
	}
	var stored archive.Configuration
	if err := json.Unmarshal(text, &stored); err != nil {
		t.Fatal(err)
	}
	if read, err := readConfiguration(stored); err != nil || !reflect.DeepEqual(read, given) {
		t.Errorf("%+v came back as %+v, error %v", given, read, err)
	}
}

func TestWhatCannotBeInAConfigurationIsNoticed(t *testing.T) {
	t.Parallel()
	whole := storedConfiguration(models.Configuration{Engine: "redis", NodeType: "cache.t4g.micro", ShardCount: 1, SnapshotWindow: models.Window{Start: 180, Length: 60}})
	for name, test := range map[string]struct {
		damage func(*archive.Configuration)
		says   string
	}{
		"the window":              {func(c *archive.Configuration) { c.SnapshotWindow = "03:00-25:00" }, "03:00-25:00"},
		"attributes of no object": {func(c *archive.Configuration) { c.Attributes = json.RawMessage(`[1]`) }, "attributes"},
		"attributes that cannot be": {func(c *archive.Configuration) {
			c.Attributes = json.RawMessage(`{"maintenance_window":"someday"}`)
		}, "attributes"},
	} {
		c := whole
		test.damage(&c)
		read, err := readConfiguration(c)
		if err == nil || !strings.Contains(err.Error(), test.says) {
			t.Errorf("%s: noticed as %v", name, err)
		}
		if read.Engine != "redis" || read.NodeType != "cache.t4g.micro" {
			t.Errorf("%s: the rest came as %+v", name, read)
		}
	}
}
