//go:build linux

package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"sync"
	"time"
)

var webVisitors = []visitors{
	{"kept", 8, (*visitor).keepsWeb},
	{"many streams", 2, (*visitor).keepsStreams},
	{"one each", 8, (*visitor).getsOnce},
	{"reset", 4, (*visitor).resetsWeb},
	{"slow", 6, (*visitor).getsSlowly},
	{"silent", 3, (*visitor).isSilentWeb},
	{"crowd", 1, (*visitor).crowdsWeb},
}

// proxyVisitors ask for what a server of files does not have.
var proxyVisitors = []visitors{
	{"post", 4, (*visitor).posts},
	{"upgrade", 3, (*visitor).upgrades},
}

// client returns a client of net/http that keeps its connections, or uses each once. If the server has closed a kept
// one before it answered, net/http asks again on another.
func (v *visitor) client(keep bool, protocol func(*http.Protocols, bool)) *http.Client {
	p := new(http.Protocols)
	protocol(p, true)
	return &http.Client{Timeout: patience, Transport: &http.Transport{DisableKeepAlives: !keep, Protocols: p,
		TLSClientConfig: anyServer(), DialContext: func(context.Context, string, string) (net.Conn, error) {
			c, err := v.dial()
			if err != nil {
				return nil, err
			}
			return c.TCPConn, c.SetDeadline(time.Time{})
		}}}
}

// anyServer makes TLS accept any certificate; who the server is, is not tested.
func anyServer() *tls.Config { return &tls.Config{InsecureSkipVerify: true} }

func (v *visitor) url() string {
	if v.of.secure {
		return "https://" + v.of.addr + "/"
	}
	return "http://" + v.of.addr + "/"
}

// A question is a request for a file, or for a part of one.
type question struct {
	method   string
	file     uint64
	from, to int // bytes from to to; 0, 0: the whole file
}

// question returns a question, more often for a short file.
func (v *visitor) question() question {
	q := question{http.MethodGet, min(v.r.Uint64N(siteFiles), v.r.Uint64N(siteFiles)), 0, 0}
	switch v.r.IntN(4) {
	case 0:
		q.method = http.MethodHead
	case 1:
		if _, body := siteFile(q.file); len(body) > 0 {
			q.from = v.r.IntN(len(body))
			q.to = q.from + 1 + v.r.IntN(len(body)-q.from)
		}
	}
	return q
}

// get asks a question and verifies the answer.
func (v *visitor) get(c *http.Client, q question) error {
	name, want := siteFile(q.file)
	r, err := http.NewRequest(q.method, v.url()+name, nil)
	if err != nil {
		return err
	}
	length, status := len(want), http.StatusOK
	if q.to > 0 {
		r.Header.Set("Range", fmt.Sprintf("bytes=%d-%d", q.from, q.to-1))
		want, status = want[q.from:q.to], http.StatusPartialContent
		length = len(want)
	}
	if q.method == http.MethodHead {
		want = nil
	}
	return v.do(c, r, status, length, want)
}

// do sends a request and verifies the answer.
func (v *visitor) do(c *http.Client, r *http.Request, status, length int, want []byte) error {
	v.requests.Add(1)
	a, err := c.Do(r)
	if err != nil {
		return err
	}
	defer a.Body.Close()
	return answers(a, status, length, want)
}

// answers verifies an answer: its status, the length that it claims, and its body.
func answers(a *http.Response, status, length int, want []byte) error {
	body, err := io.ReadAll(a.Body)
	switch {
	case err != nil:
		return fmt.Errorf("after %d of %d bytes: %w", len(body), len(want), err)
	case a.StatusCode != status:
		return fmt.Errorf("%s, want %d: %.100q", a.Status, status, body)
	case a.ContentLength >= 0 && a.ContentLength != int64(length):
		return fmt.Errorf("the answer says that it has %d bytes, want %d", a.ContentLength, length)
	case !bytes.Equal(body, want):
		return fmt.Errorf("wrong bytes came, %d of %d", len(body), len(want))
	}
	return nil
}

// keepsWeb asks many times on one connection, for as long as servers keep it.
func (v *visitor) keepsWeb() error {
	c := v.client(true, (*http.Protocols).SetHTTP1)
	defer c.CloseIdleConnections()
	for asks := 10 + v.r.IntN(100); asks > 0; asks-- {
		if err := v.get(c, v.question()); err != nil {
			return err
		}
		if !v.pauses(1000) {
			break
		}
	}
	return nil
}

// keepsStreams asks several questions at once, by HTTP/2 if the server speaks that.
func (v *visitor) keepsStreams() error {
	protocol := (*http.Protocols).SetHTTP1
	switch {
	case v.of.secure:
		protocol = (*http.Protocols).SetHTTP2
	case v.of.manner.proxies:
		protocol = (*http.Protocols).SetUnencryptedHTTP2
	}
	c := v.client(true, protocol)
	defer c.CloseIdleConnections()
	for asks := 10 + v.r.IntN(50); asks > 0; asks-- {
		var all sync.WaitGroup
		errs := make([]error, 4)
		for i := range errs {
			q := v.question()
			all.Go(func() { errs[i] = v.get(c, q) })
		}
		all.Wait()
		if err := errors.Join(errs...); err != nil {
			return err
		}
		if !v.pauses(2000) {
			break
		}
	}
	return nil
}

