package views

import "time"

// Migration is a server whose data is being moved into a cluster.
type Migration struct {
	Source string // host:port
	Since  time.Time
	Copied bool   // the cluster has had all of the data once
	Link   string // how it is
	Down   bool   // the link is down
	CanEnd bool   // it can be completed or given up now
}

// MigrateCluster is the page that has a cluster follow a server outside. Form: POST /clusters/{id}/migration with source and action: test, or start.
type MigrateCluster struct {
	Fields
	ID      string
	Status  string
	Refusal string // a sentence, if it cannot be done now
	Found   string // what a test has found; ""
	AWS     string
}

// EndMigration is the page that asks before a migration is completed or, with Force, given up. Form: the same with action: complete, or force.
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
