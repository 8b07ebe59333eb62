package socktls_test

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"
	"time"

	"ringo"
	"ringo/internal/test/patience"
	"ringo/sock"
)

const childEnv = "RINGO_SOCKTLS_FREEZE"

// What this package is for: crypto/tls in two tasks of one loop freezes that for good. If one day this fails,
// crypto/tls has become better, and the documentation has to say from which release on.
func TestPlainFreezes(t *testing.T) {
	t.Parallel()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for _, attack := range []string{"bad record", "KeyUpdate", "handshake"} {
		t.Run(attack, func(t *testing.T) {
			child := exec.Command(self)
			child.Env = append(os.Environ(), childEnv+"="+attack)
			out, err := child.CombinedOutput()
			if err != nil || !strings.HasSuffix(string(out), "frozen\n") {
				t.Errorf("%v:\n%s", err, out)
			}
		})
	}
}

// freeze is the program that freezes. It gives the exit status.
func freeze(attack string) int {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Println(err)
		return 1
	}
	go ringo.Run(context.Background(), &ringo.Config{Loops: 1, StallLimit: -1}, func(l *ringo.Loop) error {
		raw, err := sock.Dial(l, "tcp", ln.Addr().String())
		if err != nil {
			fmt.Println(err)
			return err
		}
		c := tls.Server(raw, serverConfig())
		if attack != "handshake" {
			if err := c.Handshake(); err != nil {
				fmt.Println(err)
				return err
			}
		}
		l.Go(func() { forever(c.Write) })
		return forever(c.Read)
	})
	peer, err := ln.Accept()
	if err == nil {
		peer.SetDeadline(patience.Deadline())
		err = provoke(attack, peer)
	}
	if err != nil {
		fmt.Println(err)
		return 1
	}
	stands := "sendAlert("
	switch attack {
	case "KeyUpdate":
		stands = "handleKeyUpdate("
	case "handshake":
		stands = "handshakeContext("
	}
	if !seen("[sync.Mutex.Lock", stands) {
		fmt.Println("not frozen")
		return 1
	}
	fmt.Println("frozen")
	return 0
}

func forever(call func(p []byte) (int, error)) error {
	p := make([]byte, 1<<14)
	for {
		if _, err := call(p); err != nil {
			return err
		}
	}
}

// provoke does what freezes the server's loop.
func provoke(attack string, peer net.Conn) error {
	if attack == "handshake" {
		return nil // nothing at all
	}
	f, err := forge(peer)
	if err != nil {
		return err
	}
	if !seen("[coroutine", "crypto/tls.(*Conn).Write(") {
		return fmt.Errorf("the writer does not wait")
	}
	record := badRecord()
	if attack == "KeyUpdate" {
		record = f.keyUpdate()
	}
	_, err = peer.Write(record)
	return err
}

// seen waits for a goroutine in a state, with a function on its stack, which stays so for a while.
func seen(state, function string) bool {
	buf := make([]byte, 1<<20)
	for end, times := patience.Deadline(), 0; time.Now().Before(end); time.Sleep(time.Millisecond) {
		found := false
		for stack := range strings.SplitSeq(string(buf[:runtime.Stack(buf, true)]), "\n\n") {
			found = found || strings.Contains(stack, state) && strings.Contains(stack, function)
		}
		if !found {
			times = 0
		} else if times++; times == 20 {
			return true
		}
	}
	os.Stdout.Write(buf[:runtime.Stack(buf, true)])
	return false
}
