// A gateway asks another service.
package main

import (
	"context"
	"io"
	"log"
	"net/http"

	"ringo/sock"
)

var client = &http.Client{}

func main() {
	log.Fatal(sock.ListenAndServe(context.Background(), nil, "tcp", ":7000", func(c *sock.Conn) {
		resp, err := http.Get("http://127.0.0.1/") // want `http.Get`
		if err != nil {
			return
		}
		defer resp.Body.Close()
		io.Copy(c, resp.Body)
		req, _ := http.NewRequest("GET", "http://127.0.0.1/", nil)
		client.Do(req) // want `\(\*http.Client\).Do .*an http.Client with a sockhttp.Transport`
	}))
}
