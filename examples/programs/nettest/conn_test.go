package nettest

import (
	"flag"
	"net"
	"testing"

	"golang.org/x/net/nettest"

	"ringo/examples/programs/internal/rig"
	"ringo/internal/test/testmain"
	"ringo/sock"
)

// The runs go by turns with a loop for each end and with one for both.
var rounds = flag.Int("rounds", 1, "how often to run TestConn by each path on each driver")

func TestMain(m *testing.M) { testmain.Main(m) }

// A path is who calls: it gives an end of a connection as TestConn shall see it.
type path struct {
	name string
	wrap func(r *rig.Rig, c *sock.Conn) net.Conn
}

var paths = []path{
	{"goroutines", func(_ *rig.Rig, c *sock.Conn) net.Conn { return c }},
	{"tasks", func(_ *rig.Rig, c *sock.Conn) net.Conn {
		task := inTask(c.Loop())
		return &adapter{c, task, task, task}
	}},
	{"tasks-read", func(_ *rig.Rig, c *sock.Conn) net.Conn {
		return &adapter{c, inTask(c.Loop()), here, here}
	}},
	{"tasks-write", func(_ *rig.Rig, c *sock.Conn) net.Conn {
		task := inTask(c.Loop())
		return &adapter{c, here, task, task}
	}},
	{"visitors", func(r *rig.Rig, c *sock.Conn) net.Conn { // tasks of a loop that the connection isn't of
		task := inTask(r.Loops[len(r.Loops)-1-c.Loop().Index()])
		return &adapter{c, task, task, task}
	}},
	{"in-turns", func(_ *rig.Rig, c *sock.Conn) net.Conn {
		task := inTask(c.Loop())
		return &adapter{c, inTurns(task, here), inTurns(here, task), inTurns(task, here)}
	}},
}

func TestConn(t *testing.T) {
	rig.EachDriver(t, rig.AllDrivers, func(t *testing.T, driver string) {
		for _, p := range paths {
			t.Run(p.name, func(t *testing.T) {
				for i := range *rounds {
					loops := 2 - i%2
					if p.name == "visitors" {
						loops = 2
					}
					r := rig.Loops(t, driver, loops)
					nettest.TestConn(t, pipes(r, p))
					r.End()
				}
			})
		}
	})
}

// pipes makes connections of which one end was dialled and the other accepted.
func pipes(r *rig.Rig, p path) nettest.MakePipe {
	return func() (c1, c2 net.Conn, stop func(), err error) {
		ln, err := r.TryListen()
		if err != nil {
			return nil, nil, nil, err
		}
		defer ln.Close()
		dialled, err := new(sock.Dialer).Dial(r.Loops[len(r.Loops)-1], "tcp", ln.Addr().String())
		if err != nil {
			return nil, nil, nil, err
		}
		accepted, err := ln.AcceptConn()
		if err != nil {
			dialled.Close()
			return nil, nil, nil, err
		}
		stop = func() {
			dialled.Close()
			accepted.Close()
		}
		return p.wrap(r, dialled), p.wrap(r, accepted), stop, nil
	}
}
