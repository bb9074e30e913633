package main

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"rekindle/internal/archive"
	"rekindle/internal/primary"
	"rekindle/internal/replica"
	"rekindle/internal/store/dir"
	"rekindle/internal/testkit"
)

// benchKeys is the number of JSON strings of some 180 bytes in the benchmarks; REKINDLE_BENCH_KEYS=4000000 is the size of the design's table.
func benchKeys() int {
	if n, err := strconv.Atoi(os.Getenv("REKINDLE_BENCH_KEYS")); err == nil {
		return n
	}
	return 500_000
}

// fillJSON writes JSON documents as an application has them: some of each repeats and some does not.
func fillJSON(b *testing.B, client *redis.Client, keys int) {
	b.Helper()
	random := rand.New(rand.NewPCG(1, 2))
	for done := 0; done < keys; {
		pipe := client.Pipeline()
		for range min(10_000, keys-done) {
			pipe.Set(b.Context(), fmt.Sprintf("order:%d", done), fmt.Sprintf(`{"id":%d,"customer":"c%08d","status":"%s","total":%d.%02d,"currency":"EUR","items":[{"sku":"%016x","quantity":%d}],"note":"delivered to the door"}`,
				done, random.IntN(1e8), []string{"open", "paid", "sent"}[random.IntN(3)], random.IntN(1000), random.IntN(100), random.Uint64(), random.IntN(9)), 0)
			done++
		}
		if _, err := pipe.Exec(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
}

func median(d []time.Duration) time.Duration {
	slices.Sort(d)
	return d[len(d)/2]
}

func ownCPU() time.Duration {
	var usage syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &usage)
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

// BenchmarkSnapshotAgainstBGSAVE runs both sides in turn on one server and reports the ratios: a snapshot into the store, and that with
// reading back and verifying, each against what Redis itself needs for a BGSAVE with its default settings.
func BenchmarkSnapshotAgainstBGSAVE(b *testing.B) {
	server := testkit.Redis(b, "--repl-diskless-sync-delay", "0")
	client := server.Client()
	fillJSON(b, client, benchKeys())
	st, err := dir.Open(b.TempDir())
	if err != nil {
		b.Fatal(err)
	}
	a := archive.New(st)
	var saves, streams, wholes []time.Duration
	var cpu time.Duration
	var part archive.Part
	for b.Loop() {
		configure(b, client, "rdbcompression", "yes")
		saves = append(saves, bgsave(b, client))
		configure(b, client, "rdbcompression", "no") // as on the nodes that Rekindle launches
		began, before := time.Now(), ownCPU()
		stream, err := replica.Open(b.Context(), replica.Source{Addr: server.Addr}, replica.Options{})
		if err != nil {
			b.Fatal(err)
		}
		ref := archive.Ref{Cluster: "bench", Snapshot: "bench"}
		var progress archive.Progress
		if part, err = a.WritePart(b.Context(), ref, 1, "", stream, &progress); err != nil {
			b.Fatal(err)
		}
		stream.Close()
		streams = append(streams, time.Since(began))
		if err := a.VerifyPart(b.Context(), ref, part, &progress); err != nil {
			b.Fatal(err)
		}
		wholes = append(wholes, time.Since(began))
		cpu += ownCPU() - before
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(float64(median(streams))/float64(median(saves)), "stored/BGSAVE")
	b.ReportMetric(float64(median(wholes))/float64(median(saves)), "verified/BGSAVE")
	b.ReportMetric(median(saves).Seconds(), "s-BGSAVE")
	b.ReportMetric(median(wholes).Seconds(), "s-snapshot")
	b.ReportMetric(cpu.Seconds()/float64(len(wholes)), "s-ownCPU")
	b.ReportMetric(float64(part.Bytes)/1e6, "MB-RDB")
	b.ReportMetric(float64(part.StoredBytes)/1e6, "MB-stored")
	if peak, err := peakMemory(os.Getpid()); err == nil {
		b.ReportMetric(float64(peak), "MiB-own-peak")
	}
}

func configure(b *testing.B, client *redis.Client, name, value string) {
	b.Helper()
	if err := client.ConfigSet(b.Context(), name, value).Err(); err != nil {
		b.Fatal(err)
	}
}

func bgsave(b *testing.B, client *redis.Client) time.Duration {
	b.Helper()
	began := time.Now()
	if err := client.BgSave(b.Context()).Err(); err != nil {
		b.Fatal(err)
	}
	testkit.WaitFor(b, "BGSAVE", func() bool {
		return strings.Contains(client.Info(b.Context(), "persistence").Val(), "rdb_bgsave_in_progress:0")
	})
	return time.Since(began)
}

// BenchmarkRestoreAgainstOwnLoad runs both sides in turn: redis-server starting on the RDB file, and a fresh node being fed from the store.
func BenchmarkRestoreAgainstOwnLoad(b *testing.B) {
	source := testkit.Redis(b, "--repl-diskless-sync-delay", "0", "--rdbcompression", "no")
	fillJSON(b, source.Client(), benchKeys())
	st, err := dir.Open(b.TempDir())
	if err != nil {
		b.Fatal(err)
	}
	a := archive.New(st)
	stream, err := replica.Open(b.Context(), replica.Source{Addr: source.Addr}, replica.Options{})
	if err != nil {
		b.Fatal(err)
	}
	ref := archive.Ref{Cluster: "bench", Snapshot: "bench"}
	part, err := a.WritePart(b.Context(), ref, 1, "", stream, nil)
	if err != nil {
		b.Fatal(err)
	}
	stream.Close()
	source.Kill()
	folder := b.TempDir()
	plain, err := a.OpenPart(b.Context(), ref, part)
	if err != nil {
		b.Fatal(err)
	}
	file, err := os.Create(filepath.Join(folder, "dump.rdb"))
	if err != nil {
		b.Fatal(err)
	}
	if _, err := io.Copy(file, plain); err != nil {
		b.Fatal(err)
	}
	file.Close()
	plain.Close()
	var loads, feeds []time.Duration
	for b.Loop() {
		loads = append(loads, ownLoad(b, folder, part.Keys))
		target := testkit.Redis(b, "--repl-diskless-load", "on-empty-db")
		began := time.Now()
		_, err := primary.Feed(b.Context(), primary.Target{Addr: target.Addr}, primary.Dump{Length: part.Bytes, SHA256: part.SHA256, Version: part.RDBVersion,
			Keys: part.Keys, Expires: part.Expires, Open: func(ctx context.Context) (io.ReadCloser, error) { return a.OpenPart(ctx, ref, part) }}, primary.Options{})
		if err != nil {
			b.Fatal(err)
		}
		feeds = append(feeds, time.Since(began))
		target.Kill()
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(float64(median(feeds))/float64(median(loads)), "fed/own-load")
	b.ReportMetric(median(loads).Seconds(), "s-own-load")
	b.ReportMetric(median(feeds).Seconds(), "s-fed")
	b.ReportMetric(float64(part.Bytes)/1e6, "MB-RDB")
}

// ownLoad starts a server on a dump.rdb and waits until it has all keys.
func ownLoad(b *testing.B, folder string, keys int64) time.Duration {
	b.Helper()
	port := strconv.Itoa(testkit.FreePort(b))
	began := time.Now()
	command := exec.Command("redis-server", "--port", port, "--dir", folder, "--save", "", "--appendonly", "no")
	if err := command.Start(); err != nil {
		b.Fatal(err)
	}
	defer func() { _ = command.Process.Kill(); _ = command.Wait() }()
	client := redis.NewClient(&redis.Options{Addr: "127.0.0.1:" + port, MaxRetries: -1})
	defer client.Close()
	testkit.WaitFor(b, "the server to load", func() bool { return client.DBSize(b.Context()).Val() == keys })
	return time.Since(began)
}
