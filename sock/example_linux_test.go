//go:build linux

package sock_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/maphash"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"ringo"
	"ringo/file"
	"ringo/sock"
)

// ask sends text to a server from an ordinary goroutine and prints what comes back.
func ask(addr net.Addr, text string) {
	c, err := net.Dial(addr.Network(), addr.String())
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()
	io.WriteString(c, text)
	c.(interface{ CloseWrite() error }).CloseWrite()
	answer, err := io.ReadAll(c)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%q\n", answer)
}

// wordCounts has for each loop a part of the words that have been counted.
var wordCounts = ringo.NewSharded(func(*ringo.Loop) (map[string]int, error) { return map[string]int{}, nil })

var wordSeed = maphash.MakeSeed()

// countWords answers each word with how often it has come, on any connection.
func countWords(c *sock.Conn) {
	for words := bufio.NewScanner(c); words.Scan(); {
		word, n := words.Text(), 0
		err := wordCounts.At(maphash.String(wordSeed, word)).Call(func(part map[string]int) error {
			part[word]++
			n = part[word]
			return nil
		})
		if err != nil {
			log.Print(err)
			return
		}
		fmt.Fprintln(c, word, n)
	}
}

// Each loop makes its state in Config.Start, which has returned on all of them before any peer is served.
func ExampleListenAndServe() {
	dir, err := os.MkdirTemp("", "")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	name := filepath.Join(dir, "socket") // of network "tcp" it is ":7000", say
	ctx, stop := context.WithCancel(context.Background())
	cfg := &ringo.Config{Loops: 2, Start: func(l *ringo.Loop) error { // just wordCounts.Start in a program
		if l.Index() == 0 {
			go func() { // a client
				defer stop()
				ask(&net.UnixAddr{Name: name, Net: "unix"}, "the\ncat\nthe\n") // waits until it is served
			}()
		}
		return wordCounts.Start(l)
	}}
	if err := sock.ListenAndServe(ctx, cfg, "unix", name, countWords); err != nil {
		log.Fatal(err)
	}
	<-ctx.Done() // the answer has been printed
	// Output: "the 1\ncat 1\nthe 2\n"
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

// A client that ends in order. When the drain begins a task ends its side of the connection: the server has seen all
// requests then, and ends its own when it has answered them.
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
		defer l.OnDrain(func() { c.CloseWrite() })()

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

// A part of a file is sent behind a head: by sendfile where it is in memory, and else from a buffer that a
// read of the disk has filled, for which the task parks and its loop does not.
func ExampleConn_SendFile() {
	dir, err := os.MkdirTemp("", "")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	name := filepath.Join(dir, "numbers")
	if err := os.WriteFile(name, []byte(strings.Repeat("0123456789", 100_000)), 0o600); err != nil {
		log.Fatal(err)
	}
	err = ringo.Run(context.Background(), nil, func(l *ringo.Loop) error {
		if l.Index() > 0 {
			return nil
		}
		ln, err := sock.Listen(l, "tcp", "127.0.0.1:0")
		if err != nil {
			return err
		}
		defer ln.Close()
		client := l.Go(func() {
			l.Offload(func(context.Context) error {
				c, err := net.Dial("tcp", ln.Addr().String())
				if err != nil {
					return err
				}
				defer c.Close()
				got, err := io.ReadAll(c)
				fmt.Println(len(got), string(got[:12]), err)
				return err
			})
		})
		defer client.Wait()
		c, err := ln.AcceptConn()
		if err != nil {
			return err
		}
		defer c.Close()
		f, err := file.Open(name)
		if err != nil {
			return err
		}
		defer f.Close()
		return sendPart(c, []byte("head: "), f, 5, 500_000)
	})
	if err != nil {
		log.Fatal(err)
	}
	// Output: 500006 head: 567890 <nil>
}

func sendPart(c *sock.Conn, head []byte, f *file.File, off, n int64) error {
	const most = 256 << 10
	var p []byte
	for n > 0 {
		m := int(min(n, most))
		in, err := f.Cached(off, int64(m))
		if in && err == nil {
			if m, err = c.SendFile(head, f, off, int64(m)); err != nil {
				return err
			}
		} else {
			p = append(p[:0], head...)
			p = append(p, make([]byte, m)...)
			if _, err := f.ReadAt(p[len(head):], off); err != nil {
				return err
			}
			if _, err := c.Write(p); err != nil {
				return err
			}
		}
		head, off, n = nil, off+int64(m), n-int64(m)
	}
	return nil
}

// A UDP server in the words of package net: a task that reads and answers.
func ExampleListenPacket() {
	err := ringo.Run(context.Background(), &ringo.Config{Loops: 1}, func(l *ringo.Loop) error {
		c, err := sock.ListenPacket(l, "udp", "127.0.0.1:0")
		if err != nil {
			return err
		}
		defer c.Close()
		l.Go(func() {
			p := make([]byte, 1500)
			for {
				n, from, err := c.ReadFromUDPAddrPort(p)
				if err != nil {
					return // net.ErrClosed
				}
				c.WriteToUDPAddrPort(p[:n], from)
			}
		})
		peer, err := sock.DialPacket(l, "udp", c.LocalAddr().String())
		if err != nil {
			return err
		}
		defer peer.Close()
		fmt.Fprint(peer, "hello")
		p := make([]byte, 1500)
		n, err := peer.Read(p)
		fmt.Printf("%q\n", p[:n])
		return err
	})
	if err != nil {
		log.Fatal(err)
	}
	// Output: "hello"
}

// A server of datagrams on all loops, which share one port. Each handler may wait; replies travel together.
func ExampleServePackets() {
	ctx, cancel := context.WithCancel(context.Background())
	set, err := sock.ReservePackets("udp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	defer set.Close()
	upper := &sock.PacketHandler{Packet: func(p *sock.Packet) { p.Reply(bytes.ToUpper(p.Bytes)) }}
	go func() { // a client
		defer cancel()
		peer, err := net.Dial("udp", set.Addr().String())
		if err != nil {
			log.Fatal(err)
		}
		defer peer.Close()
		fmt.Fprint(peer, "hello")
		p := make([]byte, 1500)
		n, err := peer.Read(p)
		fmt.Printf("%q, %v\n", p[:n], err)
	}()
	err = ringo.Run(ctx, nil, func(l *ringo.Loop) error {
		c, err := set.Listen(l)
		if err != nil {
			return err
		}
		defer c.Close()
		return sock.ServePackets(l, c, upper)
	})
	if err != nil {
		log.Fatal(err)
	}
	// Output: "HELLO", <nil>
}

// Many datagrams by one call of the kernel each way.
func ExamplePacketConn_ReadBatch() {
	err := ringo.Run(context.Background(), &ringo.Config{Loops: 1}, func(l *ringo.Loop) error {
		c, err := sock.ListenPacket(l, "udp4", "127.0.0.1:0")
		if err != nil {
			return err
		}
		defer c.Close()
		to := c.LocalAddr().(*net.UDPAddr).AddrPort()
		if _, err := c.WriteBatch([]sock.Message{
			{Buffers: [][]byte{[]byte("in "), []byte("pieces")}, Addr: to},
			{Buffers: [][]byte{[]byte("whole")}, Addr: to},
		}); err != nil {
			return err
		}
		ms := make([]sock.Message, 8)
		for i := range ms {
			ms[i].Buffers = [][]byte{make([]byte, 1500)}
		}
		n, err := c.ReadBatch(ms)
		for _, m := range ms[:n] {
			fmt.Printf("%q\n", m.Buffers[0][:m.N])
		}
		return err
	})
	if err != nil {
		log.Fatal(err)
	}
	// Output:
	// "in pieces"
	// "whole"
}

// A task is told by inotify(7) which files of a folder have been written.
func ExamplePoll() {
	dir, err := os.MkdirTemp("", "watched")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	fd, err := unix.InotifyInit1(unix.IN_CLOEXEC | unix.IN_NONBLOCK)
	if err != nil {
		log.Fatal(err)
	}
	f := os.NewFile(uintptr(fd), "inotify")
	defer f.Close()
	if _, err := unix.InotifyAddWatch(fd, dir, unix.IN_CLOSE_WRITE|unix.IN_MOVED_TO); err != nil {
		log.Fatal(err)
	}
	err = ringo.Run(context.Background(), &ringo.Config{Loops: 1}, func(l *ringo.Loop) error {
		p, err := sock.Poll(l, f)
		if err != nil {
			return err
		}
		defer p.Close()
		watching := l.Go(func() {
			events := make([]byte, 4096) // a Read gives as many as there is room for
			for seen := 0; seen < 2; {
				n, err := p.Read(events)
				if err != nil {
					log.Print(err)
					return
				}
				for e := events[:n]; len(e) > 0; seen++ { // see struct inotify_event
					end := unix.SizeofInotifyEvent + binary.NativeEndian.Uint32(e[12:])
					name, _, _ := bytes.Cut(e[unix.SizeofInotifyEvent:end], []byte{0})
					fmt.Printf("%s has been written\n", name)
					e = e[end:]
				}
			}
		})
		for _, name := range []string{"one", "another"} {
			if err := file.WriteFile(filepath.Join(dir, name), []byte("news"), 0o600); err != nil {
				return err
			}
		}
		return watching.Wait()
	})
	if err != nil {
		log.Fatal(err)
	}
	// Output:
	// one has been written
	// another has been written
}

// What a listener accepts has the options of the listener; a connection changes those that it names.
func ExampleOptions() {
	err := ringo.Run(context.Background(), &ringo.Config{Loops: 1}, func(l *ringo.Loop) error {
		lc := sock.ListenConfig{Options: sock.Options{NotSentLowat: 16 << 10, TOS: 0x20}}
		ln, err := lc.Listen(l, "tcp", "127.0.0.1:0")
		if err != nil {
			return err
		}
		defer ln.Close()
		peer, err := sock.Dial(l, "tcp", ln.Addr().String())
		if err != nil {
			return err
		}
		defer peer.Close()
		c, err := ln.AcceptConn()
		if err != nil {
			return err
		}
		defer c.Close()
		if err := c.SetOptions(sock.Options{MaxPacingRate: 1_000_000}); err != nil { // bytes a second
			return err
		}
		o, err := c.Options()
		fmt.Println(o.NotSentLowat, o.TOS, o.MaxPacingRate)
		return err
	})
	if err != nil {
		log.Fatal(err)
	}
	// Output: 16384 32 1000000
}

// Control messages say what came beside the bytes, and what goes beside them.
func ExampleControl() {
	err := ringo.Run(context.Background(), &ringo.Config{Loops: 1}, func(l *ringo.Loop) error {
		c, err := sock.ListenPacket(l, "udp4", "127.0.0.1:0")
		if err != nil {
			return err
		}
		defer c.Close()
		if err := c.SetControl(sock.ControlTOS|sock.ControlLocal, true); err != nil {
			return err
		}
		to := c.LocalAddr().(*net.UDPAddr).AddrPort()
		ect := sock.Control{TOS: 2, HasTOS: true}
		if _, _, err := c.WriteMsgUDPAddrPort([]byte("x"), ect.Append(nil, to.Addr()), to); err != nil {
			return err
		}
		p, oob := make([]byte, 1500), make([]byte, sock.ControlMax)
		_, oobn, _, _, err := c.ReadMsgUDPAddrPort(p, oob)
		came := sock.ParseControl(oob[:oobn])
		fmt.Println("to", came.Local, "ECN", came.TOS&3)
		return err
	})
	if err != nil {
		log.Fatal(err)
	}
	// Output: to 127.0.0.1 ECN 2
}

// One end of a Unix connection passes an open file to the other, which is often another process.
func ExampleConn_SendFiles() {
	err := ringo.Run(context.Background(), &ringo.Config{Loops: 1}, func(l *ringo.Loop) error {
		ln, err := sock.Listen(l, "unix", "") // a name of the kernel's choice
		if err != nil {
			return err
		}
		defer ln.Close()
		sent := l.Go(func() {
			c, err := sock.Dial(l, "unix", ln.Addr().String())
			if err != nil {
				log.Fatal(err)
			}
			defer c.Close()
			f, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
			if err != nil {
				log.Fatal(err)
			}
			defer f.Close() // what was sent stays open at the other end
			if _, err := c.SendFiles([]byte("the null device"), f); err != nil {
				log.Fatal(err)
			}
		})
		c, err := ln.AcceptConn()
		if err != nil {
			return err
		}
		defer c.Close()
		p := make([]byte, 100)
		n, files, err := c.RecvFiles(p, 1)
		if err != nil {
			return err
		}
		sent.Wait()
		defer files[0].Close()
		written, err := files[0].WriteString("nothing is kept")
		fmt.Printf("%s took %d bytes\n", p[:n], written)
		return err
	})
	if err != nil {
		log.Fatal(err)
	}
	// Output: the null device took 15 bytes
}

// greet is code that takes a Conn, to be tested without a network.
func greet(c *sock.Conn) error {
	p := make([]byte, 64)
	n, err := c.Read(p)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(c, "hello, %s", p[:n])
	return err
}

// A handler and its client, each with one end.
func ExampleVsockAddr() {
	host := &sock.VsockAddr{CID: 2, Port: 1024}
	fmt.Println(host.Network(), host)
	// sock.Dial(l, host.Network(), host.String()) connects a task of a virtual machine to its host.

	// Output: vsock 2:1024
}

func ExamplePipe() {
	err := ringo.Run(context.Background(), &ringo.Config{Loops: 1}, func(l *ringo.Loop) error {
		client, server, err := sock.Pipe(l)
		if err != nil {
			return err
		}
		defer client.Close()
		l.Go(func() {
			defer server.Close()
			if err := greet(server); err != nil {
				log.Print(err)
			}
		})
		if _, err := io.WriteString(client, "world"); err != nil {
			return err
		}
		answer, err := io.ReadAll(client)
		fmt.Printf("%s\n", answer)
		return err
	})
	if err != nil {
		log.Fatal(err)
	}
	// Output: hello, world
}

// A chat: what one says goes to all that listen. A peer that does not keep up misses the oldest of what waits for it.
func ExampleFeed() {
	room := sock.Feed{Waiting: 100, Slow: sock.DropOldest}
	err := ringo.Run(context.Background(), &ringo.Config{Loops: 1}, func(l *ringo.Loop) error {
		var peers []*sock.Conn
		for range 3 {
			c, peer, err := sock.Pipe(l)
			if err != nil {
				return err
			}
			defer c.Close()
			defer peer.Close()
			if err := room.Add(c); err != nil {
				return err
			}
			peers = append(peers, peer)
		}
		for _, text := range []string{"hello\n", "who is there?\n"} {
			if err := room.Publish(l.Context(), []byte(text)); err != nil {
				return err
			}
		}
		for i, peer := range peers {
			r := bufio.NewReader(peer)
			for range 2 {
				text, err := r.ReadString('\n')
				if err != nil {
					return err
				}
				fmt.Printf("peer %d: %s", i, text)
			}
		}
		return nil
	})
	fmt.Println(err)
	// Output:
	// peer 0: hello
	// peer 0: who is there?
	// peer 1: hello
	// peer 1: who is there?
	// peer 2: hello
	// peer 2: who is there?
	// <nil>
}
