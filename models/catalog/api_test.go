package catalog

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"rekindle/internal/secret"
	"rekindle/models"
)

func TestAccessKeysOfTheEnvironment(t *testing.T) {
	t.Parallel()
	db := newSimulation(t, 1, nil).db[0]
	for name, one := range map[string]struct {
		id     string
		secret secret.Text
		good   bool
	}{
		"none":                  {"", "", true},
		"a good one":            {"AKIA1", "sixteen-letters!", true},
		"the same again":        {"AKIA1", "sixteen-letters!", true},
		"another secret":        {"AKIA1", "seventeen-letters", true},
		"a short secret":        {"AKIA2", "short", false},
		"no id":                 {"", "sixteen-letters!", false},
		"an id of blanks":       {"A K I A", "sixteen-letters!", false},
		"a secret with a blank": {"AKIA3", "sixteen letters and more", false},
	} {
		err := db.Keys.Ensure(t.Context(), one.id, one.secret)
		if _, refused := models.AsFaults(err); one.good && err != nil || !one.good && !refused {
			t.Errorf("%s: %v", name, err)
		}
	}
	check(t, db.Keys.Ensure(t.Context(), "AKIA1", "the-last-of-secrets"))
	key, found, err := db.Keys.Find(t.Context(), "AKIA1")
	if err != nil || !found || key.Secret != "the-last-of-secrets" || key.Role != models.RoleAdminister {
		t.Errorf("%+v, %t, %v", key, found, err)
	}
	if keys := must(db.Keys.All(t.Context()))(t); len(keys) != 1 || keys[0].Secret != "" {
		t.Errorf("a list gives secrets away: %+v", keys)
	}
}

func TestOnceActsOnce(t *testing.T) {
	t.Parallel()
	db := newSimulation(t, 1, nil).db[0]
	acts := 0
	act := func(fails error) func(context.Context) error {
		return func(ctx context.Context) error {
			return db.transaction(ctx, func(tx *DB) error {
				acts++
				if err := tx.transaction(ctx, func(*DB) error { return nil }); err != nil { // within another one
					return err
				}
				return fails
			})
		}
	}
	broken := errors.New("broken")
	if err := db.Calls.Once(t.Context(), "a", act(broken)); !errors.Is(err, broken) {
		t.Error(err)
	}
	for range 3 { // what failed has not acted
		check(t, db.Calls.Once(t.Context(), "a", act(nil)))
	}
	if acts != 2 {
		t.Errorf("acted %d times", acts)
	}
	for range 2 {
		check(t, db.Calls.Once(t.Context(), "", act(nil)))
	}
	if acts != 4 {
		t.Errorf("without a number it acted %d times in all", acts)
	}
	acts = 0
	check(t, db.Calls.Once(t.Context(), "c", func(ctx context.Context) error { // while it is under way it comes again, and is faster
		check(t, db.Calls.Once(t.Context(), "c", act(nil)))
		return act(nil)(ctx)
	}))
	if acts != 1 {
		t.Errorf("the same at the same time acted %d times", acts)
	}
	for _, err := range atOnce(6, func(int) error { return db.Calls.Once(t.Context(), "b", act(nil)) }) {
		check(t, err)
	}
	if n := count(t, db, &models.Invocation{}); n != 3 {
		t.Errorf("%d invocations", n)
	}
}

func TestFindEngineTakesTheNewestThatFits(t *testing.T) {
	t.Parallel()
	db := newSimulation(t, 1, nil).db[0]
	engines := must(db.Engines.All(t.Context()))(t)
	for _, e := range engines {
		major, _, _ := strings.Cut(e.Version, ".")
		for _, version := range []string{e.Version, major, major + ".x", ""} {
			got, err := db.Engines.Find(t.Context(), e.Name, version)
			if err != nil || got.Name != e.Name || models.Newer(e.Version, got.Version) {
				t.Errorf("%s %q: %v, %v", e.Name, version, got, err)
			}
		}
	}
	for _, bad := range [][2]string{{"redis", "1"}, {"redis", "7.0.1.5"}, {"postgres", ""}} {
		_, err := db.Engines.Find(t.Context(), bad[0], bad[1])
		refused(t, err, models.CodeInvalid)
	}
	for _, one := range []struct {
		engine models.Engine
		want   string
	}{{models.Engine{Name: "redis", Version: "6.0.16"}, "redis6.x"}, {models.Engine{Name: "redis", Version: "7.0.15"}, "redis7"}, {models.Engine{Name: "valkey", Version: "9.1.2"}, "valkey9"}, {models.Engine{Name: "memcached", Version: "1.6.18"}, "memcached1.6"}} {
		if got := one.engine.Family(); got != one.want {
			t.Errorf("%s: %s", one.engine, got)
		}
	}
	if models.Newer("7.0.9", "7.0.15") || !models.Newer("10.0", "9.9.9") {
		t.Error("versions are compared as text")
	}
}

