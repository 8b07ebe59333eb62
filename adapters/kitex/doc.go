// Package ringokitex runs kitex on Ringo's loops: a transport for servers of github.com/cloudwego/kitex, in place of
// netpoll's, and a dialer for its clients.
//
//	srv := echo.NewServer(handler, server.WithTransServerFactory(ringokitex.NewTransServerFactory(nil)))
//	err := srv.Run()
//
// Everything else of kitex works as before: codecs, middleware, limits, retries, tracers, and the transport handlers.
// The connections that these get are netpoll.Connections, as with netpoll.
//
// # What runs where
//
// A connection stays on a loop. Its task reads a message in the buffers in which it arrived, and sends the answer
// together with those of other connections. In between kitex works on an ordinary goroutine: it decodes, calls the
// program's meta handlers, middleware and tracers, calls the service's method and encodes. All of these may wait for
// anything.
//
// With Config.Tasks kitex works in the connection's task, which saves the way to a goroutine and back. Then the
// program's handlers and middleware must wait only through Ringo; the middleware of [Goroutine] moves methods that
// can't to goroutines.
//
// # Protocols
//
// Tasks serve Thrift and Kitex Protobuf, framed, with TTHeader, or with neither. A gRPC connection, or one of TTHeader
// streams, has goroutines that wait for each other in channels, so it moves to a goroutine with its first bytes: it
// works as with netpoll, and gains nothing. Multiplexed connections (server.WithMuxTransport) need netpollmux, which
// uses netpoll's poller: Run of such a server fails, with an error that matches errors.ErrUnsupported.
//
// # Memory
//
// The buffers of a message are given back when kitex has read it (Release), so no-copy strings are valid for as long
// as with netpoll. A message that is larger than a buffer, or that lies in two, is received in one piece of memory of
// its own. That memory grows with the bytes that have arrived, whatever length the message's header announces. Between
// two messages a connection holds no buffer and no stack.
//
// # The end
//
// Stop, or a signal, first ends the server's transport handlers: answers tell clients that use TTHeader to leave
// (transmeta.ServerTTHeaderHandler). Then the loops drain: connected peers are served, new ones are not accepted, and
// a connection ends when no message has come for 100 ms. Connections that are still busy when ExitWaitTime is over are
// cut off, and Stop returns context.DeadlineExceeded.
//
// # Systems
//
// The package is for systems on which netpoll is kitex's default: Linux, Darwin and the BSDs. On others kitex's
// transport handlers need connections of its package gonet.
package ringokitex
