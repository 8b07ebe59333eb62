package upgrade

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"time"
	"unicode/utf8"

	"ringo/internal/cmsg"
	"ringo/internal/kernel"
	"ringo/internal/posix"
	"ringo/internal/sys"
)

// The protocol between a program and its successor, on a stream.
//
// The program sends frames. The first has the names of the inherited files as its note and, as its unread bytes, the
// words that the program understands beside the first two. Each later frame has a connection or, without a file, a note
// with one byte for each place that the program gives back.
//
// The successor sends words of one byte, first wordReady. wordPlace asks for one more connection, for a call of
// AcceptConn. wordWithdraw asks for all places back, because some calls have ended.
const (
	wordReady    = 'R'
	wordPlace    = 'A'
	wordWithdraw = 'W'

	filesMax  = 65536
	namesMax  = 16 << 20
	unreadMax = 16 << 20
)

// A name is the name of a file on its way. JSON's strings are UTF-8, so any other name is sent as a list that has its
// bytes. v0.1.0 does not understand the list, but never found such files either.
type name string

func (n name) MarshalJSON() ([]byte, error) {
	if !utf8.ValidString(string(n)) {
		return json.Marshal([][]byte{[]byte(n)})
	}
	return json.Marshal(string(n))
}

func (n *name) UnmarshalJSON(p []byte) error {
	var other [1][]byte
	if err := json.Unmarshal(p, &other); err == nil {
		*n = name(other[0])
		return nil
	}
	return json.Unmarshal(p, (*string)(n))
}

// A frame is a message from a program to its successor: a connection on its way, names, or places given back.
type frame struct {
	file         *os.File // nil: none
	note, unread []byte
}

func (f *frame) close() {
	if f.file != nil {
		f.file.Close()
		f.file = nil
	}
}

// frameHead is the size of a frame's header: whether there is a file, the length of the note, and that of the unread
// bytes.
const frameHead = 1 + 4 + 4

// send sends a frame, unless ctx ends, and returns how many bytes went out. It does not close the file. If it fails
// after the first byte, the stream can't be used any more.
func (f frame) send(ctx context.Context, to *net.UnixConn) (n int, err error) {
	p := make([]byte, frameHead, frameHead+len(f.note)+len(f.unread))
	var rights []byte
	if f.file != nil {
		p[0] = 1
		if rights, err = rightsOf(f.file); err != nil {
			return 0, err
		}
	}
	binary.BigEndian.PutUint32(p[1:], uint32(len(f.note)))
	binary.BigEndian.PutUint32(p[5:], uint32(len(f.unread)))
	p = append(append(p, f.note...), f.unread...)
	defer endBy(ctx, to.SetWriteDeadline)()
	n, _, err = to.WriteMsgUnix(p, rights, nil)
	if err == nil && n < len(p) {
		var rest int
		rest, err = to.Write(p[n:])
		n += rest
	}
	return n, err
}

// rightsOf returns a control message that passes a file (SCM_RIGHTS, unix(7)).
func rightsOf(f *os.File) ([]byte, error) {
	return kernel.NativeControl(cmsg.AppendRights(nil, []int32{int32(f.Fd())}))
}

// endBy makes the end of ctx end the waits of a stream, by a deadline in the past, until the caller calls done. done
// removes that deadline, so that later calls have none.
func endBy(ctx context.Context, setDeadline func(time.Time) error) (done func()) {
	set := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(set)
		setDeadline(time.Unix(1, 0))
	})
	return func() {
		if !stop() {
			<-set
			setDeadline(time.Time{})
		}
	}
}

// errNoFile is the error for a frame that came without its connection.
var errNoFile = errors.New("its descriptor did not come, as where the process has none left (RLIMIT_NOFILE)")

// receive receives a frame. io.EOF means that there are no more. After errNoFile the next frame can be received.
func (f *frame) receive(from *net.UnixConn, noteMax int) error {
	var head [frameHead]byte
	oob := make([]byte, cmsg.Space(4))
	n, oobn, _, _, err := from.ReadMsgUnix(head[:], oob)
	switch {
	case errors.Is(err, io.EOF), err == nil && n == 0:
		return io.EOF
	case err != nil:
		return err
	}
	f.file = fileIn(kernel.LinuxControl(oob[:oobn]))
	if n < len(head) {
		_, err = io.ReadFull(from, head[n:])
	}
	note, unread := binary.BigEndian.Uint32(head[1:]), binary.BigEndian.Uint32(head[5:])
	if err == nil && (head[0] > 1 || int64(note) > int64(noteMax) || unread > unreadMax) {
		err = fmt.Errorf("a frame of %d, %d and %d bytes, which no program sends", head[0], note, unread)
	}
	if err == nil {
		f.note, f.unread = make([]byte, note), make([]byte, unread)
		if _, err = io.ReadFull(from, f.note); err == nil {
			_, err = io.ReadFull(from, f.unread)
		}
	}
	switch {
	case err == io.EOF:
		err = io.ErrUnexpectedEOF
	case err == nil && head[0] == 1 && f.file == nil:
		err = errNoFile
	}
	if err != nil {
		f.close()
	}
	return err
}

// fileIn returns the file in control messages, close-on-exec. If they don't have exactly one, it closes what they have
// and returns nil.
func fileIn(oob []byte) *os.File {
	m, _, ok := cmsg.Next(oob)
	if !ok || m.FDs() != 1 {
		cmsg.CloseRights(oob)
		return nil
	}
	return os.NewFile(uintptr(m.FD(0)), "passed on")
}

// wireBuffer bounds the bytes on their way from a program to its successor, whatever the system's default is.
const wireBuffer = 128 << 10

// wires makes a stream and returns both its ends.
func wires() (ours *net.UnixConn, theirs *os.File, err error) {
	a, b, res := kernel.Host{}.Socketpair(sys.SockStream)
	if res < 0 {
		return nil, nil, os.NewSyscallError("socketpair", posix.Of(res))
	}
	own, err := kernel.OSFile(a, "upgrade")
	if err != nil {
		kernel.Host{}.Close(b)
		return nil, nil, err
	}
	theirs = os.NewFile(uintptr(b), "upgrade")
	if ours, err = wireOf(own); err == nil {
		if err = ours.SetWriteBuffer(wireBuffer); err != nil {
			ours.Close()
		}
	}
	if err != nil {
		theirs.Close()
		return nil, nil, err
	}
	return ours, theirs, nil
}

// wireOf returns the stream of a socket's file, and closes the file.
func wireOf(f *os.File) (*net.UnixConn, error) {
	defer f.Close()
	c, err := net.FileConn(f)
	if err != nil {
		return nil, err
	}
	wire, ok := c.(*net.UnixConn)
	if !ok {
		c.Close()
		return nil, fmt.Errorf("%s is no Unix socket", f.Name())
	}
	return wire, nil
}
