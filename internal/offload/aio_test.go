package offload

import (
	"errors"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"ringo/internal/posix"
	"ringo/internal/sys"
)

// fakeAIO is a kernel that does what it is told, when it is told.
type fakeAIO struct {
	refuse    map[string]int32 // by call
	submitted []*sys.Iocb
	canceled  []*sys.Iocb
	queue     []sys.AIOEvent
	destroyed int
	polls     int
	submits   int
	most      int // that it takes at once, if not 0
}

func (k *fakeAIO) setup(uint32, *sys.AIO) int32 { return k.refuse["io_setup"] }

func (k *fakeAIO) submit(_ sys.AIO, list []*sys.Iocb) int32 {
	k.submits++
	if res := k.refuse["io_submit"]; res != 0 {
		return res
	}
	n := len(list)
	if k.most > 0 {
		n = min(n, k.most)
	}
	k.submitted = append(k.submitted, list[:n]...)
	return int32(n)
}

func (k *fakeAIO) pending(sys.AIO) bool { return len(k.queue) > 0 || k.refuse["io_getevents"] != 0 }

func (k *fakeAIO) events(_ sys.AIO, into []sys.AIOEvent) int32 {
	if res := k.refuse["io_getevents"]; res != 0 {
		return res
	}
	k.polls++
	n := copy(into, k.queue)
	k.queue = k.queue[n:]
	return int32(n)
}

func (k *fakeAIO) wait(ctx sys.AIO, into []sys.AIOEvent, _ int64) int32 { return k.events(ctx, into) }

func (k *fakeAIO) cancel(_ sys.AIO, b *sys.Iocb) int32 {
	k.canceled = append(k.canceled, b)
	return -sys.EINVAL
}

func (k *fakeAIO) destroy(sys.AIO) int32 { k.destroyed++; return 0 }

func (k *fakeAIO) open(t *testing.T, requests int) *AIO {
	t.Helper()
	a, err := openAIO(k, requests, -1)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func submitReads(t *testing.T, a *AIO, n int) []*Request {
	t.Helper()
	list := make([]*Request, n)
	for i := range list {
		list[i] = &Request{Kind: Read, FD: 7, Buf: make([]byte, 1), Off: int64(i)}
		if res := a.Submit(list[i]); res != 0 {
			t.Fatalf("submit = %d", res)
		}
	}
	a.Flush()
	return list
}

func TestAIORefused(t *testing.T) {
	for _, c := range []struct {
		call, text string
		errno      posix.Errno
		destroyed  int
	}{
		{"io_setup", "fs.aio-max-nr", posix.EAGAIN, 0},
		{"io_setup", "built without", posix.ENOSYS, 0},
		{"io_setup", "seccomp", posix.EPERM, 0},
		{"io_setup", "no memory", posix.ENOMEM, 0},
		{"io_submit", "seccomp", posix.EPERM, 1},
		{"io_getevents", "seccomp", posix.EPERM, 1},
	} {
		k := &fakeAIO{refuse: map[string]int32{c.call: -int32(c.errno)}}
		a, err := openAIO(k, 4, -1)
		if a != nil || !errors.Is(err, c.errno) || !strings.Contains(err.Error(), c.call) ||
			!strings.Contains(err.Error(), c.text) {
			t.Errorf("with %s refused: %v, want %v with the call and %q", c.call, err, c.errno, c.text)
		}
		if k.destroyed != c.destroyed {
			t.Errorf("with %s refused %d contexts were destroyed, want %d", c.call, k.destroyed, c.destroyed)
		}
	}
}

// The system's bound is an error that says so.
func TestAIOMax(t *testing.T) {
	text, err := os.ReadFile("/proc/sys/fs/aio-max-nr")
	if err != nil {
		t.Skip(err)
	}
	max, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		t.Fatal(err)
	}
	if max > 1<<20 {
		t.Skipf("fs.aio-max-nr is %d, and the kernel takes no number that is so large", max)
	}
	a, err := OpenAIO(max+1, -1)
	if err == nil {
		a.Close(0)
		t.Fatalf("a context of %d requests, with fs.aio-max-nr at %d", max+1, max)
	}
	if !errors.Is(err, posix.EAGAIN) && !errors.Is(err, posix.ENOSYS) && !errors.Is(err, posix.EPERM) {
		t.Errorf("error is %v, want EAGAIN", err)
	}
}

// The kernel completes in what order it likes, and each request gets its own result.
func TestAIOOrder(t *testing.T) {
	k := &fakeAIO{}
	a := k.open(t, 4)
	list := submitReads(t, a, 4)
	if res := a.Submit(&Request{Kind: Read}); res != -sys.EAGAIN {
		t.Errorf("submit of a fifth = %d, want -EAGAIN", res)
	}
	for _, i := range []int{2, 0, 3, 1} {
		k.complete(list[i], int32(100+i))
	}
	for _, i := range []int{2, 0, 3, 1} {
		if r := a.Next(); r != list[i] || r.Res != int32(100+i) {
			t.Fatalf("Next gave %+v, want request %d with %d", r, i, 100+i)
		}
	}
	polls := k.polls
	if a.Next() != nil || k.polls != polls {
		t.Errorf("with nothing in flight Next asked the kernel")
	}
	submitReads(t, a, 4) // the slots are free again
	if a.Pending() != 4 {
		t.Errorf("Pending is %d, want 4", a.Pending())
	}
}

