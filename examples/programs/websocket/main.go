// Websocket echoes messages by github.com/coder/websocket, over net/http on a listener of Ringo, and sends one over a
// connection that Ringo dials. All of it stays on goroutines; the loop's task waits for it in Offload.
package main

import (
	"context"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"

	"github.com/coder/websocket"

	"ringo"
	"ringo/sock"
)

func main() {
	if err := run(os.Stdout); err != nil {
		log.Fatal(err)
	}
}

// run exchanges one message. Offload runs server and client on goroutines, while the task parks.
func run(out io.Writer) error {
	return ringo.Run(context.Background(), &ringo.Config{Loops: 1}, func(l *ringo.Loop) error {
		ln, err := sock.Listen(l, "tcp", "127.0.0.1:0")
		if err != nil {
			return err
		}
		return l.Offload(func(ctx context.Context) error {
			server := &http.Server{Handler: http.HandlerFunc(echo)}
			go server.Serve(ln)
			defer server.Close()
			c, err := dial(ctx, l, ln.Addr().String())
			if err != nil {
				return err
			}
			defer c.CloseNow()
			if err := c.Write(ctx, websocket.MessageText, []byte("hello")); err != nil {
				return err
			}
			_, message, err := c.Read(ctx)
			if err != nil {
				return err
			}
			fmt.Fprintf(out, "%s\n", message)
			return c.Close(websocket.StatusNormalClosure, "")
		})
	})
}

// messageMax is the longest message, in bytes, that either side accepts.
const messageMax = 2 << 20

// echo sends each message back, until the client closes.
func echo(w http.ResponseWriter, r *http.Request) {
	c, err := websocket.Accept(w, r, nil)
	if err != nil {
		return // Accept has answered with the error
	}
	defer c.CloseNow()
	c.SetReadLimit(messageMax)
	for {
		kind, message, err := c.Read(r.Context())
		if err != nil || c.Write(r.Context(), kind, message) != nil {
			return
		}
	}
}

// dial opens a WebSocket over a connection that belongs to the loop.
func dial(ctx context.Context, l *ringo.Loop, address string) (*websocket.Conn, error) {
	transport := &http.Transport{DialContext: new(sock.Dialer).Func(l)}
	c, _, err := websocket.Dial(ctx, "ws://"+address,
		&websocket.DialOptions{HTTPClient: &http.Client{Transport: transport}})
	if err == nil {
		c.SetReadLimit(messageMax)
	}
	return c, err
}
