package uring

import (
	"reflect"
	"testing"
	"unsafe"

	"ringo/internal/test/alloctest"
)

// TestPrepMovesToTheHeap: whatever address a method puts into an entry is one on the heap, also that of a variable of
// the caller's, which would else lie on a stack, and that moves. Each such variable is an allocation here.
func TestPrepMovesToTheHeap(t *testing.T) {
	type bytes = [32]byte // more than what allocations may share
	at := func(p *bytes) unsafe.Pointer { return unsafe.Pointer(p) }
	e := new(SQE)
	tested := map[string]bool{}
	for _, c := range []struct {
		method string
		vars   int
		fill   func()
	}{
		{"PrepRead", 1, func() { var a bytes; e.PrepRead(3, a[:], 0) }},
		{"PrepWrite", 1, func() { var a bytes; e.PrepWrite(3, a[:], 0) }},
		{"PrepReadFixed", 1, func() { var a bytes; e.PrepReadFixed(3, a[:], 0, 0) }},
		{"PrepWriteFixed", 1, func() { var a bytes; e.PrepWriteFixed(3, a[:], 0, 0) }},
		{"PrepReadv", 1, func() { var a bytes; e.PrepReadv(3, at(&a), 1, 0) }},
		{"PrepWritev", 1, func() { var a bytes; e.PrepWritev(3, at(&a), 1, 0) }},
		{"PrepReadvFixed", 1, func() { var a bytes; e.PrepReadvFixed(3, at(&a), 1, 0, 0) }},
		{"PrepWritevFixed", 1, func() { var a bytes; e.PrepWritevFixed(3, at(&a), 1, 0, 0) }},
		{"SetIntegrity", 2, func() {
			var a bytes
			var pi Integrity
			pi.SetInfo(a[:])
			e.SetIntegrity(&pi)
		}},
		{"PrepMadvise", 1, func() { var a bytes; e.PrepMadvise(a[:], 0) }},
		{"PrepOpenat", 1, func() { var a bytes; e.PrepOpenat(3, a[:], 0, 0) }},
		{"PrepOpenat2", 2, func() { var a, b bytes; e.PrepOpenat2(3, a[:], at(&b)) }},
		{"PrepStatx", 2, func() { var a, b bytes; e.PrepStatx(3, a[:], 0, 0, at(&b)) }},
		{"PrepMkdirat", 1, func() { var a bytes; e.PrepMkdirat(3, a[:], 0) }},
		{"PrepUnlinkat", 1, func() { var a bytes; e.PrepUnlinkat(3, a[:], 0) }},
		{"PrepRenameat", 2, func() { var a, b bytes; e.PrepRenameat(3, a[:], 3, b[:], 0) }},
		{"PrepLinkat", 2, func() { var a, b bytes; e.PrepLinkat(3, a[:], 3, b[:], 0) }},
		{"PrepSymlinkat", 2, func() { var a, b bytes; e.PrepSymlinkat(a[:], 3, b[:]) }},
		{"PrepGetxattr", 3, func() { var a, b, c bytes; e.PrepGetxattr(a[:], b[:], c[:]) }},
		{"PrepFgetxattr", 2, func() { var a, b bytes; e.PrepFgetxattr(3, a[:], b[:]) }},
		{"PrepSetxattr", 3, func() { var a, b, c bytes; e.PrepSetxattr(a[:], b[:], c[:], 0) }},
		{"PrepFsetxattr", 2, func() { var a, b bytes; e.PrepFsetxattr(3, a[:], b[:], 0) }},
		{"PrepBind", 1, func() { var a bytes; e.PrepBind(3, at(&a), 8) }},
		{"PrepConnect", 1, func() { var a bytes; e.PrepConnect(3, at(&a), 8) }},
		{"PrepAcceptAddr", 2, func() {
			var a bytes
			var n [8]uint32
			e.PrepAcceptAddr(3, at(&a), &n[0], 0)
		}},
		{"PrepRecv", 1, func() { var a bytes; e.PrepRecv(3, a[:], 0) }},
		{"PrepRecvmsg", 1, func() { var a bytes; e.PrepRecvmsg(3, at(&a), 0) }},
		{"PrepRecvmsgSelect", 1, func() { var a bytes; e.PrepRecvmsgSelect(3, at(&a), 0, 0) }},
		{"PrepRecvmsgMultishot", 1, func() { var a bytes; e.PrepRecvmsgMultishot(3, at(&a), 0, 0) }},
		{"PrepSend", 1, func() { var a bytes; e.PrepSend(3, a[:], 0) }},
		{"PrepSendv", 1, func() { var a bytes; e.PrepSendv(3, at(&a), 1, 0) }},
		{"SetAddr", 1, func() { var a bytes; e.SetAddr(at(&a), 8) }},
		{"PrepSendZC", 1, func() { var a bytes; e.PrepSendZC(3, a[:], 0) }},
		{"PrepSendvZC", 1, func() { var a bytes; e.PrepSendvZC(3, at(&a), 1, 0) }},
		{"PrepSendmsg", 1, func() { var a bytes; e.PrepSendmsg(3, at(&a), 0) }},
		{"PrepSendmsgZC", 1, func() { var a bytes; e.PrepSendmsgZC(3, at(&a), 0) }},
		{"PrepTimeout", 1, func() { var ts Timespec; e.PrepTimeout(&ts, 0, 0) }},
		{"PrepTimeoutUpdate", 1, func() { var ts Timespec; e.PrepTimeoutUpdate(0, &ts, 0) }},
		{"PrepLinkTimeout", 1, func() { var ts Timespec; e.PrepLinkTimeout(&ts, 0) }},
		{"PrepEpollCtl", 1, func() { var a bytes; e.PrepEpollCtl(3, 0, 3, at(&a)) }},
		{"PrepEpollWait", 1, func() { var a bytes; e.PrepEpollWait(3, at(&a), 1) }},
		{"PrepProvideBuffers", 1, func() { var a bytes; e.PrepProvideBuffers(0, 0, a[:], 1) }},
		{"PrepFilesUpdate", 1, func() { var fds [2]int32; e.PrepFilesUpdate(fds[:], 0) }},
		{"PrepWaitid", 1, func() { var a bytes; e.PrepWaitid(0, 0, at(&a), 0) }},
		{"PrepFutexWait", 1, func() { var w uint32; e.PrepFutexWait(&w, 0, 0, 0) }},
		{"PrepFutexWake", 1, func() { var w uint32; e.PrepFutexWake(&w, 0, 0, 0) }},
		{"PrepFutexWaitv", 2, func() {
			var w [8]uint32
			var waiters [1]FutexWaiter
			waiters[0].Set(&w[0], 0, 0)
			e.PrepFutexWaitv(waiters[:])
		}},
		{"PrepPipe", 1, func() { var fds [2]int32; e.PrepPipe(&fds, 0) }},
		{"PrepGetsockopt", 1, func() { var a bytes; e.PrepGetsockopt(3, 0, 0, a[:]) }},
		{"PrepSetsockopt", 1, func() { var a bytes; e.PrepSetsockopt(3, 0, 0, a[:]) }},
		{"PrepGetsockname", 2, func() {
			var a bytes
			var n [8]uint32
			e.PrepGetsockname(3, at(&a), &n[0], false)
		}},
	} {
		tested[c.method] = true
		if n := alloctest.Least(100, float64(c.vars)+0.1, c.fill); int(n) < c.vars {
			t.Errorf("%s leaves %d of %d variables on the stack", c.method, c.vars-int(n), c.vars)
		}
	}
	typ := reflect.TypeFor[*SQE]()
	for i := range typ.NumMethod() {
		m := typ.Method(i)
		for j := 1; j < m.Type.NumIn(); j++ {
			switch m.Type.In(j).Kind() {
			case reflect.Slice, reflect.Pointer, reflect.UnsafePointer:
				if !tested[m.Name] {
					t.Errorf("%s takes addresses and has no row here", m.Name)
				}
			}
		}
	}
}
