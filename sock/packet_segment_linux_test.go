//go:build linux

package sock_test

import (
	"context"
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"ringo"
	"ringo/internal/seccomptest"
	"ringo/sock"
)

// An interface that can't cut is found out: the datagrams go one by one, each once,
// and the socket remembers. A size that can't be cut is no such interface.
func TestPacketSegmentsUncut(t *testing.T) {
	t.Parallel()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for errno, want := range map[syscall.Errno]string{
		syscall.EIO:    "30 datagrams, GSO false",
		syscall.EINVAL: "30 datagrams, GSO true",
		syscall.EPERM:  "operation not permitted",
	} {
		t.Run(errno.Error(), func(t *testing.T) {
			// What is cut goes by sendmsg, what is plain by sendto.
			cmd := seccomptest.Command(t, seccomptest.Deny(seccomptest.Rule{Number: unix.SYS_SENDMSG, Errno: errno}),
				self)
			cmd.Env = append(os.Environ(), childEnv+"=segments")
			out, err := cmd.Output()
			if err != nil {
				t.Fatalf("the child: %v", err)
			}
			if got := strings.TrimSpace(string(out)); !strings.HasSuffix(got, want) {
				t.Errorf("%q, want %q", got, want)
			}
		})
	}
}

func init() { children["segments"] = segmentsChild }

// segmentsChild says what became of 3 times 10 datagrams.
func segmentsChild() int {
	err := ringo.Run(context.Background(), &ringo.Config{Driver: "epoll", Loops: 1}, func(l *ringo.Loop) error {
		from, err := sock.ListenPacket(l, "udp", "127.0.0.1:0")
		if err != nil {
			return err
		}
		defer from.Close()
		to, err := sock.ListenPacket(l, "udp", "127.0.0.1:0")
		if err != nil {
			return err
		}
		defer to.Close()
		p := make([]byte, 9*100+50)
		for range 3 {
			if n, err := from.WriteSegments(p, 100, portOf(to)); n != len(p) || err != nil {
				fmt.Println(n, err)
				return nil
			}
		}
		count := 0
		for to.SetReadDeadline(time.Now().Add(100 * time.Millisecond)); ; count++ {
			n, err := to.Read(p)
			if err != nil {
				break
			}
			if want := 100 - 50*(count%10/9); n != want {
				fmt.Printf("datagram %d has %d bytes, want %d\n", count, n, want)
			}
		}
		fmt.Printf("%d datagrams, GSO %v\n", count, from.GSO())
		return nil
	})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// A batch that finds no room goes on when there is some, message by message.
func TestPacketBatchWithoutRoom(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := seccomptest.Command(t, seccomptest.Deny(seccomptest.Rule{Number: unix.SYS_SENDMMSG, Errno: syscall.EAGAIN}),
		self)
	cmd.Env = append(os.Environ(), childEnv+"=batch")
	out, err := cmd.Output()
	if want := "5 <nil> 0one 1one 2one 3one 4one"; err != nil || strings.TrimSpace(string(out)) != want {
		t.Errorf("%q, %v, want %q", out, err, want)
	}
}

func init() { children["batch"] = batchChild }

// batchChild sends a batch to itself, and says what came.
func batchChild() int {
	err := ringo.Run(context.Background(), &ringo.Config{Driver: "epoll", Loops: 1}, func(l *ringo.Loop) error {
		c, err := sock.ListenPacket(l, "udp", "127.0.0.1:0")
		if err != nil {
			return err
		}
		defer c.Close()
		ms := make([]sock.Message, 5)
		for i := range ms {
			ms[i].Addr, ms[i].Buffers = portOf(c), [][]byte{{'0' + byte(i)}, []byte("one")}
		}
		n, err := c.WriteBatch(ms)
		fmt.Print(n, " ", err)
		p := make([]byte, 10)
		for range n {
			k, _, _ := c.ReadFrom(p)
			fmt.Printf(" %s", p[:k])
		}
		fmt.Println()
		return nil
	})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}