func TestAClusterIsTakenForARestartOrAFailoverOnce(t *testing.T) {
	t.Parallel()
	db := newSimulation(t, 1, nil).db[0]
	c := spec("orders")
	c.Replicas = 1
	launched(t, db, c)
	alone := spec("alone")
	alone.Replicas = 0
	launched(t, db, alone)
	refused(t, db.Changes.FailOver(t.Context(), "alone", 1, "test"), models.CodeNoFailover)
	refused(t, db.Changes.Reboot(t.Context(), "orders", []string{"alone-001"}, "test"), models.CodeNodeNotFound)
	check(t, db.Changes.Reboot(t.Context(), "orders", nil, "test"))
	refused(t, db.Changes.FailOver(t.Context(), "orders", 1, "test"), models.CodeClusterState)
	refused(t, db.Changes.Reboot(t.Context(), "orders", nil, "test"), models.CodeClusterState)
	run := claim(t, db)
	if args := must(models.Args[models.RebootArgs](run))(t); len(args.Nodes) != 2 {
		t.Errorf("%+v", args)
	}
	said := func(reason, event string) {
		t.Helper()
		cluster := must(db.Clusters.Get(t.Context(), "orders"))(t)
		events := must(db.Events.List(t.Context(), models.List{Size: 1}))(t).Rows
		if cluster.Status != models.ClusterAvailable || cluster.StatusReason != reason || events[0].Message != event {
			t.Errorf("it is %s (%s), and the event says %q", cluster.Status, cluster.StatusReason, events[0].Message)
		}
	}
	check(t, db.Settle.Fail(t.Context(), run, models.RunFailed, "It did not save."))
	said("The last restart of nodes did not succeed. It did not save.", "Nodes of the cluster orders could not be restarted. It did not save.")
	check(t, db.Changes.FailOver(t.Context(), "orders", 1, "test"))
	if cluster := must(db.Clusters.Get(t.Context(), "orders"))(t); cluster.Status != models.ClusterModifying {
		t.Errorf("%+v", cluster)
	}
	check(t, db.Settle.Fail(t.Context(), claim(t, db), models.RunFailed, "No replica is in step."))
	said("The last failover did not succeed. No replica is in step.", "The failover of the cluster orders did not succeed. No replica is in step.")
}

func TestSignaturesAndInvocationsAreForgotten(t *testing.T) {
	t.Parallel()
	s := newSimulation(t, 1, nil)
	db := s.db[0]
	for i := range 5 {
		admitted, err := db.Calls.Admit(t.Context(), models.Signature{Signature: strings.Repeat("x", i+1)}, true)
		if err != nil || !admitted {
			t.Fatal(admitted, err)
		}
		check(t, db.Calls.Once(t.Context(), strings.Repeat("n", i+1), func(ctx context.Context) error { return db.transaction(ctx, func(*DB) error { return nil }) }))
	}
	s.clock.Advance(25 * time.Hour)
	must(db.Calls.Admit(t.Context(), models.Signature{Signature: "last"}, true))(t)
	check(t, db.Calls.Once(t.Context(), "last", func(ctx context.Context) error { return db.transaction(ctx, func(*DB) error { return nil }) }))
	if a, b := count(t, db, &models.Signature{}), count(t, db, &models.Invocation{}); a != 1 || b != 1 {
		t.Errorf("%d signatures, %d invocations", a, b)
	}
}
