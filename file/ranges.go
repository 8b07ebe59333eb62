package file

import (
	"cmp"
	"io"
	"math"
	"slices"
	"sync"

	"ringo/internal/fd"
	"ringo/internal/loop"
	"ringo/internal/op"
	"ringo/internal/posix"
	"ringo/internal/sys"
)

// A ReadRange is one of the pieces of a file that ReadRanges reads, with its result.
type ReadRange struct {
	Off int64
	P   []byte // to be filled; the kernel may use it until ReadRanges returns
	N   int    // how many bytes of P were read
	Err error  // why not all: io.EOF at the file's end
}

// ReadRanges fills every range as ReadAt would, all at the same time: bytes in memory are copied at once, and the
// others are read from the disk together, in one submission to the loop's ring, at most 128 reads at a time. Adjacent
// ranges become one read, in whatever order they are. Each range has its own count and error; ReadRanges returns the
// first error that is not io.EOF. Ranges may overlap in the file, but not in memory.
//
// It may wait; a task parks. One that is cancelled waits for the reads that have begun, and the others fail with
// context.Canceled. On a goroutine up to 16 reads are under way at a time.
func (f *File) ReadRanges(rs []ReadRange) error {
	if err := f.begin("read"); err != nil {
		return err
	}
	defer f.refs.release()
	b := batches.Get().(*rangeBatch)
	defer b.free()
	b.f, b.rs = f, rs
	l, _, err := who()
	if err != nil {
		return f.fail("read", err)
	}
	for i := range rs {
		rs[i].N, rs[i].Err = 0, nil
		if rs[i].Off < 0 {
			rs[i].Err = f.fail("readat", errNegative)
		} else if len(rs[i].P) > 0 {
			b.cold = append(b.cold, i)
		}
	}
	if l == nil {
		b.onGoroutines()
	} else {
		b.onLoop(l)
	}
	for i := range rs {
		if err := rs[i].Err; err != nil && err != io.EOF {
			return err
		}
	}
	return nil
}

// rangeBatch is one call of ReadRanges.
type rangeBatch struct {
	f     *File
	rs    []ReadRange
	cold  []int // indexes of rs: ranges that are not read yet
	alone int   // index of cold: from here on each range is read on its own

	l        *loop.Loop
	task     *loop.Task // the task that parks
	next     int        // index of cold: the first range that has not begun
	until    int        // index of cold: ranges before it may begin, by the limits of the task's class
	priority uint16     // of the reads
	ops      int        // reads under way
	canceled bool
	reads    [readsMax]rangeRead
	spare    []*rangeRead
	vec      [][]byte
}

const (
	// readsMax bounds the reads of a ReadRanges under way at a time, workersMax the goroutines that read for one.
	readsMax   = 128
	workersMax = 16
)

// rangeRead is an op for one range, or for several adjacent ones: cold[from:to].
type rangeRead struct {
	b        *rangeBatch
	fd       fd.FD // what the op refers to: the descriptor, for this op alone
	from, to int
}

var batches = sync.Pool{New: func() any {
	b := new(rangeBatch)
	for i := range b.reads {
		b.reads[i].b = b
		b.spare = append(b.spare, &b.reads[i])
	}
	return b
}}

// free returns the batch to the pool, unless a crash of a simulated host has left ops that use it.
func (b *rangeBatch) free() {
	if b.ops > 0 {
		return
	}
	clear(b.vec[:cap(b.vec)])
	b.f, b.rs, b.l, b.task, b.cold, b.vec = nil, nil, nil, nil, b.cold[:0], b.vec[:0]
	b.next, b.alone, b.until, b.priority, b.canceled = 0, 0, 0, 0, false
	batches.Put(b)
}

