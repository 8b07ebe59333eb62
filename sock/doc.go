// Package sock is sockets on Ringo's loops: listeners, dialled and accepted
// connections, and servers made of them.
//
// # Where to begin
//
//   - [ListenAndServe] runs a server on all cores: a function for each connection.
//   - [Serve] runs a [Handler] for each request, and connections between requests cost
//     no stack.
//   - [Listen] and [Listener.Accept] are for loops of a program's own, [Reserve] for one
//     address on all of them.
//   - [Dial] connects, to addresses and to names; [Dialer] has the options.
//   - [Conn.Read], [Conn.Write] and [Conn.Close] are those of net.Conn; [Conn.Next] reads
//     without a copy.
//   - [ListenPacket] and [DialPacket] are UDP.
//
// Everything else is for programs that need more of one of these.
//
// # Conns and Listeners
//
// A Conn is a net.Conn and a Listener is a net.Listener, with the errors of
// package net: *net.OpError around *os.SyscallError, net.ErrClosed,
// os.ErrDeadlineExceeded, and io.EOF bare. Both belong to the loop that made them
// and are at their fastest in that loop's tasks; any goroutine, and any task of
// another loop, may use them too, at the same time. Serve and Listen are for the
// loop's tasks: others get ringo.ErrNotTask.
//
// # Two ways to serve
//
// ListenAndServe and Listen hand out connections, each for a task that lives as
// long as it. That is the simplest way, and a parked task costs a stack. Serve
// calls a Handler's Request when there is something to read: between requests a
// connection keeps no stack, and a request that does not wait costs little more
// than a call.
//
// # Buffers
//
// On io_uring, bytes that arrive are as a rule in the loop's buffers before anybody asks;
// elsewhere they wait in the kernel for a call. Read copies them out; Peek and Discard look
// at them in place; Next hands a buffer over as a buf.Lease; and io.Copy between two
// connections sends them from there without a copy, and splices what comes in bulk. How
// many buffers a connection may hold is bounded by ringo.Config.Leases: a peer
// that is not read is left waiting in its own kernel.
//
// # Small writes
//
// What a task writes in pieces of up to 4096 bytes is accepted, as a bufio.Writer does, and the loop sends it at
// the end of its turn, at the latest when the task waits for anything: the answers of many connections then travel
// in one call to the kernel. You never have to flush, except before you hold the loop for long by computing or by
// waiting otherwise than through Ringo: then call Conn.Flush. What such a send meets is told by the connection's
// next Write, Flush or Close, and Conn.SetBatching or ringo.Config.NoBatching turns it all off.
//
// Order is kept: whatever else sends on the connection, and what closes or moves it, sends first what was
// accepted, and a larger Write takes it along in the same call. A turn that has accepted something ends after 0.2 ms:
// it takes no further task, and the running one yields in one of its next calls. A peer that is slow gets nothing more
// accepted until it has caught up: then Write parks, as it does for large pieces. What was accepted and found no room
// is kept, and is sent when there is room, also when the connection has been closed: then for a minute at most, or
// until the write deadline. It is lost if the Run ends before, Config.Grace included. While a loop keeps more than 1
// MiB of it, for all of its connections, a write is accepted where the socket has room for it, and others park.
//
// # Servers on goroutines
//
// What runs on goroutines of its own, as net/http does, takes a Listener for its
// net.Listener and dials by Dialer.Func. A task waits for it in Loop.Offload, as in
// the example of Listener. Goroutines keep no loop alive: when accepts have stopped and
// no task is left the loop ends, and closes what they still use. So a server is given
// time for its requests in that Offload, by http.Server.Shutdown or its like.
//
// Goroutines in a bubble of testing/synctest use handles of loops outside of it as they
// use package net's: what waits is not durably blocked, and deadlines pass by the time
// outside. Run itself, whose timers go by that time, belongs outside.
//
// # Where it differs from package net
//
//   - Close waits until the operations in flight, which it ends, are done with the
//     descriptor, and so does Close again, before it returns net.ErrClosed. The first returns
//     nil also where the end of the Run was faster, and the error of a send that was accepted
//     and that no call has been told of.
//   - After a reset each Read returns that error, where package net has it once and then
//     io.EOF, as if the peer had ended in order.
//   - An address whose zone is no interface is an error; package net leaves the zone out.
//   - Fd of what File returns leaves the socket in non-blocking mode. The mode is that of all
//     who share the socket, and a call on a blocking one would hold the loop.
//   - Errors of datagrams to a netip.AddrPort have a *net.UDPAddr, which shows IPv4 as such.
//   - A look-up of a name is two, of IPv6 and of IPv4. net/http/httptrace is told of both as of one;
//     if the first address is tried while one is under way, of what was found by then.
//   - Accept waits out shortages of descriptors and memory, which net reports.
//   - A dial of a name tries IPv6 first and then the families in turn, all addresses side
//     by side after RFC 8305; package net begins with the family of the address that RFC
//     6724 sorts first, and tries each family's one after the other. Within a family
//     the order is the resolver's, which is that of RFC 6724 where it is Go's own.
//
// # Datagrams and other descriptors
//
// PacketConn is UDP, UnixPacketConn Unix sockets of network "unixgram", and IPConn raw IP. Poll makes
// a Pollable of what is no socket. Adopt and its like take sockets that were made
// elsewhere, and Activated those of systemd.
//
// # Unix sockets
//
// Networks "unix" and "unixpacket" take a path, or an abstract name behind an @; "" is
// a name of the kernel's choice. Such connections are Conns that can do more: PeerCred
// says who the peer is, SendFiles and RecvFiles pass files, ReadMsgUnix and WriteMsgUnix
// any control messages. What is passed comes with the bytes it was sent with, so a read
// that has no place for it has the kernel close it: Read, Next, Peek, and Serve, which
// fetches what it calls a Request for.
//
// A unixpacket connection carries records. Write, WriteV, WriteLease and SendFiles send
// one, whole; Read and ReadV return one, and drop what there is no room for; Next leases
// one. Peek, Discard and Buffered are about one, too: asked for more they
// return what it has and io.ErrUnexpectedEOF. io.Copy writes each by itself. A record of no
// bytes can't be told from the end: as with package net it reads as io.EOF, and Serve
// closes. A Request that leaves its record unread is answered with bufio.ErrBufferFull.
//
// Closing a listener removes its file, unless another has taken its place. A file that
// another program left behind stays: the next Listen fails with EADDRINUSE.
package sock
