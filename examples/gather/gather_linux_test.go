//go:build linux

package main

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"ringo"
	"ringo/internal/test/patience"
	"ringo/internal/test/testmain"
	"ringo/sock"
	"ringo/sock/sockhttp"
)

func TestMain(m *testing.M) { testmain.Main(m) }

// What the services say comes in one answer, with the errors of those that say nothing in time.
func TestGather(t *testing.T) {
	hello := func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "hello") }
	quick := httptest.NewServer(http.HandlerFunc(hello))
	defer quick.Close()
	slow := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }))
	defer slow.Close()
	set, err := sock.Reserve("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	g := newGatherer([]string{quick.URL, slow.URL, quick.URL})
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	s := &sockhttp.Server{Handler: sockhttp.Task(g)}
	go func() {
		ended <- s.ServeSets(ctx, &ringo.Config{Loops: 2}, []*sock.ListenerSet{set})
	}()
	tr := new(http.Transport)
	res, err := (&http.Client{Transport: tr}).Get("http://" + set.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	var got []answer
	if err := json.NewDecoder(res.Body).Decode(&got); err != nil || len(got) != 3 {
		t.Fatal(got, err)
	}
	res.Body.Close()
	tr.CloseIdleConnections()
	for i, a := range got {
		if url := g.urls[i]; a.URL != url {
			t.Errorf("answer %d is that of %s", i, a.URL)
		}
		if i == 1 {
			if !strings.Contains(a.Error, "deadline") || a.Text != "" {
				t.Errorf("the slow service: %+v", a)
			}
		} else if a.Text != "hello" || a.Error != "" {
			t.Errorf("a quick one: %+v", a)
		}
	}
	cancel()
	if err := patience.Recv(t, "the server's end", ended); err != nil {
		t.Error(err)
	}
}
