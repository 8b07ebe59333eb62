//go:build linux

package uring_test

import (
	"fmt"
	"log"
	"runtime"
	"syscall"
	"time"

	"ringo/uring"
)

// One request there and back.
func Example() {
	runtime.LockOSThread() // a ring belongs to its thread
	defer runtime.UnlockOSThread()
	r, err := uring.Open(8, nil)
	if err != nil {
		log.Fatal(err)
	}
	defer r.Close()

	e := r.SQE()
	e.PrepNop()
	e.SetUserData(42)
	consumed, err := r.Wait(1, time.Second)
	if err != nil {
		log.Fatal(err)
	}
	c, ok := r.CQE()
	fmt.Println(consumed, ok, c.UserData, c.Res)
	// Output: 1 true 42 0
}

// An echo server for one connection: what comes is received, sent back, and so on until the peer is done. The buffer
// is lent to the kernel and not touched between the SQE and its CQE.
func ExampleSQE_PrepRecv() {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	r, err := uring.Open(8, nil)
	if err != nil {
		log.Fatal(err)
	}
	defer r.Close()
	pair, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		log.Fatal(err)
	}
	server, client := pair[0], pair[1]
	defer syscall.Close(server)
	go talk(client)

	p := make([]byte, 64)
	for {
		r.SQE().PrepRecv(server, p, 0)
		r.Wait(1, -1)
		c, _ := r.CQE()
		if c.Res <= 0 {
			fmt.Println("end:", c.Res)
			return
		}
		r.SQE().PrepSend(server, p[:c.Res], syscall.MSG_WAITALL)
		r.Wait(1, -1)
		c, _ = r.CQE()
		fmt.Println("echoed", c.Res, "bytes")
	}
	// Output:
	// echoed 5 bytes
	// echoed 12 bytes
	// end: 0
}

// talk says two things, waits for each to come back, and hangs up.
func talk(fd int) {
	p := make([]byte, 64)
	for _, text := range []string{"hello", "and good-bye"} {
		syscall.Write(fd, []byte(text))
		syscall.Read(fd, p)
	}
	syscall.Close(fd)
}

// One multishot recv takes everything that comes, into buffers that the kernel picks when it needs them. Many
// connections can share the buffers: an idle one holds none.
func ExampleRing_BufRing() {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	r, err := uring.Open(8, nil)
	if err != nil {
		log.Fatal(err)
	}
	defer r.Close()
	const group = 1
	bufs, err := r.BufRing(group, 4, 1024)
	if err != nil {
		log.Fatal(err)
	}
	defer bufs.Close()
	pair, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		log.Fatal(err)
	}
	defer syscall.Close(pair[0])

	r.SQE().PrepRecvMultishot(pair[0], group, 0)
	r.Submit()
	for _, text := range []string{"one", "two", "three"} {
		syscall.Write(pair[1], []byte(text))
		r.Wait(1, time.Second)
		c, _ := r.CQE()
		fmt.Printf("%s, more: %v\n", bufs.Bytes(c.BufID())[:c.Res], c.More())
		bufs.Return(c.BufID())
	}
	syscall.Close(pair[1])
	r.Wait(1, time.Second)
	c, _ := r.CQE()
	fmt.Printf("%d bytes, more: %v\n", c.Res, c.More())
	// Output:
	// one, more: true
	// two, more: true
	// three, more: true
	// 0 bytes, more: false
}

// The loop of a program that has other things to do: Enter once a turn, take what is there, never conclude from Enter's
// answer that something is.
func ExampleRing_Enter() {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	r, err := uring.Open(8, nil)
	if err != nil {
		log.Fatal(err)
	}
	defer r.Close()

	for i := range 3 {
		e := r.SQE()
		e.PrepNop()
		e.SetUserData(uint64(i))
	}
	cqes := make([]uring.CQE, 8)
	for inFlight := 3; inFlight > 0; {
		_, errno := r.Enter(1, true, -1)
		switch errno {
		case 0, syscall.EINTR, syscall.EAGAIN, syscall.EBUSY:
			// The CQ is drained in any case; what was not consumed goes again with the next Enter.
		default:
			log.Fatal(errno)
		}
		for _, c := range cqes[:r.Drain(cqes)] {
			fmt.Println("done:", c.UserData)
			inFlight--
		}
	}
	// Output:
	// done: 0
	// done: 1
	// done: 2
}

// What this machine offers, without trusting its version number.
func ExampleProbe() {
	report, err := uring.Probe()
	if err != nil {
		log.Fatal(err)
	}
	if err := report.Require(uring.CheckRecvMultishot, uring.CheckExtArg); err != nil {
		log.Print("falling back: ", err)
	}
	fmt.Println(report.Ops.Has(uring.OpRecv))
	// Output: true
}
