package local

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"rekindle/internal/launch"
)

// maxTried is how many addresses in a row are tried for a port before giving up. A program that listens on all of a host's addresses has the
// port on each of them.
const maxTried = 1024

// Addresses are the addresses that nodes may be bound to, as prefixes: 127.0.0.0/8, or 10.0.0.7/32 for a single one.
type Addresses []netip.Prefix

// ParseAddresses reads addresses, prefixes and host names that are separated by commas, such as "10.0.0.7,10.0.0.8" or "127.0.0.0/8". A name stands
// for the address that it has now: of several, one of this host, if possible in IPv4.
func ParseAddresses(text string) (Addresses, error) {
	var addresses Addresses
	for part := range strings.SplitSeq(text, ",") {
		part = strings.TrimSpace(part)
		prefix, err := netip.ParsePrefix(part)
		if err != nil {
			address, err := addressOf(part)
			if err != nil {
				return nil, err
			}
			prefix = netip.PrefixFrom(address.Unmap(), address.Unmap().BitLen())
		}
		addresses = append(addresses, prefix.Masked())
	}
	return addresses, nil
}

// hostName is the name of a host, whose last part, unlike an address's, has a letter.
var hostName = regexp.MustCompile(`^([A-Za-z0-9_-]+\.)*[A-Za-z0-9-]*[A-Za-z][A-Za-z0-9-]*\.?$`)

// resolveTimeout limits how long a start waits for the address of a name.
const resolveTimeout = 10 * time.Second

// addressOf returns the address that a text is, or that a host name stands for.
func addressOf(text string) (netip.Addr, error) {
	if address, err := netip.ParseAddr(text); err == nil && address.Zone() == "" {
		return address, nil
	}
	if !hostName.MatchString(text) {
		return netip.Addr{}, fmt.Errorf("%q is neither an IP address nor the name of a host", text)
	}
	ctx, cancel := context.WithTimeout(context.Background(), resolveTimeout)
	defer cancel()
	found, err := net.DefaultResolver.LookupNetIP(ctx, "ip", text)
	if err != nil {
		return netip.Addr{}, fmt.Errorf("find the address of %s: %w", text, err)
	}
	slices.SortStableFunc(found, func(a, b netip.Addr) int { return a.Unmap().BitLen() - b.Unmap().BitLen() })
	for _, address := range found {
		if listens(address.Unmap().String(), 0) == nil {
			return address.Unmap(), nil
		}
	}
	return netip.Addr{}, fmt.Errorf("%s stands for %v, which this host does not have", text, found)
}

// all yields the addresses in order, without a network's first address, which names the network, and its last one, which is for broadcasts. Of each
// network the addresses of this host come first: in one like fd00::/64 nobody would find them otherwise.
func (a Addresses) all(yield func(netip.Addr) bool) {
	own := hostAddresses()
	for _, prefix := range a {
		mine := slices.DeleteFunc(slices.Clone(own), func(address netip.Addr) bool { return prefix.IsSingleIP() || !prefix.Contains(address) })
		for _, address := range mine {
			if !yield(address) {
				return
			}
		}
		address, whole := prefix.Addr(), prefix.Addr().BitLen()-prefix.Bits() > 1
		if whole {
			address = address.Next()
		}
		for ; prefix.Contains(address); address = address.Next() {
			if next := address.Next(); whole && !prefix.Contains(next) {
				break
			}
			if !slices.Contains(mine, address) && !yield(address) {
				return
			}
		}
	}
}

// hostAddresses are the addresses that this host's network interfaces have.
func hostAddresses() []netip.Addr {
	var own []netip.Addr
	all, _ := net.InterfaceAddrs() // without them, the addresses are tried in their order
	for _, address := range all {
		if prefix, err := netip.ParsePrefix(address.String()); err == nil {
			own = append(own, prefix.Addr().Unmap())
		}
	}
	return own
}

// first is the default address of nodes.
func (a Addresses) first() string {
	for address := range a.all {
		return address.String()
	}
	return "127.0.0.1"
}

// Address is the first of the addresses that nodes may be bound to.
func (l *Launcher) Address() string { return l.host }

// Announced is the host by which clients reach all nodes, as [launch.Placer] says.
func (l *Launcher) Announced() string { return l.opts.Announce }

// Serves tells whether a node may be bound to an address, and can be.
func (l *Launcher) Serves(host string) bool {
	address, err := netip.ParseAddr(host)
	if err != nil || !slices.ContainsFunc(l.addresses, func(p netip.Prefix) bool { return p.Contains(address.Unmap()) }) {
		return false
	}
	return !errors.Is(listens(host, 0), syscall.EADDRNOTAVAIL)
}

// Place finds an endpoint, as [launch.Placer] says.
func (l *Launcher) Place(ctx context.Context, port int, taken func(launch.Endpoint) bool) (launch.Endpoint, error) {
	if taken == nil {
		taken = func(launch.Endpoint) bool { return false }
	}
	if port == 0 {
		free, err := l.freePort(ctx, func(port int) bool { return taken(launch.Endpoint{Host: l.host, Port: port}) })
		return launch.Endpoint{Host: l.host, Port: free}, err
	}
	host, err := l.freeAddress(ctx, port, func(host string) bool { return taken(launch.Endpoint{Host: host, Port: port}) })
	return launch.Endpoint{Host: host, Port: port}, err
}

// freePort returns a port of the range in Options on which nobody listens now at the first address, and that avoid (may
// be nil) does not exclude. It goes round through the range, so that a port is not given to the
// next cluster while clients of a deleted one may still try it. Between this call and the
// node's start somebody else may take the port: then Start returns ErrPortTaken. freePort returns ErrNoPort
// if there is none.
func (l *Launcher) freePort(ctx context.Context, avoid func(port int) bool) (int, error) {
	l.portMu.Lock()
	defer l.portMu.Unlock()
	for range l.opts.LastPort - l.opts.FirstPort + 1 {
		if err := ctx.Err(); err != nil {
			return 0, err
		}
		if l.nextPort < l.opts.FirstPort || l.nextPort > l.opts.LastPort {
			l.nextPort = l.opts.FirstPort
		}
		port := l.nextPort
		l.nextPort++
		if (avoid == nil || !avoid(port)) && listens(l.host, port) == nil {
			return port, nil
		}
	}
	return 0, fmt.Errorf("%w between %d and %d", launch.ErrNoPort, l.opts.FirstPort, l.opts.LastPort)
}

// freeAddress returns the first address at which nobody listens on the port now, and that avoid (may be nil) does not exclude. It returns
// ErrNoPort if there is none.
func (l *Launcher) freeAddress(ctx context.Context, port int, avoid func(address string) bool) (string, error) {
	tried := 0
	for address := range l.addresses.all {
		if err := ctx.Err(); err != nil {
			return "", err
		}
		host := address.String()
		if avoid != nil && avoid(host) {
			continue
		}
		if listens(host, port) == nil {
			return host, nil
		}
		if tried++; tried == maxTried {
			break
		}
	}
	return "", fmt.Errorf("%w: %d is in use at each address", launch.ErrNoPort, port)
}

// listens tries to listen there as a node would.
func listens(host string, port int) error {
	listener, err := net.Listen("tcp", net.JoinHostPort(host, strconv.Itoa(port)))
	if err != nil {
		return err
	}
	return listener.Close()
}
