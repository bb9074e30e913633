package models

import (
	"fmt"
	"strings"

	"rekindle/internal/words"
)

// A lost catalog is rebuilt from the manifests in the store, which package jobs reads. Rows of the catalog that agree with them are never touched.

// Rebuilt says what a rebuild did.
type Rebuilt struct {
	Found    int // snapshots with a manifest in the store
	Adopted  int // new to the catalog
	Restored int // failed according to the catalog, but complete
	Agreed   int // as the catalog has them
	Missing  int // in the catalog, but not in the store
	Warnings int // manifests that could not be used, and rows that differ from theirs
	Clusters []string
	Lost     []string // clusters that are only known from the store, and have no nodes
	Settings bool     // the settings were taken from the store
	Channels []string // notification channels that were
	Mute     []string // those of them that lack their secrets
}

// Sentence describes it for people.
func (r Rebuilt) Sentence() string {
	text := fmt.Sprintf("The catalog was rebuilt from the store: %s found, %d of them new, %d known already.", words.Plural(r.Found, "snapshot"), r.Adopted, r.Agreed)
	if r.Restored > 0 {
		text += fmt.Sprintf(" %d that had failed are whole and available.", r.Restored)
	}
	if r.Missing > 0 {
		text += fmt.Sprintf(" %d that the catalog had are missing in the store.", r.Missing)
	}
	if len(r.Clusters) > 0 {
		text += " Brought back from their nodes: " + strings.Join(r.Clusters, ", ") + "."
	}
	if len(r.Lost) > 0 {
		text += " Known again, but without nodes: " + strings.Join(r.Lost, ", ") + ". Restore their snapshots."
	}
	if r.Settings {
		text += " The settings were taken from the store."
	}
	if len(r.Channels) > 0 {
		text += " Notification channels that are known again: " + strings.Join(r.Channels, ", ") + "."
	}
	if len(r.Mute) > 0 {
		text += " Their secrets were in the catalog that was lost: nothing is sent through " + strings.Join(r.Mute, ", ") + " until they are given again, under Settings, Notifications."
	}
	if r.Warnings > 0 {
		text += fmt.Sprintf(" %d warnings: see the events.", r.Warnings)
	}
	return text
}
