// Package socktest is the matrix of package sock: every kind of caller calls every method of every handle while
// something happens to the call, to the handle or to its loop.
//
//	network    tcp, unix, pipe, unixpacket, udp, unixgram, and Unix sockets behind a Pollable
//	caller     a task of the handle's loop, an iterator inside one, a task of another loop, a goroutine, a callback
//	method     every exported one: each has a row, which says how to call it and what it must deliver
//	event      plain, partial progress, cancel, WithTimeout, a deadline that has
//	           passed before, passes meanwhile or is moved by another caller, Close, MoveTo,
//	           Detach, the loop's drain, its end, the driver's death
//
// A cell is one combination of these and one test: TestMatrix/uring/tcp/goroutine/Discard/deadline-moved. In each cell
// the call must end in time, with an error that says why, and every byte must be accounted for: the bytes that the call
// reports as moved, followed by those that are still there, are the whole stream, in order, and none of them twice.
//
// The calls of a callback are those of package event; package eventtest makes them wait like a task's. The list in
// omitted.go names what has no meaning for callbacks, with reasons.
//
// The combinations of network and caller run concurrently. Without -long there is one network of each family (tcp for
// streams, unixpacket, udp, unixgram, pollable), with all callers, methods and events.
//
// RunWorlds runs the same matrix in simulated worlds (package sim), one world for each cell, with loops of Ringo on
// both sides. A task of the world runs the cell; the peers are sockets of that task's loop, on another host if the
// network reaches other hosts. In RunGoroutines the callers are goroutines outside the world. The list in omitted.go
// also names what a world can't do, with reasons.
//
// RunFiles is a matrix of the same kind for package file: the methods of a file.File, for an end of a pipe and for a
// file on a disk. Some of its events differ, because others make sense for files. A method that never waits is called
// again and again until the event is over.
//
// The package also has what the tests of both packages use: loops on each driver, waits with a time limit, the check
// that nothing is left at the end, and a stream of known bytes.
//
// Complete compares the rows with the methods that exist, so a new method without a row fails.
package socktest
