//go:build linux

package main

import (
	"fmt"
	"runtime"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"ringo/uring"
)

// The code below follows c/liburing.c step by step, in package uring.

const (
	entries = 256
	page    = 4096
	pairs   = 16
)

type worker struct {
	r    *uring.Ring
	cqes [4 * entries]uring.CQE
}

// work does ops operations and prints the CPU time they took.
func work(name string, ops int, file string, keepP bool) error {
	runtime.LockOSThread()
	r, err := uring.Open(entries, &uring.Config{KeepP: keepP})
	if err != nil {
		return err
	}
	defer r.Close()
	w := &worker{r: r}
	begin := cpu()
	switch name {
	case "nop":
		err = w.nops(ops, 32)
	case "nop-1":
		err = w.nops(ops, 1)
	case "cached":
		err = w.reads(ops, 32, file, 0)
	case "direct-32":
		err = w.reads(ops, 32, file, unix.O_DIRECT)
	case "direct-128":
		err = w.reads(ops, 128, file, unix.O_DIRECT)
	case "sockets":
		err = w.sockets(ops)
	default:
		err = fmt.Errorf("no work %q", name)
	}
	if err == nil {
		fmt.Printf("%d %.6f\n", ops, (cpu() - begin).Seconds())
	}
	return err
}

func cpu() time.Duration {
	var u syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func (w *worker) nops(ops, depth int) error {
	for done := 0; done < ops; {
		for range depth {
			w.r.SQE().PrepNop()
		}
		w.r.Enter(uint32(depth), true, -1)
		n := w.r.Drain(w.cqes[:])
		for i := range w.cqes[:n] {
			if w.cqes[i].Res != 0 {
				return fmt.Errorf("result %d", w.cqes[i].Res)
			}
		}
		done += n
	}
	return nil
}

func (w *worker) reads(ops, depth int, name string, flags int) error {
	fd, err := unix.Open(name, unix.O_RDONLY|unix.O_CLOEXEC|flags, 0)
	if err != nil {
		return err
	}
	size, err := unix.Seek(fd, 0, unix.SEEK_END)
	if err != nil {
		return err
	}
	mem, err := unix.Mmap(-1, 0, depth*page, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANONYMOUS|unix.MAP_PRIVATE)
	if err != nil {
		return err
	}
	pages, at := uint64(size/page), uint64(0)
	var slot [entries]int
	free := depth
	for i := range depth {
		slot[i] = i
	}
	for started, done := 0, 0; done < ops; {
		for ; free > 0 && started < ops; started++ {
			free--
			i := slot[free]
			at = at*6364136223846793005 + 1442695040888963407
			e := w.r.SQE()
			e.PrepRead(fd, mem[i*page:(i+1)*page], int64(at>>33%pages*page))
			e.SetUserData(uint64(i))
		}
		w.r.Enter(1, true, -1)
		n := w.r.Drain(w.cqes[:])
		for i := range w.cqes[:n] {
			c := &w.cqes[i]
			if c.Res != page {
				return fmt.Errorf("read %d", c.Res)
			}
			slot[free] = int(c.UserData)
			free++
		}
		done += n
	}
	return nil
}

func (w *worker) sockets(ops int) error {
	var s [pairs][2]int
	out, in := make([]byte, 64), make([]byte, 64*pairs)
	for i := range s {
		var err error
		if s[i], err = unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0); err != nil {
			return err
		}
	}
	for done := 0; done < ops; {
		for i := range s {
			w.r.SQE().PrepSend(s[i][0], out, 0)
			w.r.SQE().PrepRecv(s[i][1], in[i*64:][:64], 0)
		}
		w.r.Enter(2*pairs, true, -1)
		n := w.r.Drain(w.cqes[:])
		for i := range w.cqes[:n] {
			if w.cqes[i].Res != 64 {
				return fmt.Errorf("result %d", w.cqes[i].Res)
			}
		}
		done += n
	}
	return nil
}
