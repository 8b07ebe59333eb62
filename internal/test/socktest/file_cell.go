//go:build linux

package socktest

import (
	"errors"
	"fmt"
	"io"
	"os"
	"reflect"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"ringo/file"
)

// FilesComplete is Complete for package file.
func FilesComplete(t *testing.T) {
	of := reflect.TypeFor[*file.File]()
	var have []string
	for _, r := range fileRows {
		name, _, _ := strings.Cut(r.method, "/")
		have = append(have, name)
		if _, ok := of.MethodByName(name); !ok {
			t.Errorf("%v has no method %s any more: its row must go", of, name)
		}
	}
	for i := range of.NumMethod() {
		if name := of.Method(i).Name; !slices.Contains(have, name) {
			t.Errorf("%v.%s has no row: add one to internal/test/socktest/file_rows.go, so that every kind of caller "+
				"is tried", of, name)
		}
	}
}

// RunFiles is Run for package file: the methods of files on a disk and of the ends of pipes.
func RunFiles(t *testing.T, driver string, part int) {
	runFiles(t, func() *matrix { return &matrix{driver: driver, part: uint64(part)} })
}

// runFiles runs the matrix of files, each part of it in one that it makes.
func runFiles(t *testing.T, make func() *matrix) {
	var cells atomic.Int64
	var parts []matrixPart
	for _, kind := range []string{"pipe", "disk", "dir"} {
		for _, who := range callers {
			parts = append(parts, matrixPart{kind + "/" + who.name, func(t *testing.T) {
				m := make()
				defer m.end(t)
				for _, row := range fileRows {
					if !map[string]bool{"pipe": row.pipe, "disk": row.disk, "dir": row.dir}[kind] {
						continue
					}
					t.Run(row.method, func(t *testing.T) {
						for _, ev := range fileEvents {
							refused, omitted := m.omits("File", kind, who.name, row.method, ev.name)
							create := func() *fileCell {
								return &fileCell{trial: trial{who: who}, row: row, ev: ev, pipe: kind == "pipe",
									refused: refused}
							}
							if create().fits() && !omitted && m.takes(t.Name()+"/"+ev.name) {
								t.Run(ev.name, func(t *testing.T) {
									m.fileCell(t, create)
									cells.Add(1)
								})
							}
						}
					})
				}
			}})
		}
	}
	together(t, parts)
	t.Logf("%d cells", cells.Load())
}

// fileCell is one call of a method of a pipe's end, or many of one of a file on a disk, and what happens to them.
type fileCell struct {
	trial
	row  *fileRow
	ev   *fileEvent
	pipe bool

	refused error // with which the place refuses the call

	f     *file.File
	name  string   // of a file on a disk
	other otherEnd // of a pipe
	in    int      // how many bytes were in the pipe before
	sent  int      // how many the other end has sent
	over  atomic.Bool

	p    []byte
	n    int // of p, how many were moved
	err  error
	sink *sink // of what is written
}

func (x *fileCell) fits() bool {
	switch {
	case x.ev.tasks && x.who.on == nil:
		return false
	case x.ev.late && !x.pipe, x.ev.maybe && x.row.toEnd:
		return false
	case x.ev.partial, x.ev.late:
		return x.pipe && x.row.ask == nil
	}
	return true
}

// fileCell runs one.
func (m *matrix) fileCell(t *testing.T, make func() *fileCell) {
	if m.worlds > 0 {
		m.fileInWorlds(t, make)
		return
	}
	x := make()
	m.open(t)
	x.runs = m.runs
	m.close(t, x.run(t), x.ev.ends)
}

// run runs the cell.
func (x *fileCell) run(t *testing.T) error {
	switch {
	case x.pipe && x.row.read != nil:
		x.readPipe()
	case x.pipe && x.row.write != nil:
		x.writePipe()
	case x.pipe:
		x.askPipe()
	case x.row.dir:
		x.useDir(x.folder(t))
	default:
		x.useDisk(x.folder(t))
	}
	return errors.Join(x.faults...)
}

// call has the caller make the call, and the event come over it.
func (x *fileCell) call(f func()) {
	if x.ev.sleeps {
		call := f
		f = func() { x.who.on(x.runs).l.Sleep(time.Hour); call() }
	}
	if x.ev.before != nil {
		x.ev.before(x)
	}
	p := x.who.start(x.runs, x.ev.limit, f)
	if x.who.on == nil || x.ev.limit == 0 {
		x.must("the call's begin", within("a "+x.who.name, p.begun))
	}
	x.settle()
	if x.ev.act != nil {
		x.ev.act(x, p)
	}
	if x.ev.limit > 0 && !x.pipe { // calls that never wait may not notice
		x.pass(2 * x.ev.limit)
	}
	x.over.Store(true)
	if err := within("the call", p.done); err != nil {
		x.faults = append(x.faults, err)
	}
	if x.ev.late {
		x.deadline(time.Time{})
	}
}

