//go:build linux

package main

import (
	"fmt"
	"io"
	"os"

	"golang.org/x/sys/unix"

	"ringo/uring"
)

var bulk = group{name: "bulk", unit: "messages", peer: writeRound,
	cells: []cell{{"100x16K", 100, 16 << 10, 1, 400}, {"100x64K", 100, 64 << 10, 1, 120},
		{"1000x16K", 1000, 16 << 10, 1, 40}, {"1000x64K", 1000, 64 << 10, 1, 12}},
	ways: []way{
		{"64x16K", receive(uring.BufRingConfig{Buffers: 64, Size: 16 << 10}, false)},
		{"16x16K", receive(uring.BufRingConfig{Buffers: 16, Size: 16 << 10}, false)},
		{"bundle-16x16K", receive(uring.BufRingConfig{Buffers: 16, Size: 16 << 10, Bundles: true}, true)},
		{"bundle-64x16K", receive(uring.BufRingConfig{Buffers: 64, Size: 16 << 10, Bundles: true}, true)},
		{"bundle-256x4K", receive(uring.BufRingConfig{Buffers: 256, Size: 4 << 10, Bundles: true}, true)},
		{"16x64K", receive(uring.BufRingConfig{Buffers: 16, Size: 64 << 10}, false)},
		{"inc-16x64K", receive(uring.BufRingConfig{Buffers: 16, Size: 64 << 10, Incremental: true}, false)},
		{"inc-4x256K", receive(uring.BufRingConfig{Buffers: 4, Size: 256 << 10, Incremental: true}, false)},
		{"poll-recv-64K", receiveAtReadiness},
	},
}

// writeRound writes a message to each connection in turn, for good.
func writeRound(c cell, ports []int) error {
	fds, err := connectEach(c, ports)
	if err != nil {
		return err
	}
	p := make([]byte, c.size)
	for {
		for _, fd := range fds {
			for sent := 0; sent < len(p); {
				n, err := unix.Write(fd, p[sent:])
				if err != nil {
					return os.NewSyscallError("write", err)
				}
				sent += n
			}
		}
	}
}

// connectEach makes the cell's connections to the one port.
func connectEach(c cell, ports []int) ([]int, error) {
	all := make([]int, c.sockets)
	for i := range all {
		all[i] = ports[0]
	}
	return connectAll(unix.SOCK_STREAM, all)
}

// listen gives the job a listening socket, and starts the peer.
func (j *job) listen() (int, error) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return 0, err
	}
	if err := unix.Bind(fd, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		return 0, os.NewSyscallError("bind", err)
	}
	if err := unix.Listen(fd, 4096); err != nil {
		return 0, os.NewSyscallError("listen", err)
	}
	at, err := unix.Getsockname(fd)
	if err != nil {
		return 0, err
	}
	j.ports = []int{at.(*unix.SockaddrInet4).Port}
	return fd, j.startPeer()
}

// acceptAll accepts the cell's connections.
func (j *job) acceptAll() (fds []int, err error) {
	ln, err := j.listen()
	if err != nil {
		return nil, err
	}
	for range j.cell.sockets {
		fd, _, err := unix.Accept4(ln, unix.SOCK_CLOEXEC)
		if err != nil {
			return nil, os.NewSyscallError("accept4", err)
		}
		fds = append(fds, fd)
	}
	return fds, nil
}

// receiveAtReadiness takes what comes by calls into one warm buffer, when a multishot poll tells of it.
func receiveAtReadiness(j *job) error {
	fds, err := j.acceptAll()
	if err != nil {
		return err
	}
	r, err := openWide()
	if err != nil {
		return err
	}
	defer r.Close()
	arm := func(i int) {
		e := r.SQE()
		if e == nil {
			r.Flush()
			e = r.SQE()
		}
		e.PrepPollMultishot(fds[i], unix.POLLIN)
		e.SetUserData(uint64(i))
	}
	for i := range fds {
		arm(i)
	}
	cqes, p, bytes := make([]uring.CQE, 1024), make([]byte, 64<<10), 0
	for !j.finished {
		r.Enter(1, true, -1)
		for _, c := range cqes[:r.Drain(cqes)] {
			if c.Res < 0 {
				return fmt.Errorf("poll: %d", c.Res)
			}
			for {
				n, _, err := unix.Recvfrom(fds[c.UserData], p, unix.MSG_DONTWAIT)
				if err != nil && err != unix.EAGAIN {
					return os.NewSyscallError("recvfrom", err)
				}
				if bytes += max(n, 0); n < len(p) {
					break
				}
			}
			if !c.More() {
				arm(int(c.UserData))
			}
		}
		j.came(bytes / j.cell.size)
		bytes %= j.cell.size
	}
	return nil
}

func openWide() (*uring.Ring, error) { return uring.Open(1024, &uring.Config{CQEntries: 8192}) }

// receive takes all that comes, by a multishot recv on each connection.
func receive(cfg uring.BufRingConfig, bundle bool) func(*job) error {
	return func(j *job) error {
		fds, err := j.acceptAll()
		if err != nil {
			return err
		}
		r, err := openWide()
		if err != nil {
			return err
		}
		defer r.Close()
		cfg.Group = 1
		ring, err := r.OpenBufRing(cfg)
		if err != nil {
			return err
		}
		arm := func(i int) {
			e := r.SQE()
			if e == nil {
				r.Flush()
				e = r.SQE()
			}
			e.PrepRecvMultishot(fds[i], 1, 0)
			e.SetUserData(uint64(i))
			if bundle {
				e.SetBundle()
			}
		}
		var waiting []int // connections whose recv has ended, mostly for want of buffers
		for i := range fds {
			waiting = append(waiting, i)
		}
		room := max(cfg.Buffers*cfg.Size>>14, 1)
		cqes, bytes, brought, dry := make([]uring.CQE, 1024), 0, 0, 0
		for !j.finished {
			n := min(len(waiting), room) // more than there are buffers for would only be refused again
			for _, i := range waiting[:n] {
				arm(i)
			}
			waiting = waiting[:copy(waiting, waiting[n:])]
			r.Enter(1, true, -1)
			for _, c := range cqes[:r.Drain(cqes)] {
				switch {
				case c.Res > 0:
					bytes += int(c.Res)
					brought++
				case c.Res == -int32(unix.ENOBUFS):
					dry++
				case c.Res == 0:
					return io.ErrUnexpectedEOF
				default:
					return fmt.Errorf("recv: %d", c.Res)
				}
				for p := ring.Parts(c); ; {
					id, _, done, ok := p.Next()
					if !ok {
						break
					}
					if done {
						ring.Add(ring.Bytes(id), id)
					}
				}
				if !c.More() {
					waiting = append(waiting, int(c.UserData))
				}
			}
			ring.Commit()
			j.came(bytes / j.cell.size)
			bytes %= j.cell.size
		}
		j.extra = fmt.Sprintf("%d CQEs, %d of them without a buffer", brought+dry, dry)
		return nil
	}
}
