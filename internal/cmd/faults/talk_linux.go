//go:build linux

package main

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"syscall"
	"time"
)

// cut is the error of a peer that learned in a clear way that it gets nothing, or no more.
type cut struct{ err error }

func (c cut) Error() string { return "cut: " + c.err.Error() }

// told turns an error by which a peer learns that into a cut. Others stay; a time-out means that the server hangs.
func told(err error) error {
	for _, end := range []error{io.EOF, io.ErrUnexpectedEOF, syscall.ECONNRESET, syscall.EPIPE, syscall.ECONNREFUSED} {
		if errors.Is(err, end) {
			return cut{err}
		}
	}
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return fmt.Errorf("hangs: a peer waited for %v: %w", patience, err)
	}
	return err
}

func isCut(err error) bool {
	var c cut
	return errors.As(err, &c)
}

// noise returns n pseudo-random bytes, different for each seed.
func noise(seed uint64, n int) []byte {
	b := make([]byte, n+8)
	r := rand.NewPCG(seed, 1)
	for i := 0; i < n; i += 8 {
		binary.LittleEndian.PutUint64(b[i:], r.Uint64())
	}
	return b[:n]
}

// protocol is how peers talk to a server. Its errors are cuts, or say what is wrong.
type protocol interface {
	ask(c *peer, seed uint64) error // asks one question and verifies the answer
	end(c *peer) error              // ends the connection in order
}

// peer is a connection to a server.
type peer struct {
	*net.TCPConn
	tls *tls.Conn // nil: no TLS
	r   *bufio.Reader
}

// secure makes the peer speak TLS.
func (c *peer) secure() {
	c.tls = tls.Client(c.TCPConn, anyServer())
	c.r.Reset(c.tls)
}

func (c *peer) Write(p []byte) (int, error) {
	if c.tls != nil {
		return c.tls.Write(p)
	}
	return c.TCPConn.Write(p)
}

// CloseWrite ends the stream to the server.
func (c *peer) CloseWrite() error {
	if c.tls != nil {
		return c.tls.CloseWrite()
	}
	return c.TCPConn.CloseWrite()
}

// dialPeer connects, with a deadline on the connection.
func dialPeer(addr string) (*peer, error) { return dialFrom(addr, nil) }

// dialFrom is dialPeer from a local address; nil: any.
func dialFrom(addr string, from net.IP) (*peer, error) {
	d := net.Dialer{Timeout: patience}
	if from != nil {
		d.LocalAddr = &net.TCPAddr{IP: from}
	}
	c, err := d.Dial("tcp", addr)
	if err != nil {
		return nil, told(err)
	}
	p := &peer{TCPConn: c.(*net.TCPConn), r: bufio.NewReader(c)}
	p.SetDeadline(time.Now().Add(patience))
	return p, nil
}

// both writes and reads at once: a server stops reading while its own output is not read.
func (c *peer) both(out []byte, in func() error) error {
	c.SetDeadline(time.Now().Add(patience))
	wrote := make(chan error, 1)
	go func() {
		_, err := c.Write(out)
		wrote <- err
	}()
	read := in()
	if read != nil {
		c.SetDeadline(time.Unix(1, 0)) // ends the write, which is of no use now
		<-wrote
		return told(read)
	}
	return told(<-wrote)
}

// same reads as many bytes as want has, and returns an error if they differ.
func (c *peer) same(want []byte) error {
	got := make([]byte, len(want))
	n, err := io.ReadFull(c.r, got)
	if !bytes.Equal(got[:n], want[:n]) {
		return fmt.Errorf("wrong bytes came, in the first %d of %d", n, len(want))
	}
	return err
}

// sizes are the sizes of questions, in turn. Their range gives some questions many calls, and most few.
var sizes = []int{10, 1000, 20_000, 1, 300_000}

// echoes is the protocol of servers that echo.
type echoes struct{}

func (echoes) ask(c *peer, seed uint64) error {
	b := noise(seed, sizes[seed%uint64(len(sizes))])
	return c.both(b, func() error { return c.same(b) })
}

// end closes the output, and wants the end of the input for that.
func (echoes) end(c *peer) error {
	if err := c.CloseWrite(); err != nil {
		return told(err)
	}
	return c.over()
}

// over wants the end of the stream.
func (c *peer) over() error {
	c.SetDeadline(time.Now().Add(patience))
	switch b, err := c.r.ReadByte(); {
	case err == nil:
		return fmt.Errorf("byte %#x came that nobody had sent", b)
	case err != io.EOF:
		return told(err)
	}
	return nil
}

// framed is echoes in frames, each with its length in front.
type framed struct{ echoes }

func (framed) ask(c *peer, seed uint64) error {
	n := min(sizes[seed%uint64(len(sizes))], 50_000)
	b := append(binary.BigEndian.AppendUint32(nil, uint32(n)), noise(seed, n)...)
	return c.both(b, func() error { return c.same(b) })
}

// siteFiles is the number of files of a site.
const siteFiles = 6

func siteFile(i uint64) (name string, body []byte) {
	return fmt.Sprintf("f%d.bin", i), noise(i, []int{0, 100, 5000, 64 << 10, 300_000, 3 << 20}[i])
}

func makeSite(dir string) error {
	for i := range uint64(siteFiles) {
		name, body := siteFile(i)
		if err := os.WriteFile(dir+"/"+name, body, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// pages is the protocol of servers of files.
type pages struct{}

func (pages) ask(c *peer, seed uint64) error {
	name, want := siteFile(seed % siteFiles)
	return c.both(fmt.Appendf(nil, "GET /%s HTTP/1.1\r\nHost: x\r\n\r\n", name), func() error {
		a, err := http.ReadResponse(c.r, nil)
		if err != nil {
			return err
		}
		defer a.Body.Close()
		body, err := io.ReadAll(a.Body)
		switch {
		case a.StatusCode >= 500 && err == nil:
			return cut{errors.New(a.Status)}
		case a.StatusCode != http.StatusOK:
			return fmt.Errorf("%s is answered with %s", name, a.Status)
		case !bytes.Equal(body, want[:min(len(body), len(want))]) || len(body) > len(want):
			return fmt.Errorf("%s has other bytes", name)
		case err == nil && len(body) < len(want):
			return fmt.Errorf("%s ends after %d of %d bytes, as if it was whole", name, len(body), len(want))
		}
		return err
	})
}

func (pages) end(*peer) error { return nil }

// backend is an echo server in this process, for proxies.
func (t *trial) backend() (addr string, err error) {
	ln, err := t.listen()
	if err != nil {
		return "", err
	}
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				io.Copy(struct{ io.Writer }{c}, struct{ io.Reader }{c})
				c.(*net.TCPConn).CloseWrite()
			}()
		}
	}()
	return ln.Addr().String(), nil
}

// listen returns a listener for a server in this process. The end of the trial closes it.
func (t *trial) listen() (net.Listener, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err == nil {
		t.atEnd(func() { ln.Close() })
	}
	return ln, err
}
