package models

import (
	"cmp"
	"slices"
	"time"
)

// HourLoad is what the schedules do in one hour of each day (UTC).
type HourLoad struct {
	Starts int // snapshots that begin in it
	Open   int // windows that are open at some time in it
}

// DayLoad is what all schedules do in a day, by the hour.
type DayLoad struct {
	Hours    [24]HourLoad
	Clusters int // that have a schedule
}

// Busiest is the hour in which most snapshots begin.
func (d DayLoad) Busiest() int {
	busiest := 0
	for hour, load := range d.Hours {
		if load.Starts > d.Hours[busiest].Starts {
			busiest = hour
		}
	}
	return busiest
}

// Start is an automatic snapshot that is to come.
type Start struct {
	Cluster string
	At      time.Time
	Opens   time.Time     // the window
	Closes  time.Time     //
	Takes   time.Duration // as long as the newest one took; 0: unknown
	Hosts   []string      // those of the nodes that may serve it; each forks for it
}

// Clash is that several clusters are snapshotted from nodes of one host at the same time, so that the host has to bear several forks.
type Clash struct {
	Host     string
	From     time.Time
	Clusters []string // in the order in which they begin
}

// atLeastTakes is how long a snapshot is taken to last of which nothing is known. The schedule looks every minute.
const atLeastTakes = time.Minute

// Clashes finds out which of these snapshots will be taken from the same host at the same time, the earliest first.
func Clashes(starts []Start) []Clash {
	byHost := make(map[string][]Start)
	for _, s := range starts {
		for _, host := range s.Hosts {
			byHost[host] = append(byHost[host], s)
		}
	}
	var clashes []Clash
	for host, all := range byHost {
		slices.SortFunc(all, func(a, b Start) int { return cmp.Or(a.At.Compare(b.At), cmp.Compare(a.Cluster, b.Cluster)) })
		clashes = append(clashes, clashesOn(host, all)...)
	}
	slices.SortFunc(clashes, func(a, b Clash) int { return cmp.Or(a.From.Compare(b.From), cmp.Compare(a.Host, b.Host)) })
	return clashes
}

// clashesOn groups the snapshots of one host, sorted by their beginning, that overlap.
func clashesOn(host string, starts []Start) (clashes []Clash) {
	var group []string
	var from, until time.Time
	flush := func() {
		if len(group) > 1 {
			clashes = append(clashes, Clash{Host: host, From: from, Clusters: group})
		}
		group = nil
	}
	for _, s := range starts {
		if len(group) > 0 && !s.At.Before(until) {
			flush()
		}
		if len(group) == 0 {
			from, until = s.At, time.Time{}
		}
		group = append(group, s.Cluster)
		if ends := s.At.Add(max(s.Takes, atLeastTakes)); ends.After(until) {
			until = ends
		}
	}
	flush()
	return clashes
}

// ForkHosts are the hosts of the nodes from which the next snapshot may be taken, sorted: of each shard the replicas, or the primary if there are none.
func (c Cluster) ForkHosts() []string {
	replicas := make(map[int][]string)
	primaries := make(map[int]string)
	for _, n := range c.Nodes {
		if n.Role == RoleReplica {
			replicas[n.Shard] = append(replicas[n.Shard], n.Host)
		} else {
			primaries[n.Shard] = n.Host
		}
	}
	var hosts []string
	for shard, host := range primaries {
		if len(replicas[shard]) == 0 {
			hosts = append(hosts, host)
		}
	}
	for _, some := range replicas {
		hosts = append(hosts, some...)
	}
	slices.Sort(hosts)
	return slices.Compact(hosts)
}

// Promise is how old the newest good snapshot of a cluster may become while its schedule is kept: a day, and as long as its window is open, because a
// snapshot that fails is tried again until then. 0: it has no schedule, and nothing is promised.
func (c Cluster) Promise() time.Duration {
	if !c.Backups() {
		return 0
	}
	return 24*time.Hour + time.Duration(c.SnapshotWindow.Length)*time.Minute
}
