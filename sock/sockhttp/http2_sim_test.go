//go:build linux

package sockhttp_test

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"ringo"
	"ringo/sim"
	"ringo/sock"
	"ringo/sock/sockhttp"
)

// In a world HTTP/2 is spoken over a network that loses packets, by a client whose frames come in any order and in
// pieces, with windows of any size: each stream that it does not reset gives back what was sent on it. A client that
// answers PINGs stays, and one that stops is given up, by the world's clock.
func TestHTTP2InWorlds(t *testing.T) {
	pings := &http.HTTP2Config{SendPingTimeout: 2 * time.Second, PingTimeout: 3 * time.Second}
	inWorlds2(t, 40, sim.Link{Latency: 10 * time.Millisecond, Loss: 0.02}, pings,
		func(w world2, l *ringo.Loop, nc net.Conn) error {
			x := &worldClient{rnd: w.Rand(), l: l}
			x.raw = newRaw(t, nc, setting(4, uint32(50+x.rnd.IntN(5000))))
			if err := x.talk(); err != nil {
				return fmt.Errorf("talk: %w", err)
			}
			return x.fallSilent()
		})
}

// world2 is a world with a server of HTTP/2.
type world2 struct {
	*sim.World
	server *sim.Program
}

// inWorlds2 plays worlds in which a server gives back what is sent to it by HTTP/2, and a client is connected with it.
func inWorlds2(t *testing.T, worlds int, link sim.Link, config *http.HTTP2Config,
	run func(w world2, l *ringo.Loop, nc net.Conn) error) {
	t.Helper()
	sim.Explore(t, worlds, func(w *sim.World) {
		w.Link = link
		server, client := w.Host("server"), w.Host("client")
		program := server.Run(&ringo.Config{Loops: 1, Grace: time.Second}, func(l *ringo.Loop) error {
			ln, err := sock.Listen(l, "tcp", "server:8000")
			if err != nil {
				return err
			}
			s := &sockhttp.Server{Protocols: clear2(), HTTP2: config, ErrorLog: slog.New(slog.DiscardHandler)}
			s.Handler = sockhttp.Task(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				ends := http.NewResponseController(w)
				ends.SetReadDeadline(l.Now().Add(time.Hour))
				ends.SetWriteDeadline(l.Now().Add(time.Hour))
				io.Copy(w, r.Body)
			}))
			if err := s.Serve(ln); err != http.ErrServerClosed {
				return err
			}
			return nil
		})
		c := client.Run(&ringo.Config{Loops: 1}, func(l *ringo.Loop) error {
			nc, err := sock.Dial(l, "tcp", "server:8000")
			if err != nil {
				return err
			}
			defer nc.Close()
			return run(world2{w, program}, l, nc)
		})
		w.Check(w.Wait(c))
	})
}

// worldClient speaks HTTP/2 in a world.
type worldClient struct {
	*raw
	rnd *rand.Rand
	l   *ringo.Loop
	mu  ringo.Mutex // while a frame is written
}

// write sends a frame, at times in two pieces.
func (x *worldClient) write(frame string) error {
	x.mu.Lock()
	defer x.mu.Unlock()
	if n := x.rnd.IntN(len(frame)); x.rnd.IntN(4) == 0 {
		if err := x.send(frame[:n]); err != nil {
			return err
		}
		x.l.Sleep(time.Duration(x.rnd.IntN(50)) * time.Millisecond)
		frame = frame[n:]
	}
	return x.send(frame)
}

// stream is one of the client's.
type stream struct {
	frames     []string // to be sent yet
	sent, came strings.Builder
	gone       bool // it is reset
}

// talk sends streams at once, and wants them back.
func (x *worldClient) talk() error {
	all := make([]*stream, 1+x.rnd.IntN(25))
	left := len(all)
	for i := range all {
		st := &stream{gone: x.rnd.IntN(5) == 0}
		id := uint32(2*i + 1)
		st.frames = []string{made(headers, endHeaders, id, head("POST", "/"))}
		for range x.rnd.IntN(4) {
			part := strings.Repeat(string(rune('a'+x.rnd.IntN(26))), x.rnd.IntN(700))
			st.sent.WriteString(part)
			st.frames = append(st.frames, made(data, 0, id, part))
		}
		end := made(data, endStream, id, "")
		if st.gone {
			left--
			end = made(reset, 0, id, word(8))
		}
		all[i], st.frames = st, append(st.frames, end)
	}
	var failed error
	sending := x.l.Go(func() { failed = x.sendAll(all) })
	for left > 0 {
		f, err := x.next()
		if err != nil {
			return err
		}
		switch f.kind {
		case goAway:
			return fmt.Errorf("GOAWAY with code %d", f.code())
		case ping:
			x.write(made(ping, ack, 0, string(f.payload)))
		case reset:
			if st := all[f.id/2]; !st.gone {
				return fmt.Errorf("stream %d is reset with code %d", f.id, f.code())
			}
		case data, headers:
			st := all[f.id/2]
			if n := len(f.payload); f.kind == data && n > 0 {
				st.came.Write(f.payload)
				x.write(made(window, 0, f.id, word(uint32(n))))
				x.write(made(window, 0, 0, word(uint32(n))))
			}
			if f.flags&endStream == 0 || st.gone {
				continue
			}
			if left--; st.came.String() != st.sent.String() {
				return fmt.Errorf("%d bytes came of %d, or others", st.came.Len(), st.sent.Len())
			}
		}
	}
	sending.Wait()
	return failed
}

