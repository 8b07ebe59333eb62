//go:build linux

package offload

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"ringo/internal/race"
	"ringo/internal/sys"
	"ringo/internal/test/alloctest"
	"ringo/internal/test/patience"
)

// rig is an engine on the thread of a test, with a file that is open with O_DIRECT
// where that can be had.
type rig struct {
	*testing.T
	e       Engine
	event   int32
	file    int32
	done    int // by the engine
	refused int // by the engine, and done by a plain call
}

// block is what O_DIRECT aligns to everywhere; blocks are the file's.
const (
	block  = 4096
	blocks = 64
)

// aligned gives n bytes that O_DIRECT takes.
func aligned(n int) []byte {
	p := make([]byte, n+block)
	skip := (block - int(addressOf(p)%block)) % block
	return p[skip : skip+n : skip+n]
}

// content is what block i of the file has.
func content(i int) []byte { return bytes.Repeat([]byte{byte('A' + i)}, block) }

// newFile makes a file with content on a disk, and says where.
func newFile(t testing.TB, dir string, flags int) (int32, error) {
	f, err := os.CreateTemp(dir, "ringo-offload-*")
	if err != nil {
		return -1, err
	}
	defer f.Close()
	t.Cleanup(func() { os.Remove(f.Name()) })
	for i := range blocks {
		if _, err := f.Write(content(i)); err != nil {
			return -1, err
		}
	}
	if err := f.Sync(); err != nil { // a read past a dirty page cache would have to wait for it
		return -1, err
	}
	// Linux 5.10 gives EAGAIN for what the page cache has, clean or not.
	if err := unix.Fadvise(int(f.Fd()), 0, 0, unix.FADV_DONTNEED); err != nil {
		return -1, err
	}
	n, err := syscall.Open(f.Name(), syscall.O_RDWR|syscall.O_CLOEXEC|flags, 0)
	if err != nil {
		return -1, err
	}
	t.Cleanup(func() { syscall.Close(n) })
	return int32(n), nil
}

// directFile looks for a place where native AIO works: what it gives to read is
// there, and comes without a wait for its submission.
func directFile(t testing.TB, a *AIO, event int32) (fd int32, reasons string) {
	t.Helper()
	here, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{t.TempDir(), here, "/var/tmp", "/dev/shm"} {
		fd, err := newFile(t, dir, syscall.O_DIRECT)
		if err != nil {
			reasons += fmt.Sprintf("%s: %v; ", dir, err)
			continue
		}
		res := int32(-sys.EAGAIN)
		for range 100 { // another's write in between is no lack of AIO
			r := &Request{Kind: Read, FD: fd, Buf: aligned(block)}
			if res = a.Submit(r); res == 0 {
				a.Flush()
				if a.ended == nil { // what is refused at once is signalled by nobody
					sleep(t, event)
				}
				if a.Next() != r {
					t.Fatal("AIO signalled, and has nothing")
				}
				res = r.Res
			}
			if res == block {
				return fd, fmt.Sprintf("O_DIRECT in %s, file system %s", filepath.Dir(dir), fsOf(dir))
			}
		}
		reasons += fmt.Sprintf("%s (file system %s): %v; ", dir, fsOf(dir), syscall.Errno(-res))
	}
	return -1, reasons
}

func fsOf(dir string) string {
	var st syscall.Statfs_t
	if err := syscall.Statfs(dir, &st); err != nil {
		return err.Error()
	}
	return fmt.Sprintf("%#x", uint32(st.Type))
}

// sleep waits for the eventfd and resets it.
func sleep(t testing.TB, event int32) {
	t.Helper()
	pollFor(event, time.Second)
	if sys.Poll(event, sys.PollIn) == 0 { // a wait of patience's allocates, and requests may not
		patience.UntilBy(t, "a signal", func() { pollFor(event, time.Second) }, func() bool {
			return sys.Poll(event, sys.PollIn) != 0
		})
	}
	sys.Unsignal(event)
}

// newRig skips where there is no AIO, or no file that it works on.
func newRig(t *testing.T, engine string) *rig {
	t.Helper()
	r := &rig{T: t, event: sys.Eventfd()}
	t.Cleanup(func() { sys.Close(r.event) })
	switch engine {
	case "workers":
		r.e = NewWorkers(4, nil, func() { sys.Signal(r.event) })
		fd, err := newFile(t, t.TempDir(), 0)
		if err != nil {
			t.Fatal(err)
		}
		r.file = fd
	case "aio":
		a, err := OpenAIO(8, r.event)
		if err != nil {
			t.Skip(err)
		}
		fd, where := directFile(t, a, r.event)
		if fd < 0 {
			a.Close(0)
			t.Skipf("native AIO works nowhere here: %s", where)
		}
		t.Log(where)
		r.e, r.file = a, fd
	}
	t.Cleanup(func() {
		if left := r.e.Close(jobMax); left != 0 {
			t.Errorf("Close left %d requests", left)
		}
		if n := r.e.Pending(); n != 0 {
			t.Errorf("%d requests did not come back", n)
		}
	})
	return r
}

