//go:build linux

package uring

import (
	"bytes"
	"errors"
	"fmt"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"ringo/internal/seam"
)

// selfTests are run by Probe once it knows that an op completes. A test leaves nothing in flight when it succeeds. One
// that fails may leave a request behind, so each uses its own user data and skips other CQEs.
var selfTests = []struct {
	name, since string
	run         func(*Ring) error
}{
	{CheckExtArg, "5.11", checkExtArg},
	{CheckRingFD, "5.18", checkRingFD},
	{CheckPollMultishot, "5.13", checkPollMultishot},
	{CheckCancelFD, "5.19", checkCancelFD},
	{CheckAcceptMultishot, "5.19", checkAcceptMultishot},
	{CheckBufRing, "5.19", checkBufRing},
	{CheckRecvMultishot, "6.0", checkRecvMultishot},
	{CheckRecvLimit, "6.17", checkRecvLimit},
	{CheckSilentSend, "6.1", checkSilentSend},
	{CheckMsgRing, "5.18", checkMsgRing},
	{CheckSyncCancel, "6.0", checkSyncCancel},
}

// User data of the self-tests.
const (
	tagNop = iota + 1
	tagPoll
	tagRead
	tagAccept
	tagRecv
	tagLimit
	tagSend
	tagMessage
	tagSync
	tagCancel = 0x100 // added to the tag of the request that it cancels
)

// selfTestTime limits the wait for a completion that should come at once.
const selfTestTime = time.Second

// submit prepares one entry and makes the kernel consume it.
func submit(r *Ring, tag uint64, prep func(*SQE)) error {
	e := r.SQE()
	if e == nil {
		return fmt.Errorf("uring: no free SQE: the kernel left %d", r.SQPending())
	}
	prep(e)
	e.SetUserData(tag)
	for start := time.Now(); ; time.Sleep(50 * time.Microsecond) {
		switch n, err := r.Submit(); {
		case passing(err) && n == 0 && time.Since(start) < selfTestTime:
		case err != nil:
			return err
		case n != 1:
			return fmt.Errorf("uring: submitted 1 SQE, the kernel consumed %d", n)
		default:
			return nil
		}
	}
}

// passing reports whether an error of io_uring_enter is temporary and says nothing about the kernel's abilities: a
// signal, lack of memory, or a CQ without room.
func passing(err error) bool {
	return errors.Is(err, syscall.EINTR) || errors.Is(err, syscall.EAGAIN) || errors.Is(err, syscall.EBUSY)
}

// await waits for the completion with this tag. It polls, because a wait in the kernel could last for ever on a machine
// that fails the test.
func await(r *Ring, tag uint64) (CQE, error) {
	for start := time.Now(); ; time.Sleep(50 * time.Microsecond) {
		if _, errno := r.Enter(0, true, -1); errno != 0 && !passing(errno) {
			return CQE{}, setupError("io_uring_enter", errno)
		}
		for c, ok := r.CQE(); ok; c, ok = r.CQE() {
			if c.UserData == tag {
				return c, nil
			}
		}
		if time.Since(start) > selfTestTime {
			return CQE{}, fmt.Errorf("uring: no completion within %v", selfTestTime)
		}
	}
}

// expect waits for a completion and checks it: a negative result is returned as an error, and CQEMore must be as in
// more.
func expect(r *Ring, tag uint64, more bool) (CQE, error) {
	c, err := await(r, tag)
	switch {
	case err != nil:
		return c, err
	case c.Res < 0:
		return c, syscall.Errno(-c.Res)
	case c.More() != more:
		return c, fmt.Errorf("uring: flags %#x, result %d: want more to come: %v", c.Flags, c.Res, more)
	}
	return c, nil
}

// expectCancelled waits for the last CQE of a cancelled request.
func expectCancelled(r *Ring, tag uint64) error {
	c, err := await(r, tag)
	if err == nil && (c.Res != -int32(syscall.ECANCELED) || c.More()) {
		err = fmt.Errorf("uring: after cancel: result %d, flags %#x", c.Res, c.Flags)
	}
	return err
}

func checkNop(r *Ring) error {
	if err := submit(r, tagNop, (*SQE).PrepNop); err != nil {
		return err
	}
	_, err := expect(r, tagNop, false)
	return err
}

