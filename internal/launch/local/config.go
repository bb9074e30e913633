package local

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"rekindle/internal/launch"
	"rekindle/internal/primary"
	"rekindle/internal/secret"
)

const (
	confFile   = "node.conf"
	recordFile = "node.json"
	logFile    = "node.log"
	pidFile    = "node.pid"
	certFile   = "node.pem"   // the node's certificate with its key, when it speaks TLS
	caFile     = "ca.pem"     // the CA whose certificates it accepts from other nodes
	mapFile    = "nodes.conf" // what a node in cluster mode knows about its cluster; the node writes it
	dumpFile   = "dump.rdb"
	asideFile  = "damaged.rdb" // a dump.rdb that could not be loaded
)

// conf is a node.conf that is being written. Callers of set quote every value that is not a number or a constant.
type conf struct {
	strings.Builder
	chosen map[string]string // by an administrator
}

// set writes a directive, unless an administrator has chosen its value; that is possible only for plain defaults.
func (c *conf) set(name, value string) {
	if _, chosen := c.chosen[name]; !chosen {
		fmt.Fprintf(c, "%s %s\n", name, value)
	}
}

// renderConfig returns node.conf for a node in dir, run by engine.
func renderConfig(dir string, n launch.Node, engine launch.Engine) string {
	c := &conf{chosen: n.Config}
	c.WriteString("# Written by Rekindle at every start of this node: changes are lost.\n")
	c.network(dir, n, engine)
	c.process(dir, engine)
	c.data(n, engine)
	c.replication(n, engine)
	if n.ClusterMode {
		c.cluster(n, engine)
	}
	if n.Debug && atLeast(engine, 7, 0) { // older ones always answer it
		c.set("enable-debug-command", "local")
	}
	c.WriteString(renderDirectives(n.Config))
	return c.String()
}

func (c *conf) network(dir string, n launch.Node, engine launch.Engine) {
	c.set("bind", quote(n.Host))
	if n.TLS {
		c.encryption(dir, n)
	} else {
		c.set("port", strconv.Itoa(n.Port))
	}
	// Without a password, protected mode refuses everyone but 127.0.0.1 and ::1, even the node's own replicas, which have addresses
	// of their own. A loopback address needs no such protection, and elsewhere an open node was asked for.
	c.set("protected-mode", yesNo(n.Password != "" && n.User == ""))
	if n.User != "" {
		c.users(n, engine)
	} else if n.Password != "" {
		c.set("requirepass", quote(n.Password.Reveal()))
	}
	if n.Password != "" && !n.PrimaryOpen {
		c.set("masteruser", quote(cmp.Or(n.User, "default"))) // by name, because a primary that has no password any more, or none yet, then accepts any
		c.set("masterauth", quote(n.Password.Reveal()))
	}
	if n.User == "" && (n.OldPassword != "" || n.Preloaded) {
		c.set("user", strings.Join(defaultUser(n, engine), " "))
	}
	c.set("tcp-keepalive", "60")
}

// users writes the users that may sign in, and the console's own.
func (c *conf) users(n launch.Node, engine launch.Engine) {
	c.user(n.User, append([]string{"on", ">" + n.Password.Reveal()}, everything(engine)...))
	if !slices.ContainsFunc(n.Users, func(u launch.User) bool { return u.Name == "default" }) {
		c.user("default", []string{"reset", "off"})
	}
	for _, u := range n.Users {
		c.user(u.Name, append([]string{"reset"}, u.Rules...))
	}
}

// user writes one user with its rules. Names are checked where nodes are described, in package launch.
func (c *conf) user(name string, rules []string) {
	words := []string{quote(name)}
	for _, rule := range rules {
		words = append(words, quote(rule))
	}
	c.set("user", strings.Join(words, " "))
}

// everything returns the rules that allow everything.
func everything(engine launch.Engine) []string {
	if atLeast(engine, 6, 2) {
		return []string{"~*", "&*", "+@all"}
	}
	return []string{"~*", "+@all"}
}

// defaultUser returns the default user with what requirepass cannot say: two passwords, or no right to write.
func defaultUser(n launch.Node, engine launch.Engine) []string {
	words := []string{"default", "on"}
	for _, password := range []secret.Text{n.Password, n.OldPassword} {
		if password != "" {
			words = append(words, quote(">"+password.Reveal()))
		}
	}
	if n.Password == "" {
		words = append(words, "nopass")
	}
	words = append(words, everything(engine)...)
	if n.Preloaded {
		words = append(words, "-@write")
	}
	return words
}

