package drivertest

import (
	"fmt"
	"slices"

	"ringo/internal/cmsg"
	"ringo/internal/op"
	"ringo/internal/sys"
	"ringo/internal/test/linux"
)

// Several messages with one call.
var batchCases = []testCase{
	{name: "recvmmsg what is there", run: recvBatchThere},
	{name: "recvmmsg what comes", run: recvBatchComes},
	{name: "recvmmsg in windows", run: recvBatchWindows},
	{name: "recvmmsg of 64", run: recvBatchMost},
	{name: "recvmmsg into vectors, with control messages", run: recvBatchControl},
	{name: "recvmmsg meets an error", run: recvBatchError},
	{name: "recvmmsg behind a recvmsg", run: recvBatchTurn},
	{name: "sendmmsg", run: sendBatch},
	{name: "sendmmsg to many", run: sendBatchMany},
	{name: "sendmmsg waits for room", run: sendBatchWaits},
	{name: "sendmmsg stops at an error", run: sendBatchError},
}

// recvBatch receives into the batch's window.
func (h *harness) recvBatch(f *desc, b *sys.Batch) *call {
	c := h.op(op.Recvmmsg, f)
	h.slab.Ext(c.o).Batch = b
	return c
}

// sendBatch sends the batch's window.
func (h *harness) sendBatch(f *desc, b *sys.Batch) *call {
	c := h.op(op.Sendmmsg, f)
	h.slab.Ext(c.o).Batch = b
	return c
}

// room makes a batch of n messages, each with size bytes of room and with its sender's name.
func room(n, size int) (*sys.Batch, [][]byte) {
	b, mem := sys.NewBatch(n), make([][]byte, n)
	for i := range n {
		mem[i] = make([]byte, size)
		b.Set(i, mem[i])
		b.SetNamed(i, true)
	}
	return b, mem
}

// texts returns the n messages that a call moved, from message i on.
func texts(b *sys.Batch, mem [][]byte, i, n int) (all []string) {
	for ; n > 0; i, n = i+1, n-1 {
		all = append(all, string(mem[i][:b.Len(i)]))
	}
	return all
}

func (h *harness) wantTexts(got []string, want ...string) {
	h.Helper()
	if !slices.Equal(got, want) {
		h.Fatalf("messages %q, want %q", got, want)
	}
}

// recvBatchAll fills the batch from a UDP socket, whose messages may take a moment to arrive.
func (h *harness) recvBatchAll(f *desc, b *sys.Batch) {
	h.Helper()
	for from := 0; from < b.Cap(); {
		b.Window(from, b.Cap())
		n := h.recvBatch(f, b).submit().end()
		if n <= 0 {
			h.Fatalf("recvmmsg completed with %s after %d messages", show(n), from)
		}
		from += int(n)
	}
}

func recvBatchThere(h *harness) {
	here, there := h.unixName(), h.unixName()
	f, p := h.desc(h.unixSocket(here)), h.peer(h.unixSocket(there))
	h.checkRes(h.m.Connect(p.n, here))
	b, mem := room(8, 10)
	for _, text := range []string{"one", "twenty-two bytes long", "three"} {
		p.write(text)
	}
	h.recvBatch(f, b).submit().want(3)
	h.wantTexts(texts(b, mem, 0, 3), "one", "twenty-two", "three")
	want, _ := there.Unix()
	for i := range 3 {
		if got, ok := b.Addr(i).Unix(); !ok || got != want {
			h.Errorf("message %d came from %q, want %q", i, got, want)
		}
		if cut := b.Flags(i)&sys.MsgTrunc != 0; cut != (i == 1) {
			h.Errorf("message %d has flags %#x", i, b.Flags(i))
		}
	}
}

func recvBatchComes(h *harness) {
	f, p, _, _ := h.udp()
	b, mem := room(8, 10)
	c := h.recvBatch(f, b).submit().wantPending()
	p.write("late")
	c.want(1)
	h.wantTexts(texts(b, mem, 0, 1), "late")
	h.recvBatch(f, b).submit().wantPending().wantCanceled()
	p.write("later") // the same batch is used again
	h.recvBatch(f, b).submit().want(1)
	h.wantTexts(texts(b, mem, 0, 1), "later")
}

// Messages outside the window are left alone, and with an empty window there is nothing to do.
func recvBatchWindows(h *harness) {
	f, p := h.messagePair(linux.SOCK_DGRAM)
	b, mem := room(6, 10)
	for _, text := range []string{"a", "b", "c", "d"} {
		p.write(text)
	}
	b.Window(0, 1)
	h.recvBatch(f, b).submit().want(1)
	b.Window(2, 4)
	h.recvBatch(f, b).submit().want(2)
	b.Window(3, 3)
	h.recvBatch(f, b).submit().want(0)
	b.Window(5, 6)
	h.recvBatch(f, b).submit().want(1)
	h.wantTexts(texts(b, mem, 0, 6), "a", "", "b", "c", "", "d")
}

func recvBatchMost(h *harness) {
	f, p, _, there := h.udp()
	b, mem := room(sys.BatchMax, 20)
	for i := range sys.BatchMax {
		p.write(fmt.Sprint("message ", i))
	}
	h.recvBatchAll(f, b)
	for i, text := range texts(b, mem, 0, sys.BatchMax) {
		if from := b.Addr(i).AddrPort(); text != fmt.Sprint("message ", i) || from != there.AddrPort() {
			h.Errorf("message %d is %q from %v", i, text, from)
		}
	}
}

