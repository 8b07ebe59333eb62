package ringohertz

import (
	"crypto/tls"

	"github.com/cloudwego/hertz/pkg/network"

	"ringo/sock/socktls"
)

// A tlsConn is a TLS connection. hertz asks it for the protocol that was negotiated.
type tlsConn struct {
	*conn
	tls *socktls.Conn
}

// serverTLS puts TLS over a connection that has received nothing yet.
func (c *conn) serverTLS(config *tls.Config) network.Conn {
	t := socktls.Server(c.sc, config)
	c.nc, c.clear, c.leases = t, false, false
	return &tlsConn{c, t}
}

func (c *tlsConn) Handshake() error {
	c.limitRead()
	return c.tls.Handshake()
}

func (c *tlsConn) ConnectionState() tls.ConnectionState { return c.tls.ConnectionState() }
