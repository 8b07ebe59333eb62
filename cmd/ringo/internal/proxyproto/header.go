package proxyproto

import (
	"bytes"
	"errors"
	"fmt"
	"net"
)

// A Header has the addresses of the connection that a proxy passes on.
type Header struct {
	// Source and Dest are the ends of the proxy's connection with its client, *net.TCPAddr or *net.UnixAddr. Both are
	// nil if the proxy does not know them, or has made the connection for itself (LOCAL); then the addresses of the
	// connection that the header came on count.
	Source, Dest net.Addr
}

// The bounds of a header, in bytes.
const (
	v1Max = 107 // with CR LF
	// V2Max bounds a header of version 2. The longest addresses take 216 bytes; the rest is for TLVs, which are
	// skipped.
	V2Max  = v2Head + 1024
	v2Head = 16
)

var (
	// ErrInvalid is the error of bytes that are not a header.
	ErrInvalid = errors.New("not a header of the PROXY protocol")
	// ErrTooLong is the error of a header beyond the bounds.
	ErrTooLong = errors.New("a header of the PROXY protocol that is too long")
)

var (
	v1Signature = []byte("PROXY ")
	v2Signature = []byte("\r\n\r\n\x00\r\nQUIT\n")
)

// Parse parses the header that p begins with. size is its length in bytes. If p ends before the header does, size is
// how many bytes Parse needs at least to go on: so h is there if size <= len(p).
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

// isBegin reports whether p begins with a signature or, if p is shorter, with a part of it.
func isBegin(p, signature []byte) bool {
	n := min(len(p), len(signature))
	return bytes.Equal(p[:n], signature[:n])
}

// invalid returns an ErrInvalid with more words.
func invalid(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrInvalid, fmt.Sprintf(format, args...))
}
