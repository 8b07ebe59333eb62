package ringofasthttp

import (
	"errors"
	"io"
	"log"
	"os"
	"reflect"
	"sync"
	"sync/atomic"
	"syscall"

	"github.com/valyala/fasthttp"
)

// server is a Server for tasks alone: one that goroutines serve, too, locks in Shutdown what each ServeConn takes.
type server struct {
	fasthttp.Server
	draining atomic.Bool
	conns    sync.Map // of net.Conn to *conn
}

// forTasks copies what is public of a Server, and adds what makes it drain.
func forTasks(of *fasthttp.Server) (*server, error) {
	if of == nil || of.Handler == nil {
		return nil, errors.New("ringofasthttp: no Server, or one without a Handler")
	}
	if of.MaxConnsPerIP != 0 {
		return nil, errors.New("ringofasthttp: Server.MaxConnsPerIP is not for tasks: set ConnsPerPeer of the Limits " +
			"of a sock.ListenConfig, and Serve its listener")
	}
	s := new(server)
	from, to := reflect.ValueOf(of).Elem(), reflect.ValueOf(&s.Server).Elem()
	for i := range from.NumField() {
		switch field := from.Type().Field(i); {
		case field.IsExported():
			to.Field(i).Set(from.Field(i))
		case field.Name == "nextProtos" && from.Field(i).Len() > 0:
			return nil, errors.New("ringofasthttp: a Server with protocols of NextProto is not for tasks")
		}
	}
	if s.Logger == nil {
		s.Logger = log.Default()
	}
	s.Handler = s.closing(of.Handler)
	s.ConnState = s.follow(of.ConnState)
	return s, nil
}

// closing has answers say, once the drain has begun, that no further request will have one.
func (s *server) closing(h fasthttp.RequestHandler) fasthttp.RequestHandler {
	return func(ctx *fasthttp.RequestCtx) {
		h(ctx)
		if s.draining.Load() {
			ctx.SetConnectionClose()
		}
	}
}

// ofPeer reports whether an error is what peers do, of which fasthttp tells only if LogAllErrors is set.
func ofPeer(err error) bool {
	for _, of := range []error{syscall.EPIPE, syscall.ECONNRESET, fasthttp.ErrSmallReadBuffer, io.ErrUnexpectedEOF,
		os.ErrDeadlineExceeded, fasthttp.ErrBadTrailer} {
		if errors.Is(err, of) {
			return true
		}
	}
	return false
}
