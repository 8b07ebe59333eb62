package proxy

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"ringo"
	"ringo/sim"
	"ringo/sock"
)

// part is what a client or a server does with its connection.
type part = func(l *ringo.Loop, c *sock.Conn) error

// says writes a text, and then plays others' parts.
func says(text string, then ...part) part {
	return func(l *ringo.Loop, c *sock.Conn) error {
		if _, err := io.WriteString(c, text); err != nil {
			return err
		}
		return plays(then...)(l, c)
	}
}

func plays(parts ...part) part {
	return func(l *ringo.Loop, c *sock.Conn) error {
		for _, p := range parts {
			if err := p(l, c); err != nil {
				return err
			}
		}
		return nil
	}
}

func sleeps(d time.Duration) part {
	return func(l *ringo.Loop, c *sock.Conn) error { return l.Sleep(d) }
}

// trickles sends so many bytes, with most of -idle between two.
func trickles(n int) part {
	return func(l *ringo.Loop, c *sock.Conn) error {
		for range n {
			if err := says("x", sleeps(idleTime*3/4))(l, c); err != nil {
				return err
			}
		}
		return nil
	}
}

// reads wants so many bytes behind a head.
func reads(n int) part {
	return func(l *ringo.Loop, c *sock.Conn) error {
		for end := ""; !strings.HasSuffix(end, "\r\n\r\n"); {
			var b [1]byte
			if _, err := io.ReadFull(c, b[:]); err != nil {
				return err
			}
			end = (end + string(b[:]))[max(0, len(end)-3):]
		}
		_, err := io.CopyN(io.Discard, struct{ io.Reader }{c}, int64(n))
		return err
	}
}

// ends reads to the end, however it comes.
func ends(l *ringo.Loop, c *sock.Conn) error {
	io.Copy(io.Discard, struct{ io.Reader }{c})
	return nil
}

// sends writes until there is an end, which must come while the peer sleeps.
func sends(l *ringo.Loop, c *sock.Conn) error {
	begin, p := l.Now(), make([]byte, 1<<16)
	for {
		if _, err := c.Write(p); err != nil {
			if d := l.Now().Sub(begin); d > 5*idleTime {
				return fmt.Errorf("it ends after %v", d)
			}
			return nil
		}
	}
}

// takesNothing sends requests until there is an end, and reads nothing.
func takesNothing(request string) part {
	return func(l *ringo.Loop, c *sock.Conn) error {
		begin, asked := l.Now(), strings.Repeat(request, 1000)
		c.SetDeadline(begin.Add(time.Hour))
		for {
			if _, err := io.WriteString(c, asked); err != nil {
				if d := l.Now().Sub(begin); d > time.Minute {
					return fmt.Errorf("it ends after %v: %w", d, err)
				}
				return nil
			}
		}
	}
}

// answers gives a small answer to each request.
func answers(l *ringo.Loop, c *sock.Conn) error {
	for r := bufio.NewReader(c); ; {
		if _, err := http.ReadRequest(r); err != nil {
			return nil
		}
		if _, err := io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"); err != nil {
			return nil
		}
	}
}

// gets wants an answer of a status, and a whole body or one that breaks off when nothing has moved for -idle, since it
// began or, if late, since the head came.
func gets(status int, whole, late bool) part {
	return func(l *ringo.Loop, c *sock.Conn) error {
		since := l.Now()
		a, err := http.ReadResponse(bufio.NewReader(c), nil)
		if err != nil {
			return err
		}
		if a.StatusCode != status {
			return fmt.Errorf("the answer is %s, want %d", a.Status, status)
		}
		if late {
			since = l.Now()
		}
		_, err = io.Copy(io.Discard, a.Body)
		if (err == nil) != whole {
			return fmt.Errorf("the body ends with %v", err)
		}
		d := l.Now().Sub(since)
		if (late || status >= 400) && (d < idleTime-time.Second || d > idleTime*5/4+time.Second) {
			return fmt.Errorf("it ends after %v, want %v", d, idleTime)
		}
		return nil
	}
}

// TestWebIdle: a body, an answer or an upgraded connection on which nothing moves is ended, and nothing else is.
func TestWebIdle(t *testing.T) {
	const (
		get    = "GET / HTTP/1.1\r\nHost: h\r\n\r\n"
		post   = "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 20\r\n\r\n"
		flood  = "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 100000000\r\n\r\n"
		up     = "GET / HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n"
		answer = "HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n"
		empty  = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
		stream = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n"
		goesOn = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n"
	)
	// both has a client write and read at once.
	both := func(write, read part) part {
		return func(l *ringo.Loop, c *sock.Conn) error {
			task := l.Go(func() { write(l, c) })
			defer task.Wait()
			defer c.Close()
			return read(l, c)
		}
	}
	broken := func(l *ringo.Loop, c *sock.Conn) error { return wantIdle(l, c, l.Now()) }
	for _, c := range []struct {
		name          string
		client, serve part
		said          string
	}{
		{"body stands still", says(post+"x", gets(408, true, false)), ends, ""},
		{"body trickles", says(post, trickles(20), gets(200, true, false)), plays(reads(20), says(empty, ends)), ""},
		{"upstream takes none", both(says(flood, sends), gets(504, true, false)), sleeps(10 * idleTime),
			"is answered with 504: nothing has moved for 8s"},
		{"answer stands still", says(get, gets(200, false, true)), plays(reads(0), says(stream+"x", ends)),
			"breaks off: nothing has moved for 8s"},
		{"answer trickles", says(get, gets(200, true, false)), plays(reads(0), says(answer, trickles(20), ends)), ""},
		{"stream with heartbeats", says(get, gets(200, true, false)), plays(reads(0), says(stream, trickles(20))), ""},
		{"client takes none", says(get, sleeps(10*idleTime), ends), plays(reads(0), says(stream, sends)), ""},
		{"client takes no refusals", says(get, reads(0), takesNothing("CONNECT h:1 HTTP/1.1\r\nHost: h:1\r\n\r\n")),
			plays(reads(0), says(empty, ends)), ""},
		{"client takes no small answers", says(get, reads(0), takesNothing(get)),
			plays(reads(0), says(empty, answers)), ""},
		{"answer takes long", says(get, gets(200, true, false)),
			plays(reads(0), sleeps(10*idleTime), says(empty, ends)), ""},
		{"answer to a body takes long", says(post+strings.Repeat("x", 20), gets(200, true, false)),
			plays(reads(20), sleeps(10*idleTime), says(empty, ends)), ""},
		{"body stands still beside an answer", says(post+"x", gets(200, true, false)),
			plays(reads(1), says(stream, trickles(20))), ""},
		{"upgrade stands still", says(up, reads(0), broken), plays(reads(0), says(goesOn, broken)),
			"is reset: nothing has moved for 8s"},
		{"upgrade with heartbeats of the client", says(up, reads(0), trickles(20)), plays(reads(0), says(goesOn, ends)),
			""},
		{"upgrade with heartbeats of the upstream", says(up, reads(20)), plays(reads(0), says(goesOn, trickles(20))),
			""},
	} {
		for _, over := range networks {
			t.Run(c.name+"/"+over.name, func(t *testing.T) {
				sim.Explore(t, 5, func(w *sim.World) {
					o := &options{http: true, idle: idleTime, answer: time.Hour}
					said := inWorldOver(w, over, o, nil, c.client, c.serve)
					text := strings.Join(said, "\n")
					if !strings.Contains(text, c.said) || (c.said == "") != (text == "") {
						w.Errorf("the lines are %q, want %q", said, c.said)
					}
				})
			})
		}
	}
}
