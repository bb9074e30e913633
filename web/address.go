package web

import (
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// addressOf returns where the request comes from. Behind trusted proxies that is what the outermost of them says: the right-most address in
// X-Forwarded-For, to which each proxy appends, that is not itself a trusted proxy. The client may have made up anything further left.
func (s *site) addressOf(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		host = r.RemoteAddr
	}
	address, err := netip.ParseAddr(host)
	if err != nil || !s.trusts(address) {
		return host
	}
	hops := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	for _, hop := range slices.Backward(hops) {
		named, ok := parseHop(hop)
		if !ok {
			break // nobody knows who wrote the rest
		}
		address = named
		if !s.trusts(address) {
			break
		}
	}
	return address.String()
}

func (s *site) trusts(address netip.Addr) bool {
	address = address.Unmap().WithZone("")
	return slices.ContainsFunc(s.proxies, func(p netip.Prefix) bool { return p.Contains(address) })
}

// parseHop reads an address as proxies write it, some with a port.
func parseHop(hop string) (netip.Addr, bool) {
	hop = strings.TrimSpace(hop)
	if address, err := netip.ParseAddr(strings.Trim(hop, "[]")); err == nil {
		return address.Unmap().WithZone(""), true
	}
	withPort, err := netip.ParseAddrPort(hop)
	return withPort.Addr().Unmap().WithZone(""), err == nil
}

// endpoint is where programs reach the API: the address by which people reach the console.
func (s *site) endpoint(r *http.Request) string {
	if s.publicURL != "" {
		return s.publicURL
	}
	scheme := "http"
	if s.secure || r.TLS != nil {
		scheme = "https"
	}
	return scheme + "://" + r.Host
}
