package logs

import (
	"context"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"sync"
	"time"

	"ringo"
	"ringo/internal/census"
	"ringo/internal/loop"
)

// A Writer buffers writes in memory, and writes them to another writer, its output, on its own goroutine. Tasks of any
// loop and any goroutine can share one. NewWriter makes it.
type Writer struct {
	out   io.Writer
	cfg   Config
	join  int // how many bytes several writes may have to go out as one
	leave func()
	ended chan struct{} // closed by the goroutine

	// Only the goroutine uses these.
	torn    bool  // the output ends with a part of a write
	missing entry // dropped writes that the output does not tell of yet

	mu      sync.Mutex     // held for moments only: tasks lock it
	work    sync.Cond      // there is something to write out
	moved   []*loop.Parker // the calls of awaitMove
	filling queue
	held    int    // bytes that were not written out, with entryCost
	taken   uint64 // entries that were ever added; gone: that have gone out
	gone    uint64
	running bool // there are loops: Write does not wait
	closed  bool
	waiting []*waiter
	stats   Stats
	untold  error // the last error of the output that no Flush or Close has returned
}

// queue holds writes in order.
type queue struct {
	text    []byte
	entries []entry
}

// entry is a write of size bytes, or stands for writes that were dropped.
type entry struct {
	size    int
	dropped uint64
	bytes   uint64 // bytes of the dropped writes
}

// entryCost is what an entry counts in addition to its bytes, so that many small ones are bounded, too.
const entryCost = 32

// waiter calls tell once that many entries have gone out.
type waiter struct {
	entries uint64
	tell    func()
}

// Stats count a Writer's writes: each is Written, Dropped or Failed, or still Held.
type Stats struct {
	Written, WrittenBytes uint64 // writes that the output has taken whole, also if it returned an error
	Dropped, DroppedBytes uint64 // writes that did not fit the buffer
	Failed, FailedBytes   uint64 // writes that the output has not taken, or in part
	Held                  int    // writes in the buffer
	Err                   error  // the last error of the output
}

// NewWriter makes a Writer that writes to out. The Writer calls out from one goroutine, with one write at a time or, if
// out is an *os.File, with several whole ones in up to 4096 bytes, which a pipe keeps together. out must not write to
// the Writer. NewWriter panics if Config.Size is out of range. Any goroutine may call it, but a task would block while
// the Writers of an ending Run are written out. Close ends the Writer.
func NewWriter(out io.Writer, cfg *Config) *Writer {
	w := &Writer{out: out, cfg: cfg.resolve(), ended: make(chan struct{})}
	w.work.L = &w.mu
	if _, ok := out.(*os.File); ok {
		w.join = 4096 // PIPE_BUF
	}
	w.mu.Lock() // so that begin waits if a Run begins meanwhile
	defer w.mu.Unlock()
	w.running, w.leave = census.Follow(&census.Follower{Begin: w.begin, Last: w.last, Await: w.await})
	go w.run()
	return w
}

// Write buffers p, whole or not at all; the caller owns p again when Write returns. During a Run Write does not wait:
// if p does not fit, it is dropped and counted, and Write returns success, since loggers report errors to stderr.
// Without a Run Write waits until p is written, or a Run begins. After Close it fails with fs.ErrClosed. Any goroutine
// may call it.
func (w *Writer) Write(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	cost := len(p) + entryCost
	w.mu.Lock()
	defer w.mu.Unlock()
	for !w.running && !w.closed && cost <= w.cfg.Size && w.held+cost > w.cfg.Size {
		w.awaitMove()
	}
	switch {
	case w.closed:
		return 0, fs.ErrClosed
	case w.held+cost > w.cfg.Size:
		w.drop(len(p))
	default:
		w.filling.text = append(w.filling.text, p...)
		w.add(entry{size: len(p)})
		w.held += cost
		w.stats.Held++
	}
	for mine := w.taken; !w.running && w.gone < mine; {
		w.awaitMove()
	}
	return len(p), nil
}

// add appends an entry.
func (w *Writer) add(e entry) {
	w.filling.entries = append(w.filling.entries, e)
	w.taken++
	w.work.Signal()
}

