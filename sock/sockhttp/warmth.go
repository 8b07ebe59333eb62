package sockhttp

import (
	"errors"
	"time"
)

// warmth is what is known of how much of a file is in memory. The loop must not wait for a
// disk, and sendfile(2) does. So a chunk goes by sendfile only if all of it was read, without
// waiting or from the disk, a short while ago, and cachestat(2) says that its pages are still
// there. That call takes a page that is being read for one that has come, be it by the kernel's
// reading ahead: so once some of a file is found to have gone, nothing of it counts as warm,
// and the last byte of what is to be sent is read, which comes last. What has passed that, or was
// sent, is warm for another while, of whose first moment the next request makes use without looking.
// Where there is no such call, a shorter while must do, and where the file system knows no reads
// that don't wait (tmpfs, overlayfs), the call alone.
//
//	unknown ──read whole, and sent from memory──▶ warm ──while, or some has gone──▶ unknown
type warmth struct {
	chunks []chunk // by number, modulo their count; nil: none was warm yet
	noNow  bool    // its file system knows no reads that don't wait
	noLook bool    // cachestat says nothing of this file
	noSend bool    // it can't be sent by sendfile
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
	pieceMin   = 256 << 10

	warmFor      = time.Second
	lookFor      = 50 * time.Millisecond
	warmForBlind = 100 * time.Millisecond
)

func (w *warmth) slot(number int64) *chunk { return &w.chunks[number%int64(len(w.chunks))] }

// warmed notes that all of a chunk is in memory.
func (o *openFile) warmed(number, now int64) {
	if o.noSend || o.noNow && o.noLook {
		return
	}
	if o.chunks == nil {
		o.chunks = make([]chunk, min(chunksMax, (o.size+chunkBytes-1)/chunkBytes))
	}
	*o.slot(number) = chunk{number, max(1, now)}
}

// passed notes that n bytes from off on were in memory at this moment, because they were sent by
// sendfile. Those just before them were there at the moment before; 0: nobody knows.
func (o *openFile) passed(off, n, before, now int64) {
	for at := off - off%chunkBytes; at < off+n && min(at+chunkBytes, o.size) <= off+n; at += chunkBytes {
		since := now
		if at < off {
			since = before
		}
		if c := o.slot(at / chunkBytes); c.number == at/chunkBytes && c.since > 0 {
			c.since = max(c.since, since)
		}
	}
}

func (o *openFile) isWarm(s *shelf, number, now int64) bool {
	c, within := o.slot(number), s.warm
	if o.noLook {
		within = warmForBlind
	}
	return c.number == number && c.since > 0 && now-c.since < int64(within)
}

// sendable is how many of n bytes from off on may go by sendfile now; 0: they must be read.
func (o *openFile) sendable(s *shelf, off, n int64) int64 {
	if o.chunks == nil || o.noSend {
		return 0
	}
	end, most, now := off, off+n, s.now()
	looked := now
	for end < most && o.isWarm(s, end/chunkBytes, now) {
		looked = min(looked, o.slot(end/chunkBytes).since)
		end = min(most, (end/chunkBytes+1)*chunkBytes)
	}
	if end == off || now-looked < int64(s.look) {
		return end - off
	}
	if !o.inMemory(s, off, end-off) {
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

// inMemory asks whether bytes are in memory. Where the kernel does not tell, the last of them does.
func (o *openFile) inMemory(s *shelf, off, n int64) bool {
	if !o.noLook {
		in, err := o.file.Cached(off, n)
		o.noLook = err != nil
		return in
	}
	read, err := o.file.ReadCached(s.last[:], off+n-1)
	return read == 1 && err == nil
}

// ask finds out about the file system. It may wait for the disk.
func (o *openFile) ask() {
	var first [1]byte
	_, err := o.file.ReadCached(first[:], 0)
	o.noNow = errors.Is(err, errors.ErrUnsupported)
}
