package main

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"ringo"
	"ringo/sock"
)

// An address is where to listen, in the words of package sock.
type address struct {
	network, name string
}

func (a address) String() string { return a.network + "://" + a.name }

// addresses is a flag that may be given more than once.
type addresses []address

func (as *addresses) String() string {
	var words []string
	for _, a := range *as {
		words = append(words, a.String())
	}
	return strings.Join(words, " ")
}

// Set appends one address.
func (as *addresses) Set(text string) error {
	a, err := parseAddress(text)
	if err == nil {
		*as = append(*as, a)
	}
	return err
}

// offered is a flag of addresses for a server that does not take all networks.
type offered struct {
	to       *addresses
	networks []string
}

func (o offered) String() string {
	if o.to == nil { // asked by package flag
		return ""
	}
	return o.to.String()
}

// Set appends one address.
func (o offered) Set(text string) error {
	err := o.to.Set(text)
	var u unknownNetwork
	if errors.As(err, &u) {
		return u.among(o.networks)
	}
	return err
}

// unknownNetwork is the error of an address whose network is none.
type unknownNetwork string

func (u unknownNetwork) Error() string {
	return u.among(slices.Concat(hostNetworks, unixNetworks)).Error()
}

func (u unknownNetwork) among(networks []string) error {
	return fmt.Errorf("unknown network %q: want %s", string(u), strings.Join(networks, ", "))
}

// The networks: of connections and of datagrams, each by host and port or by a name
// among Unix sockets.
var (
	hostNetworks     = []string{"tcp", "tcp4", "tcp6", "udp", "udp4", "udp6"}
	unixNetworks     = []string{"unix", "unixpacket", "unixgram"}
	datagramNetworks = []string{"udp", "udp4", "udp6", "unixgram"}
	streamNetworks   = []string{"tcp", "tcp4", "tcp6", "unix"}
	connNetworks     = append(slices.Clone(streamNetworks), "unixpacket")
)

var (
	errWant     = errors.New("want HOST:PORT or tcp://HOST:PORT")
	errWantUnix = errors.New("want unix:///PATH, or unix://@NAME without a file")
)

// parseAddress reads HOST:PORT, which is of TCP, or NETWORK://HOST:PORT, all addresses without a
// host; or NETWORK://NAME for Unix sockets.
func parseAddress(text string) (address, error) {
	network, name, ok := strings.Cut(text, "://")
	switch {
	case !ok:
		return parseTCP(text)
	case network == "":
		return address{}, errWant
	case slices.Contains(hostNetworks, network):
		return parseHostPort(text)
	case !slices.Contains(unixNetworks, network):
		return address{}, unknownNetwork(network)
	case name == "" || name == "@":
		return address{}, errWantUnix
	}
	return address{network, name}, nil
}

// parseHostPort is parseAddress for networks with hosts and ports.
func parseHostPort(text string) (address, error) {
	u, err := url.Parse(text)
	if err != nil {
		// without the text, which the flag's error has
		return address{}, fmt.Errorf("%w: %w", errors.Unwrap(err), errWant)
	}
	switch {
	case u.Host == "":
		return address{}, errWant
	case u.User != nil || u.Path != "" || u.RawQuery != "" || u.ForceQuery || u.Fragment != "":
		return address{}, fmt.Errorf("more than an address: %w", errWant)
	}
	return hostPort(u.Scheme, u.Hostname(), u.Port())
}

// parseTCP is parseAddress for what names no network.
func parseTCP(text string) (address, error) {
	host, port, err := net.SplitHostPort(text)
	if err != nil || strings.ContainsAny(host, "/@?#") {
		return address{}, errWant
	}
	return hostPort("tcp", host, port)
}

func hostPort(network, host, port string) (address, error) {
	if port == "" {
		return address{}, fmt.Errorf("no port: %w", errWant)
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		return address{}, fmt.Errorf("port %s: want 0 to 65535", port)
	}
	return address{network, net.JoinHostPort(host, strconv.FormatUint(n, 10))}, nil
}

// A place is an address that is served.
type place struct {
	address
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
func reserve(as []address) ([]*place, error) {
	var places []*place
	for _, a := range as {
		p := &place{address: a}
		if !slices.Contains(datagramNetworks, a.network) {
			set, err := sock.Reserve(a.network, a.name)
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
