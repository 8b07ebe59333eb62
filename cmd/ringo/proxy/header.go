package proxy

import (
	"net"
	"time"

	"ringo/cmd/ringo/internal/proxyproto"
	"ringo/sock"
)

// The versions of -send-proxy.
const (
	sendV1 = "v1"
	sendV2 = "v2"
)

// clientOf returns the addresses of the connection's client. With -accept-proxy it reads them from the PROXY header and
// consumes that alone; the bytes behind it stay in the connection's buffer. -header bounds the wait.
func (r *relay) clientOf(c *sock.Conn) (proxyproto.Header, error) {
	own := proxyproto.Header{Source: c.RemoteAddr(), Dest: c.LocalAddr()}
	if !r.o.accept {
		return own, nil
	}
	c.SetReadDeadline(time.Now().Add(r.o.header))
	defer c.SetReadDeadline(time.Time{})
	for size := 1; ; {
		p, err := c.Peek(max(size, c.Buffered()))
		if err != nil {
			return own, err
		}
		h, n, err := proxyproto.Parse(p)
		switch size = n; {
		case err != nil:
			return own, err
		case size > len(p):
			continue
		case h.Source == nil: // of the peer itself
			h = own
		}
		_, err = c.Discard(size)
		return h, err
	}
}

// introduce writes the PROXY header of -send-proxy to an upstream, if there is one to send.
func (r *relay) introduce(c net.Conn, client proxyproto.Header) (err error) {
	switch r.o.send {
	case sendV1:
		_, err = c.Write(client.AppendV1(nil))
	case sendV2:
		_, err = c.Write(client.AppendV2(nil))
	}
	return err
}
