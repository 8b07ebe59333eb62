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

// An Address is an address to listen at, or to connect to, as package sock has it.
type Address struct {
	Network, Name string
}

func (a Address) String() string { return a.Network + "://" + a.Name }

// Addresses is the value of a flag that may be given more than once.
type Addresses []Address

// Flag returns a flag whose values are appended, and are addresses of these networks.
func (as *Addresses) Flag(networks []string) flag.Value { return listFlag{as, networks} }

type listFlag struct {
	to       *Addresses
	networks []string
}

func (f listFlag) String() string { return "" } // the help text names the default

// Repeats implements cli.Repeated.
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

// ParseAddress parses an address, which has to be of one of the networks.
func ParseAddress(text string, networks []string) (Address, error) {
	a, err := parseAddress(text)
	if err == nil && !slices.Contains(networks, a.Network) {
		err = fmt.Errorf("network %q: want %s", a.Network, strings.Join(networks, ", "))
	}
	return a, err
}

// The networks by what they carry: datagrams, streams, connections, or anything.
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

// parseAddress parses HOST:PORT, which means TCP, or NETWORK://HOST:PORT, or NETWORK://NAME for Unix sockets. Without a
// host it is all addresses. If it does not know the network, it returns that alone, for the error of ParseAddress.
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

// parseHostPort is parseAddress for NETWORK://HOST:PORT.
func parseHostPort(text string) (Address, error) {
	u, err := url.Parse(text)
	if err != nil {
		// url.Error repeats the text, which the flag's error has already.
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

// parseTCP is parseAddress for a text without a network.
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

// A place is an address that all loops serve.
type place struct {
	Address
	set *sock.ListenerSet // nil: a socket of datagrams

	mu    ringo.Mutex
	bound net.Addr // of datagrams: the first loop's address, with the port that 0 became
}

// addr returns the real address. It is known once all loops listen.
func (p *place) addr() net.Addr {
	if p.set != nil {
		return p.set.Addr()
	}
	return p.bound
}

// reserve listens at all addresses except those of datagrams: from then on peers queue, and the ports are known. The
// loops make the sockets of datagrams themselves.
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

// bind makes the loop's socket of datagrams. Each loop has one for a UDP address. The name of a Unix socket can be
// bound only once, so the first loop has that, and bind returns nil for the others.
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
