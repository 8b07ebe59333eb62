//go:build linux

package upgrade_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net"
	"os/exec"

	"ringo"
	"ringo/sock"
	"ringo/upgrade"
)

// A server that can be replaced while it serves. Here there is neither a predecessor, so that Reserve makes the socket,
// nor a signal for a successor.
func Example() {
	ctx, stop := context.WithCancel(context.Background()) // signal.NotifyContext in a program
	up, err := upgrade.New(ctx, nil)                      // Config.Signals says on what the program is replaced
	if err != nil {
		log.Fatal(err)
	}
	defer up.Close()
	set, err := up.Reserve(nil, "tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	go func() { // a client
		defer stop()
		c, err := net.Dial("tcp", set.Addr().String())
		if err != nil {
			log.Fatal(err)
		}
		defer c.Close()
		greeting, err := io.ReadAll(c)
		fmt.Printf("%s, %v\n", greeting, err)
	}()
	cfg := &ringo.Config{Loops: 1, Start: up.Started}
	err = sock.ServeSets(up.Context(), cfg, []*sock.ListenerSet{set}, func(c *sock.Conn) { io.WriteString(c, "hello") })
	if err != nil {
		log.Fatal(err)
	}
	<-ctx.Done() // the client has its answer
	// Output: hello, <nil>
}

// A socket that Reserve is not for, here one of datagrams, comes from the predecessor by its name, or is made, and is
// passed on to the successor.
func ExampleUpgrader_Pass() {
	up, err := upgrade.New(context.Background(), nil)
	if err != nil {
		log.Fatal(err)
	}
	defer up.Close()
	var c net.PacketConn
	if f := up.Take("metrics"); f != nil {
		c, err = net.FilePacketConn(f)
		f.Close()
	} else {
		c, err = net.ListenPacket("udp", "127.0.0.1:0")
	}
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()
	up.Pass("metrics", c.(*net.UDPConn).File)
	fmt.Println("inherited:", up.Inherited())
	// Output: inherited: false
}

// A successor that can't be started, or that does not come to be ready, leaves the program as it was.
func ExampleUpgrader_Upgrade() {
	errNoBuild := errors.New("there is no new build")
	up, err := upgrade.New(context.Background(), &upgrade.Config{
		Command: func() (*exec.Cmd, error) { return nil, errNoBuild },
		Log:     slog.New(slog.DiscardHandler),
	})
	if err != nil {
		log.Fatal(err)
	}
	defer up.Close()
	fmt.Println(errors.Is(up.Upgrade(nil), upgrade.ErrNotReady)) // the program itself does not serve yet
	if err := up.Ready(); err != nil {
		log.Fatal(err)
	}
	fmt.Println(errors.Is(up.Upgrade(nil), errNoBuild))
	fmt.Println(up.Context().Err())
	// Output:
	// true
	// true
	// <nil>
}
