package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptrace"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// Requests one after the other travel on one connection, by each protocol.
func TestKeepAlive(t *testing.T) {
	each(t, protocols, func(t *testing.T, driver string, p protocol) {
		s := open(t, driver, p, func(w http.ResponseWriter, r *http.Request) {
			fmt.Fprint(w, r.ProtoMajor, r.TLS != nil, r.RemoteAddr)
		}, nil)
		first := s.get(t, "/")
		version := 2
		if p.protocols().HTTP1() {
			version = 1
		}
		if want := fmt.Sprint(version, p.scheme == "https"); !strings.HasPrefix(first, want) {
			t.Errorf("the server saw %q, want %q", first, want)
		}
		for range 20 {
			if again := s.get(t, "/"); again != first {
				t.Fatalf("another connection: %q after %q", again, first)
			}
		}
	})
}

// Many clients at once, each with what is its own.
func TestManyClients(t *testing.T) {
	each(t, protocols, func(t *testing.T, driver string, p protocol) {
		s := open(t, driver, p, func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, r.URL.Path) }, nil)
		var clients sync.WaitGroup
		for i := range 16 {
			clients.Go(func() {
				for j := range 20 {
					path := fmt.Sprintf("/%d/%d", i, j)
					answer, err := s.client.Get(s.url + path)
					if err != nil {
						t.Error(err)
						return
					}
					p, err := io.ReadAll(answer.Body)
					answer.Body.Close()
					if string(p) != path || err != nil {
						t.Errorf("asked for %s, got %q, %v", path, p, err)
					}
				}
			})
		}
		clients.Wait()
	})
}

// Each side sends its next piece when it has the other's.
func TestPieces(t *testing.T) {
	each(t, protocols, func(t *testing.T, driver string, p protocol) {
		s := open(t, driver, p, func(w http.ResponseWriter, r *http.Request) {
			http.NewResponseController(w).EnableFullDuplex()
			w.(http.Flusher).Flush()
			p := make([]byte, 64)
			for {
				n, err := r.Body.Read(p)
				w.Write(bytes.ToUpper(p[:n]))
				w.(http.Flusher).Flush()
				if err != nil {
					return
				}
			}
		}, nil)
		r, w := io.Pipe()
		answer, err := s.client.Post(s.url, "text/plain", r)
		if err != nil {
			t.Fatal(err)
		}
		defer answer.Body.Close()
		for range 10 {
			io.WriteString(w, "piece")
			p := make([]byte, 5)
			if _, err := io.ReadFull(answer.Body, p); err != nil || string(p) != "PIECE" {
				t.Fatalf("got %q, %v", p, err)
			}
		}
		w.Close()
		if rest, err := io.ReadAll(answer.Body); err != nil || len(rest) > 0 {
			t.Errorf("after the end: %q, %v", rest, err)
		}
	})
}

// Large bodies go both ways, at once.
func TestBodies(t *testing.T) {
	each(t, protocols, func(t *testing.T, driver string, p protocol) {
		s := open(t, driver, p, func(w http.ResponseWriter, r *http.Request) {
			http.NewResponseController(w).EnableFullDuplex()
			io.Copy(w, r.Body)
		}, nil)
		const size = 8 << 20
		sent, got := sha256.New(), sha256.New()
		source := io.LimitReader(rand.NewChaCha8([32]byte{1}), size)
		answer, err := s.client.Post(s.url, "application/octet-stream", io.TeeReader(source, sent))
		if err != nil {
			t.Fatal(err)
		}
		defer answer.Body.Close()
		n, err := io.Copy(got, answer.Body)
		if n != size || err != nil || !bytes.Equal(got.Sum(nil), sent.Sum(nil)) {
			t.Errorf("%d of %d bytes came back, %v; or others than were sent", n, size, err)
		}
	})
}

// A file is served as a whole and in part.
func TestFile(t *testing.T) {
	each(t, protocols, func(t *testing.T, driver string, p protocol) {
		dir := t.TempDir()
		want := make([]byte, 3<<20+7)
		rand.NewChaCha8([32]byte{2}).Read(want)
		if err := os.WriteFile(filepath.Join(dir, "file"), want, 0o600); err != nil {
			t.Fatal(err)
		}
		files := http.FileServer(http.Dir(dir))
		s := open(t, driver, p, files.ServeHTTP, nil)
		if got := s.get(t, "/file"); got != string(want) {
			t.Errorf("%d bytes of %d, or others", len(got), len(want))
		}
		request, _ := http.NewRequest("GET", s.url+"/file", nil)
		request.Header.Set("Range", "bytes=1000000-2000000")
		answer, err := s.client.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		defer answer.Body.Close()
		if p, err := io.ReadAll(answer.Body); err != nil || !bytes.Equal(p, want[1000000:2000001]) {
			t.Errorf("a range: %d bytes, %v", len(p), err)
		}
	})
}

// A client that asks first sends its body when it is told to, and not if it is refused.
func TestContinue(t *testing.T) {
	each(t, protocols, func(t *testing.T, driver string, p protocol) {
		s := open(t, driver, p, func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/refused" {
				http.Error(w, "no", http.StatusForbidden)
				return
			}
			io.Copy(w, r.Body)
		}, nil)
		for path, status := range map[string]int{"/": http.StatusOK, "/refused": http.StatusForbidden} {
			told := false
			ctx := httptrace.WithClientTrace(context.Background(), &httptrace.ClientTrace{Got100Continue: func() {
				told = true
			}})
			request, _ := http.NewRequestWithContext(ctx, "POST", s.url+path, strings.NewReader("the body"))
			request.Header.Set("Expect", "100-continue")
			answer, err := s.client.Do(request)
			if err != nil {
				t.Fatal(err)
			}
			p, err := io.ReadAll(answer.Body)
			answer.Body.Close()
			if answer.StatusCode != status || err != nil || told != (status == http.StatusOK) {
				t.Errorf("%s: %s, %q, %v, told to go on: %v", path, answer.Status, p, err, told)
			}
		}
	})
}
