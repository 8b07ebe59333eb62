package ringohertz

import (
	"context"
	"time"

	"github.com/cloudwego/hertz/pkg/common/config"
	"github.com/cloudwego/hertz/pkg/network"

	"ringo"
)

// A Config says how connections are served. The zero value of each field means its default. It must not be changed once
// a transporter was made of it.
type Config struct {
	// Run configures the loops; nil means all defaults, and one loop for each processor. If its Grace is 0,
	// Options.ExitWaitTimeout of hertz counts in its place.
	Run *ringo.Config
	// Tasks has each connection served in a task on its loop, and not on a goroutine. See "Where a handler runs".
	Tasks bool
	// Linger is how long a connection that waits for its next request may wait for one more when the server is shut
	// down. It is answered with Connection: close. So no request crosses with the server's close, which its client
	// could not make again if it is a POST. 0 closes such connections at once, as netpoll does.
	Linger time.Duration
	// Balance gives each connection to the loop that has the fewest: see sock.ListenConfig.Balance.
	Balance bool
}

// NewTransporter makes a transporter whose handlers run on goroutines, for server.WithTransport. Any goroutine may call
// it; it does not park.
func NewTransporter(options *config.Options) network.Transporter {
	return new(Config).NewTransporter(options)
}

// NewTransporter makes a transporter, for server.WithTransport. It sets an IdleTimeout of 0 to one that means no limit
// to hertz whatever the transporter. Any goroutine may call it; it does not park.
func (cfg *Config) NewTransporter(options *config.Options) network.Transporter {
	if options.IdleTimeout == 0 { // for which hertz would leave keep-alive to any transporter but its standard one
		options.IdleTimeout = -1
	}
	t := &transporter{cfg: *cfg, opt: options, done: ringo.NewChan[struct{}](0)}
	t.ctx, t.stop = context.WithCancel(context.Background())
	t.uncut, t.cut = context.WithCancel(context.Background())
	return t
}
