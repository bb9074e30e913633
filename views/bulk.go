package views

import "github.com/a-h/templ"

// DoomedCluster is one of several clusters that are to be deleted.
type DoomedCluster struct {
	Name      string
	Status    string
	Nodes     int
	Keys      int64 // -1: unknown
	Left      Legacy
	CanFinal  bool
	CacheOnly bool // memcached: there is nothing to restore
	Attached  bool // it is only detached: its nodes run on, and its automatic snapshots stay
}

// DeleteClusters is the page that asks before several clusters are deleted. Form: POST DeleteClustersPath with confirm, final=on and Hidden. While
// the box is being ticked, the page is requested again with the same fields, for the command.
type DeleteClusters struct {
	Fields
	CancelHref string
	Clusters   []DoomedCluster // all that go
	Skipped    []string        // the chosen ones that stay, a sentence each
	Hidden     []Hidden        // carried along: name, filters
	AWS        string
}

// SnapshotClusters is the page that asks before a snapshot of each of several clusters is taken. Form: POST SnapshotClustersPath with suffix, the end
// of each snapshot's name, and Hidden.
type SnapshotClusters struct {
	Fields
	CancelHref string
	Names      []string // of the clusters
	Skipped    []string // the chosen ones that cannot be snapshotted, a sentence each
	Hidden     []Hidden
	AWS        string
}

// shownAtMost is how many of the chosen things a page names; the others are counted.
const shownAtMost = 100

// DeletePhrase is what must be typed before these clusters are deleted.
func DeletePhrase(names []string) string {
	if len(names) == 1 {
		return names[0]
	}
	return "delete " + Plural(len(names), "cluster")
}

func (p DeleteClusters) phrase() string {
	names := make([]string, len(p.Clusters))
	for i, c := range p.Clusters {
		names[i] = c.Name
	}
	return DeletePhrase(names)
}

func (p DeleteClusters) sum(of func(DoomedCluster) int) int {
	n := 0
	for _, c := range p.Clusters {
		n += of(c)
	}
	return n
}

// of sums up a field over the attached clusters, or over the others.
func (p DeleteClusters) of(attached bool, field func(DoomedCluster) int) int {
	return p.sum(func(c DoomedCluster) int {
		if c.Attached != attached {
			return 0
		}
		return field(c)
	})
}

func (p DeleteClusters) nodes(attached bool) int {
	return p.of(attached, func(c DoomedCluster) int { return c.Nodes })
}
func (p DeleteClusters) automatic(attached bool) int {
	return p.of(attached, func(c DoomedCluster) int { return c.Left.Automatic })
}

// detached is how many of them are only detached.
func (p DeleteClusters) detached() int { return p.of(true, func(DoomedCluster) int { return 1 }) }

func (p DeleteClusters) manual() int {
	return p.sum(func(c DoomedCluster) int { return c.Left.Manual })
}
func (p DeleteClusters) useless() int {
	return p.sum(func(c DoomedCluster) int { return c.Left.Useless })
}

// finals is how many of them can get a final snapshot.
func (p DeleteClusters) finals() int {
	return p.sum(func(c DoomedCluster) int {
		if c.CanFinal {
			return 1
		}
		return 0
	})
}

// bare is how many of the clusters cannot be restored without a final snapshot.
func (p DeleteClusters) bare() int {
	return p.sum(func(c DoomedCluster) int {
		if c.CanFinal && c.Left.Manual == 0 && !c.Attached {
			return 1
		}
		return 0
	})
}

// lost is how many of the clusters cannot be restored in any case.
func (p DeleteClusters) lost() int {
	return p.sum(func(c DoomedCluster) int {
		if !c.CanFinal && !c.CacheOnly && !c.Attached && c.Left.Manual == 0 && (!NeverRan(c.Status) || c.Left.Automatic > 0) {
			return 1
		}
		return 0
	})
}

// fate says what goes with the cluster.
func (c DoomedCluster) fate() string {
	if c.Attached {
		return "is detached: its " + Plural(c.Nodes, "node") + " and automatic snapshots stay"
	}
	text := Plural(c.Nodes, "node")
	if NeverRan(c.Status) {
		text = "never came up"
	} else if c.Keys >= 0 {
		text += ", " + Plural(c.Keys, "key")
	}
	if c.Left.Automatic > 0 {
		text += ", " + Plural(c.Left.Automatic, "automatic snapshot")
	}
	return text
}

// following makes the equivalent command follow what is filled in: the page is requested again with it, and its command is taken over.
func following(page string) templ.Attributes {
	return templ.Attributes{
		"hx-get": page, "hx-trigger": "change, input delay:400ms", "hx-target": "#equivalent", "hx-select": "#equivalent", "hx-swap": "outerMorph",
		"hx-include": "closest form",
	}
}
