package main

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"

	"rekindle/internal/launch/local"
	"rekindle/internal/secret"
	"rekindle/jobs/declared"
	"rekindle/models"
	"rekindle/web/elasticache"
)

// maxBandwidth, in MiB a second, is more than any network has.
const maxBandwidth = 1 << 20

// The variables with the first access key of the ElastiCache API, if they are set. A configuration file has the keys access-key-id and secret-access-key.
const (
	accessKeyVariable = "REKINDLE_ACCESS_KEY_ID"
	secretKeyVariable = "REKINDLE_SECRET_ACCESS_KEY"
)

// config is what the console is started with.
type config struct {
	listen        string // host:port
	place         place
	store         string // URL of the snapshot store
	nodeAddresses local.Addresses
	announced     string // the host by which applications reach the nodes; "": the address of each
	nodePorts     [2]int
	engines       []string // programs to launch, in addition to those in PATH
	publicURL     string
	transfers     int
	perHost       int
	bandwidth     int
	lease         time.Duration
	stopNodes     bool
	logJSON       bool
	logLevel      slog.Level
	adminPassword secret.Text
	proxies       []netip.Prefix
	notifyAllow   []netip.Prefix // where messages may be sent to; empty: anywhere but where it is always denied
	attachAllow   []netip.Prefix // where servers that were not launched here may be connected to; empty: anywhere but where it is always denied
	account       string         // in ARNs
	encrypted     bool           // somebody has declared that the data folder is on encrypted storage
	accessKeyID   string         // of the first access key of the API
	accessSecret  secret.Text
	clusters      declared.Source  // the clusters file; its path is "": none
	reload        <-chan os.Signal // asks for what can change to be read again; nil: nothing does
	again         func() (config, error)
	unknown       func() (notes []string, err error) // what is set in the environment that nobody has asked for; nil: does not matter
	metricsListen string                             // host:port where Prometheus is told the metrics without a token; "": nowhere
	metricsToken  secret.Text                        // what it sends to be told them at the console's own address; "": they are not told there
	getenv        func(string) string                // the environment, for what OpenTelemetry reads; nil: it does not matter
	file          string                             // the configuration file; "": none
	settings      []setting                          // all of them, with where they come from
	notes         []string                           // what is not wrong, but should be known
}

const defaultListen = "127.0.0.1:8080"

// By default each node of a cluster has a loopback address of its own, so that all can have the port that clients expect.
const (
	defaultNodeAddresses = "127.0.0.0/8"
	nodeAddressUsage     = "`addresses` that launched nodes are bound to, separated by commas: 10.0.0.7, fd00::7, a host name, or a range such as 127.0.0.0/8"
)

// serveFlags declares the flags and secrets of serve. What is returned copies them into the configuration.
func serveFlags(command, purpose string, c *config, getenv func(string) string, output io.Writer) (*flagSet, []declaration) {
	flags := newFlags(command, purpose, getenv, output)
	declareConfig(flags)
	return flags, []declaration{declareConsole(flags, c), declareWeb(flags, c), declareWork(flags, c), declareLog(flags, c), declareMetrics(flags, c), declareClusters(flags, c), declareAllow(flags, c), declareNotifyAllow(flags, c),
		declareSecrets(flags, c)}
}

// readServeConfig reads all that serve can be told. After a mistake the configuration is good for nothing but to say it: in the format of the log.
func readServeConfig(args []string, getenv func(string) string, output io.Writer) (c config, err error) {
	flags, all := serveFlags("serve", `Serve the console. The first start creates the user admin, with the password of REKINDLE_ADMIN_PASSWORD or else a
generated one that is printed once. REKINDLE_ACCESS_KEY_ID and REKINDLE_SECRET_ACCESS_KEY give the ElastiCache API its first access key.`, &c, getenv, output)
	if err := flags.arguments(args); err != nil {
		c.logJSON = getenv(variable("log-format")) == "json" || flags.Lookup("log-format").Value.String() == "json"
		return c, err
	}
	err = readConfig(flags, all, &c)
	return c, err
}

// readConfig reads what was declared and is not in the arguments, which have been read, and reports all mistakes.
func readConfig(flags *flagSet, all []declaration, c *config) error {
	failures := []error{flags.fill()}
	for _, read := range all {
		failures = append(failures, read())
	}
	c.file, c.settings, c.notes = flags.file, effective(flags, *c), flags.notes
	return errors.Join(failures...)
}

