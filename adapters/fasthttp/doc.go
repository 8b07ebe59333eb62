// Package ringofasthttp serves by github.com/valyala/fasthttp in tasks, one for each connection, which costs less than
// its goroutines: docs/http.md has figures.
//
//	server := &fasthttp.Server{Handler: handle}
//	err := ringofasthttp.ListenAndServe(ctx, nil, ":8080", server)
//
// Handlers run in tasks of the connection's loop, and may wait in Ringo only. What of fasthttp waits otherwise, in
// handlers and in its client, is in docs/programs.md: SetBodyStreamWriter, TimeoutHandler and MaxConnWaitTimeout.
//
// A drain ends connections in order, without Shutdown of the Server: answers that come then say "Connection: close".
// Connections that rest for a second end, and those that have asked nothing yet have five seconds to do so. So a client
// that sends one request after the other loses none.
//
// Dial is for fasthttp's clients.
package ringofasthttp
