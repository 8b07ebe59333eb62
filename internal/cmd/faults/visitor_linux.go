//go:build linux

package main

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// visitors are n clients of one manner. Each calls visit again and again; an error of visit is a failure.
type visitors struct {
	name  string
	n     int
	visit func(v *visitor) error
}

var tcpVisitors = []visitors{
	{"kept", 10, onConn((*visitor).keeps)},
	{"one each", 8, onConn((*visitor).asksOnce)},
	{"half closed", 4, onConn((*visitor).halfCloses)},
	{"reset", 4, onConn((*visitor).resets)},
	{"slow", 6, onConn((*visitor).readsSlowly)},
	{"silent", 3, onConn((*visitor).isSilent)},
	{"crowd", 1, (*visitor).crowds},
}

// visitor is one of these clients.
type visitor struct {
	*churn
	of   *chain
	from net.IP
	r    *rand.Rand
	quit <-chan struct{}
}

var addresses atomic.Uint32 // one per visitor, so that only a crowd exceeds peer-conns

// visit starts all visitors of a chain. They come again and again until quit is closed.
func (c *chain) visit(w *churn, all *sync.WaitGroup, quit <-chan struct{}) {
	for _, vs := range c.manner.visitors {
		for range vs.n {
			n := addresses.Add(1)
			v := &visitor{churn: w, of: c, from: net.IPv4(127, 1, byte(n>>8), byte(n)), quit: quit,
				r: rand.New(rand.NewPCG(uint64(n), 2))}
			all.Go(func() {
				for v.pauses(2000) {
					began := time.Now()
					if err := vs.visit(v); err != nil {
						w.cuts(fmt.Sprintf("%s, %s of %v", c.name, vs.name, v.from), began, err)
					}
				}
			})
		}
	}
}

// pauses sleeps for up to so many milliseconds. It returns false if quit is closed: then the visitor goes.
func (v *visitor) pauses(most int) bool {
	select {
	case <-v.quit:
		return false
	case <-time.After(time.Duration(v.r.IntN(most)) * time.Millisecond):
		return true
	}
}

// dial connects to the server.
func (v *visitor) dial() (*peer, error) {
	v.conns.Add(1)
	return dialFrom(v.of.addr, v.from)
}

// talk is dial, with TLS if the server's clients speak that.
func (v *visitor) talk() (*peer, error) {
	c, err := v.dial()
	if err == nil && v.of.secure {
		c.secure()
	}
	return c, err
}

// onConn returns a visit of one connection, which is closed at its end.
func onConn(visit func(v *visitor, c *peer) error) func(v *visitor) error {
	return func(v *visitor) error {
		c, err := v.talk()
		if err != nil {
			return err
		}
		defer c.Close()
		return visit(v, c)
	}
}

// seed returns the seed of a question, more often of a short one.
func (v *visitor) seed() uint64 {
	return v.r.Uint64N(1<<40)*uint64(len(sizes)) + uint64(min(v.r.IntN(12), v.r.IntN(5)))
}

// ask asks for an echo.
func (v *visitor) ask(c *peer) error {
	v.requests.Add(1)
	return echoes{}.ask(c, v.seed())
}

// keeps asks many times on one connection, across restarts of the server.
func (v *visitor) keeps(c *peer) error {
	for asks := 10 + v.r.IntN(100); asks > 0; asks-- {
		if err := v.ask(c); err != nil {
			return err
		}
		if !v.pauses(1000) {
			break
		}
	}
	return echoes{}.end(c)
}

func (v *visitor) asksOnce(c *peer) error {
	if err := v.ask(c); err != nil {
		return err
	}
	return echoes{}.end(c)
}

// halfCloses ends its output before it reads anything.
func (v *visitor) halfCloses(c *peer) error {
	v.requests.Add(1)
	b := noise(v.seed(), 20_000) // sockets have room for it
	if _, err := c.Write(b); err != nil {
		return told(err)
	}
	if err := c.CloseWrite(); err != nil {
		return told(err)
	}
	if err := c.same(b); err != nil {
		return told(err)
	}
	return c.over()
}

// resets resets the connection in the middle of a question.
func (v *visitor) resets(c *peer) error {
	if err := v.ask(c); err != nil {
		return err
	}
	if _, err := c.Write(noise(v.seed(), 50_000)); err != nil {
		return told(err)
	}
	return c.SetLinger(0)
}

// A slow reader's buffer is larger than the longest segment of a loopback, which is 64 KiB. With less room the kernel
// would announce it to the sender only when that probes, at intervals that double.
const (
	slowRoom  = 128 << 10
	slowPiece = 50_000
	slowPause = 100 * time.Millisecond
)

// readsSlowly reads in small pieces, with pauses.
func (v *visitor) readsSlowly(c *peer) error {
	c.SetReadBuffer(slowRoom)
	v.requests.Add(1)
	b := noise(v.seed(), 1_000_000)
	return c.both(b, func() error {
		for rest := b; len(rest) > 0; {
			n := min(len(rest), slowPiece)
			if err := c.same(rest[:n]); err != nil {
				return err
			}
			rest = rest[n:]
			time.Sleep(slowPause)
		}
		return nil
	})
}

// isSilent asks once, and then expects to be reset by -idle.
func (v *visitor) isSilent(c *peer) error {
	if err := v.ask(c); err != nil {
		return err
	}
	c.SetDeadline(time.Now().Add(patience))
	if _, err := c.r.ReadByte(); !errors.Is(err, syscall.ECONNRESET) {
		return fmt.Errorf("a connection that is silent: %v, want a reset", err)
	}
	v.idled.Add(1)
	return nil
}

// crowds opens more connections at once than one peer may have. Each has to be served, or reset.
func (v *visitor) crowds() error {
	return v.crowd(func(one *visitor) (io.Closer, error) {
		c, err := one.talk()
		if err != nil {
			return nil, err
		}
		return c, one.ask(c)
	})
}

func (v *visitor) crowd(ask func(one *visitor) (io.Closer, error)) error {
	var asked, all sync.WaitGroup
	errs := make([]error, crowds)
	asked.Add(crowds)
	for i := range errs {
		one := *v
		one.r = rand.New(rand.NewPCG(v.r.Uint64(), 3))
		all.Go(func() {
			c, err := ask(&one)
			if isCut(err) {
				v.refused.Add(1)
				err = nil
			}
			errs[i] = err
			asked.Done()
			asked.Wait() // those that are served stay until all others are served or refused
			if c != nil {
				c.Close()
			}
		})
	}
	all.Wait()
	return errors.Join(errs...)
}