func checkExtArg(r *Ring) error {
	if r.Features()&FeatExtArg == 0 {
		return syscall.EINVAL
	}
	for start := time.Now(); ; time.Sleep(50 * time.Microsecond) {
		switch _, errno := r.Enter(1, false, 0); {
		case errno == syscall.ETIME:
			return nil
		case !passing(errno) || time.Since(start) > selfTestTime:
			return fmt.Errorf("uring: a wait of no time: want ETIME, got %w", errno)
		}
	}
}

func checkRingFD(like *Ring) error {
	r, err := openPatiently(EntriesMin, &Config{seam: seam.Seam{Mask: like.mask}})
	if err != nil {
		return err
	}
	defer r.Close()
	if !r.RingFD() {
		return syscall.EINVAL
	}
	return checkNop(r)
}

func checkPollMultishot(r *Ring) error {
	fd, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	if err := submit(r, tagPoll, func(e *SQE) { e.PrepPollMultishot(fd, unix.POLLIN) }); err != nil {
		return err
	}
	for range 2 {
		if _, err := unix.Write(fd, []byte{1, 0, 0, 0, 0, 0, 0, 0}); err != nil {
			return err
		}
		if _, err := expect(r, tagPoll, true); err != nil {
			return err
		}
	}
	if err := submit(r, tagPoll+tagCancel, func(e *SQE) { e.PrepPollRemove(tagPoll) }); err != nil {
		return err
	}
	return expectCancelled(r, tagPoll)
}

func checkCancelFD(r *Ring) error {
	var p [2]int
	if err := unix.Pipe2(p[:], unix.O_CLOEXEC); err != nil {
		return err
	}
	defer unix.Close(p[0])
	defer unix.Close(p[1])
	if err := submit(r, tagRead, func(e *SQE) { e.PrepPollAdd(p[0], unix.POLLIN) }); err != nil {
		return err
	}
	if err := submit(r, tagRead+tagCancel, func(e *SQE) { e.PrepCancelFD(p[0]) }); err != nil {
		return err
	}
	c, err := expect(r, tagRead+tagCancel, false)
	if err == nil && c.Res != 1 {
		err = fmt.Errorf("uring: %d requests cancelled, want 1", c.Res)
	}
	return err
}

func checkAcceptMultishot(r *Ring) error {
	ln, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(ln)
	if err := unix.Bind(ln, &unix.SockaddrUnix{}); err != nil { // no name: the kernel chooses one
		return err
	}
	if err := unix.Listen(ln, 2); err != nil {
		return err
	}
	name, err := unix.Getsockname(ln)
	if err != nil {
		return err
	}
	if err := submit(r, tagAccept, func(e *SQE) { e.PrepAcceptMultishot(ln, unix.SOCK_CLOEXEC) }); err != nil {
		return err
	}
	for range 2 {
		if err := acceptOne(r, name); err != nil {
			return err
		}
	}
	if err := submit(r, tagAccept+tagCancel, func(e *SQE) { e.PrepCancel(tagAccept) }); err != nil {
		return err
	}
	return expectCancelled(r, tagAccept)
}

func acceptOne(r *Ring, name unix.Sockaddr) error {
	peer, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return err
	}
	defer unix.Close(peer)
	if err := unix.Connect(peer, name); err != nil {
		return err
	}
	c, err := expect(r, tagAccept, true)
	if err != nil {
		return err
	}
	return unix.Close(int(c.Res))
}

// selfTestGroup is far from the groups that programs use, which they number from 0.
const selfTestGroup = 0xffff

// checkBufRing retries on ENOMEM, as the opening of a ring does: a program decides only once whether to use buffers
// that the kernel picks, and keeps to that for its whole life. checkRecvMultishot runs next and needs a buffer ring,
// too; by then the memory is there.
func checkBufRing(r *Ring) error {
	b, err := patiently(func() (*BufRing, error) { return r.RegisterBufRing(selfTestGroup, 2) })
	if err != nil {
		return err
	}
	return b.Close()
}

