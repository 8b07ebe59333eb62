package sock

// SetIdle marks the connection idle or busy. When the program drains, calls that wait for input on an idle connection
// fail with ringo.ErrDraining; bytes that have arrived are read first, and nothing is closed, so the caller may still
// say goodbye. A server that does not call SetIdle waits for its peers until ringo.Config.Grace ends. Call it both
// ways: with false when a request has come, with true when it is answered, unless the next one is in your own buffer.
// Until the first SetIdle(false) an accepted peer may have a request on its way, and so may a peer whose bytes were
// read or peeked at since the connection was marked idle: a call that reads from such a peer waits five seconds after
// the start of the drain, as Serve and net/http do, and at most half of Grace. A copy (WriteTo) fails at once. A
// connection marked busy because your buffer has part of the next request waits for the rest like any busy one, until
// Grace ends; a read deadline bounds that.
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
// Any goroutine may call it; it does not park. Connections of Serve need it only within Request: between two requests
// they are idle anyway.
func (c *Conn) SetIdle(idle bool) error {
	if err := c.core.SetIdle(idle); err != nil {
		return c.fail("set", err)
	}
	return nil
}
