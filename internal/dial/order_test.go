package dial

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"os"
	"slices"
	"testing"

	"ringo/internal/posix"
)

// The families take turns, IPv6 first, and what comes later is fitted in.
func TestRaceOrder(t *testing.T) {
	addr := func(s string) netip.AddrPort { return netip.AddrPortFrom(netip.MustParseAddr(s), 80) }
	r := Race{last: inet4}
	r.untried[inet4] = []netip.AddrPort{addr("192.0.2.1"), addr("192.0.2.2"), addr("192.0.2.3")}
	r.untried[inet6] = []netip.AddrPort{addr("2001:db8::1")}
	var got []string
	for r.untriedLen() > 0 {
		got = append(got, r.pick().Addr().String())
		if len(got) == 3 {
			r.untried[inet6] = []netip.AddrPort{addr("2001:db8::2"), addr("2001:db8::3")}
		}
	}
	want := []string{"2001:db8::1", "192.0.2.1", "192.0.2.2", "2001:db8::2", "192.0.2.3", "2001:db8::3"}
	if !slices.Equal(got, want) {
		t.Errorf("tried in the order %v, want %v", got, want)
	}
}

// Of two look-ups that failed the dial reports the one that says more.
func TestTellingError(t *testing.T) {
	none, silent := &net.DNSError{Err: "no such host", IsNotFound: true},
		&net.DNSError{Err: "i/o timeout", IsTimeout: true}
	late := &net.DNSError{Err: "another timeout", IsTimeout: true}
	odd := &net.AddrError{Err: "no suitable address"}
	for _, c := range []struct{ a, b, want error }{
		{nil, none, none}, {silent, odd, silent}, {silent, late, silent},
		{none, silent, silent}, {silent, none, silent}, {odd, none, none},
		{none, odd, none}, {odd, odd, odd},
	} {
		if got := telling(c.a, c.b); got != c.want {
			t.Errorf("of %v and %v: %v, want %v", c.a, c.b, got, c.want)
		}
	}
}

// The error of several addresses has all of them in it.
func TestFailures(t *testing.T) {
	var d failures
	d.add(Error("tcp", TCPAddr(netip.MustParseAddrPort("[::1]:80")),
		os.NewSyscallError("connect", posix.ECONNREFUSED)))
	one := d.of("tcp")
	if want := "dial tcp [::1]:80: connect: connection refused"; one.Error() != want {
		t.Errorf("%v, want %v", one, want)
	}
	d.add(Error("tcp", TCPAddr(netip.MustParseAddrPort("127.0.0.1:80")), Slow))
	all := d.of("tcp")
	if want := "dial tcp [::1]:80: connect: connection refused; 127.0.0.1:80: i/o timeout"; all.Error() != want {
		t.Errorf("%v, want %v", all, want)
	}
	if !errors.Is(all, posix.ECONNREFUSED) || !errors.Is(all, context.DeadlineExceeded) ||
		!all.(net.Error).Timeout() {
		t.Errorf("%v: not all of its parts are found", all)
	}
}
