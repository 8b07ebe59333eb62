package sock

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"time"

	"ringo"
)

// target takes an address to dial apart. A port that is a name is looked up.
func (d *Dialer) target(l *ringo.Loop, network, address string, end time.Time) (host string, port uint16, err error) {
	if err := checkNetwork(network); err != nil {
		return "", 0, err
	}
	if address == "" {
		return "", 0, errors.New("missing address")
	}
	host, service, err := net.SplitHostPort(address)
	if err != nil {
		return "", 0, err
	}
	if host == "" {
		host = "127.0.0.1"
		if network == "tcp6" {
			host = "::1"
		}
	}
	if !numeric(host) && passed(end) { // package net may go on for a while
		return "", 0, lateName(host)
	}
	err = beside(l, numericPort(service), func(ctx context.Context) error {
		ctx, cancel := until(ctx, end)
		defer cancel()
		port, err = lookupPort(ctx, d.Resolver, network, service)
		return err
	})
	return host, port, err
}

// lateName is the error of a look-up that did not come to an answer in time.
func lateName(host string) error {
	return &net.DNSError{Err: errLate.Error(), Name: host, IsTimeout: true, IsTemporary: true, UnwrapErr: errLate}
}

// until is context.WithDeadline, and the zero time is none.
func until(ctx context.Context, end time.Time) (context.Context, context.CancelFunc) {
	if end.IsZero() {
		return ctx, func() {}
	}
	return context.WithDeadline(ctx, end)
}

// resolveIn is resolveListen from a task: names are looked up beside the loop.
func resolveIn(l *ringo.Loop, network, address string, ap *netip.AddrPort) error {
	host, service, err := splitListen(address)
	plain := err != nil || (host == "" || numeric(host)) && numericPort(service)
	return beside(l, plain, func(ctx context.Context) error {
		var err error
		*ap, err = resolveListen(ctx, network, address)
		return err
	})
}

// beside runs a look-up here if it asks nobody, else on a goroutine.
func beside(l *ringo.Loop, plain bool, fn func(context.Context) error) error {
	if plain {
		return fn(context.Background())
	}
	return l.Offload(fn)
}

func numeric(host string) bool {
	_, err := netip.ParseAddr(host)
	return err == nil
}

func numericPort(service string) bool {
	for _, c := range service {
		if c < '0' || c > '9' {
			return false
		}
	}
	return true
}

// lookupHost gives a host's addresses of the network's family, at least one. A nil
// resolver is package net's.
func lookupHost(ctx context.Context, resolver *net.Resolver, network, host string) ([]netip.Addr, error) {
	addrs := []netip.Addr{}
	if a, err := netip.ParseAddr(host); err == nil {
		addrs = append(addrs, a)
	} else if addrs, err = resolverOr(resolver).LookupNetIP(ctx, "ip"+network[3:], host); err != nil {
		return nil, err
	}
	fit := addrs[:0]
	for _, a := range addrs {
		if a.Is4In6() {
			a = a.Unmap()
		}
		a, err := numericZone(a)
		if err != nil {
			return nil, err
		}
		if network == "tcp" || (network == "tcp4") == a.Is4() {
			fit = append(fit, a)
		}
	}
	if len(fit) == 0 {
		return nil, &net.AddrError{Err: fmt.Sprintf("no suitable address for %s", network), Addr: host}
	}
	return fit, nil
}

func resolverOr(r *net.Resolver) *net.Resolver {
	if r == nil {
		return net.DefaultResolver
	}
	return r
}

// lookupPort gives the number of a port, or of a service by name.
func lookupPort(ctx context.Context, resolver *net.Resolver, network, service string) (uint16, error) {
	if service == "" {
		return 0, nil
	}
	if n, err := strconv.ParseUint(service, 10, 16); err == nil {
		return uint16(n), nil
	}
	n, err := resolverOr(resolver).LookupPort(ctx, network, service)
	return uint16(n), err
}
