package socktls

import (
	"context"
	"crypto/tls"
	"net"
	"strings"
	"time"

	"ringo"
	"ringo/internal/dial"
	"ringo/internal/loop"
	"ringo/sock"
)

// A Dialer contains options for connecting and for TLS. The zero value is ready to use.
type Dialer struct {
	// NetDialer, if not nil, has the options for connecting. Its Timeout and Deadline also bound the handshake.
	NetDialer *sock.Dialer
	// Config is passed to Client. If its ServerName is empty the address's host is used. nil means the zero value.
	Config *tls.Config
}

// Dial connects to an address, as sock.Dial does, and does the handshake. config is as in Dialer. The
// connection belongs to l. Any goroutine may call it; a task parks.
func Dial(l *ringo.Loop, network, address string, config *tls.Config) (*Conn, error) {
	return (&Dialer{Config: config}).Dial(l, network, address)
}

// Dial is like the function Dial, with these options. Any goroutine may call it; a task parks.
func (d *Dialer) Dial(l *ringo.Loop, network, address string) (*Conn, error) {
	return d.DialContext(context.Background(), l, network, address)
}

// DialContext is like Dial, but ends with ctx; once it has returned, ctx has no effect. Any goroutine may call it; a
// task parks.
func (d *Dialer) DialContext(ctx context.Context, l *ringo.Loop, network, address string) (*Conn, error) {
	var connect sock.Dialer
	if d.NetDialer != nil {
		connect = *d.NetDialer
	}
	e := (*loop.Loop)(l)
	end := dial.End(ctx, e, connect.Timeout, connect.Deadline)
	raw, err := connect.DialContext(ctx, l, network, address)
	if err != nil {
		return nil, err
	}
	c := Client(raw, d.config(address))
	if err := c.handshakeUntil(ctx, e, end); err != nil {
		raw.Close()
		return nil, err
	}
	return c, nil
}

// handshakeUntil is HandshakeContext that ends at the time end, by the loop's clock; the zero time means no end. A task
// also waits by the loop's clock.
func (c *Conn) handshakeUntil(ctx context.Context, l *loop.Loop, end time.Time) error {
	if end.IsZero() {
		return c.HandshakeContext(ctx)
	}
	left := end.Sub(l.Clock())
	if own, _ := loop.Current(); own != nil {
		err := own.WithTimeout(left, func() error { return c.HandshakeContext(ctx) })
		if late, ok := err.(net.Error); ok && late.Timeout() && err != context.DeadlineExceeded {
			err = c.noTurn("handshake", dial.Slow)
		}
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, left)
	defer cancel()
	return c.HandshakeContext(ctx)
}

// config returns Config with the host of the address as ServerName, unless that is set.
func (d *Dialer) config(address string) *tls.Config {
	config := d.Config
	if config == nil {
		config = new(tls.Config)
	}
	if config.ServerName != "" {
		return config
	}
	config = config.Clone()
	config.ServerName = address
	if colon := strings.LastIndex(address, ":"); colon >= 0 {
		config.ServerName = address[:colon]
	}
	return config
}

// Func returns DialContext for a loop as a function of the type that other packages use, such as
// http.Transport.DialTLSContext.
func (d *Dialer) Func(l *ringo.Loop) func(ctx context.Context, network, address string) (net.Conn, error) {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		c, err := d.DialContext(ctx, l, network, address)
		if err != nil {
			return nil, err // a nil interface, not a nil *Conn
		}
		return c, nil
	}
}
