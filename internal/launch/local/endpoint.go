package local

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"

	"rekindle/internal/launch"
)

// maxTried is how many addresses in a row are tried for a port before giving up. A program that listens on all of a host's addresses has the
// port on each of them.
const maxTried = 1024

// Addresses are the addresses that nodes may be bound to, as prefixes: 127.0.0.0/8, or 10.0.0.7/32 for a single one.
type Addresses []netip.Prefix

// ParseAddresses reads addresses and prefixes that are separated by commas, such as "10.0.0.7,10.0.0.8" or "127.0.0.0/8".
func ParseAddresses(text string) (Addresses, error) {
	var addresses Addresses
	for part := range strings.SplitSeq(text, ",") {
		part = strings.TrimSpace(part)
		prefix, err := netip.ParsePrefix(part)
		if err != nil {
			address, failure := netip.ParseAddr(part)
			if failure != nil || address.Zone() != "" {
				return nil, fmt.Errorf("%q is not an IP address", part)
			}
			prefix = netip.PrefixFrom(address, address.BitLen())
		}
		addresses = append(addresses, prefix.Masked())
	}
	return addresses, nil
}

// all yields the addresses in order, without a network's first address, which names the network, and its last one, which is for broadcasts.
func (a Addresses) all(yield func(netip.Addr) bool) {
	for _, prefix := range a {
		address, whole := prefix.Addr(), prefix.Addr().BitLen()-prefix.Bits() > 1
		if whole {
			address = address.Next()
		}
		for ; prefix.Contains(address); address = address.Next() {
			if next := address.Next(); whole && !prefix.Contains(next) {
				break
			}
			if !yield(address) {
				return
			}
		}
	}
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
