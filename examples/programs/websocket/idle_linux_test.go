//go:build linux

package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"runtime"
	"runtime/debug"
	"sync"
	"syscall"
	"testing"

	"github.com/coder/websocket"

	"ringo"
	"ringo/examples/programs/internal/rig"
	"ringo/internal/race"
	"ringo/sock"
)

// idleMost is how many sockets are open and silent, where so many may be.
const idleMost = 10_000

// What a socket may cost the server in all, in bytes, net/http's and the library's buffers and goroutines included; and
// how much of that may be more than on a listener of package net.
const idleMax, overNetMax = 40 << 10, 2 << 10

// Ten thousand sockets stay open, cost little, and are all alive at the end.
func TestIdle(t *testing.T) {
	if race.Enabled {
		t.Skip("under the race detector memory means nothing")
	}
	const filesEach, filesElse = 2, 200 // what goroutines read has two descriptors
	idle := min(idleMost, (allowFiles(t, filesEach*idleMost+filesElse)-filesElse)/filesEach)
	if idle < idleMost/10 {
		t.Skipf("the limit of open files allows %d sockets", idle)
	}
	onNet := measure(t, "net", idle)
	rig.EachDriver(t, []string{"uring", "epoll"}, func(t *testing.T, driver string) {
		if each := measure(t, driver, idle); each > idleMax || each > onNet+overNetMax {
			t.Errorf("an idle socket costs %d bytes; may be %d, and %d more than on net", each, idleMax, overNetMax)
		}
	})
}

// measure gives how many bytes a socket costs a server. Server and clients have processes of their own.
func measure(t *testing.T, driver string, idle int) int {
	t.Helper()
	server := rig.StartChild(t, "server", driver)
	clients := rig.StartChild(t, "clients", server.Line())
	clients.Ask("100") // what is made once is made now
	var before, after, files int
	fmt.Sscan(server.Ask("count"), &before, &files)
	clients.Ask(fmt.Sprint(idle))
	fmt.Sscan(server.Ask("count"), &after, &files)
	clients.End()
	server.End()
	each := (after - before) / (idle - 100)
	t.Logf("%d idle sockets on %s: %.1f KiB of RSS each, %d descriptors", idle, driver, float64(each)/1024, files)
	if files < idle {
		t.Errorf("the server has %d descriptors: these are not %d sockets", files, idle)
	}
	return each
}

// allowFiles raises the limit of open files to n, or as far as it goes, and gives what it is then.
func allowFiles(t *testing.T, n uint64) int {
	t.Helper()
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	want := syscall.Rlimit{Cur: max(limit.Max, n), Max: max(limit.Max, n)}
	if syscall.Setrlimit(syscall.RLIMIT_NOFILE, &want) == nil {
		return int(want.Cur)
	}
	limit.Cur = limit.Max
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	return int(limit.Cur)
}

func init() { roles["server"], roles["clients"] = beServer, beClients }

// beServer serves on a driver of Ringo's or on package net, and tells its address, and then what it holds.
func beServer(driver string, asked *bufio.Scanner) error {
	tell := func(ln net.Listener) error {
		server := &http.Server{Handler: http.HandlerFunc(echo)}
		go server.Serve(ln)
		defer server.Close()
		fmt.Println(ln.Addr())
		for asked.Scan() {
			rss, err := resident()
			if err != nil {
				return err
			}
			files, err := os.ReadDir("/proc/self/fd")
			if err != nil {
				return err
			}
			fmt.Println(rss, len(files))
		}
		return nil
	}
	if driver == "net" {
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return err
		}
		return tell(ln)
	}
	return ringo.Run(context.Background(), &ringo.Config{Driver: driver, Loops: 1}, func(l *ringo.Loop) error {
		ln, err := sock.Listen(l, "tcp", "127.0.0.1:0")
		if err != nil {
			return err
		}
		return l.Offload(func(context.Context) error { return tell(ln) })
	})
}

// resident gives how many bytes of memory this process uses, without what it could do without.
func resident() (bytes int, err error) {
	runtime.GC() // what has a finalizer goes with the second
	debug.FreeOSMemory()
	text, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0, err
	}
	var all, pages int
	if _, err := fmt.Sscan(string(text), &all, &pages); err != nil {
		return 0, err
	}
	return pages * os.Getpagesize(), nil
}

// beClients opens as many sockets as it is asked to have, from many addresses; and sends a message through each, at the
// end.
func beClients(address string, asked *bufio.Scanner) error {
	ctx, cancel := context.WithTimeout(context.Background(), 4*rig.Patience)
	defer cancel()
	var all []*websocket.Conn
	for asked.Scan() {
		var want int
		if _, err := fmt.Sscan(asked.Text(), &want); err != nil {
			return err
		}
		first := len(all)
		all = append(all, make([]*websocket.Conn, want-first)...)
		err := together(all[first:], func(i int, c **websocket.Conn) (err error) {
			from := &net.TCPAddr{IP: net.IPv4(127, 0, byte((first+i)/1000), 1)}
			*c, err = dialFrom(ctx, from, address)
			return err
		})
		if err != nil {
			return err
		}
		fmt.Println("opened")
	}
	return together(all, func(i int, c **websocket.Conn) error {
		want := fmt.Append(nil, "message ", i)
		if err := (*c).Write(ctx, websocket.MessageText, want); err != nil {
			return err
		}
		if _, got, err := (*c).Read(ctx); err != nil || !bytes.Equal(got, want) {
			return fmt.Errorf("socket %d echoed %q, %w", i, got, err)
		}
		return (*c).Close(websocket.StatusNormalClosure, "")
	})
}

func dialFrom(ctx context.Context, from net.Addr, address string) (*websocket.Conn, error) {
	dialer := &net.Dialer{LocalAddr: from}
	transport := &http.Transport{DialContext: dialer.DialContext}
	c, _, err := websocket.Dial(ctx, "ws://"+address,
		&websocket.DialOptions{HTTPClient: &http.Client{Transport: transport}})
	return c, err
}

// together runs f for each socket, a few at a time.
func together(all []*websocket.Conn, f func(i int, c **websocket.Conn) error) error {
	const atOnce = 50
	var workers sync.WaitGroup
	errs := make([]error, atOnce)
	for w := range atOnce {
		workers.Go(func() {
			for i := w; i < len(all) && errs[w] == nil; i += atOnce {
				errs[w] = f(i, &all[i])
			}
		})
	}
	workers.Wait()
	return errors.Join(errs...)
}
