//go:build linux

// Cat writes files to its standard output by package uring. A file has no descriptor, but a place in the ring's own
// table. Each system call submits two requests: one call opens a file and reads its first block, the others write a
// block and read the next.
//
//	cat FILE...
package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"runtime"
	"syscall"

	"golang.org/x/sys/unix"

	"ringo/uring"
)

const (
	block = 64 << 10
	place = 0  // of the file, in the ring's table
	here  = -1 // an offset: the file's own position
)

func main() {
	if err := cat(int(os.Stdout.Fd()), os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "cat:", err)
		os.Exit(1)
	}
}

func cat(out int, names []string) error {
	runtime.LockOSThread() // the ring belongs to this thread
	defer runtime.UnlockOSThread()
	r, err := uring.Open(4, nil)
	if err != nil {
		return err
	}
	defer r.Close()
	if err := r.RegisterFilesSparse(1); err != nil {
		return err
	}
	p := make([]byte, block)
	for _, name := range names {
		if err := copyFile(r, out, name, p); err != nil {
			return err
		}
	}
	return nil
}

// copyFile writes one file to out, by chains of two linked requests.
func copyFile(r *uring.Ring, out int, name string, p []byte) error {
	path := append([]byte(name), 0)
	defer runtime.KeepAlive(path) // the entry has only its address
	open := r.SQE()
	open.PrepOpenat(unix.AT_FDCWD, path, syscall.O_RDONLY, 0)
	open.SetDirect(place)
	open.SetFlags(uring.SQELink) // the read starts once the file is open
	read(r, p)
	opened, n, err := two(r)
	if err == nil && opened < 0 {
		return &fs.PathError{Op: "open", Path: name, Err: syscall.Errno(-opened)}
	}
	for left := p[:max(0, n)]; err == nil && n > 0; {
		write := r.SQE()
		write.PrepWrite(out, left, here)
		write.SetFlags(uring.SQELink) // after a short write there is no read, which would overwrite the buffer
		read(r, p)
		var wrote int32
		if wrote, n, err = two(r); err != nil {
			break
		}
		switch {
		case wrote < 0:
			err = os.NewSyscallError("write", syscall.Errno(-wrote))
		case int(wrote) < len(left):
			left, n = left[wrote:], 1 // write the rest
		default:
			left = p[:max(0, n)]
		}
	}
	if err == nil && n < 0 {
		err = &fs.PathError{Op: "read", Path: name, Err: syscall.Errno(-n)}
	}
	r.SQE().PrepCloseDirect(place)
	if _, werr := r.Wait(1, -1); werr != nil {
		return errors.Join(err, werr)
	}
	if c, _ := r.CQE(); c.Res < 0 && err == nil {
		err = &fs.PathError{Op: "close", Path: name, Err: syscall.Errno(-c.Res)}
	}
	return err
}

// read adds a request that reads from the file at place.
func read(r *uring.Ring, p []byte) {
	e := r.SQE()
	e.PrepRead(place, p, here)
	e.SetFlags(uring.SQEFixedFile)
}

// two submits two linked entries and returns their results. A chain completes in its order.
func two(r *uring.Ring) (first, second int32, err error) {
	if _, err := r.Wait(2, -1); err != nil {
		return 0, 0, err
	}
	a, _ := r.CQE()
	b, _ := r.CQE()
	return a.Res, b.Res, nil
}
