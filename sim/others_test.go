package sim_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"ringo"
	"ringo/internal/posix"
	"ringo/sim"
	"ringo/sock"
)

// A program whose loops share their work runs as it does elsewhere: one of them listens, and tasks of all accept and
// answer.
func TestLoopsShareTheirWork(t *testing.T) {
	sim.Explore(t, 5, func(w *sim.World) {
		w.Link = sim.Link{Latency: time.Millisecond, Jitter: time.Millisecond, Split: 0.2}
		served, handovers := make([]int, 3), 0
		server := w.Host("server").Run(&ringo.Config{Loops: len(served)}, func(l *ringo.Loop) error {
			if l.Index() > 0 {
				return untilTheEnd()
			}
			ln, err := sock.Listen(l, "tcp", ":7000")
			if err != nil {
				return err
			}
			for _, on := range l.Loops() {
				on.Go(func() {
					for {
						c, err := ln.AcceptConn()
						if errors.Is(err, net.ErrClosed) || !w.Check(err) {
							return
						}
						served[on.Index()]++
						n := 0
						for _, task := range l.Tasks() {
							if task.WaitOp == "accept" && strings.HasSuffix(task.Name, "handover).Run") {
								n++
							}
						}
						handovers = max(handovers, n)
						next := l.Loops()[(on.Index()+1)%len(served)]
						next.Go(func() { // c is the listener's loop's, was accepted on another, and is used on a third
							defer c.Close()
							io.Copy(c, c)
						})
					}
				})
			}
			return nil
		})
		var clients []*sim.Program
		for i := range 12 {
			clients = append(clients, w.Host(fmt.Sprint("client", i)).Run(nil, func(l *ringo.Loop) error {
				for range 5 {
					if err := asks(l, 5, 10*time.Millisecond); err != nil {
						return err
					}
				}
				return nil
			}))
		}
		w.Check(w.Wait(clients...))
		server.Drain()
		w.Wait(server)
		if slices.Contains(served, 0) {
			w.Errorf("the loops have served %d connections", served)
		}
		if handovers > 1 { // one stands for all who are in line
			w.Errorf("%d tasks of the listener's loop are to hand it over", handovers)
		}
	})
}

// untilTheEnd waits until the Run drains.
func untilTheEnd() error {
	_, err := ringo.NewChan[int](0).Recv()
	return err
}

// flood is more than a peer takes that does not read. It is made once: to clear it took half of what these tests take.
var flood = make([]byte, 64<<20)

// othersCalls is what tasks of other loops wait in. Each begins with what it needs, made by the owner.
var othersCalls = map[string]func(o *owned) error{
	"Accept":   func(o *owned) error { _, err := o.ln.AcceptConn(); return err },
	"Read":     func(o *owned) error { _, err := o.silent.Read(make([]byte, 10)); return err },
	"Peek":     func(o *owned) error { _, err := o.silent.Peek(10); return err },
	"Write":    func(o *owned) error { _, err := o.stuck.Write(flood); return err },
	"Copy":     func(o *owned) error { _, err := io.Copy(o.stuck, o.silent); return mustEnd(err) },
	"ReadFrom": func(o *owned) error { _, _, err := o.packet.ReadFrom(make([]byte, 10)); return err },
	"Dial": func(o *owned) error {
		_, err := (&sock.Dialer{Timeout: time.Hour}).Dial(o.l, "tcp", "nobody:7000") // whose way is cut
		return err
	},
}

func mustEnd(err error) error {
	if err == nil {
		return errors.New("a copy has ended without an error")
	}
	return err
}

// owned is what belongs to a loop.
type owned struct {
	l             *ringo.Loop
	ln            *sock.Listener
	silent, stuck *sock.Conn // whose peer says nothing, reads nothing
	packet        *sock.PacketConn
	ended         bool
}

func (o *owned) open(l *ringo.Loop) (err error) {
	o.l = l
	if o.ln, err = sock.Listen(l, "tcp", ":0"); err != nil {
		return err
	}
	if o.packet, err = sock.ListenPacket(l, "udp", ":0"); err != nil {
		return err
	}
	for _, c := range []**sock.Conn{&o.silent, &o.stuck} {
		if *c, err = sock.Dial(l, "tcp", "mute:7000"); err != nil {
			return err
		}
	}
	return nil
}

