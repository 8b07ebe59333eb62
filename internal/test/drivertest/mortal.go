package drivertest

import (
	"sync"
	"sync/atomic"

	"ringo/internal/driver"
	"ringo/internal/op"
)

// Mortal opens drivers that die when a test says so, as those do whose ring or poller
// fails. The zero Mortal is ready. It may be shared by the loops of a Run.
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

// Wrap makes an opener whose drivers are the Mortal's. It is what open.Wrap wants, and
// what a loop.Config's Open can be.
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

// Last is the driver that was opened last, of a Mortal that no loop has; nil if there is none.
func (m *Mortal) Last() *Victim {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.victims) == 0 {
		return nil
	}
	return m.victims[len(m.victims)-1]
}

// Of is the driver of the loop that has these ops, l.Ops() of a loop.Loop; nil if it has none of the Mortal's. It does
// not go by threads: not every system numbers them, and that of a simulated world with goroutines changes.
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

// Die has the driver die of err, at the next moment at which it would enter the kernel;
// one that is asleep there is woken. Any goroutine may call it; of two errors the first
// one counts.
func (v *Victim) Die(err error) {
	v.cause.CompareAndSwap(nil, &err)
	v.d.Wake()
}

// Driver is the driver itself, for its own thread.
func (v *Victim) Driver() driver.Driver { return v.d }

// Died is closed once the driver has noticed.
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
