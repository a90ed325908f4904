package webhook

import (
	"context"
	"encoding/binary"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"
)

func TestDeliveriesGoToPublicAddressesOnly(t *testing.T) {
	g := &guard{allowed: prefixes("10.1.0.0/16", "fd00:1::/32")}
	for _, c := range []struct {
		ip            string
		secure, plain bool
	}{
		{"93.184.215.14", true, false},
		{"2606:2800:21f:cb07:6820:80da:af6b:8b2c", true, false},
		{"64:ff9b::5db8:d70e", true, false}, // 93.184.215.14 behind NAT64
		{"10.1.2.3", true, true},
		{"::ffff:10.1.2.3", true, true},
		{"fd00:1::7", true, true},

		{"127.0.0.1", false, false},
		{"127.1.2.3", false, false},
		{"0.0.0.0", false, false},
		{"10.2.0.1", false, false},
		{"172.16.0.1", false, false},
		{"172.31.255.255", false, false},
		{"192.168.1.1", false, false},
		{"169.254.169.254", false, false},
		{"100.64.0.1", false, false},
		{"100.100.100.200", false, false}, // a cloud's metadata
		{"168.63.129.16", false, false},
		{"192.0.0.8", false, false},
		{"198.18.0.1", false, false},
		{"203.0.113.9", false, false},
		{"224.0.0.1", false, false},
		{"255.255.255.255", false, false},
		{"::", false, false},
		{"::1", false, false},
		{"::127.0.0.1", false, false},
		{"::ffff:127.0.0.1", false, false},
		{"::ffff:169.254.169.254", false, false},
		{"64:ff9b::a9fe:a9fe", false, false}, // 169.254.169.254 behind NAT64
		{"64:ff9b::7f00:1", false, false},
		{"64:ff9b:1::1", false, false},
		{"fe80::1", false, false},
		{"fe80::1%eth0", false, false},
		{"fec0::1", false, false},
		{"fc00::1", false, false},
		{"fd00:ec2::254", false, false},
		{"ff02::1", false, false},
		{"2001::1", false, false},
		{"2001:db8::1", false, false},
		{"2002:7f00:1::", false, false}, // 127.0.0.1 by 6to4
		{"3fff::1", false, false},
		{"100::1", false, false},
	} {
		ip := netip.MustParseAddr(c.ip)
		if err := g.check(true, ip); (err == nil) != c.secure {
			t.Errorf("%s with TLS: %v", c.ip, err)
		}
		if err := g.check(false, ip); (err == nil) != c.plain {
			t.Errorf("%s without: %v", c.ip, err)
		}
	}
}

// leadingTo answers every question for an address with the next of a list, the last one for ever.
func leadingTo(addresses ...string) *net.Resolver {
	var mu sync.Mutex
	n := 0
	return &net.Resolver{PreferGo: true, Dial: func(context.Context, string, string) (net.Conn, error) {
		ours, theirs := net.Pipe()
		go func() {
			defer theirs.Close()
			// A stream: every message has its length in front (RFC 1035, 4.2.2).
			head := make([]byte, 2)
			for {
				if _, err := readFull(theirs, head); err != nil {
					return
				}
				question := make([]byte, binary.BigEndian.Uint16(head))
				if _, err := readFull(theirs, question); err != nil {
					return
				}
				mu.Lock()
				reply := answerTo(question, netip.MustParseAddr(addresses[min(n, len(addresses)-1)]), &n)
				mu.Unlock()
				if _, err := theirs.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(reply))), reply...)); err != nil {
					return
				}
			}
		}()
		return ours, nil
	}}
}

func readFull(c net.Conn, b []byte) (int, error) {
	for n := 0; n < len(b); {
		m, err := c.Read(b[n:])
		if n += m; err != nil {
			return n, err
		}
	}
	return len(b), nil
}

// answerTo is the answer to one question: the address where it asks for IPv4, nothing else. n counts those.
func answerTo(question []byte, ip netip.Addr, n *int) []byte {
	end := 12
	for question[end] != 0 {
		end += int(question[end]) + 1
	}
	kind := binary.BigEndian.Uint16(question[end+1:])
	reply := append([]byte{}, question[:end+5]...)
	reply[2], reply[3] = 0x81, 0x80 // an answer, recursion done
	copy(reply[4:12], []byte{0, 1, 0, 0, 0, 0, 0, 0})
	if kind == 1 {
		*n++
		reply[7] = 1
		reply = append(reply, 0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4)
		reply = append(reply, ip.AsSlice()...)
	}
	return reply
}

// A name may lead to a public address when it is looked at and inside when it is connected to. What counts is where
// the connection would go.
func TestANameThatLeadsInsideIsRefusedWhenItDoes(t *testing.T) {
	r := newReceiver(t, nil)
	port := r.URL[strings.LastIndex(r.URL, ":"):]
	h := newHouse(t, func(c *Config) { c.AllowNetworks = prefixes("192.0.2.0/24") }) // so that http is possible at all
	h.guard.resolver = leadingTo("127.0.0.1")
	made := h.hook("http://rebinding.example"+port, nil)
	d, err := h.Test(t.Context(), Actor{}, number(made.ID))
	if err != nil || d.State != "failed" || d.HTTPStatus != 0 || !strings.Contains(d.Error, "127.0.0.1 is not a public address") {
		t.Errorf("%+v, %v", d, err)
	}

	// The same name, now allowed for once, and then leading elsewhere: each connection is looked at.
	h = newHouse(t, nil)
	h.guard.resolver = leadingTo("127.0.0.1", "10.0.0.1")
	made = h.hook("http://rebinding.example"+port, nil)
	if d, err = h.Test(t.Context(), Actor{}, number(made.ID)); err != nil || d.State != "succeeded" {
		t.Fatalf("%+v, %v", d, err)
	}
	h.guard.plain.CloseIdleConnections()
	if d, err = h.Test(t.Context(), Actor{}, number(made.ID)); err != nil || !strings.Contains(d.Error, "10.0.0.1 is not a public address") {
		t.Errorf("%+v, %v", d, err)
	}
	if len(r.got) != 1 {
		t.Errorf("%d requests arrived, want 1", len(r.got))
	}
}

func TestOtherSpellingsOfLoopbackLeadNowhere(t *testing.T) {
	h := newHouse(t, func(c *Config) { c.AllowNetworks = prefixes("192.0.2.0/24") })
	h.guard.resolver = leadingTo("127.0.0.1") // as some resolvers read them
	for _, host := range []string{"localhost", "0x7f.1", "2130706433", "127.1", "0177.0.0.1"} {
		made := h.hook("http://"+host+":9/", nil)
		d, err := h.Test(t.Context(), Actor{}, number(made.ID))
		refused := strings.Contains(d.Error, "is not a public address") || d.Error == "there is no host of this name"
		if err != nil || d.State != "failed" || !refused {
			t.Errorf("%s: %+v, %v", host, d.WebhookDelivery, err)
		}
	}
}
