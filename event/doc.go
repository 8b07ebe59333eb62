// Package event provides a classic callback event loop on Ringo's loops: for servers with very many connections, which
// need no stacks here, and for programs that were written for libuv, libevent, libev or gnet.
//
//	err := event.Run(ctx, nil, func(l *event.Loop) error {
//		_, err := l.Listen("tcp", ":7000", echo{})
//		return err
//	})
//
//	type echo struct{ event.Base }
//
//	func (echo) OnData(c *event.Conn, p []byte) int {
//		if c.Write(p) != nil {
//			c.Close()
//		} else if c.Congested() { // until the peer reads
//			c.Pause()
//		}
//		return len(p)
//	}
//
//	func (echo) OnWritable(c *event.Conn) { c.Resume() }
//
// # Threads
//
// A Loop and everything that it makes belong to the thread of its ringo.Loop. Only callbacks and tasks of that loop,
// and iterators that they run, may use it; other callers use Loop.Post, and panic if they call anything else.
//
// All callbacks of a loop run in one task, one after the other, and may do what a task may do, such as start tasks.
// They must not wait: a callback that parks, as in sock.Conn.Read, delays all other callbacks of its loop, which is
// reported as a stall (ringo.Config.StallLimit), and one that blocks outside Ringo stops the loop; ringovet finds both.
// A panic in a callback is handled like a panic in a task, see ringo.Config.OnPanic, and ends the connection that it
// was called for with ErrNoReturn.
//
// # Order of callbacks
//
// Callbacks are never re-entrant: methods call none; the callbacks that they cause come later, in the same turn of the
// loop or the next. A callback may start, stop and close anything, including the object that it was called for, in the
// middle of its data. After Conn.Close only OnClose is called for that connection, and after OnClose nothing; a stopped
// Timer does not call. Connections that receive much take turns with the others, as tasks do.
//
// # The end
//
// Loop.Wait, and with it Run, returns once nothing is active any more: no connection, listener, timer or other source
// of callbacks, except those with Unref. Loop.Stop ends all of them at once; anything started then, as by a client that
// dials again when its connection has ended, fails with ErrStopped. When Run's context ends, listeners stop and open
// connections get ringo.Config.Grace; timers of Every, Wakers and other sources that never end run until the rest has
// finished.
//
// # Memory
//
// OnData owns the bytes passed to it until it returns, or longer with Conn.Keep. Where the kernel picks receive
// buffers, a connection has none until something arrives, and OnData gets the bytes in the buffer in which they
// arrived. Bytes that OnData does not use are copied and kept until there are more. Conn.Write copies bytes that can't
// be sent at once; Conn.WriteThen borrows them instead.
//
// Everything has a bound: Conn.SetUnreadMax for unused bytes, Conn.SetMarks, PacketConn.SetUnsentMax and
// Loop.SetUnsentMax for unsent bytes and files, ringo.Config.Leases for kept buffers. At a bound calls fail; none
// waits. Conn.SetTimeouts is for peers that send nothing or read nothing.
package event
