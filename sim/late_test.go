package sim_test

import (
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"ringo"
	"ringo/sim"
	"ringo/sock"
)

// A host that stands still again and again hears somebody all the time, for whom it has deadlines: none of them passes,
// though the host goes on behind it, since the bytes are there by then.
func TestStandingStillIsNotLate(t *testing.T) {
	const (
		every   = 10 * time.Millisecond
		limit   = 5 * every
		streams = 4
		lasts   = 3 * time.Second
	)
	var heard atomic.Int64 // in all worlds
	sim.Explore(t, 5, func(w *sim.World) {
		w.Link.Latency = time.Millisecond
		server, client := w.Host("server"), w.Host("client")
		over := false
		hears := func(l *ringo.Loop, what string, c interface {
			Read(p []byte) (int, error)
			SetReadDeadline(t time.Time) error
		}) {
			scoped := w.Rand().IntN(2) == 0 // what ends the read: a WithTimeout, or a deadline
			for p := make([]byte, 1); !over; heard.Add(1) {
				read := func() error { _, err := c.Read(p); return err }
				var err error
				if scoped {
					err = l.WithTimeout(limit, read)
				} else if err = c.SetReadDeadline(l.Now().Add(limit)); err == nil {
					err = read()
				}
				if err != nil && !over {
					w.Errorf("%s, WithTimeout %v: %v", what, scoped, err)
					return
				}
			}
		}
		server.Run(&ringo.Config{Budget: 1}, func(l *ringo.Loop) error {
			ln, err := sock.Listen(l, "tcp", ":7000")
			if err != nil {
				return err
			}
			u, err := sock.ListenPacket(l, "udp", ":7000")
			if err != nil {
				return err
			}
			for range streams {
				c, err := ln.AcceptConn()
				if err != nil {
					return err
				}
				l.Go(func() { hears(l, "a connection", c) })
			}
			if _, _, err = u.ReadFrom(make([]byte, 1)); err == nil {
				hears(l, "datagrams", packets{u})
			}
			return err
		})
		c := client.Run(nil, func(l *ringo.Loop) error {
			var all []interface{ Write(p []byte) (int, error) }
			for range streams {
				c, err := sock.Dial(l, "tcp", "server:7000")
				if err != nil {
					return err
				}
				all = append(all, c)
			}
			u, err := sock.DialPacket(l, "udp", "server:7000")
			if err != nil {
				return err
			}
			w.Storm(lasts, sim.Storm{Hosts: []*sim.Host{server}, Pause: 2 * limit, Still: 2 * limit})
			for all = append(all, u); w.Elapsed() < lasts; {
				for _, c := range all {
					if _, err := c.Write([]byte("x")); err != nil {
						return fmt.Errorf("a write: %w", err)
					}
				}
				if err := l.Sleep(every); err != nil {
					return err
				}
			}
			over = true
			return nil
		})
		w.Check(w.Wait(c))
	})
	if heard.Load() == 0 {
		t.Error("nothing was heard")
	}
}

// packets are read without asking whose they are.
type packets struct{ *sock.PacketConn }

func (c packets) Read(p []byte) (int, error) {
	n, _, err := c.ReadFrom(p)
	return n, err
}
