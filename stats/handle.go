package stats

import "time"

// A Handle describes something open on a loop. See ringo.Loop.Handles.
type Handle struct {
	// Kind is "conn", "listener", "packet" for a datagram socket, "pollable", or "tail" for unsent bytes of a closed
	// connection.
	Kind    string
	Network string // "tcp", "udp", "unix" and so on; may be ""
	State   string // "open", "closing", or "detached": only goroutines have used it

	FD     int    // the descriptor
	Local  string // its address; for a "pollable" its name
	Remote string // the peer's, "" if there is none

	// Reading and Writing say which caller is in a call: "task" for a task of the loop; "foreign" for a goroutine or a
	// task of another loop; "armed" if no caller is, but the loop waits for input or sends written data; "" for none.
	Reading, Writing string

	Age    time.Duration // to a sixtieth of a second; 0 if unknown: accepted by goroutines or package event
	Unread int           // received bytes not yet read; for a listener, connections not yet accepted
	Unsent int           // written bytes that the kernel has not taken yet
	Leases int           // its buffers that the program holds
}
