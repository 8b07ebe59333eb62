package socktls_test

import (
	"crypto/tls"
	"io"
	"net"
	"testing"

	"ringo/internal/test/patience"
	"ringo/sock/socktls"
)

// wire is a net.Conn that counts what is written to it.
type wire struct {
	net.Conn
	written int
}

func (w *wire) Write(p []byte) (int, error) { w.written += len(p); return len(p), nil }

// TestReplyBehindPiece: a reader answers its peer after a piece has been secured and before it is sent. The bound of
// replies is not for the piece: until it was, a connection that did nothing wrong ended with ErrReplies.
func TestReplyBehindPiece(t *testing.T) {
	ours, theirs := net.Pipe()
	defer theirs.Close()
	defer ours.Close()
	peer := tls.Client(theirs, &tls.Config{InsecureSkipVerify: true})
	shaken := make(chan error, 1)
	go func() {
		err := peer.Handshake()
		shaken <- err
		io.Copy(io.Discard, peer)
	}()
	c := socktls.Server(ours, serverConfig())
	if err := c.Handshake(); err != nil {
		t.Fatal(err)
	}
	if err := patience.Recv(t, "the peer's handshake", shaken); err != nil {
		t.Fatal(err)
	}
	w := &wire{Conn: ours}
	c.SetBelow(w)
	reply := make([]byte, 100)
	for range 3 {
		if err := c.Secure(make([]byte, socktls.PieceMax)); err != nil {
			t.Fatal(err)
		}
		secured := c.Secured()
		if secured < socktls.PieceMax {
			t.Fatalf("%d bytes are secured", secured)
		}
		if err := c.Reply(reply); err != nil {
			t.Fatal("a reply behind a piece:", err)
		}
		before := w.written
		if err := c.Drain(); err != nil || w.written-before != secured+len(reply) {
			t.Fatalf("drain: %v, %d bytes, want %d", err, w.written-before, secured+len(reply))
		}
	}
	var err error
	for sent := 0; err == nil && sent <= socktls.RepliesMax; sent += len(reply) {
		err = c.Reply(reply)
	}
	if err != socktls.ErrReplies {
		t.Errorf("replies without end: %v, want ErrReplies", err)
	}
}
