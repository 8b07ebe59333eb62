package sock

// SetIdle says whether nothing is under way on the connection, so that it need not be waited for when the program
// drains: then a Read, or whatever else waits for input, fails with ringo.ErrDraining, at once if the drain has begun.
// What has come by then is read first, and nothing is closed: the caller may still say goodbye. A server that does
// not say so waits for its peers until ringo.Config.Grace ends. Say both: false when a request has come, true when it
// is answered, unless the next is in the caller's own buffer. Until the first false, a peer that was accepted may have
// a request on its way, and so may one of which something was read, or looked at, since: of each, a call that asks for
// more waits five seconds once the drain has begun, as long as Serve and package net/http do, and Grace at most. A copy
// (WriteTo) is told at once. Who says false because a part of the next request is in its own buffer waits for the rest
// as any that is busy, until Grace ends: a read deadline bounds it.
//
//	for {
//		c.SetIdle(r.Buffered() == 0)
//		line, err := r.ReadString('\n')
//		if err != nil {
//			return
//		}
//		c.SetIdle(false) // it is to be answered, and may have to be read further
//		...
//	}
//
// Any goroutine may call it; it does not park. Connections of Serve need it only within Request: between two they
// are idle by themselves.
func (c *Conn) SetIdle(idle bool) error {
	if err := c.core.SetIdle(idle); err != nil {
		return c.fail("set", err)
	}
	return nil
}
