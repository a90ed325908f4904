package httpd

import (
	"net"
	"net/http"
	"net/netip"
	"strings"
)

// proxies are the networks whose peers are believed about where a request came from.
type proxies []netip.Prefix

func (p proxies) trust(addr netip.Addr) bool {
	for _, network := range p {
		if network.Contains(addr) {
			return true
		}
	}
	return false
}

// identify gives the request its id and its true origin, and takes the headers away that only claim one.
func (s *Server) identify(x *exchange, r *http.Request, proxies proxies) {
	x.direct = true
	peer, trusted := netip.Addr{}, false
	if len(proxies) > 0 {
		if from, err := netip.ParseAddrPort(r.RemoteAddr); err == nil {
			peer = from.Addr().Unmap()
			trusted = proxies.trust(peer)
		}
	}
	if trusted {
		s.believe(x, r, peer, proxies)
	} else {
		x.id[0] = s.ids.next()
	}
	for _, name := range forwarding {
		if _, claimed := r.Header[name]; claimed {
			x.direct = false
			delete(r.Header, name)
		}
	}
	r.Header["X-Request-Id"] = x.id[:]
}

// forwarding are the headers that tell about proxies. RFC 7239's Forwarded is taken away and not read: the
// proxies people run send the X- ones.
var forwarding = [...]string{
	"X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Host", "X-Forwarded-Port", "X-Real-Ip", "Forwarded",
}

// believe takes over what a trusted proxy says.
func (s *Server) believe(x *exchange, r *http.Request, peer netip.Addr, proxies proxies) {
	if client := proxies.client(peer, r.Header["X-Forwarded-For"]); client != peer {
		r.RemoteAddr = net.JoinHostPort(client.String(), "0")
	}
	switch proto := last(r.Header["X-Forwarded-Proto"]); proto {
	case "http", "https":
		r.URL.Scheme = proto
	}
	if host := last(r.Header["X-Forwarded-Host"]); validHost(host) {
		r.Host = host
	}
	if ids := r.Header["X-Request-Id"]; len(ids) == 1 && validID(ids[0]) {
		x.id[0] = ids[0]
	} else {
		x.id[0] = s.ids.next()
	}
}

// client is the rightmost address that is not one of our proxies: everything left of it was written by
// somebody we do not trust. What cannot be read ends the search at the last address that could.
func (p proxies) client(peer netip.Addr, lines []string) netip.Addr {
	found := peer
	for i := len(lines) - 1; i >= 0; i-- {
		rest := lines[i]
		for rest != "" {
			hop := rest
			if comma := strings.LastIndexByte(rest, ','); comma >= 0 {
				rest, hop = rest[:comma], rest[comma+1:]
			} else {
				rest = ""
			}
			addr, ok := parseHop(strings.TrimSpace(hop))
			if !ok {
				return found
			}
			if found = addr; !p.trust(addr) {
				return found
			}
		}
	}
	return found
}

// parseHop reads an address, with or without a port, as proxies write it.
func parseHop(hop string) (netip.Addr, bool) {
	if addr, err := netip.ParseAddr(strings.Trim(hop, "[]")); err == nil {
		return addr.WithZone("").Unmap(), true
	}
	if both, err := netip.ParseAddrPort(hop); err == nil {
		return both.Addr().WithZone("").Unmap(), true
	}
	return netip.Addr{}, false
}

// last is the value that the nearest proxy wrote, where each one appended its own.
func last(lines []string) string {
	if len(lines) == 0 {
		return ""
	}
	line := lines[len(lines)-1]
	if comma := strings.LastIndexByte(line, ','); comma >= 0 {
		line = line[comma+1:]
	}
	return strings.TrimSpace(line)
}

// validHost accepts host or host:port, so that a link made from it goes where it says.
func validHost(host string) bool {
	if host == "" || len(host) > 255 {
		return false
	}
	for i := range len(host) {
		c := host[i]
		if !alphanumeric(c) && !strings.ContainsRune(".-_:[]", rune(c)) {
			return false
		}
	}
	return true
}

func alphanumeric(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
}

// BaseURL is the scheme and host that the client used, without a slash at the end, for links in answers.
func BaseURL(r *http.Request) string {
	scheme := r.URL.Scheme
	if scheme == "" {
		scheme = "http"
	}
	return scheme + "://" + r.Host
}

// ClientIP is the client's address without its port, for requests that came through a Server.
func ClientIP(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	return host
}

// Peer is the address of the other end of the connection, host:port, whatever a trusted proxy says in its headers, for
// requests that came through a Server.
func Peer(r *http.Request) string {
	if c := connOf(r); c != nil {
		return c.RemoteAddr().String()
	}
	return r.RemoteAddr
}

// RequestID is the id of a request that came through a Server.
func RequestID(r *http.Request) string {
	if ids := r.Header["X-Request-Id"]; len(ids) == 1 {
		return ids[0]
	}
	return ""
}