// declaration copies what was declared into the configuration, after the flags were parsed, and reports all mistakes.
type declaration func() error

// declarePlace declares the flags that say where the catalog is. Reading them makes a root process the owner of what is there.
func declarePlace(flags *flagSet, c *config, folder string) declaration {
	read := namePlace(flags, c, folder)
	return func() error {
		if err := read(); err != nil {
			return err
		}
		return c.place.become()
	}
}

// namePlace is declarePlace for a command that makes nothing there, and stays who it is.
func namePlace(flags *flagSet, c *config, folder string) declaration {
	if flags.config == nil {
		declareConfig(flags)
	}
	data := flags.string("data", "./data", folder)
	where := flags.string("catalog", "", catalogUsage)
	return func() error {
		at, err := catalogPlace(*data, *where)
		if err != nil {
			return flags.wrong("catalog", "%v", err)
		}
		c.place = place{*data, at}
		return nil
	}
}

// declareConsole declares the flags that say where everything of a console is: its catalog, its store and its nodes.
func declareConsole(flags *flagSet, c *config) declaration {
	place := declarePlace(flags, c, "`folder` of the catalog and of the nodes' files")
	store := flags.string("store", "", "where snapshots are kept: `URL` dir:/path or s3://bucket/prefix?region=... (docs/s3.md; default: snapshots in the data folder)")
	addresses := flags.list("node-address", defaultNodeAddresses, nodeAddressUsage)
	announced := flags.string("announce-address", "", "`host` or address by which applications reach the nodes, when it is not the one that they are bound to: endpoints show it, and all nodes get ports of their own")
	flags.BoolVar(&c.encrypted, "data-encrypted", false, "declare that the data folder, which has the nodes' files, is on encrypted storage: clusters can then be created with encryption at rest (docs/tls.md)")
	return func() error {
		failures := []error{place(), readNodeAddresses(flags, *addresses, &c.nodeAddresses), readAnnounced(flags, *announced, &c.announced)}
		if c.store = *store; c.store == "" {
			path, err := filepath.Abs(filepath.Join(c.place.data, storeFolder))
			failures = append(failures, err)
			c.store = dirScheme + path
		}
		if err := checkStore(c.store); err != nil {
			failures = append(failures, flags.wrong("store", "%v", err))
		}
		return errors.Join(failures...)
	}
}

// declareWeb declares the flags that say how people and programs reach the console.
func declareWeb(flags *flagSet, c *config) declaration {
	flags.StringVar(&c.listen, "listen", defaultListen, "`host:port` to serve the console on")
	flags.StringVar(&c.publicURL, "public-url", "", "`URL` at which people reach the console, when it is behind a proxy; with https the cookies are marked as secure")
	proxies := flags.list("trusted-proxy", "", "`addresses` of the proxies in front of the console, separated by commas: for requests from there, X-Forwarded-For names the client (10.0.0.7,10.1.0.0/16)")
	flags.StringVar(&c.account, "account-id", elasticache.DefaultAccount, "`account` id in the ARNs of the ElastiCache API, 12 digits")
	return func() error {
		var failures []error
		if _, _, err := net.SplitHostPort(c.listen); err != nil {
			failures = append(failures, flags.wrong("listen", "must look like 127.0.0.1:8080, not %q", c.listen))
		}
		if u, err := url.Parse(c.publicURL); c.publicURL != "" && (err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "") {
			failures = append(failures, flags.wrong("public-url", "must look like https://rekindle.example.com, not %q", c.publicURL))
		} else if strings.TrimSuffix(u.Path, "/") != "" || u.RawQuery != "" || u.Fragment != "" || u.User != nil {
			failures = append(failures, flags.wrong("public-url", "must be a host of its own, such as %s://%s, not %q: requests of the ElastiCache API are signed together with their path, so nothing can be put before it", u.Scheme, u.Host, u.Redacted()))
		}
		if err := readNetworks(*proxies, &c.proxies); err != nil {
			failures = append(failures, flags.wrong("trusted-proxy", "must name addresses such as 10.0.0.7 or 10.1.0.0/16: %v", err))
		}
		if !regexp.MustCompile(`^\d{12}$`).MatchString(c.account) {
			failures = append(failures, flags.wrong("account-id", "must have 12 digits, as 123456789012 does, not %q", c.account))
		}
		return errors.Join(failures...)
	}
}

