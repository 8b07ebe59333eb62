//go:build linux

package main

import (
	"fmt"
	"os"
	"unsafe"

	"golang.org/x/sys/unix"

	"ringo/uring"
)

var udpSend = group{name: "udp-send", unit: "datagrams", peer: drain,
	cells: []cell{{"1200", 1, 1200, 32, 2_500}, {"8192", 1, 8192, 32, 2_000},
		{"60000-gso", 1, 60_000, 32, 600}},
	ways: []way{
		{"send", sendCalls}, {"sendmmsg", sendBatches}, {"entry", sendEntries(plainSend)},
		{"zc", sendEntries(zeroCopy)}, {"msg-zc", sendEntries(messageZeroCopy)},
		{"zc-fixed", sendEntries(fixedZeroCopy)},
	},
}

const (
	segment  = 1200
	sinkRoom = 16 << 20
	sinkFree = 64 << 10 // of payload, for which the buffers that everybody has are large enough
)

// The forms of a send by an entry.
type sendForm int

const (
	plainSend sendForm = iota
	zeroCopy
	messageZeroCopy
	fixedZeroCopy
)

// toSink returns a socket that is connected to the peer's.
func (j *job) toSink() (int, error) {
	sink, port, err := udpSocket()
	if err != nil {
		return 0, err
	}
	fds, err := connectAll(unix.SOCK_DGRAM, []int{port})
	if err != nil {
		return 0, err
	}
	if j.cell.depth*j.cell.size > sinkFree {
		// A turn must fit, or what is lost is waited for.
		if err := unix.SetsockoptInt(sink, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, sinkRoom); err != nil {
			return 0, os.NewSyscallError("setsockopt SO_RCVBUFFORCE (needs root)", err)
		}
		if err := unix.SetsockoptInt(fds[0], unix.SOL_SOCKET, unix.SO_SNDBUFFORCE, sinkRoom); err != nil {
			return 0, os.NewSyscallError("setsockopt SO_SNDBUFFORCE (needs root)", err)
		}
	}
	if j.cell.size > 16<<10 {
		options := []struct{ fd, name, value int }{{fds[0], unix.UDP_SEGMENT, segment}, {sink, unix.UDP_GRO, 1}}
		for _, o := range options {
			if err := unix.SetsockoptInt(o.fd, unix.SOL_UDP, o.name, o.value); err != nil {
				return 0, os.NewSyscallError("setsockopt SOL_UDP", err)
			}
		}
	}
	j.lent = os.NewFile(uintptr(sink), "sink")
	return fds[0], j.startPeer()
}

// arrived waits until the peer has got the turn.
func (j *job) arrived() error {
	var one [1]byte
	n, _, errno := unix.RawSyscall(unix.SYS_READ, uintptr(j.back), uintptr(unsafe.Pointer(&one)), 1)
	if n != 1 {
		return fmt.Errorf("the peer tells nothing: %w", errno)
	}
	j.came(j.cell.depth)
	return nil
}

func sendCalls(j *job) error {
	fd, err := j.toSink()
	if err != nil {
		return err
	}
	p := make([]byte, j.cell.size)
	for !j.finished {
		for range j.cell.depth {
			_, _, errno := unix.RawSyscall6(unix.SYS_SENDTO, uintptr(fd), uintptr(unsafe.Pointer(&p[0])),
				uintptr(len(p)), 0, 0, 0)
			if errno != 0 {
				return os.NewSyscallError("sendto", errno)
			}
		}
		if err := j.arrived(); err != nil {
			return err
		}
	}
	return nil
}

func sendBatches(j *job) error {
	fd, err := j.toSink()
	if err != nil {
		return err
	}
	b := newBatch(j.cell.size, false)
	for !j.finished {
		if n, err := b.call(unix.SYS_SENDMMSG, fd, j.cell.depth, 0); n != j.cell.depth {
			return fmt.Errorf("sendmmsg of %d sent %d: %w", j.cell.depth, n, err)
		}
		if err := j.arrived(); err != nil {
			return err
		}
	}
	return nil
}

// sendEntries sends a turn's datagrams by one enter, and waits for its notifications.
func sendEntries(form sendForm) func(*job) error {
	return func(j *job) error {
		fd, err := j.toSink()
		if err != nil {
			return err
		}
		r, err := uring.Open(256, nil)
		if err != nil {
			return err
		}
		defer r.Close()
		mem, err := unix.Mmap(-1, 0, j.cell.size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS)
		if err != nil {
			return err
		}
		if err := r.RegisterBuffers([][]byte{mem}); err != nil {
			return err
		}
		vector := &unix.Iovec{Base: &mem[0]}
		vector.SetLen(len(mem))
		message := &unix.Msghdr{Iov: vector, Iovlen: 1}
		cqes, copied, notices := make([]uring.CQE, 256), 0, 0
		for !j.finished {
			for range j.cell.depth {
				e := r.SQE()
				switch form {
				case plainSend:
					e.PrepSend(fd, mem, 0)
				case messageZeroCopy:
					e.PrepSendmsgZC(fd, unsafe.Pointer(message), 0)
				default:
					e.PrepSendZC(fd, mem, 0)
				}
				if form != plainSend {
					e.SetReportUsage()
				}
				if form == fixedZeroCopy {
					e.SetFixedBuf(0)
				}
			}
			for owed := j.cell.depth; owed > 0; {
				r.Enter(uint32(owed), true, -1)
				for _, c := range cqes[:r.Drain(cqes)] {
					switch {
					case c.Flags&uring.CQENotif != 0:
						notices++
						if uint32(c.Res)&uring.NotifCopied != 0 {
							copied++
						}
					case int(c.Res) != len(mem):
						return fmt.Errorf("send: %d", c.Res)
					}
					if !c.More() {
						owed--
					}
				}
			}
			if err := j.arrived(); err != nil {
				return err
			}
		}
		if notices > 0 {
			j.extra = fmt.Sprintf("%d of %d were copied all the same", copied, notices)
		}
		return nil
	}
}
