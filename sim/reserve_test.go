package sim_test

import (
	"errors"
	"io"
	"os"
	"sync"
	"testing"
	"time"

	"ringo"
	"ringo/file"
	"ringo/internal/loop"
	"ringo/sim"
	"ringo/sock"
)

// A task reserves an address, of which each loop takes a listener: peers are served by all of them.
func TestReserve(t *testing.T) {
	for network, address := range map[string]string{"tcp": ":7000", "unix": "/tmp/socket", "unixpacket": "@name"} {
		t.Run(network, func(t *testing.T) {
			var mu sync.Mutex
			all := make([]int, 2)
			sim.Explore(t, 8, func(w *sim.World) {
				h := w.Host("here")
				ready := 0
				served := make([]int, 2)
				var set *sock.ListenerSet
				server := h.Run(&ringo.Config{Loops: len(served)}, func(l *ringo.Loop) (err error) {
					if l.Index() == 0 {
						if set, err = sock.Reserve(network, address); err != nil {
							return err
						}
						defer set.Close()
					}
					for set == nil {
						l.Sleep(time.Millisecond)
					}
					ln, err := set.Listen(l)
					if err != nil {
						return err
					}
					ready++
					for {
						c, err := ln.AcceptConn()
						if err != nil {
							return err
						}
						served[l.Index()]++
						l.Go(func() { defer c.Close(); io.Copy(c, c) })
					}
				})
				if !w.RunUntil(time.Second, func() bool { return ready == 2 }) {
					w.Errorf("nobody listens: %v", server.Err())
					return
				}
				w.Check(w.Wait(h.Run(nil, func(l *ringo.Loop) error {
					for range 30 {
						c, err := sock.Dial(l, network, set.Addr().String())
						if err != nil {
							return err
						}
						if _, err = c.Write([]byte("x")); err == nil {
							_, err = c.Read(make([]byte, 1))
						}
						c.Close()
						if err != nil {
							return err
						}
					}
					return nil
				})))
				if served[0]+served[1] != 30 {
					w.Errorf("the loops have served %v", served)
				}
				server.Drain()
				w.Wait(server)
				mu.Lock()
				defer mu.Unlock()
				all[0], all[1] = all[0]+served[0], all[1]+served[1]
			})
			if all[0] == 0 || all[1] == 0 {
				t.Errorf("the loops have served %v", all)
			}
		})
	}
}

// What was reserved outside of a world, or on another host, is refused, and nobody gets what has its number there.
func TestReservedElsewhere(t *testing.T) {
	outside, err := sock.Reserve("tcp", "127.0.0.1:0")
	if errors.Is(err, errors.ErrUnsupported) {
		t.Skip("no sockets here:", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	defer outside.Close()
	here(t, func(w *sim.World, l *ringo.Loop) error {
		if _, err := outside.Listen(l); !errors.Is(err, errors.ErrUnsupported) {
			w.Errorf("what was reserved outside: %v", err)
		}
		return nil
	})
	tb := &recorder{TB: t}
	sim.Run(tb, 1, func(w *sim.World) {
		var set *sock.ListenerSet
		w.Host("one").Run(nil, func(*ringo.Loop) (err error) {
			if set, err = sock.Reserve("tcp", ":0"); err == nil {
				err = untilTheEnd()
				set.Close()
			}
			return err
		})
		w.RunFor(time.Second)
		w.Wait(w.Host("two").Run(nil, func(l *ringo.Loop) error {
			if _, err := set.Listen(l); !errors.Is(err, sim.ErrOutside) {
				t.Errorf("what was reserved on another host: %v", err)
			}
			return nil
		}))
	})
	tb.want(t, "has reserved")
}

// What a program has kept over a crash in variables that outlive it is gone, and not what has its number since.
func TestKeptOverACrash(t *testing.T) {
	sim.Run(t, 1, func(w *sim.World) {
		h := w.Host("here")
		var set *sock.ListenerSet
		var kept []interface{ Close() error }
		boots := 0
		p := h.Run(nil, func(l *ringo.Loop) error {
			if boots++; boots > 1 {
				f, err := file.Create("/other")
				if err != nil {
					return err
				}
				if _, err := set.Listen(l); !errors.Is(err, loop.ErrCrashed) {
					w.Errorf("Listen of a set from before a crash: %v", err)
				}
				set.Close()
				for _, k := range kept {
					if err := k.Close(); !errors.Is(err, loop.ErrCrashed) {
						w.Errorf("Close of a %T from before a crash: %v", k, err)
					}
				}
				if _, err := kept[0].(*file.File).WriteAt([]byte("old"), 0); !errors.Is(err, loop.ErrCrashed) {
					w.Errorf("WriteAt of a File from before a crash: %v", err)
				}
				if info, err := f.Stat(); err != nil || info.Size() != 0 {
					w.Errorf("another file has what was written to it: %v, %v", info, err)
				}
				return f.Close()
			}
			f, err := file.OpenFile("/file", os.O_RDWR|os.O_CREATE, 0o600)
			if err != nil {
				return err
			}
			d, err := file.OpenRoot("/")
			if err != nil {
				return err
			}
			r, wr, err := file.Pipe()
			if err != nil {
				return err
			}
			kept = append(kept, f, d, r, wr)
			if set, err = sock.Reserve("tcp", ":7000"); err != nil {
				return err
			}
			return untilTheEnd()
		})
		w.RunFor(time.Second)
		h.Crash()
		h.Restart()
		w.RunFor(time.Second)
		w.Check(w.Wait(p))
	})
}
