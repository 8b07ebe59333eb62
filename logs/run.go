package logs

import (
	"cmp"
	"io"
)

// run is the Writer's goroutine: again and again it takes all that is buffered, and writes it out.
func (w *Writer) run() {
	var q queue
	for {
		w.mu.Lock()
		for len(w.filling.entries) == 0 && !w.closed {
			w.work.Wait()
		}
		if len(w.filling.entries) == 0 {
			w.mu.Unlock()
			w.leave()
			close(w.ended)
			return
		}
		q, w.filling = w.filling, queue{q.text[:0], q.entries[:0]}
		w.mu.Unlock()
		w.writeOut(q)
	}
}

// writeOut writes out the entries of a queue. It joins several writes into one of at most w.join bytes.
func (w *Writer) writeOut(q queue) {
	for text, entries := q.text, q.entries; len(entries) > 0; {
		if e := entries[0]; e.dropped > 0 {
			_, err := w.put(w.cfg.Dropped(e.dropped, e.bytes))
			w.went(0, 0, 1, err)
			entries = entries[1:]
			continue
		}
		n, size := 1, entries[0].size
		for n < len(entries) && entries[n].dropped == 0 && size+entries[n].size <= w.join {
			size += entries[n].size
			n++
		}
		wrote, err := w.put(text[:size])
		if err != nil && wrote > 0 { // those that are there whole have gone out, and those behind the torn one may yet
			if n, size = whole(entries, wrote); n > 0 {
				w.went(n, size, n, nil)
				text, entries = text[size:], entries[n:]
			}
			n, size = 1, entries[0].size
		}
		w.went(n, size, n, err)
		text, entries = text[size:], entries[n:]
	}
}

// whole returns how many entries are whole within the first bytes that were written, and their size.
func whole(entries []entry, wrote int) (n, size int) {
	for size+entries[n].size <= wrote {
		size += entries[n].size
		n++
	}
	return n, size
}

// put writes p to the output, after a newline if only a part of the write before has gone out.
func (w *Writer) put(p []byte) (wrote int, err error) {
	if w.torn {
		if wrote, err = w.out.Write(newline); wrote < len(newline) {
			return 0, cmp.Or(err, io.ErrShortWrite)
		}
		w.torn = false
	}
	wrote, err = w.out.Write(p)
	if wrote < len(p) {
		err = cmp.Or(err, io.ErrShortWrite)
		w.torn = wrote > 0 && p[wrote-1] != newline[0]
	}
	return wrote, err
}

var newline = []byte("\n")

// went notes that so many writes and bytes have gone out, or have failed with err, and calls the waiters that waited
// for that.
func (w *Writer) went(writes, bytes, entries int, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err != nil {
		w.stats.Err, w.untold = err, err
		w.stats.Failed += uint64(writes)
		w.stats.FailedBytes += uint64(bytes)
	} else {
		w.stats.Written += uint64(writes)
		w.stats.WrittenBytes += uint64(bytes)
	}
	w.stats.Held -= writes
	w.held -= bytes + writes*entryCost
	w.gone += uint64(entries)
	if !w.running {
		w.move()
	}
	left := w.waiting[:0]
	for _, waits := range w.waiting {
		if waits.entries <= w.gone {
			waits.tell()
		} else {
			left = append(left, waits)
		}
	}
	clear(w.waiting[len(left):])
	w.waiting = left
}