func checkRecvMultishot(r *Ring) error {
	b, err := r.BufRing(selfTestGroup, 2, 64)
	if err != nil {
		return err
	}
	defer b.Close()
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(pair[0])
	defer unix.Close(pair[1])
	if err := submit(r, tagRecv, func(e *SQE) { e.PrepRecvMultishot(pair[0], selfTestGroup, 0) }); err != nil {
		return err
	}
	for _, text := range []string{"one", "two", "three"} {
		if _, err := unix.Write(pair[1], []byte(text)); err != nil {
			return err
		}
		c, err := expect(r, tagRecv, true)
		if err != nil {
			return err
		}
		if int(c.Res) != len(text) || !bytes.Equal(b.Bytes(c.BufID())[:c.Res], []byte(text)) {
			return fmt.Errorf("uring: sent %q, received %d bytes with flags %#x", text, c.Res, c.Flags)
		}
		b.Return(c.BufID())
	}
	if err := submit(r, tagRecv+tagCancel, func(e *SQE) { e.PrepCancel(tagRecv) }); err != nil {
		return err
	}
	return expectCancelled(r, tagRecv)
}

func checkRecvLimit(r *Ring) error {
	b, err := r.BufRing(selfTestGroup, 4, 16)
	if err != nil {
		return err
	}
	defer b.Close()
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(pair[0])
	defer unix.Close(pair[1])
	if _, err := unix.Write(pair[1], make([]byte, 64)); err != nil {
		return err
	}
	if err := submit(r, tagLimit, func(e *SQE) {
		e.PrepRecvMultishot(pair[0], selfTestGroup, 0)
		e.LimitRecv(32)
	}); err != nil {
		return err
	}
	for _, more := range []bool{true, false} {
		if _, err := expect(r, tagLimit, more); err != nil {
			return err
		}
	}
	return nil
}

// checkSilentSend makes three sends: one that fits, one of more bytes than there is room for, and one without any room.
func checkSilentSend(r *Ring) error {
	if r.Features()&FeatCQESkip == 0 {
		return syscall.EINVAL
	}
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return err
	}
	defer unix.Close(pair[0])
	defer unix.Close(pair[1])
	if err := unix.SetsockoptInt(pair[0], unix.SOL_SOCKET, unix.SO_SNDBUF, 4096); err != nil {
		return err
	}
	send := func(p []byte) error {
		return submit(r, tagSend, func(e *SQE) {
			e.PrepSend(pair[0], p, unix.MSG_DONTWAIT|unix.MSG_WAITALL|unix.MSG_NOSIGNAL)
			e.SetFlags(SQECQESkipSuccess)
		})
	}
	if err := send([]byte("one")); err != nil {
		return err
	}
	if c, ok := r.CQE(); ok {
		return fmt.Errorf("uring: a send that was to be silent: result %d, flags %#x", c.Res, c.Flags)
	}
	much := make([]byte, 1<<16)
	if err := send(much); err != nil {
		return err
	}
	switch c, err := await(r, tagSend); {
	case err != nil:
		return err
	case c.Res <= 0 || int(c.Res) >= len(much):
		return fmt.Errorf("uring: a send of more than there is room for: result %d", c.Res)
	}
	if err := send(much); err != nil {
		return err
	}
	c, err := await(r, tagSend)
	if err == nil && c.Res != -int32(syscall.EAGAIN) {
		err = fmt.Errorf("uring: a send without room: result %d", c.Res)
	}
	return err
}

func checkMsgRing(r *Ring) error {
	other, err := openPatiently(EntriesMin, &Config{WithoutRingFD: true})
	if err != nil {
		return err
	}
	defer other.Close()
	if err := submit(r, tagMessage, func(e *SQE) { e.PrepMsgRing(other.FD(), 42, tagMessage) }); err != nil {
		return err
	}
	if _, err := expect(r, tagMessage, false); err != nil {
		return err
	}
	c, err := expect(other, tagMessage, false)
	if err == nil && c.Res != 42 {
		err = fmt.Errorf("uring: sent 42, received %d", c.Res)
	}
	return err
}

func checkSyncCancel(r *Ring) error {
	fd, err := unix.Eventfd(0, unix.EFD_CLOEXEC)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	if err := submit(r, tagSync, func(e *SQE) { e.PrepPollAdd(fd, unix.POLLIN) }); err != nil {
		return err
	}
	if err := r.CancelAll(selfTestTime); err != nil {
		return err
	}
	return expectCancelled(r, tagSync)
}
