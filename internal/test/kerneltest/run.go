package kerneltest

import (
	"fmt"
	"runtime"
	"testing"
	"time"

	"ringo/internal/fd"
	"ringo/internal/kernel"
	"ringo/internal/op"
	"ringo/internal/sys"
	"ringo/internal/test/patience"
)

// World is a kernel, with what else a case needs.
type World struct {
	Kernel kernel.Kernel
	// Do runs an op as a plain call, as a driver of this kernel would.
	Do func(o *op.Op) int32
	// Dir is an empty folder of this kernel, by its absolute name.
	Dir string
	// Inherited reports whether a program that the process starts would inherit the descriptor.
	Inherited func(fd int32) bool
}

// Open makes a world for one case.
type Open func(t *testing.T) World

// Run checks the contract, with a named case for each thing that a kernel must do.
func Run(t *testing.T, open Open) {
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			r := run(open(t), c, patience.Max)
			switch {
			case r.skipped != "":
				t.Skip(r.skipped)
			case r.failed != "":
				t.Error(r.failed)
			}
		})
	}
}

// run runs one case. It returns failures instead of failing a test, so that TestMutants can check that a case would
// fail.
func run(w World, c testCase, waitMax time.Duration) *result {
	b := &bench{World: w, k: w.Kernel, waitMax: waitMax}
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer b.closeAll()
		c.run(b)
	}()
	<-done
	return &b.result
}

// testCase is one rule of the contract.
type testCase struct {
	name string
	run  func(b *bench)
}

type result struct{ failed, skipped string }

// bench is a world under test.
type bench struct {
	World
	result
	k       kernel.Kernel
	open    []int32 // closed when the case ends
	made    int     // how many names were made
	waitMax time.Duration
}

// fail records a failure and ends the case.
func (b *bench) fail(format string, args ...any) {
	b.failed = fmt.Sprintf(format, args...)
	runtime.Goexit()
}

func (b *bench) skip(format string, args ...any) {
	b.skipped = fmt.Sprintf(format, args...)
	runtime.Goexit()
}

// want ends the case if a call's result is not the wanted one.
func (b *bench) want(what string, res, want int32) {
	if res != want {
		b.fail("%s = %d, want %d", what, res, want)
	}
}

// given checks that a call returned a descriptor, and closes it when the case ends.
func (b *bench) given(what string, fd int32) int32 {
	if fd < 0 {
		b.fail("%s = %d, want a descriptor", what, fd)
	}
	b.open = append(b.open, fd)
	return fd
}

// loopFlags checks that a descriptor is non-blocking and not inherited, as loops need it.
func (b *bench) loopFlags(what string, fd int32) {
	if flags := b.k.Getfl(fd); flags < 0 || flags&sys.ONonblock == 0 {
		b.fail("%s: status flags %#x, want O_NONBLOCK", what, flags)
	}
	if b.Inherited(fd) {
		b.fail("%s: programs that are started get the descriptor", what)
	}
}

// closeAll closes the descriptors that the case has left open, even if the kernel under test does not.
func (b *bench) closeAll() {
	for _, fd := range b.open {
		closer(b.k).Close(fd)
	}
}

// closer returns the kernel that really closes: the one under test may not.
func closer(k kernel.Kernel) kernel.Kernel {
	if u, ok := k.(interface{ Real() kernel.Kernel }); ok {
		return u.Real()
	}
	return k
}

// closed notes that a case has closed a descriptor itself.
func (b *bench) closed(fd int32) {
	for i := range b.open {
		if b.open[i] == fd {
			b.open = append(b.open[:i], b.open[i+1:]...)
			return
		}
	}
}

// op runs an op on a descriptor; fill may be nil.
func (b *bench) op(code op.Code, number int32, fill func(o *op.Op)) int32 {
	o := &op.Op{Code: code, Off: -1, Ext: &op.Ext{Name: new(op.Name)}}
	if number >= 0 {
		o.FD = new(fd.FD)
		o.FD.Init(number)
	}
	if fill != nil {
		fill(o)
	}
	return b.Do(o)
}

// until runs an op again and again until it does not have to wait.
func (b *bench) until(what string, try func() int32) int32 {
	for end := time.Now().Add(b.waitMax); time.Now().Before(end); runtime.Gosched() {
		if res := try(); res != -sys.EAGAIN {
			return res
		}
	}
	b.fail("%s would still have to wait after %v", what, b.waitMax)
	return 0
}

func (b *bench) write(fd int32, text string) {
	b.want("a write", b.op(op.Write, fd, func(o *op.Op) { o.Buf = []byte(text) }), int32(len(text)))
}

// read reads what there is at the file's position.
func (b *bench) read(fd int32) string {
	p := make([]byte, 4096)
	n := b.op(op.ReadAt, fd, func(o *op.Op) { o.Buf = p })
	if n < 0 {
		b.fail("a read = %d", n)
	}
	return string(p[:n])
}

// content reads a file from its beginning.
func (b *bench) content(fd int32) string {
	p := make([]byte, 4096)
	n := b.op(op.ReadAt, fd, func(o *op.Op) { o.Buf, o.Off = p, 0 })
	if n < 0 {
		b.fail("a read = %d", n)
	}
	return string(p[:n])
}

func nulled(name string) []byte { return append([]byte(name), 0) }

// name returns an unused name.
func (b *bench) name() string {
	b.made++
	return fmt.Sprintf("%s/name%d", b.Dir, b.made)
}

// file makes a file with a new name.
func (b *bench) file(text string) (fd int32, name string) {
	name = b.name()
	how := sys.OpenHow{Flags: sys.OCreat | sys.OExcl | sys.ORdwr | sys.OCloexec, Mode: 0o600}
	fd = b.given("Openat2", b.k.Openat2(sys.AtFdcwd, nulled(name), &how))
	if text != "" {
		b.write(fd, text)
	}
	return fd, name
}

// again opens a name once more, for reading unless flags say otherwise.
func (b *bench) again(name string, flags uint64) int32 {
	how := sys.OpenHow{Flags: flags | sys.OCloexec}
	return b.given("Openat2", b.k.Openat2(sys.AtFdcwd, nulled(name), &how))
}

func (b *bench) stat(name string) (st sys.Statx) {
	b.want("Statx of "+name, b.k.Statx(sys.AtFdcwd, nulled(name), sys.AtSymlinkNofollow, sys.StatxAll, &st), 0)
	return st
}
