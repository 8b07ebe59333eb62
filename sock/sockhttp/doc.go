// Package sockhttp serves HTTP on Ringo's loops, for handlers of package net/http, and has a Transport with which an
// [http.Client] works in tasks.
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
// Each request has memory of its own, which a handler may keep. A handler of [TaskReusing] keeps none of it, so that
// the next request needs no other.
//
// [FileServer] serves files in tasks, with what http.FileServer answers.
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
// A connection between two requests has no buffer and, if it is of HTTP/1 and in the clear, no stack.
//
// # HTTP/2
//
// Clients of TLS are offered HTTP/2, too, and others may begin with it where [Server.Protocols] has UnencryptedHTTP2.
// Its handlers run where those of HTTP/1 do, those of one connection side by side. They see and send what they do with
// net/http's server, which is stricter with HTTP/2: where this one is stricter still, it resets the stream. That is for
// a Host that is not the :authority, a host with characters that none has, a method that is no token, Content-Length
// twice, and one beside a head that ends the stream. There is no push, and no extended CONNECT.
//
// A connection takes frames of 16 KiB, and bodies of 1 MiB that no handler has read, of all its streams together;
// [Server.HTTP2] sets other bounds. It has 250 streams at once. One that was reset counts until its handler returns:
// up to 1000 more wait for that, and then the connection ends. Handlers that write wait while 64 KiB are to be sent.
// Peers that make the server work for nothing are disconnected with ENHANCE_YOUR_CALM: one count has resets of either
// side, PING, SETTINGS, PRIORITY, CONTINUATION, empty frames and WINDOW_UPDATE, and goes down with time and with what
// is sent to them. When the server ends or the program drains, peers get GOAWAY, and answers that are under way. Their
// connections are closed when they have closed theirs, have said nothing for 5 s, or a minute later.
//
// # The client
//
//	client := &http.Client{Transport: &sockhttp.Transport{Proxy: http.ProxyFromEnvironment}}
//
// net/http's own Transport would stop the loop of a task, since it waits in channels. This one makes a task's request
// on the task's loop, by HTTP/1.1 and HTTP/2: it connects by package sock, with TLS by socktls, keeps connections by
// loop, and needs a second task only to send a body that is not in memory. Requests of goroutines are made by an
// [http.Transport] with the same settings, and for tasks, too, it does what a loop can't, on a goroutine: proxies of
// SOCKS, and hosts whose names are not ASCII. In worlds of package sim these fail.
//
// With TLS the server chooses between those of HTTP/2 and HTTP/1.1 that Protocols has. In the clear it is HTTP/1.1, or
// HTTP/2 where Protocols has UnencryptedHTTP2 and not HTTP1. A request that asks for another protocol (Upgrade) goes by
// HTTP/1.1.
//
// Requests of a loop's tasks to one host share a connection of HTTP/2, those of different loops don't. Beyond the
// streams that its server allows there are further connections, or, at MaxConnsPerHost, a request waits for a stream or
// a place; one of another loop waits until the connection has no streams, for as long as its own loop has requests.
// While it has streams a task reads it, so a body that is not closed keeps Run from ending; at rest it has none, and it
// is kept, and given up, as one of HTTP/1. Requests are made again, up to six times, that the server has not looked at,
// by its GOAWAY or REFUSED_STREAM: net/http's rule. An answer that is not read holds up to 4 MiB ([Transport.HTTP2]
// sets other windows). Servers that make the client work for nothing are disconnected as clients are.
//
// All waits of a request end with its context, which includes http.Client.Timeout, and with the task's own: a cancel,
// Loop.WithTimeout, Loop.WithContext. Answers are read by [http.ReadResponse], requests are written, and made again on
// another connection, by net/http's rules. In a task these differ:
//
//   - A request waits for the connection that it makes, also if another becomes idle meanwhile.
//   - Bytes behind an answer end the connection, where net/http may take them for the next answer.
//   - A peer that stops reading a request is heard all the same: its answer counts, and not the error of the write.
//   - A body of unknown length of a GET, HEAD, DELETE, OPTIONS, PROPFIND or SEARCH is asked for its first byte before
//     the head is sent, for as long as that takes; net/http goes on after 200 ms.
//   - An answer of HTTP/2 must not have fields of HTTP/1's connections, a status that is not three digits, a wrong
//     Content-Length, more than it says, a body of 204 or 304, or one of 101 before it. It may have a Content-Length
//     with 204 or 304. There is no extended CONNECT. What is left of a request's body is sent until the answer has
//     come, whatever its status.
//   - A request's Cancel channel, which is deprecated, is not heard.
//   - A body must be closed or read to its end, as always; the end of its request's context alone does not close its
//     connection.
//   - Hooks of net/http/httptrace, Proxy, DialContext and a body's Read run in tasks: they must wait through Ringo
//     alone.
package sockhttp
