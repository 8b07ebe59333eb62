package ringokitex

import (
	"net"
	"time"

	"github.com/cloudwego/kitex/pkg/remote"

	"ringo"
	"ringo/sock"
)

// NewDialer makes a dialer for kitex clients, for client.WithDialer, whose connections belong to a loop. d says how to
// connect; nil means the defaults. Any goroutine may use the clients; their calls fail once the loop has ended. A task
// may not: a kitex client with a timeout waits for its call in a channel, which would stop the task's loop.
func NewDialer(l *ringo.Loop, d *sock.Dialer) remote.Dialer {
	own := &dialer{loop: l}
	if d != nil {
		own.d = *d
	}
	return own
}

type dialer struct {
	loop *ringo.Loop
	d    sock.Dialer
}

// DialTimeout connects, within the shorter of timeout and the Dialer's own.
func (d *dialer) DialTimeout(network, address string, timeout time.Duration) (net.Conn, error) {
	how := d.d
	if timeout > 0 && (how.Timeout <= 0 || timeout < how.Timeout) {
		how.Timeout = timeout
	}
	sc, err := how.Dial(d.loop, network, address)
	if err != nil {
		return nil, err
	}
	c := newConn(sc)
	c.kind = client
	return c, nil
}