// declareWork declares the flags that say how much the console does at once, which engines and ports it uses, how it ends and how it logs.
func declareWork(flags *flagSet, c *config) declaration {
	engines := flags.string("engines", "", "`folder` with engines to launch beside those in PATH: redis-server, valkey-server and memcached, in it or in a subfolder")
	ports := flags.string("node-ports", "16379-26378", "`range` from which nodes get their ports")
	flags.IntVar(&c.transfers, "transfers", 2, "`number` of snapshots and restores at once; each needs some 20 MiB")
	flags.IntVar(&c.bandwidth, "bandwidth", 0, "`MiB` a second that all snapshots together read from their clusters; 0: no limit")
	flags.IntVar(&c.perHost, "snapshots-per-host", 1, "`number` of snapshots at once from one host; each costs it a fork")
	flags.DurationVar(&c.lease, "lease", 15*time.Second, "`time` after which this console counts as gone when it cannot reach a catalog that it shares, and another one takes over its work")
	flags.BoolVar(&c.stopNodes, "stop-nodes", false, "save and stop all launched nodes when the console stops, as in a container; otherwise they keep running")
	return func() error {
		var failures []error
		if !readPorts(*ports, &c.nodePorts) {
			failures = append(failures, flags.wrong("node-ports", "must look like 16379-26378, from 1024 to 65535, not %q", *ports))
		}
		if err := readEngines(flags, *engines, &c.engines); err != nil {
			failures = append(failures, err)
		}
		for name, number := range map[string]int{"transfers": c.transfers, "snapshots-per-host": c.perHost} {
			if number < 1 {
				failures = append(failures, flags.wrong(name, "must be at least 1"))
			}
		}
		if c.bandwidth < 0 || c.bandwidth > maxBandwidth {
			failures = append(failures, flags.wrong("bandwidth", "must be a number of MiB a second from 0, which is no limit, to %d", maxBandwidth))
		}
		if c.lease < time.Second || c.lease > time.Hour {
			failures = append(failures, flags.wrong("lease", "must be from 1s to 1h, not %s", c.lease))
		}
		return errors.Join(failures...)
	}
}

// declareLog declares the flags that say what is logged.
func declareLog(flags *flagSet, c *config) declaration {
	format := flags.string("log-format", "text", "text or json")
	level := flags.string("log-level", "info", "what is logged: debug, info, warn or error, and what is worse")
	return func() error {
		var failures []error
		if c.logJSON = *format == "json"; !c.logJSON && *format != "text" {
			failures = append(failures, flags.wrong("log-format", "must be text or json, not %q", *format))
		}
		var known bool
		if c.logLevel, known = logLevels[*level]; !known {
			failures = append(failures, flags.wrong("log-level", "must be debug, info, warn or error, not %q", *level))
		}
		return errors.Join(failures...)
	}
}

var logLevels = map[string]slog.Level{"debug": slog.LevelDebug, "info": slog.LevelInfo, "warn": slog.LevelWarn, "error": slog.LevelError}

// declareSecrets declares what comes from the environment or by way of the configuration file, and never from arguments.
func declareSecrets(flags *flagSet, c *config) declaration {
	var id secret.Text
	flags.secret("admin-password", &c.adminPassword)
	flags.secret("access-key-id", &id)
	flags.open = append(flags.open, "access-key-id")
	flags.secret("secret-access-key", &c.accessSecret)
	return func() error {
		if c.accessKeyID = id.Reveal(); (c.accessKeyID == "") != (c.accessSecret == "") {
			return misuse("%s and %s belong together: set both or none", accessKeyVariable, secretKeyVariable)
		}
		return nil
	}
}

// declareClusters declares the flag for the file that declares attached clusters.
func declareClusters(flags *flagSet, c *config) declaration {
	path := flags.string("clusters", "", "`file` that declares attached clusters (docs/attach.md); SIGHUP has it read again")
	return func() (err error) {
		if *path != "" {
			c.clusters, err = clustersSource(*path, flags.getenv)
		}
		return err
	}
}

