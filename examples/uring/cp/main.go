//go:build linux

// Cp copies a file by package uring: each block is a read and a write, linked, in a buffer that the kernel knows.
//
//	cp FROM TO
package main

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"syscall"

	"ringo/uring"
)

const (
	block  = 64 << 10
	blocks = 16 // that are on their way at a time
)

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: cp FROM TO")
		os.Exit(2)
	}
	if err := copyFile(os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, "cp:", err)
		os.Exit(1)
	}
}

func copyFile(from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	st, err := in.Stat()
	if err != nil {
		return err
	}
	out, err := os.Create(to)
	if err != nil {
		return err
	}
	runtime.LockOSThread() // the ring belongs to this thread
	defer runtime.UnlockOSThread()
	r, err := uring.Open(2*blocks, nil)
	if err == nil {
		err = errors.Join(copyBlocks(r, int(in.Fd()), int(out.Fd()), st.Size()), r.Close())
	}
	return errors.Join(err, out.Close())
}

// copyBlocks keeps up to so many blocks on their way. The user data is the buffer's number, twice, and 1 for a write.
func copyBlocks(r *uring.Ring, in, out int, size int64) error {
	bufs := make([][]byte, blocks)
	free := make([]int, blocks)
	for i := range bufs {
		bufs[i], free[i] = make([]byte, block), i
	}
	if err := r.RegisterBuffers(bufs); err != nil {
		return err
	}
	var first error
	for next := int64(0); next < size && first == nil || len(free) < blocks; {
		for ; next < size && first == nil && len(free) > 0; next += block {
			i := free[len(free)-1]
			free = free[:len(free)-1]
			p := bufs[i][:min(block, size-next)]
			read, write := r.SQE(), r.SQE()
			read.PrepReadFixed(in, p, next, uint16(i))
			read.SetFlags(uring.SQELink) // a read that fails, or is short, cancels the write
			read.SetUserData(uint64(2 * i))
			write.PrepWriteFixed(out, p, next, uint16(i))
			write.SetUserData(uint64(2*i + 1))
		}
		if _, err := r.Wait(1, -1); err != nil {
			return err
		}
		for c := range r.CQEs() {
			if c.Res < 0 && first == nil {
				first = syscall.Errno(-c.Res)
			}
			if c.UserData%2 == 0 {
				continue
			}
			free = append(free, int(c.UserData/2))
			if c.Res >= 0 && c.Res < block && int64(c.Res) != size%block && first == nil {
				first = errors.New("a short write")
			}
		}
	}
	return first
}
