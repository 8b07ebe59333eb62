package drivertest

import (
	"sync"
	"sync/atomic"

	"ringo/internal/driver"
	"ringo/internal/op"
)

// Mortal opens drivers that die when a test says so, in the way of drivers whose ring or poller fails. The zero Mortal
// is ready for use. The loops of a Run may share it.
type Mortal struct {
	mu      sync.Mutex
	victims []*Victim
}

// Victim is a driver that a Mortal has opened.
type Victim struct {
	d     driver.Driver
	slab  *op.Slab
	cause atomic.Pointer[error]
	died  chan struct{}
	once  sync.Once
}

// Opener opens a driver on the calling thread.
type Opener = func(cfg driver.Config) (driver.Driver, error)

// Wrap returns an opener whose drivers are the Mortal's. Pass it to open.Through, or set a loop.Config's Open to the
// result.
func (m *Mortal) Wrap(inner Opener) Opener {
	return func(cfg driver.Config) (driver.Driver, error) {
		v := &Victim{slab: cfg.Slab, died: make(chan struct{})}
		cfg.Fault = v.fault
		d, err := inner(cfg)
		if err != nil {
			return nil, err
		}
		v.d = d
		m.mu.Lock()
		m.victims = append(m.victims, v)
		m.mu.Unlock()
		return d, nil
	}
}

// Last returns the driver that was opened last, for a Mortal whose drivers belong to no loop; nil if there is none.
func (m *Mortal) Last() *Victim {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.victims) == 0 {
		return nil
	}
	return m.victims[len(m.victims)-1]
}

// Of returns the driver of the loop that has these ops (the Ops of a loop.Loop), or nil if the Mortal did not open it.
// It does not identify drivers by their threads: not every system numbers threads, and the thread of a simulated world
// with goroutines changes.
func (m *Mortal) Of(ops interface{ AreOf(*op.Slab) bool }) *Victim {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, v := range m.victims {
		if ops.AreOf(v.slab) {
			return v
		}
	}
	return nil
}

// Die makes the driver die of err the next time that it would enter the kernel; a driver that sleeps there is woken.
// Any goroutine may call Die. If it is called twice, the first error counts.
func (v *Victim) Die(err error) {
	v.cause.CompareAndSwap(nil, &err)
	v.d.Wake()
}

// Driver returns the driver itself, for use on its own thread.
func (v *Victim) Driver() driver.Driver { return v.d }

// Died returns a channel that is closed once the driver has noticed.
func (v *Victim) Died() <-chan struct{} { return v.died }

// fault is the driver's Config.Fault.
func (v *Victim) fault() error {
	err := v.cause.Load()
	if err == nil {
		return nil
	}
	v.once.Do(func() { close(v.died) })
	return *err
}