// encryption opens only a TLS port. Clients need no certificate: they authenticate with the password.
func (c *conf) encryption(dir string, n launch.Node) {
	c.set("port", "0")
	c.set("tls-port", strconv.Itoa(n.Port))
	c.set("tls-cert-file", quote(filepath.Join(dir, certFile)))
	c.set("tls-key-file", quote(filepath.Join(dir, certFile)))
	c.set("tls-ca-cert-file", quote(filepath.Join(dir, caFile)))
	c.set("tls-auth-clients", "no")
	c.set("tls-replication", "yes")
	if n.ClusterMode {
		c.set("tls-cluster", "yes")
	}
}

func (c *conf) process(dir string, engine launch.Engine) {
	c.set("dir", quote(dir))
	c.set("dbfilename", quote(dumpFile))
	c.set("pidfile", quote(filepath.Join(dir, pidFile)))
	c.set("daemonize", "no")
	c.set("logfile", `""`) // standard output, which is node.log, so that failures to start end up there as well
	c.set("loglevel", "notice")
	c.set("always-show-logo", "no")
	if atLeast(engine, 6, 2) {
		c.set("crash-memcheck-enabled", "no") // it takes longer the larger the node is, and meanwhile the node hangs instead of being restarted
	}
}

func (c *conf) data(n launch.Node, engine launch.Engine) {
	limit := n.MaxMemory
	if n.Preloaded {
		limit = 0 // or the first command evicts keys, before anybody has looked whether all are there
	}
	c.set("maxmemory", strconv.FormatInt(limit, 10))
	c.set("maxmemory-policy", "volatile-lru") // ElastiCache's default
	c.set("appendonly", "no")
	if n.SavePoints {
		for _, point := range []string{"3600 1", "300 100", "60 10000"} { // Redis's own defaults
			c.set("save", point)
		}
	} else {
		c.set("save", `""`)
	}
	// A full disk must not stop writes: the data is in memory, and the snapshots are elsewhere.
	c.set("stop-writes-on-bgsave-error", "no")
	// LZF costs the fork's child half of its time, and zstd makes smaller files from uncompressed RDBs.
	c.set("rdbcompression", "no")
	if atLeast(engine, 7, 0) {
		// A clean stop saves whatever the save points are, so that a reboot of the host loses nothing.
		c.set("shutdown-on-sigterm", "save")
		c.set("shutdown-on-sigint", "save")
	}
}

func (c *conf) replication(n launch.Node, engine launch.Engine) {
	c.set("repl-diskless-sync", "yes")
	c.set("repl-diskless-sync-delay", "0")
	if atLeast(engine, 6, 0) {
		c.set("repl-diskless-load", "on-empty-db")
	}
	if !isUnspecified(n.Host) {
		c.set("replica-announce-ip", quote(n.Host))
	}
	if n.ClusterMode {
		return // the nodes themselves record who is whose replica
	}
	if n.Held {
		c.set("replicaof", quote(primary.Nobody.Host)+" "+strconv.Itoa(primary.Nobody.Port))
	} else if n.PrimaryPort != 0 {
		c.set("replicaof", quote(n.PrimaryHost)+" "+strconv.Itoa(n.PrimaryPort))
	}
}

func (c *conf) cluster(n launch.Node, engine launch.Engine) {
	c.set("cluster-enabled", "yes")
	c.set("cluster-config-file", quote(mapFile))
	c.set("cluster-node-timeout", "15000") // ElastiCache's and Redis's own default
	// A replica stays with its shard: with Redis's default of 1, a spare one moves to a shard that has lost its own.
	c.set("cluster-migration-barrier", "99")
	if !isUnspecified(n.Host) {
		c.set("cluster-announce-ip", quote(n.Host))
	}
	// Only clients are sent there. The nodes themselves go on using their addresses, which need not be reachable by that name from here.
	if host := launch.InCluster(n.Announced); host != "" && atLeast(engine, 7, 0) {
		c.set("cluster-announce-hostname", quote(host))
		c.set("cluster-preferred-endpoint-type", "hostname")
	}
}

// atLeast compares with a version of Redis; Valkey began as Redis 7.2 and continues from there.
func atLeast(engine launch.Engine, major, minor int) bool {
	v := parseVersion(engine.Version)
	return v[0] > major || v[0] == major && v[1] >= minor
}

func yesNo(yes bool) string {
	if yes {
		return "yes"
	}
	return "no"
}

