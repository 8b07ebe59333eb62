// Package codec finds tokens in streams of bytes: tokens that end with a delimiter, as lines do, and frames that begin
// with their length. It uses the names of bufio.Scanner and encoding/binary, returns tokens in place, and bounds the
// size of each.
//
//	var lines = &codec.Delimited{Delim: "\r\n", Max: 4096} // for all connections
//
//	s := codec.Scanner{Codec: lines} // for one
//
// A Scanner has a method for each place in which a stream is read. Each method goes on where the one before stopped:
//
//	for line, err := range s.Tokens(c) {}   // a task or a goroutine that reads to the end
//	line, err := s.Next(nil, c)             // or that reads one answer
//	for line, err := range s.Buffered(c) {} // a Request of sock.Serve, which takes what is here
//	n, line, err := s.Split(p, false)       // OnData of package event, or a bufio.Scanner
//
// # Ownership
//
// A token of Tokens or Buffered is in the connection's memory until the loop's body ends, as the bytes of Conn.Peek
// are: the body may write to the connection, but must not read from it. After the loop the next byte to be read from
// the connection is the one after the last token, so that a program can go on with another protocol, or with another
// loop. A token of Split is a part of the data that was passed to Split.
//
// Nothing is copied here, with one exception below. The connection joins bytes that arrived in several buffers, as for
// Peek.
//
// # Bounds
//
// Max is how many bytes a token may have in the stream, with its delimiter, or with its length and the bytes before
// that: 65536 by default. A longer token fails with an error that matches bufio.ErrTooLong, a frame as soon as its
// length has arrived. With a larger Max, a server that keeps the beginning of a token until its end arrives has to be
// configured: for sock.Serve with a Handler.Unread of Max, for OnData with an event.Conn.SetUnreadMax of Max. Tokens
// and Next need nothing: a token of more bytes than Peek returns, 65536 for a connection, is copied to the Scanner's
// own memory as it arrives, at most Max bytes, which the Scanner releases at the next short token.
//
// # Ends
//
// If a stream ends between tokens, Tokens ends its loop and Next returns io.EOF. If it ends inside a token the error is
// io.ErrUnexpectedEOF, even for a last line without its delimiter, which bufio.ScanLines returns as a token: half a
// line of a peer that was cut off must not be obeyed. A Request and an OnData do not see the end, but the Scanner that
// they have kept can find it: Split(nil, true), in Handler.Closed if the reason is io.EOF, or in OnEnd, returns
// io.ErrUnexpectedEOF if a part of a token was left.
package codec
