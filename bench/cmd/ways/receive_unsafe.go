//go:build linux

package main

import (
	"context"
	"fmt"
	"net"
	"unsafe"

	"golang.org/x/sys/unix"

	"ringo"
	"ringo/sock"
	"ringo/uring"
)

var udpReceive = group{name: "udp-receive", unit: "datagrams", paced: true, peer: sendTurns,
	cells: []cell{
		{"1x64x1", 1, 64, 1, 8_000}, {"1x64x8", 1, 64, 8, 5_000}, {"1x64x64", 1, 64, 64, 2_500},
		{"16x64x1", 16, 64, 1, 4_000}, {"16x64x8", 16, 64, 8, 1_000},
		{"1x1200x1", 1, 1200, 1, 8_000}, {"1x1200x8", 1, 1200, 8, 5_000}, {"1x1200x64", 1, 1200, 64, 2_000},
		{"16x1200x1", 16, 1200, 1, 3_000}, {"16x1200x8", 16, 1200, 8, 1_000},
	},
	ways: []way{
		{"sock-batch", sockBatch}, {"sock-read", sockRead}, {"recvmmsg", recvmmsg}, {"entry-each", entryEach},
		{"poll", poll(nil)}, {"multishot", multishot(nil)},
		{"poll-keep-p", poll(keepP)}, {"multishot-keep-p", multishot(keepP)},
	},
}

const (
	datagramMax = 2048 // what each way has room for
	nameRoom    = unix.SizeofSockaddrInet4
)

// sockRead is a task for each socket, which reads one datagram at a time.
func sockRead(j *job) error {
	return onLoop(j, func(c *sock.PacketConn) error {
		p := make([]byte, datagramMax)
		for !j.finished {
			if _, _, err := c.ReadFromUDPAddrPort(p); err != nil {
				return err
			}
			j.came(1)
		}
		return nil
	})
}

// sockBatch is a task for each socket, which reads what there is.
func sockBatch(j *job) error {
	return onLoop(j, func(c *sock.PacketConn) error {
		ms := make([]sock.Message, sock.MessagesMax)
		for i := range ms {
			ms[i].Buffers = [][]byte{make([]byte, datagramMax)}
		}
		for !j.finished {
			n, err := c.ReadBatch(ms)
			if err != nil {
				return err
			}
			j.came(n)
		}
		return nil
	})
}

// onLoop has a task for each socket, on a loop of Ringo.
func onLoop(j *job, serve func(*sock.PacketConn) error) error {
	return ringo.Run(context.Background(), &ringo.Config{Driver: "uring", Loops: 1}, func(l *ringo.Loop) error {
		var all []*sock.PacketConn
		for range j.cell.sockets {
			c, err := sock.ListenPacket(l, "udp4", "127.0.0.1:0")
			if err != nil {
				return err
			}
			all, j.ports = append(all, c), append(j.ports, c.LocalAddr().(*net.UDPAddr).Port)
		}
		g := ringo.NewGroup(l)
		for _, c := range all {
			g.Go(func() error {
				err := serve(c)
				if !j.finished {
					return err
				}
				for _, other := range all {
					other.Close()
				}
				return nil
			})
		}
		if err := l.Offload(func(context.Context) error { return j.startPeer() }); err != nil {
			return err
		}
		return g.Wait()
	})
}

// recvmmsg is plain calls: one that waits where there is one socket, else epoll and one for each that is ready.
func recvmmsg(j *job) error {
	fds, err := j.bindAll()
	if err != nil {
		return err
	}
	b := newBatch(datagramMax, true)
	if len(fds) == 1 {
		for !j.finished {
			n, err := b.receive(fds[0], unix.MSG_WAITFORONE)
			if err != nil {
				return fmt.Errorf("recvmmsg: %w", err)
			}
			j.came(n)
		}
		return nil
	}
	ep, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return err
	}
	for _, fd := range fds {
		e := unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(fd)}
		if err := unix.EpollCtl(ep, unix.EPOLL_CTL_ADD, fd, &e); err != nil {
			return err
		}
	}
	events := make([]unix.EpollEvent, 64)
	for !j.finished {
		n, err := unix.EpollWait(ep, events, -1)
		if err != nil && err != unix.EINTR {
			return err
		}
		for _, e := range events[:max(n, 0)] {
			switch k, err := b.receive(int(e.Fd), unix.MSG_DONTWAIT); err {
			case nil:
				j.came(k)
			case unix.EAGAIN:
			default:
				return fmt.Errorf("recvmmsg: %w", err)
			}
		}
	}
	return nil
}

