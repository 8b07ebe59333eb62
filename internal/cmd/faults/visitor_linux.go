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

// visitors are clients of one manner: so many, each of which calls visit again and again. What a visit fails with ought
// not to have been.
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

// visitor is one of them.
type visitor struct {
	*churn
	of   *chain
	from net.IP
	r    *rand.Rand
	quit <-chan struct{}
}

var addresses atomic.Uint32 // of visitors, so that none but a crowd has too many connections

// visit has all visitors of a chain come, again and again until quit.
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

// pauses waits for so many milliseconds at most; false: it is time to go.
func (v *visitor) pauses(most int) bool {
	select {
	case <-v.quit:
		return false
	case <-time.After(time.Duration(v.r.IntN(most)) * time.Millisecond):
		return true
	}
}

// dial connects.
func (v *visitor) dial() (*peer, error) {
	v.conns.Add(1)
	return dialFrom(v.of.addr, v.from)
}

// talk is dial of one who talks with what is behind a proxy, by TLS where its clients speak that.
func (v *visitor) talk() (*peer, error) {
	c, err := v.dial()
	if err == nil && v.of.secure {
		c.secure()
	}
	return c, err
}

// onConn is a visit of one connection, which ends with it.
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

// seed is one of a question that is short more often than not.
func (v *visitor) seed() uint64 {
	return v.r.Uint64N(1<<40)*uint64(len(sizes)) + uint64(min(v.r.IntN(12), v.r.IntN(5)))
}

// ask asks for an echo.
func (v *visitor) ask(c *peer) error {
	v.requests.Add(1)
	return echoes{}.ask(c, v.seed())
}

// keeps asks on one connection, over servers that start anew.
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

// halfCloses says that it has said all before it reads.
func (v *visitor) halfCloses(c *peer) error {
	v.requests.Add(1)
	b := noise(v.seed(), 20_000) // which sockets take
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

// resets leaves in the midst of a question.
func (v *visitor) resets(c *peer) error {
	if err := v.ask(c); err != nil {
		return err
	}
	if _, err := c.Write(noise(v.seed(), 50_000)); err != nil {
		return told(err)
	}
	return c.SetLinger(0)
}

// A slow reader has room for more than the longest segment of a loopback, which is 64 KiB: the kernel tells the other
// side of less room only when that asks, after times that double.
const (
	slowRoom  = 128 << 10
	slowPiece = 50_000
	slowPause = 100 * time.Millisecond
)

// readsSlowly takes what comes in little pieces.
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

// isSilent asks, and then wants to be reset for its silence.
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

// crowds has more connections at once than one peer may have: each is served, or reset.
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
			asked.Wait() // those who are served stay until all are, or know that they will not be
			if c != nil {
				c.Close()
			}
		})
	}
	all.Wait()
	return errors.Join(errs...)
}
