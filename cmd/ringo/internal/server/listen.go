package server

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"ringo"
	"ringo/sock"
)

// An Address is where to listen, in the words of package sock.
type Address struct {
	Network, Name string
}

func (a Address) String() string { return a.Network + "://" + a.Name }

// Addresses are those of a flag that may be given more than once.
type Addresses []Address

// Flag is a flag that appends addresses of these networks.
func (as *Addresses) Flag(networks []string) flag.Value { return listFlag{as, networks} }

type listFlag struct {
	to       *Addresses
	networks []string
}

func (f listFlag) String() string { return "" } // the default is in the help

// Repeats is cli.Repeated's.
func (f listFlag) Repeats() {}

// Set appends one address.
func (f listFlag) Set(text string) error {
	a, err := ParseAddress(text, f.networks)
	if err != nil {
		return err
	}
	*f.to = append(*f.to, a)
	return nil
}

// ParseAddress reads an address of one of some networks.
func ParseAddress(text string, networks []string) (Address, error) {
	a, err := parseAddress(text)
	if err == nil && !slices.Contains(networks, a.Network) {
		err = fmt.Errorf("network %q: want %s", a.Network, strings.Join(networks, ", "))
	}
	return a, err
}

// The networks: of streams, of connections, of all kinds.
var (
	unixNetworks     = []string{"unix", "unixpacket", "unixgram"}
	datagramNetworks = []string{"udp", "udp4", "udp6", "unixgram"}
	StreamNetworks   = []string{"tcp", "tcp4", "tcp6", "unix"}
	ConnNetworks     = append(slices.Clone(StreamNetworks), "unixpacket")
	AllNetworks      = []string{"tcp", "tcp4", "tcp6", "udp", "udp4", "udp6", "unix", "unixpacket", "unixgram"}
)

var (
	errWant     = errors.New("want HOST:PORT or tcp://HOST:PORT")
	errWantUnix = errors.New("want unix:///PATH, or unix://@NAME without a file")
)

// parseAddress reads HOST:PORT, which is of TCP, or NETWORK://HOST:PORT, all addresses without a
// host; or NETWORK://NAME for Unix sockets. Of a network that there is not it reads no more.
func parseAddress(text string) (Address, error) {
	network, name, ok := strings.Cut(text, "://")
	switch {
	case !ok:
		return parseTCP(text)
	case network == "":
		return Address{}, errWant
	case !slices.Contains(AllNetworks, network):
		return Address{Network: network}, nil
	case !slices.Contains(unixNetworks, network):
		return parseHostPort(text)
	case name == "" || name == "@":
		return Address{}, errWantUnix
	}
	return Address{network, name}, nil
}

// parseHostPort is parseAddress for networks with hosts and ports.
func parseHostPort(text string) (Address, error) {
	u, err := url.Parse(text)
	if err != nil {
		// without the text, which the flag's error has
		return Address{}, fmt.Errorf("%w: %w", errors.Unwrap(err), errWant)
	}
	switch {
	case u.Host == "":
		return Address{}, errWant
	case u.User != nil || u.Path != "" || u.RawQuery != "" || u.ForceQuery || u.Fragment != "":
		return Address{}, fmt.Errorf("more than an address: %w", errWant)
	}
	return hostPort(u.Scheme, u.Hostname(), u.Port())
}

// parseTCP is parseAddress for what names no network.
func parseTCP(text string) (Address, error) {
	host, port, err := net.SplitHostPort(text)
	blank := func(r rune) bool { return r <= ' ' || r == 0x7f }
	if err != nil || strings.ContainsAny(host, "/@?#") || strings.ContainsFunc(host, blank) {
		return Address{}, errWant
	}
	return hostPort("tcp", host, port)
}

func hostPort(network, host, port string) (Address, error) {
	if port == "" {
		return Address{}, fmt.Errorf("no port: %w", errWant)
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		return Address{}, fmt.Errorf("port %s: want 0 to 65535", port)
	}
	return Address{network, net.JoinHostPort(host, strconv.FormatUint(n, 10))}, nil
}

// A place is an address that is served.
type place struct {
	Address
	set *sock.ListenerSet // nil: of datagrams

	mu    ringo.Mutex
	bound net.Addr // of datagrams: what the first loop found there; port 0 has become one
}

// addr is the real address, once all loops listen.
func (p *place) addr() net.Addr {
	if p.set != nil {
		return p.set.Addr()
	}
	return p.bound
}

// reserve listens on all addresses: from then on peers queue, and the ports are known.
// Sockets of datagrams are for the loops to make.
func (s *Server) reserve(as []Address, limits sock.Limits) ([]*place, error) {
	var places []*place
	for _, a := range as {
		p := &place{Address: a}
		if !slices.Contains(datagramNetworks, a.Network) {
			lc := &sock.ListenConfig{Limits: limits}
			reserve := lc.Reserve
			if s.up != nil {
				reserve = func(network, name string) (*sock.ListenerSet, error) {
					return s.up.Reserve(lc, network, name)
				}
			}
			set, err := reserve(a.Network, a.Name)
			if err != nil {
				release(places)
				return nil, err
			}
			p.set = set
		}
		places = append(places, p)
	}
	return places, nil
}

func release(places []*place) {
	for _, p := range places {
		if p.set != nil {
			p.set.Close()
		}
	}
}

// bind makes the loop's socket of datagrams. All loops have one of a UDP address; a name
// of a Unix socket there is only once, so the first loop has it, and the others none.
func (p *place) bind(l *ringo.Loop) (net.PacketConn, error) {
	if err := p.mu.LockContext(context.Background()); err != nil {
		return nil, err
	}
	defer p.mu.Unlock()
	if slices.Contains(unixNetworks, p.Network) {
		if l.Index() > 0 {
			return nil, nil
		}
		c, err := sock.ListenUnixgram(l, p.Name)
		if err != nil {
			return nil, err
		}
		p.bound = c.LocalAddr()
		return c, nil
	}
	name := p.Name
	if p.bound != nil {
		name = p.bound.String()
	}
	c, err := sock.ListenPacket(l, p.Network, name)
	if err != nil {
		return nil, err
	}
	p.bound = c.LocalAddr()
	return c, nil
}
