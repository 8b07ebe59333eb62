//go:build linux

package upgrade_test

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"ringo"
	"ringo/codec"
	"ringo/internal/test/testmain"
	"ringo/sock"
	"ringo/sock/sockhttp"
	"ringo/upgrade"
)

// serverEnv has a process of the test binary be a server; it is a plan as JSON.
const serverEnv = "RINGO_TEST_UPGRADE"

// A plan is what a server does. Its successors have the same.
type plan struct {
	Kind    string // of the table below
	Driver  string
	Loops   int
	Reserve int
	Listen  [][2]string // network and address
	Within  time.Duration
	Clumsy  string // a file that says what successors do before they are ready
}

func TestMain(m *testing.M) {
	if said := os.Getenv(serverEnv); said != "" {
		var p plan
		err := json.Unmarshal([]byte(said), &p)
		if err == nil {
			upgrade.EndsWithin(time.Hour) // on a busy machine the end of a process takes its time
			err = p.serve()
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, "server:", err)
			os.Exit(3)
		}
		return
	}
	testmain.Main(m)
}

// serve is the life of a server.
func (p *plan) serve() (err error) {
	told, forget := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer forget()
	up, err := upgrade.New(told, &upgrade.Config{Signals: []os.Signal{syscall.SIGUSR2}, Within: p.Within,
		Command: p.command})
	if err != nil {
		return err
	}
	defer up.Close()
	clumsy, err := p.clumsy(up)
	if err != nil {
		return err
	}
	ctx := up.Context()
	more := func(l *ringo.Loop) (*sock.Conn, error) {
		c, note, err := up.AcceptConn(told, l)
		if err == nil && string(note) != "note" {
			err = fmt.Errorf("the note is %q", note)
		}
		return c, err
	}
	var sets []*sock.ListenerSet
	for _, at := range p.Listen {
		set, err := up.Reserve(&sock.ListenConfig{Backlog: 4096}, at[0], at[1])
		if err != nil {
			return err
		}
		sets = append(sets, set)
	}
	var started atomic.Int64
	met := ringo.NewBarrier(2)
	cfg := &ringo.Config{Driver: p.Driver, Loops: p.Loops, Reserve: p.Reserve, Grace: 20 * time.Second,
		StallLimit: -1} // on a machine that is busy loops are held
	cfg.Start = func(l *ringo.Loop) error {
		if clumsy == "starts" && l.Index() > 0 {
			met.Wait(nil)
			return errors.New("as it was told")
		}
		if err := up.Started(l); err != nil {
			return err
		}
		if clumsy == "starts" {
			met.Wait(nil)
		}
		if started.Add(1) < int64(len(l.Loops())) {
			return nil
		}
		return l.Offload(func(context.Context) error { return p.announce(sets) })
	}
	if err := serveKind[p.Kind](ctx, cfg, up, sets, more); err != nil {
		return err
	}
	up.Close()
	return noneLeft()
}

// announce tells the test who serves where.
func (p *plan) announce(sets []*sock.ListenerSet) error {
	line := fmt.Sprint("serving ", os.Getpid())
	for _, set := range sets {
		line += "\t" + set.Addr().String() // a path may have blanks
	}
	_, err := fmt.Println(line)
	return err
}

func (p *plan) command() (*exec.Cmd, error) {
	self, err := os.Executable()
	cmd := exec.Command(self)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	said, _ := json.Marshal(p)
	cmd.Env = append(os.Environ(), serverEnv+"="+string(said))
	return cmd, err
}

// clumsy is what the file of the plan says that a successor does before it is ready.
func (p *plan) clumsy(up *upgrade.Upgrader) (what string, err error) {
	if p.Clumsy == "" || !up.Inherited() {
		return "", nil
	}
	said, err := os.ReadFile(p.Clumsy)
	if err != nil {
		return "", err
	}
	switch string(said) {
	case "fails":
		return "", errors.New("as it was told")
	case "is told":
		syscall.Kill(os.Getpid(), syscall.SIGTERM)
		<-up.Context().Done()
	case "crashes":
		syscall.Kill(os.Getpid(), syscall.SIGKILL)
	case "hangs":
		syscall.Pause()
	}
	return string(said), nil
}

// noneLeft fails if a socket or a ring stays open when all has ended. What other goroutines were at is closed by them.
func noneLeft() (err error) {
	for range 1000 {
		if err = left(); err == nil {
			break
		}
		runtime.Gosched()
	}
	return err
}

func left() error {
	all, err := os.ReadDir("/proc/self/fd")
	for _, fd := range all {
		what, _ := os.Readlink("/proc/self/fd/" + fd.Name())
		if strings.HasPrefix(what, "socket:") || strings.Contains(what, "io_uring") {
			err = errors.Join(err, fmt.Errorf("descriptor %s is left: %s", fd.Name(), what))
		}
	}
	return err
}

