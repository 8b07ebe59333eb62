// Package debug is a console for programs that run loops: a page for browsers, and the same as JSON.
//
// It is used as net/http/pprof is, by a server of package net/http that is there for those who look after the
// program:
//
//	mux.Handle("/debug/ringo/", debug.Handler())
//	go http.ListenAndServe("localhost:6060", mux)
//
// Then http://localhost:6060/debug/ringo/ shows the loops of the process, what their tasks and connections do, which
// operations are in flight, what has held a loop, and why a driver was chosen. Everything is embedded, and the page
// asks nobody but the handler. The handler only reads: it answers GET and HEAD, and changes nothing in the program.
//
// It shows names of functions, addresses of peers and what tasks wait for. Whoever may not know them must not reach it:
// it asks for no password, so let it listen on a loopback address, or put it behind something that does. A request over
// loopback whose Host is neither an address nor localhost, or a name below that, is an error 421: a page of another
// site can have its name stand for 127.0.0.1, and would read the console. A proxy on the same machine sends it on with
// the Host localhost, as nginx does unless it is told to keep the client's.
//
// The handler should run on ordinary goroutines, as above. On a loop it works, too: a task that serves it parks until
// the answer is made. But if that loop is held nobody sees by what.
//
// # What it costs
//
// Nothing until somebody asks. Then a loop answers in pieces, between its turns: 256 tasks or 64 handles in one. The
// page asks once a second, less often where the answer takes long, and not at all when it is not in view.
//
// # The API
//
// All answers are JSON objects, in UTF-8. Names don't change; new ones may come. Durations are in nanoseconds, times as
// in RFC 3339. What is not known is left out, or 0.
//
//	api/loops      the process, its loops with their drivers and counters, lanes by Run
//	api/tasks      tasks: counts by state, groups by name and wait, and the first n of them
//	api/handles    connections, listeners, sockets of datagrams, pollables: counts, and the first n
//	api/ops        operations in flight: counts by kind, and the first n
//	api/holds      what has held loops, by place; "present": what does now
//	api/probe      what io_uring offers here, as "ringo probe" reports it
//
// Loops in api/loops have the fields of [ringo.Info] and [ringo.Stats], with a small letter first: "inTasks",
// "driver.shortSubmits". A [ringo.Histogram] is {"count", "sum", "max", "p50", "p90", "p99", "buckets"}, where a bucket
// is [bound, count], for the ranges that have something; the bound 0 is of the last.
//
// Of a loop that does not answer within a tenth of a second "stats.held" is above 0, and "held", else null, is what
// holds it, with the fields of [ringo.Hold].
//
// Lists take parameters: n, the rows, 200 unless told and 1000 at most; sort, a column, "-" before it for the other
// direction; filter, a text that a row must contain, in any case; loop, as "RUN.INDEX". A parameter that is none of
// these, or has no meaning, is an error 400. "total" counts all there are, "matched" those that the filter and the
// loop leave, from which the rows are the first.
package debug
