//go:build linux

package main

import (
	"context"

	"github.com/cloudwego/netpoll"
)

// serveNetpoll takes the received bytes without a copy and sends them, as the library's own echo does.
func serveNetpoll(listen string, ready func()) error {
	if err := netpoll.Configure(netpoll.Config{PollerNum: 1}); err != nil {
		return err
	}
	ln, err := netpoll.CreateListener("tcp", listen)
	if err != nil {
		return err
	}
	loop, err := netpoll.NewEventLoop(func(_ context.Context, c netpoll.Connection) error {
		r, w := c.Reader(), c.Writer()
		b, err := r.Next(r.Len())
		if err != nil {
			return err
		}
		if _, err := w.WriteBinary(b); err != nil {
			return err
		}
		if err := w.Flush(); err != nil {
			return err
		}
		return r.Release()
	})
	if err != nil {
		return err
	}
	ready() // the socket is listening already
	return loop.Serve(ln)
}
