//go:build linux

// Echo serves TCP connections by package uring, and sends back what it receives. One multishot accept is for all
// connections, and one multishot receive for all that a connection sends. The kernel picks a buffer when bytes arrive,
// so an idle connection has none. Peers that send and never read may hold all buffers: a server for untrusted peers
// would bound how many each may hold.
//
//	echo ADDRESS
package main

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/signal"
	"runtime"
	"syscall"

	"ringo/uring"
)

const (
	connsMax = 1024 // connections beyond are closed at once
	buffers  = 256  // for all connections
	size     = 4096
	group    = 1
)

// What a CQE is the answer to. It is in the lower half of the user data, with the connection's number in the upper
// half.
const (
	accept = iota
	recv
	send
	stop
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: echo ADDRESS")
		os.Exit(2)
	}
	if err := run(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, "echo:", err)
		os.Exit(1)
	}
}

// run serves until the program is interrupted.
func run(address string) error {
	l, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	defer l.Close()
	f, err := l.(*net.TCPListener).File()
	if err != nil {
		return err
	}
	defer f.Close()
	fmt.Println("listening on", l.Addr())
	quit, interrupted, err := os.Pipe()
	if err != nil {
		return err
	}
	defer quit.Close()
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		<-signals
		interrupted.Close()
	}()
	return serve(int(f.Fd()), int(quit.Fd()))
}

// A conn is a slot for a connection; free ones have fd 0.
type conn struct {
	fd        int
	queue     []uring.CQE // received and not sent yet: buffers that this connection holds
	sent      int         // bytes of the first of them
	receiving bool
	sending   bool
	closing   bool // close once the queue is sent
}

type server struct {
	r     *uring.Ring
	bufs  *uring.BufRing
	conns []conn
	free  []int
	dry   []int // connections that wait for a buffer
	end   []byte
}

// serve accepts connections until quit can be read, then closes all of them.
func serve(listener, quit int) (err error) {
	runtime.LockOSThread() // the ring belongs to this thread
	defer runtime.UnlockOSThread()
	r, err := uring.Open(256, nil)
	if err != nil {
		return err
	}
	s := &server{r: r, conns: make([]conn, connsMax), end: make([]byte, 1)}
	defer func() {
		err = errors.Join(err, r.CancelAll(-1), r.Close()) // cancel first: then the kernel no longer uses the buffers
		for i := range s.conns {
			if s.conns[i].fd != 0 {
				syscall.Close(s.conns[i].fd)
			}
		}
	}()
	if s.bufs, err = r.BufRing(group, buffers, size); err != nil {
		return err
	}
	for i := range s.conns {
		s.free = append(s.free, i)
	}
	if err := s.add(func(e *uring.SQE) { e.PrepRead(quit, s.end, -1) }, stop, 0); err != nil {
		return err
	}
	if err := s.accept(listener); err != nil {
		return err
	}
	for {
		if _, err := r.Wait(1, -1); err != nil {
			return err
		}
		for c, ok := r.CQE(); ok; c, ok = r.CQE() {
			i := int(c.UserData >> 32)
			switch uint32(c.UserData) {
			case accept:
				err = s.accepted(listener, c)
			case recv:
				err = s.received(i, c)
			case send:
				err = s.sent(i, c)
			case stop:
				return nil
			}
			if err != nil {
				return err
			}
		}
	}
}

// add puts an entry into the SQ. If the SQ is full it submits that first.
func (s *server) add(prep func(e *uring.SQE), what uint32, conn int) error {
	e := s.r.SQE()
	if e == nil {
		if _, err := s.r.Submit(); err != nil {
			return err
		}
		e = s.r.SQE()
	}
	prep(e)
	e.SetUserData(uint64(conn)<<32 | uint64(what))
	return nil
}

// accept adds one request that accepts connections until it fails: each is a CQE.
func (s *server) accept(listener int) error {
	return s.add(func(e *uring.SQE) { e.PrepAcceptMultishot(listener, syscall.SOCK_CLOEXEC) }, accept, 0)
}

// accepted begins to serve a connection, and accepts again if the kernel has ended the multishot request.
func (s *server) accepted(listener int, c uring.CQE) error {
	switch {
	case c.Res >= 0 && len(s.free) == 0:
		syscall.Close(int(c.Res))
	case c.Res >= 0:
		i := s.free[len(s.free)-1]
		s.free = s.free[:len(s.free)-1]
		s.conns[i] = conn{fd: int(c.Res), queue: s.conns[i].queue[:0]}
		if err := s.receive(i); err != nil {
			return err
		}
	case c.Res != -int32(syscall.ECONNABORTED): // not retried: EMFILE would come back at once
		return os.NewSyscallError("accept", syscall.Errno(-c.Res))
	}
	if c.More() {
		return nil
	}
	return s.accept(listener)
}

// receive adds one request that receives until it fails: each CQE has a buffer of the group with bytes.
func (s *server) receive(i int) error {
	s.conns[i].receiving = true
	return s.add(func(e *uring.SQE) { e.PrepRecvMultishot(s.conns[i].fd, group, 0) }, recv, i)
}

// received queues a filled buffer. The receive ends for lack of buffers, at the end of the stream, or on an error.
func (s *server) received(i int, c uring.CQE) error {
	k := &s.conns[i]
	k.receiving = c.More()
	if c.Flags&uring.CQEBuffer != 0 {
		if c.Res > 0 && !k.closing {
			k.queue = append(k.queue, c)
		} else if err := s.giveBack(c); err != nil {
			return err
		}
	}
	switch {
	case c.Res == -int32(syscall.ENOBUFS):
		s.dry = append(s.dry, i)
		k.receiving = true // giveBack receives again once there is a buffer
	case c.Res <= 0:
		k.closing = true
	case !k.receiving && !k.closing:
		if err := s.receive(i); err != nil {
			return err
		}
	}
	return s.next(i)
}

// next sends the first buffer of the queue, or closes the connection if it has ended and nothing is left to send.
func (s *server) next(i int) error {
	k := &s.conns[i]
	switch {
	case k.sending:
	case len(k.queue) > 0:
		k.sending = true
		c := k.queue[0]
		p := s.bufs.Bytes(c.BufID())[k.sent:c.Res]
		return s.add(func(e *uring.SQE) { e.PrepSend(k.fd, p, syscall.MSG_WAITALL) }, send, i)
	case k.closing && !k.receiving:
		syscall.Close(k.fd)
		k.fd = 0
		s.free = append(s.free, i)
	}
	return nil
}

// sent returns the buffers that were sent to the kernel, or all of them if the send failed.
func (s *server) sent(i int, c uring.CQE) error {
	k := &s.conns[i]
	k.sending = false
	if c.Res > 0 {
		k.sent += int(c.Res)
	} else { // the peer is gone: return all its buffers, and end the receive
		k.closing = true
		syscall.Shutdown(k.fd, syscall.SHUT_RDWR)
	}
	for len(k.queue) > 0 && (k.closing && c.Res <= 0 || k.sent == int(k.queue[0].Res)) {
		first := k.queue[0]
		k.queue = append(k.queue[:0], k.queue[1:]...)
		k.sent = 0
		if err := s.giveBack(first); err != nil {
			return err
		}
	}
	return s.next(i)
}

// giveBack returns a buffer to the kernel, and lets one connection that had found none receive again.
func (s *server) giveBack(c uring.CQE) error {
	s.bufs.Return(c.BufID())
	if len(s.dry) == 0 {
		return nil
	}
	i := s.dry[0]
	s.dry = append(s.dry[:0], s.dry[1:]...)
	return s.receive(i)
}
