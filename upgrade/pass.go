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
// nothing is passed, and it is not called again; with another error the upgrade fails. What the successor gets is in
// the blocking mode that it is in here, which stays as it is. Several files may have one name: they are passed in the
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

// gather makes what the successor gets, and drops what is closed. One caller at a time calls it.
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

// own makes the file as one whose Fd, which starts of processes call, leaves the open file's mode alone: that of
// package net's files would make the program's own socket block.
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
