//go:build linux

package upgrade

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"runtime"
	"testing"

	"ringo"
	"ringo/internal/test/patience"
)

// stream is both ends of what is between a program and its successor.
func stream(t testing.TB) (a, b *net.UnixConn) {
	a, f, err := wires()
	if err == nil {
		b, err = wireOf(f)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { a.Close(); b.Close() })
	return a, b
}

// Frames come as they were sent, each with its file, however large.
func TestFrames(t *testing.T) {
	a, b := stream(t)
	sizes := [][2]int{{0, 0}, {1, 0}, {0, 1}, {noteMax, waitingMax}, {100, 4 << 20}, {3, 5}}
	filled := func(n, from int) []byte {
		p := make([]byte, n)
		for i := range p {
			p[i] = byte(i*7 + from)
		}
		return p
	}
	done := make(chan error, 1)
	go func() {
		for i, n := range sizes {
			r, w, err := os.Pipe()
			if err == nil {
				fmt.Fprint(w, i)
				w.Close()
				_, err = frame{r, filled(n[0], i), filled(n[1], -i)}.send(context.Background(), a)
				r.Close()
			}
			if err == nil && i%2 == 0 {
				_, err = frame{note: []byte("no file")}.send(context.Background(), a)
			}
			if err != nil {
				done <- err
				return
			}
		}
		done <- a.CloseWrite()
	}()
	patience.Within(t.Name(), func() {
		for i, n := range sizes {
			var f frame
			if err := f.receive(b, noteMax); err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(f.note, filled(n[0], i)) || !bytes.Equal(f.unread, filled(n[1], -i)) {
				t.Errorf("frame %d came changed", i)
			}
			if got, err := io.ReadAll(f.file); string(got) != fmt.Sprint(i) || err != nil {
				t.Errorf("the file of frame %d has %q, %v", i, got, err)
			}
			f.close()
			if i%2 == 0 {
				var f frame
				if err := f.receive(b, noteMax); err != nil || f.file != nil || string(f.note) != "no file" {
					t.Errorf("one without a file: %v, %q, %v", f.file, f.note, err)
				}
			}
		}
		var f frame
		if err := f.receive(b, noteMax); err != io.EOF {
			t.Errorf("behind the last: %v", err)
		}
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

// A context that ends as a frame goes out, or as a successor gets ready, ends nothing behind that.
func TestEndsBesides(t *testing.T) {
	over, end := context.WithCancel(t.Context())
	end()
	const times = 200
	t.Run("send", func(t *testing.T) {
		a, b := stream(t)
		s := &successor{wire: a}
		go io.Copy(io.Discard, b)
		for range times {
			s.send(over, frame{note: []byte("may go out")}) // what tells of the end may come later
			runtime.Gosched()
			if sent, err := s.send(t.Context(), frame{note: []byte("goes out")}); !sent || err != nil {
				t.Fatalf("the next frame: %v, %v", sent, err)
			}
		}
	})
	t.Run("await", func(t *testing.T) {
		gone := exec.Command("true")
		if err := gone.Run(); err != nil {
			t.Fatal(err)
		}
		ready := 0
		for range times {
			a, b := stream(t)
			s := &successor{cmd: gone, wire: a, exited: make(chan error, 1), places: ringo.NewChan[int](placesMax)}
			s.exited <- nil
			b.Write([]byte{wordReady})
			if err := s.await(over); err != nil {
				continue
			}
			ready++
			runtime.Gosched()
			go s.listen()
			b.Write([]byte{wordPlace})
			if _, err := s.places.Recv(); err != nil {
				t.Fatalf("the place that it asks for: %v", err)
			}
			b.Close()
		}
		if ready == 0 {
			t.Skip("each was given up")
		}
	})
}

// A frame that ends in its midst, or is none, is an error, and leaves no file.
func FuzzFrame(f *testing.F) {
	f.Add([]byte{1, 0, 0, 0, 3, 0, 0, 0, 2, 'a', 'b', 'c', 'd', 'e'}, true)
	f.Add([]byte{0, 0, 0, 0, 3, 0, 0, 0, 2, 'a', 'b', 'c'}, true)
	f.Add([]byte{1, 0, 0, 0, 0, 0, 0, 0, 0}, false)
	f.Add([]byte{2, 0, 0, 0, 0, 0, 0, 0, 0}, true)
	f.Add([]byte{0, 255, 255, 255, 255, 0, 0, 0, 0}, false)
	f.Fuzz(func(t *testing.T, p []byte, file bool) {
		if len(p) > 1<<16 { // what a socket has room for
			return
		}
		a, b := stream(t)
		var rights []byte
		if file && len(p) > 0 {
			r, w, err := os.Pipe()
			if err != nil {
				t.Fatal(err)
			}
			defer w.Close()
			rights, err = rightsOf(r)
			if err != nil {
				t.Error(err)
			}
			defer r.Close()
		}
		if _, _, err := a.WriteMsgUnix(p, rights, nil); err != nil {
			t.Fatal(err)
		}
		a.Close()
		var got frame
		err := got.receive(b, 1<<16)
		switch {
		case err == nil && (len(p) < frameHead+len(got.note)+len(got.unread) || p[0] == 1 && got.file == nil):
			t.Errorf("%v is a frame of %d and %d bytes", p, len(got.note), len(got.unread))
		case err == nil:
			got.close()
		case got.file != nil:
			t.Errorf("a file behind %v", err)
		case len(p) == 0 != (err == io.EOF):
			t.Errorf("%v: %v", p, err)
		case p != nil && len(p) > 0 && len(p) < frameHead && !errors.Is(err, io.ErrUnexpectedEOF):
			t.Errorf("a part of a head: %v", err)
		}
	})
}
