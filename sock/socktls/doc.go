// Package socktls is TLS for tasks: crypto/tls, on connections that several tasks may use.
//
// # Why not crypto/tls itself
//
// A tls.Conn locks a sync.Mutex while it writes, and a reader needs the same one: for the alert with which it answers
// a bad record, for its reply to a KeyUpdate. In goroutines that is a short wait. A task that writes to a slow peer
// parks with the mutex locked, and the task of the same loop that reads then stops the loop's thread, on which the
// writer would have gone on: the loop is frozen for good, by a peer that stops reading and sends one bad record.
// Two tasks whose first calls both find the handshake undone do the same. One task alone that uses a tls.Conn is safe.
//
// A [Conn] of this package is a tls.Conn in which nobody parks while tls holds a lock that another caller may need:
//
//   - The handshake is done once, under a ringo.Mutex: who comes meanwhile parks.
//   - What tls writes is collected in memory and sent when tls has returned: by the task in Write, which parks then; or
//     by a task of its own if it is the reader's reply, so that no peer's stalling keeps a reader.
//   - Readers wait for each other at a ringo.Mutex, and writers at another.
//
// # What is bounded
//
// A Write enters tls with [PieceMax] bytes at a time, and waits until they are sent before it goes on. Replies that the
// peer doesn't take are kept up to [RepliesMax] bytes; a peer that asks for more has its connection ended with
// [ErrReplies]. A connection that sends nothing holds no memory for it: what an idle one costs is a tls.Conn and 300
// bytes.
//
// # As in crypto/tls
//
// Config, certificates, ALPN, session tickets, client certificates and all errors are those of crypto/tls, of which
// [Client], [Server], [Listener] and [Dialer] have the words and methods. A Conn works the same in tasks of any loop
// and in goroutines, several at a time, over a sock.Conn, or over any net.Conn that may be used so. What is different:
//
//   - Renegotiation, which TLS 1.3 has abolished and crypto/tls offers to clients of 1.2, is refused: the
//     handshake of a client whose Config.Renegotiation allows it fails with errors.ErrUnsupported.
//   - The net.Conn in ClientHelloInfo.Conn is one that forwards to Conn.NetConn.
//   - net/http speaks HTTP/2 by ALPN over a *tls.Conn only. Over these connections it speaks HTTP/1.1; or, as
//     if in the clear, HTTP/2 if Server.Protocols allows that and the connection's ConnectionState method is hidden. On
//     goroutines, where crypto/tls has no trap, Server.ServeTLS with a sock.Listener is simpler.
//
// What a Config calls runs in the task whose call does the handshake, so that it may wait, through Ringo only. The
// writer in Config.KeyLogWriter must not: crypto/tls calls it under a lock of the whole process. Where
// Config.RootCAs is nil the first verification reads the system's roots from files, which holds its
// loop for some milliseconds: call x509.SystemCertPool before, on a goroutine.
package socktls