// warm reads what a task need not wait for, and sorts the rest by offset. The error is what cancelled the task.
func (b *rangeBatch) warm(l *loop.Loop) error {
	cold := b.cold[:0]
	for _, i := range b.cold {
		if err := chargeAndYield(l); err != nil {
			return err
		}
		if wait, err := b.here(&b.rs[i]); err != nil {
			return err
		} else if wait {
			cold = append(cold, i)
		}
	}
	b.cold = cold
	slices.SortFunc(b.cold, func(x, y int) int { return cmp.Compare(b.at(x), b.at(y)) })
	b.alone = len(b.cold)
	return nil
}

// at returns the offset of the unread rest of a range.
func (b *rangeBatch) at(i int) int64 { return b.rs[i].Off + int64(b.rs[i].N) }

// here reads the part of a range that is in memory, and reports whether there is more to read.
func (b *rangeBatch) here(r *ReadRange) (more bool, err error) {
	known, err := b.f.factsWithType()
	if err != nil {
		return false, err
	}
	for r.N < len(r.P) {
		p := r.P[r.N:]
		res := b.f.readNow(known, p[:min(len(p), turnMax)], r.Off+int64(r.N))
		switch {
		case res < 0:
			return true, nil // the read that may wait meets the error
		case res == 0:
			r.Err = io.EOF
			return false, nil
		}
		r.N += int(res)
	}
	return false, nil
}

// onLoop reads what is in memory, lets the loop's driver read the rest, and parks.
func (b *rangeBatch) onLoop(l *loop.Loop) {
	b.l, b.task = l, l.Task()
	err := b.warm(l)
	if err == nil && len(b.cold) > 0 && l.Canceled() {
		err = l.Cause()
	}
	if err == nil && l.LimitsIO() {
		err = b.inTurns(l)
	} else if err == nil {
		b.until = math.MaxInt
		err = b.read(l)
	}
	for i := range b.rs {
		r := &b.rs[i]
		switch {
		case r.Off < 0 || r.Err == io.EOF || r.N == len(r.P):
		case isErrno(r.Err, sys.ECANCELED) && l.Canceled(): // the loop is ending
			r.Err = b.f.fail("read", l.Cause())
		case r.Err != nil:
			r.Err = b.f.fail("read", b.f.aligned(r.Err))
		default: // not read, because the task was cancelled
			r.Err = b.f.fail("read", err)
		}
	}
}

// read starts the reads that may begin, and parks until all have ended.
func (b *rangeBatch) read(l *loop.Loop) error {
	b.submit()
	if b.ops > 0 {
		l.Park(b)
	}
	if b.canceled {
		return l.Cause()
	}
	return nil
}

// inTurns reads everything within the limits of the task's class, each time as many ranges as may begin together.
func (b *rangeBatch) inTurns(l *loop.Loop) error {
	for b.next < len(b.cold) {
		if err := b.inTurn(l); err != nil {
			return err
		}
	}
	return nil
}

func (b *rangeBatch) inTurn(l *loop.Loop) error {
	before := b.missing()
	turn, err := l.BeginIO(b.sizeOf(b.next))
	if err != nil {
		return err
	}
	defer func() { turn.End(before - b.missing()) }()
	b.until, b.priority = b.next+1, turn.Priority
	for b.until < min(len(b.cold), b.next+readsMax) && turn.More(b.sizeOf(b.until)) {
		b.until++
	}
	return b.read(l)
}

// sizeOf returns how many bytes the next read of a range asks for.
func (b *rangeBatch) sizeOf(k int) int {
	i := b.cold[k]
	return min(len(b.rs[i].P)-b.rs[i].N, pieceOf(reads, b.at(i), task, facts(b.f.known.Load())))
}

// missing returns how many bytes are unread.
func (b *rangeBatch) missing() (n int) {
	for i := range b.rs {
		n += len(b.rs[i].P) - b.rs[i].N
	}
	return n
}

// CancelWait lets no more reads begin. The task still waits for those under way.
func (b *rangeBatch) CancelWait(t *loop.Task) {
	b.canceled = true
	t.WaitOn(b)
}