// plain does what an engine refused.
func (r *rig) plain(q *Request) {
	r.refused++
	q.Res = q.plain()
}

// next waits for a request to end.
func (r *rig) next() *Request {
	r.Helper()
	r.e.Flush()
	q := r.e.Next()
	for q == nil {
		sleep(r.T, r.event)
		q = r.e.Next()
	}
	if Refused(q.Res) {
		r.plain(q)
	} else {
		r.done++
	}
	return q
}

// run submits a request and waits for its end.
func (r *rig) run(q *Request) int32 {
	r.Helper()
	if res := r.e.Submit(q); res != 0 {
		if !Refused(res) {
			return res
		}
		r.plain(q)
		return q.Res
	}
	if got := r.next(); got != q {
		r.Fatal("another request ended")
	}
	return q.Res
}

func (r *rig) read(i int) *Request {
	return &Request{Kind: Read, FD: r.file, Buf: aligned(block), Off: int64(i) * block}
}

// TestEngines is the contract, for both.
func TestEngines(t *testing.T) {
	for _, engine := range []string{"workers", "aio"} {
		for _, c := range []struct {
			name string
			run  func(r *rig)
		}{
			{"reads", reads},
			{"writes", writes},
			{"vectors", vectors},
			{"sync", syncs},
			{"counts come short at the end", shortAtEnd},
			{"refusals of the kernel", kernelRefuses},
			{"many", many},
			{"cancel", cancels},
			{"close drains", closeDrains},
			{"signals once there is something", signals},
			{"misuse", misuse},
			{"allocates nothing", allocatesNothing},
		} {
			t.Run(engine+"/"+c.name, func(t *testing.T) { c.run(newRig(t, engine)) })
		}
	}
}

func reads(r *rig) {
	for i := range blocks {
		q := r.read(i)
		if res := r.run(q); res != block || !bytes.Equal(q.Buf, content(i)) {
			r.Fatalf("read of block %d = %d %q", i, res, q.Buf[:8])
		}
	}
	if r.Logf("%d done, %d refused", r.done, r.refused); r.done == 0 {
		r.Error("the engine refused everything")
	}
}

func writes(r *rig) {
	want := aligned(block)
	copy(want, bytes.Repeat([]byte("ringo!!\n"), block/8))
	for i := range 16 { // the first of a time may be refused, for the file's own time has to be noted
		q := &Request{Kind: Write, FD: r.file, Buf: want, Off: int64(i) * block}
		if res := r.run(q); res != block {
			r.Fatalf("write = %d", res)
		}
		back := r.read(i)
		if res := r.run(back); res != block || !bytes.Equal(back.Buf, want) {
			r.Fatalf("read of what was written = %d %q", res, back.Buf[:8])
		}
	}
	r.Logf("%d done, %d refused", r.done, r.refused)
}

func vectors(r *rig) {
	want := aligned(2 * block)
	copy(want, bytes.Repeat([]byte("vectors!"), len(want)/8))
	vec := func(p []byte) []sys.Iovec {
		return []sys.Iovec{{Base: &p[0], Len: block}, {Base: &p[block], Len: block}}
	}
	for i := range 16 {
		q := &Request{Kind: Write, FD: r.file, Vec: vec(want), Off: int64(i) * block}
		if res := r.run(q); res != 2*block {
			r.Fatalf("write of two slices = %d", res)
		}
		got := aligned(2 * block)
		q = &Request{Kind: Read, FD: r.file, Vec: vec(got), Off: int64(i) * block}
		if res := r.run(q); res != 2*block || !bytes.Equal(got, want) {
			r.Fatalf("read of two slices = %d %q", res, got[:8])
		}
	}
	if r.Logf("%d done, %d refused", r.done, r.refused); r.done == 0 {
		r.Error("the engine refused everything")
	}
}

// A sync ends with what fsync(2) says, of files and of what can't be synced.
func syncs(r *rig) {
	for _, kind := range []Kind{Sync, SyncData} {
		if res := r.run(&Request{Kind: kind, FD: r.file}); res != 0 {
			r.Errorf("sync = %d", res)
		}
		if res := r.run(&Request{Kind: kind, FD: r.event}); res != -sys.EINVAL {
			r.Errorf("sync of an eventfd = %d, want -EINVAL", res)
		}
		if res := r.run(&Request{Kind: kind, FD: -1}); res != -sys.EBADF {
			r.Errorf("sync of no descriptor = %d, want -EBADF", res)
		}
	}
}

