//go:build linux

package main

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"ringo/internal/test/patience"
)

// TestProxyHTTPIdle: by HTTP/1 and 2, a body on which nothing moves gets 408, and an answer breaks off; the log says
// why.
func TestProxyHTTPIdle(t *testing.T) {
	eachDriver(t, func(t *testing.T, driver string) {
		over := make(chan bool)
		back := func(w http.ResponseWriter, r *http.Request) {
			io.Copy(io.Discard, r.Body)
			io.WriteString(w, "begins")
			http.NewResponseController(w).Flush()
			<-over
		}
		p, addr, _ := startWeb(t, back, "-driver", driver, "-idle", "300ms", "-log", "stderr")
		defer close(over)
		for _, two := range []bool{false, true} {
			tr := &http.Transport{Protocols: new(http.Protocols)}
			defer tr.CloseIdleConnections()
			tr.Protocols.SetHTTP1(!two)
			tr.Protocols.SetUnencryptedHTTP2(two)
			client := &http.Client{Transport: tr, Timeout: patience.Max}
			body, stalls := io.Pipe()
			go io.WriteString(stalls, "begins")
			a, err := client.Post("http://"+addr+"/late", "", body)
			if err != nil {
				t.Fatal(err)
			}
			io.Copy(io.Discard, a.Body)
			a.Body.Close()
			body.Close()
			if a.StatusCode != http.StatusRequestTimeout {
				t.Errorf("by %s a body that stands still gets %s, want 408", a.Proto, a.Status)
			}
			if a, err = client.Get("http://" + addr + "/still"); err != nil {
				t.Fatal(err)
			}
			got, err := io.ReadAll(a.Body)
			a.Body.Close()
			if string(got) != "begins" || err == nil {
				t.Errorf("by %s an answer that stands still is %q, %v", a.Proto, got, err)
			}
			for _, want := range []string{`"uri":"/late","proto":"` + a.Proto + `","status":408,`,
				`"uri":"/still","proto":"` + a.Proto + `","status":200,`} {
				if line, _ := p.find(func(line string) bool { return strings.Contains(line, want) }); !strings.Contains(
					line, `"end":"idle"`) {
					t.Errorf("the log has %s", line)
				}
			}
		}
		p.finish()
	})
}
