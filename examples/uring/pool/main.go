//go:build linux

// Pool prints the SHA-256 sums of files, computed by threads that each have a ring. A file's number goes to a thread,
// and its answer comes back, as a message from ring to ring. So a thread waits for messages and for its files in one
// place.
//
//	pool FILE...
package main

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"runtime"
	"syscall"

	"ringo/uring"
)

func main() {
	names := os.Args[1:]
	sums, err := sum(names, runtime.NumCPU())
	for i := range sums {
		if sums[i] != nil {
			fmt.Printf("%x  %s\n", sums[i], names[i])
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "pool:", err)
		os.Exit(1)
	}
}

// The user data of a message is a file's number, or a worker's. These values are neither:
const (
	quit = 1 << 32 // tells a worker to end
	told = 2 << 32 // the CQE of one's own message that failed
)

// A pool is what the threads share. Each writes only the elements of the files that it got, and the owner reads them
// after the threads have ended.
type pool struct {
	names []string
	sums  [][]byte
	errs  []error
}

// sum computes the files' sums on so many threads. The sum of a file that could not be read is nil.
func sum(names []string, threads int) ([][]byte, error) {
	p := &pool{names, make([][]byte, len(names)), make([]error, len(names))}
	if err := p.run(threads); err != nil {
		return nil, err
	}
	return p.sums, errors.Join(p.errs...)
}

// run starts the workers, hands the next file to each that is idle, and ends them.
func (p *pool) run(threads int) error {
	runtime.LockOSThread() // the ring belongs to this thread
	defer runtime.UnlockOSThread()
	r, err := uring.Open(threads+1, nil)
	if err != nil {
		return err
	}
	defer r.Close()
	type started struct {
		fd  int // of its ring
		err error
	}
	ready, ended := make(chan started), make(chan struct{})
	var rings, idle []int
	for i := range threads {
		go func() {
			p.work(r.FD(), i, func(fd int, err error) { ready <- started{fd, err} })
			ended <- struct{}{}
		}()
		s := <-ready
		if s.err != nil {
			err = s.err
			<-ended
			break
		}
		rings, idle = append(rings, s.fd), append(idle, i)
	}
	for next := 0; err == nil && (next < len(p.names) || len(idle) < threads); {
		for ; next < len(p.names) && len(idle) > 0; next++ {
			tell(r, rings[idle[0]], uint64(next))
			idle = idle[1:]
		}
		if _, err = r.Wait(1, -1); err != nil {
			break
		}
		for c := range r.CQEs() {
			if c.UserData == told {
				err = os.NewSyscallError("msg_ring", syscall.Errno(-c.Res))
			} else {
				idle = append(idle, int(c.UserData))
			}
		}
	}
	for _, fd := range rings {
		tell(r, fd, quit)
	}
	if _, serr := r.Submit(); serr != nil {
		return errors.Join(err, serr) // the workers wait for ever
	}
	for range rings {
		<-ended
	}
	return err
}

// tell sends a message. Only if that fails is there a CQE on this ring.
func tell(r *uring.Ring, ring int, message uint64) {
	e := r.SQE()
	e.PrepMsgRing(ring, 0, message)
	e.SetFlags(uring.SQECQESkipSuccess)
	e.SetUserData(told)
}

// work computes the sum of each file whose number comes, and then sends its own number to the owner.
func (p *pool) work(owner, number int, ready func(fd int, err error)) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	r, err := uring.Open(4, nil)
	if err != nil {
		ready(-1, err)
		return
	}
	defer r.Close()
	ready(r.FD(), nil)
	for {
		if _, err := r.Wait(1, -1); err != nil {
			panic(err) // the owner would wait for ever
		}
		c, _ := r.CQE()
		switch c.UserData {
		case quit:
			return
		case told:
			panic(syscall.Errno(-c.Res))
		}
		p.sums[c.UserData], p.errs[c.UserData] = sumFile(r, p.names[c.UserData])
		tell(r, owner, uint64(number))
	}
}

// sumFile reads a file by the thread's ring. No message comes meanwhile, since a worker gets one file at a time.
func sumFile(r *uring.Ring, name string) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	h, p := sha256.New(), make([]byte, 64<<10)
	for {
		r.SQE().PrepRead(int(f.Fd()), p, -1)
		if _, err := r.Wait(1, -1); err != nil {
			return nil, err
		}
		c, _ := r.CQE()
		switch {
		case c.Res < 0:
			return nil, &fs.PathError{Op: "read", Path: name, Err: syscall.Errno(-c.Res)}
		case c.Res == 0:
			return h.Sum(nil), nil
		}
		h.Write(p[:c.Res])
	}
}
