package peek

import (
	"encoding/binary"
	"iter"
	"math/bits"
	"runtime"
	"strings"
	"sync"

	"ringo/internal/kernel"
	"ringo/internal/rt/gmark"
)

// State is the state of a goroutine.
type State uint8

// The states that are distinguished.
const (
	Unknown  State = iota
	Runnable       // it is ready and has no thread
	Running        // it has a thread, so where it is can't be seen
	Syscall        // it is in a system call that the scheduler was told of
	Waiting        // it waits for something that Go's runtime knows of
)

// The offsets of what is needed in a g, in bytes.
const (
	stackLow  = 0
	stackHigh = 8
	schedSP   = 56
	schedPC   = 64
	schedG    = 72
	schedLR   = 88
	schedBP   = 96
	status    = 144
	wordsOfG  = 152
)

// The frames that are kept at the two ends of a stack; the middle of a deeper one is left out.
const (
	inner = 48
	outer = 16
)

// windowSize is how much of a stack is copied at once; most stacks have less.
const windowSize = 8 << 10

// Peeker is memory for the copies. The zero value is ready to use; only one goroutine at a time uses it.
type Peeker struct {
	before, after [wordsOfG]byte
	window        [windowSize]byte
	at            uint64 // the address of the window
	filled        int
	pcs           [inner + outer]uintptr
	last          [outer]uintptr
}

// At returns the state of g and, if g does not run, the return addresses on its stack, the innermost first, valid
// until the next call. It may be called only if Works, and g must be, or have been, a goroutine.
func (p *Peeker) At(g gmark.G) (State, []uintptr) {
	if !copyOf(p.before[:], uint64(g)) {
		return Unknown, nil
	}
	w := &p.before
	s := stateOf(binary.NativeEndian.Uint32(w[status:]))
	if s == Unknown || word(w, schedG) != uint64(g) {
		return Unknown, nil
	}
	if s == Running {
		return Running, nil
	}
	pcs := p.walk(s)
	if !copyOf(p.after[:], uint64(g)) || p.after != p.before {
		return Unknown, nil
	}
	return s, pcs
}

// Beginning returns what is known of the outer calls of a goroutine that runs: the return addresses from the function
// on that caller has called, the innermost first, valid until the next call. Only the outermost calls are certain: the
// last known call of that function may have ended, and those inside may have ended long ago.
func (p *Peeker) Beginning(g gmark.G, caller string) []uintptr {
	if !copyOf(p.before[:], uint64(g)) || word(&p.before, schedG) != uint64(g) {
		return nil
	}
	low, high := word(&p.before, stackLow), word(&p.before, stackHigh)
	if low == 0 || high < low || high-low < 16 {
		return nil
	}
	p.at = max(low, high-min(high-low, windowSize))
	p.filled = int(high - p.at)
	if !copyOf(p.window[:p.filled], p.at) {
		return nil
	}
	// The function that caller has called keeps a record of two words: the address of caller's own record, and the
	// return address in caller. A function that it calls keeps a record that begins with the address of that one, and
	// so on, each below the other. Return addresses in caller may also lie elsewhere on the stack, but no record leads
	// to those.
	record := uint64(0)
	n := len(p.pcs)
	for a := high - 16; a >= p.at; a -= 8 {
		f := p.frame(a, high)
		back := binary.NativeEndian.Uint64(f[8:])
		switch fn := runtime.FuncForPC(uintptr(back)); {
		case fn == nil:
			continue
		case record != 0 && binary.NativeEndian.Uint64(f) == record:
			n--
			p.pcs[n] = uintptr(back)
			record = a
		case n == len(p.pcs) && fn.Name() == caller:
			record = a
		}
		if n == 0 {
			break
		}
	}
	return p.pcs[n:]
}

func word(w *[wordsOfG]byte, at int) uint64 { return binary.NativeEndian.Uint64(w[at:]) }

// stateOf decodes the runtime's status word, in which one bit says that the collector scans the stack.
func stateOf(status uint32) State {
	const scan = 0x1000
	switch status &^ scan {
	case 1:
		return Runnable
	case 2:
		return Running
	case 3:
		return Syscall
	case 4:
		return Waiting
	}
	return Unknown
}

