package bench

import (
	"context"
	"errors"
	"os"
	"runtime"
	"time"

	"ringo"
	"ringo/uring"
)

// How often the charges are measured: chargeTurns times, each as the mean of chargeCalls calls, or of chargeWakes round
// trips.
const (
	chargeTurns = 15
	chargeCalls = 2000
	chargeWakes = 200
)

// charges measures how long going into the kernel takes on this host.
func charges() (c Charges, err error) {
	c.Call = charged(chargeCalls, func() { os.Getppid() })
	if c.Enter, err = chargeEnter(); err != nil && !errors.Is(err, errNoRing) {
		return c, err
	}
	c.Wake, err = chargeWake()
	return c, err
}

// charged returns the time that a call takes, in µs.
func charged(calls int, call func()) *Figure {
	var turns []float64
	for range chargeTurns {
		begin := time.Now()
		for range calls {
			call()
		}
		turns = append(turns, micros(time.Since(begin))/float64(calls))
	}
	return figureOf(turns)
}

var errNoRing = errors.New("no io_uring here")

// chargeEnter measures submitting a NOP to a ring and reaping its completion.
func chargeEnter() (*Figure, error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	r, err := uring.Open(8, nil)
	if err != nil {
		return nil, errNoRing
	}
	defer r.Close()
	var failed error
	f := charged(chargeCalls, func() {
		r.SQE().PrepNop()
		if _, err := r.Wait(1, -1); err != nil {
			failed = err
			return
		}
		r.CQE()
	})
	return f, failed
}

// chargeWake measures round trips between tasks of two loops that are otherwise idle. Each round trip has two wakes.
func chargeWake() (*Figure, error) {
	there, back := ringo.NewChan[int](0), ringo.NewChan[int](0)
	var turns []float64
	err := ringo.Run(context.Background(), &ringo.Config{Loops: 2}, func(l *ringo.Loop) error {
		if l.Index() == 1 {
			for {
				n, err := there.Recv()
				if err != nil {
					return nil // closed
				}
				if err := back.Send(n); err != nil {
					return err
				}
			}
		}
		defer there.Close()
		for range chargeTurns {
			begin := time.Now()
			for n := range chargeWakes {
				if err := there.Send(n); err != nil {
					return err
				}
				if _, err := back.Recv(); err != nil {
					return err
				}
			}
			turns = append(turns, micros(time.Since(begin))/(2*chargeWakes))
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return figureOf(turns), nil
}