// serveKind is each sort of server. more gives what the predecessor passes on.
var serveKind = map[string]func(ctx context.Context, cfg *ringo.Config, up *upgrade.Upgrader, sets []*sock.ListenerSet,
	more func(l *ringo.Loop) (*sock.Conn, error)) error{
	"tasks": func(ctx context.Context, cfg *ringo.Config, up *upgrade.Upgrader, sets []*sock.ListenerSet,
		more func(l *ringo.Loop) (*sock.Conn, error)) error {
		start := cfg.Start
		cfg.Start = func(l *ringo.Loop) error {
			l.Go(func() {
				for {
					c, err := more(l)
					if err != nil {
						return
					}
					l.Go(func() { echo(l, c, up) })
				}
			})
			return start(l)
		}
		return sock.ServeSets(ctx, cfg, sets, func(c *sock.Conn) { echo(c.Loop(), c, up) })
	},
	"handlers": func(ctx context.Context, cfg *ringo.Config, up *upgrade.Upgrader, sets []*sock.ListenerSet,
		more func(l *ringo.Loop) (*sock.Conn, error)) error {
		h := &sock.Handler{Request: answerLines, More: more, Drain: func(c *sock.Conn) error { return pass(up, c) }}
		return ringo.Run(ctx, cfg, func(l *ringo.Loop) error {
			return onEach(l, sets, func(ln *sock.Listener) error { return sock.Serve(l, ln, h) })
		})
	},
	"sockhttp": func(ctx context.Context, cfg *ringo.Config, up *upgrade.Upgrader, sets []*sock.ListenerSet,
		more func(l *ringo.Loop) (*sock.Conn, error)) error {
		s := &sockhttp.Server{Handler: sockhttp.Task(http.HandlerFunc(answer)), Linger: 5 * time.Second, More: more,
			Drain: func(c *sock.Conn) error { return pass(up, c) }}
		return s.ServeSets(ctx, cfg, sets)
	},
	"HTTP/2": func(ctx context.Context, cfg *ringo.Config, _ *upgrade.Upgrader, sets []*sock.ListenerSet,
		_ func(l *ringo.Loop) (*sock.Conn, error)) error {
		s := &sockhttp.Server{Handler: sockhttp.Task(http.HandlerFunc(answer)), Protocols: new(http.Protocols)}
		s.Protocols.SetUnencryptedHTTP2(true)
		return s.ServeSets(ctx, cfg, sets)
	},
	"TLS": func(ctx context.Context, cfg *ringo.Config, _ *upgrade.Upgrader, sets []*sock.ListenerSet,
		_ func(l *ringo.Loop) (*sock.Conn, error)) error {
		certified := httptest.NewTLSServer(nil)
		certified.Close()
		s := &sockhttp.Server{Handler: sockhttp.Task(http.HandlerFunc(answer)),
			TLSConfig: &tls.Config{Certificates: certified.TLS.Certificates}}
		return s.ServeSetsTLS(ctx, cfg, sets, "", "")
	},
	"datagrams": func(ctx context.Context, cfg *ringo.Config, up *upgrade.Upgrader, _ []*sock.ListenerSet,
		_ func(l *ringo.Loop) (*sock.Conn, error)) error {
		set, err := sock.ReservePackets("udp", "127.0.0.1:0") // in the first server; others have what it has bound
		if err != nil {
			return err
		}
		defer set.Close()
		var conns [2]*sock.PacketConn
		start := cfg.Start
		cfg.Start = func(l *ringo.Loop) (err error) {
			name, c := fmt.Sprint("udp ", l.Index()), &conns[l.Index()]
			if f := up.Take(name); f != nil {
				*c, err = sock.Adopt[*sock.PacketConn](l, f, nil)
			} else {
				*c, err = set.Listen(l)
			}
			if err != nil {
				return err
			}
			up.Pass(name, (*c).File)
			if l.Index() == 0 {
				fmt.Println("bound", (*c).LocalAddr())
			}
			return start(l)
		}
		return ringo.Run(ctx, cfg, func(l *ringo.Loop) error {
			return sock.ServePackets(l, conns[l.Index()], &sock.PacketHandler{Packet: func(p *sock.Packet) {
				p.Reply(p.Bytes)
			}})
		})
	},
	"holds": func(ctx context.Context, cfg *ringo.Config, up *upgrade.Upgrader, sets []*sock.ListenerSet,
		more func(l *ringo.Loop) (*sock.Conn, error)) error {
		h := &sock.Handler{Request: answerLines, More: more, Drain: func(c *sock.Conn) error { return pass(up, c) }}
		return ringo.Run(ctx, cfg, func(l *ringo.Loop) error {
			if up.Inherited() {
				return onEach(l, sets, func(ln *sock.Listener) error { return sock.Serve(l, ln, h) })
			}
			return onEach(l, sets, func(ln *sock.Listener) error {
				c, err := ln.AcceptConn()
				if err == nil {
					err = answerLine(c)
				}
				if err != nil {
					return err
				}
				c.Peek(1)
				c.Write([]byte("got it\n"))
				l.WithContext(up.Context(), func() error { return l.Sleep(time.Hour) })
				return pass(up, c)
			})
		})
	},
	"takes": func(ctx context.Context, cfg *ringo.Config, up *upgrade.Upgrader, _ []*sock.ListenerSet,
		_ func(l *ringo.Loop) (*sock.Conn, error)) error {
		for _, p := range [][2]string{{"a", "one "}, {"b", "two "}, {"a", "three"}, {"a\xfe", "five"},
			{"a\xff", " four"}} {
			up.Pass(p[0], said(p[1]))
		}
		start := cfg.Start
		cfg.Start = func(l *ringo.Loop) error {
			took := ""
			for _, name := range []string{"a", "a", "a\xff"} {
				if f := up.Take(name); f != nil {
					p, _ := io.ReadAll(f)
					f.Close()
					took += string(p)
				}
			}
			more := up.Take("a") != nil || up.Take("c") != nil
			if err := up.Ready(); err != nil {
				return err
			}
			pipes := map[string]bool{}
			all, _ := os.ReadDir("/proc/self/fd")
			for _, fd := range all {
				if what, _ := os.Readlink("/proc/self/fd/" + fd.Name()); strings.HasPrefix(what, "pipe:") {
					pipes[what] = true
				}
			}
			child, err := exec.Command("/bin/sh", "-c", "echo $RINGO_UPGRADE; exec ls /proc/self/fd").Output()
			if err != nil {
				return err
			}
			fmt.Printf("bound %s, %v; %d pipes, and a child has %q\n", took, more, len(pipes), child)
			return start(l)
		}
		return ringo.Run(ctx, cfg, func(l *ringo.Loop) error {
			l.WithContext(ctx, func() error { return l.Sleep(time.Hour) })
			return nil
		})
	},
	"net/http": func(ctx context.Context, cfg *ringo.Config, _ *upgrade.Upgrader, sets []*sock.ListenerSet,
		_ func(l *ringo.Loop) (*sock.Conn, error)) error {
		var accepting, conns sync.WaitGroup // connections are waited for once no more of them come
		accepting.Add(cfg.Loops)
		s := &http.Server{Handler: http.HandlerFunc(answer), ConnState: func(_ net.Conn, state http.ConnState) {
			switch state {
			case http.StateNew:
				conns.Add(1)
			case http.StateClosed:
				conns.Done()
			}
		}}
		return ringo.Run(ctx, cfg, func(l *ringo.Loop) error {
			accepted := sync.OnceFunc(accepting.Done)
			defer accepted() // a loop can't listen if the program drains before it comes to that
			return onEach(l, sets, func(ln *sock.Listener) error {
				return l.Offload(func(context.Context) error {
					// It ends when all that had connected are accepted. Shutdown would close those of them whose
					// first request has come since.
					err := s.Serve(ln)
					accepted()
					if !errors.Is(err, net.ErrClosed) {
						return err
					}
					s.SetKeepAlivesEnabled(false)
					accepting.Wait()
					conns.Wait()
					return nil
				})
			})
		})
	},
}

