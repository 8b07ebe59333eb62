//go:build linux

package socktls_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"ringo"
	"ringo/internal/test/socktest"
	"ringo/sock"
	"ringo/sock/socktls"
)

// ends are both ends of a connection, in tasks of one loop: of crypto/tls, of which each is one task's, and of this
// package.
var ends = []struct {
	name   string
	client func(c net.Conn, config *tls.Config) halfCloser
	server func(c net.Conn, config *tls.Config) halfCloser
}{
	{"crypto", func(c net.Conn, config *tls.Config) halfCloser { return tls.Client(c, config) },
		func(c net.Conn, config *tls.Config) halfCloser { return tls.Server(c, config) }},
	{"socktls", func(c net.Conn, config *tls.Config) halfCloser { return socktls.Client(c, config) },
		func(c net.Conn, config *tls.Config) halfCloser { return socktls.Server(c, config) }},
}

// tasks runs a client as the benchmark and a server, of each kind, for each connection that dial makes.
func tasks(b *testing.B, serve func(c halfCloser), client func(b *testing.B, dial func() halfCloser)) {
	for _, end := range ends {
		b.Run("conn="+end.name, func(b *testing.B) {
			b.ReportAllocs()
			err := ringo.Run(context.Background(), &ringo.Config{Loops: 1}, func(l *ringo.Loop) error {
				ln, err := sock.Listen(l, "tcp", "127.0.0.1:0")
				if err != nil {
					return err
				}
				defer ln.Close()
				config := serverConfig()
				l.Go(func() {
					for {
						c, err := ln.Accept()
						if err != nil {
							return
						}
						l.Go(func() {
							secured := end.server(c, config)
							serve(secured)
							secured.Close()
						})
					}
				})
				own := clientConfig()
				client(b, func() halfCloser {
					c, err := sock.Dial(l, "tcp", ln.Addr().String())
					if err != nil {
						b.Error(err)
					}
					return end.client(c, own)
				})
				return nil
			})
			if err != nil {
				b.Fatal(err)
			}
		})
	}
}

// measure calls f as often as is to be measured. The program's time on processors is told as well, which others on the
// machine disturb less.
func measure(b *testing.B, f func()) {
	before := onProcessors(b)
	b.ResetTimer()
	for range b.N {
		f()
	}
	b.StopTimer()
	b.ReportMetric(float64(onProcessors(b)-before)/float64(b.N), "cpu-ns/op")
}

func onProcessors(b *testing.B) int64 {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return u.Utime.Nano() + u.Stime.Nano()
}

func echo(c halfCloser) {
	p := make([]byte, 1<<14)
	for {
		n, err := c.Read(p)
		if err != nil {
			return
		}
		if _, err := c.Write(p[:n]); err != nil {
			return
		}
	}
}

// BenchmarkEcho is 64 bytes there and back.
func BenchmarkEcho(b *testing.B) {
	tasks(b, echo, func(b *testing.B, dial func() halfCloser) {
		c := dial()
		defer c.Close()
		p := make([]byte, 64)
		trip := func() {
			if _, err := c.Write(p); err != nil {
				b.Error(err)
			}
			if _, err := io.ReadFull(c, p); err != nil {
				b.Error(err)
			}
		}
		for range 2000 { // past the records that are small because they are the first
			trip()
		}
		measure(b, trip)
	})
}

// BenchmarkBulk is pieces of 64 KiB, one way.
func BenchmarkBulk(b *testing.B) {
	tasks(b, func(c halfCloser) { io.Copy(io.Discard, c) }, func(b *testing.B, dial func() halfCloser) {
		c := dial()
		defer c.Close()
		p := make([]byte, 1<<16)
		b.SetBytes(int64(len(p)))
		for range 50 {
			c.Write(p)
		}
		measure(b, func() {
			if _, err := c.Write(p); err != nil {
				b.Error(err)
			}
		})
	})
}

// BenchmarkPieces is 16 KiB there and back.
func BenchmarkPieces(b *testing.B) {
	tasks(b, echo, func(b *testing.B, dial func() halfCloser) {
		c := dial()
		defer c.Close()
		p := make([]byte, 1<<14)
		b.SetBytes(2 * int64(len(p)))
		trip := func() {
			if _, err := c.Write(p); err != nil {
				b.Error(err)
			}
			if _, err := io.ReadFull(c, p); err != nil {
				b.Error(err)
			}
		}
		for range 200 {
			trip()
		}
		measure(b, trip)
	})
}

// BenchmarkHandshake is a connection, a whole handshake of TLS 1.3 (ECDSA P-256) and a message.
func BenchmarkHandshake(b *testing.B) {
	tasks(b, echo, func(b *testing.B, dial func() halfCloser) {
		p := make([]byte, 64)
		measure(b, func() {
			c := dial()
			if _, err := c.Write(p); err != nil {
				b.Error(err)
			}
			if _, err := io.ReadFull(c, p); err != nil {
				b.Error(err)
			}
			c.Close()
		})
	})
}