// complete makes the kernel end a request.
func (k *fakeAIO) complete(r *Request, res int32) {
	k.queue = append(k.queue, sys.NewAIOEvent(r.slot.index, res))
}

// What the kernel refuses, at once or in the end, leaves nothing behind.
func TestAIORefusesRequests(t *testing.T) {
	k := &fakeAIO{refuse: map[string]int32{}}
	a := k.open(t, 1)
	k.refuse["io_submit"] = -sys.EOPNOTSUPP
	r := &Request{Kind: Read}
	if res := a.Submit(r); res != 0 {
		t.Fatalf("submit = %d", res)
	}
	if a.Flush(); a.Next() != r || !Refused(r.Res) || a.Pending() != 0 || r.slot != nil {
		t.Errorf("the end is %d with %d in flight, want a refusal and 0", r.Res, a.Pending())
	}
	k.refuse = nil
	for _, r := range []*Request{{Kind: Call}, {Kind: Write, Off: -1}} {
		if res := a.Submit(r); res != -sys.EOPNOTSUPP {
			t.Errorf("submit of %+v = %d, want -EOPNOTSUPP", r, res)
		}
	}
	if res := a.Submit(r); res != 0 {
		t.Fatalf("submit = %d", res)
	}
	a.Flush()
	k.complete(r, -sys.EAGAIN)
	if a.Next() != r || !Refused(r.Res) || a.Pending() != 0 {
		t.Errorf("a request that would have to wait came back with %d", r.Res)
	}
}

// What is submitted goes by one call, and by as many more as the kernel refuses or leaves some.
func TestAIOBatch(t *testing.T) {
	k := &fakeAIO{refuse: map[string]int32{}}
	a := k.open(t, 8)
	k.submits = 0
	submitReads(t, a, 8)
	if a.Flush(); k.submits != 1 || len(k.submitted) != 8 {
		t.Errorf("8 reads went by %d calls, and %d arrived", k.submits, len(k.submitted))
	}
	b := (&fakeAIO{most: 3}).open(t, 8)
	submitReads(t, b, 8)
	if f := b.k.(*fakeAIO); len(f.submitted) != 8 || f.submits != 1+3 { // and that of the open
		t.Errorf("3 at a time: %d of 8 arrived by %d calls", len(f.submitted), f.submits)
	}
	c := k.open(t, 3)
	k.submitted = nil
	var list []*Request
	for i := range 3 {
		list = append(list, &Request{Kind: Read, Off: int64(i)})
		c.Submit(list[i])
	}
	if !c.Cancel(list[1]) || c.Pending() != 2 || list[1].slot != nil {
		t.Error("what was not handed over was not taken back")
	}
	if c.Flush(); len(k.submitted) != 2 || k.submitted[1] != &list[2].slot.iocb {
		t.Errorf("%d were handed over, want the first and the last", len(k.submitted))
	}
	c.Submit(list[1])
	if c.Close(0); c.Next() != list[1] || list[1].Res != -sys.ECANCELED {
		t.Errorf("at the end what was not handed over has %d", list[1].Res)
	}
}

// A disk that does not answer: the context is not destroyed, for that would wait,
// and what the kernel may still write to is kept.
func TestAIOHangs(t *testing.T) {
	k := &fakeAIO{}
	a := k.open(t, 4)
	list := submitReads(t, a, 2)
	if a.Cancel(list[0]) {
		t.Error("a request that the kernel has was taken back")
	}
	if len(k.canceled) != 1 || k.canceled[0] != k.submitted[0] {
		t.Error("io_cancel was not called for the request's own iocb")
	}
	k.complete(list[1], 1)
	if left := a.Close(time.Millisecond); left != 1 || k.destroyed != 0 {
		t.Errorf("Close left %d and destroyed %d contexts, want 1 and 0", left, k.destroyed)
	}
	if len(k.canceled) != 3 {
		t.Errorf("%d calls of io_cancel, want one more for each in flight", len(k.canceled))
	}
	leaked.Lock()
	kept := len(leaked.engines) > 0 && leaked.engines[len(leaked.engines)-1] == a
	leaked.Unlock()
	if !kept {
		t.Error("nothing keeps the memory of what is in flight")
	}
	if r := a.Next(); r != list[1] {
		t.Error("what ended in time was lost")
	}
	k.complete(list[0], 1)
	if r := a.Next(); r != list[0] {
		t.Error("what ended late was lost")
	}
}

func TestAIOMisuse(t *testing.T) {
	for name, misuse := range map[string]func(){
		"no requests": func() { OpenAIO(0, -1) },
		"a kernel that forgets its context": func() {
			k := &fakeAIO{}
			a := k.open(t, 1)
			submitReads(t, a, 1)
			k.refuse = map[string]int32{"io_getevents": -sys.EINVAL}
			a.Next()
		},
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if recover() == nil {
					t.Error("no panic")
				}
			}()
			misuse()
		})
	}
}
