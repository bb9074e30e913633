package elasticache

import (
	"context"
	"net"
	"strconv"

	"rekindle/models"
	"rekindle/models/catalog"
)

// migrationActions are the actions that move the data of running servers into replication groups.
type migrationActions struct {
	db   *catalog.DB
	jobs Jobs
}

// test answers with the result at once. ElastiCache's result comes as an event.
func (a migrationActions) test(ctx context.Context, c *call) error {
	id, source := c.requiredID("ReplicationGroupId"), c.source()
	if err := c.wrong(); err != nil {
		return err
	}
	if _, err := a.db.Clusters.Group(ctx, id); err != nil {
		return err
	}
	_, err := a.jobs.TestMigration(ctx, id, source)
	return err
}

// start tests first, so that the client learns of most problems at once.
func (a migrationActions) start(ctx context.Context, c *call) error {
	if err := a.test(ctx, c); err != nil {
		return err
	}
	return a.db.Migrations.Start(ctx, c.requiredID("ReplicationGroupId"), c.source(), c.key.KeyID)
}

func (a migrationActions) complete(ctx context.Context, c *call) error {
	id := c.requiredID("ReplicationGroupId")
	force, _ := c.flag("Force")
	if err := c.wrong(); err != nil {
		return err
	}
	if _, err := a.db.Clusters.Group(ctx, id); err != nil {
		return err
	}
	return a.db.Migrations.Complete(ctx, id, force, c.key.KeyID)
}

// source returns the address of the server that the request names.
func (c *call) source() string {
	const name = "CustomerNodeEndpointList"
	endpoints := c.structs(name)
	switch len(endpoints) {
	case 0:
		c.mistake(codeMissing, "The request must contain the parameter %s.", name)
		return ""
	case 1:
	default:
		c.mistake(models.CodeInvalid, "The list %s must have one element: outside of cluster mode there is one server to move the data from.", name)
		return ""
	}
	address := endpoints[0].text("Address")
	port, given := endpoints[0].number("Port")
	c.faults = append(c.faults, endpoints[0].faults...)
	if address == "" || !given {
		c.mistake(codeMissing, "The element of %s must have an Address and a Port.", name)
	}
	return net.JoinHostPort(address, strconv.Itoa(port))
}
