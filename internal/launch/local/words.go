package local

import (
	"bytes"
	"context"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"rekindle/internal/launch"
	"rekindle/internal/secret"
)

// logPrefix is what a server puts before each line of its log: its process, its role, the time and the severity.
var logPrefix = regexp.MustCompile(`^\d+:[A-Z] .*?\d\d:\d\d:\d\d\.\d+ ([.*#-]) `)

// startPattern is the line with which a server begins its log.
var startPattern = regexp.MustCompile(` (?:Redis|Valkey) is starting oO0Oo`)

// causeBytes is how much of node.log is searched for a cause: crash reports are long.
const causeBytes = 1 << 20

// cause is a line of a server's log that says why it has ended, or why it does not accept what it was fed, and the sentence for it; $1 and $2 are
// taken from the line.
type cause struct {
	line     *regexp.Regexp
	sentence string
	data     bool // the data is to blame
}

// causes are the lines of Redis 6.0 to 8 and of Valkey 8 and 9, the more specific ones first: what follows a cause in a log often says less.
var causes = []cause{
	{regexp.MustCompile(`Can't handle RDB format version (\d+)`), "The engine is too old for the data, which has RDB version $1.", true},
	{regexp.MustCompile(`Can't handle foreign type or opcode (\d+) in RDB with version (\d+)`), "The data is damaged, or another engine's: the engine does not know the type $1 in RDB version $2.", true},
	{regexp.MustCompile(`RDB has duplicated key '(.*)' in DB (\d+)`), launch.KeyTwice, true},
	{regexp.MustCompile(`Failed loading library, (?:Error compiling function: )?(.*)`), "A function library in the data cannot be loaded: $1.", true},
	{regexp.MustCompile(`module data I can't load: no matching module(?: type)? '([^']*)'`), "The data needs the module $1, which the engine does not have.", true},
	{regexp.MustCompile(`configured to handle more than (\d+) databases`), "The data uses more than $1 databases.", true},
	{regexp.MustCompile(`Wrong RDB checksum expected: \((\w+)\) but got \((\w+)\)`), "The data is damaged: its checksum is $1, but $2 is written at its end.", true},
	{regexp.MustCompile(`Pre-release function format not supported`), "The data has functions in a format from before Redis 7.0's release, which no engine loads.", true},
	{regexp.MustCompile(`Wrong signature trying to load DB from file`), "The data does not begin as an RDB does.", true},
	{regexp.MustCompile(`^\[offset (\d+)\] ([A-Z].*)`), "The data is damaged at byte $1: $2.", true},
	{regexp.MustCompile(`Internal error in RDB reading offset \d+, function at \S+ -> (.*?)(?:\. Failure loading rdb format.*)?$`), "The data is damaged: $1.", true},
	{regexp.MustCompile(`Out Of Memory allocating (\d+) bytes`), "Its host had too little memory: $1 more bytes could not be allocated.", false},
	{regexp.MustCompile(`Guru Meditation: (.*?)(?: #\S+)?$`), "The engine gave up: $1.", false},
	{regexp.MustCompile(`^==> (.*) is not true$`), "The engine came upon something impossible: $1 is not true.", false},
	{regexp.MustCompile(`crashed by signal: (\d+)`), "The engine crashed with the signal $1.", false},
	{regexp.MustCompile(`Fatal error loading the DB: (.*?)\. Exiting`), "Its dump.rdb cannot be read: $1.", true},
}

// beside matches lines that look like a cause but are not: the servers' own check of a dump.rdb prints them on its way through the file.
var beside = regexp.MustCompile(`^\[offset \d+\] (?:AUX FIELD|Checking RDB file|Selecting DB|Checksum OK|Internal error in RDB reading offset|\\o/|MODULE AUX)`)

// endsEarly is what every engine says about an RDB that ends too early, and also about an object that it does not understand.
const endsEarly = "Unexpected EOF reading RDB file"

// findCause returns the sentence for the line of a log that names the cause best; "" if none does.
func findCause(log string) (sentence string, data bool) {
	best := len(causes)
	for line := range strings.Lines(log) {
		line = strings.TrimSpace(logPrefix.ReplaceAllString(line, ""))
		if line == "" || beside.MatchString(line) {
			continue
		}
		for i, c := range causes[:best] {
			found := c.line.FindStringSubmatchIndex(line)
			if found == nil {
				continue
			}
			text := string(c.line.ExpandString(nil, c.sentence, line, found))
			text = strings.TrimRight(text, ".") + "."
			if strings.Contains(line, endsEarly) {
				if sentence == "" { // any other cause says more, so the search continues
					sentence, data = "The data ends early, or the engine does not understand what is in it.", true
				}
				break
			}
			sentence, data, best = text, c.data, i
			break
		}
	}
	return sentence, data
}

// LastWords returns the cause that a node's log has named since its last start, otherwise the log's last line.
func (l *Launcher) LastWords(_ context.Context, cluster, name string) (sentence string, named bool) {
	dir, err := l.nodeDir(cluster, name)
	if err != nil {
		return "", false
	}
	log := lastStart(readLog(dir, passwordOf(dir)))
	if sentence, _ := findCause(log); sentence != "" {
		return shorten(sentence, 300), true
	}
	if line := lastLine(log); line != "" {
		return "Its log ends: “" + shorten(line, 200) + "”.", false
	}
	return "", false
}

// readLog returns the end of a node's log, without the password.
func readLog(dir string, passwords []secret.Text) string {
	f, err := os.Open(filepath.Join(dir, logFile))
	if err != nil {
		return ""
	}
	defer func() { _ = f.Close() }()
	if size, err := f.Seek(0, io.SeekEnd); err == nil {
		_, _ = f.Seek(max(0, size-causeBytes), io.SeekStart) // fails like the reading does
	}
	text, _ := io.ReadAll(io.LimitReader(f, causeBytes))
	return hide(string(bytes.ToValidUTF8(text, []byte("?"))), passwords)
}

// lastStart is the part of a log since the server was last started.
func lastStart(log string) string {
	starts := startPattern.FindAllStringIndex(log, -1)
	if len(starts) == 0 {
		return log
	}
	return log[starts[len(starts)-1][0]:]
}

// lastLine returns the last warning of a log, which is where a server says why it has ended; otherwise the last line that says something.
func lastLine(log string) string {
	line, warning := "", ""
	for said := range strings.Lines(log) {
		// The line that names the damage in a dump.rdb is followed by figures about the rest of it.
		said = strings.TrimSpace(said)
		if said == "" || strings.HasPrefix(said, "[info]") || strings.HasPrefix(said, "[additional info]") || startPattern.MatchString(" "+said) {
			continue
		}
		line = logPrefix.ReplaceAllString(said, "")
		if prefix := logPrefix.FindStringSubmatch(said); prefix != nil && prefix[1] == "#" && !harmless.MatchString(line) {
			warning = line
		}
	}
	if warning != "" {
		return warning
	}
	return line
}

// harmless matches the warnings that servers give at every start.
var harmless = regexp.MustCompile(`^(?:Redis version=|Valkey version=|Configuration loaded|Server initialized|WARNING |Warning: )`)

func shorten(text string, most int) string {
	if runes := []rune(text); len(runes) > most {
		return string(runes[:most]) + "…"
	}
	return text
}
