package sock

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"ringo/internal/cmsg"
	"ringo/internal/kernel"
	"ringo/internal/sys"
)

// errFilesLost is why RecvFiles returns no files.
var errFilesLost = errors.New("more descriptors were passed than asked for, or than the process may have " +
	"(RLIMIT_NOFILE); all of them were closed")

// SendFiles writes all of p and passes the files with its first bytes (SCM_RIGHTS, see unix(7)). The receiver gets its
// own descriptors; the caller still has to close the files, and may do so at once. p must not be empty, since files
// travel with bytes; the limit is 253 files. It returns how many bytes were sent; if any were, the files were sent with
// them.
//
// It is for connections between Unix sockets. The files' blocking mode does not change. Any goroutine may call it; it
// waits as Write does. A task parks.
func (c *Conn) SendFiles(p []byte, files ...*os.File) (int, error) {
	switch {
	case c.unix == nil:
		return 0, c.refuse("write", notUnix("sendmsg"))
	case len(p) == 0 && len(files) > 0:
		return 0, c.refuse("write", errors.New("files can only be sent with at least one byte"))
	case len(files) > cmsg.RightsMax:
		return 0, c.refuse("write", fmt.Errorf("%d files: one message carries at most %d", len(files), cmsg.RightsMax))
	case len(files) == 0:
		return c.Write(p)
	}
	if err := c.l.World().Passage(); err != nil {
		return 0, c.refuse("write", err)
	}
	fds, err := duplicates(files)
	defer closeAll(kernel.Host{}, fds)
	if err != nil {
		return 0, c.refuse("write", err)
	}
	m := message{p: p, control: cmsg.AppendRights(make([]byte, 0, cmsg.Space(4*len(fds))), fds)}
	return c.writeMessage(&m, true)
}

// duplicate returns another descriptor for s.
func duplicate(s int32) int32 {
	return kernel.Host{}.Dup(s)
}

// closeAll closes descriptors that no loop uses.
func closeAll(k kernel.Kernel, fds []int32) {
	for _, s := range fds {
		k.Close(s)
	}
}

// duplicates returns descriptors for the files, which no other caller closes meanwhile.
func duplicates(files []*os.File) (fds []int32, err error) {
	for _, f := range files {
		n, err := kernel.Duplicate(f)
		if err == os.ErrClosed {
			err = &fs.PathError{Op: "dup", Path: f.Name(), Err: err}
		}
		if err != nil {
			return fds, err
		}
		fds = append(fds, n)
	}
	return fds, nil
}

// RecvFiles reads bytes into p as Read does, and returns the files that were passed with them, at most max. The caller
// has to close the files; they are CLOEXEC, and in the sender's blocking mode. If more were passed, or the process is
// out of descriptors, all of them are closed and RecvFiles returns an error; the bytes are in p all the same. On a
// stream a read ends after the bytes that files came with.
//
// It is for connections between Unix sockets. Plain reads close passed files, and so do Peek, Next and Serve for the
// bytes that they fetch. Any goroutine may call it; it waits as Read does. A task parks.
func (c *Conn) RecvFiles(p []byte, max int) (n int, files []*os.File, err error) {
	if max < 0 || len(p) == 0 {
		return 0, nil, c.refuse("read",
			fmt.Errorf("RecvFiles of %d files with %d bytes: files come with bytes", max, len(p)))
	}
	if err := c.l.World().Passage(); err != nil && max > 0 {
		return 0, nil, c.refuse("read", err)
	}
	// Passed descriptors come after the credentials, which the kernel adds if the socket's option asks for them.
	room := cmsg.Space(cmsg.CredentialsSize) + cmsg.HeaderSize + 4*min(max, cmsg.RightsMax)
	m := message{p: p, control: make([]byte, room)}
	if err := c.readMessage(&m); err != nil {
		return 0, nil, err
	}
	fds := rights(m.control[:m.controls])
	if m.flags&sys.MsgCtrunc != 0 || len(fds) > max {
		closeAll(c.l.Kernel(), fds)
		return m.n, nil, c.fail("read", errFilesLost)
	}
	for _, s := range fds {
		files = append(files, os.NewFile(uintptr(s), "passed"))
	}
	return m.n, files, nil
}

// rights returns the descriptors that control messages pass.
func rights(control []byte) (fds []int32) {
	for m, rest, ok := cmsg.Next(control); ok; m, rest, ok = cmsg.Next(rest) {
		for i := range m.FDs() {
			fds = append(fds, m.FD(i))
		}
	}
	return fds
}

// PeerCred returns the process at the other end and its user and group, as they were when the connection was made
// (SO_PEERCRED, see unix(7)). pid is 0 if the process is in another PID namespace. It is for connections between Unix
// sockets. Any goroutine may call it; it does not wait.
func (c *Conn) PeerCred() (pid, uid, gid int, err error) {
	if c.unix == nil {
		return 0, 0, 0, c.refuse("get", notUnix("getsockopt"))
	}
	b := make([]byte, cmsg.CredentialsSize)
	res, err := c.plain("get", func(k kernel.Kernel, fd int32) int32 {
		return k.GetsockoptBytes(fd, sys.SolSocket, sys.SoPeerCred, b)
	})
	if err != nil {
		return 0, 0, 0, err
	}
	cred, ok := cmsg.Message{Level: cmsg.LevelSocket, Type: cmsg.Credentials, Data: b[:res]}.Credentials()
	if !ok {
		return 0, 0, 0, c.fail("get", callError("getsockopt", -sys.EINVAL))
	}
	return int(cred.PID), int(cred.UID), int(cred.GID), nil
}
