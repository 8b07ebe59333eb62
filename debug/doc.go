// Package debug provides a console for programs that run loops: a page for browsers, and the same data as JSON.
//
// Use it like net/http/pprof, in a net/http server for the program's operators:
//
//	mux.Handle("/debug/ringo/", debug.Handler())
//	go http.ListenAndServe("localhost:6060", mux)
//
// Then http://localhost:6060/debug/ringo/ shows the loops of the process, their tasks and connections, the operations
// in flight, the places where loops were held, and why a driver was chosen. Everything is embedded: the page only
// contacts the handler. The handler is read-only: it answers GET and HEAD, and changes nothing in the program.
//
// It shows names of functions, addresses of peers and what tasks wait for, and asks for no password: listen on a
// loopback address, or put it behind a server that authenticates. A request over loopback whose Host is neither an
// address nor localhost, or a name below that, gets an error 421: otherwise another site's page whose name resolves to
// 127.0.0.1 could read the console. A proxy on the same machine has to send such a Host, as nginx does with a
// proxy_pass to localhost unless it is configured to keep the client's.
//
// The handler should run on ordinary goroutines, as above. It also works on a loop: a task that serves it parks until
// the answer is made. But if that loop is held, the console is not reachable.
//
// # What it costs
//
// Nothing until a request comes. Then a loop answers in pieces, between its turns: 256 tasks or 64 handles in each. The
// page asks once a second, less often if the answer takes long, and not at all while it is hidden.
//
// # The API
//
// All answers are JSON objects, in UTF-8. Names don't change; new ones may come. Durations are in nanoseconds, times as
// in RFC 3339. Unknown values are omitted, or 0.
//
//	api/loops      the process, its loops with their drivers and counters, lanes by Run
//	api/tasks      tasks: counts by state, groups by name and wait, and the first n of them
//	api/handles    connections, listeners, sockets of datagrams, pollables: counts, and the first n
//	api/ops        operations in flight: counts by kind, and the first n
//	api/holds      what has held loops, by place; "present": what does now
//	api/probe      what io_uring offers here, as "ringo probe" reports it
//
// Loops in api/loops have the fields of [stats.Info] and [stats.Loop], beginning in lower case: "inTasks",
// "driver.shortSubmits". A [stats.Histogram] is {"count", "sum", "max", "p50", "p90", "p99", "buckets"}, where a bucket
// is [bound, count], without empty buckets; the last has the bound 0.
//
// If a loop does not answer within 100 ms "stats.held" is above 0, and "held", otherwise null, says what holds it, with
// the fields of [stats.Hold].
//
// Lists take parameters: n, the number of rows, by default 200, at most 1000; sort, a column, with "-" before it for
// the reverse order; filter, a text that a row must contain, ignoring case; loop, as "RUN.INDEX". Any other parameter,
// or an invalid value, gets an error 400. "total" counts all entries, "matched" those that match filter and loop; the
// rows are the first of these.
package debug
