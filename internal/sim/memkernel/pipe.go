package memkernel

import "ringo/internal/sys"

// pipe is the state that the two ends share.
type pipe struct {
	stream
	max              int
	readers, writers int
	reads, writes    watchList
}

const (
	pipeSize = 1 << 16
	pipeBuf  = 4096 // writes up to this size are not split: PIPE_BUF
)

// readEnd and writeEnd are the ends of a pipe.
type (
	readEnd  struct{ *pipe }
	writeEnd struct{ *pipe }
)

// Pipe makes a pipe.
func (h *Host) Pipe(size int) (r, w, res int32) {
	p := &pipe{max: pipeSize, readers: 1, writers: 1}
	if size > 0 {
		p.max = size
	}
	if r = h.made(readEnd{p}, sys.ONonblock, true); r < 0 {
		return -1, -1, r
	}
	if w = h.made(writeEnd{p}, sys.ONonblock|sys.OWronly, true); w < 0 {
		h.Close(r)
		return -1, -1, w
	}
	return r, w, 0
}

func (e readEnd) watchers() *watchList  { return &e.reads }
func (e writeEnd) watchers() *watchList { return &e.writes }

func (e readEnd) ready() (mask uint32) {
	if e.len() > 0 {
		mask |= sys.PollIn
	}
	if e.writers == 0 {
		mask |= sys.PollHup
	}
	return mask
}

func (e writeEnd) ready() (mask uint32) {
	if e.max-e.len() >= pipeBuf || e.len() == 0 {
		mask |= sys.PollOut
	}
	if e.readers == 0 {
		mask |= sys.PollErr
	}
	return mask
}

func (e readEnd) released() {
	if e.readers--; e.readers == 0 {
		e.writes.tell()
	}
}

func (e writeEnd) released() {
	if e.writers--; e.writers == 0 {
		e.reads.tell()
	}
}

func (e readEnd) read(bufs [][]byte) int32 {
	if e.len() == 0 {
		if e.writers == 0 || size(bufs) == 0 {
			return 0
		}
		return -sys.EAGAIN
	}
	n := 0
	for _, b := range bufs {
		n += e.take(b)
	}
	e.writes.tell()
	return int32(n)
}

func (e writeEnd) write(bufs [][]byte) int32 {
	if e.readers == 0 {
		return -sys.EPIPE
	}
	total, room := size(bufs), e.max-e.len()
	if total == 0 {
		return 0
	}
	if room == 0 || total <= pipeBuf && room < total {
		return -sys.EAGAIN
	}
	n := 0
	for _, b := range bufs {
		b = b[:min(len(b), room-n)]
		e.put(b)
		n += len(b)
	}
	e.reads.tell()
	return int32(n)
}

// bothEnds is a FIFO that is open for reading and writing.
type bothEnds struct {
	watchList
	r     readEnd
	w     writeEnd
	heard [2]*Watch
}

func newBothEnds(p *pipe) *bothEnds {
	e := &bothEnds{r: readEnd{p}, w: writeEnd{p}}
	p.readers++
	p.writers++
	e.heard = [2]*Watch{p.reads.watch(e.tell), p.writes.watch(e.tell)}
	return e
}

func (e *bothEnds) ready() uint32 { return e.r.ready() | e.w.ready() }

func (e *bothEnds) released() {
	for _, w := range e.heard {
		w.Stop()
	}
	e.r.released()
	e.w.released()
}
