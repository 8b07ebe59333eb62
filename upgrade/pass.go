package upgrade

import (
	"cmp"
	"errors"
	"fmt"
	"net"
	"os"
	"slices"

	"ringo/internal/kernel"
	"ringo/sock"
)

// passed is one thing to pass on to a successor.
type passed struct {
	name string
	file func() (*os.File, error)
	set  *sock.ListenerSet // the set of a Reserve; nil: from Pass
}

// Reserve is like lc.Reserve, but takes over the predecessor's socket for the same network and address, spelled the
// same, if there is one, and passes the socket on to the successor. A second call with the same strings takes the
// predecessor's second such socket. lc is as for sock.ListenConfig.Reserve, but always with OneSocket; nil means the
// zero one. Reserve also sets the options of lc on a socket of the predecessor's, except AllowShared, Control and
// MultipathTCP, which a socket keeps. Port 0 is the predecessor's port. Once a successor is ready, that process removes
// the file of a Unix socket, and this one no longer does. Any goroutine may call it.
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

// Pass passes a file on to the successor under a name. It is for anything that Reserve does not handle: a net.Listener,
// a datagram socket, a lock. When a successor starts, the Upgrader calls file, and closes the *os.File that it returns:
// file is a method such as net.TCPListener.File, net.UDPConn.File or sock.PacketConn.File. If it fails with
// net.ErrClosed or os.ErrClosed, nothing is passed on, and it is not called again; with any other error the upgrade
// fails. The successor gets the file in the blocking mode that it has here, and Pass leaves that mode alone. Several
// files may have one name: they are passed on in the order in which Pass was called. Any goroutine may call it.
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

// Take returns the first file that the predecessor has passed on under this name and that was not taken yet, or nil.
// The caller has to close the file, and to Pass it on if the next successor needs it. Call Take before Ready, which
// closes the files that were not taken. Any goroutine may call it.
func (u *Upgrader) Take(name string) *os.File {
	if u.from == nil {
		return nil
	}
	return u.from.take(name)
}

// ownFiles sets whether this process removes the files of its Unix sockets when it closes them. The caller holds u.mu.
func (u *Upgrader) ownFiles(ours bool) {
	for _, p := range u.passed {
		if p.set != nil {
			p.set.SetUnlinkOnClose(ours)
		}
	}
}

// gather returns the files that a successor gets, with their names, and drops entries whose file is closed. Callers
// have to call it one at a time.
func (u *Upgrader) gather() (names []name, files []*os.File, err error) {
	u.mu.Lock()
	all := slices.Clone(u.passed)
	u.mu.Unlock()
	var open []passed
	for _, p := range all {
		f, err := p.own()
		closed := errors.Is(err, net.ErrClosed) || errors.Is(err, os.ErrClosed)
		switch {
		case err == nil:
			names, files = append(names, name(p.name)), append(files, f)
		case !closed:
			closeAll(files)
			return nil, nil, fmt.Errorf("upgrade: what the successor is to get as %q: %w", p.name, err)
		}
		if !closed || p.set != nil { // a set may listen again
			open = append(open, p)
		}
	}
	u.mu.Lock()
	u.passed = append(open, u.passed[len(all):]...)
	u.mu.Unlock()
	return names, files, nil
}

// own returns a duplicate of the file whose Fd method leaves the open file's mode alone. Starting a process calls Fd,
// and the one of package net's files would make the program's own socket block.
func (p passed) own() (*os.File, error) {
	f, err := p.file()
	if err != nil {
		return nil, err
	}
	defer f.Close()
	fd, err := kernel.Duplicate(f)
	if err != nil {
		return nil, err
	}
	return kernel.OSFile(fd, p.name)
}

func closeAll(files []*os.File) {
	for _, f := range files {
		f.Close()
	}
}
