package main

import (
	"bufio"
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"

	"ringo"
	"ringo/examples/programs/internal/cluster"
	"ringo/examples/programs/internal/rig"
	"ringo/internal/test/patience"
	"ringo/sock"
)

// server has the database.
var (
	server   *cluster.Cluster
	noServer error
)

func TestMain(m *testing.M) {
	cluster.Main(m, func(c *cluster.Cluster, err error) { server, noServer = c, err })
}

// api is a service that is tested.
type api struct {
	t    *testing.T
	addr string
	http *http.Client
	end  func()
}

// each plays a test by each driver, on two loops.
func each(t *testing.T, f func(a *api)) {
	cluster.Need(t, noServer)
	rig.EachDriver(t, []string{"uring", "epoll"}, func(t *testing.T, driver string) {
		db, err := sql.Open("pgx", server.URL("TCP"))
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		defer db.Exec("drop table notes")
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		n, err := openNotes(ctx, db)
		if err != nil {
			t.Fatal(err)
		}
		set, err := sock.Reserve("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		ended := make(chan error, 1)
		go func() { ended <- serve(ctx, set, n, &ringo.Config{Driver: driver, Loops: 2}) }()
		tr := new(http.Transport)
		a := &api{t: t, addr: set.Addr().String(), http: &http.Client{Transport: tr}}
		a.end = sync.OnceFunc(func() {
			cancel()
			if err := patience.Recv(t, "the server's end", ended); err != nil {
				t.Error("serve:", err)
			}
		})
		defer a.end()
		defer tr.CloseIdleConnections()
		f(a)
	})
}

// ask makes a request, and wants a status.
func (a *api) ask(method, path, body string, status int) string {
	a.t.Helper()
	req, err := http.NewRequest(method, "http://"+a.addr+path, strings.NewReader(body))
	if err != nil {
		a.t.Fatal(err)
	}
	res, err := a.http.Do(req)
	if err != nil {
		a.t.Fatal(err)
	}
	defer res.Body.Close()
	p, err := io.ReadAll(res.Body)
	if res.StatusCode != status || err != nil {
		a.t.Fatalf("%s %s: %s, %q, %v, want %d", method, path, res.Status, p, err, status)
	}
	return string(p)
}

// Notes are kept in the database, by many clients at once, and counted.
func TestNotes(t *testing.T) {
	each(t, func(a *api) {
		var clients sync.WaitGroup
		for i := range 8 {
			clients.Go(func() {
				for j := range 5 {
					var n note
					text := fmt.Sprintf("%d/%d", i, j)
					added := a.ask("POST", "/notes", `{"text":"`+text+`"}`, http.StatusCreated)
					if err := json.Unmarshal([]byte(added), &n); err != nil {
						a.t.Error(added, err)
						return
					}
					got := a.ask("GET", fmt.Sprint("/notes/", n.ID), "", http.StatusOK)
					if got != added || n.Text != text {
						a.t.Errorf("%q was kept as %q", text, got)
					}
				}
			})
		}
		clients.Wait()
		var all []note
		list := a.ask("GET", "/notes", "", http.StatusOK)
		if err := json.Unmarshal([]byte(list), &all); err != nil || len(all) != 40 {
			a.t.Errorf("%d notes, %v", len(all), err)
		}
		if got := a.ask("GET", "/count", "", http.StatusOK); got != "40" {
			a.t.Error("counted", got)
		}
		a.ask("GET", "/notes/12345", "", http.StatusNotFound)
		a.ask("GET", "/notes/x", "", http.StatusNotFound)
		a.ask("POST", "/notes", "{", http.StatusBadRequest)
		a.ask("POST", "/notes", `{"text":"`+strings.Repeat("x", noteMax)+`"}`, http.StatusBadRequest)
		a.ask("DELETE", "/notes", "", http.StatusMethodNotAllowed)
		if got := a.ask("GET", "/metrics", "", http.StatusOK); !strings.Contains(got, "ringo_") {
			a.t.Errorf("metrics: %.200s", got)
		}
	})
}

// chatter is a client of the chat.
type chatter struct {
	net.Conn
	in io.Reader
}

func (a *api) enter() *chatter {
	a.t.Helper()
	c, in, _, err := ws.Dial(context.Background(), "ws://"+a.addr+"/chat")
	if err != nil {
		a.t.Fatal(err)
	}
	a.t.Cleanup(func() { c.Close() })
	c.SetDeadline(patience.Deadline())
	if in == nil {
		return &chatter{c, c}
	}
	return &chatter{c, in}
}

func (c *chatter) say(line string) error { return wsutil.WriteClientText(c, []byte(line)) }

// hear is the next line, or the error with which the chat ends.
func (c *chatter) hear() (string, error) {
	p, _, err := wsutil.ReadServerData(struct {
		io.Reader
		io.Writer
	}{c.in, c})
	return string(p), err
}

// What is said all hear in one order, by WebSockets on every loop and by a stream of events. The end is told.
func TestChat(t *testing.T) {
	each(t, func(a *api) {
		res, err := a.http.Get("http://" + a.addr + "/events")
		if err != nil {
			a.t.Fatal(err)
		}
		defer res.Body.Close()
		events := bufio.NewScanner(res.Body)
		var all []*chatter
		for i := range 10 {
			all = append(all, a.enter())
			if err := all[i].say("here"); err != nil { // so that it is in the room when somebody hears it
				a.t.Fatal(err)
			}
			for j := range i + 1 {
				if line, err := all[j].hear(); line != "here" || err != nil {
					a.t.Fatalf("%d of %d heard %q, %v", j, i, line, err)
				}
			}
		}
		const each = 5
		var heard [10][]string
		var talk sync.WaitGroup
		for i, c := range all {
			talk.Go(func() {
				for j := range each {
					if err := c.say(fmt.Sprint(i, "/", j)); err != nil {
						a.t.Error(err)
					}
				}
				for range each * len(all) {
					line, err := c.hear()
					if err != nil {
						a.t.Error(err)
						return
					}
					heard[i] = append(heard[i], line)
				}
			})
		}
		talk.Wait()
		for i := range heard {
			if !slices.Equal(heard[i], heard[0]) {
				a.t.Errorf("%d heard another order than 0: %q, %q", i, heard[i], heard[0])
			}
		}
		for i := 0; i < len(all)+each*len(all); {
			if !events.Scan() {
				a.t.Fatalf("after %d events: %v", i, events.Err())
			}
			line, is := strings.CutPrefix(events.Text(), "data: ")
			if !is {
				continue
			}
			if i >= len(all) && line != heard[0][i-len(all)] {
				a.t.Errorf("event %d is %q, want %q", i, line, heard[0][i-len(all)])
			}
			i++
		}
		a.bye(all)
		for events.Scan() {
		}
		if err := events.Err(); err != nil {
			a.t.Error("the stream's end:", err)
		}
	})
}

// bye ends the server while all of them listen.
func (a *api) bye(all []*chatter) {
	var ends sync.WaitGroup
	for _, c := range all {
		ends.Go(func() {
			line, err := c.hear()
			if closed, ok := err.(wsutil.ClosedError); !ok || closed.Code != ws.StatusGoingAway {
				a.t.Errorf("at the end: %q, %v", line, err)
			}
		})
	}
	a.end()
	ends.Wait()
}

// Pings are answered, in the middle of a message too. What is no WebSocket, is too long or breaks the rules ends the
// connection, and no other.
func TestChatRules(t *testing.T) {
	each(t, func(a *api) {
		a.ask("GET", "/chat", "", http.StatusBadRequest)
		c := a.enter()
		for _, f := range []ws.Frame{ws.NewFrame(ws.OpText, false, []byte("one ")), ws.NewPingFrame([]byte("ping")),
			ws.NewPingFrame(nil), ws.NewFrame(ws.OpContinuation, true, []byte("message"))} {
			if err := ws.WriteFrame(c, ws.MaskFrame(f)); err != nil {
				a.t.Fatal(err)
			}
		}
		for _, want := range []string{"ping", "", "one message"} {
			if f, err := ws.ReadFrame(c.in); err != nil || string(f.Payload) != want {
				a.t.Fatalf("got %q, %v, want %q", f.Payload, err, want)
			}
		}
		for _, bad := range [][]byte{
			ws.MustCompileFrame(ws.MaskFrame(ws.NewTextFrame(make([]byte, lineMax+1)))),
			ws.MustCompileFrame(ws.NewTextFrame([]byte("not masked"))),
			ws.MustCompileFrame(ws.MaskFrame(ws.NewTextFrame([]byte("\xff")))),
		} {
			other := a.enter()
			other.Write(bad)
			if line, err := other.hear(); err == nil {
				a.t.Errorf("after %.20q it heard %q", bad, line)
			}
		}
		if err := c.say("still here"); err != nil {
			a.t.Fatal(err)
		}
		if line, err := c.hear(); line != "still here" || err != nil {
			a.t.Errorf("heard %q, %v", line, err)
		}
	})
}

// A member that reads nothing is let go, and keeps nobody.
func TestChatSlow(t *testing.T) {
	each(t, func(a *api) {
		slow := a.enter()
		quick := a.enter()
		line := strings.Repeat("x", lineMax)
		for range 500 { // more than sockets hold
			if err := quick.say(line); err != nil {
				a.t.Fatal(err)
			}
			if got, err := quick.hear(); got != line || err != nil {
				a.t.Fatalf("the other heard %d bytes, %v", len(got), err)
			}
		}
		n, err := io.Copy(io.Discard, slow.in)
		if n >= 500*lineMax {
			a.t.Errorf("who has not read got all %d bytes, %v", n, err)
		}
		if t, ok := err.(net.Error); ok && t.Timeout() {
			a.t.Error("who has not read is still there:", err)
		}
	})
}
