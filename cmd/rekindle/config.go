package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
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
	"rekindle/web/elasticache"
)

// maxBandwidth, in MiB a second, is more than any network has.
const maxBandwidth = 1 << 20

// The variables with the first access key of the ElastiCache API, if they are set.
const (
	accessKeyVariable = "REKINDLE_ACCESS_KEY_ID"
	secretKeyVariable = "REKINDLE_SECRET_ACCESS_KEY"
)

// errUsage marks mistakes in flags and environment.
var errUsage = errors.New("wrong use")

// config is what the console is started with.
type config struct {
	listen        string // host:port
	place         place
	store         string // URL of the snapshot store
	nodeAddresses local.Addresses
	nodePorts     [2]int
	engines       []string // programs to launch, in addition to those in PATH
	publicURL     string
	transfers     int
	perHost       int
	bandwidth     int
	lease         time.Duration
	stopNodes     bool
	logJSON       bool
	adminPassword secret.Text
	proxies       []netip.Prefix
	attachAllow   []netip.Prefix // where servers that were not launched here may be connected to; empty: anywhere but where it is always denied
	account       string         // in ARNs
	encrypted     bool           // somebody has declared that the data folder is on encrypted storage
	accessKeyID   string         // of the first access key of the API
	accessSecret  secret.Text
	clusters      declared.Source  // the clusters file; its path is "": none
	reload        <-chan os.Signal // asks for the file to be read again; nil: nothing does
}

// By default each node of a cluster has a loopback address of its own, so that all can have the port that clients expect.
const (
	defaultNodeAddresses = "127.0.0.0/8"
	nodeAddressUsage     = "`addresses` that launched nodes are bound to, separated by commas: 10.0.0.7, or a range such as 127.0.0.0/8"
)

// flagSet is a flag.FlagSet whose flags can also come from the environment.
type flagSet struct {
	*flag.FlagSet
	getenv func(string) string
	help   func()
}

// newFlags prepares the flags of a command; help goes to output.
func newFlags(command, purpose string, getenv func(string) string, output io.Writer) *flagSet {
	flags := &flagSet{FlagSet: flag.NewFlagSet(command, flag.ContinueOnError), getenv: getenv}
	flags.SetOutput(io.Discard) // main reports a mistake, and without the whole help text
	flags.Usage = func() {}
	flags.help = func() {
		fmt.Fprintf(output, "%s\n\nUsage:\n  rekindle %s [flags]\n\nFlags:\n", purpose, command)
		flags.VisitAll(func(f *flag.Flag) {
			name, text := flag.UnquoteUsage(f)
			fmt.Fprintf(output, "  --%s %s\n        %s", f.Name, name, text)
			if f.DefValue != "" && f.DefValue != "false" {
				fmt.Fprintf(output, " (default %s)", f.DefValue)
			}
			fmt.Fprintf(output, " [%s]\n", variable(f.Name))
		})
	}
	return flags
}

// variable is the name of a flag in the environment.
func variable(flag string) string {
	return "REKINDLE_" + strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))
}

func (f *flagSet) string(name, value, text string) *string {
	return f.FlagSet.String(name, value, text)
}

// parseWith is parse for a command that takes one argument in addition to its flags, before or after them.
func (f *flagSet) parseWith(args []string) (operand string, err error) {
	if len(args) > 0 && !strings.HasPrefix(args[0], "-") {
		return args[0], f.parse(args[1:])
	}
	err = f.parse(args)
	if f.NArg() == 1 && errors.Is(err, errOperand) {
		return f.Arg(0), nil
	}
	return "", err
}

// errOperand comes with errUsage: there is an argument that is not a flag.
var errOperand = errors.New("unexpected argument")

