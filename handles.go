package ringo

import (
	"net/netip"
	"time"

	"ringo/internal/loop"
)

// HandleInfo describes something open on a loop, see Loop.Handles.
type HandleInfo struct {
	// Kind is "conn", "listener", "packet" for a datagram socket, "pollable", or "tail" for unsent bytes of a closed
	// connection.
	Kind    string
	Network string // "tcp", "udp", "unix" and so on; may be ""
	State   string // "open", "closing", or "detached": only goroutines have used it

	FD     int    // of the descriptor
	Local  string // its address, or of a "pollable" its name
	Remote string // the peer's, "" if there is none

	// Reading and Writing say which caller is in a call: "task", a task of the loop; "foreign", a goroutine or a task
	// of another loop; "armed", none, but the loop waits for input or sends written data; "", none.
	Reading, Writing string

	Age    time.Duration // to a sixtieth of a second; 0 if unknown: accepted by goroutines or package event
	Unread int           // received bytes not yet read; of a listener, connections not yet accepted
	Unsent int           // written bytes that the kernel has not taken yet
	Leases int           // buffers of it that the program holds
}

// Handles lists the open handles of the loop, youngest first: connections, listeners, datagram sockets, pollables. The
// loop makes the list in pieces, 64 handles in a turn, so handles that open or close meanwhile may be missing. The list
// is empty if the loop has ended or does not answer within 100 ms. Any goroutine may call it and waits for the list; a
// task parks, and gets an empty list if it is cancelled.
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
