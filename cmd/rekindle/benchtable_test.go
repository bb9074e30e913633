package main

import (
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

// benchFigures is what one way needed in one round; zero is what it does not have.
type benchFigures struct {
	wall   time.Duration
	cpu    time.Duration // of the programs that do the work: the console, or redis-cli and zstd
	child  time.Duration // of the sources' fork children
	stored int64
	peak   int // MiB
}

// benchTable has a row for each way, in the order in which they came first.
type benchTable struct {
	title string
	rows  []*benchRow
}

type benchRow struct {
	name, against string // against names the row by which this one is measured
	rounds        []benchFigures
}

func (t *benchTable) add(name, against string, f benchFigures) {
	row := t.row(name)
	if row == nil {
		row = &benchRow{name: name, against: against}
		t.rows = append(t.rows, row)
	}
	row.rounds = append(row.rounds, f)
}

func (t *benchTable) row(name string) *benchRow {
	if i := slices.IndexFunc(t.rows, func(r *benchRow) bool { return r.name == name }); i >= 0 {
		return t.rows[i]
	}
	return nil
}

// median has the median of each figure by itself.
func (r *benchRow) median() benchFigures {
	return benchFigures{
		wall:   medianOf(r.rounds, func(f benchFigures) time.Duration { return f.wall }),
		cpu:    medianOf(r.rounds, func(f benchFigures) time.Duration { return f.cpu }),
		child:  medianOf(r.rounds, func(f benchFigures) time.Duration { return f.child }),
		stored: medianOf(r.rounds, func(f benchFigures) int64 { return f.stored }),
		peak:   medianOf(r.rounds, func(f benchFigures) int { return f.peak }),
	}
}

func medianOf[T int | int64 | time.Duration](rounds []benchFigures, figure func(benchFigures) T) T {
	var values []T
	for _, f := range rounds {
		values = append(values, figure(f))
	}
	slices.Sort(values)
	if n := len(values); n%2 == 0 {
		return (values[n/2-1] + values[n/2]) / 2
	}
	return values[len(values)/2]
}

func (t *benchTable) markdown() string {
	var b strings.Builder
	fmt.Fprintf(&b, "| %s | wall | against Redis | CPU | the child's CPU | stored | against Redis | peak memory |\n|---|---|---|---|---|---|---|---|\n", t.title)
	for _, row := range t.rows {
		f, base, measured := row.median(), benchFigures{}, row.against != ""
		if measured {
			base = t.row(row.against).median()
		}
		cells := []string{row.name, seconds(f.wall), ratio(f.wall, base.wall, measured), seconds(f.cpu), seconds(f.child),
			megabytes(f.stored), ratio(f.stored, base.stored, measured && f.stored > 0), ""}
		if f.peak > 0 {
			cells[7] = fmt.Sprintf("%d MiB", f.peak)
		}
		fmt.Fprintf(&b, "| %s |\n", strings.Join(cells, " | "))
	}
	return b.String()
}

func seconds(d time.Duration) string {
	if d == 0 {
		return ""
	}
	return fmt.Sprintf("%.2f s", d.Seconds())
}

func megabytes(n int64) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprintf("%.0f MB", float64(n)/1e6)
}

func ratio[T int64 | time.Duration](value, base T, measured bool) string {
	if !measured {
		return ""
	}
	return fmt.Sprintf("%.2f", float64(value)/float64(base))
}

// benchReport is all of it, with what somebody else has to know to compare.
type benchReport struct {
	console, engine, folder string
	keys, rounds            int
	tables                  []benchTable
}

func (r benchReport) markdown() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s, %s, %s, on %s. %d keys in each cluster; medians of %d rounds, each way in turn.\n",
		time.Now().UTC().Format(time.DateOnly), r.console, r.engine, runtime.Version(), machine(r.folder), r.keys, r.rounds)
	for _, table := range r.tables {
		fmt.Fprintf(&b, "\n%s", table.markdown())
	}
	return b.String()
}

// machine says what the run was on.
func machine(folder string) string {
	cpuinfo, _ := os.ReadFile("/proc/cpuinfo")
	field := func(name string) string {
		if match := regexp.MustCompile(`(?m)^` + name + `\s*:(.*)$`).FindSubmatch(cpuinfo); match != nil {
			return strings.TrimSpace(string(match[1]))
		}
		return ""
	}
	sha := "without SHA instructions"
	if flags := strings.Fields(field("flags") + " " + field("Features")); slices.Contains(flags, "sha_ni") || slices.Contains(flags, "sha2") {
		sha = "with SHA instructions"
	}
	model := field("model name")
	if model == "" {
		model = runtime.GOARCH
	}
	place := "on disk"
	const tmpfs = 0x01021994
	var fs syscall.Statfs_t
	if syscall.Statfs(folder, &fs) == nil && fs.Type == tmpfs {
		place = "in tmpfs"
	}
	kernel, _ := exec.Command("uname", "-sr").Output()
	return fmt.Sprintf("%d cores of %s %s, %s, everything %s", runtime.NumCPU(), model, sha, strings.TrimSpace(string(kernel)), place)
}

// processCPU is the user and system time of a process so far; ended children are not in it.
func processCPU(b *testing.B, pid int) time.Duration {
	b.Helper()
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		b.Fatal(err)
	}
	// The name, in brackets, may have spaces: count from behind it.
	_, rest, _ := strings.Cut(string(stat), ") ")
	fields := strings.Fields(rest)
	var ticks int64
	for _, at := range []int{11, 12} {
		ticks += must(strconv.ParseInt(fields[at], 10, 64))(b)
	}
	return time.Duration(ticks) * time.Second / 100 // USER_HZ is 100 on every Linux that Go runs on
}

func fileSize(b *testing.B, file string) int64 {
	b.Helper()
	return must(os.Stat(file))(b).Size()
}

// infoNumber is one field of INFO.
func infoNumber(b *testing.B, client *redis.Client, section, name string) string {
	b.Helper()
	for line := range strings.Lines(must(client.Info(b.Context(), section).Result())(b)) {
		if value, found := strings.CutPrefix(strings.TrimSpace(line), name+":"); found {
			return value
		}
	}
	b.Fatalf("INFO %s has no %s", section, name)
	return ""
}
