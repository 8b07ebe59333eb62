package proxy

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"ringo"
	"ringo/cmd/ringo/internal/server"
	"ringo/internal/test/patience"
	"ringo/internal/test/socktest"
	"ringo/sock"
)

// TestSendsPerAnswer: a request and its answer are one send each, also if the answer does not fit the buffer in which
// its head comes, so that the proxy does not know whether the rest is there.
func TestSendsPerAnswer(t *testing.T) {
	const answers = 50
	socktest.EachDriver(t, func(t *testing.T, cfg ringo.Config) {
		cfg.Loops = 1
		for _, size := range []int{100, 6000, 16000} {
			t.Run(fmt.Sprint(size), func(t *testing.T) {
				back, err := net.Listen("tcp", "127.0.0.1:0")
				if err != nil {
					t.Fatal(err)
				}
				defer back.Close()
				go answersOf(back, fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", size,
					strings.Repeat("x", size)))
				o := &options{balance: balanceLeast, rise: 1, fall: 1, dial: time.Minute, answer: time.Minute,
					http: true}
				if err := o.to.Set(back.Addr().String()); err != nil {
					t.Fatal(err)
				}
				r := &relay{Server: &server.Server{Context: context.Background(), Options: &o.Options}, o: o,
					ends: &teller{lines: make(chan string, linesMax)}}
				r.to = newRoutes(o, r.ends.say)
				w := newWeb(r, nil)
				err = ringo.Run(t.Context(), &cfg, func(l *ringo.Loop) error {
					defer w.transport.CloseIdleConnections()
					ln, err := sock.Listen(l, "tcp", "127.0.0.1:0")
					if err != nil {
						return err
					}
					serving := l.Go(func() { w.serve(l, ln) })
					err = l.Offload(func(context.Context) error {
						began := uint64(0)
						return eachAnswer(ln.Addr().String(), answers, func(n int) {
							if n == 1 { // connections are there
								began = sent(l)
							}
							if got := sent(l) - began; n == answers && got != 2*(answers-1) {
								t.Errorf("%d sends for %d requests and answers", got, answers-1)
							}
						})
					})
					w.server.Close()
					serving.Wait()
					return err
				})
				if err != nil {
					t.Fatal(err)
				}
			})
		}
	})
}

// answersOf answers each request of a listener's connections with the same text, in one write.
func answersOf(ln net.Listener, text string) {
	for {
		c, err := ln.Accept()
		if err != nil {
			return
		}
		go func() {
			defer c.Close()
			for r := bufio.NewReader(c); ; {
				if _, err := http.ReadRequest(r); err != nil {
					return
				}
				if _, err := io.WriteString(c, text); err != nil {
					return
				}
			}
		}()
	}
}

// eachAnswer asks so often, one after the other, and calls got with the number of answers.
func eachAnswer(addr string, n int, got func(n int)) error {
	c, err := net.DialTimeout("tcp", addr, patience.Max)
	if err != nil {
		return err
	}
	defer c.Close()
	r := bufio.NewReader(c)
	for i := range n {
		if _, err := io.WriteString(c, "GET / HTTP/1.1\r\nHost: h\r\n\r\n"); err != nil {
			return err
		}
		a, err := http.ReadResponse(r, nil)
		if err != nil {
			return err
		}
		if _, err := io.Copy(io.Discard, a.Body); err != nil {
			return err
		}
		got(i + 1)
	}
	return nil
}

// sent returns how often a loop has sent.
func sent(l *ringo.Loop) uint64 {
	s := l.Stats()
	n := s.Driver.Sends
	for _, op := range s.Ops {
		if op.Op == "send" || op.Op == "sendmsg" {
			n += op.Tried + op.Submitted
		}
	}
	return n
}
