// Package sock provides TCP, UDP and Unix sockets for Ringo: listeners, connections, and servers.
//
// # Where to begin
//
//   - [ListenAndServe] runs a server on all cores, with a function call for each connection.
//   - [Serve] calls a [Handler] for each request; connections between requests need no stack.
//   - [Listen] and [Listener.Accept] are for accept loops of your own, [Reserve] for one address on all loops.
//   - [Dial] connects to addresses and names; [Dialer] has the options.
//   - [Conn.Read], [Conn.Write] and [Conn.Close] work as in net.Conn; [Conn.Next] reads without a copy.
//   - [ListenPacket] and [DialPacket] are UDP.
//
// Everything else is for programs that need more of one of these.
//
// # Conns and Listeners
//
// A Conn is a net.Conn and a Listener is a net.Listener, with the errors of package net: *net.OpError around
// *os.SyscallError, net.ErrClosed, os.ErrDeadlineExceeded, and io.EOF bare. Both belong to the loop that made them and
// are fastest in that loop's tasks. Goroutines and tasks of other loops may use them too, at the same time. Serve and
// Listen are for tasks of the loop; other callers get ringo.ErrNotTask.
//
// # Two ways to serve
//
// ListenAndServe and Listen are for one task per connection. That is the simplest way, but each parked task needs a
// stack. Serve calls a Handler's Request when there is something to read: between requests a connection needs no stack,
// and a request that does not wait costs little more than a call.
//
// # Buffers
//
// On io_uring, arriving bytes are usually in the loop's buffers before the program reads; on other drivers they stay in
// the kernel until then. Read copies them; Peek and Discard access them in place; Next returns a buffer as a buf.Lease;
// io.Copy between two connections sends them from there without a copy, and splices bulk data. ringo.Config.Leases
// bounds how many buffers a connection may hold: if the program does not read, the peer has to wait.
//
// # Small writes
//
// A task's writes of up to 4096 bytes are buffered, as by a bufio.Writer, and sent at the end of the loop's turn, at
// the latest when the task waits for anything, so one system call can send the answers of many connections. There is no
// need to flush, except before you hold the loop for long by computing or by blocking outside Ringo: then call
// Conn.Flush. If such a send fails, the connection's next Write, Flush or Close returns the error. Conn.SetBatching and
// ringo.Config.NoBatching turn batching off.
//
// Order is kept: other sends, Close and MoveTo first send the buffered bytes, and a larger Write takes them along in
// the same call. A turn with buffered writes ends after 0.2 ms: no further task is resumed, and the running one yields
// in one of its next calls. While a peer is slow nothing more is buffered for it, and Write parks as it does for large
// pieces. Buffered bytes that the socket had no room for are sent when it has, even after Close: then for at most a
// minute, or until the write deadline. They are lost if the Run, including Config.Grace, ends first. While a loop holds
// more than 1 MiB of them, for all its connections, a write is buffered only if the socket has room for it; otherwise
// it parks.
//
// # Servers on goroutines
//
// Code that runs on its own goroutines, as net/http does, can use a Listener as its net.Listener and dial with
// Dialer.Func. A task waits for it in Loop.Offload, as in the example of Listener. Goroutines do not keep a loop alive:
// once accepting has stopped and no task is left, the loop ends and closes the handles that they still use. So give a
// server time for its requests in that Offload, by http.Server.Shutdown or the like.
//
// Goroutines in a bubble of testing/synctest can use handles of loops outside of it as they use package net's: they are
// not durably blocked while they wait, and deadlines use real time. Call Run, whose timers use real time too, outside
// the bubble.
//
// # Where it differs from package net
//
//   - Close ends the operations in flight and waits until they have released the descriptor. Another Close waits too,
//     then returns net.ErrClosed. The first returns the error of a buffered write if no other call has returned it, and
//     otherwise nil, even if the end of the Run has closed the connection.
//   - After a reset every Read returns the error; package net returns it once and then io.EOF, as after an orderly end.
//   - An address whose zone is not an interface is an error; package net ignores the zone.
//   - The Fd method of the file that File returns leaves the socket in non-blocking mode, since the mode is shared and
//     a blocking call would stop the loop.
//   - Errors of datagrams to a netip.AddrPort contain a *net.UDPAddr, which prints IPv4-mapped addresses as IPv4.
//   - A name is looked up twice, for IPv6 and for IPv4. net/http/httptrace sees one look-up; if the first address is
//     tried before both have finished, it sees the addresses found so far.
//   - Accept waits out shortages of descriptors and memory; package net returns them as errors.
//   - A dial to a name races all addresses as in RFC 8305, the families in turn, IPv6 first; package net begins with
//     the family of the address that RFC 6724 sorts first, and tries each family's addresses one after the other.
//     Within a family the order is the resolver's, which is that of RFC 6724 for Go's own. An IPv4 address in a record
//     of IPv6, as ::ffff:192.0.2.1, is not used.
//   - The path of a Unix socket may have all 108 bytes that the kernel allows; package net takes 107.
//   - WriteMsgIP without an address sends on a connected IPConn; package net refuses it, and has no other call for
//     control messages there.
//
// # Datagrams and other descriptors
//
// PacketConn is for UDP, UnixPacketConn for Unix sockets of network "unixgram", and IPConn for raw IP. Poll makes a
// Pollable from other descriptors. Adopt and its variants take over sockets that were made elsewhere; Activated returns
// those passed by systemd.
//
// # Virtual machines
//
// Network "vsock" (vsock(7), Linux) connects a virtual machine and its host, by streams. An address is CID:port, as in
// "2:1024", and a VsockAddr. The loops of a ListenerSet share its one socket. What is special to TCP fails with
// ENOPROTOOPT or EOPNOTSUPP, and DetachConn and package net's functions with EAFNOSUPPORT, because package net has no
// such connections; Detach and File work. Limits.ConnsPerPeer has no effect. There is none in simulated worlds.
//
// # Unix sockets
//
// Networks "unix" and "unixpacket" take a path, or an abstract name behind an @; "" lets the kernel choose a name.
// Systems other than Linux refuse the latter two with errors.ErrUnsupported; "./@x" is the path @x. Such Conns can do
// more: PeerCred identifies the peer, SendFiles and RecvFiles pass files, ReadMsgUnix and WriteMsgUnix any control
// messages. Files arrive with the bytes that they were sent with. If those are read by Read, Next, Peek, or by Serve,
// which reads before it calls Request, the kernel closes the files.
//
// A unixpacket connection carries records. Write, WriteV, WriteLease and SendFiles send one record; Read and ReadV
// return one, and drop the part that does not fit; Next leases one. Peek, Discard and Buffered apply to one record,
// too: if asked for more, Peek and Discard return what it has and io.ErrUnexpectedEOF. io.Copy writes each separately.
// An empty record can't be distinguished from the end of the stream: as with package net it reads as io.EOF, and Serve
// closes the connection. If a Request leaves its record unread, the connection is closed with bufio.ErrBufferFull.
//
// Closing a listener removes its file, unless another has taken its place. A file that
// another program left behind stays: the next Listen fails with EADDRINUSE.
package sock
