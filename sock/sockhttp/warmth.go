package sockhttp

import (
	"errors"
	"time"
)

// warmth is what is known about how much of a file is in memory. The loop must not wait for a disk, which sendfile(2)
// does. So a chunk is sent by sendfile only if all of it was read a short while ago, without waiting or from the disk,
// and cachestat(2) (file.File.Cached) says that its pages are still there. cachestat also counts a page that is still
// being read, by the kernel's readahead for example. So once a part of a file is found to be gone, no part of it counts
// as warm any more; and the last byte of what is to be sent is read as well, since it arrives last. Chunks that have
// passed this check, or were sent, are warm for another while, and in the first moments of that the next request skips
// the check. Without cachestat a shorter while and the read of the last byte have to do; on file systems without reads
// that don't wait (tmpfs, overlayfs), cachestat alone has to do.
//
//	unknown ──read whole, and sent from memory──▶ warm ──while, or some has gone──▶ unknown
type warmth struct {
	chunks []chunk // by number modulo their count; nil: none was warm yet
	noNow  bool    // its file system has no reads that don't wait
	noLook bool    // cachestat does not work for this file
	noSend bool    // sendfile does not work for this file
}

// chunk is a chunk that was found to be warm.
type chunk struct {
	number int64
	since  int64 // NowNS; 0: never
}

const (
	chunkBytes = 64 << 10
	chunksMax  = 1024 // remembered for one file
	pieceMax   = 4 << 20
	pieceMin   = 256 << 10

	warmFor      = time.Second
	lookFor      = 50 * time.Millisecond
	warmForBlind = 100 * time.Millisecond
)

func (w *warmth) slot(number int64) *chunk { return &w.chunks[number%int64(len(w.chunks))] }

// warmed notes that a whole chunk is in memory.
func (o *openFile) warmed(number, now int64) {
	if o.noSend || o.noNow && o.noLook {
		return
	}
	if o.chunks == nil {
		o.chunks = make([]chunk, min(chunksMax, (o.size+chunkBytes-1)/chunkBytes))
	}
	*o.slot(number) = chunk{number, max(1, now)}
}

// passed notes that n bytes from off on are in memory now, because sendfile has sent them. The bytes just before them
// were there at the time before; 0: not known.
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

// sendable returns how many of n bytes from off on may be sent by sendfile now; 0: they must be read.
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

// inMemory reports whether bytes are in memory. Without cachestat it tries to read the last of them without waiting.
func (o *openFile) inMemory(s *shelf, off, n int64) bool {
	if !o.noLook {
		in, err := o.file.Cached(off, n)
		o.noLook = err != nil
		return in
	}
	read, err := o.file.ReadCached(s.last[:], off+n-1)
	return read == 1 && err == nil
}

// ask finds out what the file system supports. It may wait for the disk.
func (o *openFile) ask() {
	var first [1]byte
	_, err := o.file.ReadCached(first[:], 0)
	o.noNow = errors.Is(err, errors.ErrUnsupported)
}
