package ringo

import (
	"net/netip"
	"time"

	"ringo/internal/loop"
)

// HandleInfo describes something open on a loop, see Loop.Handles.
type HandleInfo struct {
	// Kind is "conn", "listener", "packet" for a socket of datagrams, "pollable", or "tail" for
	// bytes that a closed connection has left to be sent.
	Kind    string
	Network string // "tcp", "udp", "unix" and so on, "" if it has none
	State   string // "open", "closing", or "detached": goroutines use it, and no task of its loop has

	FD     int    // of the descriptor
	Local  string // its address, or of a "pollable" its name
	Remote string // the peer's, "" if there is none

	// Reading and Writing tell who is in a call: "task", a task of the loop; "foreign", a
	// goroutine or a task of another loop; "armed", nobody, but the loop watches for input, or
	// sends what was written; "", nobody.
	Reading, Writing string

	Age    time.Duration // to a sixtieth of a second; 0: not known, of what goroutines or package event have accepted
	Unread int           // bytes that came and were not read; of a listener connections that nobody has asked for
	Unsent int           // bytes that were written, and that the kernel has not taken
	Leases int           // buffers of it that the program holds
}

// Handles lists what is open on the loop, the youngest first: connections, listeners, sockets of
// datagrams, pollables. The loop makes the list in pieces, 64 handles in a turn, so what opens and
// closes meanwhile may be in it or not. Of a loop that is held for a tenth of a second, or that has
// ended, it is empty. Any goroutine may call it, and waits for the list; a task parks, and if it is
// cancelled the list is empty.
func (l *Loop) Handles() []HandleInfo {
	var all []HandleInfo
	if !l.engine().EachHandleInfo(func(i *loop.HandleInfo) { all = append(all, handleInfoOf(i)) }) {
		return nil
	}
	return all
}

func handleInfoOf(i *loop.HandleInfo) HandleInfo {
	return HandleInfo{
		Kind: i.Kind, Network: i.Network, State: i.State, FD: int(i.FD),
		Local: nameOfEnd(i.Local, i.LocalName), Remote: nameOfEnd(i.Remote, i.RemoteName),
		Reading: i.In, Writing: i.Out, Age: i.Age, Unread: i.Unread, Unsent: i.Unsent, Leases: i.Leases,
	}
}

// nameOfEnd is an address as text, or a name.
func nameOfEnd(ap netip.AddrPort, name string) string {
	if name == "" && ap.IsValid() {
		return ap.String()
	}
	return name
}
