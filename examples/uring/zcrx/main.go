//go:build linux

// Zcrx receives what one TCP connection sends without a copy: the network card writes into the program's memory, and
// the ring says where. The card must split headers from data, and must send the connection to a queue that nothing
// else uses:
//
//	ethtool -G eth0 tcp-data-split on
//	ethtool -X eth0 equal 1                                             # all others to queue 0
//	ethtool -N eth0 flow-type tcp6 dst-port 9999 action 1
//	zcrx eth0 1 [::]:9999
//
// If the card is "-", no card is used and the kernel copies (since Linux 7.0), to try a program.
package main

import (
	"errors"
	"fmt"
	"net"
	"os"
	"runtime"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"

	"ringo/uring"
)

func main() {
	if len(os.Args) != 4 {
		fmt.Fprintln(os.Stderr, "usage: zcrx INTERFACE QUEUE ADDRESS")
		os.Exit(2)
	}
	n, err := run(os.Args[1], os.Args[2], os.Args[3], func(net.Addr) {})
	if err != nil {
		fmt.Fprintln(os.Stderr, "zcrx:", err)
		os.Exit(1)
	}
	fmt.Println(n, "bytes")
}

const (
	areaSize = 16 << 20
	entries  = 4096 // of the refill ring, one page each
	without  = "-"
)

// run returns how many bytes the first connection sends. It calls listening with its address.
func run(card, queue, address string, listening func(net.Addr)) (n int64, err error) {
	cfg := uring.ZCRXConfig{Entries: entries}
	if card == without {
		cfg.Flags = uring.ZCRXNoCard
	} else {
		i, err := net.InterfaceByName(card)
		if err != nil {
			return 0, err
		}
		q, err := strconv.ParseUint(queue, 10, 32)
		if err != nil {
			return 0, err
		}
		cfg.Interface, cfg.Queue = uint32(i.Index), uint32(q)
	}
	runtime.LockOSThread() // the ring belongs to this thread
	defer runtime.UnlockOSThread()
	r, err := uring.Open(8, &uring.Config{CQEntries: entries, With: uring.SetupCQE32 | uring.SetupDeferTaskrun})
	if err != nil {
		return 0, err
	}
	cfg.Area, err = unix.Mmap(-1, 0, areaSize, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE)
	if err != nil {
		return 0, errors.Join(os.NewSyscallError("mmap", err), r.Close())
	}
	z, err := r.RegisterZCRX(cfg)
	if err != nil {
		err = because(card, err)
	} else {
		n, err = receive(r, z, address, listening)
	}
	// In this order: the kernel may use the memory for as long as the ring exists.
	return n, errors.Join(err, r.CancelAll(-1), r.Close(), unix.Munmap(cfg.Area))
}

// because adds to an error what may be missing.
func because(card string, err error) error {
	why := ""
	switch {
	case errors.Is(err, syscall.EPERM):
		why = "it needs CAP_NET_ADMIN"
	case errors.Is(err, syscall.EOPNOTSUPP):
		why = "the card's driver has no memory but its own, or tcp-data-split is off: ethtool -G"
	case errors.Is(err, syscall.ENODEV), errors.Is(err, syscall.EEXIST), errors.Is(err, syscall.EBUSY):
		why = "there is no such queue, or somebody has it"
	case errors.Is(err, syscall.EINVAL):
		why = "the kernel is older than 6.15, than 7.0 without a card, or the card has no such queue"
	default:
		return err
	}
	return fmt.Errorf("no receives without copies on %s: %w: %s", card, err, why)
}

// receive accepts one connection and counts its bytes. Each CQE names a place in the area, which has to be returned.
func receive(r *uring.Ring, z *uring.ZCRX, address string, listening func(net.Addr)) (n int64, err error) {
	l, err := net.Listen("tcp", address)
	if err != nil {
		return 0, err
	}
	defer l.Close()
	listening(l.Addr())
	c, err := l.Accept()
	if err != nil {
		return 0, err
	}
	defer c.Close()
	f, err := c.(*net.TCPConn).File()
	if err != nil {
		return 0, err
	}
	defer f.Close()
	for more := false; ; {
		if !more { // the first time, and after the CQ or the area was full
			r.SQE().PrepRecvZC(int(f.Fd()), z.ID(), 0)
		}
		if _, err := r.Wait(1, -1); err != nil {
			return n, err
		}
		for c, ok := r.CQE32(); ok; c, ok = r.CQE32() {
			more = c.More()
			switch {
			case c.Res == -int32(syscall.ENOMEM): // the whole area is in the refill ring, and no card takes from it
				err = z.Flush()
			case c.Res < 0:
				err = os.NewSyscallError("recv", syscall.Errno(-c.Res))
			case c.Res == 0 && !more:
				return n, nil // the end of the connection
			default:
				n += int64(len(z.Data(c))) // where a program would use the data
				for err == nil && !z.Return(c) {
					err = z.Flush()
				}
			}
			if err != nil {
				return n, err
			}
		}
	}
}
