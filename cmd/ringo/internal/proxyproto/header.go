package proxyproto

import (
	"bytes"
	"errors"
	"fmt"
	"net"
)

// A Header is what the peer says of a connection that it passes on.
type Header struct {
	// Source and Dest are the ends of the connection that the peer has, *net.TCPAddr or *net.UnixAddr; both nil: it
	// does not say, or has made the connection for itself (LOCAL), and the addresses of this one count.
	Source, Dest net.Addr
}

// The bounds of a header.
const (
	v1Max = 107 // with the end of the line
	// V2Max is that of version 2. The longest addresses are 216 bytes; the rest is for TLVs, which are skipped.
	V2Max  = v2Head + 1024
	v2Head = 16
)

var (
	// ErrInvalid is that of bytes which are no header.
	ErrInvalid = errors.New("not a header of the PROXY protocol")
	// ErrTooLong is that of a header beyond the bounds.
	ErrTooLong = errors.New("a header of the PROXY protocol that is too long")
)

var (
	v1Signature = []byte("PROXY ")
	v2Signature = []byte("\r\n\r\n\x00\r\nQUIT\n")
)

// Parse reads a header at the begin of p. size is how long it is; if p ends before the header does, size is how many
// bytes there have to be, at least, to tell more. So size > len(p) says that h is not there yet.
func Parse(p []byte) (h Header, size int, err error) {
	switch {
	case len(p) == 0:
		return h, 1, nil
	case isBegin(p, v1Signature):
		return parseV1(p)
	case isBegin(p, v2Signature):
		return parseV2(p)
	}
	return h, 0, ErrInvalid
}

// isBegin reports whether p begins with a signature, as far as it goes.
func isBegin(p, signature []byte) bool {
	n := min(len(p), len(signature))
	return bytes.Equal(p[:n], signature[:n])
}

// invalid is an ErrInvalid that says more.
func invalid(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrInvalid, fmt.Sprintf(format, args...))
}
