package sockhttp_test

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"testing"
)

// A handler that takes over the connection has all of its bytes, and the connection for as long as it likes.
func TestHijack(t *testing.T) {
	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
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
	for _, path := range []string{"/now", "/later"} {
		t.Run(path[1:], func(t *testing.T) {
			eachWay(t, h, nil, func(t *testing.T, addr string) {
				c := dial(t, addr)
				fmt.Fprintf(c, "GET %s HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\nbefore", path)
				r := bufio.NewReader(c)
				resp, err := http.ReadResponse(r, nil)
				if err != nil || resp.StatusCode != http.StatusSwitchingProtocols {
					t.Fatal(resp, err)
				}
				io.WriteString(c, " and after")
				c.CloseWrite()
				if got, err := io.ReadAll(r); string(got) != "before and after" || err != nil {
					t.Errorf("echoed %q, %v", got, err)
				}
			})
		})
	}
}
