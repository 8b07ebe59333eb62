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
		e := entries[0]
		w.missing.dropped += e.dropped
		w.missing.bytes += e.bytes
		if w.missing.dropped > 0 {
			w.tellMissing()
		}
		if e.dropped > 0 {
			w.went(0, 0, 1, true)
			entries = entries[1:]
			continue
		}
		n, size := 1, e.size
		for n < len(entries) && entries[n].dropped == 0 && size+entries[n].size <= w.join {
			size += entries[n].size
			n++
		}
		wrote := w.put(text[:size])
		ok := wrote == size
		if !ok { // those that are there whole have gone out, and those behind the torn one may yet
			if n, size = whole(entries, wrote); n > 0 {
				w.went(n, size, n, true)
				text, entries = text[size:], entries[n:]
			}
			n, size = 1, entries[0].size
		}
		w.went(n, size, n, ok)
		text, entries = text[size:], entries[n:]
	}
}

// tellMissing writes the text in place of dropped writes. If the output does not take it, it goes in front of the next
// write.
func (w *Writer) tellMissing() {
	text := w.cfg.Dropped(w.missing.dropped, w.missing.bytes)
	if w.put(text) == len(text) {
		w.missing = entry{}
	}
}

// whole returns how many entries are whole within the first bytes that were written, and their size. The output has
// not taken all of them.
func whole(entries []entry, wrote int) (n, size int) {
	for size+entries[n].size <= wrote {
		size += entries[n].size
		n++
	}
	return n, size
}

// put writes p to the output, after a newline if only a part of the write before has gone out.
func (w *Writer) put(p []byte) (wrote int) {
	if w.torn {
		if w.output(newline) < len(newline) {
			return 0
		}
		w.torn = false
	}
	wrote = w.output(p)
	w.torn = 0 < wrote && wrote < len(p) && p[wrote-1] != newline[0]
	return wrote
}

// output calls the output, and notes its error. The output may also fail having taken all of p, as one that syncs.
func (w *Writer) output(p []byte) (wrote int) {
	wrote, err := w.out.Write(p)
	wrote = min(max(wrote, 0), len(p)) // whatever it says
	if wrote < len(p) {
		err = cmp.Or(err, io.ErrShortWrite)
	}
	if err != nil {
		w.mu.Lock()
		w.stats.Err, w.untold = err, err
		w.mu.Unlock()
	}
	return wrote
}

var newline = []byte("\n")

// went notes that so many writes and bytes have gone out or, unless ok, have failed, and calls the waiters that waited
// for that.
func (w *Writer) went(writes, bytes, entries int, ok bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if ok {
		w.stats.Written += uint64(writes)
		w.stats.WrittenBytes += uint64(bytes)
	} else {
		w.stats.Failed += uint64(writes)
		w.stats.FailedBytes += uint64(bytes)
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