const (
	attackRounds = 7
	// attackTime is how long a connection of an attack is there, and one of an honest peer, so that as many come.
	attackTime = 20 * time.Millisecond
	attackers  = 2
	// honestPiece is what an honest peer reads each millisecond. One that reads all it can costs its server more than
	// any attack.
	honestPiece = 1 << 14
)

// BenchmarkAttack is 64 bytes there and back on a plain connection, b.N times with honest peers beside it and b.N times
// with hostile ones, in turns. These make connections to the same loop, do their handshake, and read for a while,
// slowly, or attack; they are another process, and a nice one, so that only what they do to the server counts. Each
// connection has a task that reads, and some that write as much as the peer takes. The ratio is that of the p99 of a
// round to that of the honest round before it, the median of the rounds.
func BenchmarkAttack(b *testing.B) {
	for _, a := range attacks {
		for _, tasks := range []int{1, 2, 8} {
			b.Run(fmt.Sprintf("attack=%s/tasks=%d", strings.ReplaceAll(a.name, " ", "_"), tasks), func(b *testing.B) {
				err := ringo.Run(context.Background(), &ringo.Config{Loops: 1}, func(l *ringo.Loop) error {
					return attacked(b, l, a, tasks-1)
				})
				if err != nil {
					b.Fatal(err)
				}
			})
		}
	}
}

// attacked is the benchmark in a task of the server's loop.
func attacked(b *testing.B, l *ringo.Loop, a attack, writers int) error {
	ln, err := socktls.Listen(l, "tcp", "127.0.0.1:0", serverConfig())
	if err != nil {
		return err
	}
	defer ln.Close()
	l.Go(func() {
		for {
			c, err := ln.AcceptConn()
			if err != nil {
				return
			}
			l.Go(func() { used(l, c, writers) })
		}
	})
	by, leave := stand(b, l)
	defer leave()
	by.peer.SetDeadline(time.Time{})
	peers, err := startPeers(b, ln.Addr().String(), a.name)
	if err != nil {
		return err
	}
	defer peers.end()
	var ratios, calm, under []float64
	b.ResetTimer()
	for range attackRounds {
		var p99 [2]float64
		for i, kind := range []string{"honest", "hostile"} {
			if p99[i], err = beside(b.N, l, by, peers, kind); err != nil {
				return err
			}
		}
		calm, under, ratios = append(calm, p99[0]), append(under, p99[1]), append(ratios, p99[1]/p99[0])
	}
	b.StopTimer()
	for _, all := range [][]float64{calm, under, ratios} {
		slices.Sort(all)
	}
	b.ReportMetric(calm[attackRounds/2], "honest-p99-µs")
	b.ReportMetric(under[attackRounds/2], "hostile-p99-µs")
	b.ReportMetric(ratios[attackRounds/2], "ratio")
	b.ReportMetric(ratios[0], "least")
	b.ReportMetric(ratios[attackRounds-1], "most")
	b.ReportMetric(0, "ns/op")
	return nil
}

// beside makes n round trips of the bystander while peers come and go, and gives the p99 in microseconds.
func beside(n int, l *ringo.Loop, by *bystander, peers *peers, kind string) (p99 float64, err error) {
	took := make([]time.Duration, n)
	err = l.Offload(func(context.Context) error {
		if err := peers.ask(kind); err != nil {
			return err
		}
		for i := range took {
			before := time.Now()
			if err := by.trip(); err != nil {
				return err
			}
			took[i] = time.Since(before)
		}
		return peers.ask("stop")
	})
	slices.Sort(took)
	return float64(took[n*99/100].Nanoseconds()) / 1000, err
}

// peers are another process, which makes connections and uses them.
type peers struct {
	cmd *exec.Cmd
	in  io.WriteCloser
	out *bufio.Reader
}

// startPeers starts peers that know one attack, or a kind of connection.
func startPeers(b *testing.B, address, name string) (*peers, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	p := &peers{cmd: exec.Command("nice", "-n", "10", self)}
	p.cmd.Env = append(os.Environ(), peersEnv+"="+address+","+name)
	p.cmd.Stderr = b.Output()
	if p.in, err = p.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	p.out = bufio.NewReader(out)
	return p, p.cmd.Start()
}

// ask has the process begin to be of a kind, or stop, and waits until it does.
func (p *peers) ask(kind string) error {
	if _, err := fmt.Fprintln(p.in, kind); err != nil {
		return err
	}
	line, err := p.out.ReadString('\n')
	if err == nil && line != "done\n" {
		err = errors.New(line)
	}
	return err
}

func (p *peers) end() {
	p.in.Close()
	p.cmd.Wait()
}

func init() { bePeers = be }

