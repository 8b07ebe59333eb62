//go:build linux

package main

import (
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
)

// TestProxyHTTPRules: fields are set and deleted in what goes on, whoever has said them and however.
func TestProxyHTTPRules(t *testing.T) {
	eachDriver(t, func(t *testing.T, driver string) {
		const (
			marks = "X-Forwarded-For: 127.0.0.1\nX-Forwarded-Host: name\nX-Forwarded-Proto: http\n"
			head  = "GET / HTTP/1.1\r\nHost: name\r\n"
			first = "GET / HTTP/1.1 name\n"
		)
		for _, c := range []struct {
			name string
			args []string
			text string
			want string
		}{
			{"set", []string{"-set-header", "x-a:  one, \ttwo ", "-set-header", "X-A: three"},
				head + "X-A: mine\r\nX_A: mine\r\n\r\n", first + "X-A: one, \ttwo|three\n" + marks},
			{"set to nothing", []string{"-set-header", "X-A:"}, head + "\r\n", first + "X-A: \n" + marks},
			{"delete", []string{"-del-header", "x-remote-user"},
				head + "X-Remote-User: 1\r\nx_remote_user: 2\r\nX-Remote: 3\r\n\r\n", first + marks + "X-Remote: 3\n"},
			{"what the proxy says",
				[]string{"-set-header", "X-Forwarded-Proto: https", "-del-header", "X-Forwarded-For"},
				head + "\r\n", first + "X-Forwarded-Host: name\nX-Forwarded-Proto: https\n"},
			{"Host", []string{"-set-header", "host: other:80"}, head + "\r\n", "GET / HTTP/1.1 other:80\n" + marks},
			{"named by Connection", []string{"-set-header", "X-A: 1"}, head + "Connection: X-A\r\n\r\n",
				first + "X-A: 1\n" + marks},
		} {
			t.Run(c.name, func(t *testing.T) {
				p, addr, _ := startWeb(t, tellRequest, append(c.args, "-driver", driver)...)
				if _, body := askAt(t, addr, "GET", c.text); body != c.want {
					t.Errorf("the upstream has got\n%s\nwant\n%s", body, c.want)
				}
				p.finish()
			})
		}
	})
}

// TestProxyHTTPAnswerRules: likewise in answers, also in those that begin another protocol, but not in the proxy's own.
func TestProxyHTTPAnswerRules(t *testing.T) {
	eachDriver(t, func(t *testing.T, driver string) {
		back := func(w http.ResponseWriter, r *http.Request) {
			h := w.Header()
			h.Set("Server", "mine")
			h.Set("X-Gone", "1")
			h.Set("X-Set", "mine")
			if r.URL.Path == "/upgrade" {
				h.Set("Connection", "Upgrade")
				h.Set("Upgrade", "echo")
				w.WriteHeader(http.StatusSwitchingProtocols)
				return
			}
			io.WriteString(w, "ok")
		}
		p, addr, _ := startWeb(t, back, "-driver", driver, "-set-answer-header", "X-Set: a", "-set-answer-header",
			"X-Set: b", "-del-answer-header", "x-gone", "-del-answer-header", "Server", "-del-answer-header", "Date",
			"-del-answer-header", "Content-Type")
		for _, c := range []struct {
			text   string
			status int
			set    []string
		}{
			{"GET / HTTP/1.1\r\nHost: h\r\n\r\n", 200, []string{"a", "b"}},
			{"GET /upgrade HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n", 101,
				[]string{"a", "b"}},
			{"CONNECT h:80 HTTP/1.1\r\nHost: h:80\r\n\r\n", 405, nil},
		} {
			a, _ := askAt(t, addr, "GET", c.text)
			if a.StatusCode != c.status || !slices.Equal(a.Header["X-Set"], c.set) {
				t.Errorf("%q is answered by %d and %v", c.text, a.StatusCode, a.Header)
			}
			for _, name := range strings.Fields("Server X-Gone Date Content-Type") {
				if c.set != nil && a.Header[name] != nil {
					t.Errorf("%q: %s is %q", c.text, name, a.Header[name])
				}
			}
		}
		p.finish()
	})
}
