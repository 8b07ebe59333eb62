// Package sock is sockets on Ringo's loops: listeners, dialled and accepted
// connections, and servers made of them.
//
// A Conn is a net.Conn and a Listener is a net.Listener, with the errors of
// package net: *net.OpError around *os.SyscallError, net.ErrClosed,
// os.ErrDeadlineExceeded, and io.EOF bare. Both belong to the loop that made them
// and are at their fastest in that loop's tasks; any goroutine, and any task of
// another loop, may use them too, at the same time. Serve and Listen are for the
// loop's tasks: others get ringo.ErrNotTask.
//
// # Two ways to serve
//
// ListenAndServe and Listen hand out connections, each for a task that lives as
// long as it. That is the simplest way, and a parked task costs a stack. Serve
// calls a Handler's Request when there is something to read: between requests a
// connection keeps no stack, and a request that does not wait costs little more
// than a call.
//
// # Buffers
//
// Bytes that arrive are in the loop's buffers before anybody asks. Read copies
// them out; Peek and Discard look at them in place; Next hands a buffer over as a
// buf.Lease; and io.Copy between two connections moves them without a copy. How
// many buffers a connection may hold is bounded by ringo.Config.Leases: a peer
// that is not read is left waiting in its own kernel.
package sock