// Whatever becomes of a handle's loop, or of the loops whose tasks wait at it: nobody is left waiting, nothing is left
// open, and a second play is the same.
func TestTasksOfOtherLoopsAreToldTheEnd(t *testing.T) {
	ends := map[string]func(p *shared){
		"the owner's Run ends":  func(p *shared) { p.owner.Drain() },
		"the callers' Run ends": func(p *shared) { p.caller.Drain() },
		"both end":              func(p *shared) { p.caller.Drain(); p.owner.Drain() },
		"the host crashes":      func(p *shared) { p.h.Crash() },
		"the host is restarted": func(p *shared) { p.h.Crash(); p.h.Restart() },
		"the drivers die":       func(p *shared) { p.h.FailDriver(errDriver) },
		"all is closed": func(p *shared) {
			p.l.Go(p.silent.CloseSoon)
			p.l.Go(p.stuck.CloseSoon)
			p.l.Go(func() { p.ln.Close(); p.packet.Close() })
		},
	}
	for name, end := range ends {
		t.Run(name, func(t *testing.T) {
			var mu sync.Mutex // worlds are explored side by side
			hashes := map[uint64]uint64{}
			for range 2 {
				sim.Explore(t, 6, func(w *sim.World) {
					othersTold(w, end)
					mu.Lock()
					defer mu.Unlock()
					hashes[w.Seed()] ^= w.Hash()
				})
			}
			for seed, twice := range hashes {
				if twice != 0 {
					t.Errorf("seed %d has two histories", seed)
				}
			}
		})
	}
}

// shared is a host with two programs, one of which uses what belongs to the other.
type shared struct {
	*owned
	h             *sim.Host
	owner, caller *sim.Program
}

func othersTold(w *sim.World, end func(p *shared)) {
	w.Link = sim.Link{Latency: time.Millisecond}
	h, nobody := w.Host("here"), w.Host("nobody")
	w.Cut(h, nobody)
	w.Host("mute").Run(nil, func(l *ringo.Loop) error {
		ln, err := sock.Listen(l, "tcp", ":7000")
		if err != nil {
			return err
		}
		for {
			if _, err := ln.AcceptConn(); err != nil {
				return nil
			}
		}
	})
	w.RunFor(time.Millisecond)
	o, begun, told := new(owned), 0, 0
	owner := h.Run(&ringo.Config{Grace: -1}, func(l *ringo.Loop) error {
		if o.ended { // it was restarted
			return nil
		}
		if err := o.open(l); err != nil {
			return err
		}
		return untilTheEnd()
	})
	if !w.RunUntil(time.Second, func() bool { return o.stuck != nil }) {
		w.Errorf("the owner does not begin: %v", owner.Err())
		return
	}
	names := make([]string, 0, len(othersCalls))
	for name := range othersCalls {
		names = append(names, name)
	}
	slices.Sort(names)
	caller := h.Run(&ringo.Config{Loops: 2, Grace: -1}, func(l *ringo.Loop) error {
		switch {
		case o.ended: // it was restarted
			return nil
		case l.Index() > 0:
			return untilTheEnd()
		}
		for _, name := range names {
			for _, on := range l.Loops() { // two of each, of which one waits behind the other
				begun++
				on.Go(func() {
					err := othersCalls[name](o)
					if told++; !errors.Is(err, net.ErrClosed) && !errors.Is(err, context.Canceled) &&
						!errors.Is(err, errDriver) && !errors.Is(err, posix.ETIMEDOUT) {
						w.Errorf("%s of a task of another loop ends with %v", name, err)
					}
				})
			}
		}
		return nil
	})
	w.RunFor(time.Duration(w.Rand().IntN(20)) * time.Millisecond / 4)
	end(&shared{o, h, owner, caller})
	crashed := h.Down()
	o.ended = true
	w.RunUntil(time.Hour, func() bool { return told == begun })
	for _, p := range []*sim.Program{caller, owner} {
		p.Drain()
		if err := w.Wait(p); err != nil && !errors.Is(err, errDriver) && !errors.Is(err, sim.ErrCrashed) &&
			!errors.Is(err, context.Canceled) {
			w.Errorf("a program ends with %v", err)
		}
	}
	if open := h.Open(); open != 0 {
		w.Errorf("%d descriptors are left open", open)
	}
	if !crashed && told != begun {
		w.Errorf("%d calls were told of %d", told, begun)
	}
}

// When a Run has ended its addresses are free, although tasks of another one were in Accept.
func TestEndWaitsForAcceptsOfOthers(t *testing.T) {
	sim.Explore(t, 10, func(w *sim.World) {
		h := w.Host("here")
		var ln *sock.Listener
		listens := func(l *ringo.Loop) (err error) {
			ln, err = sock.Listen(l, "tcp", ":7000")
			return err
		}
		owner := h.Run(&ringo.Config{Grace: -1}, func(l *ringo.Loop) error {
			if err := listens(l); err != nil {
				return err
			}
			return untilTheEnd()
		})
		w.RunFor(time.Millisecond)
		caller := h.Run(nil, func(l *ringo.Loop) error {
			if _, err := ln.AcceptConn(); !errors.Is(err, net.ErrClosed) {
				w.Errorf("an accept has ended with %v", err)
			}
			return nil
		})
		w.RunFor(time.Millisecond)
		owner.Drain()
		w.RunUntil(time.Hour, owner.Ended)
		w.Check(w.Wait(h.Run(nil, listens)))
		w.Check(w.Wait(caller))
	})
}
