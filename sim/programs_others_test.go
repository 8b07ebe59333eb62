package sim_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"time"

	"ringo"
	"ringo/file"
	"ringo/internal/posix"
	"ringo/sock"
)

// pipes has two tasks write messages to one pipe at once, which come whole.
func (k *worker) pipes() {
	for p := k.p(); !p.over && k.pause() == nil; {
		r, w, err := file.Pipe()
		if k.judge("Pipe", p.w.Elapsed(), 0, nil, err) != nil {
			return
		}
		var tasks []*ringo.Task
		for id := range 2 {
			tasks = append(tasks, k.begin(k.n.loops[p.rand.IntN(2)], func(k *worker) { k.writesPipe(w, uint32(id)) }))
		}
		reader := k.begin(k.l, func(k *worker) { k.readsPipe(r) })
		for _, t := range tasks {
			t.Wait()
		}
		w.Close()
		reader.Wait()
		r.Close()
	}
}

const pipeHead = 8

func (k *worker) writesPipe(w *file.File, id uint32) {
	for range 1 + k.p().rand.IntN(8) {
		n := 1 + k.p().rand.IntN(100)
		if k.p().chance(3) {
			n = k.p().rand.IntN(200_000)
		}
		message := binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(nil, uint32(n)), id)
		message = append(message, bytes.Repeat([]byte{byte(id + 1)}, n)...)
		m, err := 0, error(nil)
		err = k.call("a write to a pipe", 0, func() error { m, err = w.Write(message); return err }, only(os.ErrClosed))
		if err != nil {
			return
		}
		if m != len(message) {
			k.p().w.Errorf("%s: %d bytes of %d went into a pipe, and no error", k.n.h.Name(), m, len(message))
		}
		if k.p().chance(2) && k.pause() != nil {
			return
		}
	}
}

// readsPipe reads until the pipe ends.
func (k *worker) readsPipe(r *file.File) {
	var got []byte
	for p := make([]byte, 1+k.p().rand.IntN(50_000)); ; {
		n := 0
		err := k.call("a read of a pipe", 0, func() (err error) { n, err = r.Read(p); return err }, only(io.EOF))
		got = append(got, p[:n]...)
		for len(got) >= pipeHead && !k.n.ends {
			size, id := int(binary.BigEndian.Uint32(got)), binary.BigEndian.Uint32(got[4:])
			if size > 200_000 || id > 1 {
				k.p().w.Errorf("%s: two messages in a pipe are mixed: %d bytes of %d", k.n.h.Name(), size, id)
				return
			}
			if len(got) < pipeHead+size {
				break
			}
			if bytes.Count(got[pipeHead:pipeHead+size], []byte{byte(id + 1)}) != size {
				k.p().w.Errorf("%s: a message in a pipe has bytes of another one", k.n.h.Name())
				return
			}
			got = got[pipeHead+size:]
		}
		if err != nil {
			if len(got) > 0 && err == io.EOF && !k.n.ends {
				k.p().w.Errorf("%s: a pipe ends within a message", k.n.h.Name())
			}
			return
		}
		if k.p().chance(5) && k.pause() != nil {
			return
		}
	}
}

// datagrams sends batches, of which no datagram comes twice.
func (k *worker) datagrams() {
	p := k.p()
	to, err := sock.ListenPacket(k.l, "udp", "127.0.0.1:0")
	if k.judge("ListenPacket", p.w.Elapsed(), 0, nil, err) != nil {
		return
	}
	from, err := sock.ListenPacket(k.l, "udp", "127.0.0.1:0")
	if k.judge("ListenPacket", p.w.Elapsed(), 0, nil, err) != nil {
		to.Close()
		return
	}
	seen, sent := map[uint32]bool{}, uint32(0)
	reader := k.child(func(k *worker) {
		ms := make([]sock.Message, 20)
		for i := range ms {
			ms[i].Buffers = [][]byte{make([]byte, 2000)}
		}
		for {
			n := 0
			err := k.call("ReadBatch", 0, func() (err error) { n, err = to.ReadBatch(ms); return err }, only())
			for _, m := range ms[:n] {
				id := binary.BigEndian.Uint32(m.Buffers[0])
				if seen[id] || id >= sent || bytes.Count(m.Buffers[0][4:m.N], []byte{byte(id)}) != m.N-4 {
					p.w.Errorf("%s: datagram %d of %d comes twice, or from nowhere", k.n.h.Name(), id, sent)
				}
				seen[id] = true
			}
			if err != nil || p.chance(8) && k.pause() != nil {
				return
			}
		}
	})
	addr := netip.MustParseAddrPort(to.LocalAddr().String())
	for !p.over && k.pause() == nil {
		var ms []sock.Message
		for i := range 1 + p.rand.IntN(150) {
			b := bytes.Repeat([]byte{byte(sent + uint32(i))}, 4+p.rand.IntN(1400))
			binary.BigEndian.PutUint32(b, sent+uint32(i))
			ms = append(ms, sock.Message{Buffers: [][]byte{b}, Addr: addr})
		}
		sent += uint32(len(ms))
		for limit := p.upTo(time.Millisecond) + 1; len(ms) > 0; limit *= 2 {
			n := 0
			err := k.call("WriteBatch", limit, func() (err error) { n, err = from.WriteBatch(ms); return err }, only())
			if ms = ms[n:]; err == nil && len(ms) > 0 {
				p.w.Errorf("%s: WriteBatch leaves %d messages, and gives no error", k.n.h.Name(), len(ms))
			}
			if err != nil && (k.n.ends || p.over) {
				break
			}
		}
	}
	from.Close()
	reader.cancel()
	reader.task.Wait()
	to.Close()
}

// files reads and writes a file of its own, and compares it with what it should be.
func (k *worker) files() {
	p := k.p()
	name := fmt.Sprintf("/data/file%d", k.n.boot)
	f, err := file.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
	if k.judge("OpenFile", p.w.Elapsed(), 0, nil, err) != nil {
		return
	}
	defer f.Close()
	var want []byte
	for !p.over && k.pause() == nil {
		at := p.rand.IntN(100_000)
		if p.chance(2) {
			data := bytes.Repeat([]byte{byte(p.rand.Uint32())}, 1+p.rand.IntN(30_000))
			err := k.call("WriteAt", 0, func() error { _, err := f.WriteAt(data, int64(at)); return err }, only())
			if err != nil {
				return
			}
			if grown := at + len(data); grown > len(want) {
				want = append(want, make([]byte, grown-len(want))...)
			}
			copy(want[at:], data)
			continue
		}
		got := make([]byte, 1+p.rand.IntN(30_000))
		n := 0
		err := k.call("ReadAt", 0, func() (err error) { n, err = f.ReadAt(got, int64(at)); return err }, only(io.EOF))
		if err != nil && !errors.Is(err, io.EOF) {
			return
		}
		rest := want[min(at, len(want)):]
		if want := rest[:min(len(rest), len(got))]; !bytes.Equal(got[:n], want) || (n < len(got)) != (err != nil) {
			p.w.Errorf("%s: %d bytes at %d of a file, which are not the %d that were written: %v", k.n.h.Name(), n, at,
				len(want), err)
		}
	}
	if k.p().over && !k.n.ends {
		k.judge("Remove", p.w.Elapsed(), 0, []error{posix.ENOENT}, file.Remove(name))
	}
}
