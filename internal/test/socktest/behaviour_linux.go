//go:build linux

package socktest

import (
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"ringo"
	"ringo/internal/loop"
	"ringo/internal/race"
	"ringo/internal/test/patience"
	"ringo/sim"
	"ringo/sock"
)

// behaviourSeeds is how many worlds without faults each behaviour test runs in. Storms follow.
const behaviourSeeds = 3

// eachWorld runs f for simulated worlds, unless the test is excused from them. With -race it does not: a world has one
// thread, so there are no races to find, and the matrix covers worlds as well.
func eachWorld(t *testing.T, of string, f func(t *testing.T, cfg ringo.Config)) {
	name, _, _ := strings.Cut(t.Name(), "/")
	if (excuse(of, name) != "" || race.Enabled) && !OnlyWorlds() {
		return
	}
	t.Run(World, func(t *testing.T) {
		if OnlyWorlds() {
			hangsAfter, err := time.ParseDuration(os.Getenv(onlyWorldsEnv))
			if err != nil {
				t.Fatal(err)
			}
			defer time.AfterFunc(hangsAfter, func() {
				fmt.Println(t.Name(), "hangs")
				os.Exit(3)
			}).Stop()
		}
		f(t, ringo.Config{Driver: World, Loops: 1, Grace: 5 * time.Second})
	})
}

// worlds maps the loops of hosts to the worlds under way.
var worlds sync.Map // of *simulated, by *loop.Loop

// worldHere returns the world of the calling task, or nil if it is in none.
func worldHere() *simulated {
	l, _ := loop.Current()
	return worldOf((*ringo.Loop)(l))
}

func worldOf(l *ringo.Loop) *simulated {
	if s, ok := worlds.Load((*loop.Loop)(l)); ok {
		return s.(*simulated)
	}
	return nil
}

// onLoopInWorlds is OnLoop in worlds. The peers belong to a Run of their own, on another loop of the same host.
func onLoopInWorlds(t *testing.T, cfg ringo.Config, body func(l *ringo.Loop)) {
	t.Helper()
	if name, _, _ := strings.Cut(t.Name(), "/"); isPaced(name) {
		onLoopPaced(t, cfg, body)
		return
	}
	for seed := uint64(1); seed <= behaviourSeeds+stormsOf(t) && !t.Failed() && !t.Skipped(); seed++ {
		sim.Run(t, seed, func(w *sim.World) {
			s := &simulated{w: w, here: w.Host("here")}
			s.away = s.here
			if w.Seed() > behaviourSeeds {
				s.storm(true)
			}
			over := ringo.NewChan[struct{}](0)
			peers := s.here.Run(nil, func(l *ringo.Loop) error {
				s.l = l
				over.Recv()
				return nil
			})
			if !w.RunUntil(time.Second, func() bool { return s.l != nil }) {
				w.Errorf("the Run of the peers does not begin: %v", peers.Err())
				return
			}
			w.Check(w.Wait(s.here.Run(&cfg, func(l *ringo.Loop) error {
				worlds.Store((*loop.Loop)(l), s)
				defer worlds.Delete((*loop.Loop)(l))
				defer over.Close()
				body(l)
				Settle(t, l)
				return nil
			})))
		})
	}
}

// peer is a connection on the peers' side. A task of the test that uses it parks, and a goroutine waits.
type peer struct {
	l *ringo.Loop
	c *sock.Conn
	p *Paced // the paced world whose goroutines may use it; nil: none may
}

// do calls f in a task of the peers' loop.
func (p *peer) do(f func() error) (err error) {
	switch l, _ := loop.Current(); {
	case (*ringo.Loop)(l) == p.l:
		return f()
	case l == nil && p.p != nil:
		return p.p.ask(f)
	}
	p.l.Go(func() { err = f() }).Wait()
	return err
}

func (s *simulated) dialPeer(of *Paced, network, address string) (Peer, error) {
	p := &peer{l: s.l, p: of}
	err := p.do(func() (err error) {
		p.c, err = (&sock.Dialer{Timeout: patience.Max}).Dial(s.l, network, address)
		if err == nil {
			err = p.c.SetDeadline(s.now().Add(patience.Max))
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	p.c.SetBatching(false)
	return p, nil
}

func (p *peer) Read(b []byte) (n int, err error) {
	p.do(func() error { n, err = p.c.Read(b); return nil })
	return n, err
}

func (p *peer) Write(b []byte) (n int, err error) {
	p.do(func() error { n, err = p.c.Write(b); return nil })
	return n, err
}

func (p *peer) ReadFrom(r io.Reader) (n int64, err error) {
	p.do(func() error { n, err = p.c.ReadFrom(r); return nil })
	return n, err
}

func (p *peer) WriteTo(w io.Writer) (n int64, err error) {
	p.do(func() error { n, err = p.c.WriteTo(w); return nil })
	return n, err
}

func (p *peer) Close() error              { return p.do(p.c.Close) }
func (p *peer) CloseRead() error          { return p.do(p.c.CloseRead) }
func (p *peer) CloseWrite() error         { return p.do(p.c.CloseWrite) }
func (p *peer) SetLinger(sec int) error   { return p.do(func() error { return p.c.SetLinger(sec) }) }
func (p *peer) SetNoDelay(on bool) error  { return p.do(func() error { return p.c.SetNoDelay(on) }) }
func (p *peer) SetReadBuffer(n int) error { return p.do(func() error { return p.c.SetReadBuffer(n) }) }
func (p *peer) SetWriteBuffer(n int) error {
	return p.do(func() error { return p.c.SetWriteBuffer(n) })
}

func (p *peer) SetDeadline(t time.Time) error {
	return p.do(func() error { return p.c.SetDeadline(t) })
}

func (p *peer) SetReadDeadline(t time.Time) error {
	return p.do(func() error { return p.c.SetReadDeadline(t) })
}

func (p *peer) SetWriteDeadline(t time.Time) error {
	return p.do(func() error { return p.c.SetWriteDeadline(t) })
}

func (p *peer) LocalAddr() net.Addr                           { return p.c.LocalAddr() }
func (p *peer) RemoteAddr() net.Addr                          { return p.c.RemoteAddr() }
func (p *peer) SyscallConn() (raw syscall.RawConn, err error) { return p.c.SyscallConn() }
func (p *peer) File() (*os.File, error)                       { return p.c.File() }