// declareAllow declares the flag that says where clusters that were not launched here may be.
func declareAllow(flags *flagSet, c *config) declaration {
	return declareNetworks(flags, &c.attachAllow, "attach-allow",
		"`addresses` at which clusters may be attached and data moved from, separated by commas: nothing else is connected to (10.0.0.7,10.1.0.0/16; docs/attach.md)")
}

// declareNotifyAllow declares the flag that says where messages may be sent to.
func declareNotifyAllow(flags *flagSet, c *config) declaration {
	return declareNetworks(flags, &c.notifyAllow, "notify-allow",
		"`addresses` that notifications may be sent to, separated by commas: of mail servers, chats and webhooks (10.0.0.7,203.0.113.0/24; docs/notifications.md)")
}

// declareNetworks declares a flag with addresses and networks.
func declareNetworks(flags *flagSet, into *[]netip.Prefix, name, text string) declaration {
	networks := flags.list(name, "", text)
	return func() error {
		if err := readNetworks(*networks, into); err != nil {
			return flags.wrong(name, "must name addresses such as 10.0.0.7 or 10.1.0.0/16: %v", err)
		}
		if *networks != "" && len(*into) == 0 { // nothing at all must not mean everything
			return flags.wrong(name, "must name addresses such as 10.0.0.7 or 10.1.0.0/16, not %q", *networks)
		}
		return nil
	}
}

// clustersSource is a clusters file with an absolute path, which does not depend on where the command was started.
func clustersSource(path string, getenv func(string) string) (declared.Source, error) {
	whole, err := filepath.Abs(path)
	if err != nil {
		return declared.Source{}, fmt.Errorf("find %s: %w", path, err)
	}
	return declared.Source{Path: whole, Getenv: getenv}, nil
}

// readNetworks reads addresses and networks.
func readNetworks(text string, into *[]netip.Prefix) error {
	for part := range strings.SplitSeq(text, ",") {
		part = strings.TrimSpace(part)
		if part == "" {
			continue
		}
		if !strings.Contains(part, "/") {
			address, err := netip.ParseAddr(part)
			if err != nil {
				return err
			}
			*into = append(*into, netip.PrefixFrom(address.Unmap(), address.Unmap().BitLen()))
			continue
		}
		prefix, err := netip.ParsePrefix(part)
		if err != nil {
			return err
		}
		*into = append(*into, prefix.Masked())
	}
	return nil
}

func readNodeAddresses(flags *flagSet, text string, addresses *local.Addresses) (err error) {
	if *addresses, err = local.ParseAddresses(text); err != nil {
		return flags.wrong("node-address", "must name addresses of this host such as 10.0.0.7, fd00::7 or 127.0.0.0/8, or host names: %v", err)
	}
	return nil
}

// readAnnounced reads a host without a port.
func readAnnounced(flags *flagSet, text string, into *string) error {
	host := strings.Trim(text, "[]")
	endpoint, problem := models.CheckEndpoint(net.JoinHostPort(host, "6379"))
	if text == "" {
		return nil
	}
	if *into, _, _ = net.SplitHostPort(endpoint); problem != "" || strings.Contains(host, "%") {
		return flags.wrong("announce-address", "must be a host or an address without a port, such as redis.example.com or 10.0.0.7, not %q", text)
	}
	return nil
}

// readEngines looks for engines in a folder; "" is no folder.
func readEngines(flags *flagSet, folder string, engines *[]string) (err error) {
	if folder == "" {
		return nil
	}
	if folder, err = filepath.Abs(folder); err == nil {
		*engines, err = local.FindEngines(folder)
	}
	switch {
	case err != nil:
		return flags.wrong("engines", "must name a folder with engines in it: %v", err)
	case len(*engines) == 0:
		return flags.wrong("engines", "names %s, and there is no redis-server, valkey-server or memcached in it or in a subfolder", folder)
	}
	return nil
}

func readPorts(text string, ports *[2]int) bool {
	from, to, _ := strings.Cut(text, "-")
	var errFrom, errTo error
	ports[0], errFrom = strconv.Atoi(from)
	ports[1], errTo = strconv.Atoi(to)
	return errFrom == nil && errTo == nil && ports[0] >= 1024 && ports[1] <= 65535 && ports[0] <= ports[1]
}
