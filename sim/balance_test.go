package sim_test

import (
	"io"
	"testing"
	"time"

	"ringo"
	"ringo/sim"
	"ringo/sock"
)

// tellsLoop answers each byte with the number of the loop that serves it.
func tellsLoop(c *sock.Conn) error {
	p := make([]byte, c.Buffered())
	c.Read(p)
	for i := range p {
		p[i] = byte(c.Loop().Index())
	}
	_, err := c.Write(p)
	return err
}

// evenlyServed runs two loops of a host that serve what a set deals out, and waits until they do.
func evenlyServed(w *sim.World, h *sim.Host, network, address string) (*sim.Program, *sock.ListenerSet) {
	var set *sock.ListenerSet
	listen := 0
	handler := &sock.Handler{Request: tellsLoop, Moved: func(*sock.Conn) {}}
	p := h.Run(&ringo.Config{Loops: 2, Grace: 10 * time.Second}, func(l *ringo.Loop) (err error) {
		if l.Index() == 0 {
			if set, err = (&sock.ListenConfig{Balance: true}).Reserve(network, address); err != nil {
				return err
			}
			defer func() { set.Close(); set = nil }() // also in a crash
		}
		for set == nil {
			l.Sleep(time.Millisecond)
		}
		ln, err := set.Listen(l)
		if err != nil {
			return err
		}
		listen++
		return sock.Serve(l, ln, handler)
	})
	if !w.RunUntil(time.Second, func() bool { return listen == 2 }) {
		w.Errorf("nobody listens: %v", p.Err())
	}
	return p, set
}

// servedBy asks which loop serves a peer.
func servedBy(c *sock.Conn) (loop int, err error) {
	p := []byte("?")
	if _, err = c.Write(p); err == nil {
		_, err = io.ReadFull(c, p)
	}
	return int(p[0]), err
}

// In whatever order a world has it: twenty peers that stay are ten for each loop; of a loop that has had all the
// requests half go to the other; and a drain has answered each peer that was there.
func TestBalance(t *testing.T) {
	for network, address := range map[string]string{"tcp": ":7000", "unix": "/tmp/socket"} {
		t.Run(network, func(t *testing.T) {
			sim.Explore(t, 12, func(w *sim.World) {
				h := w.Host("here")
				server, set := evenlyServed(w, h, network, address)
				if set == nil {
					return
				}
				w.Check(w.Wait(h.Run(nil, func(l *ringo.Loop) error {
					var of [2][]*sock.Conn
					for range 20 {
						c, err := sock.Dial(l, network, set.Addr().String())
						if err != nil {
							return err
						}
						defer c.Close()
						i, err := servedBy(c)
						if err != nil {
							return err
						}
						of[i] = append(of[i], c)
					}
					if len(of[0]) != 10 || len(of[1]) != 10 {
						w.Errorf("the loops serve %d and %d", len(of[0]), len(of[1]))
					}
					if n, err := set.Rebalance(); n != 0 || err != nil {
						w.Errorf("Rebalance where all is even: %d moved, %v", n, err)
					}
					for range 5 {
						for _, c := range of[1] {
							if _, err := servedBy(c); err != nil {
								return err
							}
						}
					}
					if n, err := set.Rebalance(); n != 10 || err != nil { // five that ask, and for them five that don't
						w.Errorf("Rebalance: %d moved, %v", n, err)
					}
					var now [2][2]int
					for i, all := range of {
						for _, c := range all {
							at, err := servedBy(c)
							if err != nil {
								return err
							}
							now[i][at]++
						}
					}
					if now != [2][2]int{{5, 5}, {5, 5}} {
						w.Errorf("of those of each loop so many are on which: %v", now)
					}
					return nil
				})))
				// Peers that come as the drain begins are served, or were not accepted.
				peers := h.Run(nil, func(l *ringo.Loop) error {
					g := ringo.NewGroup(l)
					for range 10 {
						g.Go(func() error {
							c, err := sock.Dial(l, network, set.Addr().String())
							if err != nil {
								return nil
							}
							defer c.Close()
							if _, err := servedBy(c); err != nil {
								w.Errorf("a peer that had connected: %v", err)
							}
							return nil
						})
					}
					return g.Wait()
				})
				server.Drain()
				w.Check(w.Wait(peers))
				w.Wait(server)
			})
		})
	}
}

// A host that crashes while connections are on their way from loop to loop serves as before when it is back.
func TestBalanceCrash(t *testing.T) {
	sim.Explore(t, 12, func(w *sim.World) {
		h, away := w.Host("here"), w.Host("there")
		evenlyServed(w, h, "tcp", ":7000")
		over := false
		storm := away.Run(nil, func(l *ringo.Loop) error {
			for !over {
				c, err := sock.Dial(l, "tcp", "here:7000")
				if err != nil {
					l.Sleep(time.Millisecond)
					continue
				}
				c.SetDeadline(l.Now().Add(10 * time.Millisecond)) // a host that has crashed says nothing
				servedBy(c)
				c.Close()
			}
			return nil
		})
		w.RunFor(time.Duration(5+w.Rand().IntN(20)) * time.Millisecond)
		h.Crash()
		h.Restart()
		w.RunFor(100 * time.Millisecond)
		over = true
		w.Check(w.Wait(storm))
		w.Check(w.Wait(away.Run(nil, func(l *ringo.Loop) error {
			var served [2]int
			for range 10 {
				c, err := sock.Dial(l, "tcp", "here:7000")
				if err != nil {
					return err
				}
				defer c.Close()
				i, err := servedBy(c)
				if err != nil {
					return err
				}
				served[i]++
			}
			if served != [2]int{5, 5} {
				w.Errorf("ten peers: %v", served)
			}
			return nil
		})))
	})
}
