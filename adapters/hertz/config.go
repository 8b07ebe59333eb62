package ringohertz

import (
	"context"
	"time"

	"github.com/cloudwego/hertz/pkg/common/config"
	"github.com/cloudwego/hertz/pkg/network"

	"ringo"
)

// A Config says how connections are served. The zero value of each field means its default. It must not be changed
// once a transporter was made with it.
type Config struct {
	// Run configures the loops; nil means all defaults, and one loop for each processor. If its Grace is 0,
	// Options.ExitWaitTimeout of hertz is used instead.
	Run *ringo.Config
	// Tasks serves each connection in a task on its loop instead of on a goroutine. See "Where a handler runs".
	Tasks bool
	// Linger is how long a connection between two requests may still send one when the server is shut down. The answer
	// to that request says "Connection: close". Without this, a request could cross with the server's close, and a
	// client can't safely send a POST again. 0 closes such connections at once, as netpoll does.
	Linger time.Duration
	// Balance gives each new connection to the loop that has the fewest: see sock.ListenConfig.Balance.
	Balance bool
}

// NewTransporter makes a transporter whose handlers run on goroutines, for server.WithTransport. Any goroutine may
// call it; it does not park.
func NewTransporter(options *config.Options) network.Transporter {
	return new(Config).NewTransporter(options)
}

// NewTransporter makes a transporter, for server.WithTransport. It sets an IdleTimeout of 0 in options to -1, which
// means no limit to hertz with every transporter. Any goroutine may call it; it does not park.
func (cfg *Config) NewTransporter(options *config.Options) network.Transporter {
	if options.IdleTimeout == 0 { // with 0, hertz keeps connections alive only on its standard transporter
		options.IdleTimeout = -1
	}
	t := &transporter{cfg: *cfg, opt: options, done: ringo.NewChan[struct{}](0)}
	t.ctx, t.stop = context.WithCancel(context.Background())
	t.uncut, t.cut = context.WithCancel(context.Background())
	return t
}