// DescribeWait describes what the task waits for.
func (b *rangeBatch) DescribeWait(_ *loop.Task, d *loop.Wait) { d.Op, d.FD = "read", b.f.n }

// submit starts reads while there are places.
func (b *rangeBatch) submit() {
	for b.next < min(len(b.cold), b.until) && len(b.spare) > 0 && !b.canceled {
		r := b.spare[len(b.spare)-1]
		r.from, r.to = b.next, b.next+1
		if !r.submit() {
			if b.ops == 0 { // no slot is free, and no read is under way whose end would free one
				b.rs[b.cold[b.next]].Err = posix.ENOBUFS
				b.next++
				continue
			}
			return
		}
		b.spare = b.spare[:len(b.spare)-1]
		b.next = r.to
		b.ops++
	}
}

// submit starts the read, together with the ranges that are adjacent to its first.
func (r *rangeRead) submit() bool {
	b := r.b
	i := b.cold[r.from]
	off, known := b.at(i), facts(b.f.known.Load())
	most := pieceOf(reads, off, task, known)
	size := len(b.rs[i].P) - b.rs[i].N
	b.vec = append(b.vec[:0], b.rs[i].P[b.rs[i].N:])
	for r.from < b.alone && r.to < min(b.alone, b.until) && len(b.vec) < op.VecMax {
		i := b.cold[r.to]
		n := len(b.rs[i].P) - b.rs[i].N
		if b.at(i) != off+int64(size) || size+n > most {
			break
		}
		b.vec = append(b.vec, b.rs[i].P[b.rs[i].N:])
		size += n
		r.to++
	}
	code := op.ReadAt
	if len(b.vec) > 1 {
		code = op.ReadVec
	}
	o := b.l.Ops().New(code)
	if o == nil {
		return false
	}
	if code == op.ReadVec {
		b.l.Ops().Ext(o).SetVec(b.vec, 0)
	} else {
		o.Buf = b.vec[0][:min(size, most)]
	}
	if route(reads, size, off, task, known|cold) != ring { // a pipe, whose offset a ring would drop
		o.Flags |= op.Offload
	}
	r.fd.Init(b.f.n)
	o.FD, o.Off, o.Sink, o.CallFlags = &r.fd, off, r, uint32(b.priority)
	b.l.Ops().Time(o)
	b.l.Ops().Submit(o)
	return true
}

// Complete distributes the bytes over the read's ranges. What is left of a range is read again on its own, so that an
// error is reported for the range that has it.
func (r *rangeRead) Complete(o *op.Op, res int32, flags uint32) {
	if flags&op.More != 0 {
		return
	}
	b := r.b
	if o.Ext != nil {
		clear(o.Ext.Vec)
	}
	b.l.Ops().Free(o)
	single := r.to-r.from == 1
	for _, i := range b.cold[r.from:r.to] {
		x := &b.rs[i]
		n := min(int(max(res, 0)), len(x.P)-x.N)
		x.N += n
		res -= int32(n)
		switch {
		case x.N == len(x.P):
		case single && n == 0 && res < 0:
			x.Err = posix.Error(res)
		case single && n == 0:
			x.Err = io.EOF
		default:
			b.cold = append(b.cold, i)
		}
	}
	b.spare = append(b.spare, r)
	b.ops--
	b.submit()
	if b.ops == 0 {
		b.l.Ready(b.task)
	}
}

// onGoroutines reads the ranges by plain reads of several goroutines.
func (b *rangeBatch) onGoroutines() {
	read := func(i int) {
		r := &b.rs[i]
		n, err := b.f.ReadAt(r.P, r.Off)
		r.N, r.Err = n, err
	}
	if len(b.cold) == 1 {
		read(b.cold[0])
		return
	}
	var all sync.WaitGroup
	for w := range min(workersMax, len(b.cold)) {
		all.Go(func() {
			for k := w; k < len(b.cold); k += workersMax {
				read(b.cold[k])
			}
		})
	}
	all.Wait()
}
