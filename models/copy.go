package models

import (
	"fmt"
)

// CopySpec asks for a copy of a snapshot.
type CopySpec struct {
	Snapshot    string // what is copied
	Name        string // of the copy
	Store       string // where to: "" for the console's own store, else the URL of another one
	Tags        map[string]string
	RequestedBy string
}

// ExportSpec asks for a snapshot's plain RDB files.
type ExportSpec struct {
	Snapshot    string
	Name        string // of the files: "<name>-0001.rdb"
	Store       string // the URL of the store that they go to
	RequestedBy string
}

// ExportedObject is the name of a shard's file in an export, as ElastiCache gives it.
func ExportedObject(name string, shard int) string { return fmt.Sprintf("%s-%04d.rdb", name, shard) }

// maxExportName leaves room for "-0001.rdb" in a file's name.
const maxExportName = 240