// parse reads the environment, then the arguments, which take precedence.
func (f *flagSet) parse(args []string) error {
	var failures []error
	f.VisitAll(func(flag *flag.Flag) {
		if value := f.getenv(variable(flag.Name)); value != "" {
			if err := f.Set(flag.Name, value); err != nil {
				failures = append(failures, fmt.Errorf("%w: %s=%q is not acceptable", errUsage, variable(flag.Name), value))
			}
		}
	})
	if len(failures) > 0 {
		return errors.Join(failures...)
	}
	if err := f.Parse(args); errors.Is(err, flag.ErrHelp) {
		f.help()
		return err
	} else if err != nil {
		return fmt.Errorf("%w: %w; rekindle %s --help lists the flags", errUsage, err, f.Name())
	}
	if f.NArg() > 0 {
		return fmt.Errorf("%w: %w %q; rekindle %s --help lists the flags", errUsage, errOperand, f.Arg(0), f.Name())
	}
	return nil
}

func readServeConfig(args []string, getenv func(string) string, output io.Writer) (config, error) {
	flags := newFlags("serve", `Serve the console. The first start creates the user admin, with the password of REKINDLE_ADMIN_PASSWORD or else a
generated one that is printed once. REKINDLE_ACCESS_KEY_ID and REKINDLE_SECRET_ACCESS_KEY give the ElastiCache API its first access key.`, getenv, output)
	var c config
	all := []declaration{declareConsole(flags, &c), declareWeb(flags, &c), declareWork(flags, &c), declareClusters(flags, &c), declareAllow(flags, &c)}
	if err := flags.parse(args); err != nil {
		return c, err
	}
	c.adminPassword = secret.Text(getenv("REKINDLE_ADMIN_PASSWORD"))
	c.accessKeyID, c.accessSecret = getenv(accessKeyVariable), secret.Text(getenv(secretKeyVariable))
	var failures []error
	for _, read := range all {
		failures = append(failures, read())
	}
	if (c.accessKeyID == "") != (c.accessSecret == "") {
		failures = append(failures, misuse("%s and %s belong together: set both or none", accessKeyVariable, secretKeyVariable))
	}
	return c, errors.Join(failures...)
}

// declaration copies what was declared into the configuration, after the flags were parsed, and reports all mistakes.
type declaration func() error

func misuse(text string, args ...any) error {
	return fmt.Errorf("%w: %s", errUsage, fmt.Sprintf(text, args...))
}

// declarePlace declares the flags that say where the catalog is.
func declarePlace(flags *flagSet, c *config, folder string) declaration {
	data := flags.string("data", "./data", folder)
	where := flags.string("catalog", "", catalogUsage)
	return func() (err error) {
		c.place, err = placeOf(*data, *where)
		return err
	}
}

// declareConsole declares the flags that say where everything of a console is: its catalog, its store and its nodes.
func declareConsole(flags *flagSet, c *config) declaration {
	place := declarePlace(flags, c, "`folder` of the catalog and of the nodes' files")
	store := flags.string("store", "", "where snapshots are kept: `URL` dir:/path or s3://bucket/prefix?region=... (docs/s3.md; default: snapshots in the data folder)")
	addresses := flags.string("node-address", defaultNodeAddresses, nodeAddressUsage)
	flags.BoolVar(&c.encrypted, "data-encrypted", false, "declare that the data folder, which has the nodes' files, is on encrypted storage: clusters can then be created with encryption at rest (docs/tls.md)")
	return func() error {
		failures := []error{place(), readNodeAddresses(*addresses, &c.nodeAddresses)}
		if c.store = *store; c.store == "" {
			c.store = "dir:" + filepath.Join(c.place.data, "snapshots")
		}
		if err := checkStore(c.store); err != nil {
			failures = append(failures, misuse("--store %v", err))
		}
		return errors.Join(failures...)
	}
}

