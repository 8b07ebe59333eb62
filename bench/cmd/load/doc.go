//go:build linux

// Load measures a TCP echo server and verifies every byte that comes back.
//
// It is one thread around one edge-triggered epoll, so that it costs less than the server that it measures: pin the
// server to one core and load to another. Every connection sends a byte stream of its own (package pattern), and a
// reply that is not exactly that stream makes the exit code 1. With -pid it also reads what the kernel has accounted
// to the server in the measured window. CPU per request is the figure to compare, since requests per second depend on
// both sides.
//
// The modes are
//
//	echo   -conns connections keep -depth messages of -size bytes in flight each
//	crowd  like echo with one message in flight, on -active of -conns connections; the others rest after one
//	churn  -conns at a time connect, exchange one message and close
//	idle   -conns connections exchange one message, then stay open for -seconds: memory per connection, idle CPU
//	httpidle  the same with a GET of mode http in place of the message
//	slow   like echo, while -peers further connections send and never read; at the end these read and verify, too
//	http   like echo, with GET requests of HTTP/1.1 for a body of -size bytes, "Hello, World!" over and over
//	json   like http, with requests for /json, whose body is any JSON of -size bytes
//	httpslow  like http, beside -peers connections, of which a third sends a byte of a head each second, a third sends
//	       a request each second and never reads, and a third sends half a head, resets the connection and comes back
//	get    like echo, with GET commands of the redis protocol, on each connection for a key of its own of -size bytes
//	set    the same with SET
//	udp    like echo, with datagrams of -size bytes from -conns sockets; one that is lost or overtaken is an error
//	tls    -conns connections of TLS 1.3 send -size bytes at a time, each on a goroutine of its own
//	handshake  the same with a new connection for each message
//	paced  like echo, but open-loop: -rate messages a second in all, at random moments, independent of the replies
//	flood  sends datagrams of -size bytes to a server that counts them: bench/c/udp_bulk.c
//	sink   receives them from a server that sends them; the requests are what the server sent, lost or not
package main
