package socktls

import (
	"context"
	"crypto/tls"
	"net"
	"strings"

	"ringo"
	"ringo/sock"
)

// Dialer is how to connect and to secure the connection. The zero value is good.
type Dialer struct {
	// NetDialer, if not nil, connects. Its Timeout bounds the handshake, too.
	NetDialer *sock.Dialer
	// Config is for Client. Without a ServerName that is the address's host. nil: the zero value.
	Config *tls.Config
}

// Dial connects to an address, as sock.Dial does, and does the handshake. config is as in Dialer. The
// connection belongs to l. Any goroutine may call it; a task parks.
func Dial(l *ringo.Loop, network, address string, config *tls.Config) (*Conn, error) {
	return (&Dialer{Config: config}).Dial(l, network, address)
}

// Dial is the function Dial with this configuration.
func (d *Dialer) Dial(l *ringo.Loop, network, address string) (*Conn, error) {
	return d.DialContext(context.Background(), l, network, address)
}

// DialContext is Dial that ends with the context; once it has returned the context has no meaning. Any goroutine may
// call it; a task parks.
func (d *Dialer) DialContext(ctx context.Context, l *ringo.Loop, network, address string) (*Conn, error) {
	var connect sock.Dialer
	if d.NetDialer != nil {
		connect = *d.NetDialer
	}
	if connect.Timeout != 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, connect.Timeout)
		defer cancel()
	}
	raw, err := connect.DialContext(ctx, l, network, address)
	if err != nil {
		return nil, err
	}
	c := Client(raw, d.config(address))
	if err := c.HandshakeContext(ctx); err != nil {
		raw.Close()
		return nil, err
	}
	return c, nil
}

// config is Config with the name of who is dialled.
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

// Func returns DialContext for a loop in the shape that other packages ask for, such as http.Transport.DialTLSContext.
func (d *Dialer) Func(l *ringo.Loop) func(ctx context.Context, network, address string) (net.Conn, error) {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		c, err := d.DialContext(ctx, l, network, address)
		if err != nil {
			return nil, err // and no *Conn that is nil
		}
		return c, nil
	}
}
