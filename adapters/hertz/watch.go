package ringohertz

import (
	"context"
	"crypto/tls"
	"net"
	"time"

	"github.com/cloudwego/hertz/pkg/network"

	"ringo"
)

// long is a time in the past, for a deadline that ends a read at once.
var long = time.Unix(1, 0)

// A watch is a connection that hertz watches while a handler runs, so that the request's context ends when the peer
// leaves. It has the methods of hertz's internal StatefulConn.
type watch struct {
	*conn
	cancel context.CancelFunc
	end    ringo.WaitGroup
}

// watched returns the connection that hertz serves in place of served.
func (c *conn) watched(served network.Conn, cancel context.CancelFunc) network.Conn {
	w := &watch{conn: c, cancel: cancel}
	if t, ok := served.(*tlsConn); ok {
		return &watchTLS{w, t}
	}
	return w
}

// DetectConnectionClose waits for the next byte while the handler runs: in a task if the caller is one, else on a
// goroutine.
func (w *watch) DetectConnectionClose() {
	w.SetReadDeadline(time.Time{})
	w.end.Go(func() {
		if _, err := w.Peek(1); err != nil {
			if ne, ok := err.(net.Error); !ok || !ne.Timeout() { // a timeout comes from AbortBlockingRead
				w.cancel()
			}
		}
	})
}

// AbortBlockingRead ends the wait of DetectConnectionClose.
func (w *watch) AbortBlockingRead() {
	w.nc.SetReadDeadline(long)
	w.end.Wait()
	w.limited = true
}

// A watchTLS is a watch over TLS.
type watchTLS struct {
	*watch
	tls *tlsConn
}

func (w *watchTLS) Handshake() error { return w.tls.Handshake() }

func (w *watchTLS) ConnectionState() tls.ConnectionState { return w.tls.ConnectionState() }
