// Package ringofasthttp serves github.com/valyala/fasthttp in tasks, one for each connection. That costs less than
// fasthttp's goroutines: docs/http.md has figures.
//
//	server := &fasthttp.Server{Handler: handle}
//	err := ringofasthttp.ListenAndServe(ctx, nil, ":8080", server)
//
// Handlers run in tasks of the connection's loop, and may wait only through Ringo. docs/programs.md lists the parts of
// fasthttp that wait in other ways, in handlers and in its client: SetBodyStreamWriter, TimeoutHandler and
// MaxConnWaitTimeout.
//
// When ctx ends the loops drain, without Shutdown of the Server: RequestCtx.Done is closed, answers say "Connection:
// close", and connections end in order. A connection that has been idle for a second ends at once; others may send one
// more request within that second. A connection that has sent no request yet has five seconds for its first, or half
// of Config.Grace if that is less, as it is by default. Hijacked connections go on until their handlers end, or until
// Grace is over. A request that Grace cuts off gets no answer.
//
// Dial is for fasthttp's clients.
package ringofasthttp
