package hosted

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"

	"ringo/internal/driver"
	"ringo/internal/op"
	"ringo/internal/race"
	"ringo/internal/rt/gmark"
	"ringo/internal/sys"
)

// Rings runs the file ops of a process's goroutines. Any goroutine may call all methods; tasks must not, because they
// would hold up their loop.
type Rings struct {
	cfg   Config
	rings []atomic.Pointer[ring] // the first always exists; the others are made when they are needed

	mu     sync.Mutex // held to make a ring, and to close
	closed bool
}

// Open makes the first ring. The error says at which step the kernel refused it, and the likely cause.
func Open(cfg Config) (*Rings, error) {
	cfg, err := cfg.check()
	if err != nil {
		return nil, err
	}
	first, err := openRing(&cfg)
	if err != nil {
		return nil, err
	}
	h := &Rings{cfg: cfg, rings: make([]atomic.Pointer[ring], cfg.Rings)}
	h.rings[0].Store(first)
	return h, nil
}

// Takes reports whether ops of this code can run on the rings.
func (h *Rings) Takes(code op.Code) bool { return h.rings[0].Load().e.takes(code) }

// DirectOnly reports whether only transfers of files that are open with O_DIRECT run on the rings.
func (h *Rings) DirectOnly() bool { return h.cfg.Native }

// Do runs the op and blocks the goroutine until it has ended. The result is that of a completion, and final: after Do
// has returned, nothing that the op names is touched. Do handles EINTR and EAGAIN; a count may be short.
//
// If ok is false, the op was not done, and the caller has to make the plain call: this kernel has no entry for it, too
// many callers wait already, native AIO would have to wait, or the ring is closed or dead.
//
// When ctx ends, a caller that waits for room leaves, and an op under way is cancelled. Reads and writes of a disk go
// on all the same. The result of an op that did end early is -ECANCELED.
//
// The op is copied and stays the caller's. Its descriptor must stay open, and its Ext and slices in place, until Do
// returns. Flags are ignored.
func (h *Rings) Do(ctx context.Context, o *op.Op) (res int32, ok bool) {
	r := h.pick()
	if !r.e.takes(o.Code) {
		return 0, false
	}
	ended := ctx.Done()
	if ended != nil && ctx.Err() != nil {
		return canceled, true
	}
	c, how := r.admit(o.Code, ended != nil)
	switch how {
	case refused:
		return 0, false
	case alone:
		for res = driver.Call(o); res == -sys.EINTR; res = driver.Call(o) {
		}
		r.plainDone()
		return res, true
	case waits:
		select {
		case <-c.done:
		case <-ended:
			if r.unqueue(c) {
				r.end(c)
				return canceled, true
			}
			<-c.done
		}
		if c.refused {
			r.end(c)
			return 0, false
		}
	}
	return r.run(c, o, ended)
}

// run is Do for a caller that has a slot.
func (r *ring) run(c *call, o *op.Op, ended <-chan struct{}) (res int32, ok bool) {
	if race.Enabled {
		race.WriteLike()
		o.EachRead(race.ReadRange)
	}
	r.submit(c, o)
	if ended == nil {
		<-c.done
	} else {
		select {
		case <-c.done:
		case <-ended:
			r.cancel(c)
			<-c.done
		}
	}
	res, ok = c.res, !c.refused
	r.end(c)
	if race.Enabled && ok {
		race.ReadLike()
		o.EachWritten(res, race.WriteRange)
	}
	return res, ok
}

// pick returns the ring of the calling goroutine: always the same one, so that goroutines that come together share
// their calls.
func (h *Rings) pick() *ring {
	i := 0
	if n := uint64(len(h.rings)); n > 1 {
		const golden = 0x9e3779b97f4a7c15
		i = int((uint64(gmark.Current()) * golden >> 32) * n >> 32)
	}
	if r := h.rings[i].Load(); r != nil {
		return r
	}
	return h.open(i)
}

// open makes one more ring. If that fails, the first ring serves in its place.
func (h *Rings) open(i int) *ring {
	h.mu.Lock()
	defer h.mu.Unlock()
	if r := h.rings[i].Load(); r != nil {
		return r
	}
	r := h.rings[0].Load()
	if !h.closed {
		if another, err := openRing(&h.cfg); err == nil {
			r = another
		}
	}
	h.rings[i].Store(r)
	return r
}

// each calls f once for every ring.
func (h *Rings) each(f func(r *ring)) {
	first := h.rings[0].Load()
	f(first)
	for i := range h.rings {
		if r := h.rings[i].Load(); r != nil && r != first {
			f(r)
		}
	}
}

// Info describes the rings.
type Info struct {
	Rings    int
	InFlight int // the bound of a ring
	Used     int // ops that have a slot now
	Waiting  int // callers that wait for a slot
	Stats    Stats
}

// Info returns the sums over all rings.
func (h *Rings) Info() (info Info) {
	h.each(func(r *ring) {
		r.mu.Lock()
		defer r.mu.Unlock()
		info.Rings++
		info.InFlight = max(info.InFlight, r.max)
		info.Used += r.slab.Used()
		info.Waiting += r.room.n
		info.Stats.add(&r.stats)
	})
	return info
}

// Close refuses new ops and those that wait for room, waits for the ops under way, however long they take, and frees
// the rings.
func (h *Rings) Close() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		return nil
	}
	h.closed = true
	var errs []error
	h.each(func(r *ring) { errs = append(errs, r.close()) })
	return errors.Join(errs...)
}

func (r *ring) close() error {
	idle := make(chan struct{})
	r.mu.Lock()
	r.closing = true
	r.dismiss()
	r.idle = idle
	r.checkIdle()
	r.mu.Unlock()
	<-idle
	r.watcher.stop()
	return r.e.close()
}