// sendAll sends the frames of streams in any order that there may be: streams begin in the order of their ids.
func (x *worldClient) sendAll(all []*stream) error {
	for begun := 0; ; {
		var open []*stream
		for _, st := range all[:begun] {
			if len(st.frames) > 0 {
				open = append(open, st)
			}
		}
		if begun < len(all) && (len(open) == 0 || x.rnd.IntN(3) == 0) {
			open = all[begun : begun+1]
			begun++
		}
		if len(open) == 0 {
			return nil
		}
		st := open[x.rnd.IntN(len(open))]
		if err := x.write(st.frames[0]); err != nil {
			return err
		}
		st.frames = st.frames[1:]
	}
}

// fallSilent answers some PINGs, and then no more.
func (x *worldClient) fallSilent() error {
	begun, asked := x.l.Now(), 0
	for {
		f, err := x.next()
		switch {
		case err != nil:
			// 4 PINGs, 2 s from each sign of the client's to the next, then 3 s.
			if d := x.l.Now().Sub(begun); asked != 4 || d < 10*time.Second || d > 20*time.Second {
				return fmt.Errorf("it ends after %v and %d PINGs: %w", d, asked, err)
			}
			return nil
		case f.kind == ping:
			if asked++; asked <= 3 {
				x.write(made(ping, ack, 0, string(f.payload)))
			}
		}
	}
}

// A peer that reads nothing is given up when many answers wait for it, also if it asks so slowly that it is no flood.
func TestHTTP2Replies(t *testing.T) {
	inWorlds2(t, 1, sim.Link{}, nil, func(_ world2, l *ringo.Loop, nc net.Conn) error {
		r := newRaw(t, nc)
		pings := strings.Repeat(made(ping, 0, 0, "12345678"), 100)
		for n := range 3000 {
			if r.send(pings) != nil {
				if n < 50 {
					return errors.New("it was taken for a flood")
				}
				return nil
			}
			l.Sleep(250 * time.Millisecond)
		}
		return errors.New("all was taken")
	})
}

// A peer that asks from time to time whether the server is there may do so for as long as it likes.
func TestHTTP2SlowPings(t *testing.T) {
	inWorlds2(t, 1, sim.Link{}, nil, func(_ world2, l *ringo.Loop, nc net.Conn) error {
		r := newRaw(t, nc)
		for i := range 5000 {
			r.send(made(ping, 0, 0, "12345678"))
			for {
				f, err := r.next()
				if err != nil {
					return err
				}
				if f.kind == goAway {
					return fmt.Errorf("GOAWAY with code %d after %d PINGs", f.code(), i)
				}
				if f.kind == ping {
					break
				}
			}
			l.Sleep(time.Second)
		}
		return nil
	})
}

// A peer that takes its time to read its last answer gets all of it, though it says something meanwhile: a server that
// closed then would answer that with a reset, behind which what is on its way is lost.
func TestHTTP2SlowLastAnswer(t *testing.T) {
	inWorlds2(t, 1, sim.Link{}, nil, func(_ world2, l *ringo.Loop, nc net.Conn) error {
		const size, pieces = 8000, 40
		r := newRaw(t, nc, setting(4, 1<<20))
		r.send(made(window, 0, 0, word(1<<20)) + made(headers, endHeaders, 1, head("POST", "/")))
		for range pieces {
			r.send(made(data, 0, 1, strings.Repeat("x", size)))
		}
		r.send(made(data, endStream, 1, "") + made(goAway, 0, 0, word(0)+word(0)))
		came := 0
		for {
			l.Sleep(time.Second)
			r.send(made(ping, 0, 0, "12345678"))
			f, err := r.next()
			if err != nil {
				return fmt.Errorf("after %d bytes: %w", came, err)
			}
			if f.kind == data {
				came += len(f.payload)
			}
			if f.kind == data && f.flags&endStream != 0 {
				if came != pieces*size {
					return fmt.Errorf("%d bytes came, want %d", came, pieces*size)
				}
				return nil
			}
		}
	})
}

// A connection that is new when the program drains has its first request, which may be on its way; one that has had
// none for five seconds is told to go.
func TestHTTP2DrainNew(t *testing.T) {
	inWorlds2(t, 1, sim.Link{}, nil, func(w world2, l *ringo.Loop, nc net.Conn) error {
		r := newRaw(t, nc)
		r.until(settings, 0)
		l.Sleep(4 * time.Second)
		w.server.Drain()
		l.Sleep(900 * time.Millisecond)
		r.send(getOn(1))
		if f := r.until(headers, 1); f.flags&endHeaders == 0 {
			return fmt.Errorf("the answer's head has flags %x", f.flags)
		}
		if code, err := r.ends(); code != 0 || err != nil {
			return fmt.Errorf("behind its answer it ends with code %d and %v", code, err)
		}
		return nil
	})
	inWorlds2(t, 1, sim.Link{}, nil, func(w world2, l *ringo.Loop, nc net.Conn) error {
		r := newRaw(t, nc)
		r.until(settings, 0)
		l.Sleep(5001 * time.Millisecond)
		w.server.Drain()
		began := l.Now()
		if code, err := r.ends(); code != 0 || err != nil || l.Now().Sub(began) > 600*time.Millisecond {
			return fmt.Errorf("an old one ends with code %d and %v after %v", code, err, l.Now().Sub(began))
		}
		return nil
	})
}
