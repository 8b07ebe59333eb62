//go:build linux

package main

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"ringo/uring"
)

var echo = group{name: "echo", unit: "requests", peer: askRound,
	cells: []cell{{"50x64", 50, 64, 1, 1_500}, {"1000x64", 1000, 64, 1, 100}},
	ways:  []way{{"fd", answer(ordinary)}, {"direct", answer(direct)}, {"fd-send-call", answer(byCall)}},
}

var accepts = group{name: "accept", unit: "connections", peer: knock,
	cells: []cell{{"16x64", 16, 64, 1, 1_000}},
	ways:  []way{{"fd", answerOnce(ordinary)}, {"direct", answerOnce(direct)}},
}

// What a ring's server takes connections as.
type taken int

const (
	ordinary taken = iota // descriptors
	direct                // places in the ring's table
	byCall                // descriptors, and answers are calls
)

// place makes an entry one of a connection.
func (t taken) place(e *uring.SQE) {
	if t == direct {
		e.Flags |= uring.SQEFixedFile
	}
}

// askRound sends a request on each connection, and then reads all answers.
func askRound(c cell, ports []int) error {
	fds, err := connectEach(c, ports)
	if err != nil {
		return err
	}
	for p := make([]byte, c.size); ; {
		if err := exchange(fds, p); err != nil {
			return err
		}
	}
}

func exchange(fds []int, p []byte) error {
	for _, fd := range fds {
		if n, err := unix.Write(fd, p); n != len(p) {
			return fmt.Errorf("write %d: %w", n, err)
		}
	}
	for _, fd := range fds {
		if n, err := unix.Read(fd, p); n != len(p) {
			return fmt.Errorf("read %d: %w", n, err)
		}
	}
	return nil
}

// knock is askRound on new connections each time.
func knock(c cell, ports []int) error {
	for p := make([]byte, c.size); ; {
		fds, err := connectEach(c, ports)
		if err != nil {
			return err
		}
		if err := exchange(fds, p); err != nil {
			return err
		}
		for _, fd := range fds {
			// Without a reset ports would run out.
			reset := unix.SetsockoptLinger(fd, unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1})
			if err := errors.Join(reset, unix.Close(fd)); err != nil {
				return err
			}
		}
	}
}

const (
	listening  = 1 << 32 // user data of the accept, and of sends: no connection has it
	sending    = 1 << 33
	echoBuffer = 4 << 10
	sendFlags  = unix.MSG_DONTWAIT | unix.MSG_WAITALL
)

// A server echoes small messages from the buffers they came in.
type server struct {
	r    *uring.Ring
	bufs *uring.BufRing
	as   taken
	used []uint16 // buffers of sends that the next enter makes
}

func newServer(as taken, buffers, places int) (*server, error) {
	r, err := openWide()
	if err != nil {
		return nil, err
	}
	bufs, err := r.BufRing(1, buffers, echoBuffer)
	if err == nil && as == direct {
		err = r.RegisterFilesSparse(places)
	}
	if err != nil {
		r.Close()
		return nil, err
	}
	return &server{r: r, bufs: bufs, as: as}, nil
}

// turn submits, waits and gives back the buffers of the answers, which the enter has sent.
func (s *server) turn(into []uring.CQE) int {
	s.r.Enter(1, true, -1)
	s.lend()
	return s.r.Drain(into)
}

func (s *server) lend() {
	for _, id := range s.used {
		s.bufs.Add(s.bufs.Bytes(id), id)
	}
	s.used = s.used[:0]
	s.bufs.Commit()
}

func (s *server) sqe() *uring.SQE {
	e := s.r.SQE()
	if e == nil {
		s.r.Flush()
		s.lend()
		e = s.r.SQE()
	}
	return e
}

// send answers what a CQE has brought.
func (s *server) send(fd int, c *uring.CQE) error {
	id := c.BufID()
	s.used = append(s.used, id)
	p := s.bufs.Bytes(id)[:c.Res]
	if s.as == byCall {
		return os.NewSyscallError("sendto", unix.Sendto(fd, p, sendFlags, nil))
	}
	e := s.sqe()
	e.PrepSend(fd, p, sendFlags)
	e.SetUserData(sending)
	e.Flags |= uring.SQECQESkipSuccess
	s.as.place(e)
	return nil
}

// accept takes connections from now on.
func (s *server) accept(ln int) {
	e := s.sqe()
	e.PrepAcceptMultishot(ln, unix.SOCK_CLOEXEC)
	if s.as == direct {
		e.PrepAcceptMultishot(ln, 0)
		e.SetDirect(uring.DirectAlloc)
	}
	e.SetUserData(listening)
}

// answer echoes on the cell's connections.
func answer(as taken) func(*job) error {
	return func(j *job) error {
		return serve(j, as, func(s *server, fd int) {
			e := s.sqe()
			e.PrepRecvMultishot(fd, 1, 0)
			e.SetUserData(uint64(fd))
			as.place(e)
		}, false)
	}
}

// answerOnce echoes one message on each connection, and closes it.
func answerOnce(as taken) func(*job) error {
	return func(j *job) error {
		return serve(j, as, func(s *server, fd int) {
			e := s.sqe()
			e.PrepRecvSelect(fd, 1, 0, 0)
			e.SetUserData(uint64(fd))
			as.place(e)
		}, true)
	}
}

func serve(j *job, as taken, arm func(*server, int), once bool) error {
	ln, err := j.listen()
	if err != nil {
		return err
	}
	s, err := newServer(as, 2048, j.cell.sockets+64)
	if err != nil {
		return err
	}
	defer s.r.Close()
	s.accept(ln)
	cqes := make([]uring.CQE, 1024)
	for !j.finished {
		got := 0
		for _, c := range cqes[:s.turn(cqes)] {
			switch {
			case c.UserData == listening && c.Res >= 0 && c.More():
				arm(s, int(c.Res))
			case c.Res <= 0 || c.UserData >= listening || !once && !c.More():
				return fmt.Errorf("of %#x came %d with flags %#x", c.UserData, c.Res, c.Flags)
			default:
				if err := s.send(int(c.UserData), &c); err != nil {
					return err
				}
				got++
				if once {
					s.close(int(c.UserData))
				}
			}
		}
		j.came(got)
	}
	return nil
}

// close closes behind what was sent.
func (s *server) close(fd int) {
	e := s.sqe()
	if s.as == direct {
		e.PrepCloseDirect(uint32(fd))
	} else {
		e.PrepClose(fd)
	}
	e.SetUserData(sending)
	e.Flags |= uring.SQECQESkipSuccess
}
