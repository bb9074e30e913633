package local

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"rekindle/internal/launch"
	"rekindle/internal/rdb"
)

// Owns tells whether a path, which need not exist, is the folder of the nodes or in it, following all links.
func (l *Launcher) Owns(path string) bool {
	inside, err := filepath.Rel(resolve(l.dir), resolve(path))
	return err == nil && filepath.IsLocal(inside)
}

// resolve follows the symbolic links in the part of a path that exists.
func resolve(path string) string {
	path = filepath.Clean(path)
	if real, err := filepath.EvalSymlinks(path); err == nil {
		return real
	}
	if above := filepath.Dir(path); above != path {
		return filepath.Join(resolve(above), filepath.Base(path))
	}
	return path
}

// Saved looks at the node's dump.rdb. Without one there is no error, and Exists is false. Of a file that
// does not begin like an RDB only the date and the size are known. Only Start finds out whether it can be loaded: ErrData.
func (l *Launcher) Saved(_ context.Context, cluster, name string) (launch.Saved, error) {
	dir, err := l.nodeDir(cluster, name)
	if err != nil {
		return launch.Saved{}, err
	}
	// It is opened only once, so that the result is about one file: the server replaces the file by a rename.
	f, err := os.Open(filepath.Join(dir, dumpFile))
	if errors.Is(err, os.ErrNotExist) {
		return launch.Saved{}, nil
	}
	if err != nil {
		return launch.Saved{}, fmt.Errorf("look at the data of node %s/%s: %w", cluster, name, err)
	}
	defer func() { _ = f.Close() }()
	info, err := f.Stat()
	if err != nil {
		return launch.Saved{}, fmt.Errorf("look at the data of node %s/%s: %w", cluster, name, err)
	}
	if !info.Mode().IsRegular() {
		return launch.Saved{}, fmt.Errorf("look at the data of node %s/%s: %s is not a file", cluster, name, f.Name())
	}
	header, err := rdb.ReadHeader(f)
	if err != nil {
		l.log.Warn("a dump.rdb does not begin as one", "cluster", cluster, "node", name, "error", err)
		header = rdb.Header{}
	}
	return launch.Saved{
		Exists: true, At: info.ModTime().UTC(), Bytes: info.Size(),
		ReplicationID: header.ReplicationID, Offset: header.ReplicationOffset,
	}, nil
}

// SetAside renames the node's dump.rdb, which cannot be loaded, so that the node starts without it, and returns the new name. It replaces a
// file that was set aside before, and returns ErrRunning if the node runs.
func (l *Launcher) SetAside(_ context.Context, cluster, name string) (string, error) {
	dir, err := l.nodeDir(cluster, name)
	if err != nil {
		return "", err
	}
	lock, err := acquire(dir, false)
	if err == nil && lock == nil {
		err = launch.ErrRunning
	}
	if err != nil {
		return "", fmt.Errorf("set aside the data of node %s/%s: %w", cluster, name, err)
	}
	defer func() { _ = lock.Close() }()
	if err := os.Rename(filepath.Join(dir, dumpFile), filepath.Join(dir, asideFile)); err != nil {
		return "", fmt.Errorf("set aside the data of node %s/%s: %w", cluster, name, err)
	}
	return asideFile, nil
}

// Memory reads /proc/meminfo and, in a container or a service with a limit, the limits of our
// control group (version 2) and of those above it: the lowest one counts.
func (l *Launcher) Memory(_ context.Context) (launch.Memory, error) {
	text, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		return launch.Memory{}, fmt.Errorf("read the host's memory: %w", err)
	}
	fields := parseFields(text)
	m := launch.Memory{Total: fields["MemTotal:"] << 10, Available: fields["MemAvailable:"] << 10} // kB there
	if m.Total == 0 {
		return launch.Memory{}, errors.New("read the host's memory: no MemTotal in /proc/meminfo")
	}
	group, _ := os.ReadFile("/proc/self/cgroup")
	return limitMemory(m, cmp.Or(l.opts.ControlGroups, "/sys/fs/cgroup"), group), nil
}

// limitMemory lowers m to the limits of a control group, given as /proc/self/cgroup names it.
func limitMemory(m launch.Memory, root string, group []byte) launch.Memory {
	path := ""
	for line := range bytes.Lines(group) {
		if name, ok := bytes.CutPrefix(bytes.TrimSpace(line), []byte("0::")); ok {
			path = string(name)
		}
	}
	for path = filepath.Clean("/" + path); ; path = filepath.Dir(path) {
		dir := filepath.Join(root, path)
		if limit := readNumber(filepath.Join(dir, "memory.max")); limit < math.MaxInt64 {
			m.Total = min(m.Total, limit)
			if used := readNumber(filepath.Join(dir, "memory.current")); used < math.MaxInt64 {
				// Cached file pages count as used, but are freed when the memory is needed.
				stat, _ := os.ReadFile(filepath.Join(dir, "memory.stat"))
				used -= parseFields(stat)["inactive_file"]
				m.Available = max(0, min(m.Available, limit-used))
			}
		}
		if path == "/" {
			return m
		}
	}
}

// readNumber reads a file with a number; for "max" and a missing file it returns the greatest number.
func readNumber(path string) int64 {
	text, err := os.ReadFile(path)
	if err != nil {
		return math.MaxInt64
	}
	n, err := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64)
	if err != nil {
		return math.MaxInt64
	}
	return n
}

// parseFields reads lines of a name and a number.
func parseFields(text []byte) map[string]int64 {
	out := map[string]int64{}
	lines := bufio.NewScanner(bytes.NewReader(text))
	for lines.Scan() {
		words := strings.Fields(lines.Text())
		if len(words) < 2 {
			continue
		}
		if n, err := strconv.ParseInt(words[1], 10, 64); err == nil {
			out[words[0]] = n
		}
	}
	return out
}
