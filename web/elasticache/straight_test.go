package elasticache

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"rekindle/models"
)

func TestAGroupIsMadeOfAMoment(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.launch(models.ClusterSpec{Name: "orders", Replicas: 2, Slots: []string{"0-99", "100-16383"}, ClusterMode: true, Shards: 2})
	b.launch(models.ClusterSpec{Name: "old", Engine: models.Engine{Name: "redis", Version: "6.0.16"}})
	moment := b.clock.Now().Add(-time.Minute).UTC().Truncate(time.Second)
	create := func(id string, more ...string) (int, string) {
		return b.send(form("CreateReplicationGroup", append([]string{"ReplicationGroupId", id, "ReplicationGroupDescription", "d"}, more...)...))
	}
	to := moment.Format(time.RFC3339)
	for name, test := range map[string]struct {
		with   []string
		status int
		says   string
	}{
		"of nothing":     {[]string{"RecoverTo", to, "CacheNodeType", "cache.t4g.small"}, http.StatusBadRequest, "RecoverFrom, which names a cluster"},
		"of no moment":   {[]string{"RecoverFrom", "orders", "CacheNodeType", "cache.t4g.small"}, http.StatusBadRequest, "and RecoverTo, a time such as"},
		"of nobody":      {[]string{"RecoverFrom", "nobody", "RecoverTo", to, "CacheNodeType", "cache.t4g.small"}, http.StatusNotFound, "nobody"},
		"of the future":  {[]string{"RecoverFrom", "orders", "RecoverTo", "2099-01-01T00:00:00Z"}, http.StatusBadRequest, "still to come"},
		"with one shard": {[]string{"RecoverFrom", "orders", "RecoverTo", to, "ClusterMode", "disabled"}, http.StatusBadRequest, "Recover orders to the moment as a snapshot instead"},
	} {
		if status, body := create("wrong", test.with...); status != test.status || !strings.Contains(body, test.says) {
			t.Errorf("%s: %d %s", name, status, body)
		}
	}
	made := func(id string, more ...string) (models.Cluster, models.StraightArgs) {
		t.Helper()
		if status, body := create(id, more...); status != http.StatusOK || !strings.Contains(body, "<ReplicationGroupId>"+id+"</ReplicationGroupId>") {
			t.Fatalf("%s: %d %s", id, status, body)
		}
		cluster := must(b.db.Clusters.Get(t.Context(), id))(t)
		runs := must(b.db.Runs.List(t.Context(), models.List{Equal: map[string]string{"cluster": id}}))(t)
		return cluster, must(models.Args[models.StraightArgs](runs.Rows[0]))(t)
	}
	again, args := made("again", "RecoverFrom", "Orders", "RecoverTo", to)
	if again.NodeType != "cache.t4g.small" || again.Replicas != 2 || !again.ClusterMode || again.Shards()[1].Slots != "100-16383" || args.Cluster != "orders" || !args.Moment.Equal(moment) {
		t.Errorf("%+v of %+v", again.Configuration, args)
	}
	again, _ = made("other", "RecoverFrom", "orders", "RecoverTo", to, "CacheNodeType", "cache.t4g.micro", "ReplicasPerNodeGroup", "0")
	if again.NodeType != "cache.t4g.micro" || again.Replicas != 0 {
		t.Errorf("%+v", again.Configuration)
	}
	if again, _ = made("older", "RecoverFrom", "old", "RecoverTo", to); again.EngineVersion != "6.0.16" || again.ClusterMode {
		t.Errorf("%+v", again.Configuration)
	}
}
