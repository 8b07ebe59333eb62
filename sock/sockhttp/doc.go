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
// goroutine and back: it must wait by Ringo alone, which ringovet checks. If the server's handler is an
// [http.ServeMux], mark its routes one by one; with another router, mark the router and wrap the routes that may wait
// for other things in [Goroutine].
//
// Each request has memory of its own, which a handler may keep. A handler of [TaskReusing] keeps none of it, so the
// next request can use the same.
//
// [FileServer] serves files in tasks, with the answers of http.FileServer.
//
// # What differs from net/http
//
// Requests are read, and answers written, as net/http's server does, to the byte. It is stricter where servers
// disagree, since request smuggling exploits that. It answers with 400: Content-Length beside Transfer-Encoding;
// Transfer-Encoding in HTTP/1.0; a folded line of Host, Content-Length or Transfer-Encoding; a target such as "a:80",
// unless the method is CONNECT; and a target that is a whole URL, with a host that a Host line must not have. It ends a
// chunked body with an error if an extension does not consist of tokens and quoted strings, or if a trailer ends in LF
// alone, or is Content-Length, Transfer-Encoding, Trailer or Host.
//
// Close of a request's body does not read: what is left of it is read before the answer, as if it had not been closed.
// A connection that ends while its peer is still sending is read for up to 500 ms first, so that the peer gets the
// answer. net/http waits as long, but does not read. An http.MaxBytesReader that has reached its limit does not end the
// connection, as it does there: the rest of a body of up to 256 KiB more is read.
//
// An answer that a handler breaks off by a panic, and that ends with its connection, as those to HTTP/1.0 do, is ended
// by a reset, and by TLS without close_notify, so that its client does not take it for whole.
//
// A connection between two requests has no buffer and, if it is of HTTP/1 and in the clear, no stack.
//
// # HTTP/2
//
// TLS clients are offered HTTP/2, too, and others may begin with it if [Server.Protocols] has UnencryptedHTTP2.
// Handlers run where those of HTTP/1 do, those of one connection side by side. They see and send the same as with
// net/http's server, which is stricter with HTTP/2. This one is stricter still: it resets the stream for a Host that is
// not the :authority, a host with invalid characters, a method that is not a token, a repeated Content-Length, and a
// Content-Length other than 0 in a head that ends the stream. There is no push, and no extended CONNECT.
//
// A connection accepts frames of 16 KiB, and 1 MiB of bodies that no handler has read, for all its streams together;
// [Server.HTTP2] sets other bounds. It has up to 250 streams at once. A stream that was reset counts until its handler
// returns: up to 1000 more wait for that, and then the connection ends. Handlers that write wait while 64 KiB are
// unsent. Peers that make the server work for nothing are disconnected with ENHANCE_YOUR_CALM: one counter counts
// resets by either side, PING, SETTINGS, PRIORITY, CONTINUATION, empty frames and WINDOW_UPDATE, and goes down with
// time and with what is sent to them. When the server ends or the program drains, peers get GOAWAY and the answers that
// are under way. Then a connection is closed when its peer has closed it or has sent nothing for 5 s, after a minute at
// the latest.
//
// # The client
//
//	client := &http.Client{Transport: &sockhttp.Transport{Proxy: http.ProxyFromEnvironment}}
//
// net/http's own Transport would stop the loop of a task, since it waits on channels. This one makes a task's request
// on the task's loop, by HTTP/1.1 and HTTP/2: it connects by package sock, with TLS by socktls, keeps connections per
// loop, and needs a second task only to send a body that is not in memory. Requests of goroutines are made by an
// [http.Transport] with the same settings. On a goroutine it also makes those requests of tasks that a loop can't make:
// by SOCKS proxies, and to hosts whose names are not ASCII. In worlds of package sim these fail.
//
// With TLS the server chooses among HTTP/2 and HTTP/1.1, as far as Protocols has them. In the clear it is HTTP/1.1, or
// HTTP/2 if Protocols has UnencryptedHTTP2 and not HTTP1. A request that asks for another protocol (Upgrade) goes by
// HTTP/1.1.
//
// Requests of a loop's tasks to one host share a connection of HTTP/2, those of different loops don't. When its server
// allows no more streams, another connection is made or, at MaxConnsPerHost, a request waits for a stream or a
// connection; a request of another loop waits until the connection has no streams, for as long as that connection's
// loop has requests. While a connection has streams a task reads it, so a body that is not closed keeps Run from
// ending; at rest it has no task, and is kept and closed like one of HTTP/1. Requests that the server has not
// processed, as its GOAWAY or REFUSED_STREAM says, are repeated up to six times: net/http's rule. An unread answer
// holds up to 4 MiB ([Transport.HTTP2] sets other windows). Servers that make the client work for nothing are
// disconnected, as clients are by the server.
//
// All waits of a request end with its context, which includes http.Client.Timeout, and with the task's own: a cancel,
// Loop.WithTimeout, Loop.WithContext. Answers are read by [http.ReadResponse], requests are written, and repeated on
// another connection, by net/http's rules. In a task there are these differences:
//
//   - A request waits for the connection that it makes, even if another becomes idle meanwhile.
//   - Bytes after an answer end the connection, where net/http may take them for the next answer.
//   - If a peer stops reading a request, its answer is read all the same: it counts, and not the error of the write.
//   - If the body of a GET, HEAD, DELETE, OPTIONS, PROPFIND or SEARCH has unknown length, its first byte is read before
//     the head is sent, however long that takes; net/http continues after 200 ms.
//   - An answer of HTTP/2 must not have HTTP/1's connection fields, a status that is not three digits, a wrong
//     Content-Length, more bytes than that, a body with 204 or 304, or an answer of 101 before it. It may have a
//     Content-Length with 204 or 304. There is no extended CONNECT. The rest of a request's body is sent until the
//     answer has come, whatever its status.
//   - An answer's Connection that names fields beside "close" stays in its Header, for programs that forward it.
//   - A request's Cancel channel, which is deprecated, is ignored.
//   - A body must be closed or read to its end, as always; the end of its request's context alone does not close its
//     connection.
//   - Hooks of net/http/httptrace, Proxy, DialContext and a body's Read run in tasks: they must wait through Ringo
//     alone.
package sockhttp
