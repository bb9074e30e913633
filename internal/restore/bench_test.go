package restore_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"rekindle/internal/resp"
	"rekindle/internal/restore"
	"rekindle/internal/testkit"
)

// BenchmarkRestore in turn has a node load an RDB by itself, sends it the keys, and has it load a file that is made of them first. It reports the ratios of
// the second and the third to the first: in time, and in the node's CPU.
func BenchmarkRestore(b *testing.B) {
	const keys, rounds = 300_000, 5
	node := testkit.Redis(b, "--rdbcompression", "no")
	client := node.Client()
	for from := 0; from < keys; from += 1000 {
		pipe := client.Pipeline()
		for i := from; i < from+1000; i++ {
			pipe.Set(b.Context(), fmt.Sprintf("document:%d", i), fmt.Sprintf(`{"id":%d,"name":"%s"}`, i, strings.Repeat("n", 150)), 0)
		}
		if _, err := pipe.Exec(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
	data := saved(b, node)
	cpu := func() float64 {
		info := resp.ParseInfo(client.Info(b.Context(), "cpu").Val())
		var sum float64
		for _, name := range []string{"used_cpu_user", "used_cpu_sys"} {
			var seconds float64
			if _, err := fmt.Sscan(info[name], &seconds); err != nil {
				b.Fatal(err)
			}
			sum += seconds
		}
		return sum
	}
	measure := func(what func()) (wall, used float64) {
		began, before := time.Now(), cpu()
		what()
		return time.Since(began).Seconds(), cpu() - before
	}
	for b.Loop() {
		var walls, cpus, fileWalls, fileCPUs []float64
		for range rounds {
			loadWall, loadCPU := measure(func() {
				if err := client.Do(context.Background(), "DEBUG", "RELOAD", "NOSAVE").Err(); err != nil {
					b.Fatal(err)
				}
			})
			if err := client.FlushAll(b.Context()).Err(); err != nil {
				b.Fatal(err)
			}
			wall, used := measure(func() {
				w, err := restore.Open(b.Context(), []resp.Options{options(node)}, restore.Options{})
				if err != nil {
					b.Fatal(err)
				}
				defer w.Close()
				if _, err := w.Write(bytes.NewReader(data)); err != nil || w.Counts().Written != keys {
					b.Fatal(w.Counts(), err)
				}
			})
			walls, cpus = append(walls, wall/loadWall), append(cpus, used/loadCPU)
			wall, used = measure(func() {
				makeFile(b, node, data)
				if err := client.Do(context.Background(), "DEBUG", "RELOAD", "NOSAVE").Err(); err != nil {
					b.Fatal(err)
				}
			})
			fileWalls, fileCPUs = append(fileWalls, wall/loadWall), append(fileCPUs, used/loadCPU)
		}
		for name, figures := range map[string][]float64{"time/load": walls, "node-cpu/load": cpus, "file-time/load": fileWalls, "file-node-cpu/load": fileCPUs} {
			slices.Sort(figures)
			b.ReportMetric(figures[rounds/2], name)
		}
	}
}

// makeFile makes an RDB of another one, where the server will load it from.
func makeFile(b *testing.B, s *testkit.Server, data []byte) {
	file, err := os.Create(filepath.Join(s.Dir, "dump.rdb"))
	if err != nil {
		b.Fatal(err)
	}
	defer file.Close()
	files := restore.NewFiles([]io.Writer{file}, 10, restore.Options{})
	if _, err := files.Write(bytes.NewReader(data)); err != nil {
		b.Fatal(err)
	}
	if _, err := files.Close(); err != nil {
		b.Fatal(err)
	}
	if err := file.Sync(); err != nil {
		b.Fatal(err)
	}
}
