package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"text/tabwriter"

	"rekindle/internal/words"
)

// The things that can be listed.
const (
	listClusters  = "clusters"
	listSnapshots = "snapshots"
)

// runList is "rekindle list [clusters|snapshots]".
func runList(ctx context.Context, args []string, getenv func(string) string, stdout io.Writer) error {
	flags := newFlags("list", `List clusters and snapshots of a running console, or only one of them: rekindle list [clusters|snapshots].
`+accessHelp, getenv, stdout)
	connect := declareClient(flags)
	asJSON := flags.Bool("json", false, jsonUsage)
	cluster := flags.string("cluster", "", "`name` of a cluster: list only its snapshots")
	what, err := flags.parseWith(args)
	if err != nil {
		return err
	}
	if what != "" && what != listClusters && what != listSnapshots {
		return misuse("there are clusters and snapshots to list, not %q: rekindle list [clusters|snapshots]", what)
	}
	if *cluster != "" {
		if what == listClusters {
			return misuse("--cluster is for snapshots: rekindle list snapshots --cluster NAME")
		}
		what = listSnapshots
	}
	c, err := connect()
	if err != nil {
		return err
	}
	var clusters []listedCluster
	var snapshots []listedSnapshot
	if what != listSnapshots {
		if clusters, err = c.clusters(ctx); err != nil {
			return c.explain(err)
		}
	}
	if what != listClusters {
		if snapshots, err = c.snapshots(ctx, *cluster); err != nil {
			return c.explain(err)
		}
	}
	if *asJSON {
		return printListing(stdout, what, clusters, snapshots)
	}
	return printTables(stdout, what, clusters, snapshots)
}

// accessHelp says in each command's help how it gets in.
const accessHelp = `The access key comes from ` + accessKeyVariable + ` and ` + secretKeyVariable + `, or from Amazon's variables, never from arguments; it is made in
the console under Settings, Access keys.`

const jsonUsage = "print one JSON document (docs/running.md has its fields)"

// printListing prints what was asked for; an empty list is there, and what was not asked for is not.
func printListing(w io.Writer, what string, clusters []listedCluster, snapshots []listedSnapshot) error {
	document := map[string]any{"format_version": listingVersion}
	if what != listSnapshots {
		document[listClusters] = append([]listedCluster{}, clusters...)
	}
	if what != listClusters {
		document[listSnapshots] = append([]listedSnapshot{}, snapshots...)
	}
	return printJSON(w, document)
}

func printJSON(w io.Writer, document any) error {
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	encoder.SetEscapeHTML(false)
	return encoder.Encode(document)
}

func printTables(w io.Writer, what string, clusters []listedCluster, snapshots []listedSnapshot) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	if what != listSnapshots {
		fmt.Fprintln(table, "CLUSTER\tSTATUS\tENGINE\tNODE TYPE\tSHARDS\tNODES\tRETENTION\tWINDOW (UTC)\tADDRESS")
		for _, c := range clusters {
			retention := "off"
			if c.Retention > 0 {
				retention = words.Plural(c.Retention, "day")
			}
			fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%d\t%d\t%s\t%s\t%s\n", c.Name, c.Status, c.Engine, c.NodeType, c.Shards, c.Nodes, retention, orDash(c.Window), orDash(c.Address))
		}
	}
	if what == "" {
		if err := table.Flush(); err != nil { // each table has its own widths
			return err
		}
		fmt.Fprintln(w)
	}
	if what != listClusters {
		fmt.Fprintln(table, "SNAPSHOT\tCLUSTER\tSOURCE\tSTATUS\tSIZE\tCOMPLETED (UTC)")
		for _, s := range snapshots {
			size, completed := "-", "-"
			if s.Size != nil {
				size = words.Size(*s.Size)
			}
			if s.CompletedAt != nil {
				completed = s.CompletedAt.Format("2006-01-02 15:04:05")
			}
			fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\n", s.Name, s.Cluster, s.Source, s.Status, size, completed)
		}
	}
	return table.Flush()
}

func orDash(text *string) string {
	if text == nil {
		return "-"
	}
	return *text
}
