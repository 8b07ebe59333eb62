package ringohertz

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync/atomic"
	"syscall"

	"github.com/cloudwego/hertz/pkg/common/config"
	"github.com/cloudwego/hertz/pkg/common/hlog"
	"github.com/cloudwego/hertz/pkg/network"

	"ringo"
	"ringo/sock"
)

// errCut ends a Run at once. It never leaves this package.
var errCut = errors.New("ringohertz: the server was closed")

// A transporter is the loops of one hertz server.
type transporter struct {
	cfg Config
	opt *config.Options

	ctx   context.Context // stop ends it: the loops drain
	stop  context.CancelFunc
	uncut context.Context // cut ends it: the loops cancel their tasks
	cut   context.CancelFunc
	done  *ringo.Chan[struct{}] // closed when the loops have ended

	addr atomic.Pointer[net.Addr] // set once it listens; hertz reads it in each request
}

// ListenAndServe runs the loops until Shutdown or Close ends them. hertz calls it.
func (t *transporter) ListenAndServe(onData network.OnData) error {
	defer t.done.Close()
	set, err := t.listen()
	if err != nil {
		return err
	}
	defer network.UnlinkUdsFile(t.opt.Network, t.opt.Addr)
	defer set.Close()
	hlog.SystemLogger().Infof("HTTP server listening on address=%s", set.Addr().String())
	err = ringo.Run(t.ctx, t.runConfig(), func(l *ringo.Loop) error {
		ln, err := set.Listen(l)
		if err != nil {
			return err
		}
		return t.accept(l, ln, onData)
	})
	if errors.Is(err, errCut) {
		return nil
	}
	return err
}

// runConfig returns the program's Config.Run, with hertz's ExitWaitTimeout as the default of Grace.
func (t *transporter) runConfig() *ringo.Config {
	var run ringo.Config
	if t.cfg.Run != nil {
		run = *t.cfg.Run
	}
	if run.Grace == 0 {
		run.Grace = t.opt.ExitWaitTimeout
		if run.Grace <= 0 {
			run.Grace = -1
		}
	}
	return &run
}

// listen reserves the address for all loops.
func (t *transporter) listen() (set *sock.ListenerSet, err error) {
	if ln := t.opt.Listener; ln != nil {
		if _, ok := ln.(syscall.Conn); !ok {
			return nil, fmt.Errorf("ringohertz: Options.Listener is a %T, want one of package net: %w", ln,
				errors.ErrUnsupported)
		}
		set, err = sock.AdoptSet(ln, &sock.AdoptConfig{Balance: t.cfg.Balance})
	} else {
		network.UnlinkUdsFile(t.opt.Network, t.opt.Addr)
		lc := &sock.ListenConfig{Balance: t.cfg.Balance}
		if of := t.opt.ListenConfig; of != nil {
			lc.Control, lc.KeepAlive, lc.KeepAliveConfig = of.Control, of.KeepAlive, of.KeepAliveConfig
		}
		set, err = lc.Reserve(t.opt.Network, t.opt.Addr)
	}
	if err != nil {
		return nil, err
	}
	addr := set.Addr()
	t.addr.Store(&addr)
	return set, nil
}

// accept accepts a loop's connections until the program drains, and then waits for their end.
func (t *transporter) accept(l *ringo.Loop, ln *sock.Listener, onData network.OnData) error {
	var (
		open  ringo.WaitGroup
		count atomic.Int64
	)
	for {
		sc, err := ln.AcceptConn()
		if errors.Is(err, net.ErrClosed) {
			break
		}
		if err != nil {
			return err
		}
		open.Add(1)
		count.Add(1)
		serve := func() {
			defer open.Done()
			defer count.Add(-1)
			t.serve(sc, onData)
		}
		if t.cfg.Tasks {
			l.Go(serve)
		} else {
			go serve()
		}
	}
	err := open.WaitContext(t.uncut) // goroutines would not keep the loop from ending
	if t.uncut.Err() != nil {
		if count.Load() == 0 {
			return nil
		}
		return errCut
	}
	return err
}

// serve serves one connection by hertz's onData, in a task of its loop or on a goroutine.
func (t *transporter) serve(sc *sock.Conn, onData network.OnData) {
	c := t.newConn(sc)
	defer c.end()
	ctx := context.Background()
	if t.opt.OnAccept != nil {
		ctx = t.opt.OnAccept(c)
	}
	served := network.Conn(c)
	if t.opt.TLS != nil {
		served = c.serverTLS(t.opt.TLS)
	}
	if t.opt.OnConnect != nil {
		ctx = t.opt.OnConnect(ctx, served)
	}
	if t.opt.SenseClientDisconnection {
		var cancel context.CancelFunc
		ctx, cancel = context.WithCancel(ctx)
		defer cancel()
		served = c.watched(served, cancel)
	}
	onData(ctx, served)
}

// Shutdown stops listening and drains the loops. If connections have not ended when ctx ends, it returns ctx's error:
// they go on until ExitWaitTimeout is over, as with hertz's own transports, or until Close cuts them off.
func (t *transporter) Shutdown(ctx context.Context) error {
	t.stop()
	if t.Listener() == nil { // it does not listen yet, and will not accept
		return nil
	}
	if _, err := t.done.RecvContext(ctx); errors.Is(err, ringo.ErrClosed) {
		return nil
	}
	return ctx.Err()
}

// Close cuts all connections off, and waits for the loops to end.
func (t *transporter) Close() error {
	t.stop()
	t.cut()
	if t.Listener() != nil {
		t.done.Recv()
	}
	return nil
}

// Listener returns a listener that has the address, or nil before there is one. hertz and its tests look for this
// method.
func (t *transporter) Listener() net.Listener {
	if t.addr.Load() == nil {
		return nil
	}
	return listener{t}
}

// A listener stands for the listeners of all loops.
type listener struct{ t *transporter }

func (ln listener) Addr() net.Addr { return *ln.t.addr.Load() }

// Close is Close of the transporter.
func (ln listener) Close() error { return ln.t.Close() }

// Accept fails: the loops accept all connections.
func (ln listener) Accept() (net.Conn, error) {
	return nil, &net.OpError{Op: "accept", Net: ln.Addr().Network(), Addr: ln.Addr(), Err: errors.ErrUnsupported}
}