func (v *visitor) getsOnce() error {
	return v.get(v.client(false, (*http.Protocols).SetHTTP1), v.question())
}

// posts sends a body and wants it back.
func (v *visitor) posts() error {
	seed := v.seed()
	b := noise(seed, sizes[seed%uint64(len(sizes))])
	r, err := http.NewRequest(http.MethodPost, v.url(), bytes.NewReader(b))
	if err != nil {
		return err
	}
	return v.do(v.client(false, (*http.Protocols).SetHTTP1), r, http.StatusOK, len(b), b)
}

// A wire is a connection, with TLS if the server's clients speak that.
type wire struct {
	*peer
	net.Conn
	r *bufio.Reader
}

func (w wire) Close() error { return w.peer.Close() }

func (v *visitor) connect() (w wire, err error) {
	if w.peer, err = v.dial(); err != nil {
		return w, err
	}
	w.Conn = w.peer.TCPConn
	if v.of.secure {
		w.Conn = tls.Client(w.Conn, anyServer())
	}
	w.r = bufio.NewReaderSize(w.Conn, 4096)
	return w, nil
}

// ask requests a file, and reads nothing.
func (w wire) ask(v *visitor, file uint64) error {
	v.requests.Add(1)
	name, _ := siteFile(file)
	_, err := fmt.Fprintf(w.Conn, "GET /%s HTTP/1.1\r\nHost: x\r\n\r\n", name)
	return told(err)
}

// resetsWeb resets the connection in the middle of an answer.
func (v *visitor) resetsWeb() error {
	w, err := v.connect()
	if err != nil {
		return err
	}
	defer w.Close()
	if err := w.ask(v, siteFiles-1); err != nil {
		return err
	}
	if _, err := io.ReadFull(w.r, make([]byte, 1+v.r.IntN(100_000))); err != nil {
		return told(err)
	}
	return w.peer.SetLinger(0)
}

// getsSlowly reads an answer in small pieces, with pauses.
func (v *visitor) getsSlowly() error {
	w, err := v.connect()
	if err != nil {
		return err
	}
	defer w.Close()
	w.peer.SetReadBuffer(slowRoom)
	const file = siteFiles - 1
	if err := w.ask(v, file); err != nil {
		return err
	}
	a, err := http.ReadResponse(w.r, nil)
	if err != nil {
		return told(err)
	}
	_, want := siteFile(file)
	a.Body = io.NopCloser(&slowly{Reader: a.Body})
	return answers(a, http.StatusOK, len(want), want)
}

// slowly is a Reader that pauses after each slowPiece bytes.
type slowly struct {
	io.Reader
	n int // bytes since the last pause
}

func (s *slowly) Read(p []byte) (int, error) {
	n, err := s.Reader.Read(p[:min(len(p), slowPiece)])
	if s.n += n; s.n >= slowPiece {
		s.n = 0
		time.Sleep(slowPause)
	}
	return n, err
}

// isSilentWeb sends nothing, and expects the server to close the connection for that.
func (v *visitor) isSilentWeb() error {
	w, err := v.connect()
	if err != nil {
		return err
	}
	defer w.Close()
	if _, err := io.Copy(io.Discard, w.peer.TCPConn); errors.Is(err, os.ErrDeadlineExceeded) {
		return fmt.Errorf("a connection that is silent lasts for %v", patience)
	}
	v.idled.Add(1)
	return nil
}

// crowdsWeb opens more connections at once than one peer may have.
func (v *visitor) crowdsWeb() error {
	return v.crowd(func(one *visitor) (io.Closer, error) {
		w, err := one.connect()
		if err != nil {
			return nil, err
		}
		const file = 1
		if err := w.ask(one, file); err != nil {
			return w, err
		}
		a, err := http.ReadResponse(w.r, nil)
		if err != nil {
			return w, told(err)
		}
		_, want := siteFile(file)
		return w, answers(a, http.StatusOK, len(want), want)
	})
}

// upgrades upgrades a connection, and then asks for echoes on it, across restarts of the server.
func (v *visitor) upgrades() error {
	w, err := v.connect()
	if err != nil {
		return err
	}
	defer w.Close()
	v.requests.Add(1)
	const head = "GET /upgrade HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n"
	if _, err := io.WriteString(w.Conn, head); err != nil {
		return err
	}
	a, err := http.ReadResponse(w.r, nil)
	if err != nil {
		return err
	}
	if a.StatusCode != http.StatusSwitchingProtocols {
		return fmt.Errorf("%s, want 101", a.Status)
	}
	for asks := 1 + v.r.IntN(50); asks > 0; asks-- {
		v.requests.Add(1)
		w.peer.SetDeadline(time.Now().Add(patience))
		b, got := noise(v.seed(), 1000), make([]byte, 1000)
		if _, err := w.Conn.Write(b); err != nil {
			return err
		}
		if n, err := io.ReadFull(w.r, got); !bytes.Equal(b, got) {
			return fmt.Errorf("an upgraded connection: %d bytes of 1000 came, or wrong ones: %w", n, err)
		}
		if !v.pauses(1000) {
			break
		}
	}
	return nil
}
