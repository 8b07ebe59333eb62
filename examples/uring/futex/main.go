//go:build linux

// Futex plays ping-pong between two threads, each with a ring. Both wait for a word of memory to change, and wake the
// other when they have changed it. A ring that waits so can wait for sockets and files at the same time, which
// futex(2) cannot.
//
//	futex [ROUNDS]
package main

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"ringo/uring"
)

func main() {
	rounds := 1000
	var err error
	if len(os.Args) > 1 {
		rounds, err = strconv.Atoi(os.Args[1])
	}
	begin := time.Now()
	var last uint32
	if err == nil {
		last, err = play(uint32(rounds))
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "futex:", err)
		os.Exit(1)
	}
	fmt.Printf("%d hits in %v\n", last, time.Since(begin))
}

// A game is a word that two players increment in turn: at even numbers it is the first one's turn.
type game struct {
	word   uint32
	opened sync.WaitGroup // the players' rings
	failed atomic.Bool    // a ring could not be opened
}

// over is the value that a player leaves in the word when it gives up, since the other would wait for ever otherwise.
const over = 1 << 31

// play returns the word after each player has incremented it rounds times.
func play(rounds uint32) (uint32, error) {
	g := &game{}
	g.opened.Add(2)
	other := make(chan error)
	go func() { other <- g.player(1, rounds) }()
	err := errors.Join(g.player(0, rounds), <-other)
	return atomic.LoadUint32(&g.word), err
}

// player increments the word rounds times, whenever it is its turn. Both rings are open before either waits.
func (g *game) player(turn, rounds uint32) error {
	const flags = uring.FutexU32 | uring.FutexPrivate
	runtime.LockOSThread() // the ring belongs to this thread
	defer runtime.UnlockOSThread()
	r, err := uring.Open(2, nil)
	if err == nil {
		defer r.Close()
	} else {
		g.failed.Store(true)
	}
	g.opened.Done()
	if g.opened.Wait(); g.failed.Load() {
		return err
	}
	word := &g.word
	for ; rounds > 0; rounds-- {
		for {
			now := atomic.LoadUint32(word)
			if now >= over {
				return errors.New("the other has given up")
			}
			if now%2 == turn {
				break
			}
			r.SQE().PrepFutexWait(word, now, uring.FutexAnyone, flags)
			if err = result(r, syscall.EAGAIN); err != nil { // EAGAIN: the word had changed already
				break
			}
		}
		if err != nil {
			atomic.StoreUint32(word, over)
		} else {
			atomic.AddUint32(word, 1)
		}
		r.SQE().PrepFutexWake(word, 1, uring.FutexAnyone, flags)
		if err = errors.Join(err, result(r, 0)); err != nil {
			return err
		}
	}
	return nil
}

// result waits for the only request, and ignores the error fine.
func result(r *uring.Ring, fine syscall.Errno) error {
	if _, err := r.Wait(1, -1); err != nil {
		return err
	}
	if c, _ := r.CQE(); c.Res < 0 && c.Res != -int32(fine) {
		return os.NewSyscallError("futex", syscall.Errno(-c.Res))
	}
	return nil
}
