package main

import (
	"syscall"
	"time"

	"ringo/internal/op"
)

// warmth is what is known of how much of a file is in memory. The loop must not wait for a
// disk, and sendfile(2) does. So a chunk goes by sendfile only if all of it was read, without
// waiting or from the disk, a short while ago, and cachestat(2) says that its pages are still
// there. That call takes a page that is being read for one that has come, be it by the kernel's
// reading ahead: so once some of a file is found to have gone, nothing of it counts as warm,
// and the last byte of what is to be sent is read, which comes last. What has passed that is
// warm for another while, of whose first moment the next request makes use without looking.
// Where there is no such call, a shorter while must do.
//
//	unknown ──read whole, and sent from memory──▶ warm ──while, or some has gone──▶ unknown
type warmth struct {
	chunks []chunk // by number, modulo their count; nil: none was warm yet
	noNow  bool    // this sort of file has no reads that don't wait
	noLook bool    // nor does cachestat say anything
	noSend bool    // nor can it be sent by sendfile
}

// chunk is a chunk that was warm.
type chunk struct {
	number int64
	since  int64 // NowNS; 0: never
}

const (
	chunkBytes = 64 << 10
	chunksMax  = 1024 // that are remembered of one file
	pieceMax   = 4 << 20

	warmFor      = time.Second
	lookFor      = 10 * time.Millisecond
	warmForBlind = 100 * time.Millisecond
)

func (w *warmth) slot(number int64) *chunk { return &w.chunks[number%int64(len(w.chunks))] }

// warmed notes that all of a chunk is in memory.
func (o *opened) warmed(number, now int64) {
	if o.noSend || o.noNow {
		return
	}
	if o.chunks == nil {
		o.chunks = make([]chunk, min(chunksMax, (o.size+chunkBytes-1)/chunkBytes))
	}
	*o.slot(number) = chunk{number, max(1, now)}
}

func (o *opened) isWarm(number, now int64) bool {
	c, within := o.slot(number), warmFor
	if o.noLook {
		within = warmForBlind
	}
	return c.number == number && c.since > 0 && now-c.since < int64(within)
}

// sendable is how many of n bytes from off on may go by sendfile now; 0: they must be read.
func (o *opened) sendable(h *host, off, n int64) int64 {
	if o.chunks == nil || o.noSend {
		return 0
	}
	end, most, now := off, off+min(n, pieceMax), h.l.NowNS()
	looked := now
	for end < most && o.isWarm(end/chunkBytes, now) {
		looked = min(looked, o.slot(end/chunkBytes).since)
		end = min(most, (end/chunkBytes+1)*chunkBytes)
	}
	if end == off || now-looked < int64(h.look) {
		return end - off
	}
	if !o.noLook {
		res := o.resident(h, off, end-off)
		o.noLook = res < 0
		if res != 1 {
			clear(o.chunks)
			return 0
		}
	}
	if _, ok, err := o.readNow(h, h.last[:], end-1); !ok || err != nil {
		clear(o.chunks)
		return 0
	}
	if !o.noLook {
		for at := off; at < end; at += chunkBytes {
			o.slot(at / chunkBytes).since = now
		}
	}
	return end - off
}

// resident asks whether bytes are in memory: 1, 0, or that nobody can tell.
func (o *opened) resident(h *host, off, n int64) int32 {
	h.call = op.Op{Code: op.Resident, FD: &o.fd, Off: off, Arg: uint32(n)}
	res, _ := h.l.Try(&h.call)
	return res
}

// readNow reads what is in memory of p's length from off on; ok is false if that is not all
// and the file has more.
func (o *opened) readNow(h *host, p []byte, off int64) (n int, ok bool, err error) {
	for n < len(p) {
		at := off + int64(n)
		mode := uint8(op.ModeNow)
		if o.noNow {
			if o.resident(h, at, int64(len(p)-n)) != 1 {
				return n, false, nil
			}
			mode = op.ModeFile
		}
		h.call = op.Op{Code: op.Read, FD: &o.fd, Buf: p[n:], Off: at, Mode: mode}
		res := h.call.Attempt()
		h.call.Buf = nil
		switch {
		case res > 0:
			n += int(res)
		case res == 0:
			return n, true, nil
		case res == -int32(syscall.EAGAIN):
			return n, false, nil
		case !o.noNow && (res == -int32(syscall.EOPNOTSUPP) || res == -int32(syscall.ENOSYS) || res == -int32(syscall.EINVAL)):
			o.noNow = true
		default:
			return n, false, syscall.Errno(-res)
		}
	}
	return n, true, nil
}

// read reads p's length from off on, less at the file's end. What is not in memory is read
// on the ring, or by the offload; the task parks.
func (o *opened) read(h *host, p []byte, off int64) (n int, err error) {
	for {
		m, ok, err := o.readNow(h, p[n:], off+int64(n))
		if n += m; ok || err != nil {
			return n, err
		}
		if m, err = o.readCold(h, p[n:], off+int64(n)); m <= 0 {
			return n, err
		}
		if n += m; n == len(p) {
			return n, nil
		}
	}
}

// readCold waits for the disk, otherwise than on the loop.
func (o *opened) readCold(h *host, p []byte, off int64) (int, error) {
	if o.noNow { // such files make the ring start a thread
		return o.readOffload(h.l, p, off)
	}
	r := h.l.NewOp(op.Read)
	if r == nil {
		return 0, syscall.ENOBUFS
	}
	r.FD, r.Buf, r.Off = &o.fd, p, off
	res := h.l.Do(r)
	h.l.FreeOp(r)
	if res < 0 {
		return 0, syscall.Errno(-res)
	}
	return int(res), nil
}