// declareWeb declares the flags that say how people and programs reach the console.
func declareWeb(flags *flagSet, c *config) declaration {
	flags.StringVar(&c.listen, "listen", "127.0.0.1:8080", "`host:port` to serve the console on")
	flags.StringVar(&c.publicURL, "public-url", "", "`URL` at which people reach the console, when it is behind a proxy; with https the cookies are marked as secure")
	proxies := flags.string("trusted-proxy", "", "`addresses` of the proxies in front of the console, separated by commas: for requests from there, X-Forwarded-For names the client (10.0.0.7,10.1.0.0/16)")
	flags.StringVar(&c.account, "account-id", elasticache.DefaultAccount, "`account` id in the ARNs of the ElastiCache API, 12 digits")
	return func() error {
		var failures []error
		if _, _, err := net.SplitHostPort(c.listen); err != nil {
			failures = append(failures, misuse("--listen must look like 127.0.0.1:8080, not %q", c.listen))
		}
		if u, err := url.Parse(c.publicURL); c.publicURL != "" && (err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "") {
			failures = append(failures, misuse("--public-url must look like https://rekindle.example.com, not %q", c.publicURL))
		}
		if err := readNetworks(*proxies, &c.proxies); err != nil {
			failures = append(failures, misuse("--trusted-proxy must name addresses such as 10.0.0.7 or 10.1.0.0/16: %v", err))
		}
		if !regexp.MustCompile(`^\d{12}$`).MatchString(c.account) {
			failures = append(failures, misuse("--account-id must have 12 digits, as 123456789012 does, not %q", c.account))
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
	format := flags.string("log-format", "text", "text or json")
	return func() error {
		var failures []error
		if !readPorts(*ports, &c.nodePorts) {
			failures = append(failures, misuse("--node-ports must look like 16379-26378, from 1024 to 65535, not %q", *ports))
		}
		if err := readEngines(*engines, &c.engines); err != nil {
			failures = append(failures, err)
		}
		if c.transfers < 1 || c.perHost < 1 {
			failures = append(failures, misuse("--transfers and --snapshots-per-host must be at least 1"))
		}
		if c.bandwidth < 0 || c.bandwidth > maxBandwidth {
			failures = append(failures, misuse("--bandwidth must be a number of MiB a second from 0, which is no limit, to %d", maxBandwidth))
		}
		if c.lease < time.Second || c.lease > time.Hour {
			failures = append(failures, misuse("--lease must be from 1s to 1h, not %s", c.lease))
		}
		if c.logJSON = *format == "json"; !c.logJSON && *format != "text" {
			failures = append(failures, misuse("--log-format must be text or json, not %q", *format))
		}
		return errors.Join(failures...)
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
	networks := flags.string("attach-allow", "", "`addresses` at which clusters may be attached and data moved from, separated by commas: nothing else is connected to (10.0.0.7,10.1.0.0/16; docs/attach.md)")
	return func() error {
		if err := readNetworks(*networks, &c.attachAllow); err != nil {
			return misuse("--attach-allow must name addresses such as 10.0.0.7 or 10.1.0.0/16: %v", err)
		}
		if *networks != "" && len(c.attachAllow) == 0 { // nothing at all must not mean everything
			return misuse("--attach-allow must name addresses such as 10.0.0.7 or 10.1.0.0/16, not %q", *networks)
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

func readNodeAddresses(text string, addresses *local.Addresses) (err error) {
	if *addresses, err = local.ParseAddresses(text); err != nil {
		return misuse("--node-address must name addresses such as 10.0.0.7 or 127.0.0.0/8: %v", err)
	}
	return nil
}

// readEngines looks for engines in a folder; "" is no folder.
func readEngines(folder string, engines *[]string) (err error) {
	if folder == "" {
		return nil
	}
	if folder, err = filepath.Abs(folder); err == nil {
		*engines, err = local.FindEngines(folder)
	}
	switch {
	case err != nil:
		return misuse("--engines must name a folder with engines in it: %v", err)
	case len(*engines) == 0:
		return misuse("--engines names %s, and there is no redis-server, valkey-server or memcached in it or in a subfolder", folder)
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
