// Package event is the classic event loop, of callbacks and handles, on Ringo's loops: for servers of very many
// connections, which have no stack each here, and for programs that were written for libuv, libevent, libev or gnet.
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
// A Loop, and all that it makes, belongs to the thread of its ringo.Loop. Callbacks and tasks of that loop may use it,
// also an iterator that such a one runs; others get there by Loop.Post, and panic where they call something else.
//
// All callbacks of a loop run in one task, one after the other. So what a task may do they may do: start tasks, use
// what belongs to tasks. They must not wait: a callback that parks, as in sock.Conn.Read, holds up all other callbacks
// of its loop, which is reported as a stall (ringo.Config.StallLimit), and one that waits otherwise holds up the loop;
// ringovet finds both.
// A panic in a callback goes where a task's goes, see ringo.Config.OnPanic, and ends the connection that it was called
// for, with ErrNoReturn.
//
// # Who is called when
//
// Nobody is called from within a call of his own: what a method leads to is told later, in the same turn of the loop or
// the next. A callback may start, stop and close anything, also what it was called for, and in the middle of its data.
// Behind Conn.Close nothing but OnClose is called for that connection, and behind OnClose nothing at all; a Timer that
// was stopped does not call. Connections of which much comes take turns with the others, as tasks do.
//
// # The end
//
// Loop.Wait, and with it Run, returns when nothing is active any more: no connection, no listener, no timer, nothing
// else that may still call somebody, but for that of which Unref was called. Loop.Stop ends all of that at once,
// and what is begun then, as by a client that dials again when its connection has ended, is refused with ErrStopped.
// When Run's context ends nobody is accepted any more, who is connected has ringo.Config.Grace to end, and what never
// ends by itself, as a timer of Every or a Waker, goes on until there is nothing else.
//
// # Memory
//
// The bytes that OnData is shown are its own until it returns, or longer by Conn.Keep. Where the driver lends buffers
// to the kernel a connection has none until something comes, and the bytes are shown in the buffer that the kernel has
// put them in. What OnData does not use is copied, and kept until there is more. What Conn.Write is given is copied if
// it can't be sent at once; Conn.WriteThen borrows it instead.
//
// Everything has a bound: Conn.SetUnreadMax for what is not used, Conn.SetMarks, PacketConn.SetUnsentMax and
// Loop.SetUnsentMax for what waits to be sent, files included, ringo.Config.Leases for what is kept. At a bound there
// is an error, and nobody waits. Conn.SetTimeouts is for peers that say nothing, or take nothing.
package event
