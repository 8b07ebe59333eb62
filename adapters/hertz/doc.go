// Package ringohertz serves cloudwego/hertz on Ringo's loops: a network.Transporter, and a network.Conn for each
// connection.
//
//	h := server.Default(server.WithHostPorts(":8888"), server.WithTransport(ringohertz.NewTransporter))
//	h.GET("/ping", func(_ context.Context, ctx *app.RequestContext) { ctx.String(consts.StatusOK, "pong") })
//	h.Spin()
//
// Routers, middleware and handlers run unchanged. It serves TCP and Unix sockets, TLS and ALPN, hijacked connections,
// streamed bodies both ways, and SenseClientDisconnection.
//
// # Where a handler runs
//
// That is said once, and safe by default. With [NewTransporter] each connection has a goroutine, so that a handler may
// wait for anything. With Config.Tasks each has a task on its loop, which saves the way to another thread and back:
//
//	transport := &ringohertz.Config{Tasks: true}
//	h := server.Default(server.WithTransport(transport.NewTransporter))
//
// What runs in a task must wait through Ringo alone: whatever else waits, such as package net, database/sql or a
// sync.Mutex that is held for long, stops the loop. This one rule is for handlers and middleware, for OnAccept and
// OnConnect, for body streams, which are read after the handler has returned, and for hijack handlers. [Goroutine] is a
// middleware for those routes that have to wait for other things.
//
// # What a connection keeps
//
// Bytes are parsed in the buffers in which they arrived: a connection that waits for its next request holds none, one
// that is in a request holds one. Answers of up to 4096 bytes that tasks flush are sent at the end of the loop's turn,
// together with others'.
//
// # What differs from hertz's own transports
//
//   - Options.ReadTimeout and SetReadTimeout bound a time that begins with the first wait after they were set, as a
//     whole: a peer that sends a byte now and then does not prolong it. A write timeout bounds each Flush.
//   - Options.IdleTimeout 0 is no limit, as with package standard; netpoll would close each connection behind its
//     first answer.
//   - Options.Listener must be a listener of package net, since the loops take over its socket.
//   - OnAccept and OnConnect are called where the connection's handlers run.
//   - Engine.Shutdown drains the loops: see [Config.Linger] for connections between two requests, and Engine.Close cuts
//     off what is under way. What has not ended when the context of Shutdown does goes on until
//     Options.ExitWaitTimeout is over. Engine.Run returns when the last loop has ended.
//   - What has taken over a connection (Hijack) must not use it any more when its handler has returned.
package ringohertz
