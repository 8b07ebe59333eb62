// Package sockhttp serves HTTP on Ringo's loops, for handlers of package net/http.
//
//	mux := http.NewServeMux()
//	mux.HandleFunc("GET /users/{id}", user)          // runs on a goroutine: any code works
//	mux.Handle("GET /ping", sockhttp.Task(ping))     // runs in a task: the fast way
//	err := sockhttp.ListenAndServe(ctx, nil, ":8080", mux)
//
// Handlers, middleware and routers run unchanged: [http.Request], [http.ResponseWriter] with Flush, Hijack and
// [http.ResponseController], Expect: 100-continue, trailers, chunked bodies both ways, upgrades, and a context that
// ends with the peer. It speaks HTTP/1.0, 1.1 and 2.
//
// # Where a handler runs
//
// A connection stays on its loop, which reads, parses and sends. A handler runs on an ordinary goroutine, so that it
// may wait for anything. A handler of [Task] runs in a task on the connection's loop, which saves the way to a
// goroutine and back: it must wait by Ringo alone, which ringovet checks. Routes are marked one by one where the
// server's handler is an [http.ServeMux]; with another router, mark the router and give the routes that may wait for
// other things to [Goroutine].
//
// # What differs from net/http
//
// Requests are read, and answers written, as net/http's server does, to the byte. It is stricter where servers
// disagree, which is what request smuggling is made of. It answers with 400: Content-Length beside Transfer-Encoding;
// Transfer-Encoding in HTTP/1.0; a folded line of Host, Content-Length or Transfer-Encoding; and a target such as
// "a:80", unless the method is CONNECT. It ends a chunked body with an error if an extension does not consist of tokens
// and quoted strings, or if a trailer ends in LF alone, or is Content-Length, Transfer-Encoding, Trailer or Host.
//
// Close of a request's body does not read: what is left of it is read before the answer, as if it had not been closed.
// A connection that ends while its peer is still sending is read for up to 500 ms first, so that the peer gets the
// answer. Where net/http waits as long, it does not read.
//
// A connection between two requests has no buffer and no stack.
//
// # HTTP/2
//
// Clients of TLS are offered HTTP/2, too, and others may begin with it where [Server.Protocols] has UnencryptedHTTP2.
// It is net/http's own, over Ringo's connections: each has goroutines, on which handlers run, marked or not. So it
// gains nothing. When the server ends or the program drains, peers get GOAWAY.
package sockhttp
