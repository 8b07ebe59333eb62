package relay

import (
	"io"
	"net"
	"os"
	"testing"
)

// disguised is a user's type around a connection, which does something else with the bytes.
type disguised struct{ *net.TCPConn }

func (disguised) Write(p []byte) (int, error) { return len(p), nil }

type disguisedFile struct{ *os.File }

func (disguisedFile) Read(p []byte) (int, error) { return 0, io.EOF }

// met is the other end of an io.Copy, which keeps what it was called with.
type met struct{ v *any }

func (m met) Read([]byte) (int, error)            { return 0, io.EOF }
func (m met) Write(p []byte) (int, error)         { return len(p), nil }
func (m met) ReadFrom(r io.Reader) (int64, error) { *m.v = r; return 0, nil }
func (m met) WriteTo(w io.Writer) (int64, error)  { *m.v = w; return 0, nil }

// What io.Copy hands over of the library's own connections and files is known for what it is; what users have put
// around one is not.
func TestTypes(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	c, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	tcp := c.(*net.TCPConn)
	f, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var from, to, file any
	io.Copy(met{&from}, tcp)
	tcp.ReadFrom(met{&to}) // as io.Copy does where the source has no WriteTo
	io.Copy(met{&file}, f)
	if from == any(tcp) || to == any(tcp) || file == any(f) {
		t.Fatalf("io.Copy hands over %T, %T and %T: no wrappers, so this test shows nothing", from, to, file)
	}
	for name, v := range map[string]any{"itself": tcp, "what WriteTo gets": to, "what ReadFrom gets": from} {
		if netConn(v) != net.Conn(tcp) {
			t.Errorf("%s (%T) is not known for a TCP connection", name, v)
		}
	}
	if FileOf(f) != File(f) || FileOf(file) != File(f) {
		t.Errorf("%T is not known for a file", file)
	}
	for _, v := range []any{
		disguised{tcp}, &disguised{tcp}, struct{ net.Conn }{tcp}, struct{ *net.TCPConn }{tcp}, 1, nil, f,
	} {
		if netConn(v) != nil {
			t.Errorf("a %T passes for a connection", v)
		}
	}
	for _, v := range []any{disguisedFile{f}, struct{ *os.File }{f}, struct{ io.Reader }{f}, nil, tcp} {
		if FileOf(v) != nil {
			t.Errorf("a %T passes for a file", v)
		}
	}
}
