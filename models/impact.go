package models

import (
	"slices"
	"time"
)

// Impact is what a snapshot cost the nodes that it was taken from, as far as it was measured.
type Impact struct {
	Parts []PartImpact `json:"parts"`
	More  int          `json:"more,omitempty"` // parts that were not measured because there were too many
}

// RunImpact keeps the [Impact] of a run in the catalog.
type RunImpact struct {
	RunID  uint   `gorm:"primaryKey;autoIncrement:false"`
	Impact string // as JSON
}

// PartImpact is what one reading of a shard cost. When a node failed and another one served instead, a shard was read twice.
type PartImpact struct {
	Shard int          `json:"shard"`
	Since time.Time    `json:"since"`           // when measuring began
	Begun int64        `json:"begun,omitempty"` // when the node began to serve, in milliseconds since then; 0: it did not
	Ended int64        `json:"ended,omitempty"` // when it had sent all; 0: not while it was measured
	ByKey bool         `json:"byKey,omitempty"` // it was read key by key, without a fork
	Nodes []NodeImpact `json:"nodes"`           // the one that served, then the shard's primary if that is another one
}

// NodeImpact is what was seen at one node.
type NodeImpact struct {
	Name        string         `json:"name"`
	Role        Role           `json:"role"`
	Forked      bool           `json:"forked,omitempty"`      // it forked, and said how long that took
	ForkMicros  int64          `json:"forkMicros,omitempty"`  // for which it answered nobody
	CopyOnWrite int64          `json:"copyOnWrite,omitempty"` // the most bytes that it had to copy because they were written to meanwhile; 0: it did not say
	Note        string         `json:"note,omitempty"`        // a sentence about what could not be measured
	Samples     []ImpactSample `json:"samples"`
}

// SamplePhase is when a sample was taken.
type SamplePhase int

// The phases of a reading.
const (
	PhaseBefore SamplePhase = iota
	PhaseDuring
	PhaseAfter
)

// ImpactSample is what was seen since the sample before. Several that follow each other closely may have been merged into one.
type ImpactSample struct {
	At     int64       `json:"t"`           // milliseconds since measuring began
	Phase  SamplePhase `json:"s,omitempty"` //
	Ping   int64       `json:"p"`           // microseconds until PING was answered; the longest of them
	Rate   float64     `json:"r"`           // commands a second, without those that measured; -1: not known
	Memory int64       `json:"m,omitempty"` // bytes that the node's process took; 0: not known
	Lag    int64       `json:"l,omitempty"` // bytes that a replica was behind its primary
	Waits  int64       `json:"b,omitempty"` // clients that wait in a command that blocks, such as WAIT or BLPOP
}

// PhaseFigures sum up a phase.
type PhaseFigures struct {
	Samples int
	Ping    time.Duration // the median
	Worst   time.Duration // the longest PING
	Rate    float64       // commands a second, on average; -1: not known
	Memory  int64         // the most, in bytes; 0: not known
	Lag     int64         // the most, in bytes
	Waits   int64         // clients that waited in a command that blocks, at most
}

// Figures sum up what was seen at a node in a phase.
func (n NodeImpact) Figures(phase SamplePhase) PhaseFigures {
	f := PhaseFigures{Rate: -1}
	var pings []int64
	var commands, span, last float64
	for _, s := range n.Samples {
		at := float64(s.At)
		if s.Phase == phase {
			pings = append(pings, s.Ping)
			f.Memory, f.Lag, f.Waits = max(f.Memory, s.Memory), max(f.Lag, s.Lag), max(f.Waits, s.Waits)
			if s.Rate >= 0 {
				commands, span = commands+s.Rate*(at-last), span+at-last
			}
		}
		last = at
	}
	if f.Samples = len(pings); f.Samples == 0 {
		return f
	}
	slices.Sort(pings)
	f.Ping, f.Worst = micros(pings[(len(pings)-1)/2]), micros(pings[len(pings)-1])
	if span > 0 {
		f.Rate = commands / span
	}
	return f
}

// Fork is how long the node answered nobody because it forked; 0 if it did not, or did not say.
func (n NodeImpact) Fork() time.Duration { return micros(n.ForkMicros) }

func micros(n int64) time.Duration { return time.Duration(n) * time.Microsecond }

// Served tells whether the part's first node began to serve while it was measured.
func (p PartImpact) Served() bool { return p.Begun > 0 && len(p.Nodes) > 0 }

// Worst is the part that cost its node most: the one with the longest fork, or if none forked the longest PING.
func (i Impact) Worst() (PartImpact, bool) {
	var worst PartImpact
	found := false
	for _, p := range i.Parts {
		if p.Served() && (!found || p.weight() > worst.weight()) {
			worst, found = p, true
		}
	}
	return worst, found
}

func (p PartImpact) weight() time.Duration {
	return max(p.Nodes[0].Fork(), p.Nodes[0].Figures(PhaseDuring).Worst)
}
