package sockhttp_test

import (
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"testing"

	"ringo"
	"ringo/sock/sockhttp"
)

// A handler that takes over the connection has all of its bytes, and the connection for as long as it likes, also if it
// has asked before whether the peer is there.
func TestHijack(t *testing.T) {
	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.RawQuery == "watched" {
			r.Context().Done()
		}
		c, buf, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		if _, err := w.Write([]byte("x")); err != http.ErrHijacked {
			t.Errorf("Write after Hijack: %v", err)
		}
		fmt.Fprintf(c, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
		echo := func() {
			defer c.Close()
			io.Copy(c, buf)
		}
		if r.URL.Path == "/later" {
			go echo()
		} else {
			echo()
		}
	})
	config, client := certified(t)
	for _, path := range []string{"/now", "/later", "/now?watched", "/later?watched"} {
		for _, before := range []string{"before", ""} {
			echoes := func(t *testing.T, addr string, client *http.Client) {
				c, r := connect(t, addr, client, "GET "+path+
					" HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n"+before)
				resp, err := http.ReadResponse(r, nil)
				if err != nil || resp.StatusCode != http.StatusSwitchingProtocols {
					t.Fatal(resp, err)
				}
				io.WriteString(c, " and after")
				c.(interface{ CloseWrite() error }).CloseWrite()
				if got, err := io.ReadAll(r); string(got) != before+" and after" || err != nil {
					t.Errorf("echoed %q, %v", got, err)
				}
			}
			t.Run(path[1:]+before, func(t *testing.T) {
				eachWay(t, h, nil, func(t *testing.T, addr string) { echoes(t, addr, nil) })
				socktestEach(t, func(t *testing.T, cfg ringo.Config) {
					s := &sockhttp.Server{Handler: h, TLSConfig: config, ErrorLog: slog.New(slog.DiscardHandler)}
					echoes(t, serve(t, cfg, "tls", s), client)
				})
			})
		}
	}
}