// said makes a file from which this is to be read.
func said(what string) func() (*os.File, error) {
	return func() (*os.File, error) {
		r, w, err := os.Pipe()
		if err == nil {
			w.WriteString(what)
			w.Close()
		}
		return r, err
	}
}

// onEach has a loop's listener of each set served, in a task.
func onEach(l *ringo.Loop, sets []*sock.ListenerSet, serve func(ln *sock.Listener) error) error {
	g := ringo.NewGroup(l)
	for _, set := range sets {
		g.Go(func() error {
			ln, err := set.Listen(l)
			if err != nil {
				return err
			}
			return serve(ln)
		})
	}
	return g.Wait()
}

// pass passes a connection on, and has the test know if it can't.
func pass(up *upgrade.Upgrader, c *sock.Conn) error {
	err := up.PassConn(c, []byte("note"))
	if err != nil && err != upgrade.ErrNoSuccessor { // which is where the program is to end
		fmt.Println("PassConn:", err)
	}
	return err
}

func answer(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	fmt.Fprintf(w, "%d %s", os.Getpid(), body)
}

// echo answers lines, until the peer ends or the process is replaced.
func echo(l *ringo.Loop, c *sock.Conn, up *upgrade.Upgrader) {
	defer c.Close()
	for {
		err := l.WithContext(up.Context(), func() error { _, err := c.Peek(1); return err })
		if errors.Is(err, context.Canceled) {
			pass(up, c)
			return
		}
		if answerLine(c) != nil {
			return
		}
	}
}

// lines finds lines.
var lines = &codec.Delimited{Delim: "\n", Max: 4096}

// answerLine answers one line with the number of the process and the line.
func answerLine(c *sock.Conn) error {
	s := codec.Scanner{Codec: lines}
	line, err := s.Next(nil, c)
	if err == nil {
		_, err = fmt.Fprintf(c, "%d %s\n", os.Getpid(), line)
	}
	return err
}

// answerLines answers the lines that are here.
func answerLines(c *sock.Conn) error {
	s := codec.Scanner{Codec: lines}
	for line, err := range s.Buffered(c) {
		if err == nil {
			_, err = fmt.Fprintf(c, "%d %s\n", os.Getpid(), line)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