func shortAtEnd(r *rig) {
	q := &Request{Kind: Read, FD: r.file, Buf: aligned(4 * block), Off: (blocks - 1) * block}
	if res := r.run(q); res != block || !bytes.Equal(q.Buf[:block], content(blocks-1)) {
		r.Errorf("read of 4 blocks at the last = %d", res)
	}
	if res := r.run(r.read(blocks + 5)); res != 0 {
		r.Errorf("read past the end = %d, want 0", res)
	}
}

func kernelRefuses(r *rig) {
	q := r.read(0)
	q.FD = -1
	if res := r.run(q); res != -sys.EBADF {
		r.Errorf("read of no descriptor = %d, want -EBADF", res)
	}
	q.FD, q.Kind = r.event, Write
	if res := r.run(q); res >= 0 {
		r.Errorf("write of a block to an eventfd = %d, want an error", res)
	}
	if q.FD, q.Kind = r.file, Read; r.run(q) != block {
		r.Error("a request that failed can't be used again")
	}
}

// More than there is room for, each once, with what its offset has.
func many(r *rig) {
	const n = 300
	waiting := 0
	took := func() {
		q := r.next()
		i := int(q.Off / block)
		if q.Res != block || !bytes.Equal(q.Buf, content(i)) {
			r.Fatalf("read of block %d = %d", i, q.Res)
		}
		waiting--
	}
	for i := range n {
		q := r.read(i % blocks)
		res := r.e.Submit(q)
		for res == -sys.EAGAIN && waiting > 0 {
			took()
			res = r.e.Submit(q)
		}
		if res == 0 {
			waiting++
		} else if r.plain(q); q.Res != block {
			r.Fatalf("submit = %d, and a plain call %d", res, q.Res)
		}
		if f := r.e.Pending(); f != waiting {
			r.Fatalf("Pending is %d, want %d", f, waiting)
		}
	}
	for waiting > 0 {
		took()
	}
	if r.e.Next() != nil {
		r.Error("one request more came back than was submitted")
	}
}

// A cancelled request is given back at once or by Next, never both.
func cancels(r *rig) {
	for round := range 20 {
		pending := map[*Request]bool{}
		for i := range 8 {
			if q := r.read(i); r.e.Submit(q) == 0 {
				pending[q] = true
			}
		}
		if round%2 == 0 {
			r.e.Flush()
		}
		for q := range pending {
			if (int(q.Off/block)+round)%2 == 0 && r.e.Cancel(q) {
				delete(pending, q)
			}
		}
		for len(pending) > 0 {
			q := r.next()
			if !pending[q] {
				r.Fatal("a request came back that was given back before")
			}
			delete(pending, q)
			if q.Res != block || !bytes.Equal(q.Buf, content(int(q.Off/block))) {
				r.Fatalf("read = %d", q.Res)
			}
		}
	}
}

func closeDrains(r *rig) {
	n := 0
	for i := range 6 {
		if r.e.Submit(r.read(i)) == 0 {
			n++
		}
	}
	r.e.Flush()
	if left := r.e.Close(jobMax); left != 0 {
		r.Fatalf("Close left %d", left)
	}
	for ; n > 0; n-- {
		if q := r.e.Next(); q == nil {
			r.Fatalf("%d requests are missing after Close", n)
		} else if q.Res != block && !Refused(q.Res) {
			r.Errorf("read = %d", q.Res)
		}
	}
	if res := r.e.Submit(r.read(0)); res != -sys.ECANCELED {
		r.Errorf("submit after Close = %d, want -ECANCELED", res)
	}
	if left := r.e.Close(jobMax); left != 0 {
		r.Errorf("the second Close left %d", left)
	}
}

// A signal comes for what there is, and between the requests the engine keeps
// quiet, so that nobody spins for it.
func signals(r *rig) {
	for range 50 {
		if res := r.e.Submit(r.read(1)); res != 0 {
			r.Fatalf("submit = %d", res)
		}
		r.e.Flush()
		sleep(r.T, r.event)
		if r.e.Next() == nil {
			r.Fatal("a signal, and nothing for Next")
		}
		if sys.Poll(r.event, sys.PollIn) != 0 || r.e.Next() != nil {
			r.Fatal("a second signal or request, with nothing in flight")
		}
	}
}

func misuse(r *rig) {
	q := r.read(0)
	if r.e.Submit(q) != 0 {
		return
	}
	func() {
		defer func() {
			if recover() == nil {
				r.Error("a request was taken twice")
			}
		}()
		r.e.Submit(q)
	}()
	r.next()
}

func allocatesNothing(r *rig) {
	if race.Enabled {
		r.Skip("the race detector allocates")
	}
	q := r.read(2)
	if n := alloctest.Least(100, 0.01, func() { r.run(q) }); n > 0.01 { // the runtime's own, now and then
		r.Errorf("%v allocations a request, want 0", n)
	}
}