func recvBatchControl(h *harness) {
	f, p, _, _ := h.udp()
	h.checkRes(h.m.Setsockopt(f.Sys(), cmsg.LevelIP, cmsg.IPRecvTOS, 1))
	b := sys.NewBatch(4)
	parts := make([][][]byte, 4)
	for i := range parts {
		parts[i] = [][]byte{make([]byte, 2), make([]byte, i), make([]byte, 8)}
		b.SetVector(i, parts[i])
		b.SetControl(i, make([]byte, cmsg.Space(cmsg.IntSize)))
	}
	for tos := range uint8(4) {
		h.checkRes(h.m.Setsockopt(p.n, cmsg.LevelIP, cmsg.IPTOS, int(tos)))
		p.write("0123456789")
	}
	h.recvBatchAll(f, b)
	for i, v := range parts {
		text := string(v[0]) + string(v[1]) + string(v[2])
		if text[:b.Len(i)] != "0123456789" {
			h.Errorf("message %d is %q, %d bytes", i, text, b.Len(i))
		}
		if tos := h.tosOf(b.Control(i)); int(tos) != i || b.Addr(i).Len() != 0 {
			h.Errorf("message %d has TOS %#x, and an address of %d bytes that nobody wanted", i, tos, b.Addr(i).Len())
		}
	}
}

func recvBatchError(h *harness) {
	f, p, _, there := h.udp()
	h.checkRes(h.m.Connect(f.Sys(), there))
	p.close()
	b, _ := room(4, 10)
	c := h.recvBatch(f, b).submit().wantPending()
	h.send(f, []byte("x")).submit().want(1)
	c.want(-sys.ECONNREFUSED)
}

// Only one receive of a socket is under way at a time, whatever kinds they are.
func recvBatchTurn(h *harness) {
	f, p, _, _ := h.udp()
	first := make([]byte, 8)
	b, mem := room(4, 10)
	one := h.recvmsg(f, first).submit()
	rest := h.recvBatch(f, b).submit().wantPending()
	p.write("one")
	one.wantBytes(first, "one")
	rest.wantPending()
	p.write("two")
	rest.want(1)
	h.wantTexts(texts(b, mem, 0, 1), "two")
}

func sendBatch(h *harness) {
	f, p := h.messagePair(linux.SOCK_DGRAM)
	b := sys.NewBatch(3)
	b.Set(0, []byte("one"))
	b.SetVector(1, [][]byte{[]byte("t"), nil, []byte("wo")})
	b.Set(2, []byte("three"))
	h.sendBatch(f, b).submit().want(3)
	for i, want := range []string{"one", "two", "three"} {
		if got := p.datagram(10); got != want || b.Len(i) != len(want) {
			h.Errorf("the peer got %q, want %q (the batch says %d bytes)", got, want, b.Len(i))
		}
	}
}

func sendBatchMany(h *harness) {
	f := h.desc(h.udpSocket(new(sys.Sockaddr)))
	b, peers := sys.NewBatch(5), make([]*peer, 5)
	for i := range peers {
		var at sys.Sockaddr
		peers[i] = h.peer(h.udpSocket(&at))
		*b.Addr(i) = at
		b.SetNamed(i, true)
		b.Set(i, []byte{'0' + byte(i)})
	}
	b.SetControl(2, cmsg.AppendTOS(nil, false, 2))
	h.sendBatch(f, b).submit().want(5)
	for i, p := range peers {
		if got := p.datagram(10); got != fmt.Sprint(i) {
			h.Errorf("peer %d got %q", i, got)
		}
	}
}

// A sendmmsg sends as many messages as there is room for and returns their number; without any room it waits.
func sendBatchWaits(h *harness) {
	f, p := h.messagePair(linux.SOCK_DGRAM)
	h.smallBuffers(f)
	b := sys.NewBatch(sys.BatchMax)
	for i := range b.Cap() {
		b.Set(i, make([]byte, 1000))
	}
	n := h.sendBatch(f, b).submit().end()
	if n <= 0 || n >= sys.BatchMax {
		h.Fatalf("sendmmsg of 64 KiB completed with %s, want some", show(n))
	}
	b.Window(int(n), b.Cap())
	c := h.sendBatch(f, b).submit().wantPending()
	for range n {
		p.datagram(2000)
	}
	if m := c.end(); m <= 0 {
		h.Errorf("with room again it completed with %s", show(m))
	}
	for {
		if s, _ := p.read(2000); s == "" {
			break
		}
	}
}

// An error after the first message of a batch is left for the next call.
func sendBatchError(h *harness) {
	f, _, _, there := h.udp()
	b := sys.NewBatch(3)
	for i := range 3 {
		*b.Addr(i) = *there
		b.SetNamed(i, true)
		b.Set(i, make([]byte, 10))
	}
	b.Set(1, make([]byte, 65508))
	h.sendBatch(f, b).submit().want(1)
	b.Window(1, 3)
	h.sendBatch(f, b).submit().want(-sys.EMSGSIZE)
	b.Window(2, 3)
	h.sendBatch(f, b).submit().want(1)
}
