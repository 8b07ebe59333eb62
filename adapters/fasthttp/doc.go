// Package ringofasthttp serves by github.com/valyala/fasthttp in tasks, one for each connection, which costs less than
// its goroutines: docs/http.md has figures.
//
//	server := &fasthttp.Server{Handler: handle}
//	err := ringofasthttp.ListenAndServe(ctx, nil, ":8080", server)
//
// Handlers run in tasks of the connection's loop, and may wait in Ringo only. What of fasthttp waits otherwise, in
// handlers and in its client, is in docs/programs.md: SetBodyStreamWriter, TimeoutHandler and MaxConnWaitTimeout.
//
// When ctx ends the loops drain, without Shutdown of the Server: a RequestCtx is done, answers say "Connection: close",
// and connections end in order. Those that have rested for a second end at once, the others may ask once more within
// that second; those that have asked nothing yet have five seconds for it, or half of Config.Grace if that is less, as
// by default. Hijacked connections go on until their handlers end, or Grace. What Grace cuts off gets no answer.
//
// Dial is for fasthttp's clients.
package ringofasthttp
