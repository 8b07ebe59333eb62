//go:build linux

package sock_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"time"

	"ringo"
	"ringo/sock"
)

// ask sends text to a server from an ordinary goroutine and prints what comes back.
func ask(addr net.Addr, text string) {
	c, err := net.Dial("tcp", addr.String())
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()
	io.WriteString(c, text)
	c.(*net.TCPConn).CloseWrite()
	answer, err := io.ReadAll(c)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%q\n", answer)
}

// A listener on a loop, and a task for each connection, in the words of package net.
func ExampleListen() {
	ctx, stop := context.WithCancel(context.Background())
	err := ringo.Run(ctx, &ringo.Config{Loops: 1}, func(l *ringo.Loop) error {
		ln, err := sock.Listen(l, "tcp", "127.0.0.1:0")
		if err != nil {
			return err
		}
		go func() {
			ask(ln.Addr(), "hello")
			stop()
		}()
		for {
			c, err := ln.Accept()
			if err != nil {
				return err // net.ErrClosed when the program drains
			}
			l.Go(func() {
				defer c.Close()
				io.Copy(c, c)
			})
		}
	})
	if err != nil {
		log.Fatal(err)
	}
	// Output: "hello"
}

// A server of net/http, on all loops. Its requests run on goroutines, which keep no loop alive, so that when accepts
// have stopped its own Shutdown waits for them: for Config.Grace, after which the context of Offload is done.
func ExampleListener() {
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintln(w, "hello")
	})}
	set, err := sock.Reserve("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	defer set.Close()
	ctx, stop := context.WithCancel(context.Background()) // signal.NotifyContext in a program
	go func() {
		defer stop()
		answer, err := http.Get("http://" + set.Addr().String())
		if err != nil {
			log.Fatal(err)
		}
		defer answer.Body.Close()
		io.Copy(os.Stdout, answer.Body)
	}()
	err = ringo.Run(ctx, nil, func(l *ringo.Loop) error {
		ln, err := set.Listen(l)
		if err != nil {
			return err
		}
		return l.Offload(func(ctx context.Context) error {
			err := server.Serve(ln) // net.ErrClosed when the program drains
			if errors.Is(err, net.ErrClosed) || err == http.ErrServerClosed {
				err = server.Shutdown(ctx)
			}
			return err
		})
	})
	if err != nil {
		log.Fatal(err)
	}
	// Output: hello
}