// deadline sets the file's deadlines, by somebody else than the caller.
func (x *fileCell) deadline(at time.Time) { x.must("SetDeadline", x.f.SetDeadline(at)) }

// judge looks at the error of a call that waits, which was done or not.
func (x *fileCell) judge(done bool) {
	switch want := x.want(); {
	case x.err == nil && !done:
		x.fault("the call gives neither an error nor all that it was to do (%d bytes)", x.n)
	case x.err == nil && (x.ev.waits || x.row.toEnd && want != nil) && !x.ev.maybe:
		x.fault("the call succeeds, which could not be")
	case x.err != nil && (want == nil || !errors.Is(x.err, want)):
		x.fault("the call's error is %w, want %v", x.err, want)
	}
}

// openPipe makes a pipe whose buffer is small. One end is the cell's.
func (x *fileCell) openPipe() bool {
	p, err := x.newPipe(x.row.write != nil)
	if err != nil {
		x.fault("%w", err)
		return false
	}
	x.f, x.other, x.in = p.ours, p.other, p.in
	return true
}

// send writes the stream from where the other end is.
func (x *fileCell) send(n int) {
	_, err := x.other.Write(stream(x.sent, n))
	x.must("the other end", err)
	x.sent += n
}

// provide lets the call have what it waits for.
func (x *fileCell) provide(*pending) {
	switch {
	case !x.pipe:
	case x.row.write != nil:
		x.sink.open()
	case x.row.read != nil:
		x.send(unit)
		if x.row.toEnd {
			x.other.Close()
		}
	}
}

// provideOthers is provide if the call goes on because its caller's loop does.
func (x *fileCell) provideOthers(p *pending) {
	if x.who.own {
		return
	}
	x.provide(p)
}

// someGoes lets a part of a write go out.
func (x *fileCell) someGoes() {
	if x.row.write != nil {
		x.sink.allow(x.in)
		x.settle()
	}
}

func (x *fileCell) readPipe() {
	if !x.openPipe() {
		return
	}
	if x.ev.partial {
		x.send(unit)
	}
	x.p = make([]byte, room)
	x.call(func() { x.n, x.err = x.row.read(x.f, x.p, 0) })
	x.judge(x.n > 0 || x.row.toEnd)
	got := x.p[:x.n]
	if !x.ev.closes { // what is there behind it
		if x.want() != nil || !x.row.toEnd {
			x.send(unit)
			x.other.Close()
		}
		x.inTime(nil, "the rest", func() error {
			rest, err := io.ReadAll(struct{ io.Reader }{x.f})
			got = append(got, rest...)
			return err
		})
		if len(got) != x.sent {
			x.fault("%d bytes came of %d", len(got), x.sent)
		}
		x.close()
	}
	x.must("what came", isStream(got))
	x.other.Close()
}

func (x *fileCell) writePipe() {
	if !x.openPipe() {
		return
	}
	x.sink = collect(x, x.other)
	x.p = stream(x.in, 4*x.in)
	x.call(func() { x.n, x.err = x.row.write(x.f, x.p, 0) })
	x.judge(x.n == len(x.p))
	x.close()
	x.sink.open()
	x.must("what the other end gets", within("its end", x.sink.done))
	got := x.sink.bytes()
	x.must("what the other end gets", isStream(got))
	if len(got) != x.in+x.n {
		x.fault("the other end gets %d bytes of %d and the call's %d", len(got), x.in, x.n)
	}
	x.other.Close()
}

func (x *fileCell) askPipe() {
	if !x.openPipe() {
		return
	}
	x.call(func() { x.err = x.row.ask(x.f) })
	x.judgeAsked()
	x.finish()
	x.other.Close()
}

// judgeAsked looks at the answer of a method that waits for nobody.
func (x *fileCell) judgeAsked() {
	want := x.want()
	switch {
	case x.err == nil, want != nil && errors.Is(x.err, want):
	case errors.Is(x.err, os.ErrClosed) && x.row.ends, x.row.maybe && !errors.Is(x.err, os.ErrClosed):
	default:
		x.fault("it gives %w, want %v", x.err, want)
	}
}

// close closes the file, if nothing has.
func (x *fileCell) close() {
	x.inTime(nil, "Close", func() error {
		err := x.f.Close()
		if (x.ev.closes || x.row.ends) && errors.Is(err, os.ErrClosed) {
			err = nil
		}
		return err
	})
}

