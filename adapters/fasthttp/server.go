package ringofasthttp

import (
	"context"
	"errors"
	"io"
	"log"
	"net"
	"os"
	"reflect"
	"sync/atomic"
	"syscall"

	"github.com/valyala/fasthttp"
)

// server is a copy of the program's Server, for tasks only: Shutdown holds a lock that each ServeConn takes, so a
// Server that goroutines serve too could block a loop.
type server struct {
	fasthttp.Server
	ends     fasthttp.Server // its Shutdown closes RequestCtx.Done; it has no connections
	draining atomic.Bool
	serves   atomic.Int64 // connections being served
	full     atomic.Int64 // when the last rejection was logged, in ns
}

// forTasks copies the exported fields of a Server, and adds what it needs to drain.
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
	s.ends.MaxIdleWorkerDuration = 1              // in ns, for how long Serve leaves a goroutine behind
	if err := s.ends.Serve(ended{}); err != nil { // makes the channel of RequestCtx.Done
		return nil, err
	}
	to.Set(reflect.ValueOf(&s.ends).Elem())
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
	if s.Concurrency <= 0 {
		s.Concurrency = fasthttp.DefaultConcurrency
	}
	s.Handler = s.closing(of.Handler)
	s.ConnState = follow(of.ConnState)
	return s, nil
}

// ended is a listener that accepts nothing.
type ended struct{ net.Listener }

func (ended) Accept() (net.Conn, error) { return nil, io.EOF }
func (ended) Close() error              { return nil }

// drain notes that the drain has begun, on any loop.
func (s *server) drain() {
	if !s.draining.Swap(true) {
		_ = s.ends.Shutdown() //ringo:offloaded it has nothing to wait for
	}
}

// closing makes answers say "Connection: close" once the drain has begun.
func (s *server) closing(h fasthttp.RequestHandler) fasthttp.RequestHandler {
	return func(ctx *fasthttp.RequestCtx) {
		h(ctx)
		if s.draining.Load() {
			ctx.SetConnectionClose()
		}
	}
}

// isUsual reports whether an error is caused by the peer, or by the end of Grace: it is logged only if LogAllErrors is
// set.
func isUsual(err error) bool {
	for _, of := range []error{syscall.EPIPE, syscall.ECONNRESET, fasthttp.ErrSmallReadBuffer, io.ErrUnexpectedEOF,
		os.ErrDeadlineExceeded, fasthttp.ErrBadTrailer, context.Canceled} {
		if errors.Is(err, of) {
			return true
		}
	}
	return false
}
