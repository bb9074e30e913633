package main

import (
	"net/url"
	"testing"

	"rekindle/internal/testkit"
)

// BenchmarkTuning takes snapshots of an attached node with its default settings, in turn as it is and tuned, and says how the tuned ones compare in time
// and in what they cost the node.
func BenchmarkTuning(b *testing.B) {
	s := newBench(b, benchNumber(b, "REKINDLE_BENCH_KEYS", 200_000))
	node := testkit.Redis(b, "--repl-diskless-sync-delay", "5")
	s.fill(node.Client(), jsonValue)
	access := url.Values{"id": {"orders"}, "addresses": {node.Addr}, "action": {"attach"}}
	s.must("/clusters/-/attach", access)
	source := []benchSource{{cluster: "orders", client: node.Client()}}
	var plain, tuned benchFigures
	for b.Loop() {
		access.Set("tuned", "")
		s.must("/clusters/orders/access", access)
		_, one := s.snapshot(source)
		access.Set("tuned", "on")
		s.must("/clusters/orders/access", access)
		_, other := s.snapshot(source)
		plain.wall, plain.child = plain.wall+one.wall, plain.child+one.child
		tuned.wall, tuned.child = tuned.wall+other.wall, tuned.child+other.child
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(tuned.child.Seconds()/plain.child.Seconds(), "child-CPU-ratio")
	b.ReportMetric(tuned.wall.Seconds()/plain.wall.Seconds(), "wall-ratio")
	b.ReportMetric(plain.child.Seconds()/float64(b.N), "untuned-child-s")
	b.ReportMetric(tuned.child.Seconds()/float64(b.N), "tuned-child-s")
	b.ReportMetric(plain.wall.Seconds()/float64(b.N), "untuned-s")
	b.ReportMetric(tuned.wall.Seconds()/float64(b.N), "tuned-s")
}
