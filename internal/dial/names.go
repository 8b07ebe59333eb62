package dial

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"os"
	"strconv"
	"time"

	"ringo/internal/lane"
	"ringo/internal/loop"
)

// Target splits an address to dial, for a network of TCP or UDP. A port that is a name is looked up. T, may park.
func Target(l *loop.Loop, r *net.Resolver, network, address string, end time.Time) (host string, port uint16,
	err error) {
	if address == "" {
		return "", 0, MissingAddress
	}
	host, service, err := net.SplitHostPort(address)
	if err != nil {
		return "", 0, err
	}
	if !Numeric(host) && Passed(l, end) { // package net might try for a while
		return "", 0, LookupEnded(host, Late)
	}
	err = Beside(l, NumericPort(service), end, func(ctx context.Context) error {
		port, err = LookupPort(ctx, r, network, service)
		return err
	})
	return host, port, err
}

// End returns when a dial that begins now must end, by the loop's clock; the zero time is no limit. G.
func End(ctx context.Context, l *loop.Loop, timeout time.Duration, deadline time.Time) (end time.Time) {
	sooner := func(t time.Time) {
		if end.IsZero() || t.Before(end) {
			end = t
		}
	}
	if limit, ok := ctx.Deadline(); ok {
		sooner(l.Outside(limit))
	}
	if !deadline.IsZero() {
		sooner(l.Outside(deadline))
	}
	if timeout != 0 {
		sooner(l.Clock().Add(timeout))
	}
	return end
}

// Passed reports whether the time end has passed; the zero time is no limit.
func Passed(l *loop.Loop, end time.Time) bool { return !end.IsZero() && !l.Clock().Before(end) }

// OfLookup turns the error of a look-up that was cancelled, or got no slot in time, into a *net.DNSError.
func OfLookup(host string, err error) error {
	var dns *net.DNSError
	if errors.As(err, &dns) || !errors.Is(err, os.ErrDeadlineExceeded) && !errors.Is(err, context.Canceled) {
		return err
	}
	return LookupEnded(host, err)
}

// Beside runs a look-up: directly if it is plain, which needs no resolver, otherwise on a goroutine, until end if that
// is not the zero time. T, may park.
func Beside(l *loop.Loop, plain bool, end time.Time, fn func(context.Context) error) error {
	if plain {
		return fn(context.Background())
	}
	if l.World().Names() != nil {
		return fn(context.WithValue(l.Context(), worldKey{}, l))
	}
	return l.OffloadAs(loop.As{By: end}, lane.Names, func(ctx context.Context) error {
		if !end.IsZero() {
			var cancel context.CancelFunc
			ctx, cancel = context.WithDeadline(ctx, end)
			defer cancel()
		}
		return fn(ctx)
	})
}

// worldKey is the context key of the loop, for look-ups in a simulated world, which has its own names.
type worldKey struct{}

// services are the services of a simulated world: those that package net knows without a list of the system.
var services = map[string]uint16{"domain": 53, "ftp": 21, "ftps": 990, "gopher": 70, "http": 80, "https": 443,
	"imap2": 143, "imap3": 220, "imaps": 993, "pop3": 110, "pop3s": 995, "smtp": 25, "submissions": 465, "ssh": 22,
	"telnet": 23}

// Numeric reports whether a host is an address, or empty.
func Numeric(host string) bool {
	if host == "" {
		return true
	}
	_, err := netip.ParseAddr(host)
	return err == nil
}

// NumericPort reports whether a port is a number, or empty.
func NumericPort(service string) bool {
	for _, c := range service {
		if c < '0' || c > '9' {
			return false
		}
	}
	return true
}

// LookupHost returns a host's addresses of the network's family, at least one. An empty host, :: and 0.0.0.0 mean this
// machine; :: means it by either family, because some systems let a socket bind to :: but not connect to it. A nil
// resolver means package net's.
func LookupHost(ctx context.Context, resolver *net.Resolver, network, host string) ([]netip.Addr, error) {
	addrs := []netip.Addr{}
	family := network[3:]
	if host == "" || host == "::" { // this machine
		addrs = append(addrs, netip.IPv6Unspecified(), netip.IPv4Unspecified())
		if host == "" && family == "" {
			addrs = addrs[1:]
		}
	} else if a, err := netip.ParseAddr(host); err == nil {
		addrs = append(addrs, a)
	} else if l, ok := ctx.Value(worldKey{}).(*loop.Loop); ok {
		if addrs, err = l.World().Names()(l, host); err != nil {
			return nil, err
		}
	} else if addrs, err = resolverOr(resolver).LookupNetIP(ctx, "ip"+family, host); err != nil {
		return nil, err
	}
	fit := addrs[:0]
	for _, a := range addrs {
		a, err := NumericZone(a.Unmap())
		if err != nil {
			return nil, err
		}
		if family == "" || (family == "4") == a.Is4() {
			fit = append(fit, a)
		}
	}
	if len(fit) == 0 {
		return nil, Unsuitable(host)
	}
	return fit, nil
}

func resolverOr(r *net.Resolver) *net.Resolver {
	if r == nil {
		return net.DefaultResolver
	}
	return r
}

// LookupPort returns a port number, given as such or as the name of a service.
func LookupPort(ctx context.Context, resolver *net.Resolver, network, service string) (uint16, error) {
	if service == "" {
		return 0, nil
	}
	if n, err := strconv.ParseUint(service, 10, 16); err == nil {
		return uint16(n), nil
	}
	if ctx.Value(worldKey{}) != nil {
		if n, ok := services[service]; ok {
			return n, nil
		}
		return 0, &net.DNSError{Err: "unknown port in a simulated world", Name: network + "/" + service,
			IsNotFound: true}
	}
	n, err := resolverOr(resolver).LookupPort(ctx, network, service)
	return uint16(n), err
}