// drop counts a write that does not fit. Writes that are dropped in a row share one entry.
func (w *Writer) drop(size int) {
	w.stats.Dropped++
	w.stats.DroppedBytes += uint64(size)
	if n := len(w.filling.entries); n == 0 || w.filling.entries[n-1].dropped == 0 {
		w.add(entry{})
	}
	last := &w.filling.entries[len(w.filling.entries)-1]
	last.dropped++
	last.bytes += uint64(size)
}

// Flush waits until all earlier writes have been written: a task parks. It returns an error if ctx, a cancel of the
// task, or a Loop.WithTimeout ends the wait, or else the last error of the output that no earlier Flush or Close has
// returned. Any goroutine may call it.
func (w *Writer) Flush(ctx context.Context) error {
	if err := w.empty(ctx); err != nil {
		return err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	err := w.untold
	w.untold = nil
	return err
}

// empty waits until all earlier writes have gone out, or have failed.
func (w *Writer) empty(ctx context.Context) error {
	gone := ringo.NewChan[struct{}](1)
	told := w.tell(func() { gone.TrySend(struct{}{}) })
	defer w.forget(told)
	if _, ok := gone.TryRecv(); ok {
		return nil
	}
	_, err := gone.RecvContext(ctx)
	return err
}

// Close makes further writes fail, waits until the buffer is written, for at most Config.Patience, and ends the
// goroutine. A task parks; a cancelled one does not wait. If bytes remain it returns an error; they are still written
// as soon as possible. Otherwise it returns what Flush does. Closing again waits again. It does not close the output.
// Any goroutine may call it.
func (w *Writer) Close() error {
	w.mu.Lock()
	w.closed = true
	w.work.Signal()
	w.move()
	w.mu.Unlock()
	ctx, cancel := context.WithTimeout(context.Background(), max(w.cfg.Patience, 0))
	defer cancel()
	if err := w.empty(ctx); err != nil {
		return fmt.Errorf("logs: %d writes have not gone out: %w", w.Stats().Held, err)
	}
	return w.Flush(ctx)
}

// Stats returns the counts. Any goroutine may call it; it does not wait.
func (w *Writer) Stats() Stats {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.stats
}

// tell calls fn once everything that was written before has gone out, which may be at once. fn must not wait. A caller
// that stops waiting has to forget the waiter: otherwise the waiters of an output that has stopped would add up.
func (w *Writer) tell(fn func()) *waiter {
	w.mu.Lock()
	defer w.mu.Unlock()
	waits := &waiter{w.taken, fn}
	if w.gone >= w.taken {
		fn()
		return waits
	}
	w.waiting = append(w.waiting, waits)
	return waits
}

// forget removes a waiter, whose fn is not called then.
func (w *Writer) forget(one *waiter) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if i := slices.Index(w.waiting, one); i >= 0 {
		w.waiting = slices.Delete(w.waiting, i, i+1)
	}
}

// awaitMove waits until something was written out, or until a Run begins or Close is called. It unlocks w.mu meanwhile.
// It does not use a sync.Cond: one that waits in a bubble of testing/synctest can't be woken from outside.
func (w *Writer) awaitMove() {
	var p loop.Parker
	p.Begin(nil, nil)
	w.moved = append(w.moved, &p)
	w.mu.Unlock()
	p.Park()
	w.mu.Lock()
}

// move ends the waits in awaitMove. The caller holds mu.
func (w *Writer) move() {
	for _, p := range w.moved {
		if p.Claim(0) {
			p.Wake()
		}
	}
	clear(w.moved)
	w.moved = w.moved[:0]
}

// begin ends all waits of Write, and allows no more, because loops are about to run.
func (w *Writer) begin() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.running = true
	w.move()
}

// last makes later writes wait again, because no loops run any more.
func (w *Writer) last() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.running = false
}

// await waits until everything that was written before has gone out, or Patience is over.
func (w *Writer) await() {
	if w.cfg.Patience < 0 {
		return
	}
	gone := make(chan struct{})
	defer w.forget(w.tell(func() { close(gone) }))
	over := time.NewTimer(w.cfg.Patience)
	defer over.Stop()
	select {
	case <-gone:
	case <-over.C:
	}
}
