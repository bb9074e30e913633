package jobs_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"rekindle/internal/archive"
	"rekindle/internal/rdb"
	"rekindle/internal/store/dir"
	"rekindle/models"
)

// What is looked through: as many snapshots as the longest retention keeps.
const (
	findSnapshots = 35
	findKeys      = 1_000_000
)

// BenchmarkFind looks for a key in 35 snapshots of a million keys: for one that all of them have, so that all are read, and for one that only the oldest has,
// so that the filters leave out nearly all. Both in one run, of the whole console, from the request to the end.
func BenchmarkFind(b *testing.B) {
	st, err := dir.Open(filepath.Join(b.TempDir(), "snapshots"))
	if err != nil {
		b.Fatal(err)
	}
	defer st.Close()
	fillForFind(b, archive.New(st))
	manager, db := emptyCatalog(b, st)
	defer db.Close()
	if _, err := manager.RebuildCatalog(b.Context(), func(string) {}); err != nil {
		b.Fatal(err)
	}
	if err := manager.Start(b.Context()); err != nil {
		b.Fatal(err)
	}
	defer func() { _ = manager.Stop(context.Background()) }()
	for b.Loop() {
		for _, one := range []struct {
			name, unit string
			found      int64
		}{{"session:0000500000", "s/in-all", findSnapshots}, {"rare", "s/in-one", 1}} {
			began := time.Now()
			run, err := db.Finds.Request(b.Context(), models.FindSpec{Cluster: "orders", Sought: one.name, RequestedBy: "bench"})
			if err != nil {
				b.Fatal(err)
			}
			manager.Wake()
			for !run.Status.Ended() {
				time.Sleep(time.Millisecond)
				if run, err = db.Runs.Get(b.Context(), run.ID); err != nil {
					b.Fatal(err)
				}
			}
			took := time.Since(began)
			search, _, err := db.Finds.Get(b.Context(), run.ID)
			if err != nil || run.Status != models.RunSucceeded || search.Matches != one.found {
				b.Fatalf("%s: %s (%s), %+v, %v", one.name, run.Status, run.Error, search, err)
			}
			b.ReportMetric(took.Seconds(), one.unit)
		}
	}
}

// fillForFind stores the snapshots.
func fillForFind(b *testing.B, a *archive.Archive) {
	b.Helper()
	for i := range findSnapshots {
		at := archive.NewAttempt(archive.Ref{Cluster: "orders", Snapshot: fmt.Sprintf("night-%02d", i)})
		into := a.NewGathering(true)
		part, err := a.WritePart(b.Context(), at, 1, "", bytes.NewReader(manySessions(i == 0)), nil, archive.Into(into))
		if err != nil {
			b.Fatal(err)
		}
		part.SourceNode, part.SourceRole = "orders-001", "primary"
		m := archive.Manifest{Cluster: at.Cluster, Snapshot: at.Snapshot, Attempt: at.ID, Source: archive.Manual, Engine: "redis", EngineVersion: "7.0.15", RDBVersion: 10,
			Configuration: archive.Configuration{NodeType: "cache.t4g.micro", Engine: "redis", Version: "7.0.15", Shards: 1},
			CreatedAt:     part.StartedAt, CompletedAt: part.CompletedAt, Parts: []archive.Part{part}}
		if err := a.WriteContents(b.Context(), m, into); err != nil {
			b.Fatal(err)
		}
		if _, err := a.Commit(b.Context(), m); err != nil {
			b.Fatal(err)
		}
	}
}

// manySessions is an RDB with a million JSON strings, and one key more if it is to have a rare one.
func manySessions(rare bool) []byte {
	body := []byte("REDIS0010\xFE\x00")
	add := func(name, value string) {
		body = append(append(body, 0, byte(len(name))), name...)
		body = append(append(body, 0x40|byte(len(value)>>8), byte(len(value))), value...)
	}
	for i := range findKeys {
		add(fmt.Sprintf("session:%010d", i), fmt.Sprintf(`{"id":%d,"name":"user number %d","email":"user%d@example.com","active":%t,"tags":["alpha","beta"],"score":%d.5}`, i, i, i, i%2 == 0, i%1000))
	}
	if rare {
		add("rare", "value")
	}
	body = append(body, 0xFF)
	return binary.LittleEndian.AppendUint64(body, rdb.UpdateCRC(0, body))
}