// quote writes a value so that the server reads exactly these bytes and nothing can break out of
// the line: the quoting of sdssplitargs in Redis's sds.c.
func quote(value string) string {
	var b strings.Builder
	b.WriteByte('"')
	for i := range len(value) {
		switch c := value[i]; {
		case c == '"' || c == '\\':
			b.WriteByte('\\')
			b.WriteByte(c)
		case c >= 0x20 && c < 0x7f:
			b.WriteByte(c)
		default:
			fmt.Fprintf(&b, `\x%02x`, c)
		}
	}
	b.WriteByte('"')
	return b.String()
}

// record is node.json: what a later console needs to talk to a running node.
type record struct {
	Engine     string `json:"engine"`
	Version    string `json:"version"` // of the program that was started
	Host       string `json:"host"`
	Port       int    `json:"port"`
	Password   []byte `json:"password,omitempty"` // hence the file's mode; bytes, because JSON strings hold only UTF-8
	SavePoints bool   `json:"save_points"`

	OldPassword []byte   `json:"old_password,omitempty"`
	Former      [][]byte `json:"former_passwords,omitempty"` // that the node may still have
	User        string   `json:"user,omitempty"`             // whose password Password is; "": the default user's
	FormerUser  string   `json:"former_user,omitempty"`
	Replica     bool     `json:"replica"`

	ClusterMode bool `json:"cluster_mode,omitempty"`
	TLS         bool `json:"tls,omitempty"`

	// Missing from the records of older releases.
	MaxMemory *int64            `json:"max_memory,omitempty"`
	Config    map[string]string `json:"config,omitempty"`
}

func (r record) addr() string { return net.JoinHostPort(reachable(r.Host), strconv.Itoa(r.Port)) }

// reachable returns the address at which this host reaches a node that listens on host.
func reachable(host string) string {
	switch {
	case !isUnspecified(host):
		return host
	case strings.Contains(host, ":"):
		return "::1"
	}
	return "127.0.0.1"
}

// savesOnSigterm reports whether SIGTERM makes the node save before it ends.
func (r record) savesOnSigterm() bool {
	return r.SavePoints || atLeast(launch.Engine{Version: r.Version}, 7, 0)
}

// writeFiles writes node.json and, for an engine that reads one, node.conf. The caller holds the lock.
func writeFiles(dir string, n launch.Node, engine launch.Engine) error {
	r := record{
		Engine: engine.Name, Version: engine.Version, Host: n.Host, Port: n.Port,
		Password: []byte(n.Password.Reveal()), OldPassword: []byte(n.OldPassword.Reveal()), SavePoints: n.SavePoints, Replica: n.PrimaryPort != 0,
		User: n.User, ClusterMode: n.ClusterMode, TLS: n.TLS, MaxMemory: &n.MaxMemory, Config: n.Config,
	}
	if err := r.write(dir); err != nil || n.Engine == engineMemcached {
		return err
	}
	return ReplaceFile(filepath.Join(dir, confFile), []byte(renderConfig(dir, n, engine)))
}

func (r record) write(dir string) error {
	text, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	return ReplaceFile(filepath.Join(dir, recordFile), append(text, '\n'))
}

func readRecord(dir string) (record, error) {
	var r record
	text, err := os.ReadFile(filepath.Join(dir, recordFile))
	if err != nil {
		return r, err
	}
	if err := json.Unmarshal(text, &r); err != nil {
		// The decoder's message may quote the text around the mistake, and with it a password.
		return r, errors.New("read " + recordFile + ": it is damaged")
	}
	return r, nil
}

// ReplaceFile writes a private file so that others see the old or the new one, never a part, even after a power cut.
func ReplaceFile(path string, text []byte) error {
	temp := path + ".new"
	f, err := os.OpenFile(temp, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	err = errors.Join(err, f.Chmod(0o600), f.Sync(), f.Close())
	if err != nil {
		return err
	}
	if err := os.Rename(temp, path); err != nil {
		return err
	}
	folder, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(folder.Sync(), folder.Close())
}

func isUnspecified(host string) bool {
	ip := net.ParseIP(host)
	return ip != nil && ip.IsUnspecified()
}

// hashes matches the hashes of users' passwords in rules.
var hashes = regexp.MustCompile(`#[0-9a-f]{64}`)

// hide removes passwords, and hashes of passwords, from a text.
func hide(text string, passwords []secret.Text) string {
	text = hashes.ReplaceAllString(text, "#"+secret.Text("hash").String())
	for _, password := range passwords {
		if password != "" {
			text = strings.ReplaceAll(text, quote(password.Reveal()), password.String())
			text = strings.ReplaceAll(text, password.Reveal(), password.String())
		}
	}
	return text
}

// passwordsOf returns the passwords of a node that have to be hidden.
func passwordsOf(n launch.Node) []secret.Text { return []secret.Text{n.Password, n.OldPassword} }
