package views

import "time"

// Migration describes how the data of a server is being moved into a cluster.
type Migration struct {
	Source string // host:port
	Since  time.Time
	Copied bool   // the cluster has had all of the data once
	Link   string // the state of the link, in words
	Down   bool   // the link is down
	CanEnd bool   // the migration can be completed or given up now
}

// MigrateCluster is the page for moving a server's data into a cluster. Its form: POST /clusters/{id}/migration with source and action, which
// is test or start.
type MigrateCluster struct {
	Fields
	ID      string
	Status  string
	Refusal string // a sentence that says why it cannot be done now; "": it can
	Found   string // the result of a test, in a sentence; "": none
	AWS     string
}

// EndMigration is the page that asks for confirmation before a migration is completed or, with Force, given up. Its form: POST
// /clusters/{id}/migration with action, which is complete or force.
type EndMigration struct {
	Fields
	ID      string
	Status  string
	Refusal string
	Migration
	Force bool
	AWS   string
}

func (p EndMigration) title() string {
	if p.Force {
		return "Give up the migration into " + p.ID
	}
	return "Complete the migration into " + p.ID
}
