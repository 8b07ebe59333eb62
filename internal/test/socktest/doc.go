// Package socktest is the matrix of package sock: every method of every handle, called by
// every kind of caller, while something happens to the call, to its handle or to its loop.
//
//	network    tcp, unix, unixpacket, udp, unixgram
//	caller     a task of the handle's loop, an iterator inside one, a task of another loop, a goroutine, a callback
//	method     all that are exported: a row each, which says how to call it and what it must deliver
//	event      plain, partial progress, cancel, WithTimeout, a deadline that has
//	           passed before, passes meanwhile or is moved by somebody, Close, MoveTo,
//	           Detach, the loop's end, the driver's death
//
// A cell is a test, TestMatrix/uring/tcp/goroutine/Discard/deadline-moved. In each the call ends in
// time, with an error that says why; and every byte is accounted for: what the call says that it has
// moved, and what is there behind it, are the whole stream, in order, and nothing twice.
//
// A callback's calls are those of package event, which eventtest has wait; what has no meaning for callbacks is in the
// list of omitted.go, with reasons.
//
// Networks and callers run beside each other. With -short there is one network of each family, with all callers,
// methods and events: tcp for streams, unixpacket, udp, unixgram.
//
// RunWorlds is the same in simulated worlds (package sim), a world for each cell, with the loops of Ringo's on both
// sides: a task of the world runs the cell, and the peers are sockets of its loop, on another host where the network
// reaches one. RunGoroutines has goroutines call that are beside the world. What a world can't do is in one list, with
// reasons: see omitted.go.
//
// RunFiles is the like for package file: the methods of a file.File, a pipe's end or a file on a disk, where other
// events make no sense; calls that wait for nobody are made one after the other until the event is over.
//
// Beside it stands what the tests of both packages use: loops on each driver, waits with a bound, the end at which
// nothing may be left, and a stream whose bytes are known.
//
// The rows are checked against the methods that there are, so a new method without a row fails.
package socktest
