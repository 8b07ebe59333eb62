// Package socktls provides TLS for tasks: crypto/tls on connections that several tasks may share.
//
// # Why not crypto/tls itself
//
// A tls.Conn locks a sync.Mutex while it writes, and a reader needs the same one to send an alert for a bad record or a
// reply to a KeyUpdate. For goroutines that is a short wait. But a task that writes to a slow peer parks with the mutex
// locked, and a task of the same loop that reads then blocks the loop's thread, on which the writer would have to
// continue. So a peer that stops reading and sends one bad record freezes the loop for good. So can two tasks whose
// first calls both start the handshake. Before Go 1.26 the caller of tls.Conn.HandshakeContext whose context ends waits
// until the connection is closed: a task freezes its loop, which has to close it. Otherwise a tls.Conn used by one task
// alone is safe.
//
// A [Conn] of this package is a tls.Conn in which no task parks while tls holds a lock that another caller may need:
//
//   - The handshake runs once, under a ringo.Mutex; other callers park meanwhile.
//   - The bytes that tls writes are collected in memory and sent once tls has returned: by the task in Write, which may
//     park then, or by a separate task for replies of a reader, so that a slow peer does not delay the reader.
//   - Readers wait for each other at a ringo.Mutex, and writers at another.
//
// # What is bounded
//
// A Write passes [PieceMax] bytes at a time to tls, and waits until they are sent before it continues. Replies that the
// peer doesn't take are kept up to [RepliesMax] bytes; then the connection ends with [ErrReplies]. A connection that is
// not sending has no send buffer: an idle one costs a tls.Conn and 300 bytes.
//
// # As in crypto/tls
//
// Config, certificates, ALPN, session tickets, client certificates and all errors are those of crypto/tls, and so are
// the names and methods of [Client], [Server], [Listener] and [Dialer]. A Conn works the same in tasks of any loop and
// in goroutines, several at a time, over a sock.Conn, or over any net.Conn that allows this. The differences:
//
//   - Renegotiation, which TLS 1.3 has abolished and crypto/tls offers to clients of 1.2, is not supported: if
//     Config.Renegotiation allows it, a client's handshake fails with errors.ErrUnsupported.
//   - The net.Conn in ClientHelloInfo.Conn is one that forwards to Conn.NetConn.
//   - net/http negotiates HTTP/2 by ALPN over a *tls.Conn only. Over these connections it speaks HTTP/1.1, or
//     unencrypted HTTP/2 if Server.Protocols allows that and the connection's ConnectionState method is hidden. On
//     goroutines, where crypto/tls is safe, Server.ServeTLS with a sock.Listener is simpler.
//
// Callbacks of a Config run in the task whose call does the handshake, so they may wait, through Ringo only.
// Config.KeyLogWriter must not wait: crypto/tls calls it under a lock of the whole process. If Config.RootCAs is nil
// the first verification reads the system's roots from files, which stops its loop for some milliseconds: call
// x509.SystemCertPool on a goroutine before.
package socktls
