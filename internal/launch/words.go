package launch

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

// logPrefix is what a server puts before each line of its log: its process, its role, the time and how grave it is.
var logPrefix = regexp.MustCompile(`^\d+:[A-Z] .*?\d\d:\d\d:\d\d\.\d+ [.*#-] `)

// LastWords returns the last line of the node's log that says something, for a server says there why it has ended; "" when there is none.
// Without the time and the password, and shortened when it is long.
func (l *Local) LastWords(cluster, name string) string {
	dir, err := l.nodeDir(cluster, name)
	if err != nil {
		return ""
	}
	if _, err := os.Stat(filepath.Join(dir, logFile)); err != nil {
		return ""
	}
	tail := logTail(dir, 0, passwordOf(dir))
	line := ""
	for said := range strings.Lines(tail) {
		// Behind the line that names the damage in a dump.rdb come figures about the rest of it.
		if said = strings.TrimSpace(said); said != "" && !strings.HasPrefix(said, "[info]") && !strings.HasPrefix(said, "[additional info]") {
			line = said
		}
	}
	line = strings.ToValidUTF8(logPrefix.ReplaceAllString(line, ""), "?")
	if runes := []rune(line); len(runes) > 200 {
		line = string(runes[:200]) + "…"
	}
	return line
}
