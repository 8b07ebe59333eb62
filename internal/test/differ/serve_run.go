package differ

var serveWays = []string{"Read, Write", "Next, WriteLease", "Peek, Write, Discard"}

var serve = &verb{"Serve(s%[1]d) // %[5]s", func(x *actor, s *Step) string {
	ln := get[Listener](x, s.O)
	x.objs[s.O] = server{ln, x.Serve(ln, s.How)}
	return "ok"
}}

// A server is a listener whose connections are served.
type server struct {
	Listener
	stop func() error
}

var closeListener = &verb{"s%[1]d.Close()", func(x *actor, s *Step) string {
	ln := get[Listener](x, s.O)
	seen := class(ln.Close())
	if at, ok := ln.(server); ok {
		seen += ", " + class(at.stop())
	}
	return seen
}}

// answer reads something and writes the same.
func answer(c Conn, how int) error {
	switch how {
	case 1:
		b, err := c.Next()
		if err == nil {
			_, err = c.WriteLease(b)
		}
		return err
	case 2:
		p, err := c.Peek(1)
		if err != nil {
			return err
		}
		if n := c.Buffered(); n > len(p) {
			if p, err = c.Peek(min(n, 60_000)); err != nil {
				return err
			}
		}
		if _, err = c.Write(p); err == nil {
			_, err = c.Discard(len(p))
		}
		return err
	}
	p := make([]byte, 3000)
	n, err := c.Read(p)
	if n > 0 {
		_, err = c.Write(p[:n])
	}
	return err
}

var useListener = &verb{"s%[1]d.Accept, Close // it is closed", func(x *actor, s *Step) string {
	ln := get[Listener](x, s.O)
	_, err := ln.Accept(true)
	return class(err) + ", " + class(ln.Close())
}}
