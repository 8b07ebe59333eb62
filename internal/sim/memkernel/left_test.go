package memkernel

import (
	"net/netip"
	"slices"
	"testing"

	"ringo/internal/op"
	"ringo/internal/sys"
)

// What is open has the name by which whoever looks for it knows it.
func TestDescribe(t *testing.T) {
	d := newDisk(t, 1)
	d.open("/data/a", sys.OCreat|sys.ORdwr)
	d.open("/data", sys.ODirectory)
	d.open("/data/b", sys.OCreat|sys.ORdwr)
	d.name(op.Unlinkat, "/data/b", "")
	ln := d.h.Socket(sys.AFInet, sys.SockStream, 0)
	var at sys.Sockaddr
	at.Set(netip.AddrPortFrom(addrA, 8000))
	if bound, listens := d.h.Bind(ln, &at), d.h.Listen(ln, 1); bound < 0 || listens < 0 {
		t.Fatalf("bind: %d, listen: %d", bound, listens)
	}
	d.h.Socket(sys.AFInet, sys.SockDgram, 0)
	d.h.Socketpair(sys.SockStream)
	want := []string{"/data/a", "/data", "a file without a name", "tcp listener " + addrA.String() + ":8000",
		"udp socket", "unix connection", "unix connection"}
	if got := d.h.Describe(10); !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	if got := d.h.Describe(2); !slices.Equal(got, []string{"/data/a", "/data", "..."}) {
		t.Errorf("%q", got)
	}
}
