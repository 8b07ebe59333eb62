package main

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"ringo/sock"
)

// An address is where to listen, in the words of package sock.
type address struct {
	network, hostPort string
}

func (a address) String() string { return a.network + "://" + a.hostPort }

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

var networks = []string{"tcp", "tcp4", "tcp6"}

var errWant = errors.New("want tcp://HOST:PORT")

// parseAddress reads NETWORK://HOST:PORT. Without a host it is all addresses.
func parseAddress(text string) (address, error) {
	if !strings.Contains(text, "://") {
		return address{}, errWant
	}
	u, err := url.Parse(text)
	if err != nil {
		return address{}, fmt.Errorf("%w: %w", errors.Unwrap(err), errWant) // without the text, which the flag's error has
	}
	port, err := strconv.ParseUint(u.Port(), 10, 16)
	switch {
	case u.Scheme == "" || u.Host == "":
		return address{}, errWant
	case !slices.Contains(networks, u.Scheme):
		return address{}, fmt.Errorf("unknown network %q: want %s", u.Scheme, strings.Join(networks, ", "))
	case u.Port() == "":
		return address{}, fmt.Errorf("no port: %w", errWant)
	case err != nil:
		return address{}, fmt.Errorf("port %s: want 0 to 65535", u.Port())
	case u.User != nil || u.Path != "" || u.RawQuery != "" || u.ForceQuery || u.Fragment != "":
		return address{}, fmt.Errorf("more than an address: %w", errWant)
	}
	return address{u.Scheme, net.JoinHostPort(u.Hostname(), strconv.FormatUint(port, 10))}, nil
}

// reserve listens on all addresses: from then on peers queue, and the ports are known.
func reserve(as []address) ([]*sock.ListenerSet, error) {
	var sets []*sock.ListenerSet
	for _, a := range as {
		set, err := sock.Reserve(a.network, a.hostPort)
		if err != nil {
			release(sets)
			return nil, err
		}
		sets = append(sets, set)
	}
	return sets, nil
}

func release(sets []*sock.ListenerSet) {
	for _, set := range sets {
		set.Close()
	}
}
