// Package codec finds tokens in streams of bytes: those that end with a delimiter, as lines do, and frames that begin
// with their length. It has the words of bufio.Scanner and encoding/binary, shows tokens where their bytes are, and has
// a bound for each.
//
//	var lines = &codec.Delimited{Delim: "\r\n", Max: 4096} // for all connections
//
//	s := codec.Scanner{Codec: lines} // for one
//
// A Scanner has a method for each place in which a stream is read, of which each takes up where the one before stopped:
//
//	for line, err := range s.Tokens(c) {}   // a task or a goroutine that reads to the end
//	line, err := s.Next(nil, c)             // or that reads one answer
//	for line, err := range s.Buffered(c) {} // a Request of sock.Serve, which takes what is here
//	n, line, err := s.Split(p, false)       // OnData of package event, or a bufio.Scanner
//
// # Ownership
//
// A token of Tokens and Buffered is in memory of the connection until the loop's body ends, as the bytes of Conn.Peek
// are: the body may write, but must not read from the connection. When the loop is left the next byte to be read from
// the connection is the one behind the last token, so that a program can go on with another protocol, or with another
// loop. A token of Split is in the memory that Split was given.
//
// Nothing is copied here, with one exception below. What arrived in several buffers the connection joins, as for Peek.
//
// # Bounds
//
// Max is how many bytes a token may have on its way, with its delimiter, or with its length and what is before that:
// 65536 by default. What is longer fails with an error that matches bufio.ErrTooLong, a frame as soon as its length is
// there. A larger Max has to be known to those that keep the beginning of a token until its end arrives: a server of
// sock.Serve needs a Handler.Unread of Max, and OnData an event.Conn.SetUnreadMax of Max. Tokens and Next need nothing:
// a token of more bytes than Peek returns, 65536 for a connection, is copied to memory of the Scanner as it arrives, of
// Max bytes at most, which the Scanner releases at the next short one.
//
// # Ends
//
// A stream may end between tokens, where Tokens ends its loop and Next returns io.EOF. Inside of a token the error is
// io.ErrUnexpectedEOF, also for a last line without its delimiter, of which bufio.ScanLines makes a token: a peer that
// was cut off must not have its half of a line obeyed. A Request and an OnData see no end, so that theirs is found by
// the Scanner that they have kept: Split(nil, true), in Handler.Closed if the reason is io.EOF, or in OnEnd, returns
// io.ErrUnexpectedEOF if a part of a token was left.
package codec
