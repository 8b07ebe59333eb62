package ringokitex

import (
	"github.com/bytedance/gopkg/lang/mcache"
	"github.com/cloudwego/netpoll"
)

// keptMax is how many bytes of an answer a goroutine leaves to the connection's task at most. The task's write of so
// many is copied and sent at the end of the loop's turn, together with those of other connections.
const keptMax = 4096

// A writer has the bytes to send: a netpoll.Writer, which Flush empties. One caller uses it at a time.
type writer struct {
	*netpoll.LinkBuffer
	c      *conn
	pieces [8][]byte // arguments of one system call
	keeps  bool      // small answers are left to the task, in kept
	kept   []byte
}

var _ netpoll.Writer = (*writer)(nil)

// Flush sends everything, or leaves a small answer to the task. It waits while the peer is slow.
func (w *writer) Flush() error {
	_ = w.LinkBuffer.Flush()
	defer w.LinkBuffer.Release()
	if w.keeps && len(w.kept)+w.Len() <= keptMax {
		w.keep()
		return nil
	}
	if err := w.sendKept(); err != nil {
		return err
	}
	w.c.limitWrite()
	for w.Len() > 0 {
		n, err := w.c.writeV(w.GetBytes(w.pieces[:]))
		_ = w.Skip(n)
		if err != nil {
			_ = w.Skip(w.Len())
			return err
		}
	}
	clear(w.pieces[:])
	return nil
}

// keep copies everything to kept, for the task.
func (w *writer) keep() {
	if w.kept == nil {
		w.kept = mcache.Malloc(keptMax)[:0]
	}
	for w.Len() > 0 {
		at := len(w.kept)
		for _, p := range w.GetBytes(w.pieces[:]) {
			w.kept = append(w.kept, p...)
		}
		_ = w.Skip(len(w.kept) - at)
	}
	clear(w.pieces[:])
}

// sendKept sends what was left to the task.
func (w *writer) sendKept() error {
	if len(w.kept) == 0 {
		return nil
	}
	w.c.limitWrite()
	_, err := w.c.Conn.Write(w.kept)
	w.kept = w.kept[:0]
	w.free()
	return failed(err, netpoll.ErrWriteTimeout)
}

// free frees the memory of kept, since the next answer may take long to come.
func (w *writer) free() {
	if w.kept != nil {
		mcache.Free(w.kept)
		w.kept = nil
	}
}

// end frees all memory, once no caller uses the connection.
func (w *writer) end() {
	w.free()
	_ = w.LinkBuffer.Close()
}
