package event_test

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"ringo"
	"ringo/event"
	"ringo/internal/posix"
	"ringo/internal/test/patience"
	"ringo/internal/test/socktest"
	"ringo/internal/test/testmain"
)

func TestMain(m *testing.M) {
	testmain.Register("slots and buffers of loops that have ended", socktest.Left)
	testmain.Main(m)
}

// eachDriver runs f for the drivers that testmain.EachDriver plays.
func eachDriver(t *testing.T, f func(t *testing.T, cfg ringo.Config)) {
	t.Helper()
	socktest.EachDriver(t, f)
}

// onLoop runs body as the first task of one loop, and waits until nothing is active on it; then nothing may be left.
func onLoop(t *testing.T, cfg ringo.Config, body func(l *event.Loop)) {
	t.Helper()
	socktest.OnLoop(t, cfg, func(l *ringo.Loop) {
		e := event.On(l)
		body(e)
		if err := e.Wait(); err != nil {
			t.Errorf("Wait: %v", err)
		}
	})
}

// funcs is a Handler of functions, each of which may be nil.
type funcs struct {
	event.Base
	open     func(c *event.Conn)
	data     func(c *event.Conn, p []byte) int
	end      func(c *event.Conn)
	writable func(c *event.Conn)
	timeout  func(c *event.Conn, what event.Timeout)
	close    func(c *event.Conn, err error)
}

func (f *funcs) OnOpen(c *event.Conn) {
	if f.open != nil {
		f.open(c)
	}
}

func (f *funcs) OnData(c *event.Conn, p []byte) int {
	if f.data != nil {
		return f.data(c, p)
	}
	return len(p)
}

func (f *funcs) OnEnd(c *event.Conn) {
	if f.end != nil {
		f.end(c)
	} else {
		f.Base.OnEnd(c)
	}
}

func (f *funcs) OnWritable(c *event.Conn) {
	if f.writable != nil {
		f.writable(c)
	}
}

func (f *funcs) OnTimeout(c *event.Conn, what event.Timeout) {
	if f.timeout != nil {
		f.timeout(c, what)
	} else {
		f.Base.OnTimeout(c, what)
	}
}

func (f *funcs) OnClose(c *event.Conn, err error) {
	if f.close != nil {
		f.close(c, err)
	}
}

// packets is a PacketHandler of functions, each of which may be nil.
type packets struct {
	event.PacketBase
	open     func(c *event.PacketConn)
	datagram func(c *event.PacketConn, d event.Datagram)
	error    func(c *event.PacketConn, err error)
	writable func(c *event.PacketConn)
	close    func(c *event.PacketConn, err error)
}

func (p *packets) OnOpen(c *event.PacketConn) {
	if p.open != nil {
		p.open(c)
	}
}

func (p *packets) OnDatagram(c *event.PacketConn, d event.Datagram) {
	if p.datagram != nil {
		p.datagram(c, d)
	}
}

func (p *packets) OnError(c *event.PacketConn, err error) {
	if p.error != nil {
		p.error(c, err)
	}
}

func (p *packets) OnWritable(c *event.PacketConn) {
	if p.writable != nil {
		p.writable(c)
	}
}

func (p *packets) OnClose(c *event.PacketConn, err error) {
	if p.close != nil {
		p.close(c, err)
	}
}

// pair has h be called for one connection, and play run on a goroutine with the other end of it, which is closed
// behind it. What play returns fails the test.
func pair(t *testing.T, cfg ringo.Config, h event.Handler, play func(peer *net.TCPConn) error) {
	t.Helper()
	onLoop(t, cfg, func(l *event.Loop) {
		addr := listenOnce(t, l, h)
		outside(t, l, func() error {
			c, err := dialPeer(addr)
			if c == nil {
				return err
			}
			defer c.Close()
			c.SetDeadline(patience.Deadline())
			return play(c)
		})
	})
}

// dialPeer dials the peer of a connection. It returns nil if OnOpen has dropped something and the dial has looked late.
func dialPeer(addr string) (*net.TCPConn, error) {
	c, err := net.DialTimeout("tcp", addr, patience.Max)
	switch {
	case errors.Is(err, posix.ECONNRESET):
		return nil, nil
	case err != nil:
		return nil, err
	}
	return c.(*net.TCPConn), nil
}

// listenOnce listens for one connection.
func listenOnce(t *testing.T, l *event.Loop, h event.Handler) (addr string) {
	t.Helper()
	var ln *event.Listener
	ln, err := l.Listen("tcp", "127.0.0.1:0", &once{h, func() { ln.Close() }})
	if err != nil {
		t.Fatal(err)
	}
	return ln.Addr().String()
}

// once is a Handler of the first connection of a listener.
type once struct {
	event.Handler
	opened func()
}

func (o *once) OnOpen(c *event.Conn) {
	o.opened()
	c.SetHandler(o.Handler)
	o.Handler.OnOpen(c)
}

// outside runs play on a goroutine, as a task that the test's loop waits for.
func outside(t *testing.T, l *event.Loop, play func() error) {
	t.Helper()
	l.Ringo().Go(func() {
		err := l.Ringo().Offload(func(context.Context) error { return play() })
		if err != nil {
			t.Error(err)
			l.Stop()
		}
	})
}

// sources is a file that streams have parts of.
func sources(t *testing.T) string {
	name := filepath.Join(t.TempDir(), "f")
	if err := os.WriteFile(name, socktest.Prefix(streamMax), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

const streamMax = 2 << 20

// stillClock goes on only when it is told to.
type stillClock struct{ ns atomic.Int64 }

func (c *stillClock) now() time.Time { return time.Unix(1000, c.ns.Load()) }

func (c *stillClock) jump(d time.Duration) { c.ns.Add(int64(d)) }
