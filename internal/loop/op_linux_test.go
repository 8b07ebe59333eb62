//go:build linux

package loop_test

import (
	"context"
	"syscall"
	"testing"
	"time"

	"ringo/internal/census"
	"ringo/internal/fd"
	"ringo/internal/loop"
	"ringo/internal/op"
	"ringo/internal/sys"
)

// pipe is a pipe whose reading end a loop's ops use.
type pipe struct {
	r fd.FD
	w int
}

func openPipe(t *testing.T) *pipe {
	t.Helper()
	var fds [2]int
	if err := syscall.Pipe2(fds[:], syscall.O_CLOEXEC|syscall.O_NONBLOCK); err != nil {
		t.Fatal(err)
	}
	p := &pipe{w: fds[1]}
	p.r.Init(int32(fds[0]))
	return p
}

func (p *pipe) write(t *testing.T) {
	if _, err := syscall.Write(p.w, []byte{'x'}); err != nil {
		t.Error(err)
	}
}

// read is a task's wait for a byte.
func (p *pipe) read(l *loop.Loop) int32 {
	o := l.Ops().New(op.Read)
	defer l.Ops().Free(o)
	o.FD, o.Off, o.Buf = &p.r, -1, make([]byte, 1)
	return l.Do(o)
}

// close is for a task, after the last read.
func (p *pipe) close(l *loop.Loop) {
	l.CloseFD(&p.r)
	syscall.Close(p.w)
}

// withPipe runs fn as a loop's fn, and checks that no op is left of it.
func withPipe(t *testing.T, f func(t *testing.T, l *loop.Loop, p *pipe)) {
	eachDriver(t, func(t *testing.T, cfg *loop.Config) {
		err := run(t, cfg, func(l *loop.Loop) error {
			p := openPipe(t)
			defer p.close(l)
			f(t, l, p)
			if n := census.StatsOf(l).Slots; n != 0 {
				t.Errorf("%d slots in use at the end", n)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	})
}

// Under a shield a cancel waits: clean-up can still wait for what it needs.
func TestShield(t *testing.T) {
	withPipe(t, func(t *testing.T, l *loop.Loop, p *pipe) {
		var shielded, slept, offloaded, twice, after int32
		task := l.Go(func() {
			l.Shield()
			shielded = p.read(l) // cancelled meanwhile
			slept = l.Sleep(time.Millisecond)
			if l.Offload(func(context.Context) error { return nil }) != nil {
				offloaded = -1
			}
			l.Shield()
			l.Unshield()
			twice = l.Sleep(0)
			l.Unshield()
			after = p.read(l)
		})
		l.Sleep(time.Millisecond)
		task.Cancel()
		l.Sleep(time.Millisecond)
		p.write(t)
		task.Wait()
		if shielded != 1 || slept != 0 || offloaded != 0 || twice != 0 || after != -sys.ECANCELED {
			t.Errorf("read %d, Sleep %d, Offload %d, Sleep under two shields %d, afterwards %d",
				shielded, slept, offloaded, twice, after)
		}
	})
}

// Tasks that are always ready leave room for what the kernel has to say.
func TestGreedyTasksLeaveRoomForOps(t *testing.T) {
	withPipe(t, func(t *testing.T, l *loop.Loop, p *pipe) {
		stop := false
		var again func()
		again = func() {
			if !stop {
				l.Go(again)
			}
		}
		for range 1000 {
			again()
			l.Go(func() {
				for !stop {
					l.Sleep(0)
				}
			})
		}
		for range 10 {
			read := l.Go(func() {
				if res := p.read(l); res != 1 {
					t.Errorf("read: %d", res)
				}
			})
			l.Offload(func(context.Context) error { p.write(t); return nil })
			read.Wait()
		}
		stop = true
	})
}