// A handler per request: lines are answered as they become whole, and a connection that waits for the rest of one keeps
// its bytes and no stack.
func ExampleServe() {
	shout := &sock.Handler{Request: func(c *sock.Conn) error {
		unread, err := c.Peek(c.Buffered())
		if err != nil {
			return err
		}
		end := bytes.LastIndexByte(unread, '\n') + 1
		if _, err := c.Write(bytes.ToUpper(unread[:end])); err != nil {
			return err
		}
		_, err = c.Discard(end)
		return err
	}}
	set, err := sock.Reserve("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	defer set.Close()
	ctx, stop := context.WithCancel(context.Background())
	go func() {
		ask(set.Addr(), "some\nlines\nand a part")
		stop()
	}()
	err = ringo.Run(ctx, nil, func(l *ringo.Loop) error {
		ln, err := set.Listen(l)
		if err != nil {
			return err
		}
		return sock.Serve(l, ln, shout)
	})
	if err != nil {
		log.Fatal(err)
	}
	// Output: "SOME\nLINES\n"
}

// One port for all loops, known before there is a loop: peers queue from here on.
func ExampleReserve() {
	set, err := sock.Reserve("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	defer set.Close()
	ctx, stop := context.WithCancel(context.Background())
	go func() {
		ask(set.Addr(), "early")
		stop()
	}()
	err = ringo.Run(ctx, &ringo.Config{Loops: 2}, func(l *ringo.Loop) error {
		ln, err := set.Listen(l)
		if err != nil {
			return err
		}
		for {
			c, err := ln.AcceptConn()
			if err != nil {
				return err
			}
			l.Go(func() {
				defer c.Close()
				io.Copy(c, c)
			})
		}
	})
	if err != nil {
		log.Fatal(err)
	}
	// Output: "early"
}

// A client on a loop, with a deadline for the whole conversation.
func ExampleDial() {
	server, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	defer server.Close()
	go func() {
		c, _ := server.Accept()
		io.Copy(c, c)
		c.Close()
	}()
	err = ringo.Run(context.Background(), &ringo.Config{Loops: 1}, func(l *ringo.Loop) error {
		c, err := sock.Dial(l, "tcp", server.Addr().String())
		if err != nil {
			return err
		}
		defer c.Close()
		c.SetDeadline(l.Now().Add(10 * time.Second))
		fmt.Fprint(c, "there and back")
		c.CloseWrite()
		answer, err := io.ReadAll(c)
		fmt.Printf("%s\n", answer)
		return err
	})
	if err != nil {
		log.Fatal(err)
	}
	// Output: there and back
}

// A client that ends in order. Nobody tells it of the drain, as Serve tells its connections: between two requests it
// looks at Run's context, and the task that reads for as long as the server writes has another task wait for the
// context's end, in Offload, because a task that waits for a channel itself stops its loop.
func ExampleDial_shutdown() {
	server, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	defer server.Close()
	go func() {
		for {
			c, err := server.Accept()
			if err != nil {
				return
			}
			go func() { io.Copy(c, c); c.Close() }()
		}
	}()

	ctx, stop := context.WithCancel(context.Background()) // signal.NotifyContext in a program
	err = ringo.Run(ctx, &ringo.Config{Loops: 1}, func(l *ringo.Loop) error {
		c, err := sock.Dial(l, "tcp", server.Addr().String())
		if err != nil {
			return err
		}
		defer c.Close()
		watch := l.Go(func() {
			l.Offload(func(task context.Context) error {
				select {
				case <-ctx.Done():
				case <-task.Done(): // the reader has ended
				}
				return nil
			})
			c.CloseWrite() // the server ends its side when it has answered all
		})
		defer watch.Cancel()

		answers := l.Go(func() { io.Copy(os.Stdout, c) })
		for n := 1; ctx.Err() == nil; n++ {
			if _, err := fmt.Fprintf(c, "request %d\n", n); err != nil {
				return err
			}
			if n == 3 {
				stop() // as a signal would, at any time
			}
		}
		return answers.Wait()
	})
	if err != nil {
		log.Fatal(err)
	}
	// Output:
	// request 1
	// request 2
	// request 3
}

// Next hands over the buffer in which bytes came. Whoever has the lease may take his time, and any goroutine may
// release it; meanwhile the buffer counts against ringo.Config.Leases.
func ExampleConn_Next() {
	set, err := sock.Reserve("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	defer set.Close()
	ctx, stop := context.WithCancel(context.Background())
	go func() {
		ask(set.Addr(), "leased")
		stop()
	}()
	err = ringo.Run(ctx, &ringo.Config{Loops: 1}, func(l *ringo.Loop) error {
		ln, err := set.Listen(l)
		if err != nil {
			return err
		}
		c, err := ln.AcceptConn()
		if err != nil {
			return err
		}
		defer c.Close()
		for {
			lease, err := c.Next()
			if err == io.EOF {
				return nil
			}
			if err != nil {
				return err
			}
			_, err = c.Write(lease.Bytes())
			lease.Release()
			if err != nil {
				return err
			}
		}
	})
	if err != nil {
		log.Fatal(err)
	}
	<-ctx.Done() // the answer has been printed
	// Output: "leased"
}

// A header and a body go out together without being put together, and what came goes out
// again without a copy.
func ExampleConn_WriteV() {
	err := ringo.Run(context.Background(), &ringo.Config{Loops: 1}, func(l *ringo.Loop) error {
		ln, err := sock.Listen(l, "tcp", "127.0.0.1:0")
		if err != nil {
			return err
		}
		defer ln.Close()
		asked := make(chan bool)
		go func() {
			defer close(asked)
			ask(ln.Addr(), "hello")
		}()
		c, err := ln.AcceptConn()
		if err != nil {
			return err
		}
		lease, err := c.Next()
		if err != nil {
			return err
		}
		header := fmt.Appendf(nil, "%d bytes: ", len(lease.Bytes()))
		if _, err := c.WriteV([][]byte{header, lease.Bytes()}); err != nil {
			return err
		}
		if _, err := c.WriteLease(lease); err != nil { // which releases it
			return err
		}
		c.Close()
		return l.Offload(func(context.Context) error { <-asked; return nil })
	})
	if err != nil {
		log.Fatal(err)
	}
	// Output:
	// "5 bytes: hellohello"
}
