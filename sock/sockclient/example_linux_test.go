//go:build linux

package sockclient_test

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"strings"

	"ringo"
	"ringo/sock"
	"ringo/sock/sockclient"
)

// upper serves lines, in capitals.
func upper(l *ringo.Loop) (ln *sock.Listener, addr string) {
	ln, err := sock.Listen(l, "tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	l.Go(func() {
		for {
			c, err := ln.AcceptConn()
			if err != nil {
				return
			}
			l.Go(func() {
				defer c.Close()
				for lines := bufio.NewScanner(c); lines.Scan(); {
					fmt.Fprintln(c, strings.ToUpper(lines.Text()))
				}
			})
		}
	})
	return ln, ln.Addr().String()
}

// Many callers have requests under way on one connection.
func ExamplePipeline() {
	ringo.Run(context.Background(), &ringo.Config{Loops: 1}, func(l *ringo.Loop) error {
		ln, addr := upper(l)
		defer ln.Close()
		c, err := sock.Dial(l, "tcp", addr)
		if err != nil {
			return err
		}
		p := sockclient.NewPipeline(l, c, sockclient.Protocol[string]{
			Read: func(r *bufio.Reader) (string, error) { return r.ReadString('\n') },
		}, nil)
		defer p.Close()
		var all ringo.WaitGroup
		replies := make([]string, 3)
		for i, word := range []string{"one", "two", "three"} {
			all.Go(func() { replies[i], _ = p.Call(nil, []byte(word+"\n")) })
		}
		all.Wait()
		fmt.Print(strings.Join(replies, ""))
		return nil
	})
	// Output:
	// ONE
	// TWO
	// THREE
}

// A connection for each request that is under way, and no more than there are.
func ExamplePool() {
	ringo.Run(context.Background(), &ringo.Config{Loops: 1}, func(l *ringo.Loop) error {
		ln, addr := upper(l)
		defer ln.Close()
		pool := &sockclient.Pool{Max: 16, Dial: func(ctx context.Context, l *ringo.Loop) (net.Conn, error) {
			return new(sock.Dialer).Func(l)(ctx, "tcp", addr)
		}}
		defer pool.CloseIdle()
		for _, word := range []string{"one", "two"} {
			c, err := pool.Get(nil, l)
			if err != nil {
				return err
			}
			defer c.Close() // unless it is given back
			fmt.Fprintln(c, word)
			reply, err := bufio.NewReader(c).ReadString('\n')
			if err != nil {
				return err
			}
			fmt.Print(reply)
			c.Release()
		}
		fmt.Printf("%+v\n", pool.Count(l))
		return nil
	})
	// Output:
	// ONE
	// TWO
	// {Open:1 Idle:1}
}