// finish closes the file, and asks once more.
func (x *fileCell) finish() {
	x.close()
	var err error
	switch {
	case x.row.ask != nil:
		err = x.row.ask(x.f)
	case x.row.read != nil:
		_, err = x.row.read(x.f, make([]byte, room), 0)
	default:
		_, err = x.row.write(x.f, stream(0, room*4), 0)
	}
	if x.row.stays == errors.Is(err, os.ErrClosed) {
		x.fault("behind Close it gives %w", err)
	}
}

const (
	diskSize = 1 << 18 // of a file on a disk that is read
	piece    = 1000    // how much one call is to move
)

// useDir reads a directory, or makes it the process's, which it is already.
func (x *fileCell) useDir(dir string) {
	if x.row.method == "Chdir" {
		dir = "."
	} else {
		for i := range entriesMax {
			x.must("an entry", x.disk().write(fmt.Sprintf("%s/%d", dir, i), nil, 0o600))
		}
	}
	var err error
	if x.f, err = file.Open(dir); err != nil {
		x.fault("%w", err)
		return
	}
	x.goOn(nil)
	x.judgeAsked()
	x.finish()
}

// goOn makes one call after the other until the event is over.
func (x *fileCell) goOn(whole []byte) {
	x.call(func() {
		for first := true; x.err == nil && (first || !x.over.Load()); first = false {
			x.step(whole)
			if x.err == nil && x.ev.dead && x.who.own { // a driver dies where it is entered
				x.err = x.home.l.Sleep(time.Millisecond) // long enough for the loop to sleep, in every build
			}
		}
	})
}

// writesWait reports whether a task's write is known to wait. On tmpfs and XFS, what fits into memory need not.
func (x *fileCell) writesWait() bool {
	const ext4 = 0xef53 // and a simulated disk
	st, err := x.f.Statfs()
	return err == nil && st.Type == ext4
}

// useDisk makes one call after the other until the event is over, and looks at what they have done.
func (x *fileCell) useDisk(dir string) {
	x.name = dir + "/file"
	whole := stream(0, diskSize)
	if x.row.write == nil {
		x.must("a file", x.disk().write(x.name, whole, 0o600))
	}
	var err error
	if x.f, err = file.OpenFile(x.name, os.O_RDWR|os.O_CREATE, 0o600); err != nil {
		x.fault("%w", err)
		return
	}
	x.goOn(whole)
	if x.refused != nil {
		if !errors.Is(x.err, x.refused) || x.n > 0 {
			x.fault("it gives %d bytes, %w, want %v", x.n, x.err, x.refused)
		}
	} else if x.row.ask != nil {
		x.judgeAsked()
	} else if want := x.want(); x.err != nil && (want == nil || !errors.Is(x.err, want)) {
		x.fault("the call's error is %w, want %v", x.err, want)
	} else if x.err == nil && x.ev.sleeps && x.row.read == nil && x.writesWait() {
		x.fault("a call of a task that was cancelled before succeeds")
	}
	if x.row.method == "Read" && !x.ev.closes { // the place is that of what was read
		at, err := x.f.Seek(0, io.SeekCurrent)
		if x.must("Seek", err); int(at) != x.n {
			x.fault("the place is %d after %d bytes", at, x.n)
		}
	}
	if x.row.write != nil {
		got, err := x.disk().read(x.name)
		x.must("what was written", errors.Join(err, isStream(got)))
		if lost := x.ev.dead && x.who.own; len(got) != x.n && !(lost && len(got) == x.n+piece) {
			x.fault("the file has %d bytes, and the calls wrote %d", len(got), x.n)
		}
	}
	x.finish()
}

// step makes one call.
func (x *fileCell) step(whole []byte) {
	switch {
	case x.row.ask != nil:
		x.err = x.row.ask(x.f)
		if x.row.once {
			x.over.Store(true)
		}
	case x.row.write != nil:
		if x.n+piece > len(whole) {
			x.over.Store(true)
			return
		}
		var n int
		n, x.err = x.row.write(x.f, whole[x.n:x.n+piece], x.n)
		x.n += n
	default:
		if x.n+piece > len(whole) {
			x.over.Store(true)
			return
		}
		p := make([]byte, piece)
		n, err := x.row.read(x.f, p, x.n)
		if string(p[:n]) != string(whole[x.n:x.n+n]) {
			x.fault("what was read at %d is not what is there", x.n)
		}
		x.n, x.err = x.n+n, err
	}
}
