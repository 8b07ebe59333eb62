//go:build linux

package socktest

import (
	"errors"
	"slices"
	"syscall"
	"testing"
)

// omission is what cells in simulated worlds do without, and why. Of the names those that are empty stand for all.
type omission struct {
	of         string // sock, or the type
	net, who   string
	row, event string
	gives      error // the call is made all the same, and gets this
	why        string
}

// Reasons that several have.
const (
	noGoroutines  = "in a world nobody acts but tasks: a goroutine's call is refused with loop.ErrLeft"
	noDescriptors = "a world's descriptors are numbers of its own kernel: none leaves it, and none comes in"
	netsConns     = "the other connection is package net's"
	rawCalls      = "the function is given a number that is no descriptor of the system's"
)

// omitted is all of it.
var omitted = []omission{
	{who: "goroutine", why: noGoroutines},

	{net: "tcp-detached", why: "its connections are accepted by a goroutine"},
	{net: "pollable", why: noDescriptors + ", so sock.Poll is refused"},
	{net: "pollable-blocking", why: noDescriptors + ", so sock.Poll is refused"},

	{event: "detach", why: noDescriptors},
	{event: "partial-detach", why: noDescriptors},

	{of: "Conn", row: "WriteTo/net", why: netsConns},
	{of: "Conn", row: "WriteTo/net-full", why: netsConns},
	{of: "Conn", row: "ReadFrom/net", why: netsConns},
	{of: "Conn", row: "SyscallConn/Read", why: rawCalls},
	{of: "Conn", row: "SyscallConn/Write", why: rawCalls},
	{of: "PacketConn", row: "SyscallConn/Read", why: rawCalls},
	{of: "PacketConn", row: "SyscallConn/Write", why: rawCalls},
	{of: "UnixPacketConn", row: "SyscallConn/Read", why: rawCalls},
	{of: "UnixPacketConn", row: "SyscallConn/Write", why: rawCalls},

	{of: "File", row: "SyscallConn/Read", why: rawCalls},

	{of: "File", row: "ReadCached", gives: errors.ErrUnsupported,
		why: "the kernel in memory does not tell what is in its cache"},

	{of: "Conn", row: "RecvFiles", gives: errors.ErrUnsupported, why: noDescriptors},
	{of: "Conn", row: "SendFiles", gives: errors.ErrUnsupported, why: noDescriptors},
	{of: "Conn", row: "File", gives: errors.ErrUnsupported, why: noDescriptors},
	{of: "Conn", row: "Detach", gives: errors.ErrUnsupported, why: noDescriptors},
	{of: "Conn", row: "DetachConn", gives: errors.ErrUnsupported, why: noDescriptors},
	{of: "Conn", row: "DetachTCP", gives: errors.ErrUnsupported, why: noDescriptors},
	{of: "Conn", row: "DetachUnix", gives: errors.ErrUnsupported, why: noDescriptors},
	{of: "PacketConn", row: "Detach", gives: errors.ErrUnsupported, why: noDescriptors},
	{of: "PacketConn", row: "DetachUDP", gives: errors.ErrUnsupported, why: noDescriptors},
	{of: "PacketConn", row: "File", gives: errors.ErrUnsupported, why: noDescriptors},
	{of: "UnixPacketConn", row: "File", gives: errors.ErrUnsupported, why: noDescriptors},
	{of: "Listener", row: "File", gives: errors.ErrUnsupported, why: noDescriptors},
	{of: "Conn", row: "TCPInfo", gives: syscall.ENOPROTOOPT, why: "the kernel in memory has no TCP_INFO"},
	{of: "PacketConn", row: "SetGRO", gives: syscall.ENOPROTOOPT, why: "the kernel in memory joins no datagrams"},
}

// omits is why a world does without a cell; nil: it does not.
func omits(of, net, who, row, event string) *omission {
	i := slices.IndexFunc(omitted, func(e omission) bool {
		is := func(want, got string) bool { return want == "" || want == got }
		return (is(e.of, of) || e.of == "sock" && of != "File") && is(e.net, net) && is(e.who, who) && is(e.row, row) &&
			is(e.event, event)
	})
	if i < 0 {
		return nil
	}
	return &omitted[i]
}

// OmittedComplete fails for names of what worlds do without that there are not, and for reasons that are missing.
func OmittedComplete(t *testing.T) {
	var ofs, nets, whos, evs []string
	rows := map[string][]string{}
	for _, h := range handles {
		name := h.of.Elem().Name()
		ofs = append(ofs, name)
		for _, r := range h.rows {
			rows[name] = append(rows[name], r.method)
		}
		for _, ev := range h.events {
			evs = append(evs, ev.name)
		}
	}
	ofs = append(ofs, "sock", "File")
	for _, r := range fileRows {
		rows["File"] = append(rows["File"], r.method)
	}
	for _, ev := range fileEvents {
		evs = append(evs, ev.name)
	}
	for _, n := range networks {
		nets = append(nets, n.name)
	}
	for _, k := range callers {
		whos = append(whos, k.name)
	}
	for _, e := range omitted {
		for what, in := range map[string][]string{e.of: ofs, e.net: nets, e.who: whos, e.event: evs,
			e.row: rows[e.of]} {
			if what != "" && !slices.Contains(in, what) {
				t.Errorf("%+v: there is no %q", e, what)
			}
		}
		if e.why == "" {
			t.Errorf("%+v has no reason", e)
		}
	}
}
