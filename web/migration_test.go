package web

import (
	"net/http"
	"testing"

	"rekindle/models"
)

func TestDataIsMovedInByThePage(t *testing.T) {
	t.Parallel()
	c := signedIn(t)
	c.launch("orders")
	c.launch("sessions", cache)
	c.get("/clusters/sessions").doesNotSay("/clusters/sessions/migration")
	c.get("/clusters/sessions/migration").is(http.StatusOK).says("is a cache cluster").doesNotSay(`value="start"`)
	c.get("/clusters/nobody/migration").is(http.StatusNotFound)
	c.post("/clusters/nobody/migration", "action", "complete").is(http.StatusNotFound)
	c.get("/clusters/orders").says("/clusters/orders/migration").doesNotSay("Migrating from")
	c.get("/clusters/orders/migration").is(http.StatusOK).says("Move data into orders", "aws elasticache start-migration", "Address=HOST,Port=6379", `value="start"`)

	c.jobs.change(func(a *answers) {
		a.migration = func(cluster, source string) (models.MigrationSource, error) {
			switch {
			case cluster != "orders":
				return models.MigrationSource{}, errOnPurpose
			case source == "db1":
				return models.MigrationSource{Engine: models.Engine{Name: "redis", Version: "6.2.7"}, Keys: 5, Used: 2e6}, nil
			case source == "empty":
				return models.MigrationSource{Engine: models.Engine{Name: "redis", Version: "6.2.7"}}, nil
			}
			return models.MigrationSource{}, models.Refuse(models.CodeInvalid, "source", "Nothing listens there.")
		}
	})
	c.post("/clusters/orders/migration", "action", "test", "source", " db1 ").is(http.StatusOK).says("Nothing is in the way: db1 is redis 6.2.7 with 5 keys, 2.0 MB.", "Address=db1,Port=6379", `value="db1"`)
	c.post("/clusters/orders/migration", "action", "test", "source", "empty").is(http.StatusOK).says("holds no keys. Is it the right one?")
	c.post("/clusters/orders/migration", "action", "test", "source", "db9").is(http.StatusUnprocessableEntity).says("Nothing listens there.").hasErrorAt("source")
	c.post("/clusters/orders/migration", "action", "start", "source", "db9").is(http.StatusUnprocessableEntity).hasErrorAt("source")
	c.post("/clusters/sessions/migration", "action", "start", "source", "db1").is(http.StatusInternalServerError)
	c.post("/clusters/orders/migration", "action", "complete").is(http.StatusUnprocessableEntity).says("No data is being moved into the cluster orders.")
	if c.jobs.woken.Load() != 0 {
		t.Error("the jobs were woken for nothing")
	}
	c.post("/clusters/orders/migration", "action", "start", "source", "db1").redirects("/clusters/orders")
	run := c.claim()
	if args, err := models.Args[models.MigrateArgs](run); err != nil || args.Source != "db1:6379" || run.RequestedBy != "admin" || c.jobs.woken.Load() != 1 {
		t.Errorf("%+v, %+v (%v)", run, args, err)
	}
	c.check(c.db.Migrations.Began(t.Context(), run, models.Migration{Source: "db1:6379", Address: "10.0.0.5:6379"}, "It follows."))

	c.get("/clusters?status=migrating").says(">orders<", "Migrating")
	c.get("/clusters/orders").says("Migrating from db1:6379", "Not all of it is here yet", "/clusters/orders/migration?force=on", ` data-work`, "attach the cluster there to take snapshots").doesNotSay("Move data in")
	c.get("/clusters/orders/migration").says("Complete the migration into orders", "Stop all writers at the source first", "aws elasticache complete-migration").doesNotSay("--force")
	c.get("/clusters/orders/migration?force=on").says("Give up the migration into orders", "It does not have all of the data yet", "--force")
	c.check(c.db.Migrations.Copied(t.Context(), c.find("orders")))
	c.get("/clusters/orders").says("All of it has been copied")
	c.get("/clusters/orders/migration?force=on").doesNotSay("It does not have all of the data yet")
	c.post("/clusters/orders/migration", "action", "force").redirects("/clusters/orders")
	c.get("/clusters/orders").says("Give up the migration into orders", "Migrating from db1:6379").doesNotSay("force=on", "is being given up")
	c.post("/clusters/orders/migration", "action", "complete").is(http.StatusUnprocessableEntity).says("can be completed or given up when that is done")
	if args, err := models.Args[models.CompleteArgs](c.claim()); err != nil || !args.Force {
		t.Errorf("%+v (%v)", args, err)
	}
}

func TestHowTheLinkOfAMigrationIs(t *testing.T) {
	t.Parallel()
	for want, n := range map[string]models.Node{
		"up, and in step":                    {State: "available"},
		"up, 1.5 MB behind":                  {State: "available", LagBytes: 1.5e6},
		"the data is being copied":           {State: "loading"},
		"the data is being copied, 3 KB":     {State: "loading", LagBytes: 3000},
		"down: the source does not answer":   {State: "available", LagBytes: -1},
		"not known: the node a-1 is stopped": {Name: "a-1", State: "stopped"},
	} {
		down := n.LagBytes < 0 || n.State == "stopped"
		if text, is := linkText(n); len(text) < len(want) || text[:len(want)] != want || is != down {
			t.Errorf("%+v is %q, down %t", n, text, is)
		}
	}
}
