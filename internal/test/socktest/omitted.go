//go:build linux

package socktest

import (
	"errors"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// omission names cells that the matrix leaves out, and says why. It holds in simulated worlds; for callbacks it holds
// everywhere. An empty name stands for all; row and event may have several names, separated by blanks.
type omission struct {
	of         string // a handle's type, or sock for all except File
	net, who   string
	row, event string
	gives      error // the plain call is made all the same, and must fail with this
	why        string
}

// Reasons that several omissions have.
const (
	noGoroutines  = "in a world without goroutines nobody acts but tasks: another's call is refused with loop.ErrLeft"
	filesForTasks = "a world's files are for tasks alone: a goroutine's call is refused with loop.ErrLeft"
	noDescriptors = "a world's descriptors are numbers of its own kernel: none leaves it, and none comes in"
	netsConns     = "the other connection is package net's"
	rawCalls      = "the function is given a number that is no descriptor of the system's"
)

// timeouts are the events in which a call that waits meets a deadline.
const timeouts = "deadline-moved deadline-flickers deadline-past deadline-ahead deadline-ahead-partial " +
	"partial-deadline"

// omitted lists all omissions.
var omitted = []omission{
	{of: "File", who: "callback", why: "a callback must not wait for a disk: tasks read for it, by event.Go"},
	{of: "UnixPacketConn", who: "callback", why: "package event has no datagrams of Unix sockets"},
	{of: "Pollable", who: "callback", why: "an event.Poll is no handle: it calls until Stop, and nothing waits"},
	{who: "callback", event: "cancel canceled-before timeout partial-cancel",
		why: "nobody cancels a callback, and none has a time limit"},
	{who: "callback", event: "cancel-queued canceled-before-queued timeout-queued close-queued loop-end-queued " +
		"driver-death-queued", why: "a connection has one handler: nobody waits behind it"},
	{who: "callback", event: "deadline-away deadline-late",
		why: "only callbacks of the loop set timeouts, so none is moved while the loop stands still"},
	{who: "callback", event: "deadline-past-partial", why: "a timeout runs from when it is set, or bytes came"},
	{who: "callback", event: "drain drain-before drain-partial",
		why: "a drain ends no connection of callbacks: Loop.Wait waits for it"},
	{who: "callback", event: "driver-death", why: "on a loop whose driver has died no callback is called any more"},
	{of: "Conn", who: "callback", row: "WriteTo/conn WriteTo/net WriteTo/conn-full WriteTo/far-full WriteTo/net-full " +
		"WriteTo/panics ReadFrom/conn ReadFrom/net ReadFrom/file",
		why: "package event copies from a file only, by SendFile: the rest is the program's own affair"},
	{of: "Conn", who: "callback", row: "ReadMsgUnix ReadFromUnix RecvFiles SendFiles WriteMsgUnix WriteToUnix PeerCred",
		why: "an event.Conn has nothing but bytes: for files and addresses of Unix sockets Detach"},
	{of: "Conn", who: "callback", row: "SyscallConn/Read SyscallConn/Write File Detach DetachTCP DetachUnix",
		why: "an event.Conn's descriptor is for Control alone: Detach makes a sock.Conn of it, see DetachConn"},
	{of: "Conn", who: "callback", row: "SetKeepAlive SetKeepAliveConfig SetKeepAlivePeriod SetLinger SetNoDelay " +
		"SetUserTimeout SetOptions Options TCPInfo MultipathTCP SetReadBuffer SetWriteBuffer SetBatching SetZeroCopy " +
		"ZeroCopy Buffered CloseRead Close/linger",
		why: "an event.Conn has no such option: SyscallConn sets it, or a sock.Conn has it before it is adopted"},
	{of: "Conn", who: "callback", row: "ReadV", event: timeouts,
		why: "a ReadFull ends with its bytes, or with the connection"},
	{of: "Conn", net: "unixpacket", who: "callback", row: "Peek", why: "OnData has to use a record whole"},
	{of: "Conn", who: "callback", row: "ReadV SendFile", event: "move detach partial-detach",
		why: "Detach fails during a ReadFull, and during SendFile"},
	{of: "Conn", net: "unixpacket", who: "callback", row: "Write WriteV WriteLease ReadFrom", event: "move detach",
		why: "Detach fails while records are unsent"},
	{of: "PacketConn", who: "callback", event: timeouts, why: "an event.PacketConn has no timeouts"},
	{of: "PacketConn", who: "callback", row: "ReadFromUDP ReadFromAddrPort ReadFromUDPAddrPort ReadMsgUDP " +
		"ReadMsgUDPAddrPort ReadBatch ReadBatch/nothing Read/nothing WriteBatch WriteBatch/loose WriteMsgUDP " +
		"WriteMsgUDPAddrPort WriteMsgUDP/nowhere WriteSegments WriteToAddrPort WriteToUDP WriteToUDPAddrPort " +
		"SyscallConn/Read SyscallConn/Write Detach DetachUDP",
		why: "an event.PacketConn has OnDatagram, Write and WriteTo in their place"},
	{of: "PacketConn", who: "callback", row: "GSO JoinGroup LeaveGroup SetControl SetGRO SetMulticastInterface " +
		"SetMulticastLoopback SetMulticastTTL Drops File SetReadBuffer SetWriteBuffer SetOptions Options " +
		"SyscallConn/Control SetDeadline SetReadDeadline SetWriteDeadline",
		why: "they are the socket's, which PacketConn.Socket returns"},
	{of: "Listener", who: "callback", row: "AcceptConn AcceptTCP AcceptUnix Loop Stats SetUnlinkOnClose SyscallConn " +
		"File SetDeadline", why: "an event.Listener has OnOpen, Addr and Close; the rest is the sock.Listener's"},
	{of: "Listener", who: "callback", event: "deadline-moved deadline-flickers deadline-past deadline-ahead",
		why: "an event.Listener has no deadline"},

	{of: "File", who: "goroutine", why: filesForTasks},
	{of: "Conn", who: "goroutine", row: "ReadFrom/file SendFile", why: filesForTasks},

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
	{of: "PacketConn", row: "SetGRO", gives: syscall.ENOPROTOOPT, why: "the kernel in memory joins no datagrams"},
}

// omits returns why the matrix leaves out a cell, in a world or outside; nil: it does not.
func omits(world bool, of, net, who, row, event string) *omission {
	i := slices.IndexFunc(omitted, func(e omission) bool {
		is := func(want, got string) bool { return want == "" || slices.Contains(strings.Fields(want), got) }
		return (world || e.who == "callback") && (is(e.of, of) || e.of == "sock" && of != "File") &&
			is(e.net, net) && is(e.who, who) && is(e.row, row) && is(e.event, event)
	})
	if i < 0 {
		return nil
	}
	return &omitted[i]
}

// OmittedComplete fails for omissions that name something that does not exist, and for those without a reason.
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
			for _, name := range strings.Fields(what) {
				if !slices.Contains(in, name) {
					t.Errorf("%+v: there is no %q", e, name)
				}
			}
		}
		if e.why == "" {
			t.Errorf("%+v has no reason", e)
		}
	}
}