// walk follows the frame pointers to the stack's end. At each address is the next frame pointer, and above it the
// return address of the function.
func (p *Peeker) walk(s State) []uintptr {
	n, more := 0, 0
	note := func(pc uint64) {
		if n < inner {
			p.pcs[n] = uintptr(pc)
			n++
			return
		}
		p.last[more%len(p.last)] = uintptr(pc)
		more++
	}
	w := &p.before
	pc, sp, bp, high := word(w, schedPC), word(w, schedSP), word(w, schedBP), word(w, stackHigh)
	p.filled = 0
	note(pc)
	if s == Runnable && !inRuntime(pc) { // it was preempted at the start of its function, which has no frame yet
		if back := p.returnsTo(sp, high); back != 0 {
			note(back)
		}
	}
	if linkRegister { // a function keeps its frame pointer in the word below its frame
		sp -= 16
	}
	for bp > sp && n+more < framesMax {
		f := p.frame(bp, high)
		if f == nil {
			break
		}
		note(binary.NativeEndian.Uint64(f[8:]))
		sp, bp = bp, binary.NativeEndian.Uint64(f) // the next one is above this one, so the walk ends
	}
	pcs := p.pcs[:n]
	for i := max(0, more-len(p.last)); i < more; i++ {
		pcs = append(pcs, p.last[i%len(p.last)])
	}
	return pcs
}

// returnsTo is where a function returns to that has just been called.
func (p *Peeker) returnsTo(sp, high uint64) uint64 {
	if linkRegister {
		return word(&p.before, schedLR)
	}
	if f := p.frame(sp, high); f != nil {
		return binary.NativeEndian.Uint64(f)
	}
	return 0
}

// inRuntime reports whether an address is in the runtime, whose functions give the thread away by themselves.
func inRuntime(pc uint64) bool {
	f := runtime.FuncForPC(uintptr(pc))
	return f == nil || strings.HasPrefix(f.Name(), "runtime.")
}

// framesMax bounds the work for a stack that recursion has made deep.
const framesMax = 1 << 14

// frame gives the two words at bp, which lies below high, or nil: bp may be anything, for what it was read from is no
// frame once its goroutine has gone on.
func (p *Peeker) frame(bp, high uint64) []byte {
	if high < 16 || bp > high-16 {
		return nil
	}
	if bp < p.at || bp-p.at+16 > uint64(p.filled) {
		p.at, p.filled = bp, int(min(high-bp, windowSize))
		if !copyOf(p.window[:p.filled], bp) {
			p.filled = 0
			return nil
		}
	}
	return p.window[bp-p.at:][:16]
}

// Mark copies a loop's mark: the coroutine that runs, 0 if none does, and which one of all since the loop began.
func Mark(m *gmark.Mark) (g gmark.G, nth uint64, ok bool) {
	const size = bits.UintSize / 8
	var words [2 * size]byte
	if !kernel.ReadMemory(words[:], m.Words()) {
		return 0, 0, false
	}
	return gmark.G(native(words[:size])), uint64(native(words[size:])), true
}

// native reads a word of the size of a pointer.
func native(word []byte) uintptr {
	if bits.UintSize == 32 {
		return uintptr(binary.NativeEndian.Uint32(word))
	}
	return uintptr(binary.NativeEndian.Uint64(word))
}

func copyOf(into []byte, from uint64) bool { return kernel.ReadMemory(into, uintptr(from)) }

// Pause makes a goroutine that computes give its thread away for a moment, in which it can be looked at: At is to
// follow at once, and may still be late. All goroutines are stopped and go on at once, which takes some 30 µs, however
// many there are. Those in a system call that the scheduler does not know of are waited for.
func Pause() {
	var one [1]runtime.StackRecord
	runtime.GoroutineProfile(one[:]) // which stops the world to see that there is no room
}

// Works reports whether At can be believed: it has told a goroutine's place that was known.
var Works = sync.OnceValue(func() bool {
	if !framePointers || !gmark.Exact {
		return false
	}
	var known gmark.G
	next, stop := iter.Pull(func(yield func(struct{}) bool) {
		known = gmark.Current()
		waits(yield)
	})
	defer stop()
	next() // behind this it waits, whatever else the machine does
	var p Peeker
	for range 100 { // the collector may be at its stack
		s, pcs := p.At(known)
		if s == Waiting && finds(pcs, "ringo/internal/rt/peek.waits") {
			return true
		}
		runtime.Gosched()
	}
	return false
})

// waits is found on a stack by its name, also if it is inlined.
func waits(yield func(struct{}) bool) { yield(struct{}{}) }

// finds reports whether a function is among those that return addresses lie in.
func finds(pcs []uintptr, function string) bool {
	frames := runtime.CallersFrames(pcs)
	for {
		f, more := frames.Next()
		if f.Function == function {
			return true
		}
		if !more {
			return false
		}
	}
}
