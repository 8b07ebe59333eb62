//go:build linux

package sock_test

import (
	"errors"
	"net/netip"
	"slices"
	"syscall"
	"testing"

	"ringo"
	"ringo/sock"
)

// The addresses of a family are tried in the order that package net has sorted them
// into (RFC 6724), and not as the server listed them.
func TestDialKeepsTheResolversOrder(t *testing.T) {
	answers := addrsOf("192.0.2.1", "127.0.0.1", "2001:db8::1", "::1")
	server := newNameServer(t, map[string][]netip.Addr{"a.test": answers})
	errStop := errors.New("nothing is to be connected to")
	eachDriver(t, func(t *testing.T, cfg ringo.Config) {
		onLoop(t, cfg, func(l *ringo.Loop) {
			for _, network := range []string{"tcp4", "tcp6", "tcp"} {
				tried := map[bool][]netip.Addr{}
				d := sock.Dialer{Resolver: server.resolver(),
					Control: func(_, address string, _ syscall.RawConn) error {
						a := netip.MustParseAddrPort(address).Addr()
						tried[a.Is4()] = append(tried[a.Is4()], a)
						return errStop
					}}
				if _, err := d.Dial(l, network, "a.test.:80"); !errors.Is(err, errStop) &&
					!errors.Is(err, syscall.EAFNOSUPPORT) {
					t.Errorf("%s: %v", network, err)
				}
				for is4, got := range tried {
					var want []netip.Addr
					offloaded(t, l, func() (err error) {
						want, err = server.resolver().LookupNetIP(t.Context(),
							map[bool]string{true: "ip4", false: "ip6"}[is4], "a.test.")
						for i := range want {
							want[i] = want[i].Unmap()
						}
						return err
					})
					if !slices.Equal(got, want) || !want[0].IsLoopback() {
						t.Errorf("%s: tried %v, want %v, with the loopback first", network, got, want)
					}
				}
				if network != "tcp6" && len(tried[true]) != 2 { // there may be no IPv6 here
					t.Errorf("%s: tried %v", network, tried)
				}
			}
		})
	})
}
