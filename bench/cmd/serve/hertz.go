package main

import (
	"context"
	"io"
	"net"
	"net/http"
	"time"

	"github.com/cloudwego/hertz/pkg/app"
	"github.com/cloudwego/hertz/pkg/app/server"
	"github.com/cloudwego/hertz/pkg/common/config"
	"github.com/cloudwego/hertz/pkg/common/hlog"
	"github.com/cloudwego/hertz/pkg/network"
	"github.com/cloudwego/hertz/pkg/network/netpoll"
	"github.com/cloudwego/hertz/pkg/network/standard"

	"ringo"
	ringohertz "ringo/adapters/hertz"
)

func newHertz(*options) (*program, error) {
	return &program{whole: serveHertz(standard.NewTransporter)}, nil
}

func newHertzNetpoll(*options) (*program, error) {
	return &program{whole: serveHertz(netpoll.NewTransporter)}, nil
}

// serveHertz serves hertz on the transport of others, or on Ringo's if -on is a driver.
func serveHertz(others func(*config.Options) network.Transporter) func(context.Context, *options, announced) error {
	return func(ctx context.Context, o *options, ready announced) error {
		var transport network.Transporter
		newer := others
		if o.on != onNet {
			newer = (&ringohertz.Config{Tasks: o.handler == perConn,
				Run: &ringo.Config{Driver: o.on, Loops: 1, Start: func(l *ringo.Loop) error {
					ready(transport.(interface{ Listener() net.Listener }).Listener().Addr(), l.Info().Name)
					return nil
				}}}).NewTransporter
		}
		hlog.SetOutput(io.Discard)
		h := server.New(server.WithHostPorts(o.listen), server.WithDisablePrintRoute(true),
			server.WithTransport(func(opt *config.Options) network.Transporter {
				transport = newer(opt)
				return transport
			}))
		answers(h, o.size)
		context.AfterFunc(ctx, func() { h.Close() })
		ended := make(chan error, 1)
		go func() { ended <- h.Run() }()
		if o.on == onNet {
			for !h.IsRunning() {
				time.Sleep(time.Millisecond)
			}
			ready(transport.(interface{ Listener() net.Listener }).Listener().Addr(), o.on)
		}
		return <-ended
	}
}

// answers adds a route with a body of size bytes, and one with a message that hertz's own encoder encodes.
func answers(h *server.Hertz, size int) {
	p := body(size)
	h.GET("/", func(_ context.Context, ctx *app.RequestContext) { ctx.Data(http.StatusOK, "text/plain", p) })
	h.GET("/json", func(_ context.Context, ctx *app.RequestContext) {
		ctx.JSON(http.StatusOK, struct {
			Message string `json:"message"`
		}{"Hello, World!"})
	})
}
