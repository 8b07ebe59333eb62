package upgrade

import (
	"cmp"
	"errors"
	"fmt"
	"net"
	"os"

	"ringo/sock"
)

// passed is what a successor gets.
type passed struct {
	name string
	file func() (*os.File, error)
	set  *sock.ListenerSet // whose it is; nil: of Pass
}

// Reserve is lc.Reserve, but takes the predecessor's socket for the same network and address, spelled the same, if
// there is one; and the successor gets it. A second call with the same strings takes the predecessor's second socket.
// lc is as for sock.ListenConfig.Reserve, with OneSocket; nil means the zero one. Its options are set on a socket of
// the predecessor's, too, except for AllowShared, Control and MultipathTCP, which a socket keeps. Port 0 is the
// predecessor's port. Once the successor is ready, removing the file of a Unix socket is up to it. Any goroutine may
// call it.
func (u *Upgrader) Reserve(lc *sock.ListenConfig, network, address string) (*sock.ListenerSet, error) {
	with := *cmp.Or(lc, new(sock.ListenConfig))
	with.OneSocket = true
	name := network + " " + address
	var set *sock.ListenerSet
	var err error
	if f := u.Take(name); f == nil {
		set, err = with.Reserve(network, address)
	} else if set, err = with.AdoptSet(f); err != nil {
		f.Close()
		err = fmt.Errorf("upgrade: the predecessor's socket %s: %w", name, err)
	}
	if err != nil {
		return nil, err
	}
	u.pass(passed{name, set.File, set})
	return set, nil
}

// Pass passes a file on to the successor under a name, for anything that Reserve is not for: a net.Listener, a datagram
// socket, a lock. When a successor starts, file makes the file, and the Upgrader closes it: file is a method such as
// net.TCPListener.File, net.UDPConn.File or sock.PacketConn.File. If it fails with net.ErrClosed or os.ErrClosed,
// nothing is passed; with another error the upgrade fails. Several files may have one name: they are passed in the
// order in which Pass was called. Any goroutine may call it.
func (u *Upgrader) Pass(name string, file func() (*os.File, error)) {
	u.pass(passed{name: name, file: file})
}

func (u *Upgrader) pass(p passed) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.ready && p.set != nil && u.from != nil {
		p.set.SetUnlinkOnClose(true)
	}
	u.passed = append(u.passed, p)
}

// Take returns the first file that the predecessor has passed on under a name and that was not taken yet, or nil. The
// caller has to close it, and to Pass it on if the successor is to have it. Any goroutine may call it, before Ready.
func (u *Upgrader) Take(name string) *os.File {
	if u.from == nil {
		return nil
	}
	return u.from.take(name)
}

// ownFiles says whether the files of Unix sockets are this process' to remove. The caller holds the lock.
func (u *Upgrader) ownFiles(ours bool) {
	for _, p := range u.passed {
		if p.set != nil {
			p.set.SetUnlinkOnClose(ours)
		}
	}
}

// gather makes what the successor gets.
func (u *Upgrader) gather() (names []string, files []*os.File, err error) {
	u.mu.Lock()
	all := u.passed[:len(u.passed):len(u.passed)]
	u.mu.Unlock()
	for _, p := range all {
		f, err := p.file()
		switch {
		case err == nil:
			names, files = append(names, p.name), append(files, f)
		case !errors.Is(err, net.ErrClosed) && !errors.Is(err, os.ErrClosed):
			closeAll(files)
			return nil, nil, fmt.Errorf("upgrade: what the successor is to get as %q: %w", p.name, err)
		}
	}
	return names, files, nil
}

func closeAll(files []*os.File) {
	for _, f := range files {
		f.Close()
	}
}
