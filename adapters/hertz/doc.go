// Package ringohertz serves cloudwego/hertz on Ringo's loops. It has a network.Transporter, and a network.Conn for
// each connection.
//
//	h := server.Default(server.WithHostPorts(":8888"), server.WithTransport(ringohertz.NewTransporter))
//	h.GET("/ping", func(_ context.Context, ctx *app.RequestContext) { ctx.String(consts.StatusOK, "pong") })
//	h.Spin()
//
// Routers, middleware and handlers run unchanged. The package serves TCP and Unix sockets, TLS and ALPN, hijacked
// connections, streamed bodies in both directions, and SenseClientDisconnection.
//
// # Where a handler runs
//
// The program chooses this once, and the default is safe. With [NewTransporter] each connection has a goroutine, so a
// handler may wait for anything. With Config.Tasks each connection has a task on its loop, which saves the way to
// another thread and back:
//
//	transport := &ringohertz.Config{Tasks: true}
//	h := server.Default(server.WithTransport(transport.NewTransporter))
//
// Code that runs in a task must wait only through Ringo: any other wait, such as in package net, in database/sql or
// for a sync.Mutex that is held for long, stops the loop. This rule is for handlers and middleware, for OnAccept and
// OnConnect, for body streams, which are read after the handler has returned, and for hijack handlers. [Goroutine] is
// a middleware for routes that have to wait for other things.
//
// # What a connection keeps
//
// Bytes are parsed in the buffers in which they arrived: a connection that waits for its next request holds no buffer,
// and one that is in a request holds one. Answers of up to 4096 bytes that tasks flush are sent at the end of the
// loop's turn, together with those of other connections.
//
// # What differs from hertz's own transports
//
//   - Options.ReadTimeout and SetReadTimeout bound all reads that follow together, from the first that has to wait: a
//     peer that sends a byte now and then does not prolong the time. A write timeout bounds each Flush.
//   - Options.IdleTimeout 0 means no limit, as with package standard; netpoll would close each connection after its
//     first answer.
//   - Options.Listener must be a listener of package net, since the loops take over its socket.
//   - OnAccept and OnConnect are called where the connection's handlers run.
//   - Engine.Shutdown drains the loops; see [Config.Linger] for connections between two requests. Connections that have
//     not ended when the context of Shutdown ends go on until Options.ExitWaitTimeout is over. Engine.Close cuts all
//     connections off. Engine.Run returns when the last loop has ended.
//   - A hijack handler must not use its connection after it has returned, nor let others use it.
package ringohertz
