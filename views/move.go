package views

import "time"

// CopySnapshot is the page that copies a snapshot. Form: POST to Action with name and store.
type CopySnapshot struct {
	Fields
	Action, CancelHref string
	Source             MoveSource
	OwnStore           string // where the console keeps its snapshots
	AWS                string
}

// ExportSnapshot is the page that writes a snapshot's plain RDB files elsewhere. Form: POST to Action with name and store.
type ExportSnapshot struct {
	Fields
	Action, CancelHref string
	Source             MoveSource
	Files              []string // that will be written; the first few
	Shards             int
	AWS                string
}

// MoveSource is the snapshot that is copied or exported.
type MoveSource struct {
	Name, Cluster, Source string
	CreatedAt             time.Time
	Bytes, Stored, Keys   int64
	Shards                int
}

// ImportSnapshot is the page that makes a snapshot from RDB files. Form: POST to /snapshots/-/import with cluster, name and sources (one address per
// line), or as multipart with cluster, name and files.
type ImportSnapshot struct {
	Fields
	Upload   bool
	Clusters []Option // known ones, suggested while typing
	Limit    int64    // of an upload, bytes
	AWS      string
}
