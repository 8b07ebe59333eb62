//go:build linux

package gnet_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"ringo"
	"ringo/adapters/gnet"
	"ringo/internal/test/patience"
	"ringo/internal/test/socktest"
	"ringo/internal/test/testmain"
)

func TestMain(m *testing.M) { testmain.Main(m) }

// funcs is an EventHandler of functions, each of which may be nil. It checks what holds for all handlers.
type funcs struct {
	t        *testing.T
	boot     func(eng gnet.Engine) gnet.Action
	open     func(c gnet.Conn) ([]byte, gnet.Action)
	traffic  func(c gnet.Conn) gnet.Action
	close    func(c gnet.Conn, err error) gnet.Action
	tick     func() (time.Duration, gnet.Action)
	opened   atomic.Int32
	closed   atomic.Int32
	shutdown atomic.Int32
	eng      gnet.Engine
}

func (f *funcs) OnBoot(eng gnet.Engine) gnet.Action {
	if f.eng = eng; eng.Validate() != nil || eng.CountConnections() != 0 {
		f.t.Errorf("Validate in OnBoot: %v, with %d connections", eng.Validate(), eng.CountConnections())
	}
	f.onLoop(false, "OnBoot")
	if f.boot != nil {
		return f.boot(eng)
	}
	return gnet.None
}

func (f *funcs) OnShutdown(eng gnet.Engine) {
	f.onLoop(false, "OnShutdown")
	if f.shutdown.Add(1); eng != f.eng || f.opened.Load() != f.closed.Load() {
		f.t.Errorf("OnShutdown with %d opened and %d closed", f.opened.Load(), f.closed.Load())
	}
}

func (f *funcs) OnOpen(c gnet.Conn) (out []byte, action gnet.Action) {
	f.opened.Add(1)
	f.onLoop(true, "OnOpen")
	c.SetContext(new(int))
	if f.open != nil {
		return f.open(c)
	}
	return nil, gnet.None
}

func (f *funcs) OnTraffic(c gnet.Conn) gnet.Action {
	f.onLoop(true, "OnTraffic")
	if *c.Context().(*int) > 0 {
		f.t.Error("OnTraffic behind OnClose")
	}
	if f.traffic != nil {
		return f.traffic(c)
	}
	return echo(c)
}

func (f *funcs) OnClose(c gnet.Conn, err error) gnet.Action {
	f.closed.Add(1)
	f.onLoop(true, "OnClose")
	if n := c.Context().(*int); *n > 0 {
		f.t.Error("OnClose was called twice")
	} else {
		*n++
	}
	if f.close != nil {
		return f.close(c, err)
	}
	return gnet.None
}

func (f *funcs) OnTick() (time.Duration, gnet.Action) {
	f.onLoop(false, "OnTick")
	return f.tick()
}

func (f *funcs) onLoop(want bool, what string) {
	if l, _ := ringo.Current(); (l != nil) != want {
		f.t.Errorf("%s on a loop: %v", what, l != nil)
	}
}

// echo is what OnTraffic of an echo does.
func echo(c gnet.Conn) gnet.Action {
	p, _ := c.Next(-1)
	c.Write(p)
	return gnet.None
}

// eachDriver runs f for the drivers that testmain.EachDriver plays.
func eachDriver(t *testing.T, f func(t *testing.T)) {
	t.Helper()
	socktest.EachDriver(t, func(t *testing.T, cfg ringo.Config) {
		t.Setenv("RINGO_DRIVER", cfg.Driver)
		f(t)
	})
}

// A served is an engine that runs on a Unix socket, or a TCP address.
type served struct {
	*funcs
	network, addr string
	ended         chan error
}

// address gives one that only this process has: the host of the loopback that its number names.
func address() string {
	pid := os.Getpid()
	return fmt.Sprintf("127.%d.%d.%d:%d", 1+pid>>15&127, 1+pid>>7&255%254, 1+pid&127, 10000+ports.Add(1))
}

var ports atomic.Int64

// serve starts an engine.
func serve(t *testing.T, f *funcs, opts ...gnet.Option) *served {
	return serveAt(t, "tcp", address(), f, opts...)
}

func serveAt(t *testing.T, network, addr string, f *funcs, opts ...gnet.Option) *served {
	t.Helper()
	f.t = t
	s := &served{f, network, addr, make(chan error, 1)}
	booted := make(chan struct{})
	if boot := f.boot; boot == nil {
		f.boot = func(gnet.Engine) gnet.Action { close(booted); return gnet.None }
	}
	go func() { s.ended <- gnet.Run(f, network+"://"+addr, opts...) }()
	select {
	case <-booted:
	case err := <-s.ended:
		t.Fatal(err)
	}
	return s
}

// stop ends it, and wants an orderly end.
func (s *served) stop(t *testing.T) {
	t.Helper()
	if err := s.eng.Stop(patience.Context(t)); err != nil {
		t.Errorf("Stop: %v", err)
	}
	s.end(t)
}

// end wants it to end.
func (s *served) end(t *testing.T) {
	t.Helper()
	if err := patience.Recv(t, "Run returns", s.ended); err != nil {
		t.Errorf("Run: %v", err)
	}
	if opened, closed := s.opened.Load(), s.closed.Load(); opened != closed || s.shutdown.Load() != 1 {
		t.Errorf("%d were opened, %d closed; OnShutdown was called %d times", opened, closed, s.shutdown.Load())
	}
	if !isShut(s.eng) || s.eng.CountConnections() != -1 {
		t.Errorf("behind the end: %v, %d connections", s.eng.Validate(), s.eng.CountConnections())
	}
}

func (s *served) dial(t *testing.T) net.Conn {
	t.Helper()
	c, err := net.DialTimeout(s.network, s.addr, patience.Max)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	c.SetDeadline(patience.Deadline())
	return c
}

// exchange sends p, and wants it back.
func exchange(c net.Conn, p []byte) error {
	sent := make(chan error, 1)
	go func() {
		_, err := c.Write(p)
		sent <- err
	}()
	return errors.Join(socktest.WantBytes(c, p), <-sent)
}

func isShut(eng gnet.Engine) bool {
	return eng.Validate() != nil && strings.Contains(eng.Validate().Error(), "shutdown") &&
		eng.Stop(context.Background()) == eng.Validate()
}
