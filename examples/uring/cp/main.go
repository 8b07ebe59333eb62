//go:build linux

// Cp copies a file by package uring. Each block is a read and a write, linked, in a buffer that is registered.
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
	blocks = 16 // on their way at a time
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

// copyFile copies a regular file by copyBlocks, and anything else by copyToEnd.
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
	out, err := create(to, st)
	if err != nil {
		return err
	}
	runtime.LockOSThread() // the ring belongs to this thread
	defer runtime.UnlockOSThread()
	r, err := uring.Open(2*blocks, nil)
	if err == nil {
		if st.Mode().IsRegular() && st.Size() > 0 {
			err = copyBlocks(r, int(in.Fd()), int(out.Fd()), st.Size())
		} else { // a pipe, a device, or a file of /proc, which is longer than its size says
			err = copyToEnd(r, int(in.Fd()), int(out.Fd()))
		}
		err = errors.Join(err, r.Close())
	}
	return errors.Join(err, out.Close())
}

// create is os.Create, but fails if the file is the one to be copied, which it would truncate.
func create(name string, from os.FileInfo) (*os.File, error) {
	f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o666)
	if err != nil {
		return nil, err
	}
	st, err := f.Stat()
	switch {
	case err != nil:
	case os.SameFile(st, from):
		err = fmt.Errorf("%s is the file to be copied", name)
	case st.Mode().IsRegular():
		err = f.Truncate(0)
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// copyToEnd copies block by block until a read returns 0.
func copyToEnd(r *uring.Ring, in, out int) error {
	buf := make([]byte, block)
	for {
		r.SQE().PrepRead(in, buf, -1) // at the file's own position
		n, err := result(r)
		if n == 0 || err != nil {
			return err
		}
		for p := buf[:n]; len(p) > 0; p = p[n:] {
			r.SQE().PrepWrite(out, p, -1)
			if n, err = result(r); err != nil {
				return err
			}
		}
	}
}

// result waits for the only request on its way.
func result(r *uring.Ring) (int, error) {
	if _, err := r.Wait(1, -1); err != nil {
		return 0, err
	}
	c, _ := r.CQE()
	if c.Res < 0 {
		return 0, syscall.Errno(-c.Res)
	}
	return int(c.Res), nil
}

// copyBlocks keeps up to 16 blocks on their way. The user data is twice the buffer's number for a read, plus 1 for a
// write.
func copyBlocks(r *uring.Ring, in, out int, size int64) error {
	bufs := make([][]byte, blocks)
	free := make([]int, blocks)
	var asked [blocks]int32
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
			asked[i] = int32(len(p))
			read, write := r.SQE(), r.SQE()
			read.PrepReadFixed(in, p, next, uint16(i))
			read.SetFlags(uring.SQELink) // a failed or short read cancels the write
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
			if c.Res >= 0 && c.Res != asked[c.UserData/2] && first == nil {
				first = fmt.Errorf("%d bytes of a block of %d were copied", c.Res, asked[c.UserData/2])
			}
			if c.UserData%2 == 1 {
				free = append(free, int(c.UserData/2))
			}
		}
	}
	return first
}
