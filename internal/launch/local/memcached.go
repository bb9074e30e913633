package local

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/user"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"rekindle/internal/launch"
)

// Memcached differs from the other engines: it is configured only by arguments, it speaks another protocol, and it has no password, no
// replicas and nothing to save.

const (
	mib = 1 << 20
	// minCacheMemory is the least memory with which memcached starts: twice its largest item, which is 1 MiB by default.
	minCacheMemory = 2 * mib
)

// memcachedArguments returns memcached's arguments for a complete node in dir.
func memcachedArguments(dir string, n launch.Node) ([]string, error) {
	host := n.Host
	if strings.Contains(host, ":") {
		host = "[" + host + "]" // otherwise it looks for a port in the address
	}
	args := []string{"-l", host, "-p", strconv.Itoa(n.Port), "-U", "0", "-P", filepath.Join(dir, pidFile)}
	if n.MaxMemory > 0 {
		args = append(args, "-m", strconv.FormatInt(max(n.MaxMemory, minCacheMemory)/mib, 10))
	}
	if os.Geteuid() == 0 {
		// As root it insists on a user to become. The log, the lock and the directory are only for our user, so it keeps that one.
		name := "root"
		if current, err := user.Current(); err == nil {
			name = current.Username
		}
		args = append(args, "-u", name)
	}
	more, err := cacheFlags(n)
	return append(args, more...), err
}

// checkMemcached refuses what memcached cannot do. The error is a sentence for people.
func (l *Launcher) checkMemcached(n launch.Node) error {
	switch {
	case n.Password != "":
		return errors.New("memcached has no password")
	case n.TLS:
		return errors.New("a node of memcached does not speak TLS here")
	case n.PrimaryPort != 0:
		return errors.New("memcached does not replicate, so its node cannot have a primary")
	case !isLoopback(n.Host) && !l.opts.AllowOpen:
		return fmt.Errorf("memcached on %s has no password: everyone who reaches that address could read and change its data", n.Host)
	}
	_, err := cacheFlags(n)
	return err
}

// cacheParameter turns the value of a parameter into arguments.
type cacheParameter struct {
	takes string // which values are allowed, in words
	flags func(value string) (args []string, ok bool)
}

// cacheParameters are the parameters of memcached that Node.Config may have.
//
// Source: Amazon ElastiCache user guide, "Memcached specific parameters"; memcached's --help for the flags. Two ranges are narrower than
// ElastiCache's, because memcached does not start with the other values: an item must fill whole chunks of 512 KiB, and some thirty
// files of its own count as connections.
var cacheParameters = map[string]cacheParameter{
	"backlog_queue_limit":          wholeNumber("-b", 1, 10000, 1),
	"binding_protocol":             oneOf("-B", "auto", "ascii", "binary"),
	"cas_disabled":                 onOff("-C"),
	"chunk_size":                   wholeNumber("-n", 1, 1024, 1),
	"chunk_size_growth_factor":     decimal("-f", 1.01, 10),
	"disable_flush_all":            onOff("-F"),
	"error_on_memory_exhausted":    onOff("-M"),
	"max_item_size":                wholeNumber("-I", 512<<10, 128*mib, 512<<10),
	"max_simultaneous_connections": wholeNumber("-c", 64, 65000, 1),
}

// cacheFlags returns the arguments for a memcached node's Config, sorted by the parameters' names. The error is a sentence for people.
func cacheFlags(n launch.Node) ([]string, error) {
	var args []string
	for _, name := range slices.Sorted(maps.Keys(n.Config)) {
		parameter, known := cacheParameters[name]
		if !known {
			return nil, fmt.Errorf("%.80q is not a parameter of memcached that can be set", name)
		}
		flags, ok := parameter.flags(n.Config[name])
		if !ok {
			return nil, fmt.Errorf("the parameter %s takes %s, not %.40q", name, parameter.takes, n.Config[name])
		}
		args = append(args, flags...)
	}
	return args, nil
}

// wholeNumber is a parameter for a multiple of step.
func wholeNumber(flag string, least, most, step int64) cacheParameter {
	takes := fmt.Sprintf("a whole number from %d to %d", least, most)
	if step > 1 {
		takes += fmt.Sprintf(" that is a multiple of %d", step)
	}
	return cacheParameter{takes, func(value string) ([]string, bool) {
		n, err := strconv.ParseInt(value, 10, 64)
		// Only the plain form is accepted, because memcached reads what it does not understand as 0.
		ok := err == nil && n >= least && n <= most && n%step == 0 && value == strconv.FormatInt(n, 10)
		return []string{flag, value}, ok
	}}
}

var decimalPattern = regexp.MustCompile(`^[0-9]{1,9}(\.[0-9]{1,9})?$`)

func decimal(flag string, least, most float64) cacheParameter {
	return cacheParameter{fmt.Sprintf("a number from %v to %v", least, most), func(value string) ([]string, bool) {
		n, err := strconv.ParseFloat(value, 64)
		return []string{flag, value}, err == nil && n >= least && n <= most && decimalPattern.MatchString(value)
	}}
}

func oneOf(flag string, values ...string) cacheParameter {
	return cacheParameter{"one of " + strings.Join(values, ", "), func(value string) ([]string, bool) {
		return []string{flag, value}, slices.Contains(values, value)
	}}
}

func onOff(flag string) cacheParameter {
	return cacheParameter{"0 or 1", func(value string) ([]string, bool) {
		if value == "1" {
			return []string{flag}, true
		}
		return nil, value == "0"
	}}
}

// stopCache ends the memcached node in dir, and kills it if it does not end by itself within Options.KillGrace.
func (l *Launcher) stopCache(ctx context.Context, dir string) error {
	if held, err := lockHeld(dir); err != nil || !held {
		return err
	}
	if err := terminateServer(dir); err != nil {
		return err
	}
	err := awaitFree(ctx, dir, l.opts.KillGrace, nil)
	if errors.Is(err, launch.ErrNotStopped) {
		return kill(ctx, dir)
	}
	return err
}