// entryEach is a recvmsg for each socket, which is made again when it has ended.
func entryEach(j *job) error {
	fds, err := j.bindAll()
	if err != nil {
		return err
	}
	r, err := uring.Open(256, nil)
	if err != nil {
		return err
	}
	defer r.Close()
	b := newBatch(datagramMax, true)
	arm := func(i int) {
		b.messages[i].header.Namelen = nameRoom
		e := r.SQE()
		e.PrepRecvmsg(fds[i], unsafe.Pointer(&b.messages[i].header), 0)
		e.SetUserData(uint64(i))
	}
	for i := range fds {
		arm(i)
	}
	cqes := make([]uring.CQE, 256)
	for !j.finished {
		r.Enter(1, true, -1)
		n := r.Drain(cqes)
		for _, c := range cqes[:n] {
			if c.Res <= 0 {
				return fmt.Errorf("recvmsg: %d", c.Res)
			}
			arm(int(c.UserData))
		}
		j.came(n)
	}
	return nil
}

// keepP is a ring whose waits Go's scheduler is not told of.
var keepP = &uring.Config{KeepP: true}

// poll is a multishot poll for each socket, and a recvmmsg when it tells of something: what package sock does.
func poll(cfg *uring.Config) func(*job) error {
	return func(j *job) error {
		fds, err := j.bindAll()
		if err != nil {
			return err
		}
		r, err := uring.Open(256, cfg)
		if err != nil {
			return err
		}
		defer r.Close()
		b := newBatch(datagramMax, true)
		arm := func(i int) {
			e := r.SQE()
			e.PrepPollMultishot(fds[i], unix.POLLIN)
			e.SetUserData(uint64(i))
		}
		for i := range fds {
			arm(i)
		}
		cqes := make([]uring.CQE, 256)
		for !j.finished {
			r.Enter(1, true, -1)
			for _, c := range cqes[:r.Drain(cqes)] {
				if c.Res < 0 {
					return fmt.Errorf("poll: %d", c.Res)
				}
				for n := batchMax; n == batchMax; {
					if n, err = b.receive(fds[c.UserData], unix.MSG_DONTWAIT); err != nil && err != unix.EAGAIN {
						return fmt.Errorf("recvmmsg: %w", err)
					}
					j.came(n)
				}
				if !c.More() {
					arm(int(c.UserData))
				}
			}
		}
		return nil
	}
}

// multishot is a recvmsg for each socket, which stays, into a ring of buffers.
func multishot(cfg *uring.Config) func(*job) error {
	return func(j *job) error {
		return multishotOn(j, cfg, func(*uring.Ring, []int) error { return nil })
	}
}

func multishotOn(j *job, cfg *uring.Config, prepare func(r *uring.Ring, fds []int) error) error {
	fds, err := j.bindAll()
	if err != nil {
		return err
	}
	r, err := uring.Open(256, cfg)
	if err != nil {
		return err
	}
	defer r.Close()
	const buffers = 256
	ring, err := r.BufRing(1, buffers, datagramMax+uring.RecvmsgHeader+nameRoom)
	if err != nil {
		return err
	}
	if err := prepare(r, fds); err != nil {
		return err
	}
	room := &unix.Msghdr{Namelen: nameRoom}
	arm := func(i int) {
		e := r.SQE()
		e.PrepRecvmsgMultishot(fds[i], unsafe.Pointer(room), 1, 0)
		e.SetUserData(uint64(i))
	}
	for i := range fds {
		arm(i)
	}
	cqes, ended := make([]uring.CQE, 1024), 0
	for !j.finished {
		r.Enter(1, true, -1)
		n, got := r.Drain(cqes), 0
		for i := range cqes[:n] {
			c := &cqes[i]
			if c.Flags&uring.CQEBuffer != 0 {
				id := c.BufID()
				m, ok := uring.ParseRecvmsg(ring.Bytes(id)[:c.Res], nameRoom, 0)
				if !ok || len(m.Payload) != j.cell.size || len(m.Name) == 0 {
					return fmt.Errorf("a message %+v", m)
				}
				got++
				ring.Add(ring.Bytes(id), id)
			} else if c.Res != -int32(unix.ENOBUFS) {
				return fmt.Errorf("recvmsg: %d", c.Res)
			}
			if !c.More() {
				arm(int(c.UserData))
				ended++
			}
		}
		ring.Commit()
		j.came(got)
	}
	j.extra = fmt.Sprintf("armed again %d times", ended)
	return nil
}
