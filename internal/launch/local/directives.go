package local

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
)

var directivePattern = regexp.MustCompile(`^[a-z][a-z0-9-]*$`)

// reservedDirectives are not allowed in Node.Config: Rekindle sets them so that a node works, or they would let a node escape its control.
var reservedDirectives = []string{
	// Where it listens and who gets in.
	"bind", "bind-source-addr", "port", "protected-mode", "requirepass", "masterauth", "primaryauth", "masteruser", "primaryuser", "user", "aclfile",
	// Its folder, its log and its process.
	"dir", "pidfile", "logfile", "loglevel", "always-show-logo", "crash-memcheck-enabled", "daemonize", "supervised",
	// Its data at rest. Without rdbchecksum nobody can tell whether an RDB is complete; rdb-del-sync-files deletes dump.rdb.
	"dbfilename", "save", "appendonly", "appendfilename", "appenddirname", "stop-writes-on-bgsave-error", "rdbcompression", "rdbchecksum",
	"rdb-del-sync-files", "maxmemory",
	// Replication: a replica that can be written to, or that evicts by itself, is not a copy. And the two kinds of full sync over a
	// second connection, which Rekindle's implementation does not support.
	"replicaof", "slaveof", "replica-read-only", "slave-read-only", "replica-ignore-maxmemory", "slave-ignore-maxmemory",
	"repl-rdb-channel", "dual-channel-replication-enabled",
	// The cluster: whether there is one, where its nodes are, and whose replicas they are.
	"cluster-enabled", "cluster-config-file", "cluster-port", "cluster-preferred-endpoint-type", "cluster-migration-barrier", "cluster-allow-replica-migration",
	// Other files, other people's code, other names for commands.
	"include", "loadmodule", "rename-command", "sentinel",
}

var reservedPrefixes = []string{
	"repl-diskless-", "replica-announce", "slave-announce", "cluster-announce-", "shutdown-on-",
	"tls-", "unixsocket", "rdma-", "syslog-",
	"enable-", // enable-protected-configs and the like would let clients set what is reserved here
}

// severalWords are the directives whose value is a list of words. Any other value is one word, whatever it contains.
var severalWords = []string{"client-output-buffer-limit", "latency-tracking-info-percentiles", "oom-score-adj-values"}

// checkDirectives refuses a configuration of redis and valkey that is not allowed in Node.Config. The error is a sentence for people. Whether
// a directive exists and its value is valid is left to the server.
func checkDirectives(config map[string]string) error {
	for _, name := range slices.Sorted(maps.Keys(config)) {
		begins := func(prefix string) bool { return strings.HasPrefix(name, prefix) }
		switch {
		case !directivePattern.MatchString(name):
			return fmt.Errorf("%.80q is not the name of a directive", name)
		case slices.Contains(reservedDirectives, name) || slices.ContainsFunc(reservedPrefixes, begins):
			return fmt.Errorf("the directive %s is Rekindle's own to set", name)
		}
	}
	return nil
}

// renderDirectives returns the lines of node.conf for a checked configuration, sorted by name.
func renderDirectives(config map[string]string) string {
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(config)) {
		for _, words := range splitValue(name, config[name]) {
			b.WriteString(name)
			for _, word := range words {
				b.WriteString(" " + quote(word))
			}
			b.WriteByte('\n')
		}
	}
	return b.String()
}

// splitValue returns the words of a directive's value, for each line of the file that it takes.
func splitValue(name, value string) [][]string {
	if !slices.Contains(severalWords, name) {
		return [][]string{{value}}
	}
	words := strings.Fields(value)
	if len(words) == 0 {
		return [][]string{{""}} // how an empty list is written
	}
	perLine := len(words)
	if name == "client-output-buffer-limit" {
		perLine = 4 // a class of clients and its three limits: Redis 6 takes no more in one line
	}
	return slices.Collect(slices.Chunk(words, perLine))
}
