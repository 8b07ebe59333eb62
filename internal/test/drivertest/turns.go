package drivertest

import (
	"fmt"
	"strings"

	"ringo/internal/sys"
)

// On a stream at most one receive and one send are under way at a time. The others wait for their turn, in the order in
// which they were submitted.
var turnsCases = []testCase{
	{name: "two receives", run: twoRecvs},
	{name: "receives at the end", run: recvsAtEnd},
	{name: "many receives on many streams", run: manyRecvs},
	{name: "two sends", run: twoSends},
	{name: "many sends", run: manySends},
	{name: "full sends stay whole", run: fullSendsWhole},
	{name: "two reads of a pipe", run: twoReads},
	{name: "a receive after a multishot", run: recvAfterMulti},
	{name: "cancel of the first", run: cancelFirst},
	{name: "cancel of the second", run: cancelSecond},
	{name: "cancel of all", run: cancelAll},
}

func twoRecvs(h *harness) {
	f, p := h.tcp()
	b1, b2 := make([]byte, 4), make([]byte, 4)
	first, second := h.recv(f, b1).submit(), h.recvmsg(f, b2).submit()
	first.wantPending()
	p.write("one two ")
	first.wantBytes(b1, "one ")
	second.wantBytes(b2, "two ")
}

func recvsAtEnd(h *harness) {
	f, p := h.tcp()
	first, second := h.recv(f, make([]byte, 4)).submit(), h.recv(f, make([]byte, 4)).submit()
	first.wantPending()
	p.close()
	first.want(0)
	second.want(0)
}

func manyRecvs(h *harness) {
	const streams, each = 10, 6
	var bufs [streams][each][]byte
	var calls [streams][each]*call
	var peers [streams]*peer
	for i := range streams {
		var f *desc
		f, peers[i] = h.pair()
		for j := range each {
			bufs[i][j] = make([]byte, 3)
			calls[i][j] = h.recv(f, bufs[i][j]).submit()
		}
	}
	h.settle()
	for i, p := range peers {
		p.write(pattern(i, 0, each*3))
	}
	for i := range streams {
		for j := range each {
			calls[i][j].wantBytes(bufs[i][j], pattern(i, j*3, 3))
		}
	}
}

func twoSends(h *harness) {
	f, p := h.pair()
	filled := f.plain().fill()
	first, second := h.send(f, []byte("one ")).submit(), h.sendmsg(f, []byte("two")).submit()
	first.wantPending()
	second.wantPending()
	p.take(filled)
	first.want(4)
	second.want(3)
	p.want("one two")
}

func manySends(h *harness) {
	f, p := h.tcp()
	var text strings.Builder
	calls := make([]*call, min(3*h.entries+2, 500))
	for i := range calls {
		part := fmt.Sprintf("%d ", i)
		text.WriteString(part)
		calls[i] = h.sendFull(f, []byte(part)).submit()
	}
	h.untilEnded(calls...)
	p.want(text.String())
}

func fullSendsWhole(h *harness) {
	f, p := h.pair()
	h.smallBuffers(f)
	const n = 60_000
	first := h.sendFull(f, []byte(pattern(11, 0, n))).submit()
	second := h.sendFull(f, []byte(pattern(12, 0, n))).submit()
	p.want(pattern(11, 0, n) + pattern(12, 0, n))
	first.want(n)
	second.want(n)
}

func twoReads(h *harness) {
	r, w := h.pipe()
	b1, b2 := make([]byte, 4), make([]byte, 4)
	first, second := h.read(r, b1, atPosition).submit(), h.read(r, b2, atPosition).submit()
	first.wantPending()
	w.plain().write("one two ")
	first.wantBytes(b1, "one ")
	second.wantBytes(b2, "two ")
}

func recvAfterMulti(h *harness) {
	f, p := h.pair()
	b := make([]byte, 4)
	multi := h.recvMulti(f).submit()
	single := h.recv(f, b).submit()
	p.write("many")
	multi.untilData(4)
	single.wantPending()
	multi.wantCanceled()
	p.write("one ")
	single.wantBytes(b, "one ")
}

func cancelFirst(h *harness) {
	f, p := h.pair()
	b := make([]byte, 4)
	first, second := h.recv(f, make([]byte, 4)).submit(), h.recv(f, b).submit()
	second.wantPending()
	first.wantCanceled()
	p.write("data")
	second.wantBytes(b, "data")
}

func cancelSecond(h *harness) {
	f, p := h.pair()
	b1, b3 := make([]byte, 4), make([]byte, 4)
	first, second, third := h.recv(f, b1).submit(), h.recv(f, make([]byte, 4)).submit(), h.recv(f, b3).submit()
	first.wantPending()
	second.wantCanceled()
	p.write("datamore")
	first.wantBytes(b1, "data")
	third.wantBytes(b3, "more")
}

func cancelAll(h *harness) {
	f, p := h.pair()
	for range 5 {
		calls := make([]*call, 5)
		for i := range calls {
			calls[i] = h.recv(f, make([]byte, 4)).submit()
		}
		h.settle()
		for _, c := range calls {
			c.cancel()
		}
		for _, c := range calls {
			c.want(-sys.ECANCELED)
		}
	}
	p.write("data")
	h.recv(f, make([]byte, 4)).submit().want(4)
}
