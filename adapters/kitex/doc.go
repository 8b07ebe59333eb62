// Package ringokitex has kitex serve and call on Ringo's loops: a transport for servers of
// github.com/cloudwego/kitex, in the place of netpoll's, and a dialer for its clients.
//
//	srv := echo.NewServer(handler, server.WithTransServerFactory(ringokitex.NewTransServerFactory(nil)))
//	err := srv.Run()
//
// Everything else of kitex is as it was: codecs, middleware, limits, retries, tracers, and the transport handlers,
// which find in a connection what they find in netpoll's, a netpoll.Connection.
//
// # Where what runs
//
// A connection stays on a loop, whose task reads a message in the buffers in which it arrived and sends the answer with
// those of other connections. In between kitex works on an ordinary goroutine: decodes, calls what the program has of
// meta handlers, middleware and tracers, calls the service's method and encodes. All of that may wait for anything.
//
// With Config.Tasks it works in the connection's task, which saves the way to a goroutine and back: then what the
// program has of such must wait by Ringo alone, and the middleware of [Goroutine] gives methods that can't to
// goroutines.
//
// # Protocols
//
// Thrift and Kitex Protobuf, with frames, with TTHeader and without either, go by tasks. A connection of gRPC or of
// streams by TTHeader has goroutines that wait for each other in channels, so it is a goroutine's from its first bytes
// on: it works as with netpoll, and gains nothing. Multiplexed connections (server.WithMuxTransport) are of netpollmux,
// which asks for netpoll's poller: Run of such a server fails, with an error that matches errors.ErrUnsupported.
//
// # Memory
//
// What a message was received in is given back when kitex has read it (Release), so what kitex calls no-copy strings is
// as with netpoll. A message that is larger than a buffer, or that lies in two, is received in one piece of memory of
// its own, which grows with what has come of it, whatever length its head says. Between two messages a connection holds
// no buffer and no stack.
//
// # The end
//
// Stop, or a signal, has the server's transport handlers end first: answers tell clients that use TTHeader to leave
// (transmeta.ServerTTHeaderHandler). Then the loops drain: peers that have connected are served, new ones are not
// accepted, and a connection ends when no message has come for 100 ms. What is still under way when ExitWaitTime is
// over is cut off, and Stop returns context.DeadlineExceeded.
//
// # Systems
//
// It is for systems on which kitex's own choice is netpoll, Linux, Darwin and the BSDs: on others kitex's transport
// handlers ask for connections of its package gonet.
package ringokitex
