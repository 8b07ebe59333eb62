//go:build linux && !portable

package relay

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"io"
	"os"
	"runtime"
	"testing"
	"time"

	"ringo/internal/driver"
	"ringo/internal/driver/open"
	"ringo/internal/fd"
	"ringo/internal/loop"
	"ringo/internal/op"
)

var errFull = errors.New("the sink has failed")

// held is a source that holds bytes, and can splice.
type held struct {
	*testing.T
	left   []byte
	filled int // how often it was asked to splice
}

func (s *held) Wait() error { return nil }

func (s *held) Read(p []byte) (n int, err error) {
	if n = copy(p, s.left); n == 0 {
		return 0, io.EOF
	}
	s.left = s.left[n:]
	return n, nil
}

func (s *held) Fill(p Pipe) (n int, ok bool, err error) {
	s.filled++
	var w fd.FD
	w.Init(p.W)
	res := driver.Call(&op.Op{Code: op.Write, FD: &w, Buf: s.left[:min(4096, len(s.left))], Off: -1})
	if res < 0 {
		s.Errorf("write to the pipe: %d", res)
		return 0, false, io.ErrClosedPipe
	}
	s.left = s.left[res:]
	return int(res), true, nil
}

func (s *held) Done(rest []byte) { s.left = append(bytes.Clone(rest), s.left...) }

// full is a sink that takes what comes by memory, and of pipes some bytes before it fails.
type full struct {
	came bytes.Buffer
	room int // for bytes of pipes
}

func (d *full) Splices() bool { return true }

func (d *full) Write(p []byte) (int, error) { return d.came.Write(p) }

func (d *full) Drain(p Pipe) (int, error) {
	n := min(p.Held, d.room)
	if p.Held = n; n > 0 {
		d.came.Write(p.TakeOut())
	}
	return n, errFull
}

// onLoop runs f on a loop with pipes of its own.
func onLoop(t *testing.T, f func(pipes *Pipes)) {
	t.Helper()
	name := cmp.Or(os.Getenv("RINGO_DRIVER"), open.Auto)
	cfg := &loop.Config{
		Loops: 1, Entries: 32, Buffers: 2, BufferSize: 64, Leases: 2, Budget: 256, Offload: 16,
		Grace: time.Second, Stall: -1, HardStop: time.Second, Clock: time.Now,
		Open: func(cfg driver.Config) (driver.Driver, error) { return open.Open(name, cfg) },
		Warn: func(string, ...any) {},
	}
	err := loop.Run(context.Background(), cfg, func(l *loop.Loop) error {
		var pipes Pipes
		pipes.Register(l)
		f(&pipes)
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

// What is in a pipe when its sink fails is the source's again, in front of what it still has.
func TestCopyGivesBackWhatIsInAPipe(t *testing.T) {
	all := make([]byte, (spliceAfter+1)*len(Chunk{}))
	for i := range all {
		all[i] = byte(i ^ i>>8)
	}
	for _, room := range []int{0, 1, 4095} {
		onLoop(t, func(pipes *Pipes) {
			from, to := &held{T: t, left: all}, &full{room: room}
			n, err := Copy(to, from, pipes)
			if !errors.Is(err, errFull) || from.filled != 1 {
				t.Errorf("room %d: Copy gives %v after %d splices, want %v after 1", room, err, from.filled, errFull)
			}
			if int(n) != to.came.Len() || !bytes.Equal(to.came.Bytes(), all[:n]) {
				t.Errorf("room %d: Copy = %d, and %d bytes came", room, n, to.came.Len())
			}
			if !bytes.Equal(from.left, all[n:]) {
				t.Errorf("room %d: %d of %d bytes went out, and %d are left, or not the right ones",
					room, n, len(all), len(from.left))
			}
		})
	}
}

// What ends a wait for a connection of package net has set its deadline when the wait returns, and sets none later,
// when the program may have set its own.
func TestNetWaitEnds(t *testing.T) {
	onLoop(t, func(*Pipes) {
		l, _ := loop.Current()
		begun, set := make(chan bool), false
		l.Go(func() {
			task := l.Task()
			err := (&Net{l: l}).inPlace(func(time.Time) error {
				close(begun)
				for range 1000 {
					runtime.Gosched()
				}
				set = true
				return nil
			}, func() error {
				task.Cancel()
				<-begun
				return nil
			})
			if err != nil || !set {
				t.Errorf("the wait returns %v, and that the deadline is set is %v", err, set)
			}
		}).Wait()
	})
}
