package webhook

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"syscall"
	"time"
)

// guard carries deliveries to public addresses only, and to what the operator allows. It looks at the address that is
// about to be connected to, after the name was resolved and for every connection: so neither a name that leads inside,
// nor one that leads elsewhere each time it is asked for, gets anywhere.
type guard struct {
	allowed []netip.Prefix
	// resolver finds addresses; nil: the system's.
	resolver *net.Resolver

	once          sync.Once
	plain, secure *http.Transport
}

// errRefused is the refusal to connect somewhere.
var errRefused = errors.New("deliveries may not go there")

// inside are networks that nobody out there can be reached in: the special-purpose registries of IANA (RFC 6890, as of
// 2026), multicast, the reserved rest of IPv4, and what clouds keep behind public-looking addresses.
var inside = prefixes(
	"0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24", "192.0.2.0/24",
	"192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4",
	"168.63.129.16/32", // Azure's own server
	"2001::/23",        // Teredo, benchmarking, ORCHID and the like
	"2001:db8::/32", "2002::/16", "3fff::/20",
)

var (
	globalV6 = netip.MustParsePrefix("2000::/3")
	// nat64 leads to the IPv4 address in its last four bytes (RFC 6052).
	nat64 = netip.MustParsePrefix("64:ff9b::/96")
)

func prefixes(texts ...string) (list []netip.Prefix) {
	for _, text := range texts {
		list = append(list, netip.MustParsePrefix(text))
	}
	return list
}

func contains(list []netip.Prefix, ip netip.Addr) bool {
	for _, p := range list {
		if p.Contains(ip) {
			return true
		}
	}
	return false
}

// check says whether a delivery may go to an address.
func (g *guard) check(secure bool, ip netip.Addr) error {
	if ip.Zone() != "" {
		return fmt.Errorf("%w: %s is an address of one link", errRefused, ip.WithZone(""))
	}
	ip = ip.Unmap()
	if contains(g.allowed, ip) {
		return nil
	}
	if !public(ip) {
		return fmt.Errorf("%w: %s is not a public address, nor in webhook_allow_networks", errRefused, ip)
	}
	if !secure {
		return fmt.Errorf("%w: without TLS only into webhook_allow_networks", errRefused)
	}
	return nil
}

func public(ip netip.Addr) bool {
	switch {
	case ip.Is4():
		return !contains(inside, ip)
	case nat64.Contains(ip):
		b := ip.As16()
		return public(netip.AddrFrom4([4]byte(b[12:])))
	default:
		return globalV6.Contains(ip) && !contains(inside, ip)
	}
}

// RoundTrip implements http.RoundTripper.
func (g *guard) RoundTrip(r *http.Request) (*http.Response, error) {
	g.once.Do(func() { g.plain, g.secure = g.transport(false), g.transport(true) })
	if r.URL.Scheme == "https" {
		return g.secure.RoundTrip(r)
	}
	return g.plain.RoundTrip(r)
}

// transport connects by itself: through a proxy it would not see where it goes.
func (g *guard) transport(secure bool) *http.Transport {
	dialer := &net.Dialer{
		Timeout: 5 * time.Second, Resolver: g.resolver,
		ControlContext: func(_ context.Context, network, address string, _ syscall.RawConn) error {
			to, err := netip.ParseAddrPort(address)
			if err != nil || network != "tcp4" && network != "tcp6" {
				return fmt.Errorf("%w: %s %s", errRefused, network, address)
			}
			return g.check(secure, to.Addr())
		},
	}
	return &http.Transport{
		DialContext: dialer.DialContext, TLSHandshakeTimeout: 5 * time.Second, TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS12},
		MaxIdleConns: 100, MaxIdleConnsPerHost: 2, IdleConnTimeout: time.Minute, ExpectContinueTimeout: time.Second,
		MaxResponseHeaderBytes: 16 << 10, DisableCompression: true, ForceAttemptHTTP2: true,
	}
}