// be is that process.
func be(what string) int {
	address, name, _ := strings.Cut(what, ",")
	var a attack
	if i := slices.IndexFunc(attacks, func(a attack) bool { return a.name == name }); i >= 0 {
		a = attacks[i]
	}
	var stop atomic.Bool
	var all sync.WaitGroup
	errs := make([]error, attackers)
	var held []net.Conn
	for asked := bufio.NewScanner(os.Stdin); asked.Scan(); {
		switch kind := asked.Text(); kind {
		case "hold":
			c, err := net.Dial("tcp", address)
			if err == nil {
				held = append(held, c)
				_, err = secured(c, name).Write([]byte("x"))
			}
			errs[0] = err
		case "stop":
			stop.Store(true)
			all.Wait()
			stop.Store(false)
		default:
			for i := range errs {
				all.Go(func() {
					for !stop.Load() && errs[i] == nil {
						next := time.After(attackTime)
						errs[i] = meet(address, kind == "hostile", a)
						<-next
					}
				})
			}
		}
		if err := errors.Join(errs...); err != nil {
			fmt.Printf("%q\n", err)
			return 1
		}
		fmt.Println("done")
	}
	return 0
}

// used reads what comes, and writes as much as the peer takes, for a moment.
func used(l *ringo.Loop, c *socktls.Conn, writers int) {
	defer c.Close()
	if c.Handshake() != nil {
		return
	}
	c.NetConn().(*sock.Conn).SetWriteBuffer(1 << 14) // soon full
	c.SetDeadline(time.Now().Add(attackTime))
	for range writers {
		l.Go(func() {
			for p := make([]byte, 1<<14); ; {
				if _, err := c.Write(p); err != nil {
					return
				}
			}
		})
	}
	readAll(c)
}

// meet is a peer of used, that attacks it or just reads.
func meet(address string, hostile bool, a attack) error {
	raw, err := net.Dial("tcp", address)
	if err != nil {
		return err
	}
	defer raw.Close()
	raw.(*net.TCPConn).SetReadBuffer(1 << 14)
	f, err := forge(raw)
	if err != nil {
		return err
	}
	raw.SetDeadline(time.Now().Add(2 * attackTime))
	if hostile {
		a.do(f)
		io.Copy(io.Discard, raw) // what the server still sends, to its end
		return nil
	}
	for n := int64(honestPiece); n == honestPiece; time.Sleep(time.Millisecond) {
		n, _ = io.CopyN(io.Discard, raw, honestPiece)
	}
	return nil
}

// withoutTLS is the name of connections without TLS.
const withoutTLS = "plain"

func secured(c net.Conn, name string) net.Conn {
	if name == withoutTLS {
		return c
	}
	return tls.Client(c, clientConfig())
}

// BenchmarkIdle is what the server's side of a connection costs in memory that has had a byte, and whose task waits for
// more: of package sock, of crypto/tls and of this package. Clients are another process.
func BenchmarkIdle(b *testing.B) {
	for _, end := range ends {
		name, serve := end.name, func(c net.Conn) net.Conn { return end.server(c, serverConfig()) }
		b.Run("conn="+name, func(b *testing.B) { idle(b, name, serve) })
	}
	b.Run("conn="+withoutTLS, func(b *testing.B) { idle(b, withoutTLS, func(c net.Conn) net.Conn { return c }) })
}

func idle(b *testing.B, name string, serve func(c net.Conn) net.Conn) {
	err := ringo.Run(context.Background(), &ringo.Config{Loops: 1}, func(l *ringo.Loop) error {
		ln, err := sock.Listen(l, "tcp", "127.0.0.1:0")
		if err != nil {
			return err
		}
		defer ln.Close()
		peers, err := startPeers(b, ln.Addr().String(), name)
		if err != nil {
			return err
		}
		group, had := ringo.NewGroup(l), 0
		connect := func() error {
			asked := l.Go(func() { err = l.Offload(func(context.Context) error { return peers.ask("hold") }) })
			raw, e := ln.AcceptConn()
			if e != nil {
				return e
			}
			group.Go(func() error {
				defer raw.Close()
				c, p := serve(raw), make([]byte, 1)
				if _, err := io.ReadFull(c, p); err != nil {
					return err
				}
				had++
				c.Read(p)
				return nil
			})
			asked.Wait()
			return err
		}
		for range 10 { // what is there once
			if err := connect(); err != nil {
				return err
			}
		}
		for had < 10 {
			socktest.Pause(l)
		}
		heap, stack := inUse()
		for range b.N {
			if err := connect(); err != nil {
				return err
			}
		}
		for had < 10+b.N {
			socktest.Pause(l)
		}
		heapNow, stackNow := inUse()
		b.ReportMetric((heapNow-heap)/float64(b.N), "heap-B/conn")
		b.ReportMetric((stackNow-stack)/float64(b.N), "stack-B/conn")
		b.ReportMetric(0, "ns/op")
		peers.end()
		return group.Wait()
	})
	if err != nil {
		b.Fatal(err)
	}
}

// inUse is the memory of the heap and of stacks that is in use.
func inUse() (heap, stack float64) {
	var m runtime.MemStats
	for range 4 { // also what pools keep, and what waits for finalizers
		runtime.GC()
		time.Sleep(time.Millisecond)
	}
	runtime.ReadMemStats(&m)
	return float64(m.HeapAlloc), float64(m.StackInuse)
}
