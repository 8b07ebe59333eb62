package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/miekg/dns"

	"ringo/examples/programs/internal/rig"
	"ringo/internal/test/testmain"
)

func TestMain(m *testing.M) {
	rig.Play(map[string]rig.Role{"ringo": onRingo, "miekg": onMiekg})
	testmain.Main(m)
}

var drivers = []string{"uring", "epoll"}

// start runs the program, and gives its address; the test's end ends it.
func start(t *testing.T, text string) string {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	r, w := io.Pipe()
	go func() { ended <- run(ctx, "127.0.0.1:0", text, w) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("run() = %v", err)
		}
	})
	line, err := bufio.NewReader(r).ReadString('\n')
	address, ok := strings.CutPrefix(strings.TrimSpace(line), "ready on ")
	if err != nil || !ok {
		t.Fatalf("the first line is %q, %v", line, err)
	}
	return address
}

// What main does: names that there are, and are not, by both networks, and an answer that is too long for a datagram.
func TestAnswers(t *testing.T) {
	text := example
	for i := range 60 {
		text += fmt.Sprintf("many 60 IN A 198.51.100.%d\n", i)
	}
	rig.EachDriver(t, drivers, func(t *testing.T, driver string) {
		t.Setenv("RINGO_DRIVER", driver)
		address := start(t, text)
		for _, network := range []string{"udp", "tcp"} {
			client := &dns.Client{Net: network, Timeout: rig.Patience}
			ask := func(name string, kind uint16, edns uint16) *dns.Msg {
				t.Helper()
				q := new(dns.Msg).SetQuestion(name, kind)
				if edns > 0 {
					q.SetEdns0(edns, false)
				}
				m, _, err := client.Exchange(q, address)
				if err != nil {
					t.Fatalf("%s of %s: %v", network, name, err)
				}
				if !m.Authoritative {
					t.Errorf("%s: the answer about %s has no authority", network, name)
				}
				return m
			}
			for _, c := range []struct {
				name       string
				kind, edns uint16
				answers    int
				code       int
			}{
				{"www.example.org.", dns.TypeA, 0, 2, dns.RcodeSuccess},
				{"WWW.example.ORG.", dns.TypeA, 1232, 2, dns.RcodeSuccess},
				{"text.example.org.", dns.TypeTXT, 0, 1, dns.RcodeSuccess},
				{"text.example.org.", dns.TypeA, 0, 0, dns.RcodeSuccess},
				{"no.example.org.", dns.TypeA, 0, 0, dns.RcodeNameError},
				{"many.example.org.", dns.TypeA, 4096, 60, dns.RcodeSuccess},
			} {
				m := ask(c.name, c.kind, c.edns)
				if len(m.Answer) != c.answers || m.Rcode != c.code || m.Truncated {
					t.Errorf("%s: %s has %d answers, code %d, cut: %v", network, c.name, len(m.Answer), m.Rcode,
						m.Truncated)
				}
			}
			if m := ask("many.example.org.", dns.TypeA, 0); m.Truncated != (network == "udp") {
				t.Errorf("%s: what is too long for a datagram is cut: %v", network, m.Truncated)
			}
		}
	})
}

// What is no question gets no answer, and costs the next one nothing.
func TestGarbage(t *testing.T) {
	rig.EachDriver(t, drivers, func(t *testing.T, driver string) {
		t.Setenv("RINGO_DRIVER", driver)
		address := start(t, example)
		c, err := net.Dial("udp", address)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		c.SetDeadline(time.Now().Add(rig.Patience))
		q, _ := new(dns.Msg).SetQuestion("www.example.org.", dns.TypeA).Pack()
		for _, p := range [][]byte{nil, {1}, make([]byte, 2000), q[:len(q)-1], q} {
			c.Write(p)
		}
		p := make([]byte, 2000)
		n, err := c.Read(p)
		var m dns.Msg
		if err != nil || m.Unpack(p[:n]) != nil || len(m.Answer) != 2 {
			t.Errorf("the answer is %v, %v", &m, err)
		}
	})
}

// The servers that are compared, in processes of their own: they give their address, and then, when asked, how much of
// a processor they have used.
func onRingo(driver string, asked *bufio.Scanner) error {
	os.Setenv("RINGO_DRIVER", driver)
	r, w := io.Pipe()
	ended := make(chan error, 1)
	go func() { ended <- run(context.Background(), "127.0.0.1:0", example, w) }()
	line, err := bufio.NewReader(r).ReadString('\n')
	if err != nil {
		return <-ended
	}
	fmt.Println(strings.TrimPrefix(strings.TrimSpace(line), "ready on "))
	return used(asked)
}

func onMiekg(_ string, asked *bufio.Scanner) error {
	z, err := parse(example)
	if err != nil {
		return err
	}
	c, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	server := &dns.Server{PacketConn: c, Handler: dns.HandlerFunc(func(w dns.ResponseWriter, q *dns.Msg) {
		m, size := z.reply(q)
		m.Truncate(size)
		w.WriteMsg(m)
	})}
	go server.ActivateAndServe()
	fmt.Println(c.LocalAddr())
	return used(asked)
}

func used(asked *bufio.Scanner) error {
	for asked.Scan() {
		var u syscall.Rusage
		if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
			return err
		}
		fmt.Println(u.Utime.Nano() + u.Stime.Nano())
	}
	return nil
}

// What an answer costs the server, beside the server of the package whose messages these are, with 16 clients that have
// four questions on their way each. Both are bound to processor 0, and so the clients are best bound to another.
func BenchmarkAnswers(b *testing.B) {
	tie, err := exec.LookPath("taskset")
	if err != nil {
		b.Skip(err)
	}
	for _, c := range []struct{ role, driver string }{{"miekg", ""}, {"ringo", "uring"}, {"ringo", "epoll"}} {
		b.Run("server="+c.role+c.driver, func(b *testing.B) {
			server := rig.StartChild(b, c.role, c.driver, tie, "-c", "0", "env", "GOMAXPROCS=1")
			defer server.End()
			address := server.Line()
			ask := load(b, address, 16, 4)
			ask(1000)
			before := cpu(b, server)
			b.ResetTimer()
			ask(b.N)
			b.StopTimer()
			b.ReportMetric(float64(cpu(b, server)-before)/float64(b.N), "server-ns/op")
		})
	}
}

func cpu(b *testing.B, server *rig.Child) (ns int64) {
	if _, err := fmt.Sscan(server.Ask("?"), &ns); err != nil {
		b.Fatal(err)
	}
	return ns
}

// load is clients that ask for some answers each, so many at a time.
func load(b *testing.B, address string, clients, depth int) (ask func(n int)) {
	q, err := new(dns.Msg).SetQuestion("www.example.org.", dns.TypeA).Pack()
	if err != nil {
		b.Fatal(err)
	}
	var conns []net.Conn
	for range clients {
		c, err := net.Dial("udp", address)
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { c.Close() })
		conns = append(conns, c)
	}
	return func(n int) {
		done := make(chan error)
		for i, c := range conns {
			go func() {
				c.SetDeadline(time.Now().Add(rig.Patience))
				sent, got, p := 0, 0, make([]byte, 2000)
				for mine := (n + i) / clients; got < mine; got++ {
					for ; sent < min(mine, got+depth); sent++ {
						c.Write(q)
					}
					if _, err := c.Read(p); err != nil {
						done <- err
						return
					}
				}
				done <- nil
			}()
		}
		for range conns {
			if err := <-done; err != nil {
				b.Error(err)
			}
		}
	}
}
